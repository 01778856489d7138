"""Exploration: exact probabilities, and draws that follow them."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scoring.exploration import choose, floor, probabilities
from streams.bucket import bucket
from streams.errors import InvalidInput

SLATES = st.lists(st.floats(0, 1e6), min_size=1, max_size=40).map(lambda scores: sorted(scores, reverse=True))
ANY = st.floats(-1e300, 1e300) | st.floats(-1, 1) | st.sampled_from([0.0, -0.0, 5e-324, -5e-324, 1.0])
WHATEVER = st.lists(ANY, min_size=1, max_size=40).map(lambda scores: sorted(scores, reverse=True))
STRENGTHS = st.floats(1e-3, 1)


def test_without_exploration_the_best_is_certain() -> None:
    assert choose([0.9, 0.5, 0.1], 0.0, 0.999) == (0, 1.0)


def test_a_single_candidate_is_certain_however_strong_the_exploration() -> None:
    assert choose([0.2], 1.0, 0.7) == (0, 1.0)


def test_a_worse_candidate_is_explored_less_and_the_best_takes_the_rest() -> None:
    assert probabilities([4.0, 3.0, 0.0], 0.3) == pytest.approx([0.87, 0.08, 0.05])


def test_equal_scores_share_the_explored_part_evenly() -> None:
    assert probabilities([0.5, 0.5, 0.5, 0.5], 1.0) == pytest.approx([0.25, 0.25, 0.25, 0.25])


@given(SLATES, STRENGTHS)
def test_probabilities_add_up_and_nobody_is_left_out(scores: list[float], strength: float) -> None:
    chances = probabilities(scores, strength)
    assert sum(chances) == pytest.approx(1.0)
    assert min(chances) >= strength / (2 * len(scores)) - 1e-12
    assert 1 - chances[0] <= strength
    assert chances[1:] == sorted(chances[1:], reverse=True)


@given(SLATES, STRENGTHS, st.floats(0, 1, exclude_max=True))
def test_the_probability_told_is_the_probability_of_the_index(
    scores: list[float], strength: float, draw: float
) -> None:
    index, chance = choose(scores, strength, draw)
    assert chance == probabilities(scores, strength)[index]


@given(SLATES, STRENGTHS, st.floats(1e-3, 1e3))
def test_the_currency_of_the_scores_does_not_matter(scores: list[float], strength: float, unit: float) -> None:
    if scores[0] > 1e-3:  # below, products underflow
        scaled = probabilities([score * unit for score in scores], strength)
        assert scaled == pytest.approx(probabilities(scores, strength))


def test_negative_scores_have_positive_probabilities_too() -> None:
    chances = probabilities([-1.0, -5.0], 0.4)
    assert chances == pytest.approx([1 - 0.4 / (2 * 1.8), 0.4 / (2 * 1.8)])


def test_a_loss_beside_a_gain_has_the_same_floor() -> None:
    """A gap was twice the scale here, and the worst candidate had a third of an even share instead of half of one."""
    assert probabilities([1.0, -1.0], 0.4) == pytest.approx([0.9, 0.1])


@given(WHATEVER, STRENGTHS, st.floats(1e-3, 1))
def test_nobody_is_below_the_floor_whatever_the_scores_and_the_cap(
    scores: list[float], strength: float, costs: float
) -> None:
    chances = probabilities(scores, strength, costs)
    assert min(chances) >= floor(len(scores), strength, costs) * (1 - 1e-9)
    assert sum(chances) == pytest.approx(1.0)
    assert 1 - chances[0] <= strength


@given(SLATES, STRENGTHS, st.floats(1e-3, 1))
def test_a_rank_gives_up_no_more_than_the_cap_and_less_than_half_its_strength(
    scores: list[float], strength: float, costs: float
) -> None:
    if scores[0] > 1e-3:  # below, products underflow
        chances = probabilities(scores, strength, costs)
        lost = 1 - sum(chance * score for chance, score in zip(chances, scores, strict=True)) / scores[0]
        assert lost <= min(costs, strength / 2) + 1e-9


@given(SLATES, STRENGTHS)
def test_a_cap_that_is_no_cap_changes_no_bit(scores: list[float], strength: float) -> None:
    assert probabilities(scores, strength, 0.5) == probabilities(scores, strength)


def test_equals_cost_nothing_and_are_explored_in_full_under_any_cap() -> None:
    assert probabilities([2.0, 2.0], 0.5, 0.001) == [0.75, 0.25]


def test_frequencies_over_decisions_equal_the_probabilities_rank_by_rank() -> None:
    scores, strength, draws = [0.09, 0.08, 0.05, 0.01], 0.5, 20_000
    pairs: Counter[tuple[int, int]] = Counter()
    expected: dict[tuple[int, int], float] = {}
    for decision in range(draws):
        first, chance = choose(scores, strength, bucket(f"d-{decision}", "explore:home:1"))
        left = [index for index in range(len(scores)) if index != first]
        second, then = choose([scores[index] for index in left], strength, bucket(f"d-{decision}", "explore:home:2"))
        pairs[first, left[second]] += 1
        expected[first, left[second]] = chance * then
    assert len(expected) == 12
    assert sum(expected.values()) == pytest.approx(1.0)
    for pair, probability in expected.items():
        sigma = (probability * (1 - probability) / draws) ** 0.5
        assert abs(pairs[pair] / draws - probability) < 4.5 * sigma


@pytest.mark.parametrize(
    ("scores", "strength", "code"),
    [
        ([], 0.1, "EXPLORATION_EMPTY"),
        ([1.0], -0.1, "EXPLORATION_STRENGTH"),
        ([], 0.0, "EXPLORATION_EMPTY"),
        ([1.0], 1.5, "EXPLORATION_STRENGTH"),
    ],
)
def test_what_cannot_be_chosen_from_is_refused(scores: list[float], strength: float, code: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        choose(scores, strength, 0.5)
    assert caught.value.code == code


@pytest.mark.parametrize("costs", [0.0, -0.1, 1.01])
def test_a_cap_that_would_leave_somebody_out_is_refused(costs: float) -> None:
    with pytest.raises(InvalidInput) as caught:
        choose([1.0, 0.5], 0.1, 0.5, costs)
    assert caught.value.code == "EXPLORATION_COST"
