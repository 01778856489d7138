"""Records written behind the answer: soon, in order, drained at the end, and kept waiting while the log is away."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import anyio
import pytest

from offers.exposure import FLUSH_RECORDS, MAX_WAITING, WriteBehind
from streams import telemetry
from streams.consumer import wall_clock
from streams.host_lock import HostLock
from streams.log import DECISIONS, LOCATIONS, Entry, Topic
from streams.sqlite_file import FileLimits
from streams.sqlite_log import SqliteLog

PATIENCE_S = 20.0


def opened(folder: Path) -> SqliteLog:
    return SqliteLog(folder / "log", clock=wall_clock, limits=FileLimits(busy_s=0.05))


def lock_of(folder: Path) -> HostLock:
    """Whoever holds it keeps the log from writing, as another process in a long write does."""
    return HostLock(folder / "log-writer")


def values(log: SqliteLog, topic: Topic = DECISIONS) -> list[bytes]:
    return [record.value for part in range(topic.partitions) for record in log.read(topic, part, 0, MAX_WAITING)]


def entries(count: int, start: int = 0) -> list[Entry]:
    return [Entry("c-1", str(number).encode()) for number in range(start, start + count)]


def numbered(count: int, start: int = 0) -> list[bytes]:
    return [entry.value for entry in entries(count, start)]


def with_writer(log: SqliteLog, steps: Callable[[WriteBehind], Awaitable[None]]) -> WriteBehind:
    """Run the steps beside the writer, then let it drain."""

    async def scenario() -> WriteBehind:
        behind = WriteBehind(log)
        writing = asyncio.get_running_loop().create_task(behind.run())
        await steps(behind)
        behind.close()
        with anyio.fail_after(PATIENCE_S):
            await writing
        return behind

    return anyio.run(scenario)


async def until(condition: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not condition():
            await anyio.sleep(0.005)


def test_records_arrive_without_being_asked_for_in_the_order_added(tmp_path: Path) -> None:
    log = opened(tmp_path)

    async def steps(behind: WriteBehind) -> None:
        for number in range(3):
            for entry in entries(10, 10 * number):
                behind.add(entry)
            await until(lambda wanted=10 * number + 10: len(values(log)) == wanted)  # type: ignore[misc]

    with_writer(log, steps)
    assert values(log) == numbered(30)
    log.close()


def test_a_burst_of_more_than_a_batch_arrives_whole(tmp_path: Path) -> None:
    log = opened(tmp_path)

    async def steps(behind: WriteBehind) -> None:
        for entry in entries(3 * FLUSH_RECORDS + 7):
            behind.add(entry)

    behind = with_writer(log, steps)
    assert values(log) == numbered(3 * FLUSH_RECORDS + 7)
    assert behind.dropped == 0
    log.close()


def test_what_was_added_just_before_the_end_is_drained(tmp_path: Path) -> None:
    log = opened(tmp_path)

    async def steps(behind: WriteBehind) -> None:
        behind.add(Entry("c-1", b"decision"))
        behind.add(Entry("c-1", b"fix"), LOCATIONS)

    with_writer(log, steps)
    assert (values(log), values(log, LOCATIONS)) == ([b"decision"], [b"fix"])
    log.close()


def test_what_was_promised_just_before_the_end_is_drained_and_what_cannot_be_made_is_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = opened(tmp_path)

    def broken() -> Entry:
        raise ValueError("no record of this")

    async def steps(behind: WriteBehind) -> None:
        for entry in entries(3):
            behind.later(lambda entry=entry: entry)  # type: ignore[misc]
        behind.later(broken)

    behind = with_writer(log, steps)
    assert values(log) == numbered(3)
    assert behind.dropped == 1
    assert [record.message for record in caplog.records if record.exc_info] == ["a record could not be written down"]
    log.close()


def test_with_nothing_added_it_ends_at_once(tmp_path: Path) -> None:
    log = opened(tmp_path)

    async def steps(behind: WriteBehind) -> None:
        return

    assert with_writer(log, steps).dropped == 0
    log.close()


def test_while_the_log_is_away_records_wait_and_fixes_do_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    log, lock = opened(tmp_path), lock_of(tmp_path)
    log.append(DECISIONS, [Entry("c-1", b"0")]).result(PATIENCE_S)

    async def steps(behind: WriteBehind) -> None:
        with lock.held(PATIENCE_S):
            behind.add(Entry("c-1", b"a fix"), LOCATIONS)
            for entry in entries(4, 1):
                behind.add(entry)
            await until(lambda: "records wait for the log" in caplog.text)
            behind.add(Entry("c-1", b"5"))
        await until(lambda: len(values(log)) == 6)

    behind = with_writer(log, steps)
    assert values(log) == numbered(6), "nothing lost, nothing twice, in order"
    assert values(log, LOCATIONS) == [], "a fix is not kept until the log is back"
    assert behind.dropped == 0
    log.close()


def test_beyond_the_most_that_may_wait_the_oldest_are_lost_and_counted(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log = opened(tmp_path)
    dropped = telemetry.RECORDS.labels("dropped")
    before = dropped._value.get()

    async def steps(behind: WriteBehind) -> None:
        for entry in entries(MAX_WAITING + 3):
            behind.add(entry)

    behind = with_writer(log, steps)
    assert behind.dropped == 3
    assert dropped._value.get() == before + 3
    assert values(log) == numbered(MAX_WAITING, 3)
    assert [record.levelname for record in caplog.records] == ["ERROR"], "told once, not three times"
    log.close()


def test_at_the_end_a_log_that_stays_away_loses_what_waits_and_says_how_much(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    log, lock = opened(tmp_path), lock_of(tmp_path)

    async def steps(behind: WriteBehind) -> None:
        for entry in entries(5):
            behind.add(entry)

    with lock.held(PATIENCE_S):
        behind = with_writer(log, steps)
    assert behind.dropped == 5
    assert caplog.records[-1].__dict__["count"] == 5
    assert caplog.records[-1].levelname == "ERROR"
    log.close()


def test_the_metrics_move(tmp_path: Path) -> None:
    log = opened(tmp_path)
    appended, queue = telemetry.RECORDS.labels("appended"), telemetry.RECORD_QUEUE
    before = appended._value.get()

    async def steps(behind: WriteBehind) -> None:
        behind.add(Entry("c-1", b"1"))
        behind.add(Entry("c-1", b"2"))
        assert queue._value.get() == 2
        await until(lambda: queue._value.get() == 0)

    with_writer(log, steps)
    assert appended._value.get() == before + 2
    log.close()
