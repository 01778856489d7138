"""Metrics: equal to scikit-learn's where it has them, and right at the edges."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from scoring.metrics import auc, auc_interval, ece, intervals, log_loss, measure, reliability

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 10).map(lambda tenth: tenth / 10), st.sampled_from([0.5, 1.0, 3.0])),
    min_size=2,
    max_size=60,
).filter(lambda rows: 0 < sum(outcome for outcome, _, _ in rows) < len(rows))


@given(ROWS)
def test_auc_log_loss_and_brier_are_those_of_scikit_learn_with_ties_and_weights(
    rows: list[tuple[int, float, float]],
) -> None:
    outcome, score, weight = (np.array(column, dtype=np.float64) for column in zip(*rows, strict=True))
    assert auc(outcome, score, weight) == pytest.approx(sk.roc_auc_score(outcome, score, sample_weight=weight))
    inside = np.clip(score, 0.01, 0.99)
    found = measure(outcome, inside, np.arange(len(rows)), weight, 0)
    assert found.log_loss == pytest.approx(sk.log_loss(outcome, inside, sample_weight=weight))
    assert found.brier == pytest.approx(sk.brier_score_loss(outcome, inside, sample_weight=weight))


def test_with_one_outcome_only_there_is_no_auc_and_the_rest_is_told() -> None:
    found = measure(np.zeros(5), np.full(5, 0.2), np.arange(5), np.ones(5), 0)
    assert (found.auc, found.auc_interval, found.positives) == (None, None, 0)
    assert found.brier == pytest.approx(0.04)


def test_a_certain_and_wrong_probability_costs_much_and_not_infinitely() -> None:
    assert 30 < log_loss(np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.ones(2)) < 40


def test_calibration_error_is_the_weighted_gap_of_the_bins() -> None:
    outcome = np.array([0.0, 0.0, 1.0, 1.0, 1.0, 1.0])
    said = np.array([0.25, 0.25, 0.25, 0.25, 0.95, 1.0])
    table = reliability(outcome, said, np.ones(6))
    assert [(line.low, line.high, line.rows, line.observed) for line in table] == [(0.2, 0.3, 4, 0.5), (0.9, 1.0, 2, 1)]
    assert ece(outcome, said, np.ones(6)) == pytest.approx((4 * 0.25 + 2 * 0.025) / 6)


def test_the_interval_holds_the_value_and_is_wider_when_answers_belong_to_few_customers() -> None:
    draw = np.random.default_rng(1)
    taste = draw.normal(size=40).repeat(25)
    outcome = (draw.random(1_000) < 1 / (1 + np.exp(-taste))).astype(np.float64)
    value = auc(outcome, taste, np.ones(1_000))
    alone = auc_interval(outcome, taste, np.arange(1_000), np.ones(1_000), 0)
    grouped = auc_interval(outcome, taste, np.arange(40).repeat(25), np.ones(1_000), 0)
    assert value is not None
    assert alone is not None
    assert grouped is not None
    assert grouped[0] < alone[0] < value < alone[1] < grouped[1]
    assert grouped == auc_interval(outcome, taste, np.arange(40).repeat(25), np.ones(1_000), 0)


@pytest.mark.parametrize("off", [0.0, 0.15])
def test_the_interval_of_the_calibration_error_holds_the_true_one(off: float) -> None:
    """A calibrated model's lower end was above 0 in one log of three: what chance adds was taken for an error."""
    found = []
    for seed in range(30):
        draw = np.random.default_rng(seed)
        customer = np.repeat(np.arange(120), draw.poisson(4, 120) + 1)
        said = draw.uniform(0.2, 0.8, len(customer))
        outcome = (draw.random(len(said)) < said + off).astype(np.float64)
        told = intervals(outcome, said, customer, np.ones(len(said)), seed)
        assert told is not None
        found.append(told.ece)
    assert sum(low <= off <= high for low, high in found) >= 27
    assert off == 0 or min(low for low, _ in found) > 0
