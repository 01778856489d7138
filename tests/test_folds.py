"""Folds: every row once; customers whole, or acceptances shared out evenly."""

import numpy as np

from scoring.dataset import build
from scoring.features import feature_list
from scoring.folds import by_customer, stratified
from tests.scoring_world import ATTRIBUTES, world

DATASET = build(world(people=21, each=6), feature_list(ATTRIBUTES))


def test_every_row_is_held_out_once() -> None:
    for split in (by_customer, stratified):
        folds = split(DATASET, 4, 0)
        assert sorted(np.concatenate(folds).tolist()) == list(range(len(DATASET)))


def test_a_customer_is_in_one_fold_and_the_folds_are_of_a_size() -> None:
    folds = by_customer(DATASET, 4, 0)
    held = [set(DATASET.customer[fold].tolist()) for fold in folds]
    assert sorted(len(customers) for customers in held) == [5, 5, 5, 6]
    assert len(set.union(*held)) == sum(len(customers) for customers in held) == 21


def test_random_folds_share_out_the_acceptances() -> None:
    counts = [int(DATASET.outcome[fold].sum()) for fold in stratified(DATASET, 4, 0)]
    assert max(counts) - min(counts) <= 1


def test_the_seed_decides() -> None:
    for split in (by_customer, stratified):
        assert all(np.array_equal(a, b) for a, b in zip(split(DATASET, 4, 1), split(DATASET, 4, 1), strict=True))
        assert not np.array_equal(split(DATASET, 4, 1)[0], split(DATASET, 4, 2)[0])
