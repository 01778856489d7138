"""Response rates of offers at the levels of another column of the row: `rates.offer.customer.loyalty_tier`.

Looked up in the tables that training learnt (learnt_rates). All rates of an offer are computed once per offer; a
decision picks those of its own levels. Pure.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.features import Column, FeatureList, Part, Rows, Transform
from streams.errors import InvalidInput
from streams.ids import OfferId

Codes = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class LevelRates:
    """The k rate columns of a feature list that stand at a level."""

    columns: tuple[Column, ...]
    told: Codes
    """(k,) the column of the row that tells the level."""
    levels: Codes
    """(k,) how many levels it has."""
    begin: Codes
    """(k,) where the rates of a column begin among all rates of an offer."""
    width: int
    """How many rates an offer has: at each level, and at none of them."""

    def of(self, offer: OfferId) -> list[float]:
        """(width,) every rate of an offer."""
        return [
            rate
            for column, levels in zip(self.columns, self.levels.tolist(), strict=True)
            for rate in column.table.get(offer, (unknown(column),) * (levels + 1))
        ]

    def at(self, row: Rows, rates: Rows) -> Rows:
        """(n, k) of (n, width): those at the levels that one row (columns,) of a decision tells."""
        picked: Rows = rates[:, self.begin + level(row[self.told], self.levels)]
        return picked


def level(codes: Rows, levels: Codes | int) -> Codes:
    """Which rate each code has: the last where it is missing or none of the levels.

    >>> level(np.array([0.0, 1.0, 2.0, -1.0, np.nan]), 2).tolist()
    [0, 1, 2, 2, 2]
    """
    return np.where((codes >= 0) & (codes < levels), codes, levels).astype(np.intp)


def unknown(column: Column) -> float:
    """The rate of an offer that is not in the table."""
    return column.mean if column.evidence else math.nan


def levels_of(column: Column) -> int:
    """How many levels a column tells."""
    return 2 if column.transform is Transform.FLAG else len(column.levels)


def level_rates(features: FeatureList) -> LevelRates:
    """Raises InvalidInput FEATURES_INVALID where no column of the customer or the context tells the level."""
    columns = features.of_part(Part.RATES)
    common = features.of_part(Part.COMMON)
    told = {c.name: spot for spot, c in enumerate(common) if c.transform in (Transform.CODE, Transform.FLAG)}
    _check(columns, {name: levels_of(common[spot]) for name, spot in told.items()})
    spots = [told[column.source] for column in columns]
    levels = np.array([levels_of(common[spot]) for spot in spots], dtype=np.intp)
    ends = np.cumsum(levels + 1)
    return LevelRates(columns, np.array(spots, dtype=np.intp), levels, ends - levels - 1, int(ends[-1]) if spots else 0)


def _check(columns: Sequence[Column], levels: dict[str, int]) -> None:
    for column in columns:
        sizes = {len(rates) - 1 for rates in column.table.values()}
        if column.source not in levels or not sizes <= {levels[column.source]}:
            message = f"the column {column.name} has not one rate for each level; train a new model with this version"
            raise InvalidInput("FEATURES_INVALID", message)
