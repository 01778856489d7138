"""fold(profile, event): what an event makes of a profile. Pure and order-free (idea 9).

Every part keeps the greatest of a total order, whatever order it arrived in: a cell the greatest (effective time,
tie), a bounded map its greatest entries, the counters their newest buckets. So replays and reordering change nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from math import inf
from typing import Any, TypeVar

import msgspec

from streams.attributes import Attribute, AttributeSet, Value
from streams.bucket import tag
from streams.counters import Counters, settle
from streams.errors import InvalidInput
from streams.events import (
    COUNTED,
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
from streams.instant import MINUTE_MS
from streams.log import CUSTOMERS, Position, topic_of
from streams.profile import (
    COUNTED_FOR_MS,
    FIRST_BUILT_IN,
    ID_KEPT,
    LIVE,
    MAX_BOOKINGS,
    MAX_CONSENT,
    MAX_EPOCHS,
    MAX_IDS,
    MAX_LINKED,
    BookingFact,
    Cell,
    CounterKey,
    Delivery,
    Opened,
    Pending,
    Profile,
    ProfileFacts,
    Sealed,
    bucket_of,
    effective,
    is_below,
    mark_of_epoch,
    mark_of_event,
)
from streams.profile_mask import Retention

FRIENDS = "customer.friends"


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


class Folded(msgspec.Struct, frozen=True, gc=False):
    """A fold's result. `skipped`: what of the event was not usable here, by the event's own names."""

    profile: Profile
    status: FoldStatus
    skipped: tuple[str, ...] = ()


def fold(
    profile: Profile, event: Event, position: Position | None, recorded: Millis, attributes: AttributeSet
) -> Folded:
    """Apply one event once. Pure: the input stays as it is, the result shares what did not change. Never raises for

    an event that `events.parse` accepts. Without a position the event is not in the log yet: no watermark moves.
    """
    draft = Draft(Opened.of(profile), attributes)
    status = draft.apply(event, position, recorded)
    return Folded(_closed(profile, draft), status, tuple(draft.skipped))


def apply_pending(profile: Profile, pending: Sequence[Pending], attributes: AttributeSet) -> Profile:
    """Read your writes: the profile with accepted events that the consumer has not folded yet. For an answer only:

    gaps between the events are not waited for, so the result must never be saved.
    """
    if not pending:
        return profile
    draft = Draft(Opened.of(profile), attributes)
    for position, recorded, event in sorted(pending, key=_log_order):
        if topic_of(event.type) is CUSTOMERS:  # a location has offsets of its own topic
            draft.apply(event, position, recorded)
    return _closed(profile, draft)


class Draft:
    """A profile while events are folded into it: a part is copied when it first changes, so many events of a customer

    cost little more than one, and what it began with stays as it is.
    """

    __slots__ = (
        "_attributes", "_counters", "_ids", "_lifetime", "_retention", "_said", "_until", "_watermarks",
        "began", "skipped",
    )  # fmt: skip

    def __init__(self, began: Opened, attributes: AttributeSet, retention: Retention | None = None) -> None:
        """`retention`: purge by it after every event, at the instant that event was recorded. By the log and not by the

        clock, and not at the end of a batch, so that the same log makes the same profile however it is cut.
        """
        self.began = began
        self._attributes = attributes
        self._retention = retention
        self._said: ProfileFacts | Sealed = began.said
        self._until = inf if retention is None else retention.until(began.said)
        self._counters: Counters[CounterKey] | None = None
        self._lifetime = began.lifetime
        self._ids = began.delivery.ids
        self._watermarks = began.delivery.watermarks
        self.skipped: list[str] = []
        """What of the events was not usable here, by the events' own names."""

    @property
    def facts(self) -> ProfileFacts:
        """As they are now, except for the counters and the lifetime."""
        if not isinstance(self._said, ProfileFacts):
            self._said = self._said.read()
        return self._said

    def apply(self, event: Event, position: Position | None, recorded: Millis) -> FoldStatus:
        """As `fold`."""
        if position is not None and not self._advance(position):
            return FoldStatus.DUPLICATE  # and purged when it was folded
        data = event.data
        kind = type(data)
        status = FoldStatus.UNCHANGED
        if kind in _COUNTED:
            status = self._count(event, _COUNTED[kind](event, data), recorded)
        elif kind in _CHANGES:
            status = self._change(event, _CHANGES[kind], recorded)
        if self._retention is not None and recorded > self._until:
            self._said = self._retention.purged(self.facts, recorded)
            self._until = self._retention.until(self._said)
        return status

    def opened(self) -> Opened:
        """What it came to; what it began with if nothing changed."""
        began, delivery = self.began, self.began.delivery
        if self._ids is not delivery.ids or self._watermarks is not delivery.watermarks:
            delivery = Delivery(self._watermarks, self._ids)
        if self._counters is None and self._said is began.said and delivery is began.delivery:
            return began
        counters = began.counters if self._counters is None else self._counters.held
        return Opened(self._said, counters, self._lifetime, delivery)

    def _advance(self, position: Position) -> bool:
        """Move the watermark; False if the record is not beyond it."""
        log = mark_of_epoch(position.epoch)
        if is_below(self._watermarks.get(log), position):
            return False
        if self._watermarks is self.began.delivery.watermarks:
            self._watermarks = dict(self._watermarks)
        self._watermarks[log] = (position.partition, position.offset)
        if len(self._watermarks) > MAX_EPOCHS:
            del self._watermarks[next(iter(self._watermarks))]
        return True

    def _change(self, event: Event, change: "_Change", recorded: Millis) -> FoldStatus:
        before = self.facts
        stamp = _Stamp(effective(event.time, recorded), tag((event.source, event.id), 4))
        self._said, skipped = change(before, event.data, stamp, self._attributes)
        self.skipped += skipped
        if self._said is before:
            return FoldStatus.UNCHANGED
        if self._retention is not None:
            self._until = self._retention.until(self._said)
        return FoldStatus.APPLIED

    def _count(self, event: Event, key: CounterKey, recorded: Millis) -> FoldStatus:
        at, mark = effective(event.time, recorded), mark_of_event(event)
        if mark in self._ids:
            return FoldStatus.DUPLICATE
        if at < recorded - COUNTED_FOR_MS:
            return FoldStatus.REFUSED
        if event.origin != LIVE:
            return FoldStatus.UNCHANGED
        minute = -(-recorded // MINUTE_MS)
        self._forget(minute)
        if len(self._ids) >= MAX_IDS:
            return FoldStatus.OVERFLOW
        if self._counters is None:
            self._counters = Counters(self.began.counters)
        fallen = self._counters.add(key, bucket_of(at))
        if fallen:
            self._lifetime = settle(self._lifetime, fallen, _coarse, _coarsest)
        if self._ids is self.began.delivery.ids:
            self._ids = dict(self._ids)
        self._ids[mark] = minute
        return FoldStatus.APPLIED

    def _forget(self, minute: int) -> None:
        """Drop the ids that may be forgotten, looked for only when the first or the number says so."""
        ids = self._ids
        if ids and (len(ids) >= MAX_IDS or next(iter(ids.values())) < minute - ID_KEPT):
            oldest = max(minute, *ids.values()) - ID_KEPT
            self._ids = {mark: at for mark, at in ids.items() if at >= oldest}


def _closed(profile: Profile, draft: Draft) -> Profile:
    """What a draft that began with `profile` came to; the same if nothing changed."""
    opened = draft.opened()
    return profile if opened is draft.began else opened.profile()


_ENCODE = msgspec.msgpack.Encoder().encode
_Held = TypeVar("_Held")
_LastWritten = TypeVar("_LastWritten", Cell, BookingFact)


class _Stamp(msgspec.Struct, frozen=True):
    """Effective time and tie-break of the event being folded."""

    at: Millis
    tie: int


_Changed = tuple[ProfileFacts, tuple[str, ...]]
"""(facts, skipped)"""
_Change = Callable[[ProfileFacts, Any, _Stamp, AttributeSet], _Changed]


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


def _attributes(facts: ProfileFacts, data: Attributes, stamp: _Stamp, attributes: AttributeSet) -> _Changed:
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


def _social(facts: ProfileFacts, data: Social, stamp: _Stamp, attributes: AttributeSet) -> _Changed:
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


def _consent(facts: ProfileFacts, data: Consent, stamp: _Stamp, attributes: AttributeSet) -> _Changed:
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


def _booking(facts: ProfileFacts, data: Booking, stamp: _Stamp, attributes: AttributeSet) -> _Changed:
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


def _linked(facts: ProfileFacts, data: Linked, stamp: _Stamp, attributes: AttributeSet) -> _Changed:
    if stamp.at <= facts.linked.get(data.customer_id, stamp.at - 1):
        return facts, ()
    held = {**facts.linked, data.customer_id: stamp.at}
    held = _greatest(held, MAX_LINKED, lambda name: (held[name], name))
    return msgspec.structs.replace(facts, linked=held), ()


_CHANGES: Mapping[type, _Change] = {
    Attributes: _attributes,
    Social: _social,
    Consent: _consent,
    Booking: _booking,
    Linked: _linked,
}


def _of_outcome(event: Event, data: Outcome) -> CounterKey:
    return (
        _EVENTS[event.type], data.offer_id, data.campaign_id, data.collection, data.placement, data.about,
        data.device_class,
    )  # fmt: skip


def _of_friend_booked(event: Event, data: FriendBooked) -> CounterKey:
    return (_EVENTS[event.type], "", "", data.line, "", data.sailing_id, "")


_EVENTS: Mapping[str, str] = {name: name.rpartition(".")[2] for name in COUNTED}
_COUNTED: Mapping[type, Callable[[Event, Any], CounterKey]] = {Outcome: _of_outcome, FriendBooked: _of_friend_booked}


def _coarse(key: CounterKey) -> CounterKey:
    return (*key[:4], "", "", "")


def _coarsest(key: CounterKey) -> CounterKey:
    return (key[0], "", "", "", "", "", "")
