"""Limits above one customer: which totals a catalog asks for, and which of its limits are reached (idea 11).

Totals lag by the consumer's delay, so such a limit may be passed by a few. Of all totals a decision is given those that
reached something: nothing else can rule out an offer, and its record stays small.
"""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import blake2b

from offers.offer import Limit, Offer, Window
from streams.attributes import Value
from streams.ids import Millis
from streams.profile import bucket_of
from streams.record import OfferFacts
from streams.totals import EVER, Series, Totals, periods, value_of

NOTHING: Mapping[str, int] = {}
BY = "|customer."
"""In the name of every total that is counted by an attribute's value, and of no other."""


@dataclass(frozen=True, slots=True)
class Reached:
    """The totals that have reached a limit."""

    counters: Mapping[str, int] = field(default_factory=dict)
    """Series.key -> total"""
    by_value: Mapping[Series, Mapping[str, int]] = field(default_factory=dict)
    """Series -> value -> total"""
    mark: str = ""
    """Differs where another limit is reached, not where more of the same happened: what cached decisions rest on."""

    def of(self, facts: Mapping[str, tuple[Value, Millis]]) -> dict[str, int]:
        """Those that concern a customer, by Series.key."""
        found = dict(self.counters)
        for series, totals in self.by_value.items():
            value = value_of(series.by, facts)
            if value is not None and value in totals:
                found[series.key] = totals[value]
        return found


NONE_REACHED = Reached()


def split(offer: Offer) -> Offer:
    """The offer with its limits apart: those of one customer, and those that all customers share."""
    shared = tuple(limit for limit in offer.limits if limit.shared)
    if not shared:
        return offer
    return replace(offer, limits=tuple(limit for limit in offer.limits if not limit.shared), shared=shared)


def series_of(limit: Limit, offer: OfferFacts) -> Series:
    """What a shared limit of an offer counts. An offer is alone in its campaign, so both count the same."""
    by = "" if limit.per == "campaign" else limit.per
    span = span_of(limit.window)
    if limit.of == "all":
        return Series(limit.event, "all", "", span, by)
    if limit.of == "collection":
        return Series(limit.event, "collection", offer.collection, span, by)
    return Series(limit.event, "campaign", offer.campaign_id, span, by)


def span_of(window: Window) -> str:
    """A window as totals know it."""
    if window.kind == "rolling":
        return f"rolling {window.length_ms}"
    return f"{window.unit} {window.zone}" if window.kind == "calendar" else EVER


class SharedLimits:
    """Built once per catalog from the offers in layout order. False if there is no such limit."""

    def __init__(self, layout: Sequence[Offer]) -> None:
        asked: dict[Series, set[int]] = {}
        self._positions: dict[str, list[int]] = {}
        for position, offer in enumerate(layout):
            for limit in offer.shared:
                series = series_of(limit, offer.facts)
                asked.setdefault(series, set()).add(limit.at_most)
                self._positions.setdefault(series.key, []).append(position)
        self.series: tuple[Series, ...] = tuple(sorted(asked, key=lambda series: series.key))
        """What is counted over all customers for this catalog."""
        self._at_most = {series: tuple(sorted(numbers)) for series, numbers in asked.items()}
        self._steps = {series.key: numbers for series, numbers in self._at_most.items()}
        self._fields: tuple[int, tuple[tuple[Series, tuple[str, ...]], ...]] = (-1, ())
        self._last: tuple[Totals, int, Reached] | None = None

    def __bool__(self) -> bool:
        return bool(self.series)

    def reached(self, totals: Totals, now: Millis) -> Reached:
        """What of these totals has reached a limit; worked out once for each Totals and quarter of an hour."""
        quarter, last = bucket_of(now), self._last  # read once: another thread may put its own there
        if last is not None and last[0] is totals and last[1] == quarter:
            return last[2]
        found = self._reached(totals, quarter, now)
        self._last = totals, quarter, found
        return found

    def touched(self, counters: Mapping[str, int]) -> frozenset[int]:
        """Positions of the offers that these totals may rule out."""
        return frozenset(position for key in counters for position in self._positions.get(key, ()))

    def _reached(self, totals: Totals, quarter: int, now: Millis) -> Reached:
        counts, alone = totals.counts, {}
        for series, fields in self._asked(quarter):
            total = sum([counts.get(each, 0) for each in fields])
            if total >= self._at_most[series][0]:
                alone[series.key] = total
        by_value = dict(self._by_value(totals, now))
        if not alone and not by_value:
            return NONE_REACHED
        steps = [(key, "", self._step(key, total)) for key, total in alone.items()]
        for series, found in by_value.items():
            steps += [(series.key, value, self._step(series.key, total)) for value, total in found.items()]
        return Reached(alone, by_value, blake2b(repr(sorted(steps)).encode(), digest_size=8).hexdigest())

    def _step(self, key: str, total: int) -> int:
        """How many of the limits on a series are reached."""
        return bisect_right(self._steps[key], total)

    def _asked(self, quarter: int) -> tuple[tuple[Series, tuple[str, ...]], ...]:
        """(series, its fields now) of those that are counted by no value."""
        known = self._fields
        if known[0] != quarter:
            known = self._fields = (
                quarter,
                tuple(
                    (series, tuple(series.field(each) for each in periods(series.span, quarter)))
                    for series in self.series
                    if not series.by
                ),
            )
        return known[1]

    def _by_value(self, totals: Totals, now: Millis) -> Iterator[tuple[Series, Mapping[str, int]]]:
        asked = {series.key: series for series in self.series if series.by}
        if not asked:
            return
        values: dict[str, set[str]] = {}
        for name in totals.counts:
            if BY in name:
                key, _, rest = _keyed(name)
                values.setdefault(key, set()).add(rest)
        for key, series in asked.items():
            found = {value: totals.of(series, now, value) for value in values.get(key, ())}
            reached = {value: total for value, total in found.items() if total >= self._at_most[series][0]}
            if reached:
                yield series, reached


def _keyed(name: str) -> tuple[str, str, str]:
    """(Series.key, period, value) of a field."""
    *key, period, value = name.split("|", 6)
    return "|".join(key), period, value
