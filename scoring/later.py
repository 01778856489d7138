"""Later decisions: the last fifth of a log, judged by trees, a curve and evidence of what came before.

Random folds learn from the day they are asked about; a model that serves never does. Where tastes, prices or the season
drift, only this split sees it: the distance to the random folds is what a model loses before it is trained again.
"""

from collections.abc import Sequence

import numpy as np

from scoring.calibration import fit
from scoring.cold_start import Evidence, blend
from scoring.cross_validation import OutOfFold, stacked
from scoring.dataset import Dataset, enough
from scoring.fit import Run, grow
from scoring.learnt_rates import as_served
from scoring.metrics import Metrics, measure

LATER = "later decisions"
PART = 0.2
"""Share of the log that is later; decisions of one instant stay together."""


def first_later(dataset: Dataset) -> int | None:
    """Index of the first row of the last part. None where either side has too few rows or too few of an outcome."""
    if not len(dataset):
        return None
    instant = dataset.at[int(len(dataset) * (1 - PART))]
    first = int(np.searchsorted(dataset.at, instant))
    return first if enough(dataset.outcome[:first]) and enough(dataset.outcome[first:]) else None


def judge_later(
    dataset: Dataset, first: int, found: Sequence[OutOfFold], spot: int, evidence: Evidence, run: Run
) -> Metrics:
    """What is said from row `first` on by trees grown on the rows before it. `evidence`: of those rows too.

    The curve is fitted on what folds said of the rows before. Only the number of trees was chosen on the whole log.
    """
    rows, folds = stacked(dataset, found, spot, first)
    booster = grow(dataset, np.arange(first), run.recipe.rounds[spot], run)
    asked = as_served(dataset, np.arange(first), np.arange(first, len(dataset)))
    margins = np.asarray(booster.predict(asked, raw_score=True, num_threads=1))
    exposures = np.array([evidence.of(offer) for offer in dataset.offers], dtype=np.float64)[dataset.offer[first:]]
    declared = dataset.starts.since(first)
    probability = blend(fit(*rows, folds).apply(margins), declared, exposures, evidence.trust)
    return measure(dataset.outcome[first:], probability, dataset.customer[first:], dataset.weight[first:], run.seed)
