"""Shadow: how a model that influences nothing would have scored and ranked, beside what served. Arrays alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.distribution import binned, counted, psi
from scoring.metrics import log_loss

Numbers = NDArray[np.float64]
REPEATS = 1_000
LEAST_CUSTOMERS = 30
"""Fewer make no interval."""
SEED = 0


@dataclass(frozen=True, slots=True)
class Sides:
    """One decision's candidates by both; the arrays are (n,) and parallel, n at least 1."""

    served: Numbers
    """Probabilities as logged."""
    served_rank: Numbers
    """Rank scores as logged."""
    shadow: Numbers
    shadow_rank: Numbers


@dataclass(frozen=True, slots=True)
class Known:
    """n shown items whose outcome is known; the arrays are (n,) and parallel."""

    outcome: Numbers
    customer: NDArray[np.intp]
    """A number each: one's answers are not independent."""
    served: Numbers
    """Probabilities as logged."""
    shadow: Numbers


class ShadowScores(msgspec.Struct, frozen=True):
    """How the scores differ."""

    decisions: int
    candidates: int
    mean_served: float
    mean_shadow: float
    mean_absolute_difference: float
    psi: float
    """Of the shadow's scores against those that were logged."""
    top_changed: float
    """Share of decisions whose best candidate is another one."""
    rank_agreement: float | None
    """Mean over decisions of Spearman's correlation of the ranks; None: no decision had two candidates."""


class ShadowLoss(msgspec.Struct, frozen=True):
    """Log losses on what is known by now."""

    rows: int
    positives: int
    customers: int
    served: float
    shadow: float
    interval: tuple[float, float] | None
    """95 % of shadow less served, by drawing whole customers; None: there are fewer than LEAST_CUSTOMERS."""


def scores_of(sides: Sequence[Sides]) -> ShadowScores | None:
    """None: there is no decision.

    >>> one = Sides(np.array([0.2, 0.1]), np.array([2.0, 1.0]), np.array([0.1, 0.3]), np.array([1.0, 3.0]))
    >>> found = scores_of([one])
    >>> found.top_changed, found.rank_agreement, round(found.mean_absolute_difference, 3)
    (1.0, -1.0, 0.15)
    """
    if not sides:
        return None
    served, shadow = (np.concatenate([getattr(each, name) for each in sides]) for name in ("served", "shadow"))
    edges = binned(served)
    agreements = [_spearman(each.served_rank, each.shadow_rank) for each in sides if len(each.served) > 1]
    changed = [np.argmax(each.served_rank) != np.argmax(each.shadow_rank) for each in sides]
    return ShadowScores(
        decisions=len(sides),
        candidates=len(served),
        mean_served=float(served.mean()),
        mean_shadow=float(shadow.mean()),
        mean_absolute_difference=float(np.abs(shadow - served).mean()),
        psi=psi(edges.counts, counted(shadow, edges.edges)),
        top_changed=float(np.mean(changed)),
        rank_agreement=float(np.mean(agreements)) if agreements else None,
    )


def loss_of(known: Known) -> ShadowLoss | None:
    """None: no outcome is known yet."""
    if not len(known.outcome):
        return None
    even = np.ones(len(known.outcome))
    _, codes = np.unique(known.customer, return_inverse=True)
    customers = int(codes.max()) + 1
    return ShadowLoss(
        rows=len(known.outcome),
        positives=int(known.outcome.sum()),
        customers=customers,
        served=log_loss(known.outcome, known.served, even),
        shadow=log_loss(known.outcome, known.shadow, even),
        interval=_interval(known, codes, customers) if customers >= LEAST_CUSTOMERS else None,
    )


def _interval(known: Known, codes: NDArray[np.intp], customers: int) -> tuple[float, float]:
    difference = _losses(known.outcome, known.shadow) - _losses(known.outcome, known.served)
    sums, rows = np.bincount(codes, weights=difference), np.bincount(codes).astype(np.float64)
    draw = np.random.default_rng(SEED)
    means = np.empty(REPEATS)
    for repeat in range(REPEATS):
        times = np.bincount(draw.integers(0, customers, customers), minlength=customers)
        means[repeat] = (times @ sums) / (times @ rows)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _losses(outcome: Numbers, said: Numbers) -> Numbers:
    p = np.clip(said, 1e-15, 1 - 1e-15)
    return np.asarray(-(outcome * np.log(p) + (1 - outcome) * np.log1p(-p)))


def _spearman(one: Numbers, other: Numbers) -> float:
    """Of two orders; equals stand as they come, in both alike."""
    ranks = [np.argsort(np.argsort(-each, kind="stable"), kind="stable").astype(np.float64) for each in (one, other)]
    count = len(one)
    return float(1 - 6 * ((ranks[0] - ranks[1]) ** 2).sum() / (count * (count**2 - 1)))
