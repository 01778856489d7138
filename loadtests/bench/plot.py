"""docs/bench.png: three pictures of one run."""

import re
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from loadtests.bench.results import Results, Row

PICTURE = Path("docs/bench.png")
SCORED = re.compile(r"([\d,]+) offers, (\d+) scored")
SURVIVE = re.compile(r"([\d,]+) offers, ([\d,]+) survive")
BY_HAND = re.compile(r"by hand, ([\d,]+) offers, 100 scored")
INK, PALE, OTHER = "#14507a", "#8fb8d3", "#c8673a"


def draw(results: Results, path: Path = PICTURE) -> None:
    """Write the picture."""
    figure = Figure(figsize=(12, 3.8), dpi=110, layout="constrained")
    one, two, three = figure.subplots(1, 3)
    _candidates(one, results.rows)
    _sizes(two, results.rows)
    _throughput(three, results.rows)
    figure.suptitle(f"{results.machine}, commit {results.commit}", fontsize=8)
    figure.savefig(path)


def points(pattern: re.Pattern[str], rows: Sequence[Row]) -> list[tuple[int, int, float]]:
    """(live offers, second number or 0, p50 in ms) of the rows that are named so."""
    found = [(pattern.fullmatch(row.scene), row.p50_ms) for row in rows]
    return [(_number(match[1]), _number((*match.groups(), "0")[1]), p50) for match, p50 in found if match]


def _candidates(axes: Axes, rows: Sequence[Row]) -> None:
    """p50 by how many are scored, a line per catalog."""
    every = points(SCORED, rows)
    for live in sorted({live for live, _, _ in every}):
        of_live = sorted((scored, p50) for size, scored, p50 in every if size == live)
        axes.plot(*zip(*of_live, strict=True), marker="o", label=f"{live:,} live offers")
    floor = next((row.p50_ms for row in rows if row.scene == "floor"), None)
    if floor is not None:
        axes.axhline(floor, color="gray", linestyle=":", label="bare FastAPI POST")
    axes.set(title="One connection", xlabel="candidates scored", ylabel="p50, ms", ylim=(0, None))
    axes.legend(fontsize=7)


def _sizes(axes: Axes, rows: Sequence[Row]) -> None:
    """p50 by how many offers are live."""
    lines = {
        "100 survive the index": ([(live, p50) for live, scored, p50 in points(SCORED, rows) if scored == 100], INK),
        "a quarter survives": ([(live, p50) for live, _, p50 in points(SURVIVE, rows)], PALE),
        "by hand, 100 left": ([(live, p50) for live, _, p50 in points(BY_HAND, rows)], OTHER),
    }
    for name, (found, colour) in lines.items():
        if found:
            axes.plot(*zip(*sorted(found), strict=True), marker="o", color=colour, label=name)
    axes.set(title="One connection", xlabel="live offers", ylabel="p50, ms", xscale="log", yscale="log")
    axes.legend(fontsize=7)


def _throughput(axes: Axes, rows: Sequence[Row]) -> None:
    """Answers a second at 16 connections."""
    bars = {
        "floor, 16 connections": "bare FastAPI POST",
        "1,000 offers, cached, 16 connections": "1,000 offers, cached",
        "1,000 offers, 16 connections": "1,000 offers",
        "10,000 offers, 16 connections": "10,000 offers",
        "100,000 offers, 16 connections": "100,000 offers",
        "by hand, 1,000 offers, 16 connections": "by hand, 1,000",
        "by hand, 10,000 offers, 16 connections": "by hand, 10,000",
    }
    found = [(bars[row.scene], row.per_s) for row in rows if row.scene in bars]
    drawn = axes.barh([name for name, _ in found], [per_s for _, per_s in found], color=INK)
    axes.bar_label(drawn, fmt="{:,.0f}", fontsize=7, padding=2)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.set(title="16 connections, one worker", xlabel="answers per second")


def _number(text: str) -> int:
    return int(text.replace(",", ""))
