"""Propensity: the declared prior, LightGBM's trees, or their compiled form, behind one function type."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import lightgbm
import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.calibration import Calibration
from scoring.cold_start import Evidence, Starts, blend
from scoring.compiled import Margins, load_compiled
from scoring.features import FeatureList, Propensity, Rows, Scorable, Scores, check_protected, feature_list
from scoring.lineup import lined_up
from scoring.masks import NoMasks
from scoring.model_folder import CALIBRATION, COMPILED, EVIDENCE, FEATURES, MODEL, SAMPLE, Manifest, check, invalid
from scoring.rows import Plan, plan, rows_of
from streams.attributes import AttributeSet
from streams.errors import InvalidInput
from streams.ids import ModelId
from streams.record import DecisionInputs

PRIOR = ModelId("prior")
PARITY = 1e-9
"""Most that compiled margins may differ from the booster's on the folder's sample."""
_SIZES = re.compile(r"^tree_sizes=([0-9 ]+)$", re.MULTILINE)
Numbers = NDArray[np.float64]
_Part = TypeVar("_Part")


@dataclass(frozen=True, slots=True)
class Model:
    """A model folder in memory. Pure and thread-safe."""

    id: ModelId
    plan: Plan
    margins: Margins
    calibration: Calibration
    evidence: Evidence
    form: str
    """`compiled` or `booster`."""
    hindered: str
    """Why it is not compiled."""

    def probability(self, rows: Rows, declared: Rows) -> Numbers:
        """(n,) calibrated, and pulled towards the declared means where an offer has little evidence.

        `declared` (n, 3): starting mean, starting evidence, exposures trained on.
        """
        modelled = self.calibration.apply(self.margins(rows))
        return blend(modelled, Starts(declared[:, 0], declared[:, 1]), declared[:, 2], self.evidence.trust)


def prior(attributes: AttributeSet) -> Propensity:
    """Every offer at its declared starting propensity. Rows are made all the same, so that its log is like any."""
    features = feature_list(attributes)
    ready = plan(features)

    def score(inputs: DecisionInputs, items: Sequence[Scorable]) -> Scores:
        lineup = lined_up(items)
        found = ready.offers.find(lineup)
        return Scores(found.declared[:, 0], rows_of(inputs, lineup, ready, found))

    return Propensity(PRIOR, features.names, features.reads, score, ready.offers.meet)


def starting() -> Propensity:
    """The same scores without rows: for choices that nobody will learn from."""

    def score(inputs: DecisionInputs, items: Sequence[Scorable]) -> Scores:
        lineup = lined_up(items)
        means = [lineup.book.offers[position].starting_mean for position in lineup.positions.tolist()]
        return Scores(np.array(means, dtype=np.float64), np.empty((len(means), 0)))

    return Propensity(PRIOR, (), frozenset(), score)


def load(folder: Path, attributes: AttributeSet | None = None) -> Propensity:
    """A model folder as a propensity. Raises InvalidInput MODEL_INVALID, or MODEL_PROTECTED if it reads what

    `attributes` declares protected; the caller goes on with the prior and says so (`degraded`).
    """
    model = open_model(folder)
    if attributes is not None:
        check_protected(model.plan.features, attributes)

    def score(inputs: DecisionInputs, items: Sequence[Scorable]) -> Scores:
        lineup = lined_up(items)
        found = model.plan.offers.find(lineup)
        made = rows_of(inputs, lineup, model.plan, found)
        if not len(lineup):
            return Scores(np.empty(0), made)
        return Scores(model.probability(made, found.declared), made)

    features = model.plan.features
    return Propensity(
        model.id, features.names, features.reads, score, model.plan.offers.meet, model.form, model.hindered, folder
    )


def open_model(folder: Path) -> Model:
    """Read and check a model folder. The compiled trees serve if they agree with the booster on the sample, else the

    booster does. Raises InvalidInput MODEL_INVALID.
    """
    manifest = check(folder)
    features = _part(folder, FEATURES, FeatureList)
    try:
        evidence = _part(folder, EVIDENCE, Evidence)
        ready = plan(features, evidence.of)
        booster = lightgbm.Booster(model_str=_whole((folder / MODEL).read_text()))
        sample = np.load(folder / SAMPLE)
    except (InvalidInput, lightgbm.basic.LightGBMError, OSError, ValueError) as error:
        raise invalid(folder, str(error)) from error
    if booster.num_feature() != len(features.columns) or sample.shape[1:] != (len(features.columns) + 1,):
        raise invalid(folder, f"{MODEL} has {booster.num_feature()} columns, {FEATURES} {len(features.columns)}")
    margins, hindered = _fastest(folder, manifest, booster, sample)
    return Model(
        id=manifest.model,
        plan=ready,
        margins=margins,
        calibration=_part(folder, CALIBRATION, Calibration),
        evidence=evidence,
        form="booster" if hindered else "compiled",
        hindered=hindered,
    )


def _whole(text: str) -> str:
    """The text of trees, if all are there: LightGBM does not refuse the others, it ends the process. ValueError."""
    sizes = _SIZES.search(text)
    first, end = text.find("\nTree=0\n") + 1, text.find("end of trees")
    if not text.startswith("tree\n") or sizes is None or sum(map(int, sizes[1].split())) != end - first:
        raise ValueError(f"{MODEL} does not hold the trees it lists")
    return text


def _fastest(folder: Path, manifest: Manifest, booster: lightgbm.Booster, sample: Rows) -> tuple[Margins, str]:
    """The compiled trees, or the booster and why."""
    try:
        compiled = load_compiled(folder, manifest.compiled, booster.num_feature())
    except NoMasks as error:
        return _booster(booster), str(error)
    if not _agree(compiled, sample):
        return _booster(booster), f"{COMPILED} does not say what the booster says of {SAMPLE}"
    return compiled, ""


def _booster(booster: lightgbm.Booster) -> Margins:
    def margins(rows: Rows) -> Numbers:
        return np.asarray(booster.predict(rows, raw_score=True, num_threads=1))

    return margins


def _agree(margins: Margins, sample: Rows) -> bool:
    """The sample is rows with the margin that the booster gave when it was trained in the last column."""
    return bool(np.max(np.abs(margins(np.ascontiguousarray(sample[:, :-1])) - sample[:, -1])) <= PARITY)


def _part(folder: Path, name: str, form: type[_Part]) -> _Part:
    try:
        return msgspec.json.decode((folder / name).read_bytes(), type=form)
    except (OSError, msgspec.DecodeError) as error:
        raise invalid(folder, f"{name} is not readable: {error}") from error
