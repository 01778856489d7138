"""Training: decision log -> dataset -> model folder with its card. Log, seed and recipe decide every byte."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path

import lightgbm
import msgspec
import numpy as np

from scoring import card, card_page
from scoring.audit import Audit, Served, check_told, unknown
from scoring.cold_start import FORMAT as EVIDENCE_FORMAT
from scoring.cold_start import Evidence, Starts, blend, trust_of
from scoring.compiled import compile_trees
from scoring.cross_validation import Judged, Numbers, Progress, best_rounds, cross_validate, judge, kinds_of, quietly
from scoring.dataset import Dataset, build, check_enough, learn_features
from scoring.dependence import dependence
from scoring.distribution import Distribution, distribution
from scoring.examples import Examples, from_lake
from scoring.features import Rows
from scoring.fit import Run, grow, text_of, without_history
from scoring.later import LATER, first_later, judge_later
from scoring.learnt_rates import filled, with_rates
from scoring.model_folder import (
    CALIBRATION,
    CARD,
    DISTRIBUTION,
    EVIDENCE,
    FEATURES,
    MODEL,
    SAMPLE,
    Compiled,
    draft,
    finish,
)
from scoring.weights import CLIP, Weights, effective_rows, inverse_propensity
from streams.attributes import AttributeSet
from streams.ids import Millis
from streams.lake import Lake

SAMPLE_ROWS = 64
DEPENDENCES = 6
"""Columns whose partial dependence is on the card."""


def train_from_lake(
    lake: Lake,
    models: Path,
    attributes: AttributeSet,
    run: Run,
    *,
    now: Millis | None = None,
    progress: Progress = quietly,
) -> Path:
    """A model of everything in the lake whose attribution window had closed at `now` (default: the newest record).

    Returns its folder in `models`. Raises InvalidInput as train_from_examples does.
    """
    at = lake.newest() if now is None else now
    return train_from_examples(from_lake(lake, at or 0), models, attributes, run, progress=progress)


def train_from_examples(
    examples: Examples,
    models: Path,
    attributes: AttributeSet,
    run: Run,
    *,
    progress: Progress = quietly,
    served: Served = unknown,
) -> Path:
    """As train_from_lake, from any log. `served` says by which feature list logged rows were made: those are compared.

    Raises InvalidInput DATASET_TOO_SMALL, FEATURE_FROM_FUTURE, ROWS_DIFFER, FEATURE_TELLS_OUTCOME.
    """
    progress("reading the log", 0.0)
    features = learn_features(examples, attributes)
    progress("making rows", 0.1)
    audit = Audit(features, served)
    dataset = build(examples, features, audit)
    audit.check()
    check_enough(dataset)
    check_told(features, dataset.rows, dataset.outcome)
    return train(dataset, models, run, progress=progress)


def train(dataset: Dataset, models: Path, run: Run, *, progress: Progress = quietly) -> Path:
    """Folds, number of trees, calibration, final trees, folder. The same dataset and run give the same folder."""
    return _write(models, learn(dataset, run, progress=progress), progress)


def learn(dataset: Dataset, run: Run, *, progress: Progress = quietly, later: bool = True) -> "Learnt":
    """train(), without the folder. Raises InvalidInput DATASET_TOO_SMALL.

    `later`: also judged on later decisions, which is for the card and decides nothing.
    """
    check_enough(dataset)
    dataset = weighted(dataset, run)
    kinds = kinds_of(dataset)
    found = [
        cross_validate(dataset, kind, run, progress=_within(progress, 0.2 + 0.3 * number, 0.3))
        for number, kind in enumerate(kinds)
    ]
    spot = best_rounds(dataset, found)
    evidence = evidence_of(dataset)
    judged = judge(dataset, found, spot, evidence, run.seed)
    first = first_later(dataset) if later else None
    if first is not None:
        progress(LATER, 0.8)
        said = judge_later(dataset, first, found, spot, evidence_of(dataset, first), run)
        judged = replace(judged, metrics=judged.metrics | {LATER: said})
    progress("growing the trees", 0.85)
    booster = grow(dataset, np.arange(len(dataset)), run.recipe.rounds[spot], run)
    held_out = found[-1].margins[spot]  # of returning customers: rows with the history they have when they are served
    return Learnt(with_rates(dataset), booster, judged, evidence, run, held_out)


def weighted(dataset: Dataset, run: Run) -> Dataset:
    """With the weights that the recipe asks for, if the log knows its propensities."""
    if run.recipe.weights is Weights.NONE:
        return dataset
    weight = inverse_propensity(dataset.propensity)
    return dataset if weight is None else replace(dataset, weight=weight)


def evidence_of(dataset: Dataset, until: int | None = None) -> Evidence:
    """How much the log (before row `until`) knows of each offer, and how far its declared propensities proved right."""
    offer = dataset.offer[:until]

    def summed(values: Numbers) -> Numbers:
        return np.bincount(offer, weights=values[:until], minlength=len(dataset.offers)).astype(np.float64)

    exposures = summed(np.ones(len(dataset)))
    shown = np.maximum(exposures, 1.0)
    declared = Starts(summed(dataset.starts.mean) / shown, summed(dataset.starts.evidence) / shown)
    trust = trust_of(declared, exposures, summed(dataset.outcome))
    counts = dict(zip(dataset.offers, exposures.astype(int).tolist(), strict=True))
    return Evidence(EVIDENCE_FORMAT, trust, counts)


@dataclass(frozen=True, slots=True)
class Learnt:
    """What a training found."""

    dataset: Dataset
    booster: lightgbm.Booster
    judged: Judged
    evidence: Evidence
    run: Run
    held_out: Numbers
    """(n,) margins of trees that had not seen the row."""

    def modelled(self, rows: Rows) -> Numbers:
        """(n,) what the model alone says of rows."""
        margins = np.asarray(self.booster.predict(rows, raw_score=True, num_threads=1))
        return self.judged.calibration.apply(margins)

    def probability(self, asked: Dataset) -> Numbers:
        """(n,) what a model folder would say of other rows of the same features."""
        exposures = np.array([self.evidence.of(offer) for offer in asked.offers], dtype=np.float64)[asked.offer]
        rows = filled(self.dataset.features, asked)
        return blend(self.modelled(rows), asked.starts, exposures, self.evidence.trust)

    def distribution(self) -> Distribution:
        """Columns and score, against which drift is measured."""
        dataset, evidence = self.dataset, self.evidence
        exposures = np.array([evidence.of(offer) for offer in dataset.offers], dtype=np.float64)[dataset.offer]
        score = blend(self.judged.calibration.apply(self.held_out), dataset.starts, exposures, evidence.trust)
        return distribution(dataset.rows, dataset.features, score, len(dataset.customers))


def _write(models: Path, trained: Learnt, progress: Progress) -> Path:
    folder = draft(models)
    try:
        (folder / MODEL).write_text(text_of(trained.booster))
        _put(folder / FEATURES, trained.dataset.features)
        _put(folder / CALIBRATION, trained.judged.calibration)
        _put(folder / EVIDENCE, trained.evidence)
        (folder / DISTRIBUTION).write_bytes(msgspec.json.encode(trained.distribution()))
        rows = sample(trained.dataset)
        margins = np.asarray(trained.booster.predict(rows, raw_score=True, num_threads=1))
        np.save(folder / SAMPLE, np.column_stack([rows, margins]))
        progress("compiling", 0.9)
        compiled = compile_trees(folder)
        described = _card(trained, compiled)
        _put(folder / CARD, described)
        (folder / "card.md").write_text(card.page(described))
        html = card_page.page(described, trained.dataset.features, trained.judged.calibration)
        (folder / "card.html").write_text(html)
        made = finish(folder, compiled)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    progress("done", 1.0)
    return made


def sample(dataset: Dataset) -> Rows:
    """Rows on which a compiled model must agree: of the log, a stranger, nothing known, nothing seen before."""
    spots = np.linspace(0, len(dataset) - 1, min(len(dataset), SAMPLE_ROWS)).astype(np.intp)
    rows = dataset.rows[spots]
    empty = np.full_like(rows[:1], np.nan)
    return np.concatenate([rows, without_history(rows[:1], dataset.features), empty, np.full_like(empty, -1.0)])


def _card(trained: Learnt, compiled: Compiled | None) -> card.Card:
    dataset, booster = trained.dataset, trained.booster
    importance = card.shares(
        dict(zip(dataset.features.names, booster.feature_importance("gain").tolist(), strict=True))
    )
    return card.Card(
        v=card.FORMAT,
        seed=trained.run.seed,
        rows=len(dataset),
        positives=int(dataset.outcome.sum()),
        customers=len(dataset.customers),
        offers=len(dataset.offers),
        since=int(dataset.at[0]),
        until=int(dataset.at[-1]),
        data=dataset.digest(),
        revisions=dataset.revisions,
        models=dataset.models,
        left_out=dict(dataset.left_out),
        trees=booster.num_trees(),
        calibration=trained.judged.calibration.method,
        trust=trained.evidence.trust,
        metrics=trained.judged.metrics,
        importance=importance,
        lightgbm=lightgbm.__version__,
        target="" if compiled is None else compiled.target,
        dependence=dependence(
            dataset.rows, dataset.features, [name for name, _ in importance[:DEPENDENCES]], trained.modelled
        ),
        weights=_weights(trained),
    )


def _weights(trained: Learnt) -> str:
    asked = trained.run.recipe.weights
    if asked is Weights.NONE:
        return ""
    if inverse_propensity(trained.dataset.propensity) is None:
        return f"{asked}: unknown for too many rows, all weigh the same"
    return f"{asked}, at most {CLIP:g}: worth {effective_rows(trained.dataset.weight):,.0f} equal rows"


def _put(path: Path, value: object) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(value), indent=1))


def _within(progress: Progress, start: float, length: float) -> Progress:
    return lambda stage, done: progress(stage, start + length * done)
