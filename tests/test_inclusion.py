"""Inclusion: alone and beside others that were drawn, exactly."""

from itertools import combinations

import pytest

from offers.inclusion import beside, drawn


@pytest.mark.parametrize(("limit", "left"), [(6, 4), (9, 4), (12, 11), (384, 129), (384, 100_003)])
def test_the_chance_beside_others_is_that_of_draws_without_replacement(limit: int, left: int) -> None:
    most = drawn(limit)
    inclusion = most / left
    for shown in range(min(most, 30)):
        assert beside(inclusion, shown, limit) == pytest.approx((most - shown) / (left - shown), rel=1e-12)


def test_all_pairs_of_a_draw_are_counted() -> None:
    pairs = list(combinations(range(5), 3))  # 3 of 5 are drawn
    both = sum(1 for found in pairs if {0, 1} <= set(found)) / len(pairs)
    assert beside(3 / 5, 0, 9) * beside(3 / 5, 1, 9) == pytest.approx(both) == pytest.approx(0.3)


def test_what_was_certain_to_be_looked_at_stays_certain() -> None:
    assert beside(1.0, 3, 384) == 1.0
