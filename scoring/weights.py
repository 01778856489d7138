"""Weights: logged rows by the inverse of the probability with which they were shown (Horvitz and Thompson, 1952).

They make a log look as if everything had been shown alike, for more variance: where trees can tell apart what the
choice depended on, what is accepted there is learnt without them (Shimodaira, 2000, on covariate shift). They are for
recipes that are too coarse for that.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
CLIP = 20.0
"""The most that one row weighs, in rows that were certain."""
UNKNOWN_AT_MOST = 0.01
"""Share of rows without a logged propensity that weigh as much as the mean; with more of them none is weighted."""


class Weights(StrEnum):
    """By what rows are weighted in training."""

    NONE = "none"
    INVERSE_PROPENSITY = "inverse_propensity"


def inverse_propensity(propensity: Numbers) -> Numbers | None:
    """(n,) logged propensities, NaN where unknown -> (n,) weights min(1 / p, CLIP) of mean 1; None: too few are known.

    >>> inverse_propensity(np.array([0.5, 0.5, 0.1]))
    array([0.42857143, 0.42857143, 2.14285714])
    """
    known = propensity > 0
    if not known.any() or known.mean() < 1 - UNKNOWN_AT_MOST:
        return None
    weight = np.ones(len(propensity))
    inverse = np.minimum(1 / propensity[known], CLIP)
    weight[known] = inverse / inverse.mean()
    return weight


def effective_rows(weight: Numbers) -> float:
    """So many equal rows would say as much (Kish, 1965).

    >>> round(effective_rows(np.array([0.4, 0.4, 2.2])), 2)
    1.74
    """
    return float(weight.sum() ** 2 / (weight @ weight))
