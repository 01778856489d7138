"""What may be seen of a profile: the consent mask, applied once before rules and features (idea 1), and the purge."""

from collections.abc import Mapping

import msgspec

from streams.attributes import Attribute, AttributeSet, Value
from streams.ids import Millis
from streams.profile import BookingFact, MaskedProfile, ProfileFacts

SOCIAL = "social"
FRIEND_BOOKED = "friend_booked"


def mask(facts: ProfileFacts, attributes: AttributeSet, *, now: Millis) -> MaskedProfile:
    """The consent mask, applied once and before rules and features. Absent are: attributes whose purpose is not

    granted, that are past their retention, removed or not declared (any more), and what friends did without `social`.
    """
    granted = sorted(name for name, cell in facts.consent.items() if cell.value)
    purposes = tuple(name[8:] for name in granted if name.startswith("purpose:"))
    known = attributes.by_number
    seen: dict[str, tuple[Value, Millis]] = {}
    for number in sorted(facts.cells):
        cell = facts.cells[number]
        attribute = known.get(number)
        if attribute is not None and cell.value is not None and _is_visible(attribute, purposes, cell.at, now):
            seen[attribute.qualified] = (cell.value, cell.at)
    counters, lifetime = facts.counters, facts.lifetime
    if SOCIAL not in purposes:
        counters = {key: held for key, held in counters.items() if key[0] != FRIEND_BOOKED}
        lifetime = {key: held for key, held in lifetime.items() if key[0] != FRIEND_BOOKED}
    return MaskedProfile(
        facts=seen,
        bookings={name: _masked(facts.bookings[name], known, purposes, now) for name in sorted(facts.bookings)},
        counters=counters,
        lifetime=lifetime,
        purposes=purposes,
        channels=tuple(name[8:] for name in granted if name.startswith("channel:")),
    )


def purge(facts: ProfileFacts, attributes: AttributeSet, now: Millis) -> ProfileFacts:
    """Facts without what is past its retention, removals included; the same object if nothing is."""
    known = attributes.by_number
    cells = {number: cell for number, cell in facts.cells.items() if not _is_past(known.get(number), cell.at, now)}
    bookings = dict(facts.bookings)
    for name, fact in facts.bookings.items():
        values = {
            number: value for number, value in fact.values.items() if not _is_past(known.get(number), fact.at, now)
        }
        if len(values) < len(fact.values):
            bookings[name] = msgspec.structs.replace(fact, values=values)
    if len(cells) == len(facts.cells) and bookings == facts.bookings:
        return facts
    return msgspec.structs.replace(facts, cells=cells, bookings=bookings)


def _is_visible(attribute: Attribute, purposes: tuple[str, ...], at: Millis, now: Millis) -> bool:
    if attribute.purpose is not None and attribute.purpose not in purposes:
        return False
    return attribute.retention_ms is None or now - at <= attribute.retention_ms


def _is_past(attribute: Attribute | None, at: Millis, now: Millis) -> bool:
    return attribute is not None and attribute.retention_ms is not None and now - at > attribute.retention_ms


def _masked(fact: BookingFact, known: Mapping[int, Attribute], purposes: tuple[str, ...], now: Millis) -> BookingFact:
    values = {}
    for number, value in fact.values.items():
        attribute = known.get(number)
        if attribute is not None and _is_visible(attribute, purposes, fact.at, now):
            values[number] = value
    return fact if len(values) == len(fact.values) else msgspec.structs.replace(fact, values=values)
