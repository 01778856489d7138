"""A worker leaves: it says so first, answers on for a while, and loses nothing it answered."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import anyio
import httpx
import pytest
from starlette.responses import PlainTextResponse

from offers.api.app import application
from offers.api.draining import Draining
from streams.consumer import wall_clock
from streams.lake import Lake
from streams.lake_consumer import Flush, LakeConsumer
from streams.log import DECISIONS
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from tests.served import Served, eventually, served
from tests.service import PATIENCE_S, service

HERO = {"placements": [{"placement": "app.home.hero", "limit": 1}]}


async def asked(app: Draining) -> httpx.Response:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://offing") as http:
        return await http.get("/")


@contextmanager
def taken_by(taken: list[int]) -> Iterator[None]:
    """SIGTERM comes to this list; what had it before has it again afterwards."""

    def take(number: int, frame: FrameType | None) -> None:
        taken.append(number)

    before = signal.signal(signal.SIGTERM, take)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def test_from_sigterm_on_it_asks_clients_to_go_and_ends_after_the_time_it_was_given() -> None:
    taken: list[int] = []

    async def scenario() -> None:
        app = Draining(PlainTextResponse("hello"), 1.0)
        app.take_over()
        assert "connection" not in (await asked(app)).headers
        os.kill(os.getpid(), signal.SIGTERM)
        await asyncio.sleep(0)
        answer = await asked(app)
        assert (answer.text, answer.headers["connection"], app.begun, taken) == ("hello", "close", True, [])
        with anyio.fail_after(PATIENCE_S):
            while not taken:
                await asyncio.sleep(0.01)

    with taken_by(taken):
        anyio.run(scenario)
    assert taken == [signal.SIGTERM]


@pytest.mark.parametrize(("for_s", "signals"), [(0.0, 1), (3_600.0, 2)], ids=["no time given", "asked twice"])
def test_it_ends_at_once(for_s: float, signals: int) -> None:
    taken: list[int] = []

    async def scenario() -> None:
        app = Draining(PlainTextResponse("hello"), for_s)
        app.take_over()
        for _ in range(signals):
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.sleep(0)

    with taken_by(taken):
        anyio.run(scenario)
    assert taken == [signal.SIGTERM]


def test_a_worker_that_leaves_is_alive_and_not_ready(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            assert (await live.http.get("/health/ready")).json()["ready"]
            live.app.state.draining = Draining(live.app, 1.0)
            live.app.state.draining.begun = True
            ready = await live.http.get("/health/ready")
            assert (ready.status_code, ready.json()["ready"], ready.json()["draining"]) == (503, False, True)
            assert (await live.http.get("/health/live")).status_code == 200

    anyio.run(scenario)


def test_an_application_of_its_own_never_drains() -> None:
    app = application(Settings())
    assert not hasattr(app.state, "draining")


@dataclass
class Asking:
    """Threads that ask one decision after the other, over connections they keep, until nobody listens any more."""

    running: Served
    answered: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)
    """What else came: never an error page."""
    threads: list[threading.Thread] = field(default_factory=list)

    def start(self, number: int) -> None:
        self.threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(number)]
        for thread in self.threads:
            thread.start()

    def _ask(self, number: int) -> None:
        with httpx.Client(base_url=f"http://127.0.0.1:{self.running.port}", headers=self.running.headers) as http:
            turn = 0
            while True:
                turn += 1
                try:
                    answer = http.post("/v1/decisions", json={"customer_id": f"c-{number}-{turn}", **HERO})
                except httpx.TransportError:
                    return
                if answer.status_code == 200:
                    self.answered.append(answer.json()["decision_id"])
                else:
                    self.other.append(answer.text)


def test_asked_to_end_under_load_it_answers_what_came_and_every_answer_is_in_the_lake(tmp_path: Path) -> None:
    folder = tmp_path / "offing"
    with served(folder, DRAIN_S="3.0") as running:
        load = Asking(running)
        load.start(4)
        eventually(lambda: len(load.answered) > 50, "nothing is answered")
        running.process.send_signal(signal.SIGTERM)
        eventually(lambda: running.get("/health/ready").status_code == 503, "it stays ready")
        before = len(load.answered)
        eventually(lambda: len(load.answered) > before + 10, "it does not answer while it leaves")
        assert running.process.wait(PATIENCE_S) == 0
        for thread in load.threads:
            thread.join(PATIENCE_S)
    assert load.other == []
    assert sorted(load.answered) == sorted(in_the_lake(folder) & set(load.answered))


def in_the_lake(folder: Path) -> set[str]:
    """Every decision of the lake, once a consumer has put the rest of the log into it."""
    lake = Lake(folder / "lake")
    with closing(SqliteLog(folder / "log.sqlite", clock=wall_clock)) as log:
        consumer = LakeConsumer(log, lake, flush=Flush(after_s=0.05))
        consumer.start()
        wanted = sum(log.end(DECISIONS).values())
        deadline = time.monotonic() + PATIENCE_S
        while len(decisions(lake)) < wanted and time.monotonic() < deadline:
            time.sleep(0.05)
        consumer.stop(PATIENCE_S)
    return decisions(lake)


def decisions(lake: Lake) -> set[str]:
    return {record.inputs.decision_id for record in lake.scan()}
