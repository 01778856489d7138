"""Who comes when: seeded, skewed, in the world's proportions, and open: nothing waits for anything."""

import itertools
from collections import Counter

import pytest

from loadtests.load.shapes import Stage, shape
from loadtests.load.traffic import (
    AGAIN_S,
    DECISION,
    MIX,
    OUTCOMES,
    PAUSE_S,
    REPEATS,
    REPORTS_S,
    Arrival,
    Part,
    arrivals,
    eagerness,
)

CROWD = [eagerness(rank) for rank in range(3_000)]
STAGES = shape("steady", 100, 40)
RUN = arrivals(1, STAGES, CROWD)


def looks(run: list[Arrival]) -> list[Arrival]:
    return [each for each in run if each.kind == DECISION]


def test_the_same_seed_is_the_same_run_and_another_is_another() -> None:
    assert arrivals(1, STAGES, CROWD) == RUN
    assert arrivals(2, STAGES, CROWD) != RUN


def test_arrivals_are_in_order_and_as_many_as_the_rate_says() -> None:
    assert [each.at for each in RUN] == sorted(each.at for each in RUN)
    due = sum(stage.rate * stage.seconds for stage in STAGES)
    assert len(RUN) == pytest.approx(due, abs=4 * due**0.5)


def test_each_stage_has_its_own_rate() -> None:
    stages = (Stage("slow", "steady", 20, 10), Stage("fast", "steady", 20, 200))
    run = arrivals(3, stages, CROWD)
    slow = sum(each.at < 20 for each in run)
    assert slow == pytest.approx(200, abs=60) and len(run) - slow == pytest.approx(4_000, abs=260)


def test_arrivals_come_by_chance_and_not_in_step() -> None:
    gaps = [after.at - before.at for before, after in itertools.pairwise(RUN)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert spread == pytest.approx(mean, rel=0.1), "an exponential distribution's deviation is its mean"


def test_kinds_come_in_their_proportion() -> None:
    found = Counter(each.kind for each in RUN)
    assert set(found) == set(MIX)
    for kind, share in MIX.items():
        assert found[kind] / len(RUN) == pytest.approx(share, abs=0.03)


def test_few_ask_much_and_many_little() -> None:
    asked = Counter(each.customer for each in looks(RUN))
    tenth = sum(sorted(asked.values())[-len(asked) // 10 :])
    assert tenth > 0.3 * sum(asked.values())
    assert max(asked.values()) > 10 > min(asked.values())


def test_whoever_has_looked_looks_again_soon_or_not_for_a_long_time() -> None:
    last: dict[int, float] = {}
    repeats = 0
    for look in looks(RUN):
        if look.customer in last:
            gap = look.at - last[look.customer]
            assert gap >= 0
            repeats += 1
            assert gap <= max(AGAIN_S[1], PAUSE_S)
        last[look.customer] = look.at
    settled = [look for look in looks(RUN) if look.at > AGAIN_S[0]]
    assert repeats / len(settled) == pytest.approx(REPEATS, abs=0.06)


def test_outcomes_are_reported_by_those_who_have_looked() -> None:
    looked: dict[int, float] = {}
    for each in RUN:
        if each.kind == OUTCOMES:
            assert REPORTS_S[0] <= each.at - looked.pop(each.customer) <= REPORTS_S[1]
        elif each.kind == DECISION:
            looked.setdefault(each.customer, each.at)


def test_generators_share_the_load_and_never_a_customer() -> None:
    parts = [arrivals(1, STAGES, CROWD, Part(index, 3)) for index in range(3)]
    for index, part in enumerate(parts):
        assert {each.customer % 3 for each in part} == {index}
        assert len(part) == pytest.approx(len(RUN) / 3, rel=0.1)


def test_a_crowd_too_small_for_the_rate_comes_again() -> None:
    run = looks(arrivals(1, shape("steady", 50, 20), [1.0, 1.0, 1.0]))
    assert {look.customer for look in run} == {0, 1, 2} and len(run) > 500
