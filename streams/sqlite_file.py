"""One connection to the embedded log's SQLite file: schema, write transactions, reads.

All writes and checkpoints of a host take turns behind a HostLock. SQLite's own lock would do for correctness of the
data model, but its busy handler sleeps up to 100 ms and starves, and SQLite before 3.51.3 can damage the file when one
connection checkpoints while another commits (its "WAL-reset bug").
"""

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from uuid import uuid4

from streams.errors import OffingError, Retry, Stop
from streams.host_lock import HostLock
from streams.log import LogRecord, Position, Topic

FORMAT = 1
SCHEMA = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE topics (name TEXT PRIMARY KEY, partitions INTEGER NOT NULL, retention_ms INTEGER) WITHOUT ROWID",
    "CREATE TABLE partitions (id INTEGER PRIMARY KEY, topic TEXT NOT NULL, number INTEGER NOT NULL,"
    " first_offset INTEGER NOT NULL DEFAULT 0, next_offset INTEGER NOT NULL DEFAULT 0,"
    " last_appended INTEGER NOT NULL DEFAULT 0, UNIQUE (topic, number))",
    "CREATE TABLE groups (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE members (group_name TEXT, member TEXT, topic TEXT, renewed REAL NOT NULL,"
    " PRIMARY KEY (group_name, member, topic)) WITHOUT ROWID",
    "CREATE TABLE leases (group_name TEXT, topic TEXT, partition INTEGER, member TEXT, fence INTEGER NOT NULL,"
    " committed INTEGER NOT NULL, PRIMARY KEY (group_name, topic, partition)) WITHOUT ROWID",
)
RECORDS = (
    "CREATE TABLE records_{id} (offset INTEGER PRIMARY KEY, recorded INTEGER NOT NULL, appended INTEGER NOT NULL,"
    " key TEXT NOT NULL, value BLOB NOT NULL)"
)
"""A table for each partition: rows only ever join at its right edge, a third faster than one table for all. The two
times stand before the value, so that looking for an instant does not read large values."""

DAMAGED = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
CHECKPOINT_WAIT_MS = 200


@dataclass(frozen=True, slots=True)
class FileLimits:
    """`busy_s`: how long a write waits for its turn. `max_pages`: of 4096 bytes; None leaves it to the disk."""

    busy_s: float = 5.0
    max_pages: int | None = None


@dataclass(frozen=True, slots=True)
class Extent:
    """What a partition holds: offsets from `first` (older ones are forgotten) up to, not including, `next`."""

    id: int
    number: int
    first: int
    next: int
    last_appended: int


class LogFile:
    """Not thread-safe: one thread uses it at a time. Every method raises Retry, or Stop if the file is damaged."""

    def __init__(self, path: Path, synchronous: Literal["FULL", "NORMAL"], limits: FileLimits) -> None:
        self._path = path
        self._limits = limits
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch(mode=0o600)
            self._lock = HostLock(path.with_name(f"{path.name}-writer"))
            self._db = sqlite3.connect(
                path, timeout=limits.busy_s, isolation_level=None, check_same_thread=False, cached_statements=512
            )
        except (OSError, sqlite3.Error) as error:
            raise Stop("LOG_UNREADABLE", f"cannot open the log {path}: {error}; check the folder") from error
        try:
            self._configure(synchronous)
            self.epoch = self._found()
        except OffingError:
            self.close()
            raise

    def close(self) -> None:
        """Idempotent."""
        self._db.close()
        self._lock.close()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """A write transaction: durable (by `synchronous`) when the block has ended, nothing of it after an error."""
        with self._turn():
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """One consistent state over several reads."""
        with self._errors():
            self._db.execute("BEGIN")
            try:
                yield self._db
            finally:
                self._db.execute("COMMIT")

    def data_version(self) -> int:
        """Differs from the last answer if another connection committed since. About 3 microseconds."""
        try:  # without the context manager: every empty poll comes here
            version: int = self._db.execute("PRAGMA data_version").fetchone()[0]
        except sqlite3.Error as error:
            raise self._failure(error) from error
        return version

    def extents(self, topic: str) -> Mapping[int, Extent]:
        """Partition number -> what it holds. Empty if nothing ever touched the topic."""
        with self._errors():
            rows = self._db.execute(
                "SELECT number, id, first_offset, next_offset, last_appended FROM partitions WHERE topic = ?", (topic,)
            ).fetchall()
        return {row[0]: Extent(row[1], row[0], *row[2:]) for row in rows}

    def records(self, topic: str, extent: Extent, offset: int, limit: int) -> Sequence[LogRecord]:
        """The partition's records from `offset` on, without those that retention has taken meanwhile."""
        with self._errors():
            rows = self._db.execute(
                f"SELECT offset, key, value, recorded FROM records_{extent.id}"
                " WHERE offset >= max(?, (SELECT first_offset FROM partitions WHERE id = ?)) ORDER BY offset LIMIT ?",
                (offset, extent.id, limit),
            ).fetchall()
        return [LogRecord(Position(self.epoch, topic, extent.number, row[0]), *row[1:]) for row in rows]

    def register(self, topic: Topic) -> None:
        """Make the topic's partitions, once. Raises Stop LOG_PARTITIONS_DIFFER if it has another number of them."""
        with self.transaction() as db:
            found = db.execute("SELECT partitions FROM topics WHERE name = ?", (topic.name,)).fetchone()
            if found and found[0] != topic.partitions:
                raise Stop(
                    "LOG_PARTITIONS_DIFFER",
                    f"{topic.name} has {found[0]} partitions in {self._path}, not {topic.partitions}: keys would change"
                    " their partition and lose their order; use a new namespace",
                )
            db.execute(
                "INSERT INTO topics VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET retention_ms = excluded.retention_ms",
                (topic.name, topic.partitions, topic.retention_ms),
            )
            for number in range(0 if found else topic.partitions):
                made = db.execute("INSERT INTO partitions (topic, number) VALUES (?, ?)", (topic.name, number))
                db.execute(RECORDS.format(id=made.lastrowid))

    def truncate_wal(self) -> bool:
        """Bring everything into the main file and empty the WAL, where deleted rows linger. False: a reader is busy."""
        with self._turn():
            self._db.execute(f"PRAGMA busy_timeout = {CHECKPOINT_WAIT_MS}")
            try:
                busy: int = self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            finally:
                self._db.execute(f"PRAGMA busy_timeout = {int(self._limits.busy_s * 1000)}")
        return not busy

    def _configure(self, synchronous: str) -> None:
        with self._turn():
            for pragma in ("journal_mode = WAL", f"synchronous = {synchronous}", "secure_delete = ON"):
                self._db.execute(f"PRAGMA {pragma}").fetchall()
            if self._limits.max_pages is not None:
                self._db.execute(f"PRAGMA max_page_count = {self._limits.max_pages}").fetchall()

    def _found(self) -> str:
        """Make the schema if the file is new; the log's epoch."""
        with self.transaction() as db:
            found = db.execute("PRAGMA user_version").fetchone()[0]
            if found not in (0, FORMAT):
                raise Stop(
                    "LOG_FORMAT_UNKNOWN",
                    f"{self._path} has format {found}, this program reads {FORMAT}; use the program that wrote it",
                )
            if found == 0:
                for statement in SCHEMA:
                    db.execute(statement)
                db.execute("INSERT INTO meta VALUES ('epoch', ?)", (str(uuid4()),))
                db.execute(f"PRAGMA user_version = {FORMAT}")
            epoch: str = db.execute("SELECT value FROM meta WHERE name = 'epoch'").fetchone()[0]
        return epoch

    @contextmanager
    def _turn(self) -> Iterator[None]:
        with self._errors(), self._lock.held(self._limits.busy_s):
            yield

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except TimeoutError as error:
            raise Retry("LOG_UNAVAILABLE", f"the log {self._path} is locked: {error}", after_s=1) from error
        except sqlite3.Error as error:
            raise self._failure(error) from error

    def _failure(self, error: sqlite3.Error) -> OffingError:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in DAMAGED:
            mend = "stop every process and restore the file, or remove it to begin a new log"
            return Stop("LOG_DAMAGED", f"the log {self._path} is damaged: {error}; {mend}")
        return Retry("LOG_UNAVAILABLE", f"the log {self._path} cannot be used: {error}", after_s=1)
