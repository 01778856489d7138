"""The one thread of a process that appends to the embedded log: everything queued goes into one durable commit."""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic

from streams.errors import InvalidInput, OffingError, Retry, Stop
from streams.ids import Millis
from streams.instant import MINUTE_MS
from streams.log import Entry, Position, Topic, partition_of
from streams.sqlite_file import Extent, LogFile
from streams.sqlite_retention import expire, forget_done

BATCH_ENTRIES = 4_096
BATCH_BYTES = 8 << 20
"""A batch is closed beyond either: a commit stays within some 50 ms, and memory within reason."""
LAST_MS: Millis = (1 << 63) - 1
SWEEP_S = 30.0
"""How often expired records are looked for."""
SPLIT = frozenset({sqlite3.SQLITE_FULL, sqlite3.SQLITE_TOOBIG})
"""SQLite's failures after which a part of the batch may still fit."""


@dataclass(frozen=True, slots=True)
class Append:
    """One call's entries, on their way to the log."""

    topic: Topic
    entries: Sequence[Entry]
    partitions: Sequence[int]
    future: "Future[Sequence[Position]]"


@dataclass(slots=True)
class Tail:
    """The growing end of one partition within a transaction."""

    extent: Extent
    appended: Millis
    next: int
    rows: list[tuple[int, Millis, Millis, str, bytes]] = field(default_factory=list)


class LogWriter:
    """Owns its file. `submit` may be called from any thread; `appended` is called after each commit, by the writer."""

    def __init__(self, file: LogFile, clock: Callable[[], Millis], appended: Callable[[], None]) -> None:
        self._file = file
        self._clock = clock
        self._appended = appended
        self._known: set[Topic] = set()
        self._queue: SimpleQueue[Append | None] = SimpleQueue()
        self._gate = Lock()
        self._open = True
        self._unscrubbed = True
        self._taken: Sequence[Append] = ()
        self._thread = Thread(target=self._run, name="offing-log-writer", daemon=True)
        self._thread.start()

    def submit(self, topic: Topic, entries: Sequence[Entry]) -> "Future[Sequence[Position]]":
        """Queue the entries; see EventLog.append. Raises InvalidInput for a recorded time beyond 64 bits."""
        for entry in entries:
            if entry.recorded is not None and not -LAST_MS <= entry.recorded <= LAST_MS:
                raise InvalidInput("TIME_INVALID", f"recorded is {entry.recorded} ms; expected at most {LAST_MS}")
        future: Future[Sequence[Position]] = Future()
        append = Append(topic, entries, [partition_of(entry.key, topic) for entry in entries], future)
        with self._gate:
            if self._open:
                self._queue.put(append)
                return future
        future.set_exception(Retry("LOG_UNAVAILABLE", "the log is closed; open it again", after_s=1))
        return future

    def close(self) -> None:
        """Write what is queued, forget what nobody needs any more (sqlite_retention), then stop. Idempotent."""
        with self._gate:
            if self._open:
                self._open = False
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._serve()
        finally:
            with self._gate:
                self._open = False
            stopped = Retry("LOG_UNAVAILABLE", "the log's writer has stopped; open the log again", after_s=1)
            for append in self._taken:
                _fail(append, stopped)
            while not self._queue.empty():
                _fail(self._queue.get(), stopped)
            self._file.close()

    def _serve(self) -> None:
        sweep_at = monotonic()
        while True:
            self._taken, last = self._take(max(0.0, sweep_at - monotonic()))
            if self._taken:
                self._write(self._taken)
            if last:
                self._leave()
                return
            if monotonic() >= sweep_at:
                sweep_at = monotonic() + (0.0 if self._sweep() else SWEEP_S)

    def _take(self, timeout_s: float) -> tuple[list[Append], bool]:
        """What is queued, up to a batch, and whether the queue has ended."""
        batch: list[Append] = []
        entries = size = 0
        try:
            append = self._queue.get(timeout=timeout_s)
            while append is not None:
                if append.future.set_running_or_notify_cancel():
                    batch.append(append)
                    entries += len(append.entries)
                    size += sum(len(entry.value) for entry in append.entries)
                if entries >= BATCH_ENTRIES or size >= BATCH_BYTES:
                    return batch, False
                append = self._queue.get_nowait()
        except Empty:
            return batch, False
        return batch, True

    def _write(self, batch: Sequence[Append]) -> None:
        try:
            positions = self._commit(batch)
        except OffingError as error:
            if len(batch) > 1 and _splits(error):
                for append in batch:
                    self._write([append])
            else:
                for append in batch:
                    _fail(append, error)
            return
        self._appended()
        for append, written in zip(batch, positions, strict=True):
            append.future.set_result(written)

    def _commit(self, batch: Sequence[Append]) -> list[Sequence[Position]]:
        for topic in {append.topic for append in batch} - self._known:
            self._file.register(topic)
            self._known.add(topic)
        with self._file.transaction() as db:
            tails = self._tails({append.topic.name for append in batch})
            positions = [_lay(append, tails[append.topic.name], self._file.epoch) for append in batch]
            grown = [tail for of_topic in tails.values() for tail in of_topic.values() if tail.rows]
            for tail in grown:
                db.executemany(f"INSERT INTO records_{tail.extent.id} VALUES (?, ?, ?, ?, ?)", tail.rows)
            db.executemany(
                "UPDATE partitions SET next_offset = ?, last_appended = ? WHERE id = ?",
                [(tail.next, tail.appended, tail.extent.id) for tail in grown],
            )
        return positions

    def _tails(self, topics: set[str]) -> Mapping[str, Mapping[int, Tail]]:
        now = self._clock()
        return {
            topic: {
                number: Tail(extent, _stamp(now, extent.last_appended), extent.next)
                for number, extent in self._file.extents(topic).items()
            }
            for topic in topics
        }

    def _sweep(self) -> bool:
        """Forget some of what has expired; whether there may be more. A failure waits for the next sweep."""
        with suppress(OffingError):
            if expire(self._file, self._clock()):
                self._unscrubbed = True
                return True
            if self._unscrubbed:
                self._unscrubbed = not self._file.truncate_wal()
        return False

    def _leave(self) -> None:
        """Nobody may sweep for a long time: leave nothing that has expired, and no fix that was made use of."""
        with suppress(OffingError):
            while expire(self._file, self._clock()):
                self._unscrubbed = True
            if forget_done(self._file) or self._unscrubbed:
                self._file.truncate_wal()


def _stamp(now: Millis, last: Millis) -> Millis:
    """The append time: in order within a partition though the clock was set back a little; by more, it was wrong."""
    return last if last - MINUTE_MS <= now < last else now


def _lay(append: Append, tails: Mapping[int, Tail], epoch: str) -> Sequence[Position]:
    """Give each entry its offset."""
    positions = []
    for entry, partition in zip(append.entries, append.partitions, strict=True):
        tail = tails[partition]
        recorded = tail.appended if entry.recorded is None else entry.recorded
        tail.rows.append((tail.next, recorded, tail.appended, entry.key, entry.value))
        positions.append(Position(epoch, append.topic.name, partition, tail.next))
        tail.next += 1
    return positions


def _splits(error: OffingError) -> bool:
    """Whether it may concern one append only: a Stop is about a topic, a full disk may still hold a smaller one."""
    code = getattr(error.__cause__, "sqlite_errorcode", 0) & 0xFF
    return isinstance(error, Stop) or code in SPLIT


def _fail(append: Append | None, error: OffingError) -> None:
    if append is not None and not append.future.done():
        append.future.set_exception(error)
