"""Reached: how far the store came in one partition."""

import pytest

from streams.errors import Stop
from streams.reached import NOTHING, OVERLAP_MS, Reached, decode, encode


def test_settled_was_applied_at_least_30_seconds_ago() -> None:
    history = [(now, 10 + now // 1000) for now in range(0, 200_000, 1_000)]
    reached = NOTHING
    for now, offset in history:
        reached = reached.advance(offset, now)
        assert reached.applied == offset
        applied_then = max((each for at, each in history if at <= now - OVERLAP_MS), default=0)
        assert reached.settled <= applied_then
    assert reached.settled >= 10 + 199 - 61, "no more than two overlaps are read again"


def test_it_never_goes_back() -> None:
    assert Reached(20, 10, 15, since=0).advance(5, now=1_000).applied == 20


def test_a_clock_set_back_starts_a_new_count_instead_of_settling_at_once() -> None:
    reached = Reached(20, 10, 15, since=100_000).advance(25, now=0)
    assert reached == Reached(25, settled=15, settling=25, since=0)


def test_stored_form_round_trips_and_refuses_another_version() -> None:
    reached = Reached(13, 9, 11, since=1_795_284_251_000)
    assert decode(encode(reached)) == reached
    assert decode(b"1 13 9 11 1795284251000") == reached, "version 1 is read for ever"
    for wrong in (b"2 13 9 11 0", b"1 13 9", b"", b"x"):
        with pytest.raises(Stop, match="expected five numbers"):
            decode(wrong)
