"""Fit speed: what growing the final trees of a million rows costs beside LightGBM alone, and that both are the same."""

import time
from collections.abc import Callable

import lightgbm
import msgspec
import numpy as np
import pytest

from scoring.cold_start import Starts
from scoring.dataset import Dataset
from scoring.features import FeatureList, Part, feature_list
from scoring.fit import Run, grow, learnt_from, parameters, text_of
from scoring.metrics import auc
from streams.ids import CustomerId, OfferId
from tests.scoring_world import ATTRIBUTES

ROWS, COLUMNS, ROUNDS = 1_000_000, 40, 10
GOAL = 1.3
"""CPU time of the final fit over that of bare LightGBM."""
PAIRS = 3


def columns() -> FeatureList:
    """The world's features, of every part; a half of them are history."""
    every = feature_list(ATTRIBUTES)
    history = [column for column in every.columns if column.part is Part.HISTORY][: COLUMNS // 2]
    others = [column for column in every.columns if column.part is not Part.HISTORY][-(COLUMNS - len(history)) :]
    return msgspec.structs.replace(every, columns=(*others, *history))


def synthetic(rows: int, seed: int = 5) -> Dataset:
    """Counts, codes and numbers, some of them missing; a few columns decide."""
    draw = np.random.default_rng(seed)
    features = columns()
    made = draw.normal(size=(rows, len(features.columns)))
    for spot in range(0, COLUMNS, 3):
        made[:, spot] = np.floor(np.abs(made[:, spot]) * 4)
    made[draw.random(made.shape) < 0.1] = np.nan
    margin = np.nansum(made[:, ::7] * np.linspace(0.6, 0.1, len(range(0, COLUMNS, 7))), axis=1) - 3.0
    return Dataset(
        features=features,
        rows=made,
        outcome=(draw.random(rows) < 1 / (1 + np.exp(-margin))).astype(np.float64),
        customer=np.zeros(rows, dtype=np.intp),
        customers=(CustomerId("c-1"),),
        offer=np.zeros(rows, dtype=np.intp),
        offers=(OfferId("o-1"),),
        at=np.arange(rows, dtype=np.int64),
        starts=Starts(np.full(rows, 0.1), np.full(rows, 50.0)),
        score=np.full(rows, np.nan),
        propensity=np.full(rows, np.nan),
        weight=np.ones(rows),
        revisions=(),
        models=(),
        left_out={},
    )


def spent(work: Callable[[], lightgbm.Booster]) -> tuple[float, lightgbm.Booster]:
    """Seconds of this process's CPU, and what came of it."""
    started = time.process_time()
    made = work()
    return time.process_time() - started, made


@pytest.mark.prove
def test_a_million_rows_are_fitted_as_lightgbm_alone_fits_them(
    record_property: Callable[[str, str], None],
) -> None:
    dataset, run = synthetic(ROWS), Run(0, 1)
    everything = np.arange(ROWS)
    rows, of_rows = learnt_from(dataset, everything, run)
    told = parameters(dataset.features, run, rows)

    def bare() -> lightgbm.Booster:
        table = lightgbm.Dataset(rows, dataset.outcome[of_rows], weight=dataset.weight[of_rows])
        return lightgbm.train(told, table, num_boost_round=ROUNDS)

    bare()  # the first of anything takes longer
    times: list[tuple[float, float]] = []
    for _ in range(PAIRS):
        with_ours, ours = spent(lambda: grow(dataset, everything, ROUNDS, run))
        alone, theirs = spent(bare)
        times.append((with_ours, alone))
        assert text_of(ours) == text_of(theirs)
    ours_s, alone_s = (sum(each) / PAIRS for each in zip(*times, strict=True))
    record_property(
        "with",
        f"{ROWS:,} rows, {COLUMNS} columns, {ROUNDS} rounds, one thread: {ours_s / alone_s:.2f} times the CPU time of "
        f"lightgbm.train alone on the same rows, goal {GOAL}; {ours_s:.1f} s and {alone_s:.1f} s, {PAIRS} pairs",
    )
    value = auc(dataset.outcome, np.asarray(ours.predict(dataset.rows, raw_score=True, num_threads=1)), dataset.weight)
    assert value is not None
    assert value > 0.6
