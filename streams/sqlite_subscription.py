"""One member of a consumer group on the embedded log."""

import sqlite3
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import partial
from threading import Event
from time import monotonic

from streams.errors import Retry
from streams.ids import Millis
from streams.lease import Leases, Pair
from streams.log import LogRecord
from streams.sqlite_file import Extent, LogFile

LOOK_S = 0.01
"""How often a waiting poll looks for commits of other processes; those of its own process wake it at once."""
UNSEEN = -1


class SqliteSubscription:
    """See streams.log.Subscription. Owns its file.

    `rewind` never moves forward. A poll that gains partitions returns nothing, so that its caller can compare
    `assigned` and rewind before it reads on from where the last owner was.
    """

    def __init__(self, file: LogFile, leases: Leases, woken: Event) -> None:
        self._file = file
        self._leases = leases
        self._woken = woken
        self._seen = UNSEEN
        self._extents: dict[Pair, Extent] = {}
        self._positions: dict[Pair, int] = {}
        self._turn = 0
        self._renew()

    def poll(self, max_records: int, timeout_s: float) -> Sequence[LogRecord]:
        deadline = monotonic() + timeout_s
        while True:
            self._woken.clear()
            if self._attend():
                return ()
            records = self._next(max_records)
            remaining_s = deadline - monotonic()
            if records or remaining_s <= 0:
                return records
            self._woken.wait(min(remaining_s, LOOK_S))

    def commit(self, after: Mapping[Pair, int]) -> None:
        self._leases.commit(after)

    def positions(self) -> Mapping[Pair, int]:
        return dict(self._positions)

    def rewind(self, to_time: Millis) -> None:
        earlier: dict[Pair, int] = {}
        with self._file.snapshot() as db:
            for (topic, number), position in self._positions.items():
                extent = self._file.extents(topic)[number]
                read = range(extent.first, min(position, extent.next))
                back = bisect_left(read, to_time, key=partial(_appended, db, extent))
                earlier[topic, number] = min(position, extent.first + back)
        self._positions = earlier
        self._seen = UNSEEN

    def assigned(self) -> frozenset[Pair]:
        return self._leases.owned()

    def close(self) -> None:
        with suppress(Retry):  # the leases lapse by themselves
            self._leases.leave()
        self._file.close()

    def _attend(self) -> bool:
        """Keep up with the group and with what was appended; whether partitions were gained."""
        version = self._file.data_version()
        news = version != self._seen
        if self._leases.due() or (news and self._leases.moved()):
            if self._renew():
                return True
            news = True
        if news:
            self._extents = {
                (topic, number): extent
                for topic in {topic for topic, _ in self._positions}
                for number, extent in self._file.extents(topic).items()
            }
            self._seen = version
        return False

    def _renew(self) -> bool:
        gained = self._leases.renew()
        self._positions = {pair: gained.get(pair, self._positions.get(pair, 0)) for pair in self._leases.held()}
        self._seen = UNSEEN
        return bool(gained)

    def _next(self, max_records: int) -> Sequence[LogRecord]:
        """An even share from each partition that has records, beginning with another one each time."""
        ready = [pair for pair, position in self._positions.items() if position < self._extents[pair].next]
        if not ready:
            return ()
        self._turn = (self._turn + 1) % len(ready)
        records: list[LogRecord] = []
        reached: dict[Pair, int] = {}
        for index, pair in enumerate(ready[self._turn :] + ready[: self._turn]):
            quota = -(-(max_records - len(records)) // (len(ready) - index))
            if quota <= 0:
                break
            extent = self._extents[pair]
            found = self._file.records(pair[0], extent, self._positions[pair], quota)
            reached[pair] = found[-1].position.offset + 1 if found else extent.next
            records += found
        self._positions |= reached
        return records


def _appended(db: sqlite3.Connection, extent: Extent, offset: int) -> Millis:
    query = f"SELECT appended FROM records_{extent.id} WHERE offset = ?"
    appended: Millis = db.execute(query, (offset,)).fetchone()[0]
    return appended
