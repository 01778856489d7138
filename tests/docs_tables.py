"""The tables of docs/operations.md, made from the code: `python -m tests.docs_tables` writes them into the page."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from offers import answer_store, cache, campaign, events_door, exposure, import_cursor, request, tokens
from offers.api import auth, bodies
from offers.migrations import versions as migrations
from scoring import model_folder
from streams import (
    counters,
    dead_letters,
    events,
    lake_file,
    market,
    market_store,
    profile,
    profile_form,
    profile_store,
    reached,
    record,
    sqlite_file,
    total_store,
)
from streams.instant import DAY_MS, MINUTE_MS
from streams.log import LOCATIONS
from streams.settings import SETTINGS
from streams.telemetry import LOG_FIELDS, METRICS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "operations.md"
SOURCES = {path: path.read_text() for name in ("offers", "scoring", "streams") for path in (ROOT / name).rglob("*.py")}
MARKED = re.compile(r"(<!-- table: (\w+) -->\n)(?:\|.*\n)*")
DECLARED = re.compile(r"^(\w+) = _(?:counter|gauge|histogram|tally|tally_histogram)\(\s*\"(\w+)\"", re.MULTILINE)


def settings() -> str:
    """Every variable, and whether anything reads it."""
    rows = []
    for setting in SETTINGS:
        unread = "" if is_read(setting.field) else " **Nothing reads it yet.**"
        default = f"`{setting.default}`" if setting.default else ""
        rows.append((f"`{setting.name}`", default, f"{setting.meaning}{unread}", setting.expected))
    return table(("variable", "if unset", "what it does", "expected"), rows)


def metrics() -> str:
    """Every metric, and whether anything moves it."""
    moved = {f"telemetry.{name}" for name in re.findall(r"\btelemetry\.([A-Z_]+)\b", "".join(SOURCES.values()))}
    text = SOURCES[ROOT / "streams" / "telemetry.py"]
    moving = {metric for name, metric in DECLARED.findall(text) if f"telemetry.{name}" in moved}
    rows = []
    for metric in METRICS:
        unmoved = "" if metric.name.removesuffix("_total") in moving else " **Nothing moves it yet.**"
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        rows.append((f"`{metric.name}`", metric.kind, labels, f"{metric.meaning}{unmoved}"))
    return table(("metric", "kind", "labels", "what it says"), rows)


def fields() -> str:
    """What a log line may carry."""
    return table(("field", "what it says"), [(f"`{name}`", meaning) for name, meaning in LOG_FIELDS.items()])


def limits() -> str:
    """Where the doors and the consumers draw a line."""
    row = ("limit", "value", "beyond it")
    decision, batch = f"{bodies.MAX_DECISION_BYTES >> 10} KiB", f"{bodies.MAX_EVENTS_BYTES >> 20} MiB, unpacked too"
    asked = f"{request.MAX_PLACEMENTS}; {request.MAX_LIMIT}; {request.MAX_HOLDING}"
    rows = [
        ("body of a decision", decision, "413 `BODY_TOO_LARGE`"),
        ("body of events or outcomes", batch, "413 `BODY_TOO_LARGE`"),
        ("events or outcomes in it", f"{events_door.MAX_BATCH}", "413 `BATCH_TOO_LARGE`"),
        ("placements asked for; `limit` of each; `holding`", asked, "422 `REQUEST_INVALID`"),
        ("characters of an id", f"{events.MAX_ID}", "422 `REQUEST_INVALID`, `EVENT_MALFORMED`"),
        ("attributes in an event; friends", f"{events.MAX_DATA_KEYS}; {events.MAX_FRIENDS}", "422 `EVENT_VALUE`"),
        ("characters of a token", f"{tokens.MAX_TOKEN}", "the item goes out without one"),
        ("age of an outcome or redemption", _days(profile.COUNTED_FOR_MS), "`TIME_IMPLAUSIBLE`"),
        ("counted events of a customer in that time", f"{profile.MAX_IDS:,}", "dead letter `TOO_MANY_COUNTED`"),
        ("counters of a customer", f"{counters.MAX_ENTRIES}", "the oldest become a total"),
        ("a repeated `request_id` gives the same decision for", _minutes(answer_store.REQUEST_MS), "it decides again"),
        ("a raw location is kept for", _minutes(LOCATIONS.retention_ms or 0), "its bytes are overwritten"),
        ("where a customer was is known for", _minutes(profile_store.PRESENCE_MS), "unknown"),
        ("events waiting for the consumer that decisions see", f"{profile_store.PENDING_ENTRIES} per customer",
         "`degraded` says `profile_behind`"),
        ("decision records waiting for the log", f"{exposure.MAX_WAITING:,} per worker", "the oldest are dropped"),
        ("keys known while the ledger is away", _minutes(auth.LEDGER_AWAY_MS), "503 `LEDGER_UNAVAILABLE`"),
        ("records that cannot be read",
         f"{dead_letters.IN_A_ROW} in a row, or half of the last {dead_letters.LOOKED_AT:,}",
         "the consumer stops: `DEAD_LETTER_LIMIT`"),
    ]  # fmt: skip
    return table(row, rows)


def formats() -> str:
    """What is stored where, in which version of its form."""
    newest = max(path.name[:4] for path in Path(migrations.__path__[0]).glob("[0-9]*.py"))
    rows: list[tuple[str, str, str, object]] = [
        ("event log", "`log.sqlite`", "the truth: keep it", sqlite_file.FORMAT),
        ("API keys, what is active", "`ledger.sqlite`, or `OFFING_LEDGER_URL`", "keep it", newest),
        ("secret of the tokens", "`token_keys`, or `OFFING_TOKEN_KEYS`", "keep it", "`ot1.`, `ct1.`"),
        ("campaigns as they were", "`revisions/`", "keep them: replays need them", campaign.LANGUAGE),
        ("models", "`models/`", "keep them", model_folder.FORMAT),
        (
            "imports, and their bad rows",
            "`imports/`",
            "until they are through: bad rows are of people",
            import_cursor.FORMAT,
        ),
        ("decisions and outcomes", "`lake/`", "keep it", lake_file.FORMAT.decode()),
        ("decision record", "a line of the log and of the lake", "", record.VERSION),
        ("profile", "Redis, `{<namespace>:c:<customer>}:profile`", "made from the log", profile_form.VERSION),
        ("presence", "Redis, `...:presence`", "gone after 15 min", profile_store.VERSION),
        ("cached decision, repeated request", "Redis, `...:decision:*`, `...:request:*`", "minutes", cache.FORMAT),
        ("how far the profiles came", "Redis, `<namespace>:reached`", "made from the log", reached.VERSION),
        (
            "totals over all customers",
            "Redis, `{<namespace>:t:<partition>}:totals` and `:changed`",
            "made from the log",
            int(total_store.VERSION),
        ),
        (
            "market",
            "Redis, `<namespace>:market`",
            "made from the log",
            f"{market.VERSION}, {int(market_store.VERSION)}",
        ),
    ]
    return table(("what", "where", "to you it is", "version"), [(*row[:3], str(row[3])) for row in rows])


TABLES: Mapping[str, Callable[[], str]] = {
    "settings": settings,
    "metrics": metrics,
    "fields": fields,
    "limits": limits,
    "formats": formats,
}


def filled(page: str) -> str:
    """The page with each marked table made anew."""
    return MARKED.sub(lambda found: found[1] + TABLES[found[2]](), page)


def is_read(field: str) -> bool:
    """Whether the program looks at a setting."""
    own = rf"\bself\.{field}\b"
    return any(
        re.search(own if path.name == "settings.py" else rf"\bsettings\.{field}\b", text)
        or (path.name == "cli.py" and re.search(rf"\bfound\.{field}\b", text))
        for path, text in SOURCES.items()
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Markdown."""
    lines = [tuple(head), ("---",) * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines).replace("|  |", "| |")


def _minutes(milliseconds: int) -> str:
    return f"{milliseconds // MINUTE_MS} min"


def _days(milliseconds: int) -> str:
    return f"{milliseconds // DAY_MS} days"


if __name__ == "__main__":
    PAGE.write_text(filled(PAGE.read_text()))
