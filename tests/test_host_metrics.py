"""All processes of a host in one scrape: those that live, those that were killed, and those that come after."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families

from streams.host_metrics import HostMetrics

PATIENCE_S = 60.0
ACROSS = {"queue": "sum", "active": "each", "read": "max"}
PROGRAM = """
import sys
from pathlib import Path
from prometheus_client import CollectorRegistry, Counter, Gauge
from streams.host_metrics import HostMetrics
registry = CollectorRegistry()
Counter("done", "Done.", registry=registry).inc(int(sys.argv[2]))
Gauge("queue", "Waiting.", registry=registry).set(3)
metrics = HostMetrics(Path(sys.argv[1]), "other", {"queue": "sum"}, registry=registry)
metrics.start()
print("started", flush=True)
sys.stdin.read()
metrics.stop()
"""


class Process:
    """One process's metrics, here: a registry of its own and its part in the folder."""

    def __init__(self, folder: Path) -> None:
        self.registry = CollectorRegistry()
        self.done = Counter("done", "Done.", registry=self.registry)
        self.metrics = HostMetrics(folder, "serve", ACROSS, registry=self.registry)

    def scraped(self) -> dict[str, float]:
        return scraped(self.metrics)


def scraped(metrics: HostMetrics) -> dict[str, float]:
    """Series -> value."""
    families = text_string_to_metric_families(metrics.exposition().decode())
    return {
        "".join([sample.name, *(f" {name}={value}" for name, value in sorted(sample.labels.items()))]): sample.value
        for family in families
        for sample in family.samples
    }


@contextmanager
def other(folder: Path, done: int) -> Iterator["subprocess.Popen[str]"]:
    """Another process that has counted this much; it ends when its input does."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder), str(done)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout is not None and process.stdout.readline() == "started\n"
        yield process
    finally:
        process.communicate(timeout=PATIENCE_S)


@contextmanager
def started(folder: Path) -> Iterator[Process]:
    process = Process(folder)
    process.metrics.start()
    try:
        yield process
    finally:
        process.metrics.stop()


def test_alone_it_exposes_what_it_counted_and_gauges_are_refreshed_before(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    gauge = Gauge("read", "When read.", registry=registry)
    metrics = HostMetrics(tmp_path / "metrics", "serve", ACROSS, registry=registry, refresh=lambda: gauge.set(7))
    metrics.start()
    assert scraped(metrics) == {"read": 7}
    metrics.stop()
    metrics.stop()


def test_another_processes_numbers_are_added_and_stay_when_it_is_killed_or_ends(tmp_path: Path) -> None:
    with started(tmp_path) as here:
        here.done.inc(2)
        with other(tmp_path, 5) as there:
            assert here.scraped() == {"done_total": 7, "queue": 3}
            there.send_signal(signal.SIGKILL)
            there.wait(PATIENCE_S)
            for _ in range(2):
                assert here.scraped() == {"done_total": 7, "queue": 0}
        with other(tmp_path, 30):
            assert here.scraped() == {"done_total": 37, "queue": 3}
        assert here.scraped() == {"done_total": 37, "queue": 0}
        here.done.inc()
        assert here.scraped() == {"done_total": 38, "queue": 0}
    assert sorted(path.suffix for path in tmp_path.iterdir()) == ["", "", ".alive", ".counted"]


def test_a_host_whose_processes_have_all_ended_starts_anew(tmp_path: Path) -> None:
    with other(tmp_path, 5):
        pass
    (tmp_path / f"serve-1{'.counted'}.half-written").write_bytes(b"")
    with started(tmp_path) as here:
        assert here.scraped() == {"done_total": 0}


def test_ended_processes_are_not_counted_twice_if_who_gathers_them_is_killed_halfway(tmp_path: Path) -> None:
    with started(tmp_path) as here:
        with other(tmp_path, 5):
            pass
        alive, counted = (next(tmp_path.glob(f"other-*.{name}")) for name in ("alive", "counted"))
        kept = {path: path.read_bytes() for path in (alive, counted)}
        assert here.scraped()["done_total"] == 5
        for path, data in kept.items():
            path.write_bytes(data)
        assert here.scraped()["done_total"] == 5
        with other(tmp_path, 30):
            pass
        assert here.scraped()["done_total"] == 35


def test_a_file_nobody_can_read_costs_its_own_numbers_only(tmp_path: Path) -> None:
    with started(tmp_path) as here, other(tmp_path, 5):
        here.done.inc()
        (tmp_path / "ghost-1.alive").touch()
        (tmp_path / "ghost-1.counted").write_bytes(b"\xff not ours")
        assert here.scraped() == {"done_total": 6, "queue": 3}
        (tmp_path / "ended").write_bytes(b"\xff not ours either")
        assert here.scraped() == {"done_total": 6, "queue": 3}


def test_without_a_folder_it_still_exposes_its_own(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "metrics").write_text("a file where a folder should be")
    here = Process(tmp_path / "metrics")
    here.metrics.start()
    here.done.inc(2)
    assert here.scraped() == {"done_total": 2}
    assert "this process's metrics are not shared" in caplog.text
    here.metrics.stop()


def test_each_process_is_named_by_its_role_and_id_and_never_twice(tmp_path: Path) -> None:
    names = {HostMetrics(tmp_path, "serve", ACROSS, registry=CollectorRegistry()).process for _ in range(20)}
    assert len(names) > 15
    assert {name.rpartition("-")[0] for name in names} == {f"serve-{os.getpid()}"}
