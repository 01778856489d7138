"""What is measured, in which order, and what the numbers are made of."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from time import monotonic

import httpx
from rich.console import Console

from loadtests.bench.campaigns import SCORED
from loadtests.bench.customers import CROWDS, REFERENCE
from loadtests.bench.results import Row
from loadtests.bench.runs import Asking, Runner, Sample, Target, medians, slope
from loadtests.bench.services import Cores, Process, running
from loadtests.bench.stage import Stage, forget_decisions, prepared, store_profiles
from streams.attribute_file import load_attributes

HITS = 'offing_decision_cache_total{result="hit"}'
WIDE = 16
"""Connections at which throughput is measured."""
PEOPLE = 1_000
"""Of the reference crowd; the others are CROWD_PEOPLE."""
CROWD_PEOPLE = 300
CACHED_PEOPLE = 100
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


def measured(folder: Path, url: str, on: Cores, *, quick: bool, console: Console) -> Found:
    """Everything, or with `quick` what is needed to work on the hot path."""
    found = Found()
    with ExitStack() as held:
        console.print("preparing 1,000 live offers, the model, the customers")
        stage = prepared(1_000, url)
        people = [(crowd, PEOPLE if crowd == REFERENCE else CROWD_PEOPLE) for crowd in CROWDS.values()]
        store_profiles([stage], load_attributes(stage.settings.campaigns / "attributes.yaml"), people)
        floor = Target(held.enter_context(_floor(on, folder)), expected=b"{")
        offing = held.enter_context(_offing(stage, on, folder))
        runner = Runner(folder, on.rest)
        for target in (floor, offing):
            runner.run(target, Asking(REFERENCE, 800, 800, WIDE))
        _at_one_thousand(Bench(runner, console, found, 45.0), floor, offing)
    return found


class Bench:
    """Measures scenes in turn and keeps what they say."""

    def __init__(self, runner: Runner, console: Console, found: Found, seconds: float) -> None:
        """`seconds`: no set of scenes is begun again later than this after its first, but for LEAST times."""
        self.runner = runner
        self.console = console
        self.found = found
        self.seconds = seconds

    def in_turn(self, scenes: Sequence[Scene]) -> dict[str, Sample]:
        """Scene -> medians of its runs. Every scene is run once before any is run again."""
        samples: dict[str, list[Sample]] = {scene.name: [] for scene in scenes}
        began, done = monotonic(), 0
        while done < LEAST or (done < MOST and monotonic() - began < self.seconds * done / (done + 1)):
            done += 1
            self.console.print(f"{done}: {', '.join(samples)}", style="dim")
            for scene in scenes:
                samples[scene.name].append(self.runner.run(scene.target, scene.asking))
        told = {name: medians(of_scene) for name, of_scene in samples.items()}
        self.found.rows += [_row(name, sample, done) for name, sample in told.items()]
        return told


def _row(name: str, sample: Sample, runs: int) -> Row:
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


def _at_one_thousand(bench: Bench, floor: Target, offing: Target) -> None:
    """The reference decision, alone and at 16 connections, cached and not; more and fewer candidates; half load."""
    one = [
        Scene("floor", floor, Asking(REFERENCE, 800, 800)),
        Scene("1,000 offers, 100 scored", offing, Asking(REFERENCE, 400, 400)),
        Scene("... cached", offing, Asking(REFERENCE, 600, CACHED_PEOPLE)),
        *(
            Scene(f"... {SCORED[tier]} scored", offing, Asking(crowd, 250, 250))
            for tier, crowd in CROWDS.items()
            if crowd != REFERENCE
        ),
        Scene("floor, 16 connections", floor, Asking(REFERENCE, 2_000, 2_000, WIDE)),
        Scene("1,000 offers, 16 connections", offing, Asking(REFERENCE, 1_000, 1_000, WIDE)),
        Scene("... cached, 16 connections", offing, Asking(REFERENCE, 1_200, CACHED_PEOPLE, WIDE)),
    ]
    told = bench.in_turn(one)
    wide, decision = told["1,000 offers, 16 connections"], told["1,000 offers, 100 scored"]
    half = Scene("1,000 offers, half load", offing, Asking(REFERENCE, 1_000, 1_000, WIDE, rate=wide.per_s / 2))
    half_load = bench.in_turn([half])[half.name]
    base, base_wide = told["floor"], told["floor, 16 connections"]
    points = [(100.0, decision.p50_ms)]
    points += [(float(n), told[f"... {n} scored"].p50_ms) for n in SCORED.values() if n != 100]
    bench.found.values |= {
        "floor_p50_ms": base.p50_ms,
        "floor_per_s": base_wide.per_s,
        "decision_p50_ms": decision.p50_ms,
        "decision_per_s": wide.per_s,
        "decision_cached_p50_ms": told["... cached"].p50_ms,
        "decision_cached_per_s": told["... cached, 16 connections"].per_s,
        "decision_cpu_ms": decision.service_cpu_ms,
        "decision_p50_over_floor": decision.p50_ms / base.p50_ms,
        "decision_p50_at_half_load_ms": half_load.p50_ms,
        "decision_p99_ms": half_load.p99_ms,
        "decision_p99_over_p50_at_half_load": half_load.p99_ms / half_load.p50_ms,
        "per_candidate_ms": slope(points),
        "throughput_over_floor_uncached": wide.per_s / base_wide.per_s,
        "throughput_over_floor_cached": told["... cached, 16 connections"].per_s / base_wide.per_s,
    }


@contextmanager
def _floor(on: Cores, folder: Path) -> Iterator[Process]:
    def command(port: int) -> list[str]:
        return ["-m", "loadtests.bench.floor", str(port)]

    with running("floor", command, on.service, folder, {}) as process:
        yield process


@contextmanager
def _offing(stage: Stage, on: Cores, folder: Path) -> Iterator[Target]:
    """`offing serve` on a stage."""
    name = stage.settings.namespace
    with running(name, lambda _: ["-m", "offers.cli", "serve"], on.service, folder, stage.environment) as process:
        yield Target(process, stage.secret, forget=partial(forget_decisions, stage), hits=partial(_hits, process))


def _hits(process: Process) -> float:
    """Answers of a service that came from its cache."""
    text = httpx.get(f"http://127.0.0.1:{process.port}/metrics", timeout=20.0).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(HITS))
