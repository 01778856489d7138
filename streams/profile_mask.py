"""What may be seen of a profile: the consent mask, applied once before rules and features (idea 1), and the purge."""

from collections.abc import Mapping
from math import inf

import msgspec

from streams.attributes import Attribute, AttributeSet, Value
from streams.ids import Millis
from streams.profile import BookingFact, MaskedProfile, ProfileFacts, Sealed

SOCIAL = "social"
FRIEND_BOOKED = "friend_booked"


def mask(facts: ProfileFacts, attributes: AttributeSet, *, now: Millis) -> MaskedProfile:
    """The consent mask, applied once and before rules and features. Absent are: attributes whose purpose is not

    granted, that are past their retention, removed or not declared (any more), and what friends did without `social`.
    """
    granted = sorted(name for name, cell in facts.consent.items() if cell.value)
    purposes = tuple(name[8:] for name in granted if name.startswith("purpose:"))
    known, cells = attributes.by_number, facts.cells
    seen: dict[str, tuple[Value, Millis]] = {}
    for number in sorted(cells):
        cell, attribute = cells[number], known.get(number)
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


class Retention:
    """How long what is known of a customer may be kept, by declarations looked up once."""

    def __init__(self, attributes: AttributeSet) -> None:
        self._kept = {
            number: attribute.retention_ms
            for number, attribute in attributes.by_number.items()
            if attribute.retention_ms is not None
        }
        self.shortest = min(self._kept.values(), default=inf)
        """Nothing is past its retention sooner than this after it was said, in ms."""

    def until(self, said: ProfileFacts | Sealed) -> float:
        """Up to this instant nothing is past its retention, removals included; infinity: it never is.

        The last such instant, unless what was said is still sealed: then perhaps one before it.
        """
        if not isinstance(said, ProfileFacts):
            return inf if said.since is None else said.since + self.shortest
        kept = self._kept
        ends = [cell.at + kept[number] for number, cell in said.cells.items() if number in kept]
        for fact in said.bookings.values():
            ends += [fact.at + kept[number] for number in fact.values if number in kept]
        return min(ends, default=inf)

    def purged(self, facts: ProfileFacts, now: Millis) -> ProfileFacts:
        """Facts without what is past its retention, removals included; the same object if nothing is."""
        if now <= self.until(facts):
            return facts
        cells = {number: cell for number, cell in facts.cells.items() if not self._is_past(number, cell.at, now)}
        bookings = {name: self._purged(fact, now) for name, fact in facts.bookings.items()}
        return msgspec.structs.replace(facts, cells=cells, bookings=bookings)

    def _purged(self, fact: BookingFact, now: Millis) -> BookingFact:
        values = {number: value for number, value in fact.values.items() if not self._is_past(number, fact.at, now)}
        return fact if len(values) == len(fact.values) else msgspec.structs.replace(fact, values=values)

    def _is_past(self, number: int, at: Millis, now: Millis) -> bool:
        kept_ms = self._kept.get(number)
        return kept_ms is not None and now - at > kept_ms


def _is_visible(attribute: Attribute, purposes: tuple[str, ...], at: Millis, now: Millis) -> bool:
    if attribute.purpose is not None and attribute.purpose not in purposes:
        return False
    return attribute.retention_ms is None or now - at <= attribute.retention_ms


def _masked(fact: BookingFact, known: Mapping[int, Attribute], purposes: tuple[str, ...], now: Millis) -> BookingFact:
    values = {}
    for number, value in fact.values.items():
        attribute = known.get(number)
        if attribute is not None and _is_visible(attribute, purposes, fact.at, now):
            values[number] = value
    return fact if len(values) == len(fact.values) else msgspec.structs.replace(fact, values=values)
