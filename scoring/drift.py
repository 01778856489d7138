"""Drift: do customers, offers and outcomes still look as they did when the model was trained?

Columns and the score are compared with the distribution in the model folder (scoring.distribution), outcomes with what
was predicted (scoring.calibration_drift), on decisions newer than all that the model was trained on.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.calibration_drift import Window, days, window
from scoring.cold_start import Starts, blend
from scoring.dataset import Dataset, build
from scoring.distribution import LARGE, MOVED, Binned, Distribution, bounds, counted, noise, psi
from scoring.examples import LIVE, Example, Examples, from_lake
from scoring.features import Column, Part, Transform
from scoring.model_folder import CARD, DISTRIBUTION, invalid
from scoring.propensity import PRIOR, Model, open_model
from streams.declared_features import CYCLES
from streams.ids import Millis, ModelId
from streams.instant import DAY_MS
from streams.lake import Lake

Numbers = NDArray[np.float64]
Level = Literal["stable", "moved", "large"]
Verdict = Literal["stable", "watch", "act", "unknown"]
FORMAT = 1
MOST_ITEMS = 50_000
"""The newest of the window: ten seconds of work."""
SINCE_MS = 7 * DAY_MS
CALENDAR = frozenset({*CYCLES, "context.season"})
"""These move by themselves: told, never held against a model."""


class FeatureDrift(msgspec.Struct, frozen=True):
    """One feature by that of its columns which moved most, or the score."""

    feature: str
    """The fact or history behind it."""
    column: str
    psi: float
    noise: float | None
    """What chance alone reaches once in a few hundred looks; None: too few customers to say anything."""
    level: Level
    importance: float
    """Share of the loss that all columns of the feature take away."""
    missing: tuple[float, float]
    """Share of rows before and now."""
    unseen: tuple[float, float] | None
    """Share of values that have no level; None: the column has no levels."""
    grew: str
    """The bin that gained most, in words."""
    grew_share: tuple[float, float]


class PriorShare(msgspec.Struct, frozen=True):
    """How much was decided without the model."""

    decisions: int
    by_prior: int
    """Made while the prior served."""
    items: int
    declared: float
    """Mean weight of the declared propensities in the scores of this model, by evidence (scoring.cold_start)."""
    mostly_declared: float
    """Share of items in which they weigh more than the model."""


class DriftReport(msgspec.Struct, frozen=True):
    """What `offing drift` says."""

    v: int
    model: ModelId
    at: Millis
    since: Millis
    """Decisions from here to `at` were looked at: all newer than the training's last."""
    age_ms: Millis
    """Since the newest decision that the model was trained on."""
    rows: int
    customers: int
    verdict: Verdict
    score: FeatureDrift | None
    """None: the folder is of a version that kept no distribution, or there are no rows."""
    features: tuple[FeatureDrift, ...]
    """Those that moved first, by their importance; the calendar's last."""
    calibration: Window
    days: tuple[Window, ...]
    prior: PriorShare
    left_out: dict[str, int]
    distribution_known: bool


def drift_of_lake(folder: Path, lake: Lake, now: Millis, since_ms: Millis = SINCE_MS) -> DriftReport:
    """A model folder against the lake's newest days. Raises InvalidInput MODEL_INVALID."""
    since = max(now - since_ms, _known_of(folder).until + 1)
    return drift(folder, from_lake(lake, now, MOST_ITEMS, since=since), now, since_ms)


def drift(folder: Path, examples: Examples, now: Millis, since_ms: Millis = SINCE_MS) -> DriftReport:
    """A model folder against any log, so far as it is newer than the training. Raises InvalidInput MODEL_INVALID."""
    model, known, trained = open_model(folder), _known_of(folder), distribution_of(folder)
    since = max(now - since_ms, known.until + 1)
    looked = _Looked(since, now)
    dataset = build(lambda: looked.through(examples()), model.plan.features)
    said = said_by(model, dataset)
    whole = window(dataset.outcome, said, dataset.customer, (since, now))
    found = _Compared(dataset, trained, dict(known.importance)) if trained is not None and len(dataset) else None
    score = None if found is None or trained is None else found.score(trained.score, said)
    features = () if found is None else tuple(found.features())
    each_day = tuple(days(dataset.outcome, said, dataset.customer, dataset.at))
    return DriftReport(
        v=FORMAT,
        model=model.id,
        at=now,
        since=since,
        age_ms=max(0, now - known.until),
        rows=len(dataset),
        customers=len(dataset.customers),
        verdict=_verdict(score, features, whole, each_day),
        score=score,
        features=features,
        calibration=whole,
        days=each_day,
        prior=_prior(model, dataset, looked),
        left_out=dict(dataset.left_out),
        distribution_known=trained is not None,
    )


def distribution_of(folder: Path) -> Distribution | None:
    """The training's distribution; None: the folder is older than this part. Raises InvalidInput MODEL_INVALID."""
    path = folder / DISTRIBUTION
    if not path.exists():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=Distribution)
    except (OSError, msgspec.DecodeError) as error:
        raise invalid(folder, f"{DISTRIBUTION} is not readable: {error}") from error


def said_by(model: Model, dataset: Dataset) -> Numbers:
    """(n,) what the model says of a dataset's rows now."""
    if not len(dataset):
        return np.empty(0)
    declared = np.column_stack([dataset.starts.mean, dataset.starts.evidence, _exposures(model, dataset)])
    return model.probability(np.ascontiguousarray(dataset.rows), declared)


def _exposures(model: Model, dataset: Dataset) -> Numbers:
    trained = np.array([model.evidence.of(offer) for offer in dataset.offers], dtype=np.float64)
    return trained[dataset.offer]


class _Known(msgspec.Struct, frozen=True):
    """What is read of a card, of any version."""

    until: Millis
    importance: tuple[tuple[str, float], ...]


def _known_of(folder: Path) -> _Known:
    try:
        return msgspec.json.decode((folder / CARD).read_bytes(), type=_Known)
    except (OSError, msgspec.DecodeError) as error:
        raise invalid(folder, f"{CARD} is not readable: {error}") from error


@dataclass(slots=True)
class _Looked:
    """Counts whose decisions a log has, as they pass."""

    since: Millis
    until: Millis
    decisions: int = 0
    by_prior: int = 0

    def through(self, examples: Iterable[Example]) -> Iterator[Example]:
        """The examples of the window."""
        for example in examples:
            if self.since <= example.inputs.now <= self.until:
                live = example.inputs.origin == LIVE
                self.decisions += live
                self.by_prior += live and example.model == PRIOR
                yield example


def _prior(model: Model, dataset: Dataset, looked: _Looked) -> PriorShare:
    of_model = blend(
        np.ones(len(dataset)),
        Starts(np.zeros(len(dataset)), dataset.starts.evidence),
        _exposures(model, dataset) if len(dataset) else np.empty(0),
        model.evidence.trust,
    )
    declared = 1 - of_model
    return PriorShare(
        decisions=looked.decisions,
        by_prior=looked.by_prior,
        items=len(dataset),
        declared=float(declared.mean()) if len(dataset) else 0.0,
        mostly_declared=float((declared > 0.5).mean()) if len(dataset) else 0.0,
    )


@dataclass(frozen=True, slots=True)
class _Compared:
    dataset: Dataset
    trained: Distribution
    importance: Mapping[str, float]

    def features(self) -> list[FeatureDrift]:
        """One of each feature, those that moved first, by their importance."""
        worst: dict[str, FeatureDrift] = {}
        heavy: dict[str, float] = {}
        for spot, column in enumerate(self.dataset.features.columns):
            before = self.trained.columns.get(column.name)
            if before is None:
                continue
            found = self._of(column, before, self.dataset.rows[:, spot])
            heavy[found.feature] = heavy.get(found.feature, 0.0) + self.importance.get(column.name, 0.0)
            if found.feature not in worst or worst[found.feature].psi < found.psi:
                worst[found.feature] = found
        every = (msgspec.structs.replace(each, importance=heavy[name]) for name, each in worst.items())
        return sorted(every, key=_rank)

    def score(self, before: Binned, said: Numbers) -> FeatureDrift:
        """What is said, as a column of its own."""
        return self._measured(_SCORE, before, said)

    def _of(self, column: Column, before: Binned, values: Numbers) -> FeatureDrift:
        found = self._measured(column, before, values)
        if column.transform is not Transform.CODE:
            return found
        return msgspec.structs.replace(found, unseen=(_below_zero(before), float((values < 0).mean())))

    def _measured(self, column: Column, before: Binned, values: Numbers) -> FeatureDrift:
        after = counted(values, before.edges)
        index, chance = psi(before.counts, after), noise(before.counts, after, self._sizes(len(values)))
        shares = [np.asarray(counts) / max(1, sum(counts)) for counts in (before.counts, after)]
        grown = int(np.argmax(shares[1] - shares[0]))
        return FeatureDrift(
            feature=column.feature,
            column=column.name,
            psi=index,
            noise=None if math.isinf(chance) else chance,
            level=_level_of(index, chance),
            importance=0.0,
            missing=(float(shares[0][-1]), float(shares[1][-1])),
            unseen=None,
            grew=_bin(column, before.edges, grown),
            grew_share=(float(shares[0][grown]), float(shares[1][grown])),
        )

    def _sizes(self, rows: int) -> tuple[int, int]:
        return self.trained.customers, min(rows, len(self.dataset.customers))


_LEVELS: tuple[Level, ...] = ("large", "moved", "stable")


def _rank(each: FeatureDrift) -> tuple[bool, int, float, float, str]:
    return each.feature in CALENDAR, _LEVELS.index(each.level), -each.importance, -each.psi, each.feature


def _level_of(index: float, chance: float) -> Level:
    if index < MOVED or index <= chance:
        return "stable"
    return "large" if index >= LARGE else "moved"


def _below_zero(before: Binned) -> float:
    """Share of codes without a level: below the first edge that is not negative."""
    spans = bounds(before.edges)
    return sum(count for (_, high), count in zip(spans, before.counts, strict=False) if high <= 0) / sum(before.counts)


_SCORE = Column("score", Part.COMMON, "score", Transform.NUMBER)


def _bin(column: Column, edges: Sequence[float], number: int) -> str:
    """A bin in words."""
    if number > len(edges):
        return "missing"
    low, high = bounds(edges)[number]
    if column.transform is Transform.CODE and high <= 0:
        return "a value without a level"
    if low == -math.inf:
        return f"below {high:.4g}"
    if high == math.inf:
        return f"{low:.4g} or more"
    if high != math.nextafter(low, math.inf):
        return f"{low:.4g} to {high:.4g}"
    return column.levels[int(low)] if column.transform is Transform.CODE else f"{low:.4g}"


def _verdict(
    score: FeatureDrift | None, features: Sequence[FeatureDrift], whole: Window, each_day: Sequence[Window]
) -> Verdict:
    if not whole.rows:
        return "unknown"
    if whole.drifted or (score is not None and score.level == "large"):
        return "act"
    large = any(each.level == "large" and each.feature not in CALENDAR for each in features)
    moved = score is not None and score.level == "moved"
    if large or moved or any(each.drifted for each in each_day):
        return "watch"
    return "stable" if whole.ratio is not None or _could_tell(score) else "unknown"


def _could_tell(score: FeatureDrift | None) -> bool:
    """Whether a large drift would have been seen: of few customers chance alone reaches as far."""
    return score is not None and score.noise is not None and score.noise < LARGE
