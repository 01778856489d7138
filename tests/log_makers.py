"""Makers and short words for tests that use an EventLog, whichever it is."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep
from typing import Protocol

from streams.ids import Millis
from streams.log import Entry, EventLog, LogRecord, Position, Subscription, Topic
from streams.sqlite_file import FileLimits, LogFile
from streams.sqlite_retention import expire

EVENTS = Topic("test.events", 4)
MARKET = Topic("test.market", 1)
START: Millis = 1_795_284_251_000
SHORT_LEASE_S = 0.6
PATIENCE_S = 30.0
KEYS = [f"c-{number}" for number in range(40)]
"""Enough to fall on every partition."""


@dataclass
class Clock:
    """The log's append clock, set by hand."""

    now: Millis = START

    def __call__(self) -> Millis:
        return self.now


class LogMaker(Protocol):
    """The axes in which the logs of this suite vary."""

    def __call__(
        self, name: str = "log", *, clock: Callable[[], Millis] | None = None, lease_s: float = 10.0
    ) -> EventLog:
        """Open the log of this name, a new one at first; closed after the test."""

    def program(self, name: str = "log") -> str:
        """Python lines that leave the log of this name open in a variable `log`, for another process."""


def entries(keys: Iterable[str], text: str = "") -> list[Entry]:
    return [Entry(key, f"{text}{number}".encode()) for number, key in enumerate(keys)]


def fill(log: EventLog, keys: Iterable[str] = KEYS, *, topic: Topic = EVENTS, text: str = "") -> Sequence[Position]:
    return log.append(topic, entries(keys, text)).result(PATIENCE_S)


def drain(subscription: Subscription, count: int) -> list[LogRecord]:
    """Poll until there are `count` records."""
    records: list[LogRecord] = []
    deadline = monotonic() + PATIENCE_S
    while len(records) < count:
        assert monotonic() < deadline, f"{len(records)} of {count} records after {PATIENCE_S} s"
        records += subscription.poll(1_000, 0.2)
    assert len(records) == count
    return records


def settle(*members: Subscription, topics: Sequence[Topic] = (EVENTS,)) -> None:
    """Poll the members in turn until together they own every partition, each a fair share."""
    pairs = {(topic.name, number) for topic in topics for number in range(topic.partitions)}
    deadline = monotonic() + PATIENCE_S
    while True:
        for member in members:
            assert list(member.poll(1, 0.01)) == []
        owned = [member.assigned() for member in members]
        spread = max(map(len, owned)) - min(map(len, owned))
        if frozenset().union(*owned) == pairs and sum(map(len, owned)) == len(pairs) and spread <= 1:
            return
        assert monotonic() < deadline, f"after {PATIENCE_S} s the members own {owned}"


def after(records: Iterable[LogRecord]) -> dict[tuple[str, int], int]:
    return {(r.position.topic, r.position.partition): r.position.offset + 1 for r in records}


def values(records: Iterable[LogRecord]) -> list[bytes]:
    return [record.value for record in records]


def by_key(records: Iterable[LogRecord]) -> dict[str, list[bytes]]:
    found: dict[str, list[bytes]] = defaultdict(list)
    for record in records:
        found[record.key].append(record.value)
    return found


def everything(log: EventLog, topic: Topic = EVENTS) -> list[LogRecord]:
    """Every record, partition by partition, read outside any group."""
    return [
        record
        for number, end in log.end(topic).items()
        for offset in range(0, end, 500)
        for record in log.read(topic, number, offset, 500)
    ]


def assert_gapless(records: Iterable[LogRecord]) -> None:
    offsets: dict[int, list[int]] = defaultdict(list)
    for record in records:
        offsets[record.position.partition].append(record.position.offset)
    assert offsets == {number: list(range(len(found))) for number, found in offsets.items()}


def settle_by_assignment(member: Subscription) -> None:
    """Wait until the only member owns something, without reading."""
    deadline = monotonic() + PATIENCE_S
    while not member.assigned() and monotonic() < deadline:
        member.poll(0, 0.05)
        sleep(0.01)
    assert member.assigned()


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE_S)


def purge(path: Path, now: Millis) -> None:
    """What the writer's sweep does, at once and for this instant."""
    with closing(LogFile(path, "FULL", FileLimits())) as file:
        while expire(file, now):
            pass
        file.truncate_wal()
