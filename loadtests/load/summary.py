"""What a person at the terminal is told of a run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from loadtests.load.histogram import three_figures

COLOURS = {"passed": "green", "failed": "red", "invalid": "yellow"}


def show(console: Console, found: Mapping[str, Any], output: Path) -> None:
    """The verdict and the knee first."""
    outcome = found["outcome"]
    console.print(f"[bold {COLOURS[outcome]}]{outcome}[/bold {COLOURS[outcome]}]")
    for reason in found["reasons"]:
        console.print(f"  {escape(reason['stage'])}: {escape(reason['what'])}")
    console.print(knee_told(found["knee"]))
    console.print(_stages(found))
    for stage in found["stages"]:
        if stage["role"] == "steady":
            console.print(_told(stage))
    console.print(f"{output / 'report.html'} and report.json have the rest")


def knee_told(knee: Mapping[str, Any] | None) -> str:
    """One sentence."""
    if knee is None:
        return "no knee was looked for: the shape has no ramp"
    bound = " (the generator ended there; the target may hold more)" if knee["bound_by_generator"] else ""
    ended = f"; {knee['ended_by']}" if knee["ended_by"] else "; the ramp ended before the target did"
    return f"knee: {knee['rate']:.0f} requests a second within the budget{bound}{ended}"


def _stages(found: Mapping[str, Any]) -> Table:
    table = Table("stage", "offered/s", "answered/s", "p50 ms", "p95 ms", "p99 ms", "errors", "generator", box=None)
    for stage in found["stages"]:
        times, cpu = stage["all_ms"], stage["generator"]["cpu"]
        table.add_row(
            stage["name"],
            f"{stage['rate']['offered']:.0f}",
            f"{stage['rate']['answered']:.0f}",
            *(three_figures(times[name]) for name in ("p50", "p95", "p99")),
            f"{stage['errors']:.2%}",
            "" if cpu is None else f"{cpu:.0%}",
        )
    return table


def _told(stage: Mapping[str, Any]) -> str:
    decisions, fresh = stage["decisions"], stage["freshness_ms"]
    hits = f"hit rate {decisions['hit_rate']:.1%} ({decisions['hit_rate_as_live']:.1%} if load's outcomes counted)"
    seen = f"a changed fare is shown after {three_figures(fresh['p50'])} ms, p99 {three_figures(fresh['p99'])} ms"
    cores = ", ".join(f"{name} {used:.2f}" for name, used in stage["target"]["cores"].items())
    elsewhere = f"cores used: {cores}; by nobody here {stage['generator']['elsewhere_cores']:.2f}" if cores else ""
    told = f"{stage['name']}: {hits}, degraded {decisions['degraded']:.2%}, {seen} ({fresh['count']} changes)"
    return f"{told}\n{elsewhere}".rstrip()
