"""The embedded EventLog: one SQLite file, several processes of one host.

Reading order: sqlite_file (the file and its turns), sqlite_writer (group commit), sqlite_retention, lease (who owns
what), sqlite_subscription.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Event, Lock
from time import monotonic, time
from weakref import WeakSet

from streams.errors import OffingError
from streams.ids import Millis
from streams.lease import Leases
from streams.log import Entry, LogRecord, Position, Topic
from streams.sqlite_file import FileLimits, LogFile
from streams.sqlite_subscription import SqliteSubscription
from streams.sqlite_writer import LogWriter

LEASE_S = 10.0
LOOK_S = 0.005
"""How often a waiting read looks for commits of other processes; those of its own process wake it at once."""
DEFAULT_LIMITS = FileLimits()


class SqliteLog:
    """See streams.log.EventLog. Open it after a fork, never before: SQLite connections do not survive one.

    `clock` stamps appends (retention, rewind). `wall`, in seconds, dates leases and must be the same in every process.
    Raises Stop LOG_UNREADABLE, LOG_DAMAGED or LOG_FORMAT_UNKNOWN, and Retry LOG_UNAVAILABLE.
    """

    def __init__(
        self,
        path: Path,
        *,
        clock: Callable[[], Millis],
        wall: Callable[[], float] = time,
        lease_s: float = LEASE_S,
        limits: FileLimits = DEFAULT_LIMITS,
    ) -> None:
        self._path = path
        self._wall = wall
        self._lease_s = lease_s
        self._limits = limits
        self._reader = LogFile(path, "FULL", limits)
        self._reading = Lock()
        self._waiting: WeakSet[Event] = WeakSet()
        self._listing = Lock()
        self._writer = LogWriter(LogFile(path, "FULL", limits), clock, self._wake)

    def epoch(self) -> str:
        return self._reader.epoch

    def append(self, topic: Topic, entries: Sequence[Entry]) -> "Future[Sequence[Position]]":
        return self._writer.submit(topic, entries)

    def subscribe(self, group: str, topics: Sequence[Topic]) -> SqliteSubscription:
        """Raises Stop LOG_PARTITIONS_DIFFER, Retry LOG_UNAVAILABLE."""
        # NORMAL: commits and leases may be lost in a power cut, which ends every member; the work is then done again.
        file = LogFile(self._path, "NORMAL", self._limits)
        try:
            for topic in topics:
                file.register(topic)
            names = sorted({topic.name for topic in topics})
            leases = Leases(file, group, names, lease_s=self._lease_s, wall=self._wall)
            woken = Event()
            subscription = SqliteSubscription(file, leases, woken)
        except OffingError:
            file.close()
            raise
        with self._listing:
            self._waiting.add(woken)
        return subscription

    def read(
        self, topic: Topic, partition: int, offset: int, max_records: int, wait_s: float = 0.0
    ) -> Sequence[LogRecord]:
        woken, deadline = Event(), monotonic() + wait_s
        with self._listing:
            self._waiting.add(woken)
        while True:
            woken.clear()
            found = self._found(topic, partition, offset, max_records)
            remaining_s = deadline - monotonic()
            if found or remaining_s <= 0:
                return found
            woken.wait(min(remaining_s, LOOK_S))

    def _found(self, topic: Topic, partition: int, offset: int, max_records: int) -> Sequence[LogRecord]:
        with self._reading:
            extent = self._reader.extents(topic.name).get(partition)
            if extent is None or offset >= extent.next:
                return ()
            return self._reader.records(topic.name, extent, offset, max_records)

    def end(self, topic: Topic) -> Mapping[int, int]:
        with self._reading:
            extents = self._reader.extents(topic.name)
        return {number: extents[number].next if number in extents else 0 for number in range(topic.partitions)}

    def close(self) -> None:
        """Finish what is queued and forget what has expired and, of topics with a retention, what every group has

        committed: call it once this process's consumers have ended. Idempotent.
        """
        self._writer.close()
        with self._reading:
            self._reader.close()

    def _wake(self) -> None:
        with self._listing:
            waiting = tuple(self._waiting)
        for event in waiting:
            event.set()
