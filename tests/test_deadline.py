"""What a deadline leaves for reading and for scoring."""

from time import perf_counter

import pytest

from offers.deadline import READ_S, candidate_limit, left_ms, read_s


def test_without_a_deadline_everything_may_be_scored() -> None:
    assert left_ms(None, perf_counter()) == float("inf")
    assert candidate_limit(None, perf_counter()) == 384
    assert read_s(None, perf_counter()) == READ_S


@pytest.mark.parametrize("deadline_ms", [-5.0, 0.0, 1.0, 3.0])
def test_a_deadline_that_has_passed_leaves_nothing(deadline_ms: float) -> None:
    assert left_ms(deadline_ms, perf_counter()) == 0.0
    assert candidate_limit(deadline_ms, perf_counter()) == 0
    assert read_s(deadline_ms, perf_counter()) == 0.0


def test_time_already_spent_counts() -> None:
    assert candidate_limit(100.0, perf_counter() - 0.2) == 0
    assert 0 < candidate_limit(10.0, perf_counter()) <= 140
    assert candidate_limit(10_000.0, perf_counter(), 75) == 75


def test_reading_leaves_time_to_decide_without_it() -> None:
    assert read_s(203.0, perf_counter()) <= 0.1
    assert read_s(1e308, perf_counter()) == READ_S
