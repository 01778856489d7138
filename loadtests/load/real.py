"""A target on real servers: Kafka, Valkey, PostgreSQL, and Offing's processes as deploy/compose.yaml has them."""

import dataclasses
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtests.load import past
from loadtests.load.processes import children
from loadtests.load.running import CONSUMER, Running, Say
from loadtests.real_servers import Process, RealServers, real_servers

SETTINGS = {"ALLOW_LOAD": "1", "SIMULATED": "1", "LAKE_FLUSH_S": "2.0"}
SIMULATED = "OFFING_SIMULATED"


@contextmanager
def real(campaigns: Path, seed: int, *, history: bool, log: Path, say: Say) -> Iterator[Running]:
    """One for as long as the block runs; the service's log is kept at `log`. Without a `history` the prior scores.

    Raises Failed, or Stop if a server does not start.
    """
    say("starting Kafka, Valkey, PostgreSQL, the service and the consumer")
    with real_servers(CAMPAIGNS=str(campaigns), **SETTINGS) as found:
        try:
            if history:
                say(past.TOLD)
                past.live(found.url, found.key, seed, found.command)
            say("starting service and consumer again, on the server's own clock")
            _by_the_clock(found)
            yield Running(found.url, found.key, f"{found.kafka.name}, Valkey, PostgreSQL", _processes(found))
        finally:
            found.serve.stop()
            found.consume.stop()
            shutil.copyfile(found.serve.log, log)


def _by_the_clock(found: RealServers) -> None:
    """The same processes without the simulated clock that only a past needs."""
    found.serve.stop()
    found.consume.stop()
    found.serve, found.consume = _unsimulated(found.serve), _unsimulated(found.consume)
    found.consume.start()
    found.serve.start()
    found.wait_ready()


def _unsimulated(process: Process) -> Process:
    return dataclasses.replace(process, environment={**process.environment, SIMULATED: "0"})


def _processes(found: RealServers) -> dict[str, int]:
    named = {"service": found.serve.pid, **children(found.serve.pid)}
    named |= {CONSUMER: found.consume.pid, "valkey": found.valkey.pid}
    return {**named, "kafka": found.kafka.pid} if found.kafka.ours else named
