"""Fit: rows and outcomes -> LightGBM trees. Deterministic: seed, rows and recipe decide every byte."""

import re
from collections.abc import Callable
from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray

from scoring.dask_fit import grow_on
from scoring.dataset import Dataset
from scoring.features import FeatureList, Part, Rows
from scoring.history import NOTHING
from scoring.learnt_rates import out_of_fold
from scoring.weights import Weights
from streams.bucket import tag

Numbers = NDArray[np.float64]
LEAST_COLUMNS = 8
"""A tree sees no fewer of the columns that tell rows apart, if there are so many: of two, half is one, and no tree of

one column knows which customers like which offer.
"""
LOOKED_AT = 1_000
"""Rows by which it is told which columns those are, evenly over the log."""
_RUN = re.compile(r"\nparameters:\n.*?\nend of parameters\n", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Recipe:
    """How trees are grown. Chosen on 10,000 real coupon answers, on new and on returning customers alike: deep trees

    that see half of the columns, and half of those again at every split, are the compromise between both.
    """

    rounds: tuple[int, ...] = (25, 50, 100, 150, 200, 300)
    """Numbers of trees to choose from on folds; the last bounds time, size and latency."""
    leaves: int = 63
    learning_rate: float = 0.03
    columns: float = 0.5
    least_rows: int = 5
    l2: float = 3.0
    bins: int = 63
    """Of a column: 255 take twice the time and gain nothing."""
    strangers: float = 0.4
    """Share of rows that are learnt from as if the customer had no history: without them a model that has seen

    returning customers only loses .02 AUC on new ones.
    """
    twice: int = 100_000
    """Up to so many rows each is learnt from both with its history and without, which gains .006 on returning customers

    against `strangers`; more rows need no such help, and half the time.
    """
    weights: Weights = Weights.NONE
    """Of rows: all alike, or by the inverse of their logged propensity (scoring.weights)."""


@dataclass(frozen=True, slots=True)
class Run:
    """What decides a training besides its data."""

    seed: int = 0
    threads: int = 1
    """Folds grown at once, a thread each: changes the time it takes, never the result. LightGBM's own threads are not

    used: beside other work on the same cores they spend their time waiting for each other (186 s instead of 15 s).
    """
    recipe: Recipe = Recipe()
    dask: str = ""
    """Address of a Dask scheduler whose workers grow the trees; empty: they grow here. Not quite the same trees."""


def grow(dataset: Dataset, spots: NDArray[np.intp], rounds: int, run: Run) -> lightgbm.Booster:
    """Trees from the rows at `spots`. With `run.dask` raises as dask_fit.grow_on does."""
    if run.dask:
        rows, of_rows = learnt_from(dataset, spots, run)
        learnt = rows, dataset.outcome[of_rows], dataset.weight[of_rows]
        told = parameters(dataset.features, run, rows)
        return grow_on(run.dask, learnt, told, rounds)
    booster = seedling(dataset, spots, run)
    grow_to(booster, rounds)
    return booster


def growing(dataset: Dataset, spots: NDArray[np.intp], run: Run) -> Callable[[Rows, int], Numbers]:
    """(rows, number of trees) -> log odds, for numbers that do not go down. On a cluster all trees grow at once."""
    booster = grow(dataset, spots, run.recipe.rounds[-1], run) if run.dask else seedling(dataset, spots, run)

    def margins(rows: Rows, rounds: int) -> Numbers:
        if not run.dask:
            grow_to(booster, rounds)
        return np.asarray(booster.predict(rows, raw_score=True, num_threads=1, num_iteration=rounds))

    return margins


def grow_to(booster: lightgbm.Booster, rounds: int) -> None:
    """Go on until it has so many trees, or none that helps can be added."""
    while booster.current_iteration() < rounds:
        if booster.update():
            return


def seedling(dataset: Dataset, spots: NDArray[np.intp], run: Run) -> lightgbm.Booster:
    """A booster without trees, which will be grown from the rows at `spots`."""
    rows, of_rows = learnt_from(dataset, spots, run)
    told = parameters(dataset.features, run, rows)
    table = lightgbm.Dataset(rows, dataset.outcome[of_rows], weight=dataset.weight[of_rows], params=told)
    return lightgbm.Booster(told, table)


def share_of_columns(rows: Rows, usual: float) -> float:
    """Which share of the columns a tree sees, and each of its splits of those: `usual`, or more where they are few.

    >>> share_of_columns(np.array([[0.0, 1.0, 5.0], [1.0, np.nan, 5.0]]), 0.5)  # two tell the rows apart
    1.0
    """
    looked = rows[np.linspace(0, len(rows) - 1, min(len(rows), LOOKED_AT)).astype(np.intp)]
    same = (looked == looked[:1]) | (np.isnan(looked) & np.isnan(looked[:1]))
    telling = int((~same).any(axis=0).sum())
    return min(1.0, max(usual, LEAST_COLUMNS / max(telling, 1)))


def parameters(features: FeatureList, run: Run, rows: Rows) -> dict[str, object]:
    """What LightGBM is told, to learn from these rows."""
    recipe = run.recipe
    columns = share_of_columns(rows, recipe.columns)
    constraints = [column.monotone for column in features.columns]
    told = {
        "objective": "binary",
        "num_leaves": recipe.leaves,
        "learning_rate": recipe.learning_rate,
        "feature_fraction": columns,
        "feature_fraction_bynode": columns,
        "min_data_in_leaf": recipe.least_rows,
        "lambda_l2": recipe.l2,
        "max_bin": recipe.bins,
        "seed": run.seed,
        "num_threads": 1,
        "deterministic": True,
        "force_col_wise": True,
        "verbose": -1,
    }
    if any(constraints):
        told |= {"monotone_constraints": constraints, "monotone_constraints_method": "intermediate"}
    return told


def text_of(booster: lightgbm.Booster) -> str:
    """The model without the parameters of its run: it is what it computes."""
    return _RUN.sub("\n", booster.model_to_string())


def without_history(rows: Rows, features: FeatureList) -> Rows:
    """The same rows for a customer who has never been shown anything."""
    changed = rows.copy()
    _forget(changed, features, np.ones(len(rows), dtype=np.bool_))
    return changed


def learnt_from(dataset: Dataset, spots: NDArray[np.intp], run: Run) -> tuple[Rows, NDArray[np.intp]]:
    """Rows, some of them as if the customer were new, and which of the dataset's each one is."""
    rows = out_of_fold(dataset, spots)
    if len(spots) <= run.recipe.twice:
        return np.concatenate([rows, without_history(rows, dataset.features)]), np.tile(spots, 2)
    _forget(rows, dataset.features, _strangers(len(dataset), run)[spots])
    return rows, spots


def _forget(rows: Rows, features: FeatureList, which: NDArray[np.bool_]) -> None:
    """In place."""
    spots = np.flatnonzero([column.part is Part.HISTORY for column in features.columns])
    columns = [features.columns[spot] for spot in spots]
    rows[np.ix_(which, spots)] = [NOTHING.get(column.name, column.mean) for column in columns]


def _strangers(count: int, run: Run) -> NDArray[np.bool_]:
    """Whether each of `count` rows is one: seed and row decide, whichever others are learnt from.

    Drawn at once: the hash of every row takes longer than a tree. Philox's raw numbers are the same in every release.
    """
    drawn = np.random.Philox(key=tag(("stranger", str(run.seed)), 16)).random_raw(count)
    return drawn < np.uint64(run.recipe.strangers * 2**64) if run.recipe.strangers < 1 else np.ones(count, np.bool_)
