"""Cross-validation: what a model says of rows it has not seen, for new and for returning customers."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from scoring.calibration import Calibration, Method, best_method, cross_fitted, platt, sigmoid
from scoring.cold_start import Evidence, blend
from scoring.dataset import Dataset
from scoring.features import Rows
from scoring.fit import Run, growing, without_history
from scoring.folds import Fold, by_customer, stratified
from scoring.learnt_rates import as_served
from scoring.metrics import Metrics, log_loss, measure

Numbers = NDArray[np.float64]
Progress = Callable[[str, float], None]
"""(stage, share of the whole that is done, 0 to 1)"""
NEW = "new customers"
"""Folds by customer, held out without any history: what is said of people nobody has met."""
RETURNING = "returning customers"
"""Random folds: other answers of the same people were learnt from, and their history is known."""
FOLDS = 4
PATIENCE = 2


def quietly(stage: str, done: float) -> None:
    """Progress that nobody watches."""


@dataclass(frozen=True, slots=True)
class OutOfFold:
    """What was said of every row by trees that had not seen it."""

    kind: str
    folds: Sequence[Fold]
    margins: NDArray[np.float64]
    """(len(recipe.rounds), n): log odds after so many trees."""


def kinds_of(dataset: Dataset) -> tuple[str, ...]:
    """Which kinds the log can answer for: folds by customer need customers."""
    return (NEW, RETURNING) if len(dataset.customers) >= FOLDS else (RETURNING,)


def cross_validate(
    dataset: Dataset, kind: str, run: Run, *, folds: int = FOLDS, progress: Progress = quietly
) -> OutOfFold:
    """Grow trees on all folds but one, for each of them. `kind`: NEW or RETURNING."""
    made = (by_customer if kind == NEW else stratified)(dataset, folds, run.seed)
    margins = np.empty((len(run.recipe.rounds), len(dataset)))
    with ThreadPoolExecutor(1 if run.dask else run.threads) as pool:  # a cluster grows one booster at a time
        said = pool.map(lambda held_out: _said(dataset, held_out, kind, run), made)
        for number, (held_out, of_fold) in enumerate(zip(made, said, strict=True), 1):
            margins[:, held_out] = of_fold
            progress(f"{kind}: fold {number} of {folds}", number / folds)
    return OutOfFold(kind, made, margins)


def _said(dataset: Dataset, held_out: Fold, kind: str, run: Run) -> Rows:
    """(len(recipe.rounds), rows held out) by trees that were grown on the others.

    Once the loss has risen PATIENCE times in a row no more are grown: what was said then stands for later numbers too.
    """
    known = np.setdiff1d(np.arange(len(dataset)), held_out)
    margins = growing(dataset, known, run)
    rows = as_served(dataset, known, held_out)
    asked = without_history(rows, dataset.features) if kind == NEW else rows
    said: list[Numbers] = []
    losses: list[float] = []
    for rounds in run.recipe.rounds:
        said.append(margins(asked, rounds))
        losses.append(log_loss(dataset.outcome[held_out], sigmoid(said[-1]), dataset.weight[held_out]))
        if len(losses) > PATIENCE and losses[-PATIENCE - 1 :] == sorted(losses[-PATIENCE - 1 :]):
            break
    return np.array(said + said[-1:] * (len(run.recipe.rounds) - len(said)))


def best_rounds(dataset: Dataset, found: Sequence[OutOfFold]) -> int:
    """Index of the number of trees with the least log loss, both kinds counting alike; the fewest among equals."""

    def loss(spot: int) -> float:
        return sum(_calibrated_loss(dataset, each.margins[spot]) for each in found)

    return min(range(len(found[0].margins)), key=loss)


def _calibrated_loss(dataset: Dataset, margins: Numbers) -> float:
    curve = platt(margins, dataset.outcome, dataset.weight)
    return log_loss(dataset.outcome, curve.apply(margins), dataset.weight)


@dataclass(frozen=True, slots=True)
class Judged:
    """A curve for the final model, and how good the model is on rows it has not seen."""

    calibration: Calibration
    metrics: dict[str, Metrics]
    """By kind; each row calibrated by a curve that has not seen it, nor its customer where there are folds by customer.

    """


def judge(dataset: Dataset, found: Sequence[OutOfFold], spot: int, evidence: Evidence, seed: int) -> Judged:
    """Calibrate on what was said of new and returning customers together: serving does not know which it meets."""
    rows, folds = stacked(dataset, found, spot, len(dataset))
    method: Method = best_method(*rows, folds)
    modelled = cross_fitted(method, rows, folds).reshape(len(found), len(dataset))
    exposures = np.array([evidence.of(offer) for offer in dataset.offers], dtype=np.float64)[dataset.offer]
    metrics = {}
    for each, said in zip(found, modelled, strict=True):
        probability = blend(said, dataset.starts, exposures, evidence.trust)
        metrics[each.kind] = measure(dataset.outcome, probability, dataset.customer, dataset.weight, seed)
    return Judged(method(*rows), metrics)


def stacked(
    dataset: Dataset, found: Sequence[OutOfFold], spot: int, count: int
) -> tuple[tuple[Numbers, Numbers, Numbers], list[Fold]]:
    """Margins, outcome and weight of the first `count` rows, one kind after the other, and the folds they fall into."""
    times = len(found)
    margins = np.concatenate([each.margins[spot][:count] for each in found])
    outcome, weight = np.tile(dataset.outcome[:count], times), np.tile(dataset.weight[:count], times)
    folds = [np.concatenate([fold[fold < count] + count * n for n in range(times)]) for fold in found[0].folds]
    return (margins, outcome, weight), folds
