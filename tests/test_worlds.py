"""The section about worlds: what it counts as a hit, its policies, and a small run of all of it."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from loadtests.results import worlds
from loadtests.results.earning import LEARNING, ORACLE, Span, lived
from loadtests.results.earning import POLICIES as EARNERS
from loadtests.results.learning_truth import VALUES
from loadtests.results.learning_world import SPOT, Numbers, World
from loadtests.results.policies import evenly, exploring, first_of, greedy, mixed, once
from loadtests.results.predicted_value import POLICIES, STRONG, Answer, repetition, small
from scoring.off_policy import Estimate, OffPolicy
from scoring.propensity import starting
from streams.record import DecisionInputs, OfferFacts

FAIR = Estimate(0.5, (0.4, 0.6))


def answer(truth: float, *, reliable: bool = True) -> Answer:
    found = OffPolicy(
        rows=9, clusters=9, positives=9, missing=0, logged=FAIR, ips=FAIR, snips=FAIR, dm=FAIR, dr=FAIR, sndr=FAIR,
        effective_sample_size=9.0, mean_weight=1.0, largest_weight=2.0, clip=None, clipped=0, reliable=reliable, why=(),
    )  # fmt: skip
    return Answer(POLICIES[0], 1, found, truth)


def test_a_refused_question_is_no_hit_however_right_the_number_was() -> None:
    answers = [answer(0.5), answer(0.6), answer(0.61), answer(0.5, reliable=False)]
    told = worlds.text(answers, answers, [lived(1, Span(1, 20), lambda done: None)] * 2, ("", ""))
    assert "**2 of 4 true values lie inside" in told
    assert "| evenly | 0.552 | 3 of 4 | 2 | 0.200 | -0.070 |" in told


def test_the_policies_show_what_they_say() -> None:
    world = World(1, a_kind=2)
    inputs = next(world.inputs(0, 1))
    offers = world.candidates(inputs)
    names = [each.offer_id for each in offers]
    worth = [each.starting_mean * VALUES[SPOT[each.offer_id]] for each in offers]
    assert evenly(inputs, offers) == pytest.approx([1 / len(offers)] * len(offers))
    last = first_of({names[-1]: 1.0})
    assert last(inputs, offers).argmax() == len(offers) - 1 and last(inputs, offers).max() == 1.0
    best = greedy(starting())(inputs, offers)
    assert worth[best.argmax()] == max(worth) and best.sum() == 1.0
    mixture = mixed(last, evenly, 0.3)(inputs, offers)
    assert mixture[-1] == pytest.approx(0.7 + 0.3 / len(offers)) and mixture.sum() == pytest.approx(1.0)
    chances = exploring(starting(), 0.5)(inputs, offers)
    assert chances.argmax() == best.argmax() and chances.min() >= 0.25 / len(offers)


def test_a_policy_does_not_depend_on_the_order_of_the_candidates() -> None:
    world = World(1)
    inputs = next(world.inputs(0, 1))
    offers = world.candidates(inputs)
    for policy in (exploring(starting(), 0.4), greedy(starting()), first_of({})):
        forth = dict(zip((each.offer_id for each in offers), policy(inputs, offers).tolist(), strict=True))
        back = dict(zip((each.offer_id for each in offers[::-1]), policy(inputs, offers[::-1]).tolist(), strict=True))
        assert forth == back


def test_a_policy_asked_twice_about_a_visit_thinks_once() -> None:
    world = World(1)
    asked: list[DecisionInputs] = []

    def asking(inputs: DecisionInputs, offers: Sequence[OfferFacts]) -> Numbers:
        asked.append(inputs)
        return evenly(inputs, offers)

    policy = once(asking)
    first, second = world.inputs(0, 2)
    for inputs in (first, first, second):
        policy(inputs, world.candidates(inputs))
    assert asked == [first, second]


@pytest.mark.prove
def test_a_repetition_answers_for_every_policy_and_is_the_same_again() -> None:
    found = repetition(1, small(STRONG))
    assert [each.policy for each in found] == list(POLICIES)
    assert [(each.truth, each.found.best) for each in repetition(1, small(STRONG))] == [
        (each.truth, each.found.best) for each in found
    ]
    assert {each.found.rows for each in found} == {small(STRONG).logged}
    assert all(0.2 < each.truth < 3 for each in found)


@pytest.mark.prove
def test_the_engine_earns_more_after_some_nights_than_on_its_first_day(
    record_property: Callable[[str, object], None],
) -> None:
    found = lived(2, Span(4, 200), lambda done: None)
    share = found.earned[LEARNING] / found.earned[ORACLE]
    record_property("with", ", ".join(f"{each:.0%}" for each in share) + " of the oracle's, day by day")
    assert share[-1] > share[0]


def test_nobody_earns_more_than_the_oracle_and_too_little_to_learn_from_is_no_end() -> None:
    found = lived(1, Span(2, 60), lambda done: None)
    assert set(found.earned) == set(EARNERS)
    for earned in found.earned.values():
        assert earned.shape == (2,) and np.all(earned > 0)
        assert np.all(earned <= found.earned[ORACLE] + 1e-12)
    assert np.all(found.earned["best fixed offer"].sum() >= found.earned["at random"].sum())
