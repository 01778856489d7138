"""What a customer met, by what limits ask of it: whose events, about what, on which devices, and since when."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from streams.profile import CounterKey, MaskedProfile

EVENT, OFFER, CAMPAIGN, COLLECTION, ABOUT, DEVICE = 0, 1, 2, 3, 5, 6
"""Places in a CounterKey."""
ALL = "all"
"""A limit `of: all`: the events of every offer count."""
IN_THE_APP = frozenset({"exposed", "clicked", "dismissed"})
"""Events that only somebody who is looking brings about: a redemption may be told by a till, a booking by a friend."""
SILENT = 3
"""Buckets from one event to the next that end a visit: between two that lie so far apart more than 30 minutes passed,

the field's usual end of a session, and between two that lie nearer less than 45.
"""


class Apart(NamedTuple):
    """Which of the events count; None: any."""

    about: str | None = None
    device: str | None = None
    """phone | tablet | desktop | other"""


ANY = Apart()
Group = tuple[str, str, str]
"""(event, whose: offer | campaign | collection | all, its id; empty for all)"""


class Met:
    """A customer's counters by what can be asked of them.

    Hundreds of candidates ask: 300 counters under two caps each cost 60 ms a decision when every one looked at all.
    """

    def __init__(self, profile: MaskedProfile) -> None:
        self.counters: dict[Group, list[tuple[CounterKey, Mapping[int, int]]]] = {}
        self.lifetime: dict[Group, int] = {}
        self.known: dict[tuple[Group, Apart, int | None], int] = {}
        self._in_the_app: list[int] | None = None
        self._profile = profile
        for key, buckets in profile.counters.items():
            for group in _groups(key):
                self.counters.setdefault(group, []).append((key, buckets))
        for key, number in profile.lifetime.items():
            for group in _groups(key):
                self.lifetime[group] = self.lifetime.get(group, 0) + number

    def count(self, group: Group, apart: Apart, first_bucket: int | None) -> int:
        """Each question is answered once. What fell out of the buckets counts ever, and no longer for one subject or

        class of devices."""
        asked = (group, apart, first_bucket)
        found = self.known.get(asked)
        if found is None:
            counters = self.counters.get(group, ())
            found = sum(_sum(buckets, first_bucket) for key, buckets in counters if apart is ANY or _is(key, apart))
            if first_bucket is None and apart == ANY:
                found += self.lifetime.get(group, 0)
            self.known[asked] = found
        return found

    def visit_began(self, now_bucket: int) -> int:
        """The first bucket of the visit that is going on at `now_bucket`: back over what the customer did in the app

        until it was silent for half an hour. `now_bucket` itself where this is the beginning of one.
        """
        if self._in_the_app is None:
            self._in_the_app = sorted(set(_in_the_app(self._profile)))
        began = now_bucket
        for bucket in reversed(self._in_the_app[: bisect_right(self._in_the_app, now_bucket)]):
            if began - bucket >= SILENT:
                break
            began = bucket
        return began


def _in_the_app(profile: MaskedProfile) -> Iterator[int]:
    for key, buckets in profile.counters.items():
        if key[EVENT] in IN_THE_APP:
            yield from buckets


def _is(key: CounterKey, apart: Apart) -> bool:
    return apart.about in (None, key[ABOUT]) and apart.device in (None, key[DEVICE])


def _groups(key: CounterKey) -> tuple[Group, ...]:
    event = key[EVENT]
    return (
        (event, "offer", key[OFFER]),
        (event, "campaign", key[CAMPAIGN]),
        (event, "collection", key[COLLECTION]),
        (event, ALL, ""),
    )


def _sum(buckets: Mapping[int, int], first_bucket: int | None) -> int:
    if first_bucket is None:
        return sum(buckets.values())
    return sum(number for bucket, number in buckets.items() if bucket >= first_bucket)


_last: list[tuple[MaskedProfile, Met]] = []
"""The customer asked about last: a decision asks dozens of times. Held, so that no other can take its place."""


def met(profile: MaskedProfile) -> Met:
    """What is counted of this customer, sorted once."""
    for known, found in _last:  # read once: another thread may put its own there
        if known is profile:
            return found
    found = Met(profile)
    _last[:] = [(profile, found)]
    return found
