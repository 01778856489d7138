"""Metrics: discrimination and calibration of probabilities, from arrays alone."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
BINS = 10
REPEATS = 200
"""Bootstrap repetitions."""
TINY = 1e-15


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Rows whose probability lies in [low, high): what was said and what came."""

    low: float
    high: float
    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the rows by their probability."""

    rows: int
    predicted: float
    observed: float


@dataclass(frozen=True, slots=True)
class Metrics:
    """How good n probabilities are. `auc` and its interval are None where only one outcome occurs."""

    rows: int
    positives: int
    auc: float | None
    auc_interval: tuple[float, float] | None
    """95 %, by drawing whole customers."""
    log_loss: float
    log_loss_of_mean: float
    """Of saying the mean rate to everyone: what a model must beat."""
    brier: float
    ece: float
    """Expected calibration error, 10 bins of equal width."""
    reliability: tuple[ReliabilityBin, ...]
    """The bins that hold rows."""
    deciles: tuple[Decile, ...] = ()
    """Tenths of the rows, the highest probabilities first; what earlier versions wrote has none."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """95 % intervals of what Metrics has none for, by drawing whole customers (basic bootstrap: the expected

    calibration error of a drawn sample is too high by about as much as the sample's own is; its lower end is what is
    left of it without what chance adds, so that of a model that is calibrated it is 0)."""

    log_loss: tuple[float, float]
    brier: tuple[float, float]
    ece: tuple[float, float]
    came: tuple[float, float]
    """Of the rate of acceptances."""
    came_to_said: tuple[float, float]
    """Acceptances that came to those that were predicted: 1 where the probabilities hold on the whole."""


def measure(outcome: Numbers, probability: Numbers, customer: NDArray[np.intp], weight: Numbers, seed: int) -> Metrics:
    """Everything at once. `customer` groups rows for the interval."""
    mean = np.full(len(outcome), float(np.average(outcome, weights=weight)))
    table = reliability(outcome, probability, weight)
    return Metrics(
        rows=len(outcome),
        positives=int(outcome.sum()),
        auc=auc(outcome, probability, weight),
        auc_interval=auc_interval(outcome, probability, customer, weight, seed),
        log_loss=log_loss(outcome, probability, weight),
        log_loss_of_mean=log_loss(outcome, mean, weight),
        brier=brier(outcome, probability, weight),
        ece=ece(outcome, probability, weight),
        reliability=table,
        deciles=deciles(outcome, probability, weight),
    )


def deciles(outcome: Numbers, probability: Numbers, weight: Numbers) -> tuple[Decile, ...]:
    """What was said and what came in each tenth of the rows, the highest probabilities first; ties as they stand."""
    order = np.argsort(-probability, kind="stable")
    parts = (part for part in np.array_split(order, BINS) if len(part) and weight[part].sum() > 0)
    return tuple(
        Decile(
            len(part),
            float(np.average(probability[part], weights=weight[part])),
            float(np.average(outcome[part], weights=weight[part])),
        )
        for part in parts
    )


def auc(outcome: Numbers, score: Numbers, weight: Numbers) -> float | None:
    """Probability that a positive scores above a negative, ties half; None without both.

    >>> auc(np.array([0.0, 1.0, 1.0]), np.array([0.1, 0.1, 0.9]), np.ones(3))
    0.75
    """
    return _Ranking(outcome, score).auc(weight)


class _Ranking:
    """Rows sorted by score once, for many weightings."""

    def __init__(self, outcome: Numbers, score: Numbers) -> None:
        self._order = np.argsort(score, kind="stable")
        ranked = score[self._order]
        self._starts = np.flatnonzero(np.diff(ranked, prepend=np.nan))
        self._positive = outcome[self._order] > 0

    def auc(self, weight: Numbers) -> float | None:
        heavy = weight[self._order]
        positives = np.add.reduceat(np.where(self._positive, heavy, 0.0), self._starts)
        negatives = np.add.reduceat(np.where(self._positive, 0.0, heavy), self._starts)
        pairs = positives.sum() * negatives.sum()
        if pairs == 0:
            return None
        below = np.cumsum(negatives) - negatives
        return float((positives * (below + negatives / 2)).sum() / pairs)


def auc_interval(
    outcome: Numbers, score: Numbers, customer: NDArray[np.intp], weight: Numbers, seed: int
) -> tuple[float, float] | None:
    """95 % bootstrap interval; whole customers are drawn, since one's answers are not independent."""
    ranking = _Ranking(outcome, score)
    _, codes = np.unique(customer, return_inverse=True)
    count = int(codes.max()) + 1 if len(codes) else 0
    draw = np.random.default_rng(seed)
    found = [
        ranking.auc(weight * np.bincount(draw.integers(0, count, count), minlength=count)[codes])
        for _ in range(REPEATS if count else 0)
    ]
    values = [value for value in found if value is not None]
    if len(values) < REPEATS // 2:
        return None
    low, high = np.quantile(values, [0.025, 0.975])
    return float(low), float(high)


def intervals(
    outcome: Numbers, probability: Numbers, customer: NDArray[np.intp], weight: Numbers, seed: int
) -> Intervals | None:
    """As `measure`; None of fewer than two customers."""
    _, codes = np.unique(customer, return_inverse=True)
    count = int(codes.max()) + 1 if len(codes) else 0
    if count < 2:
        return None
    gaps = np.zeros((len(outcome), BINS))
    gaps[np.arange(len(outcome)), _bins(probability)] = outcome - probability
    each = np.column_stack([np.ones(len(outcome)), _losses(outcome, probability), (probability - outcome) ** 2])
    columns = np.column_stack([each, outcome, probability, gaps]) * weight[:, None]
    sums = np.column_stack([np.bincount(codes, weights=column, minlength=count) for column in columns.T])
    draw = np.random.default_rng(seed)
    drawn = np.stack([
        np.einsum("c,ck->k", np.bincount(draw.integers(0, count, count), minlength=count).astype(np.float64), sums)
        for _ in range(REPEATS)
    ])  # fmt: skip
    whole = sums.sum(axis=0)
    here = _of_sums(whole[None])[0]
    low, high = np.quantile(_of_sums(drawn), [0.025, 0.975], axis=0)
    ends = np.stack([2 * here - high, 2 * here - low], axis=1)
    ends[_ECE, 0] = here[_ECE] - np.quantile(_chance(drawn, whole), 0.975)
    ends = np.maximum(ends, 0.0).tolist()
    loss, brier, error, came, ratio = ((first, last) for first, last in ends)
    return Intervals(loss, brier, error, came, ratio)


_ECE = 2
"""Which of `_of_sums` it is."""


def _chance(drawn: Numbers, whole: Numbers) -> Numbers:
    """(r,) how far the bins of each drawn sample lie from those of all: no error of the ECE is larger."""
    share = drawn[:, :1] / whole[0]
    return np.asarray(np.abs(drawn[:, 5:] - share * whole[5:]).sum(axis=1) / drawn[:, 0])


def _of_sums(sums: Numbers) -> Numbers:
    """(r, 5) log loss, Brier, ECE, rate, rate to prediction of (r, 5 + BINS) sums."""
    weight, came, said = sums[:, 0], sums[:, 3], sums[:, 4]
    error = np.abs(sums[:, 5:]).sum(axis=1) / weight
    return np.column_stack(
        [sums[:, 1] / weight, sums[:, 2] / weight, error, came / weight, came / np.maximum(said, TINY)]
    )


def log_loss(outcome: Numbers, probability: Numbers, weight: Numbers) -> float:
    """Mean negative log likelihood, in nats."""
    return float(np.average(_losses(outcome, probability), weights=weight))


def _losses(outcome: Numbers, probability: Numbers) -> Numbers:
    p = np.clip(probability, TINY, 1 - TINY)
    return np.asarray(-(outcome * np.log(p) + (1 - outcome) * np.log1p(-p)))


def brier(outcome: Numbers, probability: Numbers, weight: Numbers) -> float:
    """Mean squared distance between what was said and what came (Brier 1950)."""
    return float(np.average((probability - outcome) ** 2, weights=weight))


def ece(outcome: Numbers, probability: Numbers, weight: Numbers) -> float:
    """Mean distance between what was said and what came, over the bins, by their weight."""
    bins = _bins(probability)
    gaps = np.bincount(bins, weights=weight * (outcome - probability), minlength=BINS)
    return float(np.abs(gaps).sum() / weight.sum())


def reliability(outcome: Numbers, probability: Numbers, weight: Numbers) -> tuple[ReliabilityBin, ...]:
    """The reliability table: bins of equal width that hold rows."""
    bins = _bins(probability)
    rows = np.bincount(bins, minlength=BINS)
    heavy = np.bincount(bins, weights=weight, minlength=BINS)
    said = np.bincount(bins, weights=weight * probability, minlength=BINS)
    came = np.bincount(bins, weights=weight * outcome, minlength=BINS)
    return tuple(
        ReliabilityBin(i / BINS, (i + 1) / BINS, int(rows[i]), float(said[i] / heavy[i]), float(came[i] / heavy[i]))
        for i in range(BINS)
        if heavy[i] > 0
    )


def _bins(probability: Numbers) -> NDArray[np.intp]:
    return np.minimum((probability * BINS).astype(np.intp), BINS - 1)
