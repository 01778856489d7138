"""Shadow scores against those that were served, by hand; the loss beside the other's, by customer."""

import numpy as np
import pytest

from scoring.shadow import Known, Sides, loss_of, scores_of


def sides(served: list[float], shadow: list[float]) -> Sides:
    """Everything is worth two."""
    one, other = np.array(served), np.array(shadow)
    return Sides(one, 2 * one, other, 2 * other)


def test_by_hand() -> None:
    same, turned = sides([0.4, 0.3, 0.2, 0.1], [0.4, 0.3, 0.2, 0.1]), sides([0.3, 0.2, 0.1], [0.1, 0.3, 0.2])
    found = scores_of([same, turned, sides([0.5], [0.9])])
    assert found is not None
    assert (found.decisions, found.candidates) == (3, 8)
    assert found.top_changed == pytest.approx(1 / 3)
    assert found.rank_agreement == pytest.approx((1 + (1 - 6 * (4 + 1 + 1) / (3 * 8))) / 2), "one alone has no order"
    assert found.mean_absolute_difference == pytest.approx((0.2 + 0.1 + 0.1 + 0.4) / 8)
    assert found.mean_shadow - found.mean_served == pytest.approx((0.4 + 0.6 - 0.6) / 8)


def test_scores_that_are_alike_have_no_psi_and_shifted_ones_a_large_one() -> None:
    draw = np.random.default_rng(1).random(500)
    alike, shifted = (scores_of([sides(draw.tolist(), (draw * by).tolist())]) for by in (1.0, 0.5))
    assert alike is not None
    assert shifted is not None
    assert (alike.psi, alike.rank_agreement, alike.top_changed) == (0.0, 1.0, 0.0)
    assert (shifted.psi > 0.5, shifted.rank_agreement, shifted.top_changed) == (True, 1.0, 0.0), "the order is the same"


def test_nothing_is_told_of_nothing() -> None:
    assert scores_of([]) is None
    assert loss_of(Known(np.empty(0), np.empty(0, dtype=np.intp), np.empty(0), np.empty(0))) is None


def test_a_loss_is_told_beside_the_other_with_an_interval_by_customer() -> None:
    draw = np.random.default_rng(2)
    truth = np.repeat(draw.random(200), 5)
    outcome = (draw.random(1_000) < truth).astype(float)
    known = Known(outcome, np.repeat(np.arange(200), 5), np.full(1_000, 0.5), np.clip(truth, 0.05, 0.95))
    found = loss_of(known)
    assert found is not None
    assert (found.rows, found.customers, found.positives) == (1_000, 200, outcome.sum())
    assert found.served == pytest.approx(np.log(2))
    assert found.interval is not None
    assert found.interval[0] < found.shadow - found.served < found.interval[1] < 0
    few = loss_of(Known(outcome[:100], known.customer[:100], known.served[:100], known.shadow[:100]))
    assert few is not None
    assert (few.customers, few.interval) == (20, None)
