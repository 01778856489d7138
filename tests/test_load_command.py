"""`make loadtest` as it is run: Locust in its own process against a service in another."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from loadtests.load import command, exposition
from loadtests.load.checks import CHECKS
from loadtests.load.measured import Measured, StageMeasured
from loadtests.load.traffic import BOOKING, DECISION, LOCATION, OUTCOMES
from tests.canned import Asked, canned
from tests.served import Served, children, served

CUSTOMERS = 120
ROOT = Path(__file__).parent.parent
DECISIONS_TOTAL = "offing_decisions_total"
LOOSE = """version: 1
latency_ms:
  decision: {p50: 5000, p95: 9000, p99: 20000}
  outcomes: {p50: 5000, p95: 9000, p99: 20000}
  location: {p50: 5000, p95: 9000, p99: 20000}
  booking: {p50: 5000, p95: 9000, p99: 20000}
freshness_ms: {p50: 5000, p95: 9000, p99: 20000}
errors: 50 %
degraded: 100 %
knee: 1
"""
"""What this machine is doing besides must not decide whether these tests pass: the budget's own tests judge it."""


def loadtest(
    folder: Path, *arguments: str, timeout_s: float = 170.0, **environment: str
) -> "subprocess.CompletedProcess[str]":
    (folder / "loose.yaml").write_text(LOOSE)
    call = [sys.executable, "-m", "loadtests.load.command", "--output", str(folder / "out")]
    call += ["--budget", str(folder / "loose.yaml"), *arguments]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("OFFING_")}
    settings = {**inherited, **environment, "COLUMNS": "200"}
    return subprocess.run(call, cwd=ROOT, env=settings, capture_output=True, text=True, timeout=timeout_s)


def report(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = msgspec.json.decode((folder / "out" / "report.json").read_bytes())
    return found


@dataclass
class Ran:
    """A run that is over."""

    folder: Path
    ended: "subprocess.CompletedProcess[str]"
    key: str
    metrics: tuple[str, str]
    """Of the service before and afterwards, while nobody asked it anything."""

    @property
    def measured(self) -> Measured:
        return msgspec.json.decode((self.folder / "out" / "measured.json").read_bytes(), type=Measured)

    @property
    def steady(self) -> StageMeasured:
        return self.measured.stages[1]


@contextlib.contextmanager
def service(folder: Path, **settings: str) -> Iterator[tuple[Served, str]]:
    """A running service with the example operator, and its URL."""
    example = str(ROOT / "deploy" / "campaigns")
    with served(folder / "served", CAMPAIGNS=example, **settings) as running:
        yield running, f"http://127.0.0.1:{running.port}"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """One short run against a running service, for every test that looks at what it left."""
    folder = tmp_path_factory.mktemp("run")
    with service(folder, ALLOW_LOAD="1") as (running, url):
        arguments = ("--shape", "steady", "--rate", "50", "--seconds", "4", "--customers", str(CUSTOMERS))
        before = running.get("/metrics").text
        ended = loadtest(folder, "--host", url, *arguments, LOADTEST_KEY=running.secret)
        return Ran(folder, ended, running.secret, (before, running.get("/metrics").text))


def test_a_run_ends_with_a_verdict_a_page_and_the_same_in_json(ran: Ran) -> None:
    found = report(ran.folder)
    assert (ran.ended.returncode, found["outcome"]) in {(0, "passed"), (2, "invalid")}, ran.ended.stdout
    assert found["outcome"] in ran.ended.stdout and "hit rate" in ran.ended.stdout
    assert "<h1>" in (ran.folder / "out" / "report.html").read_text()
    assert found["run"]["target"]["load"] is True and found["knee"] is None
    assert f"{CUSTOMERS} customers introduced" in ran.ended.stdout


def test_its_files_hold_no_key(ran: Ran) -> None:
    for path in (ran.folder / "out").iterdir():
        assert ran.key not in path.read_text(), path


def test_everything_that_was_due_was_answered(ran: Ran) -> None:
    for found in ran.measured.stages:
        assert found.complete and found.due == sum(kind.answered for kind in found.kinds.values())
        assert not any(kind.failed for kind in found.kinds.values())
    assert set(ran.steady.kinds) >= {DECISION, OUTCOMES, LOCATION, BOOKING}
    assert ran.steady.due == pytest.approx(200, abs=60)


def test_every_answer_was_checked_and_nothing_was_wrong(ran: Ran) -> None:
    checked = ran.measured.checked
    assert checked.violated == {} and checked.told == []
    items = checked.looked_at["ranks"]
    assert items > 200
    assert {name for name, number in checked.looked_at.items() if number == items} >= set(CHECKS) - {"not_sold_out"}


def test_latency_counts_from_when_it_was_due_and_is_never_below_what_the_target_took(ran: Ran) -> None:
    kind = ran.steady.kinds[DECISION]
    assert kind.from_due.count == kind.from_sent.count == kind.answered
    assert kind.from_due.total_s >= kind.from_sent.total_s > 0


def test_repeated_looks_are_kept_decisions_and_fewer_would_be_if_outcomes_counted(ran: Ran) -> None:
    steady = ran.steady
    assert steady.decisions >= steady.kinds[DECISION].answered, "who has nothing to report looks instead"
    assert 0 < steady.hits_as_live <= steady.hits < steady.decisions


def test_changed_fares_were_seen(ran: Ran) -> None:
    assert ran.steady.fresh.count > 0 and ran.steady.unseen == 0


def test_the_clock_measured_cpu_and_metrics(ran: Ran) -> None:
    steady = ran.steady
    assert len(steady.cpu) > 3 and 0 < steady.used_cpu < steady.host_cpu
    texts = (*steady.metrics, ran.metrics[1])
    begun, ended, last = (exposition.cache(exposition.samples(text)) for text in texts)
    assert begun.get("hit", 0) < ended["hit"] <= last["hit"]


def test_a_decision_the_customer_knew_was_a_kept_one_to_the_service_too(ran: Ran) -> None:
    moved = exposition.moved(ran.metrics)
    looked = exposition.cache(moved)
    known = sum(stage.hits for stage in ran.measured.stages)
    assert 0 < known <= looked["hit"] and looked["miss"] > 0
    assert sum(looked.values()) == sum(exposition.by_label(moved, DECISIONS_TOTAL, "origin").values())


def test_nothing_of_it_counts_as_live(ran: Ran) -> None:
    origins = exposition.by_label(exposition.moved(ran.metrics), DECISIONS_TOTAL, "origin")
    assert origins.get("live", 0) == 0
    assert origins["load"] >= sum(stage.decisions for stage in ran.measured.stages) > 0


def test_a_service_that_does_not_allow_load_is_left_alone(tmp_path: Path) -> None:
    asked: list[str] = []

    def answering(request: Asked) -> tuple[int, Any]:
        asked.append(request.path)
        return 200, {"ready": True, "load": False}

    with canned(answering) as server:
        ended = loadtest(tmp_path, "--host", server.url, "--key", "ok_1")
    assert ended.returncode == 2 and "LOAD_NOT_ALLOWED" in ended.stdout
    assert asked == ["/health/ready"], "nothing else was sent"
    assert not (tmp_path / "out" / "report.json").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--host", "http://shop.invalid", "--key", "ok_1"], "HOST_NOT_LOOPBACK"),
        (["--host", "http://127.0.0.1:9"], "--host needs --key"),
        (["--rate", "0"], "RATE_INVALID"),
        (["--budget", "none.yaml"], "BUDGET_INVALID"),
    ],
)
def test_what_cannot_be_run_ends_with_2_and_says_why(
    tmp_path: Path, arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM)
    try:
        assert command.main(["--output", str(tmp_path), *arguments]) == 2
    finally:
        signal.signal(signal.SIGTERM, before)
    assert told in capsys.readouterr().out


@pytest.mark.prove
def test_a_generator_that_is_killed_makes_the_run_invalid(tmp_path: Path) -> None:
    with service(tmp_path, ALLOW_LOAD="1") as (running, url):
        (tmp_path / "loose.yaml").write_text(LOOSE)
        call = [sys.executable, "-m", "loadtests.load.command", "--output", str(tmp_path / "out"), "--generators", "2"]
        call += ["--budget", str(tmp_path / "loose.yaml"), "--host", url, "--key", running.secret, "--shape", "steady"]
        call += ["--rate", "30", "--seconds", "6", "--customers", "80"]
        run = subprocess.Popen(call, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        os.kill(_worker_of(run.pid), signal.SIGKILL)
        said, _ = run.communicate(timeout=120)
    assert run.returncode == 2 and "1 of 2 generators were lost" in said
    assert report(tmp_path)["outcome"] == "invalid"


@pytest.mark.prove
@pytest.mark.parametrize("target", ["embedded", "real"])
def test_the_whole_command_with_servers_of_its_own(tmp_path: Path, target: str) -> None:
    real = ["--real"] if target == "real" else []
    ended = loadtest(tmp_path, *real, "--rate", "40", "--seconds", "8", "--customers", "400", timeout_s=600)
    found = report(tmp_path)
    assert ended.returncode == {"passed": 0, "invalid": 2}[found["outcome"]], ended.stdout + ended.stderr
    assert found["violations"] == [] and found["knee"] is not None
    assert found["run"]["target"]["model"].startswith("m-") and found["run"]["target"]["load"] is True
    cores = found["stages"][1]["target"]["cores"]
    assert set(cores) >= {"service", "consumer", "valkey"}
    assert ("worker 2" in cores) == (target == "real"), "compose has two workers"
    assert (tmp_path / "out" / "serve.log").exists()


def _worker_of(pid: int) -> int:
    """One of the two generators that Locust has forked."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for master in (child for child, said in children(pid).items() if "locust" in said):
            workers = sorted(children(master))
            if len(workers) == 2:
                time.sleep(6)  # until the load has begun
                return workers[-1]
        time.sleep(0.1)
    raise TimeoutError("Locust has no two generators")
