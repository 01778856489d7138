"""Kafka, Valkey, PostgreSQL and Offing's own processes on loopback, told what deploy/compose.yaml tells its containers.

Only what a container engine would provide is put in its place: addresses, folders, free ports, secrets.

    python -m loadtests.real_servers    starts everything, prints the door's URL and a key, ends in order with Ctrl-C
"""

import argparse
import os
import re
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep

import httpx
import yaml

from loadtests.kafka_server import KafkaServer, kafka_server
from loadtests.ports import free_port
from loadtests.postgres_server import PostgresServer, postgres
from loadtests.service import Failed
from loadtests.valkey_servers import ValkeyServer, one
from offers import doctor, runtime
from streams.embedded_valkey import LAUNCH
from streams.settings import from_environment

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "deploy" / "compose.yaml"
VARIABLE = re.compile(r"\$\{(\w+)(?::\?[^}]*)?\}")
SERVICE, CONSUMER, MIGRATE = "service", "consumer", "migrate"
SCOPES = ("decide", "events", "simulate", "admin")
READY_S = 90.0
STOP_S = 60.0
COMMAND_S = 120.0
LOOK_S = 0.05


@dataclass
class Process:
    """One of Offing's own, as a container would run it: ended with SIGTERM, and with whoever started it."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(repr=False)
    log: Path
    _child: "subprocess.Popen[bytes] | None" = field(default=None, repr=False)

    @property
    def pid(self) -> int:
        """Raises Failed."""
        if self._child is None:
            raise Failed(f"{self.name} does not run")
        return self._child.pid

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._child is not None and self._child.poll() is None

    def start(self) -> "Process":
        """Does nothing if it runs. From the main thread, or one that lasts."""
        if not self.alive:
            launcher = [sys.executable, "-I", "-S", "-c", LAUNCH, str(os.getpid())]
            with self.log.open("ab") as output:
                self._child = subprocess.Popen(
                    [*launcher, sys.executable, "-m", "offers.cli", *self.command],
                    env=dict(self.environment),
                    cwd=ROOT,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
        return self

    def stop(self) -> int | None:
        """SIGTERM; the exit status, None if it did not run."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def said(self) -> str:
        """The end of its log, for a message."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-15:]) or "(nothing)"

    def _end(self, how: signal.Signals) -> int | None:
        child, self._child = self._child, None
        if child is None:
            return None
        with suppress(ProcessLookupError):
            child.send_signal(how)
        try:
            return child.wait(STOP_S)
        except subprocess.TimeoutExpired:
            child.kill()
            return child.wait()


@dataclass
class RealServers:
    """Everything that runs."""

    folder: Path
    kafka: KafkaServer
    valkey: ValkeyServer
    postgres: PostgresServer
    environments: Mapping[str, Mapping[str, str]] = field(repr=False)
    """Of service, consumer and migrate: what compose names, with these servers in it."""
    serve: Process
    consume: Process
    key: str = field(default="", repr=False)

    @property
    def url(self) -> str:
        """The door."""
        return f"http://127.0.0.1:{self.environments[SERVICE]['OFFING_PORT']}"

    @property
    def metrics_urls(self) -> tuple[str, str]:
        """The service's and the consumer's, as Prometheus would scrape them."""
        return f"{self.url}/metrics", f"http://127.0.0.1:{self.environments[CONSUMER]['OFFING_METRICS_PORT']}/metrics"

    def command(self, *arguments: str) -> str:
        """Standard output of `offing <arguments>`, run beside the service. Raises Failed with what it said."""
        done = subprocess.run(
            [sys.executable, "-m", "offers.cli", *arguments],
            env=_whole(self.environments[MIGRATE]),
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
        )
        if done.returncode != 0:
            raise Failed(f"`offing {' '.join(arguments)}` failed ({done.returncode}): {done.stderr or done.stdout}")
        return done.stdout

    def wait_ready(self) -> None:
        """Until the door is ready. Raises Failed."""
        deadline = monotonic() + READY_S
        while monotonic() < deadline and self.serve.alive:
            with suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/health/ready", timeout=5.0).status_code == 200:
                    return
            sleep(LOOK_S)
        raise Failed(f"the service is not ready; its log ends with:\n{self.serve.said()}")


@contextmanager
def real_servers(**settings: str) -> Iterator[RealServers]:
    """All of it for as long as the block runs. `settings`: OFFING_* besides, or other than, compose's, without prefix.

    Migrated, examined by the doctor, with a key of every scope, ready. Raises Failed or Stop with what went wrong.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="offing-real-")))
        kafka = kafka_server(folder / "kafka")
        stack.callback(kafka.stop)
        kafka.start()
        valkey = stack.enter_context(one(folder / "valkey"))
        database = stack.enter_context(postgres())
        found = _made(folder, kafka, valkey, database, settings)
        found.key = _prepared(found)
        for process in (found.consume, found.serve):
            process.start()
            stack.callback(process.stop)
        found.wait_ready()
        yield found


def _prepared(found: RealServers) -> str:
    """`offing migrate`, `offing doctor`, `offing keys create`, without a process for each; the key's secret."""
    settings = from_environment(found.environments[MIGRATE])
    settings.artifacts.mkdir()
    with closing(runtime.unprepared_ledger(settings)) as book:
        book.migrate()
        runtime.prepare_log(settings)
        bad = [each for each in doctor.examine(runtime.doctors_parts(settings, book)) if not each.good]
        if bad:
            raise Failed("; ".join(f"{each.name}: {each.found}; {each.mend}" for each in bad))
        return book.create_key("real-servers", SCOPES, runtime.wall_clock())


def _made(
    folder: Path, kafka: KafkaServer, valkey: ValkeyServer, database: PostgresServer, settings: Mapping[str, str]
) -> RealServers:
    own = {"OFFING_PORT": str(free_port()), "OFFING_METRICS_PORT": str(free_port())}
    instead = {
        "OFFING_LOG": kafka.url,
        "OFFING_REDIS_URL": valkey.url,
        "OFFING_LEDGER_URL": database.url,
        "OFFING_TOKEN_KEYS": f"k1:{secrets.token_hex(32)}",
        "OFFING_ARTIFACTS": str(folder / "artifacts"),
        "OFFING_CAMPAIGNS": str(ROOT / "deploy" / "campaigns"),
        "OFFING_HOST": "127.0.0.1",
        **({} if kafka.ours else {"OFFING_NAMESPACE": f"real-{secrets.token_hex(4)}"}),
        **{f"OFFING_{name}": value for name, value in settings.items()},
    }
    told = {
        name: in_place(compose_environment(name), {**own, **instead}, settings) for name in (SERVICE, CONSUMER, MIGRATE)
    }
    processes = [
        Process(name, (command,), _whole(told[name]), folder / f"{command}.log")
        for name, command in ((SERVICE, "serve"), (CONSUMER, "consume"))
    ]
    return RealServers(folder, kafka, valkey, database, told, serve=processes[0], consume=processes[1])


def compose_environment(service: str) -> dict[str, str]:
    """What compose tells a container of ours, its secrets left open."""
    given = yaml.safe_load(COMPOSE.read_text())["services"][service]["environment"]
    return {name: VARIABLE.sub("", str(value)) for name, value in given.items()}


def in_place(told: Mapping[str, str], instead: Mapping[str, str], added: Mapping[str, str]) -> dict[str, str]:
    """The same settings with these servers' addresses; besides those of `added` none that compose does not name."""
    named = {*told, *(f"OFFING_{name}" for name in added)}
    return {name: instead.get(name, told.get(name, "")) for name in sorted(named)}


def _whole(told: Mapping[str, str]) -> dict[str, str]:
    """With the rest of this process's environment, and nothing of its own settings."""
    return {**{name: value for name, value in os.environ.items() if not name.startswith("OFFING_")}, **told}


def main() -> None:
    """Run until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("settings", nargs="*", metavar="NAME=VALUE", help="an OFFING_NAME other than compose's")
    given = dict(pair.split("=", 1) for pair in parser.parse_args().settings)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt), real_servers(**given) as found:
        print(f"log      {found.kafka.name}, {found.kafka.url}")
        print(f"store    {found.valkey.url}")
        print(f"ledger   PostgreSQL, 127.0.0.1:{found.postgres.port}")
        print(f"metrics  {' '.join(found.metrics_urls)}")
        print(f"logs     {found.serve.log} {found.consume.log}")
        print(f"URL={found.url} KEY={found.key}", flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
