"""Which column of a file is what: by the map of an import, or because it is named as what it is."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from streams.attributes import Attribute, AttributeSet, Kind
from streams.events import Booking, Outcome
from streams.findings import Finding, did_you_mean, listed, shown
from streams.positioned_yaml import Node, read_file
from streams.profile import FIRST_BUILT_IN
from streams.said import FRIENDS
from streams.sheet import Sheet

CUSTOMERS, HISTORY = "customers", "history"
IGNORE = "ignore"
OWN = "import."
"""Columns of a dead-letter file that begin so say why a row is in it; imported again they are passed over."""
CUSTOMER_EVENTS = ("customer.profile", "customer.preferences", "customer.device")
HISTORY_EVENTS = (
    "offer.exposed", "offer.clicked", "offer.dismissed", "offer.redeemed",
    "customer.booking", "customer.consent", "customer.linked",
)  # fmt: skip
"""What a history may hold. Places are forgotten after 15 minutes and attributes come with `customers`."""
OUTCOME_FIELDS = tuple(name for name in Outcome.__struct_fields__)
BOOKING_FIELDS = tuple(name for name in Booking.__struct_fields__ if name != "attributes")
LINKED = "linked_id"
PURPOSE, CHANNEL = "consent.purposes.", "consent.channels."
MAP_KEYS = ("version", "columns", "values", "separator", "decimal", "encoding", "list")
SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
DECIMALS = {"point": ".", "comma": ","}
ENCODINGS = ("utf-8", "cp1252", "latin-1")


@dataclass(frozen=True, slots=True)
class Layout:
    """What a map says of a file."""

    columns: Mapping[str, str] = field(default_factory=dict)
    """Column -> what it is."""
    values: Mapping[str, str] = field(default_factory=dict)
    """What every row says, without a column."""
    separator: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    list: str = "|"
    """Between the members of a set."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where one thing that a row says comes from."""

    place: int
    """Of the cell, from 0; -1: every row says the same."""
    name: str
    """As the file calls it."""
    target: str
    attribute: Attribute | None = None
    constant: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """How each row of one table is read."""

    kind: str
    layout: Layout
    sources: tuple[Source, ...]


def read_map(path: Path) -> tuple[Layout, list[Finding]]:
    """A map file, or what is wrong with it."""
    root, findings = read_file(path, str(path))
    sheet = Sheet(str(path))
    sheet.findings.extend(findings)
    if root is None:
        return Layout(), sheet.findings
    fields = sheet.fields(root, path.name, MAP_KEYS)
    if "version" in fields:
        sheet.integer(fields["version"], "version", 1, 1)
    usual = Layout()

    def one_of(key: str, known: Iterable[str]) -> str:
        return sheet.choice(fields[key], key, tuple(known)) or "" if key in fields else ""

    separator, decimal = one_of("separator", SEPARATORS), one_of("decimal", DECIMALS)
    layout = Layout(
        columns=_texts(sheet, fields, "columns"),
        values=_texts(sheet, fields, "values"),
        separator=SEPARATORS.get(separator, usual.separator),
        decimal=DECIMALS.get(decimal, usual.decimal),
        encoding=one_of("encoding", ENCODINGS) or usual.encoding,
        list=SEPARATORS.get(one_of("list", SEPARATORS), usual.list),
    )
    return layout, sheet.findings


def _texts(sheet: Sheet, fields: Mapping[str, Node], key: str) -> dict[str, str]:
    if key not in fields:
        return {}
    entries = sheet.entries(fields[key], key, "a column and what it is")
    found = {name: sheet.text(node, f"{key}.{name}") for name, (_, node) in entries.items()}
    return {name: text for name, text in found.items() if text is not None}


def plan(
    kind: str, where: tuple[str, tuple[str, ...]], layout: Layout, attributes: AttributeSet
) -> tuple[Plan, list[Finding]]:
    """How the rows of a file, `where` its path and columns, are read; and what keeps it from being read."""
    path, columns = where
    known = _targets(kind, attributes)
    findings: list[Finding] = []
    sources: list[Source] = []
    named = [(place, name, layout.columns.get(name, name), "") for place, name in enumerate(columns)]
    named += [(-1, target, target, text) for target, text in layout.values.items()]
    for place, name, target, constant in named:
        if target == IGNORE or name.startswith(OWN):
            continue
        attribute = known(target)
        if attribute is _UNKNOWN:
            findings.append(_unknown(path, place, name, target, _names(kind, attributes)))
        elif any(source.target == (target if attribute is None else attribute.qualified) for source in sources):
            message = f"{shown(name)} is {target}, and so is another column."
            findings.append(Finding(path, 1, place + 1, "COLUMN_TWICE", message, "Map one of them to `ignore`."))
        else:
            sources.append(
                Source(place, name, target if attribute is None else attribute.qualified, attribute, constant)
            )
    for name in layout.columns.keys() - set(columns):
        message = f"the map names a column {shown(name)}, which the file does not have."
        hint = did_you_mean(name, columns) or f"It has {listed(columns)}."
        findings.append(Finding(path, 1, 1, "COLUMN_MISSING", message, hint))
    found = Plan(kind, layout, tuple(sources))
    return found, findings or [*_missing(path, found), *_unconsented(path, found)]


_UNKNOWN = Attribute("customer", "unknown", 0, Kind.STRING)
"""Stands for what no column can be."""


def _targets(kind: str, attributes: AttributeSet) -> Callable[[str], Attribute | None]:
    """target -> its attribute; None for what is none, _UNKNOWN for what is not known."""
    fields = {"customer_id", "at", "id"}
    if kind == HISTORY:
        fields |= {"type", LINKED, *OUTCOME_FIELDS, *BOOKING_FIELDS}
    held = _attributes(kind, attributes)

    def of(target: str) -> Attribute | None:
        if target in fields or (target.startswith((PURPOSE, CHANNEL)) and len(target) > len(PURPOSE)):
            return None
        return held.get(target, _UNKNOWN)

    return of


def _attributes(kind: str, attributes: AttributeSet) -> dict[str, Attribute]:
    scope, events = ("customer", CUSTOMER_EVENTS) if kind == CUSTOMERS else ("booking", ("customer.booking",))
    found = {
        attribute.qualified: attribute
        for attribute in attributes.by_name.values()
        if attribute.scope == scope and attribute.number < FIRST_BUILT_IN and attribute.event in events
    }
    if kind == CUSTOMERS:
        found |= {attribute.name: attribute for attribute in tuple(found.values())}
        found |= {"friends": attributes.by_name[FRIENDS]}
    return found


def _names(kind: str, attributes: AttributeSet) -> list[str]:
    own = ("type", LINKED, *OUTCOME_FIELDS, *BOOKING_FIELDS) if kind == HISTORY else ()
    return ["customer_id", "at", "id", *own, *_attributes(kind, attributes)]


def _unknown(path: str, place: int, name: str, target: str, known: list[str]) -> Finding:
    told = f"column {shown(name)}" if name == target else f"column {shown(name)} is mapped to {shown(target)}, which"
    hint = did_you_mean(target, known) or f"Known: {listed(known, 40)}, {PURPOSE}NAME, {CHANNEL}NAME."
    return Finding(path, 1, place + 1, "COLUMN_UNKNOWN", f"{told} is nothing that can be imported.",
                   f"{hint} Map it in `columns` of --map, or to `{IGNORE}`.")  # fmt: skip


def _missing(path: str, found: Plan) -> list[Finding]:
    there = {source.target for source in found.sources}
    wanted = ("customer_id", "at", "type") if found.kind == HISTORY else ("customer_id", "at")
    hints = {"at": "Map the column with the time it was so, or say `values: {at: 2026-11-01T00:00:00Z}` in --map."}
    return [
        Finding(
            path, 1, 1, "COLUMN_MISSING", f"no column is {name}.", hints.get(name, "Map one in `columns` of --map.")
        )
        for name in wanted
        if name not in there
    ]


def _unconsented(path: str, found: Plan) -> list[Finding]:
    """What is for a purpose is brought with the consent to it, or not at all."""
    said = {source.target for source in found.sources}
    return [
        Finding(
            path, 1, source.place + 1, "CONSENT_UNMAPPED",
            f"{source.attribute.qualified} needs consent to purpose {shown(source.attribute.purpose)}, which no column "
            "says.", f"Map one to {PURPOSE}{source.attribute.purpose}, or this one to `{IGNORE}`.",
        )
        for source in found.sources
        if found.kind == CUSTOMERS and source.attribute is not None and source.attribute.purpose is not None
        and PURPOSE + source.attribute.purpose not in said
    ]  # fmt: skip
