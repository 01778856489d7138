"""What has expired is gone: from polls, reads and the very bytes on the disk."""

import re
from pathlib import Path
from random import Random
from time import monotonic, sleep

from streams.instant import DAY_MS, MINUTE_MS
from streams.log import Entry, Topic
from streams.sqlite_log import SqliteLog
from streams.sqlite_retention import CHUNK, MOAT
from tests.log_makers import PATIENCE_S, START, Clock, after, drain, values

KEEP_MS = 15 * MINUTE_MS
FIXES = Topic("test.locations", 8, KEEP_MS)
BRIEF = Topic("test.brief", 1, KEEP_MS)
LASTING = Topic("test.customers", 1)


def test_older_than_the_retention_goes_and_the_rest_stays(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock)
    for minute in range(20):
        clock.now = START + minute * MINUTE_MS
        log.append(BRIEF, [Entry("c", b"%d" % minute)]).result(PATIENCE_S)
        log.append(LASTING, [Entry("c", b"%d" % minute)]).result(PATIENCE_S)
    log.purge(START + 19 * MINUTE_MS)
    assert values(log.read(BRIEF, 0, 0, 100)) == [b"%d" % minute for minute in range(4, 20)]
    assert len(log.read(LASTING, 0, 0, 100)) == 20
    log.purge(START + 19 * MINUTE_MS + 1)
    assert values(log.read(BRIEF, 0, 0, 100))[0] == b"5"
    log.close()


def test_offsets_go_on_after_everything_was_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock)
    count = CHUNK + MOAT
    log.append(BRIEF, [Entry("c", b"")] * count).result(PATIENCE_S)
    clock.now += KEEP_MS + 1
    log.purge(clock.now)
    log.close()
    log = SqliteLog(tmp_path / "log", clock=clock)
    assert log.end(BRIEF) == {0: count}
    assert list(log.read(BRIEF, 0, 0, 10)) == []
    assert log.append(BRIEF, [Entry("c", b"new")]).result(PATIENCE_S)[0].offset == count
    assert values(log.read(BRIEF, 0, 0, 10)) == [b"new"]
    log.close()


def test_a_member_goes_on_at_the_first_record_that_is_left(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock)
    log.append(BRIEF, [Entry("c", b"%d" % number) for number in range(10)]).result(PATIENCE_S)
    member = log.subscribe("g", [BRIEF])
    member.commit(after(member.poll(3, PATIENCE_S)))
    clock.now += KEEP_MS
    log.append(BRIEF, [Entry("c", b"new")]).result(PATIENCE_S)
    log.purge(clock.now + 1)
    assert values(drain(member, 1)) == [b"new"]
    member.rewind(START)
    assert values(drain(member, 1)) == [b"new"]
    clock.now += KEEP_MS + 1
    log.purge(clock.now)
    member.rewind(START)
    assert list(member.poll(10, 0)) == []
    member.close()
    log.close()


def test_the_writer_purges_by_itself_soon_after_the_start(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock)
    log.append(BRIEF, [Entry("c", b"<secret>")]).result(PATIENCE_S)
    log.close()
    assert b"<secret>" in contents(tmp_path)
    clock.now += KEEP_MS + 1
    log = SqliteLog(tmp_path / "log", clock=clock)
    deadline = monotonic() + PATIENCE_S
    while b"<secret>" in contents(tmp_path):
        assert monotonic() < deadline
        sleep(0.01)
    log.close()


def test_a_stamp_from_a_wrong_clock_does_not_keep_what_is_behind_it(tmp_path: Path) -> None:
    clock = Clock(START + 400 * DAY_MS)
    log = SqliteLog(tmp_path / "log", clock=clock)
    log.append(BRIEF, [Entry("c", b"next year")]).result(PATIENCE_S)
    for minute in (0, 20):
        clock.now = START + minute * MINUTE_MS
        log.append(BRIEF, [Entry("c", b"%d" % minute)]).result(PATIENCE_S)
    log.purge(clock.now)
    assert values(log.read(BRIEF, 0, 0, 10)) == [b"20"]
    log.close()


def test_no_byte_of_an_expired_record_is_left_in_any_file(tmp_path: Path) -> None:
    draw = Random(1)  # without the moat, 14 of these 120 purges leave a record behind
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock)
    for step in range(120):
        clock.now += MINUTE_MS
        batch = [
            Entry(f"key-{step:06}-{draw.randrange(500)}", f"<<{step:06}>>".encode() * draw.choice((1, 5, 20, 40)))
            for _ in range(draw.randint(5, 60))
        ]
        log.append(FIXES, batch).result(PATIENCE_S)
        log.purge(clock.now)
        found = contents(tmp_path)
        live = set(range(max(0, step - 15), step + 1))
        assert {int(mark) for mark in re.findall(rb"<<(\d{6})>>", found)} == live
        assert {int(mark) for mark in re.findall(rb"key-(\d{6})", found)} == live
    log.close()


def test_large_values_leave_no_byte_either(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock)
    for step in range(6):
        clock.now += 5 * MINUTE_MS
        log.append(BRIEF, [Entry("c", f"<<{step:06}>>".encode() * 5_000)]).result(PATIENCE_S)
    log.purge(clock.now)
    assert {int(mark) for mark in re.findall(rb"<<(\d{6})>>", contents(tmp_path))} == {2, 3, 4, 5}
    log.close()


def contents(folder: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(folder.iterdir()))
