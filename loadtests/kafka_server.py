"""A real Kafka broker on loopback for tests, bench and load tests; it ends with the process that started it.

`KAFKA_BOOTSTRAP_SERVERS` if that is set; else Apache Kafka in KRaft mode, one node, from the jars that Maven brings by
deploy/kafka/pom.xml; else the broker of the noida-db wheel. `name` says which. As a program it brings the jars.
"""

import atexit
import fcntl
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from random import SystemRandom
from time import monotonic, sleep

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from streams.embedded_valkey import LAUNCH
from streams.errors import Stop

GIVEN = "KAFKA_BOOTSTRAP_SERVERS"
HERE = Path(__file__).parents[1] / "deploy" / "kafka"
JARS = HERE / "jars"
LEAST_JAVA = 17
PORTS = range(20_000, 32_000)
"""Below the kernel's own choice (32768 on): a restart must find its port free again."""
READY_S = 60.0
STOP_S = 20.0
LOOK_S = 0.02
FETCH_S = 300.0
CLUSTER = "b2ZmaW5nLXRlc3QtYnJva2"
"""Any 16 bytes in base64: a broker in a new folder is a new cluster by its topic ids."""
JAVA_OPTIONS = ("-Xmx512m", "-XX:+UseSerialGC", "-Xshare:auto")
QUICK = ("-XX:TieredStopAtLevel=1",)
"""For tests: a third less CPU time over a minute, and less throughput after it."""

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
        process.send_signal(how)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _wait_ready(self, port: int) -> None:
        deadline = monotonic() + READY_S
        while monotonic() < deadline and self._process is not None and self._process.poll() is None:
            with suppress(OSError, KafkaError), socket.create_connection(("127.0.0.1", port), 1.0):
                admin = KafkaAdminClient(bootstrap_servers=self.servers, bootstrap_timeout_ms=5_000)
                with closing(admin):
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
    jars = _missing_jars()
    if not jars:
        return KafkaServer(f"Apache Kafka {_version()} (KRaft)", folder, partial(_apache, java), least_session_s=0.3)
    with suppress(PackageNotFoundError):
        return KafkaServer(f"noida-db {version('noida-db')} ({jars})", folder, _noida)
    message = f"no Kafka broker: {GIVEN} is not set; {jars}; and the wheel noida-db is not installed"
    raise Stop("BROKER_MISSING", message)


def fetch_jars() -> str:
    """Bring the jars if they are missing; what is in the way, empty: nothing. Safe beside others who do the same."""
    maven = shutil.which("mvn")
    if not maven:
        return "Maven is missing (Debian: apt-get install maven)"
    with (HERE / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if _jars_here():
            return ""
        shutil.rmtree(JARS, ignore_errors=True)  # those of another version would be loaded beside the new ones
        command = [maven, "-q", "-B", "-f", str(HERE / "pom.xml"), "dependency:copy-dependencies"]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=FETCH_S)
        except subprocess.TimeoutExpired:
            return f"Maven did not bring the jars in {FETCH_S:.0f} s"
    return "" if done.returncode == 0 else f"Maven could not bring the jars: {done.stdout[-300:].strip()}"


def free_port() -> int:
    """A port nobody listens on."""
    random = SystemRandom()
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _missing_jars() -> str:
    """Why Apache Kafka cannot run here; empty: it can."""
    java = shutil.which("java")
    said = subprocess.run([java, "-version"], capture_output=True, text=True).stderr if java else ""
    found = re.search(r'version "(\d+)', said)
    if not found or int(found[1]) < LEAST_JAVA:
        return f"Java {LEAST_JAVA} or newer is missing (Debian: apt-get install openjdk-17-jre-headless)"
    return "" if _jars_here() else fetch_jars()


def _jars_here() -> bool:
    return (JARS / f"kafka_2.13-{_version()}.jar").exists()


def _version() -> str:
    """Of Kafka, as the pom has it."""
    found = re.search(r"<artifactId>kafka_2\.13</artifactId>\s*<version>([0-9.]+)<", (HERE / "pom.xml").read_text())
    return found[1] if found else "of no known version"


def _java(options: Sequence[str], *arguments: str) -> list[str]:
    log = f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}"
    return [shutil.which("java") or "java", *JAVA_OPTIONS, *options, log, "-cp", f"{JARS}/*", *arguments]


def _apache(java: Sequence[str], folder: Path, port: int) -> list[str]:
    properties = folder / "server.properties"
    if not properties.exists():
        controller = free_port()
        settings = {
            **APACHE,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{port}",
            "log.dirs": str(folder / "data"),
        }
        properties.write_text("".join(f"{name}={value}\n" for name, value in settings.items()))
        formatted = ("kafka.tools.StorageTool", "format", "-t", CLUSTER, "-c", str(properties))
        subprocess.run(_java(QUICK, *formatted), check=True, capture_output=True, timeout=READY_S)
    return _java(java, "kafka.Kafka", str(properties))


def _noida(folder: Path, port: int) -> list[str]:
    binary = Path(sys.executable).with_name("noida-db")
    return [str(binary), "start", "--only", "kafka", "--kafka-port", str(port), "--data-dir", str(folder / "data")]


APACHE: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",  # three seconds of waiting for members that tests do not have
    "group.min.session.timeout.ms": "300",  # least_session_s: tests lose members faster than production may
    "broker.session.timeout.ms": "2000",  # a killed broker may start again once its last session is over
    "broker.heartbeat.interval.ms": "500",
    "log.retention.check.interval.ms": "10000",
    "num.network.threads": "2",
    "num.io.threads": "2",
}
"""What the default of 4.1 is not, and ports and folders besides."""


def main() -> None:
    """Say which broker the tests will use; what is missing is brought or named, and nothing fails for it."""
    try:
        print(f"Kafka for the tests: {kafka_server(HERE).name}")
    except Stop as error:
        print(error.message)


if __name__ == "__main__":
    main()
