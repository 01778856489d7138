"""What an event says of a customer: the parts of a profile of which the last written wins.

Each keeps the greatest of a total order, whatever order events arrive in: a cell the greatest (effective time, tie), a
bounded map its greatest entries.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from streams.attributes import Attribute, AttributeSet, Value
from streams.errors import InvalidInput
from streams.events import MAX_FRIENDS, MAX_ID, Attributes, Booking, Consent, Linked, Social
from streams.ids import Millis
from streams.profile import (
    FIRST_BUILT_IN,
    MAX_BOOKINGS,
    MAX_CONSENT,
    MAX_LINKED,
    BookingFact,
    Cell,
    ProfileFacts,
)

FRIENDS = "customer.friends"


class Stamp(msgspec.Struct, frozen=True, gc=False):
    """Effective time and tie-break of the event being folded."""

    at: Millis
    tie: int


Changed = tuple[ProfileFacts, tuple[str, ...]]
"""(facts, what of the event was not usable here by its own names); the same facts if nothing in it won."""
Change = Callable[[ProfileFacts, Any, Stamp, AttributeSet], Changed]

_ENCODE = msgspec.msgpack.Encoder().encode
_Held = TypeVar("_Held")
_LastWritten = TypeVar("_LastWritten", Cell, BookingFact)


def _wins(new: _LastWritten, old: _LastWritten | None) -> bool:
    if old is None:
        return True
    if new.at == old.at and new.tie == old.tie:  # one (source, id) with two contents: still a total order
        return _ENCODE(new) > _ENCODE(old)
    return (new.at, new.tie) > (old.at, old.tie)


def _greatest(held: dict[str, _Held], most: int, rank: Callable[[str], Any]) -> dict[str, _Held]:
    """The `most` entries of the greatest rank. Order-free, because an entry's rank only ever grows."""
    if len(held) <= most:
        return held
    return {name: held[name] for name in sorted(held, key=rank)[-most:]}


def _cell(attribute: Attribute, raw: object, stamp: Stamp) -> Cell:
    """Raises InvalidInput."""
    return Cell(None if raw is None else attribute.parse(raw), stamp.at, stamp.tie)


def _settable(attributes: AttributeSet, name: str) -> Attribute | None:
    attribute = attributes.by_name.get(name)
    return None if attribute is None or attribute.number >= FIRST_BUILT_IN or attribute.keys else attribute


def _attributes(facts: ProfileFacts, data: Attributes, stamp: Stamp, attributes: AttributeSet) -> Changed:
    won: dict[int, Cell] = {}
    skipped: list[str] = []
    for name, raw in data.attributes.items():
        attribute = _settable(attributes, "customer." + name)
        if attribute is None:
            skipped.append(name)
            continue
        try:
            cell = _cell(attribute, raw, stamp)
        except InvalidInput:
            skipped.append(name)
            continue
        if _wins(cell, facts.cells.get(attribute.number)):
            won[attribute.number] = cell
    if not won:
        return facts, tuple(skipped)
    return msgspec.structs.replace(facts, cells={**facts.cells, **won}), tuple(skipped)


def _social(facts: ProfileFacts, data: Social, stamp: Stamp, attributes: AttributeSet) -> Changed:
    attribute = attributes.by_name.get(FRIENDS)
    if attribute is None:
        return facts, ("friends",)
    try:
        cell = _cell(attribute, data.friends, stamp)
    except InvalidInput:
        return facts, ("friends",)
    if isinstance(cell.value, tuple) and len(cell.value) > MAX_FRIENDS:
        return facts, ("friends",)
    if not _wins(cell, facts.cells.get(attribute.number)):
        return facts, ()
    return msgspec.structs.replace(facts, cells={**facts.cells, attribute.number: cell}), ()


def _consent(facts: ProfileFacts, data: Consent, stamp: Stamp, attributes: AttributeSet) -> Changed:
    said = {f"purpose:{name}": granted for name, granted in data.purposes.items()}
    said.update((f"channel:{name}", granted) for name, granted in data.channels.items())
    won: dict[str, Cell] = {}
    for name, granted in said.items():
        cell = Cell(granted, stamp.at, stamp.tie)
        if len(name) <= MAX_ID and _wins(cell, facts.consent.get(name)):
            won[name] = cell
    skipped = tuple(name for name in said if len(name) > MAX_ID)
    if not won:
        return facts, skipped
    held = {**facts.consent, **won}
    held = _greatest(held, MAX_CONSENT, lambda name: (held[name].at, held[name].tie, name))
    return msgspec.structs.replace(facts, consent=held), skipped


def _booking(facts: ProfileFacts, data: Booking, stamp: Stamp, attributes: AttributeSet) -> Changed:
    values: dict[int, Value] = {}
    skipped: list[str] = []
    for name, raw in data.attributes.items():
        attribute = _settable(attributes, "booking." + name)
        try:
            if attribute is None:
                skipped.append(name)
            elif raw is not None:
                values[attribute.number] = attribute.parse(raw)
        except InvalidInput:
            skipped.append(name)
    values = dict(sorted(values.items()))
    fact = BookingFact(data.sailing_id, data.line, data.status, values, stamp.at, stamp.tie)
    if not _wins(fact, facts.bookings.get(data.booking_id)):
        return facts, tuple(skipped)
    held = {**facts.bookings, data.booking_id: fact}
    # Not "open ones first": a cancellation that fell out would let an older `open` come back.
    held = _greatest(held, MAX_BOOKINGS, lambda name: (held[name].at, held[name].tie, name))
    return msgspec.structs.replace(facts, bookings=held), tuple(skipped)


def _linked(facts: ProfileFacts, data: Linked, stamp: Stamp, attributes: AttributeSet) -> Changed:
    if stamp.at <= facts.linked.get(data.customer_id, stamp.at - 1):
        return facts, ()
    held = {**facts.linked, data.customer_id: stamp.at}
    held = _greatest(held, MAX_LINKED, lambda name: (held[name], name))
    return msgspec.structs.replace(facts, linked=held), ()


CHANGES: Mapping[type, Change] = {
    Attributes: _attributes,
    Social: _social,
    Consent: _consent,
    Booking: _booking,
    Linked: _linked,
}
"""Kind of event data -> what it makes of the facts."""
