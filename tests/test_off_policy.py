"""Off-policy value: unbiased on worlds small enough to enumerate, intervals that hold, refusals in words."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike

from scoring.off_policy import Estimate, LoggedChoices, Numbers, OffPolicy, difference, value_of
from streams.errors import InvalidInput

ESTIMATORS = ("ips", "snips", "dm", "dr", "sndr")


@dataclass(frozen=True)
class World:
    """Offers with an acceptance rate each, the probability of each in the log and under the target, a model."""

    rates: Numbers
    log: Numbers
    target: Numbers
    model: Numbers

    @property
    def value(self) -> float:
        return float(self.target @ self.rates)

    def choices(self, actions: ArrayLike, rewards: ArrayLike) -> LoggedChoices:
        spots = np.array(actions, dtype=np.intp)
        count = len(spots)
        return LoggedChoices(
            reward=np.array(rewards, dtype=np.float64),
            propensity=self.log[spots],
            target=self.target[spots],
            cluster=np.arange(count),
            logged_value=self.model[spots],
            target_value=np.full(count, float(self.target @ self.model)),
        )

    def drawn(self, count: int, seed: int) -> LoggedChoices:
        draw = np.random.default_rng(seed)
        actions = draw.choice(len(self.log), count, p=self.log)
        return self.choices(actions, draw.random(count) < self.rates[actions])


def of(found: OffPolicy, name: str) -> Estimate:
    estimate = getattr(found, name)
    assert isinstance(estimate, Estimate)
    return estimate


def distributions(size: int) -> st.SearchStrategy[Numbers]:
    return st.lists(st.integers(1, 20), min_size=size, max_size=size).map(lambda each: np.array(each) / sum(each))


def worlds(size: int) -> st.SearchStrategy[World]:
    rates = st.lists(st.integers(0, 10), min_size=size, max_size=size).map(lambda each: np.array(each) / 10)
    return st.builds(World, rates, distributions(size), distributions(size), rates)


def every_log(world: World, rows: int) -> Iterator[tuple[float, LoggedChoices]]:
    """Every log of so many choices that can be, with its probability."""
    outcomes = list(product(range(len(world.log)), (0, 1)))
    for made in product(outcomes, repeat=rows):
        chance = prod(
            float(world.log[action] * (world.rates[action] if reward else 1 - world.rates[action]))
            for action, reward in made
        )
        if chance > 0:
            yield chance, world.choices([action for action, _ in made], [reward for _, reward in made])


@given(worlds(2))
@settings(max_examples=15, deadline=None)
def test_ips_and_doubly_robust_are_right_on_average_over_every_log_that_can_be(world: World) -> None:
    expected = dict.fromkeys(("ips", "dr"), 0.0)
    for chance, choices in every_log(world, 2):
        found = value_of(choices)
        for name in expected:
            expected[name] += chance * of(found, name).value
    assert list(expected.values()) == pytest.approx([world.value, world.value], abs=1e-12)


@given(worlds(3), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_mean_by_own_weights_stays_within_the_rewards(world: World, seed: int) -> None:
    found = value_of(world.drawn(12, seed))
    assert 0 <= found.snips.value <= 1
    assert 1 - 1e-9 <= found.effective_sample_size <= 12 + 1e-9


@given(worlds(3), st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_the_policy_of_the_log_is_worth_the_mean_reward_by_every_weighing(world: World, seed: int) -> None:
    choices = replace(world, target=world.log).drawn(40, seed)
    found, mean = value_of(choices), float(choices.reward.mean())
    assert [found.logged.value, found.ips.value, found.snips.value] == pytest.approx([mean] * 3, abs=1e-12)
    assert (found.effective_sample_size, found.mean_weight) == pytest.approx((40, 1), abs=1e-9)


def test_by_hand() -> None:
    """Two offers, logged evenly; the target shows the first with .9. Weights 1.8 and .2; rewards 1, 0, 1, 0."""
    world = World(np.array([0.5, 0.5]), np.array([0.5, 0.5]), np.array([0.9, 0.1]), np.array([0.4, 0.2]))
    found = value_of(world.choices([0, 0, 1, 1], [1, 0, 1, 0]))
    assert found.ips.value == pytest.approx((1.8 + 0.2) / 4)
    assert found.snips.value == pytest.approx((1.8 + 0.2) / 4.0)
    assert of(found, "dm").value == pytest.approx(0.9 * 0.4 + 0.1 * 0.2)
    correction = (1.8 * 0.6 - 1.8 * 0.4 + 0.2 * 0.8 - 0.2 * 0.2) / 4
    assert of(found, "dr").value == pytest.approx(0.38 + correction)
    assert found.effective_sample_size == pytest.approx(4.0**2 / (2 * 1.8**2 + 2 * 0.2**2))
    assert (found.positives, found.clusters) == (2, 4)
    assert found.largest_weight == pytest.approx(1.8)


def test_weights_beyond_the_clip_are_cut_and_counted() -> None:
    world = World(np.array([0.5, 0.5]), np.array([0.1, 0.9]), np.array([0.8, 0.2]), np.array([0.4, 0.2]))
    found = value_of(world.choices([0, 1, 1, 1], [1, 0, 1, 0]), clip=3.0)
    assert (found.clip, found.clipped) == (3.0, 1)
    assert found.largest_weight == pytest.approx(8.0)
    assert found.ips.value == pytest.approx((3.0 + 0.2 / 0.9) / 4)


def skewed(seed: int) -> World:
    """Twenty offers, most of them seldom taken; the target likes other ones than the log does."""
    draw = np.random.default_rng(seed)
    rates = np.minimum(draw.beta(1, 30, 20), 0.5)
    log = 0.8 * draw.dirichlet(np.full(20, 3.0)) + 0.2 / 20
    target = log * np.exp(draw.normal(size=20))
    return World(rates, log, target / target.sum(), 0.7 * rates + 0.3 * float(rates.mean()))


def covered(worlds: int, rows: int) -> tuple[int, dict[str, int]]:
    """Of so many logs, those that say they can answer, and how many of their intervals hold the true value."""
    answering, held = 0, dict.fromkeys(("ips", "snips", "dr", "sndr"), 0)
    for seed in range(worlds):
        world = skewed(seed)
        found = value_of(world.drawn(rows, seed), seed=seed)
        answering += found.reliable
        for name in held if found.reliable else ():
            low, high = of(found, name).interval
            held[name] += low <= world.value <= high
    return answering, held


def test_nine_of_ten_intervals_on_skewed_logs_hold_the_true_value() -> None:
    answering, held = covered(24, 700)
    assert answering >= 20
    assert min(held.values()) >= 0.9 * answering


@pytest.mark.prove
@pytest.mark.parametrize("rows", [400, 2_000, 8_000])
def test_of_400_skewed_logs_the_intervals_hold_the_true_value_as_often_as_they_say(
    rows: int, record_property: Callable[[str, object], None]
) -> None:
    answering, held = covered(400, rows)
    record_property("with", f"{rows} choices; of {answering} logs that can answer: {held}")
    assert answering >= 200
    assert min(held.values()) >= 0.92 * answering


def test_customers_are_drawn_whole() -> None:
    """Ten answers of one customer that are all the same tell no more than one."""
    world = skewed(1)
    once = world.drawn(400, 5)
    again = np.repeat(np.arange(400), 10)
    tenfold = LoggedChoices(once.reward[again], once.propensity[again], once.target[again], again)
    assert value_of(tenfold).snips.interval == pytest.approx(value_of(once).snips.interval)


def test_the_same_seed_gives_the_same_interval_and_money_has_its_own_range() -> None:
    choices = skewed(2).drawn(5_000, 3)
    assert value_of(choices, seed=4) == value_of(choices, seed=4)
    paid = replace(choices, reward=choices.reward * 50, reward_range=(0.0, 50.0))
    in_money, as_rate = value_of(paid, seed=4).snips, value_of(choices, seed=4).snips
    assert in_money.value == pytest.approx(50 * as_rate.value)
    assert in_money.interval == pytest.approx(tuple(50 * end for end in as_rate.interval))


@given(worlds(3), distributions(3), st.integers(0, 10**6))
@settings(max_examples=4, deadline=None)
@example(
    World(np.array([0.0, 0.0, 0.1]), np.full(3, 1 / 3), np.full(3, 1 / 3), np.zeros(3)), np.array([0.25, 0.25, 0.5]), 1
)
def test_a_difference_is_that_of_the_two_values_and_turns_round_with_them(
    world: World, other: Numbers, seed: int
) -> None:
    one, two = world.drawn(60, seed), replace(world, target=other).drawn(60, seed)
    found, turned = difference(one, two, seed=seed), difference(two, one, seed=seed)
    assert found.more.value == pytest.approx(found.one.best.value - found.other.best.value, abs=1e-9)
    mirrored = tuple(-end for end in reversed(turned.more.interval))
    assert found.more.interval == pytest.approx(mirrored, abs=1e-9)
    same = difference(one, one, seed=seed).more
    assert (same.value, *same.interval) == pytest.approx((0, 0, 0), abs=1e-7)


def test_paired_by_choice_a_difference_is_known_better_than_either_value() -> None:
    world = skewed(4)
    near = replace(world, target=0.9 * world.target + 0.1 * world.log)
    found = difference(world.drawn(2_000, 1), near.drawn(2_000, 1))
    (low, high), (lower, higher) = found.more.interval, found.one.best.interval
    assert low <= world.value - near.value <= high
    assert high - low < 0.3 * (higher - lower)
    assert found.why == ()


def test_few_choices_tell_each_policy_before_they_tell_two_apart() -> None:
    """On 400 choices only nine of ten intervals hold the true difference, and the gate asks for more than that."""
    world = skewed(4)
    near = replace(world, target=0.9 * world.target + 0.1 * world.log)
    found = difference(world.drawn(699, 1), near.drawn(699, 1))
    assert (found.one.why, found.other.why) == ((), ())
    assert [(doubt.code, doubt.text.partition(";")[0]) for doubt in found.why] == [
        ("few_choices", "699 logged choices are too few to compare two policies")
    ]
    assert difference(world.drawn(700, 1), near.drawn(700, 1)).why == ()


def differences(worlds: int, rows: int) -> tuple[int, int]:
    """Of two policies on so many logs: how often both can be told, and how many intervals hold the true difference."""
    held = answering = 0
    for seed in range(worlds):
        world = skewed(seed)
        other = replace(world, target=skewed(seed + 1_000).target)
        found = difference(world.drawn(rows, seed), other.drawn(rows, seed), seed=seed)
        low, high = found.more.interval
        answering += not found.why
        held += not found.why and low <= world.value - other.value <= high
    return answering, held


def test_nine_of_ten_intervals_of_a_difference_hold_the_true_one() -> None:
    answering, held = differences(12, 700)
    assert answering >= 8
    assert held >= 0.9 * answering


@pytest.mark.prove
@pytest.mark.parametrize("rows", [700, 2_000])
def test_of_300_logs_19_of_20_intervals_of_a_difference_hold_the_true_one(
    rows: int, record_property: Callable[[str, object], None]
) -> None:
    answering, held = differences(300, rows)
    record_property("with", f"{rows} choices; of {answering} logs that can tell both, {held} hold the true difference")
    assert answering >= 150
    assert held >= 0.95 * answering


def test_policies_that_were_asked_about_other_choices_are_not_compared() -> None:
    world = skewed(4)
    with pytest.raises(InvalidInput, match="not asked about the same logged choices"):
        difference(world.drawn(50, 1), world.drawn(50, 2))


def enough() -> LoggedChoices:
    return replace(skewed(3), target=skewed(3).log).drawn(2_000, 3)


def codes(choices: LoggedChoices) -> list[str]:
    return [each.code for each in value_of(choices).why]


def test_a_log_that_can_answer_has_no_doubts() -> None:
    found = value_of(enough())
    assert (found.reliable, found.why) == (True, ())


def test_a_policy_far_from_the_log_is_refused_in_words() -> None:
    world = World(np.array([0.1, 0.5]), np.array([0.99, 0.01]), np.array([0.0, 1.0]), np.array([0.1, 0.4]))
    found = value_of(world.drawn(2_000, 4))
    assert not found.reliable
    assert [each.code for each in found.why] == ["few_effective"]
    assert "the 2,000 logged choices tell as much about this policy as 16 of its own would (0.8%)" in found.why[0].text


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda it: replace(it, reward=np.zeros(2_000)), "few_positives"),
        (lambda it: replace(it, cluster=np.zeros(2_000, dtype=np.intp)), "one_cluster"),
        (lambda it: replace(it, cluster=np.arange(2_000) % 20), "few_clusters"),
        (lambda it: replace(it, propensity=np.where(np.arange(2_000) % 10, it.propensity, np.nan)),
         "propensities_missing"),
        (lambda it: replace(it, outside=np.full(2_000, 0.02)), "outside_log"),
        (lambda it: replace(it, propensity=np.minimum(1.0, it.propensity * 1.5)), "weights_off"),
    ],
    ids=["no-reward", "one-customer", "20-customers", "a-tenth-without", "never-shown", "wrong-propensities"],
)  # fmt: skip
def test_what_a_log_lacks_is_said(change: Callable[[LoggedChoices], LoggedChoices], code: str) -> None:
    assert code in codes(change(enough()))


def test_propensities_that_nobody_knows_leave_their_choices_out() -> None:
    choices = replace(enough(), propensity=np.where(np.arange(2_000) < 40, np.nan, enough().propensity))
    found = value_of(choices)
    assert (found.rows, found.missing, found.reliable) == (1_960, 40, True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"target": np.array([0.5])}, "target is not as long as reward, which has 2 choices"),
        ({"reward": np.array([0.0, 2.0])}, "rewards reach from 0.0 to 2.0"),
        ({"reward": np.array([0.0, np.nan])}, "rewards reach from nan"),
        ({"target": np.array([0.5, 1.5])}, "target holds what is no probability"),
        ({"propensity": np.array([0.5, 0.0])}, "above 0 to 1"),
    ],
    ids=["length", "range", "nan", "target", "propensity"],
)
def test_what_is_no_log_of_choices_is_refused(change: dict[str, Numbers], words: str) -> None:
    pair = LoggedChoices(np.array([0.0, 1.0]), np.array([0.5, 0.5]), np.array([0.5, 0.5]), np.arange(2))
    with pytest.raises(InvalidInput, match=words) as caught:
        value_of(replace(pair, **change))  # type: ignore[arg-type]
    assert caught.value.code == "OFF_POLICY_INVALID"


def test_a_log_without_propensities_is_refused() -> None:
    blind = LoggedChoices(np.array([1.0]), np.array([np.nan]), np.array([1.0]), np.arange(1))
    with pytest.raises(InvalidInput, match="none of 1 logged choices has a propensity") as caught:
        value_of(blind)
    assert caught.value.code == "OFF_POLICY_EMPTY"
    with pytest.raises(InvalidInput, match="clip is 0"):
        value_of(replace(blind, propensity=np.array([1.0])), clip=0)
