"""A target of one's own: an embedded Offing in a temporary folder, with a past, a model, and leave to be loaded."""

import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from loadtests.load.processes import children, cpu_seconds
from loadtests.service import Failed, Service, free_port
from loadtests.world import World
from loadtests.world_clock import rfc3339
from loadtests.world_doors import DoorClosed

NAMESPACE = "loadtest"
SCOPES = "decide,events,simulate,admin"
PAST_CUSTOMERS, PAST_DAYS = 300, 12
"""The world that the model learns from: some 1,200 decisions, in half a minute."""
LOAD = {"OFFING_SIMULATED": "0", "OFFING_ALLOW_LOAD": "1", "OFFING_NAMESPACE": NAMESPACE}
PAST = {"OFFING_SIMULATED": "1", "OFFING_NAMESPACE": NAMESPACE}
QUIET = 0.2
SETTLE_S = 30.0
LOOK_S = 0.5
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Running:
    """A target that is up."""

    url: str
    key: str
    processes: dict[str, int] = field(default_factory=dict)
    """Name -> process id, where they are of this host."""

    def settle(self) -> None:
        """Until the consumer has nothing left to fold; no longer than SETTLE_S."""
        pid = self.processes.get("consumer")
        ending = time.monotonic() + SETTLE_S
        while time.monotonic() < ending:
            before = cpu_seconds(pid) if pid is not None else 0.0
            time.sleep(LOOK_S)
            if pid is None or (cpu_seconds(pid) - before) / LOOK_S < QUIET:
                return


@contextmanager
def embedded(campaigns: Path, seed: int, *, past: bool, log: Path, say: Say) -> Iterator[Running]:
    """One for as long as the block runs; its log is kept at `log`. Without a `past` the declared prior scores.

    Raises Failed.
    """
    folder = Path(tempfile.mkdtemp(prefix="offing-load-"))
    port = free_port(0)
    try:
        with_past = Service(folder, campaigns, port, PAST)
        say("making a key")
        key = with_past.key("load", SCOPES)
        if past:
            say(f"a past: {PAST_CUSTOMERS} customers of the world, {PAST_DAYS} days, and a model from it")
            with with_past.running():
                _live(with_past, key, seed)
        say("starting the service, with OFFING_ALLOW_LOAD=1")
        service = Service(folder, campaigns, port, LOAD)
        with service.running() as pid:
            yield Running(service.url, key, {"service": pid, **children(pid)})
    finally:
        if (folder / "serve.log").exists():
            shutil.copyfile(folder / "serve.log", log)
        shutil.rmtree(folder, ignore_errors=True)


def _live(service: Service, key: str, seed: int) -> None:
    """The past, and the model that is active from then on. Raises Failed."""
    world = World(seed, PAST_CUSTOMERS, end=time.time_ns() // 1_000_000, days=PAST_DAYS)

    async def run() -> None:
        async with service.client(key) as client:
            try:
                report = await world.run(client, lambda _: None)
            except DoorClosed as error:
                raise Failed(f"{error}; {service.said()}") from error
            await service.in_the_lake(client, report.last_decision)

    asyncio.run(run())
    trained = service.json("train", "--now", rfc3339(world.span.end))
    service.wait_for_model(trained["model"])
