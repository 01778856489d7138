"""Calibration drift: what was predicted against what came, day by day, with what chance alone explains.

The ratio came / predicted is 1 while a model's probabilities still hold. Its interval counts customers, not rows: the
outcomes of one person are not independent (the cluster-robust variance of Liang and Zeger 1986 for a ratio).
"""

import math
from collections.abc import Iterator

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.ids import Millis
from streams.instant import DAY_MS

Numbers = NDArray[np.float64]
LEAST_PREDICTED = 10.0
"""Fewer acceptances predicted, or fewer customers than LEAST_CUSTOMERS: nothing is said of a window."""
LEAST_CUSTOMERS = 30
OFF = 0.1
"""A ratio nearer to 1 than this is none that money would notice."""
SURE = 2.576
"""Standard deviations of 99 %."""
RARE = 3.29
"""Of 99.9 %: a window is called drifted where even this interval leaves 1 out."""


class Window(msgspec.Struct, frozen=True):
    """Items shown in [since, until) whose outcome is known."""

    since: Millis
    until: Millis
    rows: int
    customers: int
    predicted: float
    """Mean probability."""
    came: float
    """Share accepted."""
    ratio: float | None
    """came / predicted; None: too few to say."""
    interval: tuple[float, float] | None
    """99 %."""
    drifted: bool


def window(outcome: Numbers, said: Numbers, customer: NDArray[np.intp], span: tuple[Millis, Millis]) -> Window:
    """(n,) outcomes, probabilities and customers of one window."""
    rows, expected = len(outcome), float(said.sum())
    _, codes = np.unique(customer, return_inverse=True)
    customers = int(codes.max()) + 1 if rows else 0
    ratio = interval = None
    drifted = False
    if expected >= LEAST_PREDICTED and customers >= LEAST_CUSTOMERS:
        ratio = float(outcome.sum()) / expected
        error = _error(np.bincount(codes, weights=outcome - ratio * said).astype(np.float64), expected)
        # where nothing was accepted nothing varies either: chance is then what was predicted
        error = max(error, math.sqrt(float((said * (1 - said)).sum())) / expected)
        interval = (max(0.0, ratio - SURE * error), ratio + SURE * error)
        drifted = abs(ratio - 1) > max(OFF, RARE * error)
    return Window(
        since=span[0],
        until=span[1],
        rows=rows,
        customers=customers,
        predicted=float(said.mean()) if rows else 0.0,
        came=float(outcome.mean()) if rows else 0.0,
        ratio=ratio,
        interval=interval,
        drifted=drifted,
    )


def _error(residuals: Numbers, expected: float) -> float:
    """Standard error of the ratio, from the residual sum of each customer."""
    count = len(residuals)
    return math.sqrt(float((residuals**2).sum()) * count / (count - 1)) / expected


def days(outcome: Numbers, said: Numbers, customer: NDArray[np.intp], at: NDArray[np.int64]) -> Iterator[Window]:
    """A window for each day (UTC) that has items, in order."""
    day = at // DAY_MS
    for number in np.unique(day).tolist():
        spots = day == number
        yield window(outcome[spots], said[spots], customer[spots], (number * DAY_MS, (number + 1) * DAY_MS))
