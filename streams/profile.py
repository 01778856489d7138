"""Profile: what is known of one customer; fold(profile, event) is pure and order-free (idea 9)."""

from collections.abc import Mapping

import msgspec

from streams.attributes import Value
from streams.ids import Millis

CounterKey = tuple[str, str, str, str, str, str, str]
"""(event, offer_id, campaign_id, collection, placement, about, device_class); for friend_booked: about is the

sailing, collection the line, the rest empty. `event` is exposed | clicked | dismissed | redeemed | friend_booked.
"""
BUCKET_MS = 15 * 60_000
"""Every zone's midnight falls on a quarter of an hour, so calendar windows are exact."""


class Cell(msgspec.Struct, frozen=True, array_like=True):
    """One last-write-wins value: the greater (at, tie) wins; None is a removal that still wins over older values."""

    value: Value | None
    at: Millis
    tie: int


class BookingFact(msgspec.Struct, frozen=True, array_like=True):
    """One booking as last heard; wins whole. `values` are booking attributes by field number."""

    sailing_id: str
    line: str
    status: str
    values: dict[int, Value]
    at: Millis
    tie: int


class ProfileFacts(msgspec.Struct, frozen=True, array_like=True):
    """What was folded from offing.customers, and from nothing else. Equality is equality of canonical bytes."""

    cells: dict[int, Cell] = {}
    """Customer attributes by field number."""
    consent: dict[str, Cell] = {}
    """`purpose:<name>` and `channel:<name>` -> true or false."""
    bookings: dict[str, BookingFact] = {}
    linked: dict[str, Millis] = {}
    counters: dict[CounterKey, dict[int, int]] = {}
    """Key -> {bucket number since the epoch: count}; together at most 512 buckets, all within 400 days."""
    lifetime: dict[CounterKey, int] = {}
    """What fell out of `counters`."""


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """How far the log was applied: never compared, only used to apply once."""

    watermarks: dict[str, tuple[int, int]] = {}
    """Epoch -> (partition, offset) of the last record applied from offing.customers."""
    ids: dict[int, Millis] = {}
    """8-byte tags of counted events -> recorded time; kept 7 days."""


class Profile(msgspec.Struct, frozen=True, array_like=True):
    """facts + delivery. Presence is not here: it is its own key in the store, forgotten after 15 minutes."""

    facts: ProfileFacts = ProfileFacts()
    delivery: Delivery = Delivery()


EMPTY = Profile()


class MaskedProfile(msgspec.Struct, frozen=True):
    """A profile behind its consent mask: what rules, features and the decision record may see."""

    facts: dict[str, tuple[Value, Millis]] = {}
    """Qualified customer attribute -> (value, as_of). An attribute without consent is absent."""
    bookings: dict[str, BookingFact] = {}
    counters: dict[CounterKey, dict[int, int]] = {}
    lifetime: dict[CounterKey, int] = {}
    purposes: tuple[str, ...] = ()
    """Purposes granted, sorted."""
    channels: tuple[str, ...] = ()
    """Channels granted, sorted."""


def bucket_of(at: Millis) -> int:
    """The number of the 15-minute bucket that holds `at`."""
    return at // BUCKET_MS


def count(counters: Mapping[int, int], first_bucket: int) -> int:
    """Events in buckets from `first_bucket` on: a window counts every bucket it touches."""
    return sum(number for bucket, number in counters.items() if bucket >= first_bucket)
