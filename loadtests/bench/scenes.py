"""Scenes: one service asked in one way. Measured in turn, so that what disturbs the machine disturbs all of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import monotonic

from rich.console import Console

from loadtests.bench.results import Row
from loadtests.bench.runs import Asking, Runner, Sample, Target, medians

LEAST, MOST = 3, 9
"""Runs of a scene."""


@dataclass(slots=True)
class Found:
    """Everything measured."""

    values: dict[str, float | None] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Scene:
    """One service asked in one way."""

    name: str
    target: Target
    asking: Asking


class Bench:
    """Measures scenes in turn and keeps what they say."""

    def __init__(self, runner: Runner, console: Console, found: Found) -> None:
        self.runner = runner
        self.console = console
        self.found = found

    def say(self, what: str) -> None:
        """Tell whoever waits."""
        self.console.print(what, style="dim")

    def in_turn(self, scenes: Sequence[Scene], seconds: float) -> dict[str, Sample]:
        """Scene -> medians of its runs. Every scene is run once before any is run again; LEAST times, and then for as

        long as another round fits into `seconds`, MOST times."""
        samples: dict[str, list[Sample]] = {scene.name: [] for scene in scenes}
        began, done = monotonic(), 0
        while done < LEAST or (done < MOST and (monotonic() - began) * (done + 1) < seconds * done):
            done += 1
            self.say(f"round {done} of {len(scenes)} scenes, {scenes[0].name} first")
            for scene in scenes:
                samples[scene.name].append(self.runner.run(scene.target, scene.asking))
        told = {name: medians(of_scene) for name, of_scene in samples.items()}
        self.found.rows += [row(name, sample, done) for name, sample in told.items()]
        for name, sample in told.items():
            if sample.lacking:
                self.found.notes.append(f"{name}: up to {sample.lacking:.1%} of a run's answers were degraded")
        return told


def row(name: str, sample: Sample, runs: int) -> Row:
    """A line of the table."""
    return Row(
        scene=name,
        p50_ms=sample.p50_ms,
        p99_ms=sample.p99_ms,
        per_s=sample.per_s,
        service_cpu_ms=sample.service_cpu_ms,
        client_share=sample.client_share,
        runs=runs,
        requests=sample.requests,
    )
