"""Distribution: a column in bins, kept with the model, and the population stability index (PSI) of later rows to it.

PSI is the sum over bins of (q - p) ln(q / p), the symmetrised Kullback-Leibler divergence of what is (q) from what was
(p). By convention (Siddiqi, Credit Risk Scorecards, 2006, chapter 8) below .1 nothing has moved, and from .25 on a
model should not be relied on. Of small samples it is large by chance alone: where nothing has moved it is distributed
as (1/n + 1/m) chi-squared of bins - 1 degrees of freedom (Yurdakul, Statistical Properties of Population Stability
Index, 2018, theorem 2.1), and so a PSI below that noise says nothing.
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.features import FeatureList, Rows

Numbers = NDArray[np.float64]
FORMAT = 1
MOVED, LARGE = 0.1, 0.25
BINS = 10
DISTINCT = 20
"""A column of at most so many values has a bin for each of them."""
MOST_ROWS = 100_000
"""More are thinned out evenly: a share of one in a thousand is still exact to a tenth of itself."""
RARE = 3.09
"""Standard deviations of one chance in a thousand: there are a hundred columns."""


class Binned(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many rows of a column lie in each bin: below the first edge, [edge, next edge), from the last edge on."""

    edges: tuple[float, ...]
    counts: tuple[int, ...]
    """One more than edges, then the missing."""


class Distribution(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a model was trained on, column by column. An optional part of a model folder's format."""

    v: int
    customers: int
    columns: dict[str, Binned]
    score: Binned
    """What was said of rows the trees had not seen."""


def distribution(rows: Rows, features: FeatureList, score: Numbers, customers: int) -> Distribution:
    """`rows` (n, features) and `score` (n,) of so many customers, in bins."""
    kept = _thin(len(rows))
    columns = {name: binned(rows[kept, spot]) for spot, name in enumerate(features.names)}
    return Distribution(FORMAT, customers, columns, binned(score[kept]))


def _thin(rows: int) -> NDArray[np.intp]:
    return np.unique(np.linspace(0, rows - 1, min(rows, MOST_ROWS)).astype(np.intp))


def binned(values: Numbers) -> Binned:
    """(n,) values with edges of their own: around each of a few values, else between tenths.

    >>> binned(np.array([0.0, 0.0, 1.0, np.nan])).counts
    (0, 2, 0, 1, 0, 1)
    """
    known = np.unique(values[np.isfinite(values)])
    if len(known) <= DISTINCT:
        edges = np.column_stack([known, np.nextafter(known, np.inf)]).ravel()
    else:
        tenths = np.quantile(values[np.isfinite(values)], np.linspace(0, 1, BINS + 1))
        tenths[-1] = np.nextafter(tenths[-1], np.inf)
        sign = [0.0] if known[0] < 0 <= known[-1] else []  # codes of values without a level are below it
        edges = np.unique([*tenths, *sign])
    return Binned(tuple(edges.tolist()), counted(values, edges.tolist()))


def counted(values: Numbers, edges: Sequence[float]) -> tuple[int, ...]:
    """How many values lie in each bin, the missing last."""
    present = values[~np.isnan(values)]
    found = np.bincount(np.searchsorted(np.asarray(edges), present, side="right"), minlength=len(edges) + 1)
    return (*found.tolist(), len(values) - len(present))


def psi(before: Sequence[int], after: Sequence[int]) -> float:
    """The index of two tables of counts. Each bin that either knows has half a row more: an empty one is not infinite.

    >>> round(psi((50, 50), (50, 50)), 3), round(psi((50, 50), (80, 20)), 3)
    (0.0, 0.408)
    """
    p, q = (np.asarray(counts, dtype=np.float64) for counts in (before, after))
    used = (p + q) > 0
    p, q = p[used] + 0.5, q[used] + 0.5
    p, q = p / p.sum(), q / q.sum()
    return float(((q - p) * np.log(q / p)).sum())


def noise(before: Sequence[int], after: Sequence[int], sizes: tuple[int, int]) -> float:
    """The PSI that a few in a thousand pairs of samples of the same population exceed.

    `sizes`: independent observations behind each table. Rows of one customer are not independent: pass customers.
    """
    bins = sum(1 for pair in zip(before, after, strict=True) if any(pair))
    if bins < 2 or not all(sizes):
        return math.inf if not all(sizes) else 0.0
    return (1 / sizes[0] + 1 / sizes[1]) * _chi_squared(bins - 1)


def _chi_squared(degrees: int) -> float:
    """The quantile at RARE (Wilson and Hilferty 1931), at most 4 % above the true one."""
    part = 2 / (9 * degrees)
    return degrees * (1 - part + RARE * math.sqrt(part)) ** 3


def bounds(edges: Sequence[float]) -> list[tuple[float, float]]:
    """[low, high) of each bin but that of the missing."""
    return list(pairwise((-math.inf, *edges, math.inf)))
