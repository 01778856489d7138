"""A service of one's own for a demo or an example: started as a child, waited for, asked through its commands, stopped.

The child does not outlive this process: it is stopped at the end of the block, and on Linux also when this process is
killed outright.
"""

import asyncio
import ctypes
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from streams.host_lock import HostLock

HOST = "127.0.0.1"
USUAL_PORT = 8080
READY_S = 60.0
STOP_S = 40.0
COMMAND_S = 170.0
LOOK_S = 0.1
TAIL_LINES = 15
PR_SET_PDEATHSIG = 1


class Failed(RuntimeError):
    """A step went wrong; the message says which and what to look at."""


@dataclass(frozen=True, slots=True)
class Service:
    """One embedded Offing in a folder of its own."""

    folder: Path
    campaigns: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)
    """OFFING_* besides, or other than, those of a demo."""

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    @property
    def log(self) -> Path:
        """What the service says of itself."""
        return self.folder / "serve.log"

    @property
    def environment(self) -> dict[str, str]:
        """Of the service and its commands: nothing of the caller's own OFFING_* settings."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("OFFING_")}
        return {
            **inherited,
            "OFFING_SIMULATED": "1",
            "OFFING_ARTIFACTS": str(self.folder),
            "OFFING_CAMPAIGNS": str(self.campaigns),
            "OFFING_HOST": HOST,
            "OFFING_PORT": str(self.port),
            "OFFING_LAKE_FLUSH_S": "2.0",
            "OFFING_MODEL_THREADS": str(min(2, os.cpu_count() or 1)),
            "OFFING_LOG_LEVEL": "warning",
            **self.settings,
        }

    def empty(self) -> None:
        """Forget what an earlier run left. Raises Failed if that one still runs, and then nothing is touched."""
        store = self.folder / "valkey"
        if store.is_dir():
            with closing(HostLock(store / "lock")) as lock:
                try:
                    with lock.held(0.0):
                        pass
                except TimeoutError as error:
                    message = f"an Offing still runs in {self.folder}; stop that one, or take another folder"
                    raise Failed(message) from error
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True, exist_ok=True)

    def command(self, *arguments: str) -> str:
        """Standard output of `offing <arguments>`. Raises Failed with what it said."""
        named = f"offing {' '.join(arguments)}"
        call = [sys.executable, "-m", "offers.cli", *arguments]
        try:
            done = subprocess.run(call, env=self.environment, capture_output=True, text=True, timeout=COMMAND_S)
        except subprocess.TimeoutExpired as error:
            raise Failed(f"`{named}` took longer than {COMMAND_S:.0f} s") from error
        if done.returncode != 0:
            raise Failed(f"`{named}` failed ({done.returncode}):\n{_last_lines(done.stderr or done.stdout)}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """As command(), with its --json parsed."""
        return json.loads(self.command(*arguments, "--json"))

    def key(self, name: str, scopes: str) -> str:
        """A new API key's secret."""
        return str(self.json("keys", "create", "--name", name, "--scopes", scopes)["secret"])

    def client(self, secret: str) -> httpx.AsyncClient:
        """An HTTP client that carries the key."""
        headers = {"Authorization": f"Bearer {secret}"}
        limits = httpx.Limits(max_connections=32, max_keepalive_connections=32)
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=30.0, limits=limits)

    @contextmanager
    def running(self) -> Iterator[int]:
        """Serve while the block runs; the process id. Raises Failed if it does not become ready."""
        with self.log.open("wb") as output:
            child = subprocess.Popen(
                [sys.executable, "-m", "offers.cli", "serve"],
                env=self.environment,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for the parent, which then stops the child in order
                preexec_fn=_die_with(os.getpid()) if sys.platform == "linux" else None,
            )
        try:
            self._wait_ready(child)
            yield child.pid
        finally:
            _stop(child)

    def ready(self) -> dict[str, Any] | None:
        """What /health/ready says; None while there is no answer."""
        try:
            found = httpx.get(f"{self.url}/health/ready", timeout=2.0)
        except httpx.TransportError:
            return None
        answer: dict[str, Any] = found.json()
        return answer

    async def in_the_lake(self, client: httpx.AsyncClient, decision_id: str, within_s: float = 30.0) -> None:
        """Until a decision, and what was logged before it, can be trained on. Raises Failed."""
        ending = time.monotonic() + within_s
        while time.monotonic() < ending:
            if (await client.get(f"/v1/decisions/{decision_id}")).status_code == 200:
                return
            await asyncio.sleep(0.5)
        raise Failed(f"decision {decision_id} has not reached the lake after {within_s:.0f} s; {self.said()}")

    def wait_for_model(self, model: str, within_s: float = 15.0) -> None:
        """Until the running service scores with this model. Raises Failed."""
        ending = time.monotonic() + within_s
        while time.monotonic() < ending:
            found = self.ready()
            if found is not None and found.get("model") == model:
                return
            time.sleep(LOOK_S)
        raise Failed(f"the service does not score with {model} after {within_s:.0f} s; {self.said()}")

    def _wait_ready(self, child: "subprocess.Popen[bytes]") -> None:
        ending = time.monotonic() + READY_S
        while time.monotonic() < ending:
            if child.poll() is not None:
                raise Failed(f"`offing serve` ended with {child.returncode}; {self.said()}")
            found = self.ready()
            if found is not None and found.get("ready"):
                return
            time.sleep(LOOK_S)
        raise Failed(f"`offing serve` is not ready after {READY_S:.0f} s; {self.said()}")

    def said(self) -> str:
        """The end of the service's own log, for a message."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return f"the service's log ({self.log}) ends with:\n{_last_lines(text)}"


def free_port(wanted: int) -> int:
    """The port asked for; for 0 the usual one if it is free, else any. Raises Failed PORT if one asked for is taken."""
    if wanted:
        if not _is_free(wanted):
            raise Failed(f"port {wanted} is taken; name another one with --port, or none")
        return wanted
    if _is_free(USUAL_PORT):
        return USUAL_PORT
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def _die_with(parent: int) -> Callable[[], None]:
    """For the child before it becomes the service: ask the kernel for SIGTERM when the parent is gone."""
    libc = ctypes.CDLL(None, use_errno=True)

    def ask() -> None:
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            os._exit(1)

    return ask


def _stop(child: "subprocess.Popen[bytes]") -> None:
    if child.poll() is not None:
        return
    child.send_signal(signal.SIGINT)
    try:
        child.wait(STOP_S)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _last_lines(text: str) -> str:
    return "\n".join(text.strip().splitlines()[-TAIL_LINES:]) or "(nothing)"
