"""The coupon results: folds that hold everybody once, and an answer that is never among what is known of it."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from loadtests.results.coupons import (
    FOLDS,
    NEW,
    RETURNING,
    SAMPLED,
    Survey,
    difference,
    folds,
    survey,
    together,
    without,
)
from loadtests.results.coupons import Said as Scores
from scoring.dataset import Dataset, build, learn_features
from streams.attributes import AttributeSet


@pytest.fixture(scope="module")
def found() -> Survey:
    return survey(every=8)


@pytest.mark.parametrize("kind", [NEW, RETURNING])
def test_every_answer_is_held_out_once_and_a_new_customer_is_nowhere_else(found: Survey, kind: str) -> None:
    held_out = folds(found, kind, 0)
    assert sorted(np.concatenate(held_out).tolist()) == list(range(len(found.taken)))
    shared = [set(found.respondent[rows]) & set(np.delete(found.respondent, rows)) for rows in held_out]
    assert (max(map(len, shared)) == 0) == (kind == NEW)
    assert max(abs(found.taken[rows].sum() - found.taken.sum() / FOLDS) for rows in held_out) < 2 or kind == NEW


def test_a_held_out_answer_is_asked_with_the_training_answers_of_its_respondent_and_no_other(found: Survey) -> None:
    rows = folds(found, RETURNING, 0)[3]
    others = np.setdiff1d(np.arange(len(found.taken)), rows)
    log = found.training(others, 0)
    assert len(log) == len(others)
    for row, example in zip(rows.tolist(), found.asked(rows, log), strict=True):
        own = others[found.respondent[others] == found.respondent[row]]
        counted = {"exposed": 0, "clicked": 0}
        for key, buckets in example.inputs.profile.counters.items():
            counted[key[0]] += sum(buckets.values())
        assert counted == {"exposed": len(own), "clicked": int(found.taken[own].sum())}
        assert example.outcomes == (int(found.taken[row]),)


def test_a_training_answer_knows_only_what_came_before_it(found: Survey) -> None:
    log = found.training(np.arange(len(found.taken)), 1)
    met: dict[str, int] = {}
    for example in log:
        who = example.inputs.request.customer_id
        exposed = [b for key, b in example.inputs.profile.counters.items() if key[0] == "exposed"]
        assert sum(sum(buckets.values()) for buckets in exposed) == met.get(who, 0)
        assert all(bucket * 900_000 < example.inputs.now for buckets in exposed for bucket in buckets)
        met[who] = met.get(who, 0) + 1


def test_rows_without_the_protected_columns_are_those_of_a_deployment_that_declares_them_protected(
    found: Survey,
) -> None:
    rows = np.arange(0, len(found.taken), 5)
    log = found.training(np.setdiff1d(np.arange(len(found.taken)), rows), 0)
    by_name = dict(found.attributes.by_name)
    by_name |= {name: replace(by_name[name], protected=True) for name in SAMPLED}

    def built(attributes: AttributeSet) -> tuple[Dataset, Dataset]:
        known = build(partial(list, log), learn_features(partial(list, log), attributes))
        return known, build(partial(found.asked, rows, log), known.features)

    declared = built(replace(found.attributes, by_name=by_name))
    usual = built(found.attributes)
    assert set(SAMPLED) < set(usual[0].features.names)
    for expected, before in zip(declared, usual, strict=True):
        taken_out = without(before, SAMPLED)
        assert taken_out.features == expected.features
        assert taken_out.rows.flags.c_contiguous
        assert taken_out.digest() == expected.digest()


def test_the_same_scores_differ_by_nothing_and_better_ones_by_more(found: Survey) -> None:
    noise = np.random.default_rng(0).random((2, len(found.taken)))
    assert difference(found, Scores(noise, noise)) == (0.0, 0.0, 0.0)
    gained, low, high = difference(found, Scores(noise + 0.5 * found.taken, noise))
    assert 0.2 < low < gained < high


def test_seeds_are_put_together_in_their_order() -> None:
    said = together([Scores(np.full((1, 3), seed), np.full((1, 3), -seed)) for seed in (4.0, 5.0, 6.0)])
    assert said.engine[:, 0].tolist() == [4.0, 5.0, 6.0]
    assert said.reference.tolist() == (-said.engine).tolist()
