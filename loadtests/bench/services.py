"""The processes that are measured: started on a core of their own, waited for, their CPU counted, stopped."""

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from loadtests.service import Failed

READY_S = 1_200.0
"""A hundred thousand campaigns take their time."""
STOP_S = 40.0
LOOK_S = 0.1
PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Cores:
    """Which cores are whose."""

    service: frozenset[int]
    rest: frozenset[int]
    """Client, Valkey, consumers, this process."""

    @property
    def apart(self) -> bool:
        """Whether the service has a core for itself."""
        return not self.service & self.rest


def cores() -> Cores:
    """The first core for the service, the others for the rest; a single one for all."""
    allowed = sorted(os.sched_getaffinity(0))
    if len(allowed) == 1:
        return Cores(frozenset(allowed), frozenset(allowed))
    return Cores(frozenset(allowed[:1]), frozenset(allowed[1:]))


@dataclass(frozen=True, slots=True)
class Process:
    """A service that answers."""

    name: str
    port: int
    pid: int

    def cpu_s(self) -> float:
        """Seconds of CPU so far, of all its threads."""
        spent = 0
        for task in Path(f"/proc/{self.pid}/task").iterdir():
            spent += int((task / "schedstat").read_text().split()[0])
        return spent / 1e9

    def resident_mb(self) -> float:
        """Memory it holds."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def running(
    name: str, command: Callable[[int], Sequence[str]], on: frozenset[int], folder: Path, environment: Mapping[str, str]
) -> Iterator[Process]:
    """A service for as long as the block runs; `command` is made for a free port. Raises Failed with its last words."""
    port = free_port()
    said = folder / f"{name}.out"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("OFFING_")}
    with said.open("wb") as output:
        child = subprocess.Popen(
            [sys.executable, *command(port)],
            env={**inherited, **environment, "OFFING_PORT": str(port)},
            stdout=output,
            stderr=output,
            start_new_session=True,
            preexec_fn=_begin(on, os.getpid()),
        )
    try:
        _wait_ready(child, port, said)
        yield Process(name, port, child.pid)
    finally:
        _stop(child)


def free_port() -> int:
    """A port of loopback that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _begin(on: frozenset[int], parent: int) -> Callable[[], None]:
    """For the child before it becomes the service: its cores, and an end with its parent."""
    libc = ctypes.CDLL(None, use_errno=True)

    def begin() -> None:
        os.sched_setaffinity(0, on)
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return begin


def _wait_ready(child: "subprocess.Popen[bytes]", port: int, said: Path) -> None:
    ending = time.monotonic() + READY_S
    while time.monotonic() < ending:
        if child.poll() is not None:
            raise Failed(f"it ended with {child.returncode}; it said:\n{said.read_text(errors='replace')[-2_000:]}")
        try:
            found = httpx.get(f"http://127.0.0.1:{port}/health/ready", timeout=5.0)
        except httpx.TransportError:
            found = None
        if found is not None and found.status_code == 200:
            return
        time.sleep(LOOK_S)
    raise Failed(f"it is not ready after {READY_S:.0f} s; it said:\n{said.read_text(errors='replace')[-2_000:]}")


def _stop(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is None:
        child.send_signal(signal.SIGTERM)
        try:
            child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()
