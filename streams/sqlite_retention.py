"""Retention of the embedded log: what is older than its topic allows leaves the file, bytes and all.

`secure_delete` zeroes a row where it lies, but when SQLite merges half-empty pages it copies rows, and the old copies
stay in unused space that a later delete does not reach. So expired rows are first overwritten in place, and only those
far behind the first live row are deleted: no live row is ever near a merge, and no copy of one is ever left behind.
"""

import sqlite3

from streams.ids import Millis
from streams.instant import DAY_MS
from streams.sqlite_file import LogFile

CHUNK = 2_000
"""Records of a partition per transaction: some 10 ms during which appends wait."""
MOAT = 512
"""Overwritten rows kept before the first live one: more than fit on the three pages that a merge touches."""


def expire(file: LogFile, now: Millis) -> int:
    """Forget at most CHUNK expired records of each partition; how many were forgotten. Raises Retry."""
    with file.snapshot() as db:
        due = [
            (partition, retention_ms)
            for partition, first, retention_ms in db.execute(
                "SELECT p.id, p.first_offset, t.retention_ms FROM partitions p JOIN topics t ON t.name = p.topic"
                " WHERE t.retention_ms IS NOT NULL AND p.first_offset < p.next_offset ORDER BY p.id"
            ).fetchall()
            for (appended,) in db.execute(f"SELECT appended FROM records_{partition} WHERE offset = ?", (first,))
            if not now - retention_ms <= appended <= now + DAY_MS
        ]
    return sum(_expired(file, partition, now - retention_ms, now + DAY_MS) for partition, retention_ms in due)


def forget_done(file: LogFile) -> int:
    """Forget what every group that reads a topic with a retention has committed, before the process leaves the file to

    itself: nobody would sweep it while none runs. What nobody reads, or somebody has not read yet, stays its time. How
    many were forgotten. Raises Retry.
    """
    with file.snapshot() as db:
        due: list[tuple[int, int, int]] = db.execute(
            "SELECT p.id, p.first_offset, min(l.committed) FROM partitions p JOIN topics t ON t.name = p.topic"
            " JOIN leases l ON l.topic = p.topic AND l.partition = p.number WHERE t.retention_ms IS NOT NULL"
            " GROUP BY p.id HAVING min(l.committed) > p.first_offset AND count(*) ="
            " (SELECT count(DISTINCT group_name) FROM leases WHERE topic = p.topic) ORDER BY p.id"
        ).fetchall()
    for partition, first, end in due:
        for until in (*range(first + CHUNK, end, CHUNK), end):
            with file.transaction() as db:
                _forget(db, partition, until)
    return sum(end - first for _, first, end in due)


def _expired(file: LogFile, partition: int, oldest: Millis, newest: Millis) -> int:
    """Forget up to the first record appended from `oldest` to `newest`; later than that was stamped by a wrong clock,

    and would stay for ever, and everything behind it.
    """
    with file.transaction() as db:
        extent = "SELECT first_offset, next_offset FROM partitions WHERE id = ?"
        first: int
        end: int
        first, end = db.execute(extent, (partition,)).fetchone()
        live = db.execute(
            f"SELECT offset FROM records_{partition} WHERE offset >= ? AND offset < ? AND appended BETWEEN ? AND ?"
            " ORDER BY offset LIMIT 1",
            (first, first + CHUNK, oldest, newest),
        ).fetchone()
        until = live[0] if live else min(first + CHUNK, end)
        _forget(db, partition, until)
    return until - first


def _forget(db: sqlite3.Connection, partition: int, until: int) -> None:
    """Everything before `until`; nothing if another process was here first."""
    (first,) = db.execute("SELECT first_offset FROM partitions WHERE id = ?", (partition,)).fetchone()
    db.execute(
        f"UPDATE records_{partition} SET value = zeroblob(length(value)),"
        " key = zeroblob(length(CAST(key AS BLOB))) WHERE offset >= ? AND offset < ?",
        (first, until),
    )
    db.execute(f"DELETE FROM records_{partition} WHERE offset < ?", (until - MOAT,))
    db.execute("UPDATE partitions SET first_offset = max(first_offset, ?) WHERE id = ?", (until, partition))
