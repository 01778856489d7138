"""Section: thirty days of nightly retraining with nobody watching, through a poisoned day, a drift and an empty day.

Four lives of the same people: with the gate, without one, with the first model for ever, and the oracle.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from scipy.stats import t as student

from loadtests.results import thirty_days_plot
from loadtests.results.learning_truth import VALUES
from loadtests.results.learning_world import SPOT, Numbers, World, night
from offers.fresh_choices import of_answers
from scoring.cross_validation import Progress
from scoring.exploration import probabilities
from scoring.features import Propensity
from scoring.fit import Recipe, Run
from scoring.propensity import load, prior
from scoring.retrain import Learning, retrain
from scoring.train import train_from_examples
from streams.errors import InvalidInput
from streams.record import DecisionRecord

GATE, NO_GATE, FROZEN, ORACLE = "gate", "no gate", "first model for ever", "oracle"
LIVES = (GATE, NO_GATE, FROZEN)
DAYS, VISITS = 30, 250
POISONED, DRIFT, EMPTY = 10, 15, 22
"""Days, from 0: outcomes flipped on one, other tastes from one on, nobody comes on one."""
FRESH = 3
"""Nights in which some of the poisoned day is held back to judge by."""
SPANS = {
    f"days 1 to {POISONED}": range(POISONED),
    f"days {POISONED + 2} to {DRIFT}, after the poisoned one": range(POISONED + 1, DRIFT),
    f"days {DRIFT + 1} to {DRIFT + 5}, after the drift": range(DRIFT, DRIFT + 5),
    f"days {DRIFT + 6} to {DAYS}": range(DRIFT + 5, DAYS),
    "all": range(DAYS),
}
WORLDS = 3
SEEDS = f"1 to {WORLDS}"
RECIPE = Recipe(rounds=(25, 50), leaves=7)
"""Small trees for small logs: 180 trainings in minutes."""
IMAGE = Path(__file__).parent.parent.parent / "docs" / "results-thirty-days.png"


@dataclass(slots=True)
class Life:
    """One world under one of the LIVES."""

    earned: list[float] = field(default_factory=list)
    """True mean value of a visit by day, in euro; NaN for the empty day."""
    best: list[float] = field(default_factory=list)
    """The oracle's on the same visits."""
    nights: list[str] = field(default_factory=list)
    """What became of each night's model: passed, failed, waiting, none, or - where nothing was judged."""


def section(progress: Progress) -> str:
    """All of it, with an image in docs/."""
    lives = _worlds(WORLDS, DAYS, VISITS, progress)
    thirty_days_plot.draw({how: shares(of) for how, of in lives.items()}, (POISONED, DRIFT, EMPTY), IMAGE)
    return text(lives, f"\n![Earned by day]({IMAGE.name})\n")


def quick(progress: Progress) -> str:
    """Three days of two worlds; no image."""
    return text(_worlds(2, 3, 150, progress), "", visits=150)


def _worlds(worlds: int, days: int, visits: int, progress: Progress) -> dict[str, list[Life]]:
    def told(how: str, seed: int, done: float) -> None:
        progress(f"{how}, world {seed} of {worlds}", (LIVES.index(how) * worlds + seed - 1 + done) / worlds / 3)

    return {how: [_lived(how, seed, days, visits, partial(told, how, seed)) for seed in range(1, worlds + 1)]
            for how in LIVES}  # fmt: skip


def _lived(how: str, seed: int, days: int, visits: int, told: Callable[[float], None]) -> Life:
    life, world = Life(), World(seed, drift_day=DRIFT)
    with TemporaryDirectory(prefix="thirty-days-") as models:
        nights = _Nights(how, world, Path(models))
        for day in range(days):
            records = world.live(day, nights.serving, 0 if day == EMPTY else visits, flipped=day == POISONED)
            life.earned.append(_mean([_worth(world, made) for made in records]))
            life.best.append(_mean([world.best(made.inputs) for made in records]))
            life.nights.append(nights.pass_by(day))
            told((day + 1) / days)
    return life


@dataclass(slots=True)
class _Nights:
    """What serves, and what becomes of it each night."""

    how: str
    world: World
    models: Path
    active: Path | None = None
    serving: Propensity = field(init=False)

    def __post_init__(self) -> None:
        self.serving = prior(self.world.catalog.attributes)

    def pass_by(self, day: int) -> str:
        """Train, judge, activate or not; what became of the night's model."""
        with suppress(InvalidInput):  # too little to learn from: what serves goes on
            return self._judged(day) if self.how == GATE or self.active is None else self._unjudged(day)
        return "none"

    def _judged(self, day: int) -> str:
        """All three begin alike: the first model is one that the gate let in."""
        attributes, now = self.world.catalog.attributes, night(day)
        asked = of_answers(self.world.after, now, lambda revision: self.world.catalog)
        learning = Learning(self.world.examples, now, attributes, self.active, choices=asked)
        folder, verdict = retrain(learning, self.models, Run(self.world.seed, 1, RECIPE))
        if folder == self.active:  # nobody came: the log has nothing new
            return "none"
        if verdict.passed:
            self._activate(folder)
        return verdict.outcome

    def _unjudged(self, day: int) -> str:
        if self.how == NO_GATE:
            run = Run(self.world.seed, 1, RECIPE)
            examples = self.world.examples(night(day))
            self._activate(train_from_examples(examples, self.models, self.world.catalog.attributes, run))
        return "-"

    def _activate(self, folder: Path) -> None:
        self.active, self.serving = folder, load(folder)


def _worth(world: World, made: DecisionRecord) -> float:
    """The true value of a decision: of all it may have shown, by the probability of that."""
    chances = np.array(probabilities([each.rank_score for each in made.candidates], world.explore))
    worth = world.probabilities(made.inputs.decision_id) * VALUES
    return float(chances @ worth[[SPOT[each.offer_id] for each in made.candidates]])


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def shares(lives: Sequence[Life]) -> Numbers:
    """(worlds, days) earned, in percent of the oracle's."""
    return np.array([100 * np.array(life.earned) / np.array(life.best) for life in lives])


def text(lives: dict[str, list[Life]], image: str, *, visits: int = VISITS) -> str:
    """The section's Markdown."""
    found = {how: shares(of) for how, of in lives.items()}
    gated = lives[GATE]
    judged = [outcome for life in gated for outcome in life.nights]
    poisoned = [outcome for life in gated for outcome in life.nights[POISONED : POISONED + FRESH]]
    followed = ", ".join(_first(life.nights[DRIFT:]) for life in gated)
    last = found[GATE].shape[1]
    return "\n".join(
        [
            "## Thirty days with nobody watching",
            "",
            f"{len(gated)} worlds of 600 people and twenty offers, {visits} visits a day, a model each night. On day "
            f"{POISONED + 1} all outcomes are flipped, from day {DRIFT + 1} on people like other things, on day "
            f"{EMPTY + 1} nobody comes. Nothing is ever taken out of the log. All lives begin with the declared "
            "propensities and get the same first model.",
            "",
            "True value a visit as a share of the oracle's, in percent, with 95 % intervals over worlds (Student's t):",
            "",
            "| | " + " | ".join(LIVES) + " | gate less no gate |",
            "|---|---|---|---|---|",
            *(_row(name, days, found) for name, days in SPANS.items() if days.start + 1 < last),
            "",
            f"Of {len(judged)} nights the gate let {judged.count('passed')} models in, kept {judged.count('failed')} "
            f"out and waited for data in {judged.count('waiting')}; in {judged.count('none')} there was too little, or "
            f"nothing new, to learn from. The poisoned day is among what is fresh in its own night and the next "
            f"{FRESH - 1}: of these it let {poisoned.count('passed')} of {len(poisoned)} in. After the drift the first "
            f"model came in, world by world, after so many nights: {followed}.",
            image,
        ]
    ).rstrip() + "\n"  # fmt: skip


def _first(nights: Sequence[str]) -> str:
    return str(nights.index("passed") + 1) if "passed" in nights else "none"


def _row(name: str, days: range, found: dict[str, Numbers]) -> str:
    of = {how: np.nanmean(each[:, days.start : days.stop], axis=1) for how, each in found.items()}
    cells = [_interval(of[how]) for how in LIVES]
    return f"| {name} | {' | '.join(cells)} | {_interval(of[GATE] - of[NO_GATE], sign='+')} |"


def _interval(values: Numbers, sign: str = "") -> str:
    half = student.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    return f"{values.mean():{sign}.1f} ± {half:.1f}"
