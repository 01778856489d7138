"""What has expired is gone: from polls, reads and the very bytes on the disk."""

import re
import sqlite3
from contextlib import closing
from pathlib import Path
from random import Random
from time import monotonic, sleep

from streams.instant import DAY_MS, MINUTE_MS
from streams.log import LOCATIONS, Entry, Topic
from streams.sqlite_log import SqliteLog
from streams.sqlite_retention import CHUNK, MOAT
from tests.log_makers import PATIENCE_S, START, Clock, after, drain, purge, values

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
    purge(tmp_path / "log", START + 19 * MINUTE_MS)
    assert values(log.read(BRIEF, 0, 0, 100)) == [b"%d" % minute for minute in range(4, 20)]
    assert len(log.read(LASTING, 0, 0, 100)) == 20
    purge(tmp_path / "log", START + 19 * MINUTE_MS + 1)
    assert values(log.read(BRIEF, 0, 0, 100))[0] == b"5"
    log.close()


def test_offsets_go_on_after_everything_was_forgotten(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock)
    count = CHUNK + MOAT
    log.append(BRIEF, [Entry("c", b"")] * count).result(PATIENCE_S)
    clock.now += KEEP_MS + 1
    purge(tmp_path / "log", clock.now)
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
    purge(tmp_path / "log", clock.now + 1)
    assert values(drain(member, 1)) == [b"new"]
    member.rewind(START)
    assert values(drain(member, 1)) == [b"new"]
    clock.now += KEEP_MS + 1
    purge(tmp_path / "log", clock.now)
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


def test_an_orderly_end_leaves_no_byte_of_what_was_made_use_of_and_all_of_the_rest(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", clock=Clock())
    count = CHUNK + MOAT
    log.append(BRIEF, [Entry("<key>", b"<used>")] * count).result(PATIENCE_S)
    log.append(FIXES, [Entry("c", b"<read by nobody>")]).result(PATIENCE_S)
    log.append(LASTING, [Entry("c", b"<lasting>")]).result(PATIENCE_S)
    read_all(log, "first", count)
    read_all(log, "second", count)
    log.append(BRIEF, [Entry("c", b"<new to the second>")]).result(PATIENCE_S)
    read_all(log, "first", 1)
    log.close()
    left = contents(tmp_path)
    assert [mark in left for mark in (b"<used>", b"<key>")] == [False, False]
    assert [mark in left for mark in (b"<read by nobody>", b"<lasting>", b"<new to the second>")] == [True] * 3


def read_all(log: SqliteLog, group: str, count: int) -> None:
    """Take and commit `count` records of BRIEF."""
    member = log.subscribe(group, [BRIEF])
    member.commit(after(drain(member, count)))
    member.close()


def test_what_a_group_has_not_committed_comes_after_the_orderly_end(tmp_path: Path) -> None:
    log = SqliteLog(tmp_path / "log", clock=Clock())
    log.append(BRIEF, [Entry("c", b"%d" % number) for number in range(10)]).result(PATIENCE_S)
    member = log.subscribe("g", [BRIEF])
    member.commit(after(member.poll(4, PATIENCE_S)[:3]))
    member.close()
    log.close()
    log = SqliteLog(tmp_path / "log", clock=Clock())
    member = log.subscribe("g", [BRIEF])
    assert values(drain(member, 7)) == [b"%d" % number for number in range(3, 10)]
    assert log.end(BRIEF) == {0: 10}
    member.close()
    log.close()


def test_a_backup_without_fixes_is_made_as_the_page_says(tmp_path: Path) -> None:
    page = (Path(__file__).parent.parent / "docs" / "operations.md").read_text()
    select, forget = re.findall(r'^sqlite3 backup/log\.sqlite "([^"]+)"', page, re.MULTILINE)
    log, copy = SqliteLog(tmp_path / "log", clock=Clock()), tmp_path / "backup" / "log"
    copy.parent.mkdir()
    log.append(LOCATIONS, [Entry("<key>", b"<fix>")] * 3_000).result(PATIENCE_S)
    log.append(LASTING, [Entry("c", b"<lasting>")]).result(PATIENCE_S)
    with closing(sqlite3.connect(tmp_path / "log")) as db, closing(sqlite3.connect(copy)) as target:
        db.backup(target)
        assert b"<fix>" in contents(copy.parent)
        target.executescript("".join(statement for (statement,) in target.execute(select)))
        target.executescript(forget)
    log.close()
    left = contents(copy.parent)
    assert (b"<fix>" in left, b"<key>" in left, b"<lasting>" in left) == (False, False, True)
    log = SqliteLog(copy, clock=Clock())
    assert sum(log.end(LOCATIONS).values()) == 3_000
    assert values(log.read(LASTING, 0, 0, 10)) == [b"<lasting>"]
    log.close()


def test_what_expired_while_nobody_ran_is_gone_before_the_next_end(tmp_path: Path) -> None:
    clock = Clock()
    log = SqliteLog(tmp_path / "log", clock=clock)
    log.append(BRIEF, [Entry("c", b"<secret>")]).result(PATIENCE_S)
    log.close()
    clock.now += KEEP_MS + 1
    SqliteLog(tmp_path / "log", clock=clock).close()
    assert b"<secret>" not in contents(tmp_path)


def test_a_stamp_from_a_wrong_clock_does_not_keep_what_is_behind_it(tmp_path: Path) -> None:
    clock = Clock(START + 400 * DAY_MS)
    log = SqliteLog(tmp_path / "log", clock=clock)
    log.append(BRIEF, [Entry("c", b"next year")]).result(PATIENCE_S)
    for minute in (0, 20):
        clock.now = START + minute * MINUTE_MS
        log.append(BRIEF, [Entry("c", b"%d" % minute)]).result(PATIENCE_S)
    purge(tmp_path / "log", clock.now)
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
        purge(tmp_path / "log", clock.now)
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
    purge(tmp_path / "log", clock.now)
    assert {int(mark) for mark in re.findall(rb"<<(\d{6})>>", contents(tmp_path))} == {2, 3, 4, 5}
    log.close()


def contents(folder: Path) -> bytes:
    return b"\0".join(path.read_bytes() for path in sorted(folder.iterdir()))
