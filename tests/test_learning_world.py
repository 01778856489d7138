"""The learning world: what is computed of it is what happens in it, and its decisions are the service's."""

import doctest
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from loadtests.results import learning_world
from loadtests.results.learning_campaigns import EXPLORE, OFFERS
from loadtests.results.learning_truth import VALUES
from loadtests.results.learning_world import SPOT, World, midnight, night
from offers.decide import decide, digest
from scoring.dataset import build, learn_features
from scoring.exploration import probabilities
from scoring.fit import Run
from scoring.propensity import prior, starting
from scoring.train import train_from_examples
from streams.record import DecisionInputs, OfferFacts, encode
from tests.scoring_world import QUICK

DAYS, DECISIONS = 2, 250


def evenly(inputs: DecisionInputs, offers: Sequence[OfferFacts]) -> NDArray[np.float64]:
    return np.full(len(offers), 1 / len(offers))


def declared(inputs: DecisionInputs, offers: Sequence[OfferFacts]) -> NDArray[np.float64]:
    """What the service does with the declared means: the best, and some exploration."""
    ranks = np.array([each.starting_mean * VALUES[SPOT[each.offer_id]] for each in offers])
    order = sorted(range(len(offers)), key=lambda spot: (-ranks[spot], offers[spot].offer_id))
    chances = np.empty(len(offers))
    chances[order] = probabilities([float(ranks[spot]) for spot in order], EXPLORE)
    return chances


def lived(seed: int = 1, people: int = 600) -> World:
    world = World(seed, people=people)
    for day in range(DAYS):
        world.live(day, starting(), DECISIONS)
    return world


def test_the_same_seed_lives_the_same_days_to_the_byte_and_another_seed_others() -> None:
    first, again, other = lived(1), lived(1), lived(2)
    assert [encode(made) for made, _ in first.log] == [encode(made) for made, _ in again.log]
    assert [became for _, became in first.log] == [became for _, became in again.log]
    assert encode(first.log[0][0]) != encode(other.log[0][0])


def test_the_value_that_is_computed_is_the_value_that_is_earned() -> None:
    world = World(3, people=200, history=False)
    computed = world.true_value(declared, 0, 2_000)
    earned: list[float] = []
    for made in world.live(0, starting(), 2_000):
        (item,) = made.shown
        _, became = world.log[len(earned)]
        events = became.get(("", item.offer.offer_id, item.placement), [])
        earned.append(VALUES[SPOT[item.offer.offer_id]] * any(event == "clicked" for event, _ in events))
        assert item.propensity is not None
    noise = np.std(earned) / np.sqrt(len(earned))
    assert abs(np.mean(earned) - computed.mean()) < 3 * noise
    assert noise < 0.06


def test_the_logged_propensities_are_those_of_the_policy() -> None:
    world = lived()
    for made, _ in world.log[:50]:
        offers = world.candidates(made.inputs)
        chances = dict(zip((each.offer_id for each in offers), declared(made.inputs, offers).tolist(), strict=True))
        (item,) = made.shown
        assert item.propensity == pytest.approx(chances[item.offer.offer_id], rel=1e-12)


def test_nobody_earns_more_than_the_oracle_and_somebody_less() -> None:
    world = World(4)
    for inputs in world.inputs(0, 50):
        assert world.value(inputs, evenly) < world.best(inputs)


def test_a_decision_of_the_world_is_decided_again_from_its_record() -> None:
    world = World(5)
    propensity = prior(world.catalog.attributes)
    for made in world.live(0, propensity, 20):
        again = decide(made.inputs, world.catalog, propensity)
        assert digest(again) == made.digest
        assert len(made.shown[0].row) == len(propensity.features)


def test_tastes_change_on_the_day_of_the_drift_and_not_before() -> None:
    steady, drifting = World(6), World(6, drift_day=1)
    for day, same in ((0, True), (1, False)):
        found = steady.true_value(evenly, day, 100)
        assert bool(np.allclose(found, drifting.true_value(evenly, day, 100))) is same


def test_a_poisoned_day_says_the_opposite_of_what_was_seen() -> None:
    world = World(7)
    records = world.decide(0, starting(), 300)
    honest, flipped = world.outcomes(records), world.outcomes(records, flipped=True)
    clicks = {each.decision_id for each in honest if each.event == "clicked"}
    exposed = {each.decision_id for each in honest if each.event == "exposed"}
    assert {each.decision_id for each in flipped if each.event == "clicked"} == exposed - clicks
    assert 0 < len(clicks) < len(exposed) / 3 and len(exposed) < 300


def test_an_empty_day_has_no_decisions_and_the_world_goes_on() -> None:
    world = World(8)
    assert world.live(0, starting(), 0) == []
    assert list(world.examples(night(0))()) == []
    assert len(world.live(1, starting(), 5)) == 5


def test_the_log_at_an_instant_holds_only_what_was_known_then() -> None:
    world = lived()
    at_midnight = list(world.examples(midnight(1))())
    assert len(at_midnight) == DECISIONS
    reasons = {reason for example in at_midnight for reason in example.left_out}
    assert reasons == {"window_open", "not_exposed"}
    known = list(world.examples(night(0))())
    assert {example.inputs.now > midnight(1) for example in known} == {False, True}  # it goes on after midnight
    assert all(example.inputs.now <= night(0) for example in known)


def test_profiles_count_what_people_were_shown_unless_there_is_no_history() -> None:
    remembering, forgetting = lived(people=20), World(1, people=20, history=False)
    forgetting.live(0, starting(), DECISIONS)
    assert all(inputs.profile.counters for inputs in remembering.inputs(DAYS, 30))
    assert not any(inputs.profile.counters for inputs in forgetting.inputs(DAYS, 30))
    counted = [key for inputs in remembering.inputs(DAYS, 30) for key in inputs.profile.counters]
    assert {key[0] for key in counted} == {"exposed", "clicked"}


def test_a_model_learns_from_it_and_its_offers_have_all_been_shown(tmp_path: Path) -> None:
    world = World(9, explore=1.0)
    for day in range(3):
        world.live(day, starting(), 400)
    examples = world.examples(night(2))
    dataset = build(examples, learn_features(examples, world.catalog.attributes))
    assert set(dataset.offers) == {offer.id for offer in OFFERS}
    assert 0.04 < dataset.outcome.mean() < 0.16
    assert train_from_examples(examples, tmp_path, world.catalog.attributes, Run(1, 1, QUICK)).is_dir()


def test_the_example_in_the_docs_is_true() -> None:
    assert doctest.testmod(learning_world).failed == 0
