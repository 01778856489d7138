"""Smoothed response rates: which share of what a customer was shown they clicked, drawn towards everybody's share.

Of everything, of this offer, its collection, its campaign. Made of the counters that a decision found, so a row never
sees its own outcome, and serving needs nothing but the profile. How strongly few exposures are drawn towards the mean
is empirical Bayes: exposures of one customer are draws of one rate, and the rates a beta distribution.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scoring.features import NOTHING_LEARNT, Column, Rows, Shrinkage
from scoring.history import EXPOSED, USUAL, Shape, tally
from streams.declared_features import LEVELS, RATE
from streams.ids import CustomerId
from streams.record import DecisionInputs

CLICKED = "clicked"
MOST_GROUPS = 50_000
"""Customers (customers and offers, ...) a prior is learnt from, those first met: more make it no better."""
LEAST_EVIDENCE, MOST_EVIDENCE = 1.0, 1_000.0
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rated:
    """The rate columns of a feature list, as arrays (k columns,)."""

    exposed: NDArray[np.intp]
    clicked: NDArray[np.intp]
    """Where the counts stand among the shape's columns."""
    mean: Numbers
    evidence: Numbers

    def of(self, counted: Rows) -> Rows:
        """(n, columns of the shape) -> (n, k) rates."""
        return smoothed(counted[:, self.clicked], counted[:, self.exposed], self.mean, self.evidence)


def smoothed(clicked: Numbers, exposed: Numbers, mean: Numbers, evidence: Numbers) -> Numbers:
    """The mean of the beta posterior, exactly `mean` without exposures.

    A click may be known before its exposure: none counts for more than one.

    >>> smoothed(np.array([0.0, 1.0, 9.0]), np.array([0.0, 1.0, 18.0]), np.array(0.2), np.array(4.0)).round(3).tolist()
    [0.2, 0.36, 0.445]
    """
    return mean + (np.minimum(clicked, exposed) - exposed * mean) / (exposed + evidence)


def rated(columns: Sequence[Column], shape: Shape) -> Rated:
    """Rate columns made ready."""
    levels = [column.source.removesuffix(f".{RATE}") for column in columns]
    return Rated(
        exposed=_spots(levels, shape, EXPOSED),
        clicked=_spots(levels, shape, CLICKED),
        mean=np.array([column.mean for column in columns]),
        evidence=np.array([column.evidence for column in columns]),
    )


def unknown_rates(columns: Sequence[Column]) -> set[str]:
    """The names of those that are no rate of any level, or that nothing is drawn towards."""
    known = {f"{level}.{RATE}" for level in LEVELS}
    return {
        column.name
        for column in columns
        if column.source not in known or column.name != f"history.{column.source}" or column.evidence <= 0
    }


def _spots(levels: Sequence[str], shape: Shape, response: str) -> NDArray[np.intp]:
    names = [f"history.{level}.{response}.ever" for level in levels]
    return np.array([shape.columns.index(name) for name in names], dtype=np.intp)


@dataclass(frozen=True, slots=True)
class Responses:
    """What a log's customers responded to, as their counters said last. Bounded: MOST_GROUPS per level."""

    groups: Mapping[str, dict[tuple[CustomerId, str], tuple[float, float]]] = field(
        default_factory=lambda: {level: {} for level in LEVELS}
    )
    """Level -> (customer, id of what they were shown) -> (exposed, clicked)."""

    def see(self, inputs: DecisionInputs) -> None:
        """One decision. In any order: counters only grow, the longest history stays."""
        customer = inputs.request.customer_id
        exposed, clicked = (USUAL.places[response] + 2 for response in (EXPOSED, CLICKED))
        for (level, name), numbers in tally(inputs.profile, inputs.now).items():
            held = self.groups[level]
            before = held.get((customer, name))
            if before is None and len(held) >= MOST_GROUPS:
                continue
            if before is None or numbers[exposed] > before[0]:
                held[customer, name] = (numbers[exposed], min(numbers[clicked], numbers[exposed]))

    def shrinkage(self) -> dict[str, Shrinkage]:
        """By level."""
        return {level: shrinkage(np.array(list(held.values())).reshape(-1, 2)) for level, held in self.groups.items()}


def shrinkage(groups: Numbers) -> Shrinkage:
    """The beta prior of (n, 2) exposed and clicked.

    >>> shrinkage(np.array([[20.0, 19.0], [20.0, 1.0], [20.0, 18.0], [20.0, 2.0]]))  # everybody has a rate of their own
    Shrinkage(mean=0.5, evidence=1.0)
    >>> shrinkage(np.array([[20.0, 11.0], [20.0, 9.0], [20.0, 10.0]])).evidence  # nobody does
    1000.0
    """
    exposed, clicked = groups[groups[:, 0] > 0].T
    if not len(exposed) or not 0 < clicked.sum() < exposed.sum():
        return NOTHING_LEARNT
    mean = float(clicked.sum() / exposed.sum())
    return Shrinkage(mean, evidence_around(exposed, clicked, mean))


def evidence_around(exposed: Numbers, clicked: Numbers, mean: Numbers | float) -> float:
    """How many exposures a prior of this mean, or of one for each of n groups, is worth. Every group is exposed.

    By moments (Kleinman 1973, JASA 68, weighted by exposures).
    """
    spread = float((exposed * (clicked / exposed - mean) ** 2 / (mean * (1 - mean))).sum())
    more = float((exposed - 1).sum())
    alike = (spread - len(exposed)) / more if more > 0 else 0.0  # correlation of two exposures of one group
    evidence = MOST_EVIDENCE if alike <= 0 else (1 - alike) / alike
    return min(max(evidence, LEAST_EVIDENCE), MOST_EVIDENCE)
