"""Section: worlds whose truth is known. What a log predicts of other policies, and what learning earns."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np
from scipy.stats import t as student

from loadtests.results import worlds_plot
from loadtests.results.earning import LEARNING, ORACLE, Lived, Span, lived
from loadtests.results.earning import POLICIES as EARNERS
from loadtests.results.learning_world import Numbers
from loadtests.results.predicted_value import EVERYDAY, POLICIES, STRONG, Answer, Setting, repetition, small
from scoring.cross_validation import Progress
from scoring.off_policy import Estimate, OffPolicy

REPETITIONS, EVERYDAYS, WORLDS = 40, 10, 6
SEEDS = f"1 to {REPETITIONS} (predicted values), 1 to {EVERYDAYS} (everyday logs), 1 to {WORLDS} (learning)"
DOCS = Path(__file__).parent.parent.parent / "docs"
VALUES_IMAGE, EARNED_IMAGE = "results-predicted.png", "results-learning.png"
_HOW: dict[str, Callable[[OffPolicy], Estimate | None]] = {
    "IPS": lambda found: found.ips,
    "SNIPS": lambda found: found.snips,
    "direct method": lambda found: found.dm,
    "doubly robust": lambda found: found.dr,
    "self-normalised doubly robust": lambda found: found.sndr,
}


def section(progress: Progress) -> str:
    """All of it, with two images in docs/; about ten minutes of one processor."""
    strong = _answers(STRONG, REPETITIONS, _part(progress, 0.0, 0.45))
    everyday = _answers(EVERYDAY, EVERYDAYS, _part(progress, 0.45, 0.1))
    lives = _lives(Span(), WORLDS, _part(progress, 0.55, 0.45))
    worlds_plot.predicted(strong, DOCS / VALUES_IMAGE)
    worlds_plot.learning(lives, DOCS / EARNED_IMAGE)
    images = f"![Predicted less true value, by policy]({VALUES_IMAGE})", f"![Earned by day]({EARNED_IMAGE})"
    return text(strong, everyday, lives, images)


def quick(progress: Progress) -> str:
    """One repetition of each, and two days; no images."""
    strong = _answers(small(STRONG), 2, _part(progress, 0.0, 0.5))
    everyday = _answers(small(EVERYDAY), 1, _part(progress, 0.5, 0.2))
    return text(strong, everyday, _lives(Span(2, 150), 2, _part(progress, 0.7, 0.3)), ("", ""))


def _part(progress: Progress, start: float, length: float) -> Progress:
    return lambda stage, done: progress(stage, start + length * done)


def _answers(setting: Setting, repetitions: int, progress: Progress) -> list[Answer]:
    found: list[Answer] = []
    for seed in range(1, repetitions + 1):
        progress(f"world {seed} of {repetitions}, explored by {setting.explore:.0%}", (seed - 1) / repetitions)
        found += repetition(seed, setting)
    return found


def _lives(span: Span, worlds: int, progress: Progress) -> list[Lived]:
    def told(seed: int, done: float) -> None:
        progress(f"learning in world {seed} of {worlds}", (seed - 1 + done) / worlds)

    return [lived(seed, span, partial(told, seed)) for seed in range(1, worlds + 1)]


def text(strong: Sequence[Answer], everyday: Sequence[Answer], lives: Sequence[Lived], images: tuple[str, str]) -> str:
    """The section's Markdown."""
    held = sum(_held(each) for each in strong)
    lines = [
        "## The world",
        "",
        "### Values predicted from logs",
        "",
        f"**{held} of {len(strong)} true values lie inside their 95 % interval** (wanted: 180 of 200; 190 are to be "
        "expected of exact intervals; a refused question would count as a miss).",
        "",
        f"Each repetition is a world of its own: 600 people, ten offers, a model of 1,000 visits that decides "
        f"{STRONG.logged:,} more and explores with strength {STRONG.explore:g} (inverse-gap weighting, the service's). "
        "From that log the value of five other policies is predicted, in euro a visit; the truth is the mean of the "
        f"world's own probabilities on {STRONG.logged:,} other visits. The interval is that of the estimator which "
        "`offing evaluate` calls best, doubly robust with self-normalised weights.",
        "",
        *_by_policy(strong),
        "",
        "The same questions, answered by each estimator, refused ones among them. The direct method's interval knows "
        "nothing of the error of its model, so it is not one to rely on:",
        "",
        *_by_estimator(strong),
        "",
        f"What an everyday log can answer: twenty offers, strength {EVERYDAY.explore:g}, {EVERYDAY.logged:,} visits. "
        "Policies that choose what was seldom shown are refused rather than guessed:",
        "",
        *_by_policy(everyday),
        "",
        f"Where this log answered, {sum(map(_held, everyday))} of {sum(each.found.reliable for each in everyday)} "
        "intervals hold the truth.",
        "",
        images[0],
        "",
        "### What learning earns",
        "",
        *_learning(lives),
        "",
        images[1],
    ]
    return "\n".join(lines).replace("\n\n\n", "\n\n").rstrip() + "\n"


def _held(answer: Answer) -> bool:
    return answer.found.reliable and _inside(answer.found.best, answer.truth)


def _inside(estimate: Estimate, truth: float) -> bool:
    return estimate.interval[0] <= truth <= estimate.interval[1]


def _by_policy(answers: Sequence[Answer]) -> list[str]:
    lines = [
        "| policy | true value | answered | inside of these | mean width | mean error |",
        "|---|---|---|---|---|---|",
    ]
    for policy in POLICIES:
        of = [each for each in answers if each.policy == policy]
        if not of:
            continue
        told = [each for each in of if each.found.reliable]
        truth = np.mean([each.truth for each in of])
        inside = sum(_held(each) for each in of)
        lines.append(f"| {policy} | {truth:.3f} | {len(told)} of {len(of)} | {inside} | {_accuracy(told)} |")
    return lines


def _accuracy(told: Sequence[Answer]) -> str:
    if not told:
        return "- | -"
    width = np.mean([each.found.best.interval[1] - each.found.best.interval[0] for each in told])
    error = np.mean([each.found.best.value - each.truth for each in told])
    return f"{width:.3f} | {error:+.3f}"


def _by_estimator(answers: Sequence[Answer]) -> list[str]:
    lines = ["| estimator | inside | mean width | mean error | root mean square error |", "|---|---|---|---|---|"]
    for name, how in _HOW.items():
        known = [(estimate, each.truth) for each in answers if (estimate := how(each.found)) is not None]
        inside = sum(_inside(estimate, truth) for estimate, truth in known)
        width = np.mean([estimate.interval[1] - estimate.interval[0] for estimate, _ in known])
        errors = np.array([estimate.value - truth for estimate, truth in known])
        square = float(np.sqrt((errors**2).mean()))
        lines.append(f"| {name} | {inside} of {len(known)} | {width:.3f} | {errors.mean():+.3f} | {square:.3f} |")
    return lines


def _learning(lives: Sequence[Lived]) -> list[str]:
    days = len(lives[0].earned[ORACLE])
    wanted = [day for day in (1, 3, 7, 14, 21, 28) if day <= days]
    lines = [
        f"{len(lives)} worlds of twenty offers and 600 people, {lives[0].visits} visits a day. The engine begins with "
        "what the campaigns declare, explores with strength 0.2 in every decision, pays for that, and learns anew each "
        "night from its own log. The best fixed offer is chosen in hindsight, from the truth; the most popular one is "
        "known from showings at random that cost it nothing; the oracle knows what everybody would accept, of which "
        "a part shows in no attribute.",
        "",
        "True value a visit as a share of the oracle's, in percent, with 95 % intervals over worlds (Student's t):",
        "",
        "| policy | " + " | ".join(f"day {day}" for day in wanted) + " | all days | euro in all |",
        "|---" * (len(wanted) + 3) + "|",
    ]
    for policy in EARNERS:
        shares = share_of_oracle(lives, policy)
        total = np.array([100 * each.earned[policy].sum() / each.earned[ORACLE].sum() for each in lives])
        euro = np.mean([each.earned[policy].sum() for each in lives]) * lives[0].visits
        cells = [_interval(shares[:, day - 1]) for day in wanted]
        name = f"**{policy}**" if policy == LEARNING else policy
        lines.append(f"| {name} | " + " | ".join([*cells, _interval(total)]) + f" | {euro:,.0f} |")
    return lines


def share_of_oracle(lives: Sequence[Lived], policy: str) -> Numbers:
    """(worlds, days) in percent."""
    return np.array([100 * each.earned[policy] / each.earned[ORACLE] for each in lives])


def _interval(values: Numbers) -> str:
    half = half_width(values)
    return f"{values.mean():.0f} ± {half:.0f}" if half >= 0.5 else f"{values.mean():.0f}"


def half_width(values: Numbers) -> float:
    """Of the 95 % interval of the mean."""
    count = len(values)
    return float(student.ppf(0.975, count - 1) * values.std(ddof=1) / np.sqrt(count))
