"""Calibration drift: a model that still holds is left in peace, at small counts too, and one that does not is named."""

import numpy as np
import pytest

from scoring.calibration_drift import LEAST_CUSTOMERS, days, window
from streams.instant import DAY_MS

SPAN = (0, DAY_MS)


def drawn(customers: int, each: int, factor: float, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Outcomes `factor` as frequent as said, of customers who are eager or not: one's outcomes go together."""
    draw = np.random.default_rng(seed)
    customer = np.repeat(np.arange(customers), each)
    said = draw.uniform(0.05, 0.35, customers * each)
    eager = np.repeat(draw.choice([0.5, 1.5], customers), each)
    return (draw.random(len(said)) < said * eager * factor).astype(np.float64), said, customer


@pytest.mark.parametrize(("customers", "each"), [(40, 10), (300, 3), (2_000, 1)])
def test_probabilities_that_hold_cry_wolf_less_than_once_in_a_hundred_windows(customers: int, each: int) -> None:
    found = [window(*drawn(customers, each, 1.0, seed), SPAN) for seed in range(300)]
    inside = sum(w.interval is not None and w.interval[0] <= 1 <= w.interval[1] for w in found)
    assert sum(w.drifted for w in found) <= 3
    assert inside >= 290


@pytest.mark.parametrize("factor", [0.6, 1.5])
def test_half_as_many_again_or_two_fifths_fewer_are_called_drift(factor: float) -> None:
    found = window(*drawn(1_000, 3, factor, 1), SPAN)
    assert found.drifted
    assert found.ratio == pytest.approx(factor, abs=0.12)
    assert (found.rows, found.customers) == (3_000, 1_000)
    assert found.came == pytest.approx(found.predicted * factor, rel=0.15)


def test_a_difference_that_money_does_not_notice_is_no_drift_however_sure() -> None:
    outcome = np.tile([1.0, 0.0], 200_000)
    found = window(outcome, np.full(400_000, 0.48), np.arange(400_000), SPAN)
    assert found.interval is not None
    assert found.interval[0] > 1
    assert not found.drifted


def test_too_few_predictions_or_customers_say_nothing() -> None:
    one = np.ones(400)
    assert window(one, one * 0.02, np.arange(400), SPAN).ratio is None
    assert window(one, one * 0.5, np.arange(400) % (LEAST_CUSTOMERS - 1), SPAN).ratio is None
    assert window(one, one * 0.5, np.arange(400), SPAN).ratio == 2


def test_nothing_accepted_at_all_is_drift_although_nothing_varies() -> None:
    nothing = np.zeros(300)
    found = window(nothing, nothing + 0.2, np.arange(300), SPAN)
    assert (found.ratio, found.drifted) == (0, True)
    assert found.interval is not None
    assert found.interval[0] == 0 < found.interval[1]


def test_an_empty_window_is_told_as_such_and_days_are_in_order() -> None:
    none = np.empty(0)
    found = window(none, none, np.empty(0, dtype=np.intp), SPAN)
    assert (found.rows, found.customers, found.ratio, found.drifted) == (0, 0, None, False)
    assert list(days(none, none, np.empty(0, dtype=np.intp), np.empty(0, dtype=np.int64))) == []
    at = np.array([2, 0, 0, 5]) * DAY_MS + 5
    each = list(days(np.zeros(4), np.zeros(4) + 0.1, np.arange(4), at))
    assert [(w.since // DAY_MS, w.until // DAY_MS, w.rows) for w in each] == [(0, 1, 2), (2, 3, 1), (5, 6, 1)]
