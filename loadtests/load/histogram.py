"""Latencies to three significant figures, at any number of them: counts in buckets .1 % wide, which add up."""

import math
from collections.abc import Mapping

import msgspec

GROWTH = 1.001
"""A bucket's upper bound over its lower one: its middle is at most .05 % from anything in it."""
LEAST_S = 1e-6
"""What is shorter counts as this."""
_STEP = math.log(GROWTH)


class Histogram(msgspec.Struct):
    """Seconds. Two of them merge into what one would have held, so those of several processes make one."""

    buckets: dict[int, int] = {}
    """Number of the bucket -> how many; bucket 0 begins at LEAST_S."""
    count: int = 0
    total_s: float = 0.0
    most_s: float = 0.0

    def add(self, seconds: float) -> None:
        """One more."""
        number = int(math.log(max(seconds, LEAST_S) / LEAST_S) / _STEP)
        self.buckets[number] = self.buckets.get(number, 0) + 1
        self.count += 1
        self.total_s += seconds
        self.most_s = max(self.most_s, seconds)

    def merge(self, other: "Histogram") -> None:
        """Everything of another one too."""
        for number, count in other.buckets.items():
            self.buckets[number] = self.buckets.get(number, 0) + count
        self.count += other.count
        self.total_s += other.total_s
        self.most_s = max(self.most_s, other.most_s)

    def quantile(self, share: float) -> float | None:
        """The least value that at least this share is not above, in seconds; None if it is empty.

        >>> found = Histogram()
        >>> for milliseconds in range(1, 101):
        ...     found.add(milliseconds / 1000)
        >>> three_figures((found.quantile(0.99) or 0) * 1000)
        '99.0'
        """
        if not self.count:
            return None
        wanted, seen = max(1, math.ceil(share * self.count)), 0
        for number in sorted(self.buckets):
            seen += self.buckets[number]
            if seen >= wanted:
                return min(LEAST_S * math.exp((number + 0.5) * _STEP), self.most_s)
        return self.most_s


def merged(parts: Mapping[str, Histogram]) -> Histogram:
    """One histogram of all of them."""
    every = Histogram()
    for part in parts.values():
        every.merge(part)
    return every


def milliseconds(found: Histogram, share: float) -> float | None:
    """A quantile in ms; None if there is nothing."""
    seconds = found.quantile(share)
    return None if seconds is None else seconds * 1000


def three_figures(number: float | None) -> str:
    """Three significant figures, never in scientific notation; a dash for nothing.

    >>> three_figures(0.04567), three_figures(12.345), three_figures(1234.5), three_figures(None)
    ('0.0457', '12.3', '1230', '–')
    """
    if number is None:
        return "–"
    if number == 0:
        return "0"
    places = 2 - math.floor(math.log10(abs(number)))
    rounded = round(number, places)
    places = 2 - math.floor(math.log10(abs(rounded)))  # 9.996 became 10.0: one place less
    return f"{rounded:.{max(0, places)}f}"
