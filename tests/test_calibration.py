"""Calibration: rising curves that mend what is over- or underconfident, chosen on rows they did not see."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from scoring.calibration import AS_IT_IS, best_method, cross_fitted, fit, isotonic, platt, sigmoid
from scoring.metrics import ece, log_loss

Numbers = NDArray[np.float64]


def world(rows: int, truth: str) -> tuple[Numbers, Numbers, Numbers, list[NDArray[np.intp]]]:
    """Margins twice too sure, and outcomes from a logistic or from a stepped truth."""
    draw = np.random.default_rng(3)
    margins = draw.normal(-1, 2, rows)
    chance = (
        sigmoid(margins / 2) if truth == "logistic" else np.where(margins < 0, 0.1, np.where(margins < 1, 0.2, 0.9))
    )
    outcome = (draw.random(rows) < chance).astype(np.float64)
    folds = [np.flatnonzero(np.arange(rows) % 4 == number) for number in range(4)]
    return margins, outcome, np.ones(rows), folds


def test_a_logistic_curve_takes_the_overconfidence_away() -> None:
    margins, outcome, weight, _ = world(5_000, "logistic")
    curve = platt(margins, outcome, weight)
    assert curve.slope == pytest.approx(0.5, abs=0.05)
    assert ece(outcome, curve.apply(margins), weight) < 0.03 < 0.05 < ece(outcome, sigmoid(margins), weight)


def test_margins_that_point_the_wrong_way_are_left_as_they_are() -> None:
    margins, outcome, weight, _ = world(500, "logistic")
    assert platt(-margins, outcome, weight) == AS_IT_IS


def test_folds_whose_others_hold_one_outcome_leave_the_margins_as_they_are() -> None:
    """All acceptances are of the customers of one fold: of the others nothing can be fitted, which ended a training."""
    margins, outcome = np.linspace(-2.0, 2.0, 40), np.repeat([0.0, 1.0], 20)
    folds = [np.arange(20), np.arange(20, 40)]
    said = cross_fitted(platt, (margins, outcome, np.ones(40)), folds)
    assert said.tolist() == AS_IT_IS.apply(margins).tolist()


def test_the_free_curve_is_chosen_where_the_truth_is_no_logistic_and_rows_are_many() -> None:
    margins, outcome, weight, folds = world(8_000, "stepped")
    assert best_method(margins, outcome, weight, folds) is isotonic
    assert fit(margins, outcome, weight, folds).method == "isotonic"
    few = slice(0, 800)
    assert best_method(margins[few], outcome[few], weight[few], [fold[fold < 800] for fold in folds]) is platt


def test_rows_are_judged_by_a_curve_that_has_not_seen_them() -> None:
    draw = np.random.default_rng(5)
    margins, outcome = draw.normal(size=4_000), (draw.random(4_000) < 0.5).astype(np.float64)
    folds = [np.flatnonzero(np.arange(4_000) % 4 == number) for number in range(4)]
    seen = isotonic(margins, outcome, np.ones(4_000)).apply(margins)
    unseen = cross_fitted(isotonic, (margins, outcome, np.ones(4_000)), folds)
    assert log_loss(outcome, seen, np.ones(4_000)) < np.log(2) < log_loss(outcome, unseen, np.ones(4_000))


CURVES = {"platt": platt(*world(3_000, "stepped")[:3]), "isotonic": isotonic(*world(3_000, "stepped")[:3])}


@given(st.sampled_from(sorted(CURVES)), st.lists(st.floats(-60, 60), min_size=2, max_size=20))
def test_a_curve_never_turns_an_order_round_and_never_says_never(method: str, points: list[float]) -> None:
    said = CURVES[method].apply(np.array(sorted(points)))
    assert (np.diff(said) >= 0).all()
    assert 0 < said.min() <= said.max() < 1


def test_the_free_curve_ties_no_two_margins_that_differ() -> None:
    curve = isotonic(*world(5_000, "stepped")[:3])
    assert (np.diff(curve.apply(np.linspace(-9, 6, 500))) > 0).all()
