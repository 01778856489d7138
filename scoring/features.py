"""Declared features and the type Propensity: the same rows in training and in serving."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.ids import ModelId
from streams.record import DecisionInputs, OfferFacts, Subject

Rows = NDArray[np.float64]
"""(n candidates, n features), NaN for missing."""
Scorable = tuple[OfferFacts, Subject]
"""All that scoring may know of a candidate."""


@dataclass(frozen=True, slots=True)
class Scores:
    """What a propensity says of n candidates."""

    probability: NDArray[np.float64]
    """(n,) calibrated probability of the goal."""
    rows: Rows


@dataclass(frozen=True, slots=True)
class Propensity:
    """A scorer: the prior, LightGBM or its compiled form. Pure and thread-safe."""

    model: ModelId
    features: tuple[str, ...]
    """Names of the columns of Scores.rows."""
    reads: frozenset[str]
    """Qualified attributes it reads; part of the cache's stamp. History features say `counters`."""
    score: Callable[[DecisionInputs, Sequence[Scorable]], Scores]
