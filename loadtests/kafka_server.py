"""A real Kafka broker on loopback for tests, bench and load tests; it ends with the process that started it.

`KAFKA_BOOTSTRAP_SERVERS` if that is set; else Apache Kafka in KRaft mode, one node, from the jars that Maven brings by
deploy/kafka/pom.xml; else the broker of the noida-db wheel. `name` says which. As a program it brings the jars.
"""

import atexit
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from time import monotonic, sleep

from loadtests import kafka_apache
from loadtests.ending import end
from loadtests.ports import free_port
from streams.embedded_valkey import LAUNCH
from streams.errors import Retry, Stop
from streams.kafka_address import parse_servers
from streams.kafka_topics import admin_client

GIVEN = "KAFKA_BOOTSTRAP_SERVERS"
READY_S = 60.0
STOP_S = 20.0
LOOK_S = 0.02

Command = Callable[[Path, int], list[str]]
"""(folder, port) -> what to run; may prepare the folder first."""


@dataclass
class KafkaServer:
    """One broker. `servers` is what a client bootstraps from; it stays the same over `kill` and `start`."""

    name: str
    folder: Path
    command: Command | None
    """None: somebody else's broker."""
    servers: str = ""
    least_session_s: float = 6.0
    """Shorter sessions of group members are refused (group.min.session.timeout.ms)."""
    _process: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """As OFFING_LOG takes it."""
        return f"kafka://{self.servers}"

    @property
    def ours(self) -> bool:
        """Whether it may be killed and started again."""
        return self.command is not None

    @property
    def pid(self) -> int:
        """Raises Stop BROKER_STOPPED."""
        if self._process is None:
            raise Stop("BROKER_STOPPED", f"{self.name} is not running here; start it first")
        return self._process.pid

    def start(self) -> "KafkaServer":
        """Start it, on the same port and data as before, and wait until it answers. Does nothing if it runs.

        From the main thread, or from one that lasts: the kernel takes the end of the starting thread for that of the
        process. Raises Stop BROKER_START.
        """
        if self.command is None or (self._process is not None and self._process.poll() is None):
            return self
        self.folder.mkdir(parents=True, exist_ok=True)
        port = int(self.servers.rpartition(":")[2]) if self.servers else free_port()
        self.servers = f"127.0.0.1:{port}"
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid()), *self.command(self.folder, port)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        atexit.register(self.stop)
        self._wait_ready(port)
        return self

    def kill(self) -> None:
        """SIGKILL, as a host that dies; the data stays."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in order. Idempotent."""
        self._end(signal.SIGTERM)

    def _end(self, how: signal.Signals) -> None:
        atexit.unregister(self.stop)
        process, self._process = self._process, None
        if process is None:
            return
        end(process, how, STOP_S)

    def _wait_ready(self, port: int) -> None:
        deadline = monotonic() + READY_S
        while monotonic() < deadline and self._process is not None and self._process.poll() is None:
            with suppress(OSError, Retry), socket.create_connection(("127.0.0.1", port), 1.0):
                with admin_client(parse_servers(self.url)) as admin:
                    admin.list_topics()
                    return
            sleep(LOOK_S)
        self.kill()
        said = (self.folder / "output").read_text(errors="replace")[-2_000:]
        raise Stop("BROKER_START", f"{self.name} did not start in {READY_S:.0f} s; it said: {said}")


def kafka_server(folder: Path, *, java: Sequence[str] = (), environment: Mapping[str, str] = os.environ) -> KafkaServer:
    """The broker to use, not started yet; `folder` holds its data, `java` are more options.

    Raises Stop BROKER_MISSING with every mend.
    """
    if given := environment.get(GIVEN):
        return KafkaServer(f"the broker of {GIVEN}", folder, None, given)
    lacking = kafka_apache.missing()
    if not lacking:
        apache = f"Apache Kafka {kafka_apache.version()} (KRaft)"
        command = partial(kafka_apache.command, java)
        return KafkaServer(apache, folder, command, least_session_s=kafka_apache.LEAST_SESSION_S)
    with suppress(PackageNotFoundError):
        return KafkaServer(f"noida-db {version('noida-db')} ({lacking})", folder, _noida)
    message = f"no Kafka broker: {GIVEN} is not set; {lacking}; and the wheel noida-db is not installed"
    raise Stop("BROKER_MISSING", message)


def _noida(folder: Path, port: int) -> list[str]:
    binary = Path(str(files("noida_db") / "noida-db"))  # the command of that name would not end it with itself
    binary.chmod(0o755)  # which pip does not keep
    return [str(binary), "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder / "data")]


def main() -> None:
    """Say which broker the tests will use; what is missing is brought or named, and nothing fails for it."""
    try:
        print(f"Kafka for the tests: {kafka_server(Path()).name}")
    except Stop as error:
        print(error.message)


if __name__ == "__main__":
    main()
