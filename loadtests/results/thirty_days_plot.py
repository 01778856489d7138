"""The image of the thirty days."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from loadtests.results.learning_world import Numbers

mpl.use("Agg")
COLOURS = ("#c8553d", "#2b5c8a", "#999999")
WHAT = ("outcomes flipped", "other tastes", "nobody comes")


def draw(shares: Mapping[str, Numbers], marked: Sequence[int], path: Path) -> None:
    """(worlds, days) each, in percent of the oracle's: means by day with two standard errors; `marked` days, from 0."""
    figure = Figure(figsize=(7.5, 4.0), layout="constrained")
    axes = figure.subplots()
    for (name, each), colour in zip(shares.items(), COLOURS, strict=True):
        days = np.arange(1, each.shape[1] + 1)
        mean, error = each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(len(each))
        axes.plot(days, mean, color=colour, label=name, linewidth=1.6)
        axes.fill_between(days, mean - 2 * error, mean + 2 * error, color=colour, alpha=0.15, linewidth=0)
    for day, what in zip(marked, WHAT, strict=True):
        axes.axvline(day + 1, color="black", linewidth=0.6, linestyle=":")
        axes.annotate(what, (day + 1, 98), rotation=90, va="top", ha="right", fontsize=7)
    axes.set(xlabel="day", ylabel="earned, % of the oracle's", ylim=(0, 100), xlim=(1, 30))
    axes.legend(fontsize=8, loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=110, metadata={"Software": None})
