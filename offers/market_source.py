"""`--market FILE`: a market to check against, written as a persona's `market:` block or as the events of the log."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from offers.campaign_draft import Draft, Vocabulary
from offers.market_view import MarketView
from offers.persona_market import fold, read_market
from streams import market
from streams.errors import InvalidInput
from streams.events import Event, parse
from streams.findings import Finding, did_you_mean, has_errors, shown
from streams.ids import Millis
from streams.positioned_yaml import MapNode, Node, read_file
from streams.sheet import Sheet
from streams.units import zone

MarketSource = Callable[[Vocabulary], MarketView]
"""What is looked at, where names are known. Raises InvalidInput MARKET_INVALID, TIME_MISSING or UNKNOWN_PERSONA."""
EVENTS = ".jsonl"
KEYS = ("zone", "now", "market")
PERSONA_KEYS = ("description", "customer", "location", "request")
"""So that a persona's file does as well."""


def of_file(named: str, now: Millis | None = None) -> MarketSource:
    """The market of a file, `FILE#NAME` for one of several personas, or FILE.jsonl with a CloudEvent a line."""
    path, _, name = named.partition("#")
    if path.endswith(EVENTS):
        return lambda words: _of_events(Path(path), now)
    return lambda words: _of_yaml(Path(path), name, words, now)


def _of_yaml(file: Path, name: str, words: Vocabulary, now: Millis | None) -> MarketView:
    sheet = Sheet(file.as_posix())
    root, findings = read_file(file, sheet.path)
    sheet.findings.extend(findings)
    found = None if root is None else _read(sheet, _named(root, name, file), words, now)
    _refuse(sheet.findings)
    if found is None:
        raise InvalidInput("TIME_MISSING", f"{file} says no 'now'. Write 'now: 2026-11-21 15:00', and 'zone:'.")
    return found


def _named(root: Node, name: str, file: Path) -> Node:
    """The persona of that name; the whole file without one."""
    if not name:
        return root
    personas = root.entries.get("personas") if isinstance(root, MapNode) else None
    known = personas[1].entries if personas is not None and isinstance(personas[1], MapNode) else {}
    if name not in known:
        raise InvalidInput(
            "UNKNOWN_PERSONA", f"{file} has no persona {shown(name)}. {did_you_mean(name, known)}".strip()
        )
    return known[name][1]


def _read(sheet: Sheet, root: Node, words: Vocabulary, now: Millis | None) -> MarketView | None:
    fields = sheet.fields(root, "the market", (*KEYS, *PERSONA_KEYS), ("market",))
    there = sheet.parsed(fields["zone"], "zone", zone) if "zone" in fields else None
    draft = Draft(sheet, replace(words, market=None), None if there is None else str(there))
    said = read_market(draft, fields["market"]) if "market" in fields else ()
    at = now
    if at is None and "now" in fields:
        written = draft.instant(fields["now"], "now")
        at = None if written is None else written.at
    return None if at is None else MarketView(fold(said, at), at)


def _of_events(file: Path, now: Millis | None) -> MarketView:
    """Looked at when the newest was said, unless an instant is given."""
    records: list[tuple[int, Millis, Event]] = []
    for number, line in enumerate(file.read_bytes().splitlines(), 1):
        if not line.strip():
            continue
        try:
            event = parse(line)
        except InvalidInput as error:
            raise InvalidInput("MARKET_INVALID", f"{file}:{number}:1: {error.code} {error.message}") from error
        records.append((len(records), event.time, event))
    if not records:
        raise InvalidInput("MARKET_INVALID", f"{file} is empty. Write one CloudEvent of the market a line.")
    newest = max(at for _, at, _ in records)
    return MarketView(market.fold(market.EMPTY, records, file.name), newest if now is None else now)


def _refuse(findings: list[Finding]) -> None:
    if has_errors(findings):
        raise InvalidInput("MARKET_INVALID", "\n".join(str(finding) for finding in sorted(findings)))
