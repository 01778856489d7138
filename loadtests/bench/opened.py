"""The services of the bench, started and ready to be asked: the floor, Offing and the hand-rolled one."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx

from loadtests.bench import by_hand
from loadtests.bench.runs import Target
from loadtests.bench.services import Cores, Process, running
from loadtests.bench.stage import Stage, forget_decisions

HITS = 'offing_decision_cache_total{result="hit"}'


@dataclass(frozen=True, slots=True)
class Ground:
    """Where services run."""

    folder: Path
    on: Cores


@contextmanager
def floor(ground: Ground) -> Iterator[Target]:
    """The bare route."""

    def command(port: int) -> list[str]:
        return ["-m", "loadtests.bench.floor", str(port)]

    with running("floor", command, ground.on.service, ground.folder, {}) as process:
        yield Target(process, expected=b"{")


@contextmanager
def offing(ground: Ground, stage: Stage, settings: Mapping[str, str] | None = None) -> Iterator[Target]:
    """`offing serve` on a stage; `settings` go beside the stage's own."""

    def command(port: int) -> list[str]:
        return ["-m", "offers.cli", "serve"]

    name, environment = stage.settings.namespace, {**stage.environment, **(settings or {})}
    with running(name, command, ground.on.service, ground.folder, environment) as process:
        yield Target(process, stage.secret, forget=partial(forget_decisions, stage), hits=partial(_hits, process))


@contextmanager
def handrolled(ground: Ground, stage: Stage) -> Iterator[Target]:
    """The hand-rolled service on the same campaigns, model, customers and market."""
    arguments = by_hand.arguments(stage, ground.folder)

    def command(port: int) -> list[str]:
        return ["-m", "loadtests.bench.handrolled.app", str(port), *arguments]

    name = f"by-hand-{stage.settings.namespace}"
    with running(name, command, ground.on.service, ground.folder, {}) as process:
        yield Target(process, stage.secret)


def _hits(process: Process) -> float:
    """Answers of a service that came from its cache."""
    text = httpx.get(f"http://127.0.0.1:{process.port}/metrics", timeout=20.0).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(HITS))
