"""Partial dependence: what a model says on average if one column had this value and all others stay as they are.

Friedman, Greedy function approximation: a gradient boosting machine, Annals of Statistics 29 (2001), section 8.2. With
the quartiles of the single rows, since an average hides who is moved the other way (Goldstein et al. 2015).
"""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features import Column, FeatureList, Rows, Transform

Numbers = NDArray[np.float64]
Say = Callable[[Rows], Numbers]
"""(n, features) -> (n,) probabilities."""
ROWS = 256
POINTS = 12
"""Values of a number that are tried."""
LEVELS = 8
"""Levels that are tried, the most frequent."""
_NAMED = (Transform.CODE, Transform.FLAG, Transform.MEMBER, Transform.IS)


class DependencePoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """If the column had this value everywhere."""

    label: str
    value: float | None
    """None: missing."""
    mean: float
    low: float
    high: float
    """Quartiles of the rows."""


class Dependence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Of one column. `ordered`: its points are a number's, in order; else levels. The missing come last."""

    column: str
    ordered: bool
    points: tuple[DependencePoint, ...]


def dependence(rows: Rows, features: FeatureList, names: Sequence[str], say: Say) -> tuple[Dependence, ...]:
    """Of the columns named that have more than one value, over an even sample of the rows."""
    if not len(rows):
        return ()
    sample = rows[np.linspace(0, len(rows) - 1, min(ROWS, len(rows))).astype(np.intp)]
    spots = {column.name: spot for spot, column in enumerate(features.columns)}
    found = (_of(sample, spots[name], features.columns[spots[name]], say) for name in names)
    return tuple(each for each in found if len(each.points) > 1)


def _of(sample: Rows, spot: int, column: Column, say: Say) -> Dependence:
    values = sample[:, spot]
    present = values[np.isfinite(values)]
    named = column.transform in _NAMED
    tried: list[float | None] = [*(_levels(present) if named else _spread(present))]
    if len(present) < len(values):
        tried.append(None)
    return Dependence(column.name, not named, tuple(_point(sample, spot, column, value, say) for value in tried))


def _levels(present: Numbers) -> list[float]:
    codes, counts = np.unique(present, return_counts=True)
    most = codes[np.argsort(-counts, kind="stable")[:LEVELS]]
    found: list[float] = np.sort(most).tolist()
    return found


def _spread(present: Numbers) -> list[float]:
    if not len(present):
        return []
    distinct = np.unique(present)
    if len(distinct) > POINTS:
        distinct = np.unique(np.quantile(present, np.linspace(0.02, 0.98, POINTS)))
    found: list[float] = distinct.tolist()
    return found


def _point(sample: Rows, spot: int, column: Column, value: float | None, say: Say) -> DependencePoint:
    changed = sample.copy()
    changed[:, spot] = np.nan if value is None else value
    said = say(changed)
    low, high = np.quantile(said, [0.25, 0.75])
    return DependencePoint(_label(column, value), value, float(said.mean()), float(low), float(high))


def _label(column: Column, value: float | None) -> str:
    if value is None:
        return "missing"
    if column.transform is Transform.CODE:
        return column.levels[int(value)] if 0 <= value < len(column.levels) else "unseen"
    if column.transform in _NAMED:
        return "yes" if value else "no"
    return plain(value)


def plain(value: float) -> str:
    """A number as one writes it on an axis.

    >>> plain(45_480.4), plain(0.12345), plain(-3.0)
    ('45,480', '0.123', '-3')
    """
    return f"{value:,.0f}" if abs(value) >= 1_000 else f"{value:.3g}"
