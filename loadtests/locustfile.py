"""Locust's side of the load test: users, the shape, and what is measured. `make loadtest` starts it with a plan.

A Locust user is a lane: it takes the next request that is due, whoever's it is. How many requests are due when is the
plan's (loadtests/load/shapes.py); what they say and what is measured of them is the generator's.
"""

import gc
import time
from pathlib import Path
from threading import Thread
from typing import Any

import msgspec
from locust import LoadTestShape, User, constant, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner

from loadtests.load.generator import DRAIN_S, LEAD_S, Generator
from loadtests.load.measured import Measured, merge
from loadtests.load.plan import read
from loadtests.load.sampling import Sampler
from loadtests.load.shapes import seconds_of
from loadtests.load.traffic import Part

PLAN, SECRET = read()
REPORT = "measured"
SPAWNED_PER_S = 100
HOOKS: Any = events
"""Locust's hooks have no types."""


class Run:
    """What this process holds: a generator, or, of a master, what the generators report."""

    def __init__(self) -> None:
        self.generator: Generator | None = None
        self.reported: list[Measured] = []
        self.began = 0.0

    def begin(self, environment: Environment, part: Part) -> None:
        """Make the generator, and let everything beside the lanes run. Threads are Locust's green ones here."""
        hooks: Any = environment.events

        def attempted(path: str, seconds: float, size: int, wrong: str) -> None:
            failure = RuntimeError(wrong) if wrong else None
            hooks.request.fire(
                request_type="POST", name=path, response_time=seconds * 1000, response_length=size, exception=failure
            )

        generator = Generator(PLAN, SECRET, part, attempted)
        gc.collect()
        gc.freeze()  # the plan's tens of thousands of requests need not be looked through again and again
        generator.start()
        beside = [generator.speak_market, Sampler(generator).run]
        if part.index == 0:
            beside.append(generator.probe)
        for work in beside:
            Thread(target=work, daemon=True).start()
        self.generator = generator


RUN = Run()


def on_init(environment: Environment, **_: Any) -> None:
    """A master gathers what its workers send."""
    if isinstance(environment.runner, MasterRunner):
        environment.runner.register_message(REPORT, _reported)


def _reported(environment: Environment, msg: Any, **_: Any) -> None:
    RUN.reported.append(msgspec.json.decode(msg.data[REPORT], type=Measured))


def on_test_start(environment: Environment, **_: Any) -> None:
    """The clock of this process's share begins."""
    runner = environment.runner
    RUN.began = time.perf_counter()
    if isinstance(runner, MasterRunner):
        return
    index = runner.worker_index if isinstance(runner, WorkerRunner) else 0
    RUN.begin(environment, Part(index, PLAN.generators))
    if isinstance(runner, WorkerRunner):
        Thread(target=_report, args=(runner,), daemon=True).start()


def _report(runner: WorkerRunner) -> None:
    """A worker's share goes to the master as soon as it is over."""
    generator = RUN.generator
    while generator is not None and not generator.over:
        time.sleep(0.2)
    if generator is not None:
        runner.send_message(REPORT, {REPORT: msgspec.json.encode(generator.finish()).decode()})


def on_quitting(environment: Environment, **_: Any) -> None:
    """Write what was measured; who judges it is `make loadtest`."""
    runner = environment.runner
    if isinstance(runner, WorkerRunner):
        return
    if RUN.generator is not None:
        RUN.reported.append(RUN.generator.finish())
    if RUN.reported:
        whole = RUN.reported[0]
        for part in RUN.reported[1:]:
            merge(whole, part)
        Path(PLAN.measured).write_bytes(msgspec.json.encode(whole))
    environment.process_exit_code = 0


HOOKS.init.add_listener(on_init)
HOOKS.test_start.add_listener(on_test_start)
HOOKS.quitting.add_listener(on_quitting)


class Offered(LoadTestShape):
    """Lanes for the plan's load: all of them from the beginning, until everything is answered."""

    def tick(self) -> tuple[int, float] | None:
        """(lanes, how many begin a second); None: the run is over."""
        generator = RUN.generator
        if generator is not None:
            over = generator.over
        else:
            longest = LEAD_S + seconds_of(PLAN.stages) + DRAIN_S + LEAD_S
            late = RUN.began > 0 and time.perf_counter() - RUN.began > longest
            over = len(RUN.reported) == PLAN.generators or late
        return None if over else (PLAN.connections, SPAWNED_PER_S)


class Lane(User):
    """One request after the other."""

    wait_time = constant(0)

    @task
    def next_request(self) -> None:
        """Whatever is due next."""
        if RUN.generator is not None:
            RUN.generator.lane()
