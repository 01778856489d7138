"""Response history: how often this customer saw, clicked and dismissed this offer, its collection, its campaign.

Read from the masked profile's counters, as they stood when the decision was made: a row never sees its own answer.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scoring.features import Rows
from streams.declared_features import EVERY, LEVELS, RESPONSES, WINDOWS
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS
from streams.profile import BUCKET_MS, CounterKey, MaskedProfile, bucket_of

_NEVER = -1


@dataclass(frozen=True, slots=True)
class Shape:
    """Which responses are counted, and where they stand: per level every response in every window, then hours since

    the last exposure.
    """

    responses: tuple[str, ...] = EVERY.history.responses
    places: Mapping[str, int] = field(init=False, compare=False)
    """Response -> its first column."""
    nothing: tuple[float, ...] = field(init=False, compare=False)
    """A level nobody responded to."""
    none_of_any: NDArray[np.float64] = field(init=False, compare=False)
    none_yet: tuple[int, ...] = field(init=False, compare=False)
    """A level as it is while it is summed: no responses, no newest bucket."""

    def __post_init__(self) -> None:
        nothing = (0.0,) * (len(self.responses) * len(WINDOWS)) + (math.nan,)
        places = {response: number * len(WINDOWS) for number, response in enumerate(self.responses)}
        object.__setattr__(self, "places", places)
        object.__setattr__(self, "nothing", nothing)
        object.__setattr__(self, "none_yet", (0,) * (len(nothing) - 1) + (_NEVER,))
        object.__setattr__(self, "none_of_any", np.tile(nothing, len(LEVELS)))

    @property
    def columns(self) -> tuple[str, ...]:
        """Their names, in order."""
        return tuple(
            name
            for level in LEVELS
            for name in (
                *(f"history.{level}.{response}.{window}" for response in self.responses for window in WINDOWS),
                f"history.{level}.exposed.since",
            )
        )


USUAL = Shape()
EVERYTHING = Shape(RESPONSES)
COLUMNS = EVERYTHING.columns
"""Every column there can be."""
NOTHING: Mapping[str, float] = dict(zip(COLUMNS, EVERYTHING.none_of_any.tolist(), strict=True))
"""What each column says of a customer who was never shown anything."""

About = tuple[str, str]
"""(level, id of the offer, collection or campaign); ("any", "") for all."""
Tallies = Mapping[About, Sequence[float]]
_ALL: About = ("any", "")
_NO_CODE = -1
EXPOSED = "exposed"


def tally(profile: MaskedProfile, now: Millis, shape: Shape = USUAL) -> Tallies:
    """Responses up to `now`, by what they were about: as many numbers as a level of the shape has columns.

    A window counts every 15-minute bucket it touches, as caps do.
    """
    sums: dict[About, list[float]] = {}
    day, week, current = bucket_of(now - DAY_MS), bucket_of(now - 7 * DAY_MS), bucket_of(now)
    for key, buckets in profile.counters.items():
        if key[0] in shape.places:
            _add(sums, key, shape, _within(buckets, (day, week, current)))
    for key, number in profile.lifetime.items():
        if key[0] in shape.places:
            _add(sums, key, shape, (0, 0, number, _NEVER))
    for held in sums.values():
        held[-1] = _age_h(held[-1], current)
    return sums


Windowed = tuple[int, int, int, int]
"""Responses in 24 h, in 7 d and ever, and the newest bucket."""


def _within(buckets: Mapping[int, int], bounds: tuple[int, int, int]) -> Windowed:
    day, week, current = bounds
    in_day = in_week = ever = 0
    newest = _NEVER
    for bucket, number in buckets.items():
        if bucket > current:
            continue
        ever += number
        newest = max(newest, bucket)
        if bucket >= week:
            in_week += number
            in_day += number if bucket >= day else 0
    return in_day, in_week, ever, newest


def _add(sums: dict[About, list[float]], key: CounterKey, shape: Shape, windowed: Windowed) -> None:
    place, (in_day, in_week, ever, newest) = shape.places[key[0]], windowed
    exposed = key[0] == EXPOSED
    for about in (_ALL, ("offer", key[1]), ("collection", key[3]), ("campaign", key[2])):
        if not about[1] and about is not _ALL:
            continue  # offers without a collection share none
        held = sums.get(about)
        if held is None:
            held = sums[about] = [*shape.none_yet]
        held[place] += in_day
        held[place + 1] += in_week
        held[place + 2] += ever
        if exposed and newest > held[-1]:
            held[-1] = newest


def _age_h(bucket: float, current: int) -> float:
    """As coarse as the buckets: anything finer would be noise that trees take for a name."""
    return math.nan if bucket == _NEVER else (current - bucket) * BUCKET_MS / HOUR_MS


def history(
    tallies: Tallies,
    codes: Mapping[About, int],
    items: NDArray[np.intp],
    into: Rows | None = None,
    shape: Shape = USUAL,
) -> Rows:
    """(n items, columns of the shape): the customer's responses to each item. `into`: where to write them.

    `items` (n, 3): the codes of each item's offer, collection and campaign; what has no code is none of them.
    """
    width = len(shape.nothing)
    values = np.empty((len(items), len(shape.none_of_any))) if into is None else into
    met = sorted([(codes[about], numbers) for about, numbers in tallies.items() if about in codes])
    values[:, :width] = tallies.get(_ALL, shape.nothing)
    if not met:
        values[:, width:] = shape.none_of_any[width:]
        return values
    # an offer, a collection and a campaign never share a code: all three are looked up at once
    known = np.array([*(code for code, _ in met), _NO_CODE])
    told = np.array([*(numbers for _, numbers in met), shape.nothing])
    spots = known[:-1].searchsorted(items)
    spots[known.take(spots) != items] = len(met)
    values[:, width:] = told.take(spots, axis=0).reshape(len(items), -1)
    return values
