"""A target of one's own: an embedded Offing in a temporary folder, with a past, a model, and leave to be loaded."""

import shutil
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from loadtests.load import past
from loadtests.load.processes import children
from loadtests.load.running import Running, Say
from loadtests.service import HOST, Service

NAMESPACE = "loadtest"
SCOPES = "decide,events,simulate,admin"
LOAD = {"OFFING_SIMULATED": "0", "OFFING_ALLOW_LOAD": "1", "OFFING_NAMESPACE": NAMESPACE}
PAST = {"OFFING_SIMULATED": "1", "OFFING_NAMESPACE": NAMESPACE}


@contextmanager
def embedded(campaigns: Path, seed: int, *, history: bool, log: Path, say: Say) -> Iterator[Running]:
    """One for as long as the block runs; its log is kept at `log`. Without a `history` the declared prior scores.

    Raises Failed.
    """
    folder = Path(tempfile.mkdtemp(prefix="offing-load-"))
    port = _any_port()
    try:
        with_past = Service(folder, campaigns, port, PAST)
        say("making a key")
        key = with_past.key("load", SCOPES)
        if history:
            say(past.TOLD)
            with with_past.running():
                past.live(with_past.url, key, seed, with_past.command)
        say("starting the service, with OFFING_ALLOW_LOAD=1")
        service = Service(folder, campaigns, port, LOAD)
        with service.running() as pid:
            yield Running(service.url, key, "embedded: SQLite, Valkey", {"service": pid, **children(pid)})
    finally:
        if (folder / "serve.log").exists():
            shutil.copyfile(folder / "serve.log", log)
        shutil.rmtree(folder, ignore_errors=True)


def _any_port() -> int:
    """Nobody else's, and not the usual one: a target that comes and goes is not to be taken for another service."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
