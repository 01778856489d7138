"""EventLog: the one port of Offing written by hand. Two implementations: SQLite (embedded) and Kafka (real)."""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import msgspec

from streams.bucket import tag
from streams.ids import Millis


@dataclass(frozen=True, slots=True)
class Topic:
    """A named stream. `partitions` is fixed for the life of a namespace; `retention_ms` None keeps for ever."""

    name: str
    partitions: int
    retention_ms: int | None = None


CUSTOMERS = Topic("offing.customers", 8)
LOCATIONS = Topic("offing.locations", 8, 15 * 60_000)
MARKET = Topic("offing.market", 1)
DECISIONS = Topic("offing.decisions", 8)
TRIGGERS = Topic("offing.triggers", 8)
DEADLETTERS = Topic("offing.deadletters", 1)
TOPICS = (CUSTOMERS, LOCATIONS, MARKET, DECISIONS, TRIGGERS, DEADLETTERS)


def topic_of(event_type: str) -> Topic:
    """Which stream an event belongs to."""
    if event_type == "customer.location":
        return LOCATIONS
    return CUSTOMERS if event_type.startswith(("customer.", "offer.")) else MARKET


class Position(msgspec.Struct, frozen=True, gc=False):
    """The address of one record. Offsets start at 0 and are comparable within (epoch, topic, partition) only."""

    epoch: str
    """The log's incarnation: a new or emptied log has a new one."""
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Entry:
    """What is appended. `recorded` is the door's clock in ms, None: the log's own append time."""

    key: str
    value: bytes
    recorded: Millis | None = None


class LogRecord(msgspec.Struct, frozen=True, gc=False):
    """What is polled: thousands at a time, so it is of the kind that is made in a quarter of a dataclass's time."""

    position: Position
    key: str
    value: bytes
    recorded: Millis


def partition_of(key: str, topic: Topic) -> int:
    """The partition of a key: stable across processes, machines and implementations."""
    return tag((key,), 8) % topic.partitions


class Subscription(Protocol):
    """One member of a consumer group. Not thread-safe: one thread owns it. Close it to give its partitions back."""

    def poll(self, max_records: int, timeout_s: float) -> Sequence[LogRecord]:
        """Records in offset order within each partition, after the last polled (at first: after the last commit).

        Blocks up to `timeout_s` if there is nothing. Empty when it gained or lost partitions, so that a caller sees
        `positions` before it is given what lies there. Raises Retry, LogRestarted.
        """

    def commit(self, after: Mapping[tuple[str, int], int]) -> None:
        """Commit (topic, partition) -> next offset to read, after the work. A lost partition is skipped silently:

        its new owner does the work again, which the watermarks make harmless. Raises Retry.
        """

    def positions(self) -> Mapping[tuple[str, int], int]:
        """(topic, partition) owned now -> the offset from which the next poll reads on."""

    def rewind(self, to_time: Millis) -> None:
        """Read again from the first record appended at or after this instant of the log's own append clock."""

    def assigned(self) -> frozenset[tuple[str, int]]:
        """The (topic, partition) pairs this member owns now."""

    def close(self) -> None:
        """Leave the group; uncommitted records go to the next owner."""


class EventLog(Protocol):
    """Ordered, durable, partitioned. Thread-safe."""

    def epoch(self) -> str:
        """The log's incarnation."""

    def append(self, topic: Topic, entries: Sequence[Entry]) -> "Future[Sequence[Position]]":
        """In order per key. The future resolves once every entry is durable, and holds their positions in this order.

        It raises Retry (LOG_UNAVAILABLE) if that is not known. SQLite then has none of them. Kafka may have some, or
        all with their acknowledgement lost; so a caller appends the same entries again, and whoever reads the log
        counts an event's id once. Raises InvalidInput at once: TIME_INVALID, and on Kafka ENTRY_TOO_LARGE.
        """

    def subscribe(self, group: str, topics: Sequence[Topic]) -> Subscription:
        """Join a consumer group; partitions are shared out among its live members."""

    def read(
        self, topic: Topic, partition: int, offset: int, max_records: int, wait_s: float = 0.0
    ) -> Sequence[LogRecord]:
        """Records from `offset` on, outside any group (market tail, rebuilds); perhaps fewer than there are.

        Empty only at the end, after waiting up to `wait_s` for one. Raises Retry. Beyond the end SQLite finds nothing
        and Kafka raises LogRestarted.
        """

    def end(self, topic: Topic) -> Mapping[int, int]:
        """Partition -> the offset the next record will get."""

    def close(self) -> None:
        """Finish what is queued, then stop. Idempotent."""
