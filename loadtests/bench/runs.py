"""One run of one service by the client, and what many runs say: percentiles of a run, medians over the runs."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec

from loadtests.bench.client import Outcome, Plan, http_request
from loadtests.bench.customers import Crowd, question
from loadtests.bench.services import Process
from loadtests.service import Failed

PATH = "/v1/decisions"
CLIENT_S = 120.0
BUSY = 0.9
"""With more of its core taken, the client may be what is measured."""


@dataclass(frozen=True, slots=True)
class Target:
    """A service as it is asked: its process, a key, and what has to be in every answer."""

    process: Process
    secret: str = "none"
    expected: bytes = b'"degraded":[]'
    forget: Callable[[], object] = lambda: None
    """Makes the service's cached decisions be gone."""
    hits: Callable[[], float] | None = None
    """How many answers came from the cache so far; None: it has none."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One run."""

    requests: int
    p50_ms: float
    p99_ms: float
    per_s: float
    service_cpu_ms: float
    """Per request."""
    client_share: float
    """Of one core."""
    answer_bytes: float
    lacking: float
    """Share of answers that had to do without something."""


@dataclass(frozen=True, slots=True)
class Asking:
    """Whom to ask for, how often, over how many connections."""

    crowd: Crowd
    requests: int
    people: int
    """Distinct customers: as many as requests if nothing may be answered from the cache."""
    connections: int = 1
    rate: float | None = None

    @property
    def cached(self) -> bool:
        """Whether every answer is to come from the cache."""
        return self.people < self.requests


class Runner:
    """Runs the client, one run at a time, on the cores given. `turn` makes every request_id new."""

    def __init__(self, folder: Path, on: frozenset[int]) -> None:
        self.folder = folder
        self.on = on
        self.turn = 0

    def run(self, target: Target, asking: Asking) -> Sample:
        """Raises Failed if an answer was none, or came from the cache when none may or the other way round, or the

        client was too busy to be believed."""
        if asking.cached:
            self.once(target, Asking(asking.crowd, asking.people, asking.people, min(asking.connections, 4)))
        sample = self.once(target, asking)
        target.forget()
        if sample.client_share > BUSY:
            raise Failed(f"the client took {sample.client_share:.0%} of its core: it may be what was measured")
        return sample

    def once(self, target: Target, asking: Asking) -> Sample:
        """One run as it is: what it leaves in the cache stays there."""
        self.turn += 1
        requests = []
        for number in range(asking.requests):
            asked = question(asking.crowd, number % asking.people, self.turn * 100 + number // asking.people)
            requests.append(http_request(PATH, msgspec.json.encode(asked), f"Bearer {target.secret}"))
        plan = Plan(target.process.port, requests, target.expected, asking.connections, asking.rate)
        hits, cpu = target.hits() if target.hits else 0.0, target.process.cpu_s()
        outcome = self._drive(plan)
        spent = target.process.cpu_s() - cpu
        if outcome.failed:
            raise Failed(f"{target.process.name}: {outcome.failed} answers were none; the first: {outcome.first_bad}")
        found = target.hits() - hits if target.hits else 0.0
        wanted = asking.requests if asking.cached else 0
        if target.hits and abs(found - wanted) > outcome.lacking:
            raise Failed(f"{target.process.name}: {found:.0f} of {asking.requests} answers came from the cache")
        return summed_up(outcome, spent)

    def _drive(self, plan: Plan) -> Outcome:
        path = self.folder / "plan"
        path.write_bytes(msgspec.msgpack.encode(plan))
        done = subprocess.run(
            [sys.executable, "-m", "loadtests.bench.client", str(path)],
            stdout=subprocess.PIPE,
            timeout=CLIENT_S,
            preexec_fn=lambda: os.sched_setaffinity(0, self.on),
            check=True,
        )
        return msgspec.msgpack.decode(done.stdout, type=Outcome)


def summed_up(outcome: Outcome, service_cpu_s: float) -> Sample:
    """A run in a few numbers."""
    count = len(outcome.latencies_ms)
    return Sample(
        requests=count,
        p50_ms=percentile(outcome.latencies_ms, 50),
        p99_ms=percentile(outcome.latencies_ms, 99),
        per_s=count / outcome.seconds,
        service_cpu_ms=service_cpu_s * 1000 / max(1, count),
        client_share=outcome.cpu_s / outcome.seconds,
        answer_bytes=outcome.answer_bytes / max(1, count),
        lacking=outcome.lacking / max(1, count),
    )


def percentile(values: Sequence[float], rank: float) -> float:
    """The smallest value that at least `rank` percent of them do not exceed; NaN for none.

    >>> percentile([4.0, 1.0, 3.0, 2.0], 50), percentile([4.0, 1.0, 3.0, 2.0], 99)
    (2.0, 4.0)
    """
    if not values:
        return float("nan")
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * rank // 100).__int__() - 1)]


def medians(samples: Sequence[Sample]) -> Sample:
    """Number by number, the median over the runs; of what was lacking, the most."""
    return Sample(
        requests=sum(sample.requests for sample in samples),
        p50_ms=median(sample.p50_ms for sample in samples),
        p99_ms=median(sample.p99_ms for sample in samples),
        per_s=median(sample.per_s for sample in samples),
        service_cpu_ms=median(sample.service_cpu_ms for sample in samples),
        client_share=median(sample.client_share for sample in samples),
        answer_bytes=median(sample.answer_bytes for sample in samples),
        lacking=max(sample.lacking for sample in samples),
    )


def slope(points: Sequence[tuple[float, float]]) -> float:
    """Of the straight line nearest to (x, y) in the sum of squares.

    >>> slope([(0.0, 1.0), (10.0, 3.0)])
    0.2
    """
    middle_x = sum(x for x, _ in points) / len(points)
    middle_y = sum(y for _, y in points) / len(points)
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread
