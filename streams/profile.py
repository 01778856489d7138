"""Profile: what is known of one customer; fold(profile, event) is pure and order-free (idea 9).

Every part keeps the greatest of a total order, whatever order it arrived in: a cell the greatest (effective time,
tie), a bounded map its greatest entries, the counters their newest buckets. So replays and reordering change nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

import msgspec

from streams.attributes import Attribute, AttributeSet, Value
from streams.bucket import tag
from streams.counters import add, settle
from streams.errors import InvalidInput
from streams.events import (
    MAX_FRIENDS,
    MAX_ID,
    Attributes,
    Booking,
    Consent,
    Event,
    FriendBooked,
    Linked,
    Outcome,
    Social,
)
from streams.ids import Millis
from streams.instant import DAY_MS, MINUTE_MS
from streams.log import CUSTOMERS, Position, topic_of

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
ID_KEPT_MS = COUNTED_FOR_MS + 10 * MINUTE_MS
"""How long an id is remembered. The 10 minutes cover AHEAD_MS and doors whose clocks differ."""
MAX_IDS = 2_000
MAX_BOOKINGS = 50
MAX_LINKED = 50
MAX_CONSENT = 64
MAX_EPOCHS = 4
LIVE = "live"
FIRST_BUILT_IN = 9_000
"""Field numbers from here on are Offing's own: no event sets them by name."""
FRIENDS = "customer.friends"


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


class Delivery(msgspec.Struct, frozen=True, array_like=True):
    """How far the log was applied: never compared, only used to apply once."""

    watermarks: dict[str, tuple[int, int]] = {}
    """Epoch -> (partition, offset) of the last record applied from offing.customers; the last 4 epochs met."""
    ids: dict[int, Millis] = {}
    """8-byte tags of counted events -> recorded time, rounded up to a minute; kept 7 days."""


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


class FoldStatus(StrEnum):
    """What a fold did. The watermark moves in every case but a record at or below it."""

    APPLIED = "applied"
    DUPLICATE = "duplicate"
    """At or below the watermark, or a counted event whose id is known."""
    REFUSED = "refused"
    """A counted event more than 7 days old when it was recorded."""
    OVERFLOW = "overflow"
    """More than 2,000 counted events in 7 days: for the dead letters."""
    UNCHANGED = "unchanged"
    """Newer facts were there already, nothing in it was usable, or it is no customer's event."""


class Folded(msgspec.Struct, frozen=True):
    """A fold's result. `skipped`: what of the event was not usable here, by the event's own names."""

    profile: Profile
    status: FoldStatus
    skipped: tuple[str, ...] = ()


Pending = tuple[Position | None, Millis, Event]
"""(where in the log, or None if not there yet; recorded; event)"""


def bucket_of(at: Millis) -> int:
    """The number of the 15-minute bucket that holds `at`."""
    return at // BUCKET_MS


def count(counters: Mapping[int, int], first_bucket: int) -> int:
    """Events in buckets from `first_bucket` on: a window counts every bucket it touches."""
    return sum(number for bucket, number in counters.items() if bucket >= first_bucket)


def effective(time: Millis, recorded: Millis) -> Millis:
    """The time an event counts at: its own, but never more than 5 minutes after it was recorded."""
    return min(time, recorded + AHEAD_MS)


def fold(
    profile: Profile, event: Event, position: Position | None, recorded: Millis, attributes: AttributeSet
) -> Folded:
    """Apply one event once. Pure: the input stays as it is, the result shares what did not change. Never raises for

    an event that `events.parse` accepts. Without a position the event is not in the log yet: no watermark moves.
    """
    delivery = profile.delivery
    if position is not None:
        if is_applied(profile, position):
            return Folded(profile, FoldStatus.DUPLICATE)
        delivery = Delivery(_advance(delivery.watermarks, position), delivery.ids)
    at = effective(event.time, recorded)
    data = event.data
    if isinstance(data, Outcome | FriendBooked):
        return _count_once(Profile(profile.facts, delivery), event, _counter_key(event.type, data), recorded)
    change = _CHANGES.get(type(data))
    if change is None:
        return Folded(Profile(profile.facts, delivery), FoldStatus.UNCHANGED)
    facts, skipped = change(profile.facts, data, _Stamp(at, tag((event.source, event.id), 4)), attributes)
    status = FoldStatus.UNCHANGED if facts is profile.facts else FoldStatus.APPLIED
    return Folded(Profile(facts, delivery), status, skipped)


def is_applied(profile: Profile, position: Position) -> bool:
    """Whether the record is at or below the watermark of its log."""
    partition, offset = profile.delivery.watermarks.get(position.epoch, (position.partition, -1))
    return partition == position.partition and position.offset <= offset


def apply_pending(profile: Profile, pending: Sequence[Pending], attributes: AttributeSet) -> Profile:
    """Read your writes: the profile with accepted events that the consumer has not folded yet. For an answer only:

    gaps between the events are not waited for, so the result must never be saved.
    """
    if not pending:
        return profile
    for position, recorded, event in sorted(pending, key=_log_order):
        if topic_of(event.type) is CUSTOMERS:  # a location has offsets of its own topic
            profile = fold(profile, event, position, recorded, attributes).profile
    return profile


_ENCODE = msgspec.msgpack.Encoder().encode
_Held = TypeVar("_Held")
_LastWritten = TypeVar("_LastWritten", Cell, BookingFact)


class _Stamp(msgspec.Struct, frozen=True):
    """Effective time and tie-break of the event being folded."""

    at: Millis
    tie: int


_Change = tuple[ProfileFacts, tuple[str, ...]]
"""(facts, skipped)"""


def _advance(watermarks: Mapping[str, tuple[int, int]], position: Position) -> dict[str, tuple[int, int]]:
    moved = {**watermarks, position.epoch: (position.partition, position.offset)}
    while len(moved) > MAX_EPOCHS:
        del moved[next(iter(moved))]
    return moved


def _log_order(pending: Pending) -> tuple[bool, str, int]:
    position = pending[0]
    return (True, "", 0) if position is None else (False, position.epoch, position.offset)


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


def _cell(attribute: Attribute, raw: object, stamp: _Stamp) -> Cell:
    """Raises InvalidInput."""
    return Cell(None if raw is None else attribute.parse(raw), stamp.at, stamp.tie)


def _settable(attributes: AttributeSet, name: str) -> Attribute | None:
    attribute = attributes.by_name.get(name)
    return None if attribute is None or attribute.number >= FIRST_BUILT_IN or attribute.keys else attribute


def _attributes(facts: ProfileFacts, data: Attributes, stamp: _Stamp, attributes: AttributeSet) -> _Change:
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


def _social(facts: ProfileFacts, data: Social, stamp: _Stamp, attributes: AttributeSet) -> _Change:
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


def _consent(facts: ProfileFacts, data: Consent, stamp: _Stamp, attributes: AttributeSet) -> _Change:
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


def _booking(facts: ProfileFacts, data: Booking, stamp: _Stamp, attributes: AttributeSet) -> _Change:
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


def _linked(facts: ProfileFacts, data: Linked, stamp: _Stamp, attributes: AttributeSet) -> _Change:
    if stamp.at <= facts.linked.get(data.customer_id, stamp.at - 1):
        return facts, ()
    held = {**facts.linked, data.customer_id: stamp.at}
    held = _greatest(held, MAX_LINKED, lambda name: (held[name], name))
    return msgspec.structs.replace(facts, linked=held), ()


_CHANGES: Mapping[type, Callable[[ProfileFacts, Any, _Stamp, AttributeSet], _Change]] = {
    Attributes: _attributes,
    Social: _social,
    Consent: _consent,
    Booking: _booking,
    Linked: _linked,
}


def _counter_key(event_type: str, data: Outcome | FriendBooked) -> CounterKey:
    event = event_type.rpartition(".")[2]
    if isinstance(data, FriendBooked):
        return (event, "", "", data.line, "", data.sailing_id, "")
    return (event, data.offer_id, data.campaign_id, data.collection, data.placement, data.about, data.device_class)


def _coarse(key: CounterKey) -> CounterKey:
    return (*key[:4], "", "", "")


def _coarsest(key: CounterKey) -> CounterKey:
    return (key[0], "", "", "", "", "", "")


def _count_once(profile: Profile, event: Event, key: CounterKey, recorded: Millis) -> Folded:
    facts, delivery = profile.facts, profile.delivery
    at, mark = effective(event.time, recorded), tag((event.source, event.id), 8)
    if mark in delivery.ids:
        return Folded(profile, FoldStatus.DUPLICATE)
    if at < recorded - COUNTED_FOR_MS:
        return Folded(profile, FoldStatus.REFUSED)
    if event.origin != LIVE:
        return Folded(profile, FoldStatus.UNCHANGED)
    ids = _remembered(delivery.ids, recorded)
    if len(ids) >= MAX_IDS:
        return Folded(profile, FoldStatus.OVERFLOW)
    counters, fallen = add(facts.counters, key, bucket_of(at))
    lifetime = settle(facts.lifetime, fallen, _coarse, _coarsest) if fallen else facts.lifetime
    facts = ProfileFacts(facts.cells, facts.consent, facts.bookings, facts.linked, counters, lifetime)
    ids[mark] = -(-recorded // MINUTE_MS) * MINUTE_MS
    return Folded(Profile(facts, Delivery(delivery.watermarks, ids)), FoldStatus.APPLIED)


def _remembered(ids: Mapping[int, Millis], recorded: Millis) -> dict[int, Millis]:
    """A new dict without the ids that may be forgotten, looked for only when the first or the number says so."""
    if not ids or (len(ids) < MAX_IDS and next(iter(ids.values())) >= recorded - ID_KEPT_MS):
        return dict(ids)
    oldest = max(recorded, *ids.values()) - ID_KEPT_MS
    return {mark: at for mark, at in ids.items() if at >= oldest}
