"""Cross-validation: new customers without history, returning ones with it, and no answer that looks at itself."""

from dataclasses import replace

import numpy as np

from scoring.cross_validation import NEW, RETURNING, best_rounds, cross_validate, judge, kinds_of
from scoring.dataset import Dataset, build, learn_features
from scoring.fit import Recipe, Run
from scoring.metrics import auc
from scoring.train import evidence_of
from tests.scoring_world import ATTRIBUTES, QUICK, world

DATASET = build(world(), learn_features(world(), ATTRIBUTES))
RUN = Run(0, 1, QUICK)


def shuffled(dataset: Dataset) -> Dataset:
    return replace(dataset, outcome=np.random.default_rng(1).permutation(dataset.outcome))


def test_what_can_be_known_is_found_on_rows_that_were_held_out() -> None:
    found = [cross_validate(DATASET, kind, RUN) for kind in kinds_of(DATASET)]
    judged = judge(DATASET, found, best_rounds(DATASET, found), evidence_of(DATASET), 0)
    assert set(judged.metrics) == {NEW, RETURNING}
    for metrics in judged.metrics.values():
        assert metrics.auc is not None
        assert metrics.auc > 0.7
        assert metrics.log_loss < metrics.log_loss_of_mean
        assert metrics.ece < 0.1


def test_shuffled_outcomes_are_not_found_by_anybody() -> None:
    noise = shuffled(DATASET)
    for kind in (NEW, RETURNING):
        margins = cross_validate(noise, kind, RUN).margins[-1]
        value = auc(noise.outcome, margins, noise.weight)
        assert value is not None
        assert abs(value - 0.5) < 0.08


def test_threads_and_repetition_change_nothing() -> None:
    one = cross_validate(DATASET, RETURNING, RUN)
    other = cross_validate(DATASET, RETURNING, Run(0, 2, QUICK))
    assert one.margins.tobytes() == other.margins.tobytes()


def test_the_number_of_trees_is_the_one_with_the_least_loss() -> None:
    recipe = Recipe(rounds=(1, 15, 16), leaves=7)
    found = [cross_validate(DATASET, kind, Run(0, 1, recipe)) for kind in (NEW, RETURNING)]
    assert best_rounds(DATASET, found) > 0


def test_where_the_loss_only_rises_no_more_trees_are_grown() -> None:
    noise = shuffled(DATASET)
    recipe = Recipe(rounds=(5, 20, 40, 60, 80), leaves=31, learning_rate=0.5)
    margins = cross_validate(noise, RETURNING, Run(0, 1, recipe)).margins
    assert margins[-1].tobytes() == margins[-2].tobytes() != margins[0].tobytes()


def test_a_log_of_few_customers_answers_for_returning_ones_only() -> None:
    few = build(world(people=3, each=80), learn_features(world(people=3, each=80), ATTRIBUTES))
    assert kinds_of(few) == (RETURNING,)
    found = [cross_validate(few, RETURNING, RUN)]
    assert set(judge(few, found, 0, evidence_of(few), 0).metrics) == {RETURNING}


def test_progress_is_told_fold_by_fold() -> None:
    told: list[tuple[str, float]] = []
    cross_validate(DATASET, NEW, RUN, folds=2, progress=lambda stage, done: told.append((stage, done)))
    assert told == [("new customers: fold 1 of 2", 0.5), ("new customers: fold 2 of 2", 1.0)]
