"""A row of a table -> the events it stands for, or every reason why it stands for none."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from offers.event_rules import check
from offers.import_cell import BadCell, instant_of, missing, said_of, text_of, value_of, whole_of
from offers.import_map import BOOKING_FIELDS, CHANNEL, CUSTOMERS, LINKED, OUTCOME_FIELDS, PURPOSE, Plan, Source
from offers.import_map import HISTORY_EVENTS as HISTORY
from offers.import_table import Row
from offers.phone_clock import EARLIEST
from offers.shown import counted_once
from streams.attributes import AttributeSet
from streams.bucket import tag
from streams.errors import InvalidInput
from streams.events import MAX_ID, Attributes, Booking, Consent, Event, EventData, Linked, Outcome, Social
from streams.findings import Finding, did_you_mean, listed, shown
from streams.ids import Millis
from streams.instant import format_instant

SOURCE = "offing/import"
SOCIAL = "customer.social"
_ENCODE = msgspec.json.Encoder(order="deterministic").encode


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one row."""

    events: tuple[Event, ...] = ()
    findings: tuple[Finding, ...] = ()
    """Why it is not imported: then there are no events."""
    withheld: tuple[str, ...] = ()
    """Attributes left out, since the row does not grant the purpose that they are for."""


@dataclass(slots=True)
class _Said:
    """A row's cells by what they are."""

    fields: dict[str, Any] = field(default_factory=dict)
    values: dict[str, tuple[Source, object]] = field(default_factory=dict)
    purposes: dict[str, bool] = field(default_factory=dict)
    channels: dict[str, bool] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads the rows of one table. Pure: the same row makes the same events, with the same ids."""

    path: str
    plan: Plan
    attributes: AttributeSet
    now: Millis

    def told(self, row: Row) -> Told:
        """The row's events, or its findings."""
        if row.finding is not None:
            return Told(findings=(row.finding,))
        said, findings = self._said(row)
        if not findings:
            findings = [*self._required(row, said)]
        if findings:
            return Told(findings=tuple(findings))
        try:
            made = customer_events if self.plan.kind == CUSTOMERS else history_events
            events, withheld = made(said)
            for event in events:
                check(event, self.attributes)
        except InvalidInput as error:
            return Told(findings=(Finding(self.path, row.number, 1, error.code, f"{error.message}.", "Mend the row."),))
        return Told(tuple(events), withheld=withheld)

    def _said(self, row: Row) -> tuple[_Said, list[Finding]]:
        said, findings = _Said(), []
        for source in self.plan.sources:
            cell = source.constant if source.place < 0 else row.cells[source.place]
            if missing(cell):
                continue
            try:
                self._read(source, cell, said)
            except BadCell as error:
                place = max(source.place, 0) + 1
                findings.append(Finding(self.path, row.number, place, error.code, error.message, error.hint))
        return said, findings

    def _read(self, source: Source, cell: object, said: _Said) -> None:
        target = source.target
        if source.attribute is not None:
            said.values[target] = source, value_of(source, cell, self.plan.layout)
        elif target.startswith(PURPOSE):
            said.purposes[target[len(PURPOSE) :]] = said_of(source, cell)
        elif target.startswith(CHANNEL):
            said.channels[target[len(CHANNEL) :]] = said_of(source, cell)
        elif target == "at":
            said.fields[target] = self._time(source, cell)
        else:
            said.fields[target] = whole_of(source, cell) if target == "rank" else text_of(source, cell)

    def _time(self, source: Source, cell: object) -> Millis:
        at = instant_of(source, cell)
        if EARLIEST <= at <= self.now:
            return at
        hint = f"Write a time from {format_instant(EARLIEST)} to now, {format_instant(self.now)}."
        raise BadCell("TIME_IMPLAUSIBLE", f"{source.target} is {shown(str(cell))}.", hint)

    def _required(self, row: Row, said: _Said) -> Iterator[Finding]:
        """What a row of its type has to say, and must not."""
        kind = said.fields.get("type", "")
        if self.plan.kind != CUSTOMERS and kind and kind not in HISTORY:
            hint = did_you_mean(kind, HISTORY) or f"Known: {listed(HISTORY)}."
            yield self._finding(row, "type", ("EVENT_TYPE", f"type is {shown(kind)}.", hint))
            return
        wanted = ("customer_id", "at") if self.plan.kind == CUSTOMERS else ("customer_id", "at", "type", *_WANTED[kind])
        for name in wanted:
            if name not in said.fields:
                yield self._finding(row, name, ("CELL_EMPTY", f"{name} is empty.", "Fill it in."))
        if self.plan.kind != CUSTOMERS and kind:
            used = {"customer_id", "at", "type", "id", *_USED[kind]}
            for name in said.fields.keys() - used:
                told = f"{name} is filled, but {kind} has none."
                yield self._finding(row, name, ("CELL_UNUSED", told, "Empty the cell."))
            apart = [] if kind == "customer.booking" else list(said.values)
            if kind != "customer.consent":
                apart += [PURPOSE + name for name in said.purposes] + [CHANNEL + name for name in said.channels]
            for name in apart:
                yield self._finding(row, name, ("CELL_UNUSED", f"{name} is filled, but {kind} has none.", "Empty it."))

    def _finding(self, row: Row, target: str, told: tuple[str, str, str]) -> Finding:
        place = next((source.place for source in self.plan.sources if source.target == target), 0)
        return Finding(self.path, row.number, max(place, 0) + 1, *told)


Made = tuple[list[Event], tuple[str, ...]]
"""(events, attributes withheld)"""


def customer_events(said: _Said) -> Made:
    """What a row says of a customer: consent first, then what it may say of them with it."""
    events, withheld = [], []
    if said.purposes or said.channels:
        events.append(_event("customer.consent", said, Consent(said.purposes, said.channels)))
    by_event: dict[str, dict[str, object]] = {}
    for name, (source, value) in said.values.items():
        attribute = source.attribute
        assert attribute is not None  # noqa: S101 - it is a value of one
        if attribute.purpose is not None and not said.purposes.get(attribute.purpose):
            withheld.append(name)
        else:
            by_event.setdefault(attribute.event or "", {})[attribute.name] = value
    for kind, values in sorted(by_event.items()):
        data = Social([str(friend) for friend in _members(values["friends"])]) if kind == SOCIAL else Attributes(values)
        events.append(_event(kind, said, data))
    return events, tuple(withheld)


def history_events(said: _Said) -> Made:
    """What happened to one customer once."""
    kind = said.fields["type"]
    return [counted_once(_event(kind, said, _DATA[kind](said)))], ()


def _members(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _event(kind: str, said: _Said, data: EventData) -> Event:
    """The id is made of what is said, so that whoever says the same again says it once."""
    customer, at, given = said.fields["customer_id"], said.fields["at"], said.fields.get("id")
    named = (given, kind) if given else (format_instant(at), _ENCODE(data).decode())
    number = tag((kind, customer, *named), 16)
    return Event(f"{number:032x}", SOURCE, kind, customer[: MAX_ID + 1], at, data)


def _outcome(said: _Said) -> Outcome:
    found = {name: said.fields[name] for name in OUTCOME_FIELDS if name in said.fields}
    usual = {"decision_id": "", "campaign_id": "", "collection": "", "placement": ""}
    return Outcome(**{**usual, **found})


def _booking(said: _Said) -> Booking:
    found = {name: said.fields[name] for name in BOOKING_FIELDS if name in said.fields}
    values = {name.partition(".")[2]: value for name, (_, value) in said.values.items()}
    return Booking(**found, attributes=values)


_DATA: Mapping[str, Callable[[_Said], EventData]] = {
    **{name: _outcome for name in HISTORY if name.startswith("offer.")},
    "customer.booking": _booking,
    "customer.consent": lambda said: Consent(said.purposes, said.channels),
    "customer.linked": lambda said: Linked(said.fields[LINKED]),
}
_WANTED: Mapping[str, tuple[str, ...]] = {
    **{name: ("offer_id",) for name in HISTORY if name.startswith("offer.")},
    "customer.booking": ("booking_id", "sailing_id", "line"),
    "customer.consent": (),
    "customer.linked": (LINKED,),
    "": (),
}
_USED: Mapping[str, tuple[str, ...]] = {
    **{name: OUTCOME_FIELDS for name in HISTORY if name.startswith("offer.")},
    "customer.booking": BOOKING_FIELDS,
    "customer.consent": (),
    "customer.linked": (LINKED,),
    "": (),
}
