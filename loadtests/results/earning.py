"""What the engine earns while it learns, beside policies that do not, on the same visits of the same people.

The engine starts with the declared propensities, explores in every decision, and learns anew each night from all that
it has logged. All values are true ones: the probability of acceptance x value, whatever the dice said.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from loadtests.results.learning_campaigns import OFFERS
from loadtests.results.learning_truth import VALUES
from loadtests.results.learning_world import SPOT, Numbers, World, night
from loadtests.results.predicted_value import RECIPE
from scoring.exploration import probabilities
from scoring.features import Propensity
from scoring.fit import Run
from scoring.propensity import load, prior
from scoring.train import train_from_examples
from streams.errors import InvalidInput
from streams.record import DecisionRecord

LEARNING, ORACLE = "the engine", "the oracle"
POLICIES = (LEARNING, "best fixed offer", "most popular", "at random", ORACLE)
PSEUDO = 10.0
"""An offer's rate is that of all offers until it has been shown some ten times."""


@dataclass(frozen=True, slots=True)
class Span:
    """How long, and how many visits a day."""

    days: int = 21
    visits: int = 300


@dataclass(frozen=True, slots=True)
class Lived:
    """One world's days."""

    visits: int
    """A day."""
    earned: dict[str, Numbers]
    """Policy -> (days,) true mean value of a visit, in euro."""


def lived(seed: int, span: Span, told: Callable[[float], None]) -> Lived:
    """The days of one world; `told` hears the share of them that is over."""
    world = World(seed)
    propensity = prior(world.catalog.attributes)
    days: list[Numbers] = []
    earned = []
    with TemporaryDirectory(prefix="nights-") as models:
        for day in range(span.days):
            records = world.live(day, propensity, span.visits)
            days.append(np.array([_worth(world, made) for made in records]))
            earned.append(float(np.mean([_engine(world, made) for made in records])))
            propensity = _learnt(world, day, Path(models), propensity)
            told((day + 1) / span.days)
    return Lived(span.visits, {LEARNING: np.array(earned), **_others(seed, days)})


def _learnt(world: World, day: int, models: Path, before: Propensity) -> Propensity:
    """The night's model of all that was logged; the one before as long as there is too little to learn from."""
    with suppress(InvalidInput):
        run = Run(world.seed, 1, RECIPE)
        return load(train_from_examples(world.examples(night(day)), models, world.catalog.attributes, run))
    return before


def _worth(world: World, made: DecisionRecord) -> Numbers:
    """(offers,) the true value of showing each; NaN for those that may not be shown here."""
    worth = np.full(len(OFFERS), np.nan)
    spots = [SPOT[each.offer_id] for each in made.candidates]
    worth[spots] = (world.probabilities(made.inputs.decision_id) * VALUES)[spots]
    return worth


def _engine(world: World, made: DecisionRecord) -> float:
    """The value of a logged decision: of what it may have shown, by the probability of that."""
    chances = probabilities([each.rank_score for each in made.candidates], world.explore)
    worth = world.probabilities(made.inputs.decision_id) * VALUES
    return float(np.array(chances) @ worth[[SPOT[each.offer_id] for each in made.candidates]])


def _others(seed: int, days: Sequence[Numbers]) -> dict[str, Numbers]:
    """What each of the others earns a visit, by day, on the visits' worths (days x (visits, offers))."""
    fixed = np.nan_to_num(np.concatenate(days)).mean(axis=0)
    return {
        "best fixed offer": np.array([_of_first(day, fixed) for day in days]),
        "most popular": _popular(seed, days),
        "at random": np.array([np.nanmean(day, axis=1).mean() for day in days]),
        ORACLE: np.array([np.nanmax(day, axis=1).mean() for day in days]),
    }


def _of_first(day: Numbers, worths: Numbers) -> float:
    """Everybody is shown the first offer in order of worth that they may have."""
    order = np.argsort(-worths, kind="stable")
    ordered = day[:, order]
    return float(ordered[np.arange(len(day)), (~np.isnan(ordered)).argmax(axis=1)].mean())


def _popular(seed: int, days: Sequence[Numbers]) -> Numbers:
    """The offer that has earned most per showing so far, of showings at random that cost this policy nothing."""
    draw = np.random.default_rng([seed, 5])
    shown, taken = np.zeros(len(OFFERS)), np.zeros(len(OFFERS))
    earned = []
    for day in days:
        rate = (taken + PSEUDO * taken.sum() / max(shown.sum(), 1.0)) / (shown + PSEUDO)
        earned.append(_of_first(day, rate * VALUES))
        for worth in day:
            spot = draw.choice(np.flatnonzero(~np.isnan(worth)))
            shown[spot] += 1
            taken[spot] += draw.random() < worth[spot] / VALUES[spot]
    return np.array(earned)
