"""Off-policy value: what another policy would have earned, from what this one showed and logged. Arrays alone.

Each logged choice weighs target probability / logged propensity. Five estimators of the mean reward per choice:
IPS (Horvitz and Thompson 1952), SNIPS (Swaminathan and Joachims 2015), the direct method, doubly robust (Dudik,
Langford and Li 2011), and doubly robust with self-normalised weights (SNDR).

Intervals are bootstrap-t (Efron 1982; Hall 1988: its error is of the order 1/n where that of a normal interval or a
percentile bootstrap is 1/sqrt(n)): weights times rare acceptances are skewed to the right, and a symmetric interval is
too low. Whole clusters are drawn, since the choices of one decision or one customer are not independent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.off_policy_support import Doubt, Support, doubts, too_few_to_compare
from streams.errors import InvalidInput

Numbers = NDArray[np.float64]
REPEATS: Final = 1_000
BLOCKS: Final = 2_000
"""Clusters beyond this many are drawn in blocks: sums of independent clusters are independent too."""
TAIL: Final = 0.005
"""Of a difference, on either side. Rare acceptances of large weight pull it both ways, and those that did not come are
in no repetition: at .025 nine of ten intervals hold the true difference, at .005 more than nineteen of twenty do."""
_CHUNK: Final = 100


@dataclass(frozen=True, slots=True)
class LoggedChoices:
    """n logged choices; the arrays are (n,) and parallel."""

    reward: Numbers
    """What came of it, within `reward_range`."""
    propensity: Numbers
    """Probability with which the log's policy made this choice, above 0 to 1; NaN: unknown."""
    target: Numbers
    """Probability with which the other policy would have made it, 0 to 1."""
    cluster: NDArray[np.intp]
    """Choices of one cluster (a decision, a customer) are not independent."""
    logged_value: Numbers | None = None
    """Reward that a model expects of the logged choice; the model must not have learnt from this log."""
    target_value: Numbers | None = None
    """Reward that the model expects under the other policy: the sum over its choices of probability x value."""
    outside: Numbers | None = None
    """Probability that the other policy chooses what the log could not have chosen here."""
    reward_range: tuple[float, float] = (0.0, 1.0)


class Estimate(msgspec.Struct, frozen=True):
    """Mean reward per choice, with a 95 % interval within the range of rewards (IPS and DR themselves may leave it)."""

    value: float
    interval: tuple[float, float]


class OffPolicy(msgspec.Struct, frozen=True):
    """The value of a policy from the log of another, and whether the log can tell it."""

    rows: int
    clusters: int
    positives: int
    """Choices with a reward that the target would make too."""
    missing: int
    """Choices left out since nobody knows their propensity."""
    logged: Estimate
    """Mean reward of what the log showed."""
    ips: Estimate
    snips: Estimate
    dm: Estimate | None
    """Its interval is that of the log, not of the model's error; None without a model, as are the next two."""
    dr: Estimate | None
    sndr: Estimate | None
    effective_sample_size: float
    """Kish: (sum of weights)^2 / sum of squared weights."""
    mean_weight: float
    """1 within noise where the log could have shown all that the target would."""
    largest_weight: float
    clip: float | None
    clipped: int
    """Choices whose weight was cut to `clip`; the estimates are then biased towards less."""
    reliable: bool
    why: tuple[Doubt, ...]
    """Empty if reliable."""

    @property
    def best(self) -> Estimate:
        """The one to use: SNDR where there is a model, else SNIPS."""
        return self.snips if self.sndr is None else self.sndr


class Difference(msgspec.Struct, frozen=True):
    """What one policy would have earned more than another."""

    one: OffPolicy
    other: OffPolicy
    more: Estimate
    """Of `best`: one's less the other's, per choice."""

    @property
    def why(self) -> tuple[Doubt, ...]:
        """What keeps the log from telling either, or them apart; empty: it can."""
        return self.one.why + self.other.why + self.few

    @property
    def few(self) -> tuple[Doubt, ...]:
        """What keeps it from telling them apart, though it may know each."""
        return too_few_to_compare(self.one.rows)


def value_of(choices: LoggedChoices, *, clip: float | None = None, seed: int = 0) -> OffPolicy:
    """The other policy's mean reward per choice. `clip`: the largest weight that is left as it is.

    Raises InvalidInput OFF_POLICY_INVALID where arrays do not fit or are out of range, OFF_POLICY_EMPTY where no
    choice has a propensity. A log that cannot answer is no error: `reliable` is false and `why` says so.

    >>> one = LoggedChoices(np.array([1.0, 0.0]), np.array([0.5, 0.5]), np.array([0.9, 0.1]), np.array([0, 1]))
    >>> found = value_of(one)
    >>> round(found.ips.value, 3), round(found.snips.value, 3), round(found.effective_sample_size, 3), found.reliable
    (0.9, 0.9, 1.22, False)
    """
    _check(choices, clip)
    known = ~np.isnan(choices.propensity)
    if not known.any():
        message = f"none of {len(known)} logged choices has a propensity; expected the probability of what was shown"
        raise InvalidInput("OFF_POLICY_EMPTY", f"{message}: take a log of decisions, not of responses alone")
    kept = _kept(choices, known)
    raw = kept.target / kept.propensity
    weight = raw if clip is None else np.minimum(raw, clip)
    sums, clusters, heaviest = _sums(kept, weight, seed)
    modelled = kept.logged_value is not None and kept.target_value is not None
    drawn = _Drawn.of(sums, seed)
    found = {name: _estimate(sums, drawn, how, kept.reward_range) for name, how in _ESTIMATORS.items()}
    missing, positives = int((~known).sum()), int(((kept.reward > 0) & (weight > 0)).sum())
    effective = _effective(weight)
    spread = np.linalg.norm(sums[:, W] - sums[:, N] * weight.mean()) / len(weight)
    why = doubts(
        Support(len(weight), clusters, positives, missing, effective, heaviest, _outside(kept)),
        None if clip is not None else (float(weight.mean()), float(spread)),
    )
    return OffPolicy(
        rows=len(weight),
        clusters=clusters,
        positives=positives,
        missing=missing,
        logged=found["logged"],
        ips=found["ips"],
        snips=found["snips"],
        dm=found["dm"] if modelled else None,
        dr=found["dr"] if modelled else None,
        sndr=found["sndr"] if modelled else None,
        effective_sample_size=effective,
        mean_weight=float(weight.mean()),
        largest_weight=float(raw.max()),
        clip=clip,
        clipped=0 if clip is None else int((raw > clip).sum()),
        reliable=not why,
        why=why,
    )


def difference(one: LoggedChoices, other: LoggedChoices, *, seed: int = 0) -> Difference:
    """What one policy would have earned more than another, on the same logged choices: paired by choice and cluster.

    By SNDR where there is a model, else by SNIPS. Raises InvalidInput as value_of does, and OFF_POLICY_INVALID where
    the choices are not the same.

    >>> log = np.array([1.0, 0.0, 1.0]), np.array([0.5, 0.5, 0.5])
    >>> one, other = (LoggedChoices(*log, np.array(of), np.arange(3)) for of in ([0.9, 0.1, 0.9], [0.5, 0.5, 0.5]))
    >>> round(difference(one, other).more.value, 3)  # 1.8 / 1.9 - 2 / 3
    0.281
    """
    first, second = value_of(one, seed=seed), value_of(other, seed=seed)
    if not _same(one, other):
        raise _invalid("the two policies were not asked about the same logged choices")
    known = ~np.isnan(one.propensity)
    each = [_sums(kept, kept.target / kept.propensity, seed)[0] for kept in (_kept(one, known), _kept(other, known))]
    sums = np.hstack(each)
    modelled = first.sndr is not None and second.sndr is not None
    how = _less(_sndr(0), _sndr(COLUMNS)) if modelled else _less(_ratio(WR, W), _ratio(COLUMNS + WR, COLUMNS + W))
    most = one.reward_range[1] - one.reward_range[0]
    return Difference(first, second, _estimate(sums, _Drawn.of(sums, seed), how, (-most, most), TAIL))


COLUMNS: Final = 6
N, W, WR, Q, WD, R = range(COLUMNS)
"""Columns of the sums per cluster: choices, weights, weighted rewards, the model's value of the target, weighted
errors of the model, rewards. Of two policies those of the second follow."""
Sums = NDArray[np.float64]
How = Callable[[Sums], tuple[Numbers, Sums]]
"""Sums (r, k) -> (r,) values, and their gradients (r, k)."""


def _ratio(over: int, under: int) -> How:
    def ratio(sums: Sums) -> tuple[Numbers, Sums]:
        """(r,) sums[over] / sums[under], and its gradient; 0 where nothing is below."""
        below = np.where(sums[:, under] > 0, sums[:, under], np.inf)
        value = sums[:, over] / below
        gradient = np.zeros_like(sums)
        gradient[:, over] += 1 / below
        gradient[:, under] -= value / below
        return value, gradient

    return ratio


def _both(first: How, second: How) -> How:
    def both(sums: Sums) -> tuple[Numbers, Sums]:
        value, gradient = first(sums)
        more, slope = second(sums)
        return value + more, gradient + slope

    return both


def _less(first: How, second: How) -> How:
    def less(sums: Sums) -> tuple[Numbers, Sums]:
        value, gradient = first(sums)
        other, slope = second(sums)
        return value - other, gradient - slope

    return less


def _sndr(at: int) -> How:
    """Of the policy whose columns begin there."""
    return _both(_ratio(at + Q, at + N), _ratio(at + WD, at + W))


_ESTIMATORS: Final = {
    "logged": _ratio(R, N),
    "ips": _ratio(WR, N),
    "snips": _ratio(WR, W),
    "dm": _ratio(Q, N),
    "dr": _both(_ratio(Q, N), _ratio(WD, N)),
    "sndr": _sndr(0),
}
"""Every estimator is a ratio of sums over clusters, or two of them: the delta method gives its standard error."""


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Bootstrap repetitions of the sums (r, k) and of their products (r, k, k)."""

    sums: Sums
    products: NDArray[np.float64]

    @staticmethod
    def of(sums: Sums, seed: int) -> "_Drawn":
        count, width = sums.shape
        draw = np.random.default_rng(seed)
        outer = _products(sums)
        found, products = [], []
        for _ in range(REPEATS // _CHUNK):
            spots = draw.integers(0, count, (_CHUNK, count)) + np.arange(_CHUNK)[:, None] * count
            times = np.bincount(spots.ravel(), minlength=_CHUNK * count).reshape(_CHUNK, count).astype(np.float64)
            found.append(np.einsum("rg,gk->rk", times, sums))  # not BLAS: its threads cost more than they give here
            products.append(np.einsum("rg,gk->rk", times, outer))
        return _Drawn(np.concatenate(found), np.concatenate(products).reshape(-1, width, width))


def _products(sums: Sums) -> Sums:
    return (sums[:, :, None] * sums[:, None, :]).reshape(len(sums), -1)


def _estimate(sums: Sums, drawn: _Drawn, how: How, bounds: tuple[float, float], tail: float = 0.025) -> Estimate:
    """Value and bootstrap-t interval: value - t x standard error at the quantiles of the repetitions' t."""
    width = sums.shape[1]
    value, error = _studentised(how, sums.sum(axis=0)[None], _products(sums).sum(axis=0).reshape(1, width, width))
    values, errors = _studentised(how, drawn.sums, drawn.products)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = (values - value) / errors  # no reward drawn: no spread either, and the other end is unknown
    t = np.where(np.isnan(t), 0.0, t)
    low, high = np.quantile(t, tail, method="lower"), np.quantile(t, 1 - tail, method="higher")  # t may be infinite
    spread = float(error[0])
    ends = (value[0] - high * spread, value[0] - low * spread) if spread else (value[0], value[0])
    lowest, highest = np.clip(ends, *bounds)
    return Estimate(float(value[0]), (float(lowest), float(highest)))


def _studentised(how: How, sums: Sums, products: NDArray[np.float64]) -> tuple[Numbers, Numbers]:
    """(r,) values and standard errors. Ratios do not change when all sums grow alike, so the gradient is centred."""
    value, gradient = how(sums)
    variance = np.einsum("ri,rij,rj->r", gradient, products, gradient)
    return value, np.sqrt(np.maximum(variance, 0.0))


def _sums(kept: LoggedChoices, weight: Numbers, seed: int) -> tuple[Sums, int, float]:
    """Sums per cluster or block of clusters (g, 6), the number of clusters, the share of weight of the heaviest."""
    _, codes = np.unique(kept.cluster, return_inverse=True)
    clusters = int(codes.max()) + 1
    total = weight.sum()
    heaviest = float(np.bincount(codes, weights=weight).max() / total) if total > 0 else 1.0
    if clusters > BLOCKS:
        codes = np.random.default_rng([seed, clusters]).permutation(clusters)[codes] % BLOCKS
    nothing = np.zeros(len(weight))
    logged_value = nothing if kept.logged_value is None else kept.logged_value
    target_value = nothing if kept.target_value is None else kept.target_value
    columns = (
        np.ones(len(weight)), weight, weight * kept.reward, target_value, weight * (kept.reward - logged_value),
        kept.reward,
    )  # fmt: skip
    return np.column_stack([np.bincount(codes, weights=column) for column in columns]), clusters, heaviest


def _effective(weight: Numbers) -> float:
    """
    >>> _effective(np.array([1.0, 1.0, 0.0, 0.0]))
    2.0
    """
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares else 0.0


def _outside(kept: LoggedChoices) -> float:
    return 0.0 if kept.outside is None else float(kept.outside.mean())


def _kept(choices: LoggedChoices, known: NDArray[np.bool_]) -> LoggedChoices:
    def of(values: Numbers | None) -> Numbers | None:
        return None if values is None else values[known]

    return LoggedChoices(
        choices.reward[known], choices.propensity[known], choices.target[known], choices.cluster[known],
        of(choices.logged_value), of(choices.target_value), of(choices.outside), choices.reward_range,
    )  # fmt: skip


def _same(one: LoggedChoices, other: LoggedChoices) -> bool:
    numbers = (one.reward, other.reward), (one.propensity, other.propensity)
    same = all(np.array_equal(*pair, equal_nan=True) for pair in numbers)
    return same and np.array_equal(one.cluster, other.cluster)


def _check(choices: LoggedChoices, clip: float | None) -> None:
    low, high = choices.reward_range
    rows = len(choices.reward)
    given = {
        "propensity": choices.propensity, "target": choices.target, "cluster": choices.cluster,
        "logged_value": choices.logged_value, "target_value": choices.target_value, "outside": choices.outside,
    }  # fmt: skip
    wrong = [name for name, values in given.items() if values is not None and values.shape != (rows,)]
    if wrong:
        raise _invalid(f"{', '.join(wrong)} is not as long as reward, which has {rows} choices")
    if rows and not (choices.reward.min() >= low and choices.reward.max() <= high):
        raise _invalid(f"rewards reach from {choices.reward.min()} to {choices.reward.max()}; expected {low} to {high}")
    if not bool(np.all((choices.target >= 0) & (choices.target <= 1 + 1e-9))):
        raise _invalid("target holds what is no probability; expected 0 to 1")
    if not bool(np.all(np.isnan(choices.propensity) | ((choices.propensity > 0) & (choices.propensity <= 1 + 1e-9)))):
        raise _invalid("propensity holds what is no probability of something shown; expected above 0 to 1, or NaN")
    if clip is not None and not clip > 0:
        raise _invalid(f"clip is {clip}; expected a weight above 0")


def _invalid(what: str) -> InvalidInput:
    return InvalidInput("OFF_POLICY_INVALID", what)
