"""Profile: what is known of one customer, and how far the log was applied to it. `fold` makes it of events (idea 9)."""

from functools import lru_cache
from typing import Protocol

import msgspec

from streams.attributes import Value
from streams.bucket import mark
from streams.events import Event
from streams.ids import Millis
from streams.instant import DAY_MS, MINUTE_MS
from streams.log import Position

CounterKey = tuple[str, str, str, str, str, str, str]
"""(event, offer_id, campaign_id, collection, placement, about, device_class); for friend_booked: about is the

sailing, collection the line, the rest empty. `event` is exposed | clicked | dismissed | redeemed | friend_booked.
"""
BUCKET_MS = 15 * MINUTE_MS
"""Every zone's midnight falls on a quarter of an hour, so calendar windows are exact."""
AHEAD_MS = 5 * MINUTE_MS
"""A sender's clock may be this far ahead of the log's; a later event time counts as recorded time + this."""
COUNTED_FOR_MS = 7 * DAY_MS
"""A counted event that was older than this when it was recorded is refused: its id may be forgotten already."""
ID_KEPT = COUNTED_FOR_MS // MINUTE_MS + 10
"""How many minutes an id is remembered. The last 10 cover AHEAD_MS and doors whose clocks differ."""
MAX_IDS = 2_000
MAX_BOOKINGS = 50
MAX_LINKED = 50
MAX_CONSENT = 64
MAX_EPOCHS = 4
LIVE = "live"
FIRST_BUILT_IN = 9_000
"""Field numbers from here on are Offing's own: no event sets them by name."""


class Cell(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One last-write-wins value: the greater (at, tie) wins; None is a removal that still wins over older values."""

    value: Value | None
    at: Millis
    tie: int


class BookingFact(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One booking as last heard; wins whole. `values` are booking attributes by field number."""

    sailing_id: str
    line: str
    status: str
    values: dict[int, Value]
    at: Millis
    tie: int


class ProfileFacts(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What was folded from offing.customers, and from nothing else. Equality is equality of canonical bytes."""

    cells: dict[int, Cell] = {}
    """Customer attributes by field number."""
    consent: dict[str, Cell] = {}
    """`purpose:<name>` and `channel:<name>` -> true or false; the 64 said last."""
    bookings: dict[str, BookingFact] = {}
    """By booking id; the 50 heard of last."""
    linked: dict[str, Millis] = {}
    """Other ids of the same person -> when this was last said; the latest 50."""
    counters: dict[CounterKey, dict[int, int]] = {}
    """Key -> {bucket number since the epoch: count}; together at most 512 buckets, all within 400 days."""
    lifetime: dict[CounterKey, int] = {}
    """What fell out of `counters`, by (event, offer, campaign, collection); the other places of the key are empty.

    At most 512 of these: then the first in order join a key of the event alone.
    """


class Delivery(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """How far the log was applied: never compared, only used to apply once."""

    watermarks: dict[bytes, tuple[int, int]] = {}
    """mark_of_epoch -> (partition, offset) of the last record applied from offing.customers; the last 4 epochs met."""
    ids: dict[bytes, int] = {}
    """mark_of_event -> the minute a counted event was recorded in, rounded up; kept 7 days."""


class Profile(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """facts + delivery. Presence is not here: it is its own key in the store, forgotten after 15 minutes."""

    facts: ProfileFacts = ProfileFacts()
    delivery: Delivery = Delivery()


EMPTY = Profile()


class Sealed(Protocol):
    """What was said of a customer, as it lies in the store: not read yet."""

    @property
    def since(self) -> Millis | None:
        """No part of it is older; None: it is empty."""

    def read(self) -> ProfileFacts:
        """The facts, without counters and lifetime."""


class Opened(msgspec.Struct, frozen=True, gc=False):
    """A profile read as far as counting needs it: most events count, and need not know what was said."""

    said: ProfileFacts | Sealed
    """Counters and lifetime in it are not looked at."""
    counters: dict[CounterKey, dict[int, int]]
    lifetime: dict[CounterKey, int]
    delivery: Delivery

    @classmethod
    def of(cls, profile: Profile) -> "Opened":
        """A profile that is read already."""
        return cls(profile.facts, profile.facts.counters, profile.facts.lifetime, profile.delivery)

    def profile(self) -> Profile:
        """All of it."""
        said = self.said if isinstance(self.said, ProfileFacts) else self.said.read()
        if said.counters is self.counters and said.lifetime is self.lifetime:
            return Profile(said, self.delivery)
        facts = ProfileFacts(said.cells, said.consent, said.bookings, said.linked, self.counters, self.lifetime)
        return Profile(facts, self.delivery)


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


Pending = tuple[Position | None, Millis, Event]
"""(where in the log, or None if not there yet; recorded; event)"""


def bucket_of(at: Millis) -> int:
    """The number of the 15-minute bucket that holds `at`."""
    return at // BUCKET_MS


def effective(time: Millis, recorded: Millis) -> Millis:
    """The time an event counts at: its own, but never more than 5 minutes after it was recorded."""
    return min(time, recorded + AHEAD_MS)


@lru_cache(maxsize=64)
def mark_of_epoch(epoch: str) -> bytes:
    """A log's incarnation as watermarks know it: 6 bytes."""
    return mark((epoch,), 6)


def mark_of_event(event: Event) -> bytes:
    """What is remembered of a counted event: 6 bytes over its source and id.

    Among the 2,000 that a customer can have, a new one meets its like once in 10^11 events.
    """
    return mark((event.source, event.id), 8)[:6]


def is_below(watermark: tuple[int, int] | None, position: Position) -> bool:
    """Whether the record is at or below a watermark of its log."""
    return watermark is not None and watermark[0] == position.partition and position.offset <= watermark[1]
