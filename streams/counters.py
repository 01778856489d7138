"""Counters of one customer: sparse 15-minute buckets, bounded, and the same in whatever order the events came.

Counts live at (key, bucket). Kept are the greatest entries by (bucket, key) and none much older than the newest, so
what is kept depends on the set of entries alone: an entry that is kept in the end was never among those that fell,
and one that fell falls again whenever a late event brings it back.
"""

from collections.abc import Callable, Mapping, Sequence
from heapq import nsmallest
from typing import TypeVar

MAX_ENTRIES = 512
MAX_AGE = 400 * 24 * 4
"""400 days of 15-minute buckets, counted back from the customer's newest bucket."""
MAX_TOTALS = 512

Key = TypeVar("Key", bound=tuple[str, ...])


def add(
    counters: Mapping[Key, dict[int, int]], key: Key, bucket: int
) -> tuple[dict[Key, dict[int, int]], Sequence[tuple[Key, int]]]:
    """One more at (key, bucket) -> (new counters, [(key, count)] that fell out). The input stays as it is.

    >>> add({("exposed",): {7: 2}}, ("exposed",), 7)
    ({('exposed',): {7: 3}}, ())
    """
    held = counters.get(key)
    if held is None:
        return _bounded({**counters, key: {bucket: 1}})
    if bucket in held:
        return {**counters, key: {**held, bucket: held[bucket] + 1}}, ()
    return _bounded({**counters, key: {**held, bucket: 1}})


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


def _bounded(counters: dict[Key, dict[int, int]]) -> tuple[dict[Key, dict[int, int]], Sequence[tuple[Key, int]]]:
    """May replace entries of `counters`, which is the caller's own copy; never changes the dicts inside it."""
    entries = sum(map(len, counters.values()))
    since = max(map(max, counters.values())) - MAX_AGE
    if entries <= MAX_ENTRIES and min(map(min, counters.values())) >= since:
        return counters, ()
    addresses = [(bucket, key) for key, held in counters.items() for bucket in held]
    too_old = sum(bucket < since for bucket, _ in addresses)
    fallen: list[tuple[Key, int]] = []
    for bucket, key in nsmallest(max(too_old, entries - MAX_ENTRIES), addresses):
        held = dict(counters.pop(key))
        fallen.append((key, held.pop(bucket)))
        if held:
            counters[key] = held
    return counters, fallen
