"""Who is in which arm: in the shares asked for, the same everywhere and for ever, moved by as little as can be.

Counts of fixed customers are held against exact binomial bounds, outside which one run in a billion would fall.
"""

import os
import subprocess
import sys
from collections import Counter
from math import exp, lgamma, log, log1p

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.experiment import HOLDOUT, OTHERS, Arm, Experiment, Step, arm_of, held, reached
from streams.ids import CustomerId

CUSTOMERS = tuple(CustomerId(f"c-{number}") for number in range(4_000))
HALVES = Experiment("cabin-price", (Arm("control", 0.5), Arm("deeper", 0.5)))
RARE = 1e-9


def divided(experiment: Experiment, now: int = 0) -> list[str]:
    """The arm of each of the customers."""
    return [arm_of(experiment, customer, now) for customer in CUSTOMERS]


def likely(found: int, of: int, chance: float) -> bool:
    """Whether a count is neither so small nor so large that chance alone gives it once in a billion times."""
    if not 0 < chance < 1:
        return found == round(of * chance)
    start = lgamma(of + 1)
    odds = [
        exp(start - lgamma(hits + 1) - lgamma(of - hits + 1) + hits * log(chance) + (of - hits) * log1p(-chance))
        for hits in range(of + 1)
    ]
    return sum(odds[: found + 1]) > RARE and sum(odds[found:]) > RARE


@pytest.mark.parametrize(
    ("shares", "holdout"),
    [((0.5, 0.5), 0.0), ((0.5, 0.5), 0.1), ((0.9, 0.05), 0.2), ((1 / 3, 1 / 3, 1 / 3), 0.0), ((0.0, 0.6), 0.05)],
)
def test_customers_are_divided_by_the_shares(shares: tuple[float, ...], holdout: float) -> None:
    arms = tuple(Arm(f"arm-{number}", share) for number, share in enumerate(shares))
    counts = Counter(divided(Experiment("shares", arms, holdout=holdout))[:1_000])
    expected = {HOLDOUT: holdout, **{arm.name: (1 - holdout) * arm.share for arm in arms}}
    expected[OTHERS] = 1 - sum(expected.values())
    for name, chance in expected.items():
        assert likely(counts[name], 1_000, round(chance, 9)), (name, counts)
    assert counts.total() == 1_000


def test_a_share_of_a_hundredth_of_a_percent_takes_about_that_many() -> None:
    tiny = Experiment("tiny", (Arm("tiny", 0.0001),), holdout=0.0001)
    counts = Counter(arm_of(tiny, CustomerId(f"c-{number}"), 0) for number in range(200_000))
    assert 2 <= counts["tiny"] <= 50
    assert 2 <= counts[HOLDOUT] <= 50


def test_two_experiments_know_nothing_of_each_other() -> None:
    other = Experiment("welcome-words", HALVES.arms, holdout=0.2)
    pairs = Counter(zip(divided(HALVES), divided(other), strict=True))
    for own in ("control", "deeper"):
        of = sum(count for (first, _), count in pairs.items() if first == own)
        for name, chance in ((HOLDOUT, 0.2), ("control", 0.4), ("deeper", 0.4)):
            assert likely(pairs[own, name], of, chance), pairs


def test_holdout_ramp_and_arm_of_one_experiment_are_drawn_apart() -> None:
    trial = Experiment("apart", HALVES.arms, holdout=0.5, ramp=(Step(0, 0.5),))
    counts = Counter(divided(trial)[:1_000])
    for name, chance in ((HOLDOUT, 0.5), (OTHERS, 0.25), ("control", 0.125), ("deeper", 0.125)):
        assert likely(counts[name], 1_000, chance), counts


# What stays when something changes


def test_a_ramp_that_rises_keeps_who_is_in() -> None:
    ramp = tuple(Step(number, number / 10) for number in range(1, 11))
    trial = Experiment("ramped", HALVES.arms, ramp=ramp)
    before = divided(trial, 0)
    assert set(before) == {OTHERS}, "nobody before the first date"
    for step in ramp:
        after = divided(trial, step.at)
        assert all(old in (OTHERS, new) for old, new in zip(before, after, strict=True))
        assert after != before
        before = after
    assert OTHERS not in before


def test_at_its_end_a_ramp_has_changed_nobodys_arm() -> None:
    trial = Experiment("cabin-price", HALVES.arms, ramp=(Step(5, 0.2), Step(9, 1.0)))
    assert divided(trial, 9) == divided(HALVES)


def moved(before: Experiment, after: Experiment) -> Counter[tuple[str, str]]:
    pairs = zip(divided(before), divided(after), strict=True)
    return Counter(pair for pair in pairs if pair[0] != pair[1])


def test_a_share_that_grows_takes_customers_and_few_others_move() -> None:
    before = Experiment("grows", (Arm("a", 0.2), Arm("b", 0.3), Arm("c", 0.1)))
    after = Experiment("grows", (Arm("a", 0.4), Arm("b", 0.3), Arm("c", 0.1)))
    changes = moved(before, after)
    assert set(changes) <= {(OTHERS, "a"), ("b", "a"), ("c", "a"), (OTHERS, "b"), (OTHERS, "c")}
    assert changes.total() < 0.3 * len(CUSTOMERS), "a fifth must move"


def test_the_order_of_the_arms_and_an_arm_added_beside_them_move_nobody_between_the_others() -> None:
    before = Experiment("order", (Arm("a", 0.5), Arm("b", 0.5)))
    assert not moved(before, Experiment("order", (Arm("b", 0.5), Arm("a", 0.5))))
    third = Experiment("order", (Arm("a", 1 / 3), Arm("b", 1 / 3), Arm("new", 1 / 3)))
    changes = moved(before, third)
    assert {new for _, new in changes} == {"new"}
    assert 1_000 < changes.total() < 1_700, "a third of them"


def test_a_holdout_that_grows_keeps_who_is_held_out() -> None:
    small, large = Experiment("held", HALVES.arms, holdout=0.05), Experiment("held", HALVES.arms, holdout=0.15)
    assert {new for _, new in moved(small, large)} == {HOLDOUT}


def test_a_new_id_draws_anew() -> None:
    first = {customer for customer in CUSTOMERS if held("global-2026", 0.5, customer)}
    second = {customer for customer in CUSTOMERS if held("global-2027", 0.5, customer)}
    assert 800 < len(first & second) < 1_200


@given(st.text(min_size=1, max_size=20), st.integers(0, 10_000), st.integers(0, 10_000))
def test_any_customer_is_in_one_arm_and_stays_in_it_as_it_grows(name: str, one: int, other: int) -> None:
    customer, low, high = CustomerId(name), *sorted((one, other))
    before = arm_of(Experiment("any", (Arm("a", low / 10_000),)), customer, 0)
    after = arm_of(Experiment("any", (Arm("a", high / 10_000),)), customer, 0)
    assert {before, after} <= {"a", OTHERS}
    assert (before, after) != ("a", OTHERS)


def test_a_ramp_is_where_its_last_step_was() -> None:
    ramp = (Step(1_000, 0.1), Step(2_000, 1.0))
    assert [reached(ramp, at) for at in (0, 999, 1_000, 1_999, 2_000, 9_999)] == [0.0, 0.0, 0.1, 0.1, 1.0, 1.0]


ASKED = """
from offers.experiment import Arm, Experiment, arm_of
trial = Experiment("cabin-price", (Arm("control", 0.3), Arm("deeper", 0.3), Arm("deepest", 0.3)), holdout=0.1)
print(",".join(arm_of(trial, f"c-{number}", 0) for number in range(200)))
"""


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_another_process_finds_the_same_arms(seed: str) -> None:
    trial = Experiment("cabin-price", (Arm("control", 0.3), Arm("deeper", 0.3), Arm("deepest", 0.3)), holdout=0.1)
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run([sys.executable, "-c", ASKED], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.strip().split(",") == divided(trial)[:200]


def test_the_arms_of_some_customers_are_what_they_were_when_this_was_written() -> None:
    trial = Experiment("cabin-price", HALVES.arms, holdout=0.1)
    assert divided(trial)[:8] == ["holdout", "deeper", "deeper", "control", "holdout", "control", "control", "deeper"]
