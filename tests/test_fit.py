"""Fit: the same trees from the same rows, strangers among them, and a discount that never puts anybody off."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from scoring.dataset import Dataset, build, learn_features
from scoring.features import Part
from scoring.fit import Run, grow, learnt_from, text_of, without_history
from scoring.jsonl import NOTHING_DECLARED, JsonLog
from scoring.metrics import auc
from tests.scoring_world import ATTRIBUTES, QUICK, world
from tests.test_retraining import written

DATASET = build(world(), learn_features(world(), ATTRIBUTES))
EVERYTHING = np.arange(len(DATASET))


def put_off(dataset: Dataset) -> Dataset:
    """A log in which deep discounts came with refusals."""
    rows = dataset.rows.copy()
    spot = dataset.features.names.index("offer.discount")
    rows[:, spot] = np.where(dataset.outcome > 0, 5.0, 40.0) + np.arange(len(dataset)) % 7
    return replace(dataset, rows=rows)


def test_rows_seed_and_recipe_decide_every_byte() -> None:
    one, other = (text_of(grow(DATASET, EVERYTHING, 8, Run(3, 1, QUICK))) for _ in range(2))
    assert one == other
    assert "num_threads" not in one
    assert one != text_of(grow(DATASET, EVERYTHING, 8, Run(4, 1, QUICK)))


def test_growing_leaves_the_rows_alone() -> None:
    before = DATASET.digest()
    grow(DATASET, EVERYTHING, 3, Run(0, 1, QUICK))
    assert DATASET.digest() == before


def test_a_deeper_discount_never_lowers_the_propensity_even_where_the_log_says_so() -> None:
    against = put_off(DATASET)
    booster = grow(against, EVERYTHING, 30, Run(0, 1, QUICK))
    spot = against.features.names.index("offer.discount")
    for row in against.rows[::60]:
        deeper = np.repeat(row[None, :], 60, axis=0)
        deeper[:, spot] = np.linspace(0, 60, 60)
        assert (np.diff(booster.predict(deeper, raw_score=True)) >= 0).all()


def test_who_likes_which_offer_is_learnt_from_two_columns_alone(tmp_path: Path) -> None:
    """Half of two columns is one: no tree saw both, and the model said the mean to everybody (AUC .52)."""
    log = JsonLog(written(tmp_path / "log.jsonl"), NOTHING_DECLARED)
    dataset = build(log.examples(), learn_features(log.examples(), log.attributes()))
    half = len(dataset) // 2
    booster = grow(dataset, np.arange(half), 20, Run())
    said = np.asarray(booster.predict(dataset.rows[half:], raw_score=True, num_threads=1))
    found = auc(dataset.outcome[half:], said, dataset.weight[half:])
    assert found is not None
    assert found > 0.7, "six of ten who like it accept, one of ten others"


def test_without_history_nobody_has_seen_anything_and_the_rest_stays() -> None:
    changed = without_history(DATASET.rows, DATASET.features)
    for spot, column in enumerate(DATASET.features.columns):
        if column.part is Part.HISTORY:
            assert np.nansum(changed[:, spot] - column.mean) == 0
        else:
            assert changed[:, spot].tobytes() == DATASET.rows[:, spot].tobytes()


def test_a_recipe_without_strangers_grows_other_trees() -> None:
    recipes = (replace(QUICK, twice=0, strangers=0.0), replace(QUICK, twice=0), QUICK)
    met, mixed, twice = (text_of(grow(DATASET, EVERYTHING, 8, Run(3, 1, recipe))) for recipe in recipes)
    assert len({met, mixed, twice}) == 3


def test_seed_and_row_decide_who_is_a_stranger_whichever_rows_are_learnt_from() -> None:
    run = Run(3, 1, replace(QUICK, twice=0))
    strangers = without_history(DATASET.rows, DATASET.features)
    made, of_rows = learnt_from(DATASET, EVERYTHING, run)
    assert of_rows is EVERYTHING
    met = (made != strangers).any(axis=1, where=~np.isnan(strangers))
    known = (DATASET.rows != strangers).any(axis=1, where=~np.isnan(strangers))
    assert 0.5 < met[known].mean() < 0.7
    third = learnt_from(DATASET, EVERYTHING[::3], run)[0]
    assert third.tobytes() == made[::3].tobytes()
    assert learnt_from(DATASET, EVERYTHING, replace(run, seed=4))[0].tobytes() != made.tobytes()


def test_all_or_none_may_be_strangers() -> None:
    for share, expected in ((0.0, DATASET.rows), (1.0, without_history(DATASET.rows, DATASET.features))):
        made, _ = learnt_from(DATASET, EVERYTHING, Run(3, 1, replace(QUICK, twice=0, strangers=share)))
        assert made.tobytes() == expected.tobytes()
