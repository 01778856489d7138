"""Calibration: the model's margins -> probabilities that can be multiplied with money."""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

from scoring.metrics import log_loss

Numbers = NDArray[np.float64]
LEAST, MOST = 1e-6, 1.0 - 1e-6
"""No probability is 0 or 1: a log loss stays finite, and so does an odds ratio."""
BEYOND = 10.0
"""How far outside its rows, in log odds, an isotonic curve reaches 0 and 1."""
KNOTS = 64
"""Most points of an isotonic curve."""
LEAST_FOR_CURVE = 1_000
"""Rows of each outcome below which a free curve is not even tried: it would follow noise."""


class Calibration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rising curve from margin (log odds) to probability. Part of a model folder's format."""

    v: int
    method: Literal["platt", "isotonic"]
    slope: float = 1.0
    intercept: float = 0.0
    margins: tuple[float, ...] = ()
    probabilities: tuple[float, ...] = ()
    """isotonic: straight lines between these points."""

    def apply(self, margins: Numbers) -> Numbers:
        """(n,) margins -> (n,) probabilities; never reverses an order.

        >>> Calibration(1, "platt", slope=1.0, intercept=0.0).apply(np.array([0.0]))
        array([0.5])
        """
        if self.method == "platt":
            probability = sigmoid(self.slope * margins + self.intercept)
        else:
            probability = np.interp(margins, self.margins, self.probabilities)
        clipped: Numbers = np.minimum(np.maximum(probability, LEAST), MOST)  # np.clip takes twice the time
        return clipped


FORMAT = 1
AS_IT_IS = Calibration(FORMAT, "platt")


def sigmoid(margins: Numbers) -> Numbers:
    """1 / (1 + e^-x), without overflow."""
    return 0.5 * (1.0 + np.tanh(0.5 * margins))


def platt(margins: Numbers, outcome: Numbers, weight: Numbers) -> Calibration:
    """A logistic curve. Falls back to the margins as they are where the fit would turn them round, or where only one

    outcome came: one customer may hold all acceptances, and then their fold leaves none to the others.
    """
    if outcome.min() == outcome.max():
        return AS_IT_IS
    fitted = LogisticRegression(C=1e6, max_iter=200).fit(margins[:, None], outcome, sample_weight=weight)
    slope, intercept = float(fitted.coef_[0, 0]), float(fitted.intercept_[0])
    return Calibration(FORMAT, "platt", slope, intercept) if slope > 0 else AS_IT_IS


def isotonic(margins: Numbers, outcome: Numbers, weight: Numbers) -> Calibration:
    """A free rising curve: the middles of the steps of an isotonic regression, joined by straight lines.

    Each step takes one row of the mean rate in, so that a short one at an end is not certain; beyond both ends the
    curve goes on rising, so that no two margins are tied.
    """
    order = np.argsort(margins, kind="stable")
    x, y, w = margins[order], outcome[order], weight[order]
    fitted = IsotonicRegression().fit_transform(x, y, sample_weight=w)
    starts = np.flatnonzero(np.diff(fitted, prepend=-1.0))
    heavy = np.add.reduceat(w, starts)
    middles = np.add.reduceat(x * w, starts) / heavy
    levels = np.maximum.accumulate((np.add.reduceat(y * w, starts) + np.average(y, weights=w)) / (heavy + 1.0))
    chosen = np.unique(np.linspace(0, len(starts) - 1, min(KNOTS, len(starts))).round().astype(int))
    return Calibration(
        FORMAT,
        "isotonic",
        margins=(float(middles[0]) - BEYOND, *middles[chosen].tolist(), float(middles[-1]) + BEYOND),
        probabilities=(LEAST, *levels[chosen].tolist(), MOST),
    )


Method = Callable[[Numbers, Numbers, Numbers], Calibration]
Folds = Sequence[NDArray[np.intp]]
"""The rows held out by each fold; together every row once."""


def fit(margins: Numbers, outcome: Numbers, weight: Numbers, folds: Folds) -> Calibration:
    """The method with the lower log loss on held-out folds, fitted on everything."""
    return best_method(margins, outcome, weight, folds)(margins, outcome, weight)


def best_method(margins: Numbers, outcome: Numbers, weight: Numbers, folds: Folds) -> Method:
    """A free curve only where there are enough rows and it does better on rows it did not see."""
    if min(outcome.sum(), (1 - outcome).sum()) < LEAST_FOR_CURVE:
        return platt
    losses = [
        log_loss(outcome, cross_fitted(method, (margins, outcome, weight), folds), weight)
        for method in (platt, isotonic)
    ]
    return isotonic if losses[1] < losses[0] else platt


def cross_fitted(method: Method, rows: tuple[Numbers, Numbers, Numbers], folds: Folds) -> Numbers:
    """Probabilities of each fold by a curve fitted on the others: what calibration is judged by.

    `rows`: margins, outcome, weight.
    """
    probability = np.empty(len(rows[0]))
    for held_out in folds:
        others = np.ones(len(probability), dtype=bool)
        others[held_out] = False
        margins, outcome, weight = (column[others] for column in rows)
        probability[held_out] = method(margins, outcome, weight).apply(rows[0][held_out])
    return probability
