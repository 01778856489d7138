"""The images of the worlds' section."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.results.earning import LEARNING, ORACLE, Lived
from loadtests.results.earning import POLICIES as EARNERS
from loadtests.results.predicted_value import POLICIES, Answer

mpl.use("Agg")
INK, MISSED, REFUSED = "#2b5c8a", "#c8553d", "#bbbbbb"
COLOURS = {LEARNING: "#c8553d", "best fixed offer": "#2b5c8a", "most popular": "#6b9a5b", "at random": "#999999"}
_PLAIN = {"Software": None}
"""No program's version in the file: the same numbers are the same bytes."""


def predicted(answers: Sequence[Answer], path: Path) -> None:
    """Every predicted value less the true one, with its interval; those that miss stand out."""
    figure = Figure(figsize=(9.5, 3.2), layout="constrained")
    panels: Sequence[Axes] = figure.subplots(1, len(POLICIES), sharey=True)
    for axes, policy in zip(panels, POLICIES, strict=True):
        _panel(axes, [each for each in answers if each.policy == policy])
        axes.set_title(policy, fontsize=8)
    panels[0].set_ylabel("predicted less true value, € a visit", fontsize=8)
    figure.savefig(path, dpi=110, metadata=_PLAIN)


def _panel(axes: Axes, answers: Sequence[Answer]) -> None:
    axes.axhline(0, color="black", linewidth=0.8)
    for spot, each in enumerate(answers):
        best = each.found.best
        low, high = best.interval[0] - each.truth, best.interval[1] - each.truth
        colour = REFUSED if not each.found.reliable else INK if low <= 0 <= high else MISSED
        axes.plot([spot, spot], [low, high], color=colour, linewidth=1.2)
        axes.plot([spot], [best.value - each.truth], ".", color=colour, markersize=3)
    axes.tick_params(labelsize=7)
    axes.set_xticks([])


def learning(lives: Sequence[Lived], path: Path) -> None:
    """What is earned by day, as a share of the oracle's, with intervals over worlds."""
    figure = Figure(figsize=(7.5, 4.0), layout="constrained")
    axes = figure.subplots()
    days = np.arange(1, len(lives[0].earned[ORACLE]) + 1)
    for policy in (each for each in EARNERS if each != ORACLE):
        shares = np.array([100 * each.earned[policy] / each.earned[ORACLE] for each in lives])
        mean, spread = shares.mean(axis=0), shares.std(axis=0, ddof=1) / np.sqrt(len(lives))
        axes.plot(days, mean, color=COLOURS[policy], label=policy, linewidth=2 if policy == LEARNING else 1.2)
        axes.fill_between(days, mean - 2 * spread, mean + 2 * spread, color=COLOURS[policy], alpha=0.15, linewidth=0)
    axes.set(xlabel="day", ylabel="earned, % of the oracle's", ylim=(0, 100), xlim=(1, days[-1]))
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110, metadata=_PLAIN)
