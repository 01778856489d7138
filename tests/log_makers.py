"""Makers and short words for tests that use an EventLog, whichever it is."""

import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from time import monotonic
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

    def __call__(self, name: str = "log", *, lease_s: float = 10.0, largest: int | None = None) -> EventLog:
        """Open the log of this name, a new one at first; closed after the test.

        `lease_s`: a member that does not poll is replaced after this. `largest`: the log refuses values much larger.
        """

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
    """Poll the members at the same time until together they own every partition, each a fair share."""
    pairs = {(topic.name, number) for topic in topics for number in range(topic.partitions)}
    deadline = monotonic() + PATIENCE_S
    while True:
        with ThreadPoolExecutor(len(members)) as threads:
            assert [list(found) for found in threads.map(_polled, members)] == [[]] * len(members)
        owned = [member.assigned() for member in members]
        spread = max(map(len, owned)) - min(map(len, owned))
        if frozenset().union(*owned) == pairs and sum(map(len, owned)) == len(pairs) and spread <= 1:
            return
        assert monotonic() < deadline, f"after {PATIENCE_S} s the members own {owned}"


def _polled(member: Subscription) -> Sequence[LogRecord]:
    return member.poll(1, 0.05)


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
    found: list[LogRecord] = []
    for number in log.end(topic):
        offset = 0
        while records := log.read(topic, number, offset, 500):
            found += records
            offset = records[-1].position.offset + 1
    return found


def assert_gapless(records: Iterable[LogRecord]) -> None:
    offsets: dict[int, list[int]] = defaultdict(list)
    for record in records:
        offsets[record.position.partition].append(record.position.offset)
    assert offsets == {number: list(range(len(found))) for number, found in offsets.items()}


def settle_by_assignment(member: Subscription) -> None:
    """Wait until the only member owns something; the poll that brings it there reads nothing."""
    deadline = monotonic() + PATIENCE_S
    while not member.assigned() and monotonic() < deadline:
        assert list(member.poll(1, 0.05)) == []
    assert member.assigned()


def run(program: str) -> None:
    subprocess.run([sys.executable, "-c", program], check=True, timeout=PATIENCE_S)


def appended_until_killed(make_log: LogMaker) -> tuple[int, Counter[int]]:
    """(the last turn that a process had acknowledged before it was killed, turn -> how many of its 3 entries are there)

    Each turn is one append to several partitions.
    """
    body = """
        from streams.log import Entry, Topic
        futures = []
        for turn in range(100_000):
            batch = [Entry(f"c-{turn}-{part}", b"%d" % turn) for part in range(3)]
            futures.append(log.append(Topic("test.events", 4), batch))
            if turn % 10 == 9:
                for future in futures:
                    future.result()
                futures = []
                print(turn, flush=True)
    """
    child = subprocess.Popen(
        [sys.executable, "-c", make_log.program() + dedent(body)], stdout=subprocess.PIPE, text=True
    )
    assert child.stdout is not None
    with child.stdout as told:
        acknowledged = [int(told.readline()) for _ in range(20)]
        child.kill()
        acknowledged += [int(line) for line in told if line.endswith("\n")]
    child.wait(PATIENCE_S)
    assert acknowledged[-1] >= 199
    return acknowledged[-1], Counter(int(value) for value in values(everything(make_log())))


def purge(path: Path, now: Millis) -> None:
    """What the writer's sweep does, at once and for this instant."""
    with closing(LogFile(path, "FULL", FileLimits())) as file:
        while expire(file, now):
            pass
        file.truncate_wal()
