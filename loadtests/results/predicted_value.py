"""Value predicted off-policy from a log, and the true value of the same policy: how often the interval holds it.

A repetition is a world of its own. A first model learns from 1,000 visits decided by the prior; it then decides the
visits of the log, exploring as the service does, and stands as the reward model of the doubly robust estimators: it has
not learnt from that log. A second model has seen 500 visits more, of before the log. The truth is the mean over as many
other visits of the policy's probabilities x the world's, so it has no noise of acceptances.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from loadtests.results.learning_truth import VALUES
from loadtests.results.learning_world import SPOT, Numbers, Policy, Responses, World, night
from loadtests.results.policies import evenly, exploring, first_of, greedy, mixed, once
from scoring.features import Propensity
from scoring.fit import Recipe, Run
from scoring.off_policy import LoggedChoices, OffPolicy, value_of
from scoring.propensity import load, starting
from scoring.train import train_from_examples
from streams.ids import OfferId
from streams.record import DecisionRecord, OfferFacts

RECIPE = Recipe(rounds=(25, 50), leaves=7)
"""Small trees for small logs, in a second."""
AT_RANDOM = 0.3
"""Share of visits that the mixture decides evenly."""
POLICIES = ("evenly", "most popular", "as declared", "new model, greedy", "new model, 30 % evenly")


@dataclass(frozen=True, slots=True)
class Setting:
    """How large a repetition is, and how strongly its log explores."""

    explore: float
    a_kind: int
    first: int = 1_000
    more: int = 500
    logged: int = 2_000


STRONG = Setting(explore=0.8, a_kind=2)
"""Ten offers in a placement that is set to explore, so that it can be learnt what others would earn."""
EVERYDAY = Setting(explore=0.2, a_kind=4)
"""Twenty offers in a placement that explores as much as it may cost on any day."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One policy of one repetition."""

    policy: str
    seed: int
    found: OffPolicy
    truth: float


def repetition(seed: int, setting: Setting) -> list[Answer]:
    """A log and what it says of each of POLICIES."""
    world = World(seed, explore=setting.explore, a_kind=setting.a_kind, history=False)
    declared = starting()
    world.live(0, declared, setting.first)
    first = _learnt(world, 0, seed)
    world.live(1, declared, setting.more)
    policies = dict(zip(POLICIES, _policies(world, declared, _learnt(world, 1, seed + 1)), strict=True))
    before = len(world.log)
    world.live(2, first, setting.logged)
    log = world.log[before:]
    truths = _truths(world, list(policies.values()), setting.logged)
    return [
        Answer(name, seed, value_of(_choices(world, log, policy), seed=seed), truth)
        for (name, policy), truth in zip(policies.items(), truths, strict=True)
    ]


def _learnt(world: World, day: int, seed: int) -> Propensity:
    with TemporaryDirectory(prefix="learnt-") as folder:
        attributes, run = world.catalog.attributes, Run(seed, 1, RECIPE)
        return load(train_from_examples(world.examples(night(day)), Path(folder), attributes, run))


def _policies(world: World, declared: Propensity, new: Propensity) -> Iterator[Policy]:
    best = once(greedy(new))
    yield evenly
    yield first_of(worths(world))
    yield exploring(declared, world.explore)
    yield best
    yield mixed(best, evenly, AT_RANDOM)


def worths(world: World) -> Mapping[OfferId, float]:
    """What each offer earned per showing so far, as if it had been shown four times more, once taken in 20."""
    earned: dict[OfferId, list[float]] = {}
    for made, became in world.log:
        for item in made.shown:
            earned.setdefault(item.offer.offer_id, []).append(world.reward(made, became))
    return {each: (sum(found) + 0.2 * VALUES[SPOT[each]]) / (len(found) + 4) for each, found in earned.items()}


def _choices(world: World, log: Sequence[tuple[DecisionRecord, Responses]], policy: Policy) -> LoggedChoices:
    """The log as arrays: one choice a decision, what the policy would do, what the deciding model expected."""
    rows = [(world.reward(made, became), *_choice(world, made, policy)) for made, became in log]
    reward, propensity, target, logged_value, target_value = np.array(rows).T
    return LoggedChoices(
        reward=reward,
        propensity=propensity,
        target=target,
        cluster=np.array([world.customer(made) for made, _ in log]),
        logged_value=logged_value,
        target_value=target_value,
        reward_range=(0.0, float(VALUES.max())),
    )


def _choice(world: World, made: DecisionRecord, policy: Policy) -> tuple[float, float, float, float]:
    offers = [world.catalog.by_id[each.offer_id].facts for each in made.candidates]
    chances = policy(made.inputs, offers)
    expected = np.array([each.score for each in made.candidates]) * VALUES[[SPOT[each.offer_id] for each in offers]]
    (item,) = made.shown
    at = [each.offer_id for each in offers].index(item.offer.offer_id)
    return item.propensity or np.nan, float(chances[at]), float(expected[at]), float(chances @ expected)


def _truths(world: World, policies: Sequence[Policy], visits: int) -> Numbers:
    """(policies,) on visits that nobody has logged."""
    sums = np.zeros(len(policies))
    for inputs in world.inputs(3, visits):
        offers: Sequence[OfferFacts] = world.candidates(inputs)
        earning = world.earning(inputs.decision_id, offers)
        sums += [float(policy(inputs, offers) @ earning) for policy in policies]
    return sums / visits


def small(setting: Setting) -> Setting:
    """The same in seconds."""
    return replace(setting, first=600, more=200, logged=400)
