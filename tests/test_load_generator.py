"""A generator that cannot keep up, and the clock beside it. A whole run is in test_load_command.py."""

import time
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from loadtests.load import budget_file
from loadtests.load.crowd import crowd
from loadtests.load.generator import Generator
from loadtests.load.introduce import introduce
from loadtests.load.measured import Measured
from loadtests.load.plan import Plan
from loadtests.load.sampling import Sampler
from loadtests.load.shapes import Stage
from loadtests.load.traffic import DECISION, Part
from loadtests.load.verdict import Outcome, generator_problems, judge
from loadtests.service import Failed
from tests.canned import Asked, canned

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "deploy" / "campaigns"
BUDGET = budget_file.read(ROOT / "loadtests" / "budget.yaml")
CUSTOMERS = 120
RUN = "l0000test"
STAGES = (Stage("warm-up", "warm", 1.0, 30.0), Stage("steady", "steady", 4.0, 50.0))


def plan(url: str, stages: tuple[Stage, ...], now: int, **changes: Any) -> Plan:
    values = dict(url=url, run=RUN, seed=1, now=now, customers=CUSTOMERS, stages=stages, budget=BUDGET, facts={})
    return Plan(**{**values, "measured": "", **changes})


def run(generator: Generator, lanes: int, *, beside: bool = True) -> Measured:
    """As Locust would: lanes that take the next request, and what runs beside them."""

    def lane() -> None:
        while not generator.over:
            generator.lane()

    generator.start()
    work = [lane] * lanes + ([generator.probe, generator.speak_market, Sampler(generator).run] if beside else [])
    threads = [Thread(target=each, daemon=True) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return generator.finish()


def test_a_target_that_takes_no_events_is_told_before_the_run() -> None:
    people = crowd(1, 3, time.time_ns() // 1_000_000)
    with (
        canned(lambda asked: (403, {"code": "LOAD_NOT_ALLOWED"})) as server,
        pytest.raises(Failed, match=r"403 .*LOAD_NOT_ALLOWED"),
    ):
        introduce(server.url, "ok_1", people, RUN)
    with (
        canned(lambda asked: (207, {"results": [{"status": "rejected", "code": "ATTRIBUTE_VALUE"}]})) as server,
        pytest.raises(Failed, match="207 ATTRIBUTE_VALUE"),
    ):
        introduce(server.url, "ok_1", people, RUN)
    with pytest.raises(Failed, match="does not take the load's customers: ConnectionRefusedError"):
        introduce(server.url, "ok_1", people, RUN)


def _slowly(asked: Asked) -> tuple[int, Any]:
    time.sleep(0.1)
    if asked.path == "/v1/decisions":
        placements = [{**one, "items": [], "fallback": False} for one in asked.body["placements"]]
        made = {"decision_id": asked.body["request_id"], "server_time": "2026-11-21T18:04:11Z", "degraded": []}
        return 200, {**made, "withdrawn": [], "placements": placements}
    return 202, {"results": [{"status": "accepted"} for _ in asked.body]}


def test_a_generator_that_cannot_keep_up_makes_the_run_invalid_and_its_latencies_say_so() -> None:
    stages = (Stage("steady", "steady", 1.0, 40.0),)
    with canned(_slowly) as server:
        generator = Generator(plan(server.url, stages, time.time_ns() // 1_000_000), "ok_1", Part(), lambda *_: None)
        measured = run(generator, lanes=2, beside=False)
    found = measured.stages[0]
    assert found.sent < 0.95 * found.due, "two lanes send 20 a second of 40"
    assert any("were sent in time" in problem for problem in generator_problems(found))
    assert judge(measured, BUDGET, 1).outcome is Outcome.INVALID
    kind = found.kinds[DECISION]
    sent, due = kind.from_sent.quantile(0.95), kind.from_due.quantile(0.95)
    assert sent is not None and due is not None
    assert due > sent + 0.2, "the wait for a lane is part of the latency: nothing is left out that was due"
