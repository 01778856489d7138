"""Gate: may a new model take over? Both models are judged on decisions that neither was trained on.

The rule, each criterion with its bound; the new model becomes active only if every one holds:

    fresh data   at least LEAST_ROWS items, LEAST_OF_EACH accepted and as many not, of LEAST_CUSTOMERS customers
    log loss     the mean difference is not above 0, and all of its 95 % interval lies below MARGIN of the active's loss
    calibration  ECE at most ECE_MARGIN above the active model's, or above what chance shows where that is more
    total        accepted by predicted differs by no more than APART, but for chance, between any day and the others: a
                 day on which it does is one of bad data, or of a change, and nothing can be judged before it is past;
                 and it lies from 1 / TOTAL to TOTAL, but for chance, or nearer to 1 than the active's over LEAST_DAYS
                 days: then it is the world that changed, and the candidate is the first to follow
    segments     of no segment of SEGMENT_ROWS rows it is sure that the loss is above the active's by SEGMENT_MARGIN
    value        choosing by it is not surely worth less: the interval of what it would have earned more per item
                 shown, by the logged propensities, does not end below -VALUE_MARGIN of what the active would have.
                 Where the log cannot tell, since too little was explored, that is said, and holds nobody up
    latency      scoring LATENCY_ROWS rows takes at most LATENCY_RATIO x the active's time, or LATENCY_FLOOR_S

Differences are paired by row, intervals a bootstrap of whole customers, since one's answers are not independent. The
second half of the rule for the log loss is a test of non-inferiority; the first keeps equal models from taking turns,
each a little worse than the one before.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import log
from time import perf_counter
from typing import Final, Literal, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.dataset import Dataset
from scoring.features import Part, Transform
from scoring.metrics import BINS, ece
from scoring.off_policy import LoggedChoices, difference
from scoring.propensity import PRIOR, Model
from streams.errors import InvalidInput
from streams.ids import Millis, ModelId
from streams.instant import DAY_MS, format_instant

Numbers = NDArray[np.float64]
Spots = NDArray[np.bool_]
LEAST_ROWS: Final = 300
LEAST_OF_EACH: Final = 30
LEAST_CUSTOMERS: Final = 30
MARGIN: Final = 0.01
ECE_MARGIN: Final = 0.01
TOTAL: Final = 1.5
APART: Final = 2.0
APART_CHANCE: Final = 3.0
"""Standard deviations: a window has several days, and none may be called bad by chance."""
LEAST_DAYS: Final = 3
CHANCE: Final = 1.645
"""Standard deviations: of 20 perfectly calibrated models, 19 show no more than that by chance."""
SEGMENT_ROWS: Final = 200
SEGMENT_MARGIN: Final = 0.05
SEGMENT_LEVELS: Final = 12
"""Columns with more levels make no segments."""
VALUE_MARGIN: Final = 0.01
LATENCY_ROWS: Final = 100
LATENCY_RATIO: Final = 1.5
LATENCY_FLOOR_S: Final = 0.002
LATENCY_REPEATS: Final = 20
REPEATS: Final = 1_000
"""Bootstrap repetitions."""
FORMAT: Final = 1
Outcome = Literal["passed", "failed", "waiting"]


class Criterion(msgspec.Struct, frozen=True):
    """One line of the rule: what was measured, the bound, whether it holds, and all of it in words."""

    name: str
    measured: float | None
    """None: the data cannot tell, which `said` says."""
    bound: float
    passed: bool
    said: str
    interval: tuple[float, float] | None = None


class Verdict(msgspec.Struct, frozen=True):
    """What the gate found. Written beside the model and into the ledger."""

    v: int
    candidate: ModelId
    against: ModelId
    """The active model, or `prior`."""
    outcome: Outcome
    """`waiting`: there is too little fresh data to say."""
    reason: str
    since: Millis
    """Only decisions after this instant counted."""
    until: Millis
    rows: int
    positives: int
    customers: int
    criteria: tuple[Criterion, ...]

    @property
    def passed(self) -> bool:
        """Whether it may become active."""
        return self.outcome == "passed"


@dataclass(frozen=True, slots=True)
class Contender:
    """A model on the fresh data."""

    model: ModelId
    said: Numbers
    """(n,) probabilities, in the order of the dataset."""
    seconds: float
    """For LATENCY_ROWS rows; 0: it computes nothing."""
    choices: LoggedChoices | None = None
    """What it would have chosen on the fresh decisions; None: the log cannot be asked."""


def contender(model: Model, fresh: Dataset, choices: LoggedChoices | None = None) -> Contender:
    """A model on a dataset made with its own feature list."""
    exposures = np.array([model.evidence.of(offer) for offer in fresh.offers], dtype=np.float64)[fresh.offer]
    declared = np.column_stack([fresh.starts.mean, fresh.starts.evidence, exposures])
    rows = np.ascontiguousarray(fresh.rows)
    said = model.probability(rows, declared) if len(fresh) else np.empty(0)
    return Contender(model.id, said, _seconds(model, fresh.rows, declared), choices)


def prior_contender(fresh: Dataset, choices: LoggedChoices | None = None) -> Contender:
    """The declared propensities, which serve where no model is active."""
    return Contender(PRIOR, fresh.starts.mean, 0.0, choices)


def verdict(fresh: Dataset, since: Millis, candidate: Contender, active: Contender, *, seed: int = 0) -> Verdict:
    """The rule on fresh data. `since`: the instant after which its decisions were made."""
    enough = _enough(fresh)
    criteria = (enough, *_compared(fresh, candidate, active, seed)) if enough.passed else (enough,)
    failed = [criterion for criterion in criteria if not criterion.passed]
    outcome: Outcome = "passed" if not failed else "failed" if enough.passed else "waiting"
    told = failed or [each for each in criteria if each.name == "log loss" or each.measured is None]
    reason = "; ".join(each.said for each in told)
    return Verdict(
        v=FORMAT,
        candidate=candidate.model,
        against=active.model,
        outcome=outcome,
        reason=reason,
        since=since,
        until=int(fresh.at[-1]) if len(fresh) else since,
        rows=len(fresh),
        positives=int(fresh.outcome.sum()),
        customers=len(fresh.customers),
        criteria=criteria,
    )


def page(found: Verdict) -> str:
    """The same as text."""
    head = {"passed": "may take over from", "failed": "does not take over from", "waiting": "waits beside"}
    lines = [
        f"{found.candidate} {head[found.outcome]} {found.against}: {found.rows:,} fresh items of "
        f"{found.customers:,} customers, {found.positives:,} accepted",
        *(f"  {'yes' if each.passed else 'NO ':<4}{each.name:<12} {each.said}" for each in found.criteria),
    ]
    return "\n".join(lines)


def _enough(fresh: Dataset) -> Criterion:
    """What is missing, if anything."""
    positives = int(fresh.outcome.sum())
    wanted = (
        ("items", len(fresh), LEAST_ROWS),
        ("accepted", positives, LEAST_OF_EACH),
        ("not accepted", len(fresh) - positives, LEAST_OF_EACH),
        ("customers", len(fresh.customers), LEAST_CUSTOMERS),
    )
    missing = [f"{least - found:,} more {what}" for what, found, least in wanted if found < least]
    said = f"{len(fresh):,} fresh items, {positives:,} accepted"
    if missing:
        said = f"too little fresh data: {said}; {', '.join(missing)} needed"
    return Criterion("fresh data", float(len(fresh)), float(LEAST_ROWS), not missing, said)


def _compared(fresh: Dataset, candidate: Contender, active: Contender, seed: int) -> tuple[Criterion, ...]:
    paired = _Paired(fresh, candidate, active, seed)
    calibrated = _calibration(fresh, candidate, active), _total(fresh, candidate, active)
    worth = _value(candidate, active, seed)
    return (paired.log_loss(), *calibrated, paired.segments(), worth, _latency(candidate, active))


def _calibration(fresh: Dataset, candidate: Contender, active: Contender) -> Criterion:
    found, before = (ece(fresh.outcome, each.said, fresh.weight) for each in (candidate, active))
    chance = ece_by_chance(candidate.said, fresh.weight)
    bound = max(before, chance) + ECE_MARGIN
    verb = "is within" if found <= bound else "is above"
    said = f"ECE {found:.4f} {verb} {bound:.4f} ({active.model} has {before:.4f}, chance shows up to {chance:.4f})"
    return Criterion("calibration", found, bound, found <= bound, said)


def _total(fresh: Dataset, candidate: Contender, active: Contender) -> Criterion:
    """A day on which yes and no were mixed up does not look like one on which people changed: that one goes on."""
    said, accepted = float(candidate.said @ fresh.weight), float(fresh.outcome @ fresh.weight)
    chance = CHANCE * float(np.sqrt((fresh.weight**2 * candidate.said * (1 - candidate.said)).sum())) / said
    ratio, before = accepted / said, accepted / float(active.said @ fresh.weight)
    days = _days(fresh, candidate)
    apart = [day for day in days if len(days) > 1 and _apart(day, accepted - day.accepted, said - day.said)]
    within = 1 / TOTAL - chance <= ratio <= TOTAL + chance
    follows = len(days) >= LEAST_DAYS and abs(log(ratio)) < abs(log(before))
    told = f"accepted by predicted {ratio:.2f}"
    look = "the fresh outcomes are not what it was trained on: look at the data"
    if apart:
        worst = max(apart, key=lambda day: abs(log((day.accepted + 0.5) / (day.said + 0.5) / ratio)))
        told += f", but {worst.accepted / worst.said:.2f} on {worst.date}, unlike the other days: look at its data"
    elif within:
        told += f", within {1 / TOTAL:.2f} to {TOTAL:.2f} and chance ({chance:.2f})"
    elif follows:
        told += f", nearer to 1 than {active.model}'s {before:.2f}, alike on all of {len(days)} days: the world changed"
    else:
        told += f", {look}; beyond {1 / TOTAL:.2f} to {TOTAL:.2f} and chance ({chance:.2f})"
    return Criterion("total", ratio, TOTAL, not apart and (within or follows), told)


class _Day(NamedTuple):
    date: str
    accepted: float
    said: float


def _days(fresh: Dataset, candidate: Contender) -> list[_Day]:
    """Accepted and predicted, day by day (UTC)."""
    dates, codes = np.unique(fresh.at // DAY_MS, return_inverse=True)
    accepted = np.bincount(codes, weights=fresh.outcome * fresh.weight).tolist()
    said = np.bincount(codes, weights=candidate.said * fresh.weight).tolist()
    names = [format_instant(int(date) * DAY_MS)[:10] for date in dates]
    return [_Day(*each) for each in zip(names, accepted, said, strict=True)]


def _apart(day: _Day, accepted: float, said: float) -> bool:
    """Whether a day differs from what the other days accepted by predicted would make of it, both being counts."""
    expected = day.said * max(accepted, 0.5) / said
    chance = APART_CHANCE * float(np.sqrt(expected + expected**2 / max(accepted, 0.5)))
    return not expected / APART - chance <= day.accepted <= expected * APART + chance


def ece_by_chance(said: Numbers, weight: Numbers) -> float:
    """What a perfectly calibrated model that says this shows on so few rows, CHANCE deviations above the mean of it.

    In each bin what came differs from what was said by a normal of variance sum w^2 p (1 - p); ECE adds up their
    absolute values, half-normals of mean sqrt(2 / pi) s and variance (1 - 2 / pi) s^2.

    >>> round(ece_by_chance(np.full(400, 0.3), np.ones(400)), 4)
    0.041
    """
    bins = np.minimum((said * BINS).astype(np.intp), BINS - 1)
    variance = np.bincount(bins, weights=weight**2 * said * (1 - said), minlength=BINS)
    mean = np.sqrt(2 / np.pi * variance).sum()
    return float((mean + CHANCE * np.sqrt((1 - 2 / np.pi) * variance.sum())) / weight.sum())


def _value(candidate: Contender, active: Contender, seed: int) -> Criterion:
    """A number where the log can tell, else why it cannot: an estimate without support must not decide."""
    if candidate.choices is None or active.choices is None:
        return _untold("the log holds no candidates that another model could have chosen")
    try:
        found = difference(candidate.choices, active.choices, seed=seed)
    except InvalidInput as error:
        return _untold(error.message)
    for model, of in ((candidate.model, found.one), (active.model, found.other)):
        if of.why:
            return _untold(f"of {model}, {of.why[0].text} ({', '.join(doubt.code for doubt in of.why)})")
    if found.few:
        return _untold(found.few[0].text)
    more, (low, high) = found.more.value, found.more.interval
    bound = -VALUE_MARGIN * found.other.best.value
    passed = high >= bound
    verb = "not surely worse than" if passed else "surely worse than"
    said = f"value per item shown {more:+.4f} ({low:+.4f} to {high:+.4f}), {verb} {active.model}'s"
    said += f" {found.other.best.value:.4f} by more than {-bound:.4f}: {found.one.rows:,} items"
    return Criterion("value", more, bound, passed, said, (low, high))


def _untold(why: str) -> Criterion:
    return Criterion("value", None, 0.0, True, f"value cannot be said: {why}")


def _latency(candidate: Contender, active: Contender) -> Criterion:
    bound = max(active.seconds * LATENCY_RATIO, LATENCY_FLOOR_S)
    passed = candidate.seconds <= bound
    verb = "within" if passed else "above"
    took = f"{candidate.seconds * 1000:.2f} ms for {LATENCY_ROWS} rows, {verb} {bound * 1000:.2f} ms"
    return Criterion("latency", candidate.seconds, bound, passed, took)


class _Paired:
    """Losses of both models on the same rows, and the same draws of customers for every comparison."""

    def __init__(self, fresh: Dataset, candidate: Contender, active: Contender, seed: int) -> None:
        self._fresh = fresh
        self._against = active.model
        before = _losses(fresh.outcome, active.said)
        self._difference = _losses(fresh.outcome, candidate.said) - before
        self._names, spots = zip(*_segments(fresh), strict=True)
        self._before = np.array([np.average(before[rows], weights=fresh.weight[rows]) for rows in spots])
        self._sums = _by_customer(fresh, self._difference, spots)
        self._heavy = _by_customer(fresh, np.ones(len(fresh)), spots)
        self._means = self._sums.sum(axis=0) / self._heavy.sum(axis=0)
        self._drawn = self._draw(seed)

    def log_loss(self) -> Criterion:
        """Over everything: better, and surely not worse by MARGIN."""
        mean, bound = float(self._means[0]), MARGIN * float(self._before[0])
        low, high = (float(each) for each in np.nanquantile(self._drawn[:, 0], [0.025, 0.975]))
        passed = mean <= 0 and high <= bound
        found = f"log loss {mean:+.4f} against {self._against} ({low:+.4f} to {high:+.4f})"
        why = "better" if passed else "worse" if mean > 0 else f"a loss of more than {bound:.4f} is not ruled out"
        return Criterion("log loss", mean, bound, passed, f"{found}: {why}", (low, high))

    def segments(self) -> Criterion:
        """The worst segment of those that are surely worse. Sure: 99.5 % of the draws, since segments are many."""
        low = np.nanquantile(self._drawn, 0.005, axis=0)
        share = self._means / self._before
        worse = np.flatnonzero((low > 0) & (share > SEGMENT_MARGIN))
        count = len(self._names) - 1
        if not count:
            return Criterion("segments", 0.0, SEGMENT_MARGIN, True, "no segment is large enough to be judged")
        spot = int(1 + np.argmax(share[1:]))
        if len(worse[worse > 0]):
            spot = int(max(worse[worse > 0], key=share.__getitem__))
            said = f"much worse for {self._names[spot]}: log loss {share[spot]:+.1%}"
            return Criterion("segments", float(share[spot]), SEGMENT_MARGIN, False, said)
        said = f"none of {count} is surely worse by {SEGMENT_MARGIN:.0%}; {self._names[spot]} {share[spot]:+.1%}"
        return Criterion("segments", float(share[spot]), SEGMENT_MARGIN, True, said)

    def _draw(self, seed: int) -> Numbers:
        """(REPEATS, 1 + segments) mean differences, each of as many customers as there are, drawn with replacement."""
        draw = np.random.default_rng(seed)
        count = len(self._sums)
        found = np.empty((REPEATS, len(self._names)))
        for repeat in range(REPEATS):
            times = np.bincount(draw.integers(0, count, count), minlength=count)
            heavy = times @ self._heavy
            found[repeat] = np.divide(times @ self._sums, heavy, out=np.full_like(heavy, np.nan), where=heavy > 0)
        return found


def _segments(fresh: Dataset) -> Iterator[tuple[str, Spots]]:
    """Everything first; then each offer, new and returning customers, each level of what has few levels."""
    yield "all", np.ones(len(fresh), dtype=bool)
    for name, rows in _named_segments(fresh):
        if rows.sum() >= SEGMENT_ROWS and min(fresh.outcome[rows].sum(), (1 - fresh.outcome[rows]).sum()) > 0:
            yield name, rows


def _named_segments(fresh: Dataset) -> Iterator[tuple[str, Spots]]:
    for code, offer_id in enumerate(fresh.offers):
        yield f"offer {offer_id}", fresh.offer == code
    for spot, column in enumerate(fresh.features.columns):
        values = fresh.rows[:, spot]
        if column.name == "history.any.exposed.ever":
            yield "new customers", values == 0
            yield "returning customers", values > 0
        elif column.part is Part.COMMON and column.transform is Transform.CODE:
            for code, level in enumerate(column.levels if len(column.levels) <= SEGMENT_LEVELS else ()):
                yield f"{column.name} {level}", values == code


def _losses(outcome: Numbers, said: Numbers) -> Numbers:
    """(n,) negative log likelihoods; probabilities are not quite 0 or 1, as calibration leaves them."""
    p = np.clip(said, 1e-15, 1 - 1e-15)
    return -(outcome * np.log(p) + (1 - outcome) * np.log1p(-p))


def _by_customer(fresh: Dataset, values: Numbers, spots: tuple[Spots, ...]) -> Numbers:
    """(customers, segments) weighted sums."""
    count = len(fresh.customers)
    weighted = values * fresh.weight
    return np.column_stack([np.bincount(fresh.customer[at], weights=weighted[at], minlength=count) for at in spots])


def _seconds(model: Model, rows: NDArray[np.float64], declared: Numbers) -> float:
    """The least of some repetitions: what it takes when nothing else is in the way."""
    if not len(rows):
        return 0.0
    spots = np.arange(LATENCY_ROWS) % len(rows)
    asked, beside = np.ascontiguousarray(rows[spots]), declared[spots]
    took = []
    for _ in range(LATENCY_REPEATS):
        began = perf_counter()
        model.probability(asked, beside)
        took.append(perf_counter() - began)
    return min(took)
