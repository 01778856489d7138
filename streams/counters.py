"""Counters of one customer: sparse 15-minute buckets, bounded, and the same in whatever order the events came.

Counts live at (key, bucket). Kept are the greatest entries by (bucket, key) and none much older than the newest, so
what is kept depends on the set of entries alone: an entry that is kept in the end was never among those that fell,
and one that fell falls again whenever a late event brings it back.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import nsmallest
from math import inf
from typing import Generic, TypeVar

MAX_ENTRIES = 512
MAX_AGE = 400 * 24 * 4
"""400 days of 15-minute buckets, counted back from the customer's newest bucket."""
MAX_TOTALS = 512

Key = TypeVar("Key", bound=tuple[str, ...])


class Counters(Generic[Key]):
    """Counters while events are added to them. What they began with stays as it is.

    >>> counters = Counters({("exposed",): {7: 2}})
    >>> counters.add(("exposed",), 7), counters.held
    ((), {('exposed',): {7: 3}})
    """

    __slots__ = ("_entries", "_newest", "_oldest", "held")

    def __init__(self, held: Mapping[Key, dict[int, int]]) -> None:
        self.held = dict(held)
        """Key -> {bucket: count}; an inner dict is replaced when it changes."""
        self._entries, self._oldest, self._newest = _extent(self.held)

    def add(self, key: Key, bucket: int) -> Sequence[tuple[Key, int]]:
        """One more at (key, bucket) -> the (key, count) that fell out for it."""
        buckets = self.held.get(key)
        if buckets is None:
            self.held[key] = {bucket: 1}
        elif bucket in buckets:
            self.held[key] = {**buckets, bucket: buckets[bucket] + 1}
            return ()
        else:
            self.held[key] = {**buckets, bucket: 1}
        self._entries += 1
        if bucket > self._newest:
            self._newest = bucket
        if bucket < self._oldest:
            self._oldest = bucket
        if self._entries <= MAX_ENTRIES and self._oldest >= self._newest - MAX_AGE:
            return ()
        return self._fall()

    def _fall(self) -> Sequence[tuple[Key, int]]:
        since = self._newest - MAX_AGE
        addresses = [(bucket, key) for key, buckets in self.held.items() for bucket in buckets]
        too_old = sum(bucket < since for bucket, _ in addresses)
        fallen: list[tuple[Key, int]] = []
        for bucket, key in nsmallest(max(too_old, self._entries - MAX_ENTRIES), addresses):
            left = dict(self.held.pop(key))
            fallen.append((key, left.pop(bucket)))
            if left:
                self.held[key] = left
        self._entries, self._oldest, self._newest = _extent(self.held)
        return fallen


def _extent(counters: Mapping[Key, dict[int, int]]) -> tuple[int, float, float]:
    """(entries, oldest bucket, newest bucket)"""
    buckets = [bucket for held in counters.values() for bucket in held]
    return len(buckets), min(buckets, default=inf), max(buckets, default=-inf)


def settle(
    totals: Mapping[Key, int],
    fallen: Sequence[tuple[Key, int]],
    coarse: Callable[[Key], Key],
    last: Callable[[Key], Key],
) -> dict[Key, int]:
    """Totals with what fell out of the buckets, under `coarse(key)`.

    Of more than 512 totals the first in order of key join `last(key)`, of which there must be few: those never leave.
    """
    settled = dict(totals)
    for key, number in fallen:
        _put(settled, coarse(key), number)
    while len(settled) > MAX_TOTALS:
        movable = [key for key in settled if last(key) != key]
        if len(movable) <= MAX_TOTALS:
            break
        first = min(movable)
        _put(settled, last(first), settled.pop(first))
    return settled


def _put(totals: dict[Key, int], key: Key, number: int) -> None:
    totals[key] = totals.get(key, 0) + number
