"""The embedded log: the behaviour of any log, and what only one file on one disk can do."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from time import time

import pytest

from streams.errors import Retry
from streams.ids import Millis
from streams.instant import MINUTE_MS
from streams.log import Entry, Topic
from streams.sqlite_file import FileLimits
from streams.sqlite_log import SqliteLog
from tests.log_behaviour import LogBehaviour
from tests.log_makers import (
    PATIENCE_S,
    Clock,
    LogMaker,
    appended_until_killed,
    assert_gapless,
    everything,
    fill,
    purge,
    run,
)

BRIEF = Topic("test.brief", 1, 15 * MINUTE_MS)


def wall_clock() -> Millis:
    return int(time() * 1000)


class SqliteMaker:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.opened: list[SqliteLog] = []

    def __call__(self, name: str = "log", *, lease_s: float = 10.0, largest: int | None = None) -> SqliteLog:
        limits = FileLimits() if largest is None else FileLimits(max_pages=largest // 1000)
        self.opened.append(SqliteLog(self._folder / name, clock=wall_clock, lease_s=lease_s, limits=limits))
        return self.opened[-1]

    def program(self, name: str = "log") -> str:
        return (
            "from pathlib import Path\nfrom time import time\nfrom streams.sqlite_log import SqliteLog\n"
            f"log = SqliteLog(Path({str(self._folder / name)!r}), clock=lambda: int(time() * 1000), lease_s=0.6)\n"
        )


@pytest.fixture
def make_log(tmp_path: Path) -> Iterator[LogMaker]:
    maker = SqliteMaker(tmp_path)
    yield maker
    for log in maker.opened:
        log.close()


class TestSqliteLog(LogBehaviour):
    """Every behaviour, on SQLite."""


def test_a_killed_process_halves_no_append(make_log: LogMaker) -> None:
    acknowledged, found = appended_until_killed(make_log)
    assert len(found) > acknowledged
    assert found == dict.fromkeys(range(len(found)), 3)


def test_a_full_disk_refuses_whole_appends_and_freed_space_takes_them_again(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock, limits=FileLimits(max_pages=500))
    appended = 0
    with pytest.raises(Retry) as failure:
        while True:
            appended += len(log.append(BRIEF, [Entry("c", bytes(300))] * 20).result(PATIENCE_S))
    assert (failure.value.code, failure.value.after_s) == ("LOG_UNAVAILABLE", 1)
    assert "full" in failure.value.message
    assert log.end(BRIEF) == {0: appended}
    clock.now += 15 * MINUTE_MS + 1
    purge(tmp_path / "log", clock.now)
    positions = log.append(BRIEF, [Entry("c", bytes(300))] * 20).result(PATIENCE_S)
    assert [position.offset for position in positions] == list(range(appended, appended + 20))
    log.close()


def test_a_failing_write_is_retried_once_the_disk_works_again(tmp_path: Path) -> None:
    body = """
        import resource, signal
        from streams.errors import Retry
        from streams.log import Entry, Topic
        topic = Topic("t", 1)
        log.append(topic, [Entry("c", b"before")]).result()
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
        refused = 0
        for number in range(100):
            try:
                log.append(topic, [Entry("c", bytes(20_000))]).result()
            except Retry as error:
                assert error.code == "LOG_UNAVAILABLE", error.code
                refused += 1
        assert refused, "the limit was never reached"
        end = log.end(topic)[0]
        assert end == 101 - refused, (end, refused)
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
        assert log.append(topic, [Entry("c", b"after")]).result()[0].offset == end
        log.close()
    """
    run(SqliteMaker(tmp_path).program() + dedent(body))
    log = SqliteLog(tmp_path / "log", clock=wall_clock)
    records = everything(log, Topic("t", 1))
    assert (records[0].value, records[-1].value) == (b"before", b"after")
    assert_gapless(records)
    log.close()


def test_a_locked_file_is_unavailable_until_it_is_free(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", clock=wall_clock, limits=FileLimits(busy_s=0.5))
    fill(log)
    intruder = sqlite3.connect(tmp_path / "log", isolation_level=None)
    intruder.execute("BEGIN IMMEDIATE")
    with pytest.raises(Retry) as failure:
        fill(log)
    assert failure.value.code == "LOG_UNAVAILABLE"
    intruder.execute("COMMIT")
    intruder.close()
    assert len(fill(log)) == 40
    assert len(everything(log)) == 80
    log.close()
