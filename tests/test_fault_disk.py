"""A full disk for the log, as the kernel says it: events are to be sent again, whole; decisions go on; it heals."""

import resource
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from streams.consumer import wall_clock
from streams.log import CUSTOMERS
from streams.sqlite_log import SqliteLog
from tests.served import Served, event, eventually, introduced, offered, served
from tests.service import LIVORNO

UPGRADE = "cabin-upgrade-inside"
HERE = {"location": LIVORNO}
BATCH = 200

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of another process")


@contextmanager
def no_file_grows(running: Served, room: int) -> Iterator[None]:
    """The serving process alone can write no file beyond its largest size now and this many bytes."""
    sizes = [path.stat().st_size for path in running.folder.glob("log.sqlite*")]
    _, hard = resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (max(sizes) + room, hard))
    try:
        yield
    finally:
        resource.prlimit(running.process.pid, resource.RLIMIT_FSIZE, (hard, hard))


def wishes(batch: int) -> list[dict[str, Any]]:
    newsletter = {"attributes": {"newsletter": True}}
    return [event("customer.preferences", f"c-{batch}-{n}", newsletter, f"e-{batch}-{n}") for n in range(BATCH)]


def kept(folder: Path) -> Counter[int]:
    """Number of a batch -> how many of its events are in the log."""
    found: Counter[int] = Counter()
    with closing(SqliteLog(folder / "log.sqlite", clock=wall_clock)) as log:
        for part in range(CUSTOMERS.partitions):
            for record in log.read(CUSTOMERS, part, 0, 100_000):
                name: str = msgspec.json.decode(record.value)["id"]
                if name.startswith("e-"):
                    found[int(name.split("-")[1])] += 1
    return found


def test_a_full_disk_loses_nothing_keeps_nothing_by_half_and_is_forgotten_once_there_is_room(tmp_path: Path) -> None:
    with served(tmp_path / "offing") as running:
        assert running.post("/v1/events", introduced("c-1")).status_code == 202
        eventually(lambda: offered(running.ask("c-1", context=HERE)) == [UPGRADE], "not offered the upgrade")
        accepted, refused = [], []
        with no_file_grows(running, 200_000):
            for batch in range(200):
                answer = running.post("/v1/events", wishes(batch))
                if answer.status_code == 202:
                    accepted.append(batch)
                    continue
                refused.append(batch)
                assert (answer.status_code, answer.json()["code"]) == (503, "LOG_UNAVAILABLE")
                assert answer.json()["retryable"] is True
                assert answer.headers["retry-after"] == "1"
                inline = event("customer.preferences", "c-1", {"attributes": {"newsletter": True}}, f"i-{batch}")
                decided = running.ask("c-1", context=HERE, events=[inline])
                assert offered(decided) == [UPGRADE]
                (result,) = decided["events"]
                if result["status"] == "retry":
                    assert (result["code"], decided["degraded"]) == ("LOG_UNAVAILABLE", ["events_not_kept"])
                    if len(refused) > 2:
                        break
            assert accepted
            assert len(refused) > 2
            assert running.get("/health/ready").status_code == 200
        found = kept(running.folder)
        assert {batch: count for batch, count in found.items() if count != BATCH} == {}, "whole or not at all"
        assert set(found) == set(accepted)
        for batch in refused:
            eventually(lambda batch=batch: running.post("/v1/events", wishes(batch)).status_code == 202, "still full")  # type: ignore[misc]
        assert set(kept(running.folder)) == {*accepted, *refused}
        silver = event("customer.profile", "c-1", {"attributes": {"open_complaint": True}}, "complaint")
        assert running.post("/v1/events", [silver]).status_code == 202
        eventually(lambda: offered(running.ask("c-1", context=HERE)) != [UPGRADE], "the complaint does not count")
        assert running.stop() == 0
