"""fold(profile, event): what an event makes of a profile. Pure and order-free (idea 9).

Every part keeps the greatest of a total order, whatever order it arrived in: what was said the last written (said), the
counters their newest buckets (counters). So replays and reordering change nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from math import inf
from typing import Any

import msgspec

from streams.attributes import AttributeSet
from streams.bucket import tag
from streams.counters import Counters, settle
from streams.events import (
    COUNTED,
    Event,
    FriendBooked,
    Outcome,
)
from streams.ids import Millis
from streams.instant import MINUTE_MS
from streams.log import CUSTOMERS, Position, topic_of
from streams.profile import (
    COUNTED_FOR_MS,
    ID_KEPT,
    LIVE,
    MAX_EPOCHS,
    MAX_IDS,
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
from streams.said import CHANGES, Stamp


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
        "_attributes", "_counters", "_forget_at", "_ids", "_lifetime", "_retention", "_said", "_until", "_watermarks",
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
        self._forget_at = _forget_at(self._ids)
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
        key_of = _COUNTED.get(type(data))
        if key_of is not None:
            status = self._count(event, key_of(event, data), recorded)
        else:
            status = self._change(event, recorded)
        if recorded > self._until and self._retention is not None:
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

    def _change(self, event: Event, recorded: Millis) -> FoldStatus:
        change = CHANGES.get(type(event.data))
        if change is None:
            return FoldStatus.UNCHANGED
        before = self.facts
        stamp = Stamp(effective(event.time, recorded), tag((event.source, event.id), 4))
        self._said, skipped = change(before, event.data, stamp, self._attributes)
        self.skipped += skipped
        if self._said is before:
            return FoldStatus.UNCHANGED
        if self._retention is not None:
            self._until = min(self._until, stamp.at + self._retention.shortest)
        return FoldStatus.APPLIED

    def _count(self, event: Event, key: CounterKey, recorded: Millis) -> FoldStatus:
        at, mark = effective(event.time, recorded), mark_of_event(event)
        if mark in self._ids:
            return FoldStatus.DUPLICATE
        if at < recorded - COUNTED_FOR_MS:
            return FoldStatus.REFUSED
        if event.origin != LIVE:
            return FoldStatus.UNCHANGED
        if not self._remember(mark, -(-recorded // MINUTE_MS)):
            return FoldStatus.OVERFLOW
        if self._counters is None:
            self._counters = Counters(self.began.counters)
        fallen = self._counters.add(key, bucket_of(at))
        if fallen:
            self._lifetime = settle(self._lifetime, fallen, _coarse, _coarsest)
        return FoldStatus.APPLIED

    def _remember(self, mark: bytes, minute: int) -> bool:
        """Add an id; False if there are too many that may not be forgotten yet."""
        if minute > self._forget_at or len(self._ids) >= MAX_IDS:
            oldest = max(minute, *self._ids.values()) - ID_KEPT
            self._ids = {mark: at for mark, at in self._ids.items() if at >= oldest}
            self._forget_at = _forget_at(self._ids)
            if len(self._ids) >= MAX_IDS:
                return False
        elif self._ids is self.began.delivery.ids:
            self._ids = dict(self._ids)
        if not self._ids:
            self._forget_at = minute + ID_KEPT
        self._ids[mark] = minute
        return True


def _closed(profile: Profile, draft: Draft) -> Profile:
    """What a draft that began with `profile` came to; the same if nothing changed."""
    opened = draft.opened()
    return profile if opened is draft.began else opened.profile()


def _log_order(pending: Pending) -> tuple[bool, str, int]:
    position = pending[0]
    return (True, "", 0) if position is None else (False, position.epoch, position.offset)


def _of_outcome(event: Event, data: Outcome) -> CounterKey:
    return (
        _EVENTS[event.type], data.offer_id, data.campaign_id, data.collection, data.placement, data.about,
        data.device_class,
    )  # fmt: skip


def _of_friend_booked(event: Event, data: FriendBooked) -> CounterKey:
    return (_EVENTS[event.type], "", "", data.line, "", data.sailing_id, "")


_EVENTS: Mapping[str, str] = {name: name.rpartition(".")[2] for name in COUNTED}
_COUNTED: Mapping[type, Callable[[Event, Any], CounterKey]] = {Outcome: _of_outcome, FriendBooked: _of_friend_booked}


def _forget_at(ids: Mapping[bytes, int]) -> float:
    """The minute after which the first id may be forgotten; infinity without any."""
    return next(iter(ids.values())) + ID_KEPT if ids else inf


def _coarse(key: CounterKey) -> CounterKey:
    return (*key[:4], "", "", "")


def _coarsest(key: CounterKey) -> CounterKey:
    return (key[0], "", "", "", "", "", "")
