"""Group commit: what shares a transaction, and what happens to the rest when one append cannot be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep

import pytest

from streams.errors import InvalidInput, Retry, Stop
from streams.host_lock import HostLock
from streams.instant import MINUTE_MS
from streams.log import Entry, Topic
from streams.sqlite_file import FileLimits, LogFile
from streams.sqlite_log import SqliteLog
from streams.sqlite_writer import LogWriter
from tests.log_makers import PATIENCE_S, START, Clock, everything, values

ONE = Topic("test.one", 1)


def test_what_is_queued_goes_into_one_commit_and_is_announced_once(tmp_path: Path) -> None:
    announced: list[int] = []
    file = LogFile(tmp_path / "log", "FULL", FileLimits())
    writer = LogWriter(file, Clock(), lambda: announced.append(1))
    writer.submit(ONE, []).result(PATIENCE_S)
    announced.clear()
    with waiting(tmp_path):
        first = writer.submit(ONE, [Entry("c", b"")])
        while not first.running():
            sleep(0.001)
        rest = [writer.submit(ONE, [Entry("c", b"")]) for _ in range(100)]
    assert [future.result(PATIENCE_S)[0].offset for future in [first, *rest]] == list(range(101))
    assert announced == [1, 1]
    writer.close()
    writer.close()


def test_one_hopeless_append_does_not_take_its_batch_with_it(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", clock=Clock(), limits=FileLimits(max_pages=100))
    with one_batch(tmp_path, log):
        futures = [log.append(ONE, [Entry("c", bytes(size))]) for size in (10, 1_000_000, 20)]
        futures.append(log.append(replace(ONE, partitions=2), [Entry("c", b"")]))
    failures = [type(future.exception(PATIENCE_S)) for future in futures]
    assert failures == [type(None), Retry, type(None), Stop]
    assert [len(record.value) for record in everything(log, ONE)] == [0, 10, 20]
    log.close()


def test_a_cancelled_append_is_not_written(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", clock=Clock())
    with one_batch(tmp_path, log):
        futures = [log.append(ONE, [Entry("c", b"%d" % number)]) for number in range(3)]
        assert futures[1].cancel()
    assert [future.result(PATIENCE_S)[0].offset for future in (futures[0], futures[2])] == [1, 2]
    assert values(everything(log, ONE)) == [b"", b"0", b"2"]
    log.close()


def test_a_recorded_time_beyond_64_bits_is_refused_before_it_is_queued(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", clock=Clock())
    with pytest.raises(InvalidInput) as failure:
        log.append(ONE, [Entry("c", b"", 1 << 63)])
    assert failure.value.code == "TIME_INVALID"
    log.close()


def test_append_times_stay_in_order_when_the_clock_is_set_back_a_little(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock)
    recorded = []
    for step in (0, -500, 700, -2 * MINUTE_MS):
        clock.now = START + step
        offset = log.append(ONE, [Entry("c", b"")]).result(PATIENCE_S)[0].offset
        recorded.append(log.read(ONE, 0, offset, 1)[0].recorded - START)
    assert recorded == [0, 0, 700, -2 * MINUTE_MS]
    log.close()


@contextmanager
def waiting(folder: Path) -> Iterator[None]:
    """Every writer of the log waits for its turn until the block ends."""
    lock = HostLock(folder / "log-writer")
    with lock.held(PATIENCE_S):
        yield
    lock.close()


@contextmanager
def one_batch(folder: Path, log: SqliteLog) -> Iterator[None]:
    """What is appended in the block is one batch, behind a record of its own."""
    log.append(ONE, []).result(PATIENCE_S)
    with waiting(folder):
        first = log.append(ONE, [Entry("c", b"")])
        while not first.running():
            sleep(0.001)
        yield
    first.result(PATIENCE_S)
