"""Fit: the same trees from the same rows, strangers among them, and a discount that never puts anybody off."""

from dataclasses import replace

import numpy as np

from scoring.dataset import Dataset, build, learn_features
from scoring.features import Part
from scoring.fit import Run, grow, learnt_from, text_of, without_history
from tests.scoring_world import ATTRIBUTES, QUICK, world

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
