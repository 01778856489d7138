"""Totals: what all customers together did with a campaign, for limits above one customer (idea 11).

A total is kept in fields, one for each period of its span, so that a window that moves on needs no rewriting: the
fields it covers are added up. Counting is adding, so the order in which events come makes no difference.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType

import msgspec

from streams.attributes import Value
from streams.events import Outcome
from streams.ids import Millis
from streams.instant import DAY_MS, moment
from streams.profile import BUCKET_MS, bucket_of
from streams.units import zone

EVER = "ever"
STEPS = 24
"""A rolling window is counted in so many steps, each at least a quarter of an hour: at most 26 fields a partition."""
KEPT_MS = DAY_MS
"""A period is kept for so long after nobody can ask for it: clocks differ."""
MAX_VALUE = 128
"""Characters of a value by which is counted; a longer one is not counted by."""
Facts = Callable[[], Mapping[str, tuple[Value, Millis]]]
"""What is known of the customer who did it, by qualified attribute, behind their consent; asked only where needed."""


class Series(msgspec.Struct, frozen=True, gc=False):
    """What is added up: one kind of event with one campaign or collection, or with every offer."""

    event: str
    """exposed | clicked | dismissed | redeemed | decided"""
    of: str
    """campaign | collection | all"""
    name: str
    """Of the campaign or collection; empty for all."""
    span: str = EVER
    """`ever`, `day Europe/Rome` (week, month), or `rolling 86400000` (milliseconds)"""
    by: str = ""
    """A customer attribute: each of its values has a total of its own."""

    @property
    def key(self) -> str:
        """Its name; ids hold no bar.

        >>> Series("redeemed", "campaign", "spa", "day Europe/Rome").key
        'redeemed|campaign|spa|day Europe/Rome|'
        """
        return "|".join((self.event, self.of, self.name, self.span, self.by))

    def field(self, period: str, value: str = "") -> str:
        """Under what one period of it is stored."""
        return f"{self.key}|{period}|{value}"


@dataclass(frozen=True, slots=True)
class Counted:
    """One event that was counted in a profile, once."""

    event: str
    outcome: Outcome
    at: Millis


class Kept:
    """Which totals an event moves: those of its campaign since ever, and the series that a revision asks for."""

    def __init__(self, asked: Collection[Series] = ()) -> None:
        self._asked: dict[tuple[str, str, str], list[Series]] = {}
        for series in asked:
            if series.span != EVER or series.by or series.of != "campaign":
                self._asked.setdefault((series.event, series.of, series.name), []).append(series)

    def __bool__(self) -> bool:
        """Whether anything but the totals of campaigns since ever is kept."""
        return bool(self._asked)

    def fields(self, counted: Counted, facts: Facts) -> Iterator[str]:
        """The fields that one event adds one to."""
        outcome, quarter = counted.outcome, bucket_of(counted.at)
        yield Series(counted.event, "campaign", outcome.campaign_id).field("")
        if not self._asked:
            return
        for of, name in (("campaign", outcome.campaign_id), ("collection", outcome.collection), ("all", "")):
            for series in self._asked.get((counted.event, of, name), ()):
                value = value_of(series.by, facts()) if series.by else ""
                if value is not None:
                    yield series.field(period(series.span, quarter), value)


def value_of(attribute: str, facts: Mapping[str, tuple[Value, Millis]]) -> str | None:
    """The value by which is counted, as text; None: it is not known, or too long to count by."""
    fact = facts.get(attribute)
    text = "" if fact is None else str(fact[0])
    return text if 0 < len(text) <= MAX_VALUE else None


@lru_cache(maxsize=4096)
def period(span: str, quarter: int) -> str:
    """The period of a span that holds a quarter of an hour; every zone's midnight falls on one.

    >>> period("day Europe/Rome", bucket_of(1_795_302_000_000)), period("rolling 86400000", 8_000)
    ('2026-11-22', '2000')
    """
    if span == EVER:
        return ""
    kind, _, of = span.partition(" ")
    if kind == "rolling":
        return str(quarter // _step(int(of)))
    local = moment(quarter * BUCKET_MS).astimezone(zone(of))
    if kind == "week":
        year, week, _ = local.isocalendar()
        return f"{year}-W{week:02}"
    return local.strftime("%Y-%m-%d" if kind == "day" else "%Y-%m")


@lru_cache(maxsize=1024)
def periods(span: str, quarter: int) -> tuple[str, ...]:
    """The periods that a window reaches back over at a quarter of an hour; of a rolling one every step it touches.

    >>> periods("rolling 3600000", 8_000)
    ('7996', '7997', '7998', '7999', '8000', '8001')
    """
    kind, _, of = span.partition(" ")
    if kind != "rolling":
        return (period(span, quarter),)
    step = _step(int(of))
    first = (quarter - -(-int(of) // BUCKET_MS)) // step
    return tuple(str(number) for number in range(first, quarter // step + 2))  # phones' clocks may be 5 min ahead


def expired(field: str, now: Millis) -> bool:
    """Whether no window reaches back to a stored field any more."""
    span, stored = _parts(field)
    if span == EVER:
        return False
    first = periods(span, bucket_of(now - KEPT_MS))[0]
    return int(stored) < int(first) if span.startswith("rolling ") else stored < first


class Totals:
    """All totals as they were read: immutable."""

    __slots__ = ("counts",)

    def __init__(self, counts: Mapping[str, int] = MappingProxyType({})) -> None:
        self.counts = counts
        """Field -> events."""

    def of(self, series: Series, now: Millis, value: str = "") -> int:
        """How many events a window that ends at `now` holds."""
        counts = self.counts
        reached = periods(series.span, bucket_of(now))
        return sum(counts.get(series.field(each, value), 0) for each in reached)

    def values(self, prefix: str) -> Iterator[str]:
        """The values by which a series (its key) is counted, each once."""
        yield from dict.fromkeys(field.split("|", 6)[6] for field in self.counts if field.startswith(f"{prefix}|"))


NONE = Totals()


def _step(length_ms: Millis) -> int:
    """How many quarters of an hour a step of a rolling window has."""
    return max(1, -(-length_ms // (STEPS * BUCKET_MS)))


def _parts(field: str) -> tuple[str, str]:
    """(span, period) of a field."""
    _, _, _, span, _, stored, _ = field.split("|", 6)
    return span, stored
