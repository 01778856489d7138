"""What the embedded log's members do beyond the suite of any log."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from streams.errors import Retry
from streams.host_lock import HostLock
from streams.log import Entry, Topic, partition_of
from streams.sqlite_file import FileLimits
from streams.sqlite_log import SqliteLog
from tests.log_makers import EVENTS, PATIENCE_S, START, Clock, after, drain, fill, values

SERIAL = Topic("test.serial", 1)


@dataclass
class Wall:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def test_a_poll_shares_evenly_between_the_partitions_that_have_records(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", clock=Clock())
    keys = {partition_of(f"c-{number}", EVENTS): f"c-{number}" for number in range(40)}
    for partition in (0, 1, 2):
        fill(log, [keys[partition]] * 50)
    member = log.subscribe("g", [EVENTS])
    for _ in range(3):
        polled = [record.position.partition for record in member.poll(30, 0)]
        assert [polled.count(partition) for partition in range(4)] == [10, 10, 10, 0]
    assert sorted(member.poll(2, 0), key=lambda r: r.position.partition)[0].position.offset == 30
    member.close()
    log.close()


def test_the_poll_that_gains_a_partition_returns_nothing_so_that_one_can_rewind_first(tmp_path: Path) -> None:
    clock, wall = Clock(), Wall()
    log = SqliteLog(tmp_path / "log", clock=clock, wall=wall)
    fill(log, ["m"] * 3, topic=SERIAL)
    dead = log.subscribe("g", [SERIAL])
    dead.commit(after(drain(dead, 3)))
    wall.now += 1
    heir = log.subscribe("g", [SERIAL])
    clock.now += 1_000
    fill(log, ["m"], topic=SERIAL, text="new-")
    wall.now += 10
    assert list(heir.poll(10, 0)) == []
    assert heir.assigned() == {(SERIAL.name, 0)}
    heir.rewind(START)
    assert values(heir.poll(10, 0)) == [b"0", b"1", b"2", b"new-0"]
    dead.close()
    heir.close()
    log.close()


def test_what_a_failed_poll_had_read_is_read_again(tmp_path: Path) -> None:
    wall = Wall()
    log = SqliteLog(tmp_path / "log", clock=Clock(), wall=wall, limits=FileLimits(busy_s=0.5))
    fill(log)
    member = log.subscribe("g", [EVENTS])
    wall.now += 5
    with held(tmp_path / "log"), pytest.raises(Retry) as failure:
        member.poll(10, 0)
    assert failure.value.code == "LOG_UNAVAILABLE"
    assert len(drain(member, 40)) == 40
    member.close()
    log.close()


def test_a_member_leaves_though_the_log_is_locked(tmp_path: Path) -> None:
    wall = Wall()
    log = SqliteLog(tmp_path / "log", clock=Clock(), wall=wall, limits=FileLimits(busy_s=0.5))
    leaver = log.subscribe("g", [EVENTS])
    with held(tmp_path / "log"):
        leaver.close()
    heir = log.subscribe("g", [EVENTS])
    assert heir.assigned() == frozenset()
    wall.now += 10
    heir.poll(1, 0)
    assert len(heir.assigned()) == 4
    heir.close()
    log.close()


def test_a_group_survives_the_end_of_all_its_members(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", clock=Clock())
    log.append(SERIAL, [Entry("m", b"%d" % number) for number in range(3)]).result(PATIENCE_S)
    member = log.subscribe("g", [SERIAL])
    drain(member, 3)
    member.commit({(SERIAL.name, 0): 2})
    member.close()
    log.close()
    log = SqliteLog(tmp_path / "log", clock=Clock())
    assert values(log.subscribe("g", [SERIAL]).poll(10, 0)) == [b"2"]
    log.close()


@contextmanager
def held(path: Path) -> Iterator[None]:
    """Nobody can write to the log in the block."""
    lock = HostLock(path.with_name(f"{path.name}-writer"))
    with lock.held(PATIENCE_S):
        yield
    lock.close()
