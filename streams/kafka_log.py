"""The EventLog on Kafka: many processes on many hosts.

Reading order: kafka_address (where), kafka_client (settings and errors of every client), kafka_topics (what must be
there), kafka_writer (appends), kafka_records, kafka_reader (outside groups), kafka_subscription (inside them).
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from threading import Lock

from kafka import TopicPartition

from streams.kafka_address import KafkaAddress
from streams.kafka_client import DEFAULT_LIMITS, KafkaLimits, restarted
from streams.kafka_reader import Readers
from streams.kafka_records import log_records
from streams.kafka_subscription import KafkaSubscription
from streams.kafka_topics import admin_client, check, described, incarnation, physical
from streams.kafka_writer import KafkaWriter
from streams.log import CUSTOMERS, MARKET, TOPICS, Entry, LogRecord, Position, Topic

KEPT = (CUSTOMERS, MARKET)
"""Offsets in these are kept by profiles and market snapshots: the log is another once one of them was made anew."""


class KafkaLog:
    """See streams.log.EventLog. Open it after a fork, never before: its clients run threads.

    Its topics must be there (streams.kafka_topics.create). Raises Stop TOPICS_MISSING, LOG_PARTITIONS_DIFFER or
    LOG_NOT_ALLOWED, and Retry LOG_UNAVAILABLE.
    """

    def __init__(
        self,
        address: KafkaAddress,
        namespace: str,
        *,
        topics: Sequence[Topic] = TOPICS,
        kept: Sequence[Topic] = KEPT,
        limits: KafkaLimits = DEFAULT_LIMITS,
    ) -> None:
        self._address = address
        self._namespace = namespace
        self._kept = [physical(topic, namespace) for topic in kept]
        self._limits = limits
        with admin_client(address) as admin:
            states = described(admin, [physical(topic, namespace) for topic in topics])
        check(states, topics, namespace)
        self._epoch = incarnation(states, self._kept)
        self._readers = Readers(address)
        self._members: set[KafkaSubscription] = set()
        self._lock = Lock()
        self._writer = KafkaWriter(address, namespace, self._epoch, limits.delivery_s)

    def epoch(self) -> str:
        return self._epoch

    def append(self, topic: Topic, entries: Sequence[Entry]) -> "Future[Sequence[Position]]":
        return self._writer.submit(topic, entries)

    def subscribe(self, group: str, topics: Sequence[Topic]) -> KafkaSubscription:
        """Raises Stop LOG_PARTITIONS_DIFFER or TOPICS_MISSING, Retry LOG_UNAVAILABLE."""
        names = {physical(topic, self._namespace): topic for topic in topics}
        self._check(names)
        member = KafkaSubscription(
            self._address,
            f"{self._namespace}.{group}",
            names,
            epoch=self._epoch,
            check=lambda: self._check(names),
            limits=self._limits,
        )
        with self._lock:
            self._members.add(member)
        return member

    def read(
        self, topic: Topic, partition: int, offset: int, max_records: int, wait_s: float = 0.0
    ) -> Sequence[LogRecord]:
        with self._readers.of(TopicPartition(physical(topic, self._namespace), partition)) as reader:
            found = reader.read(offset, max_records, wait_s)
        return log_records(found, topic, self._epoch)

    def end(self, topic: Topic) -> Mapping[int, int]:
        name = physical(topic, self._namespace)
        pairs = [TopicPartition(name, number) for number in range(topic.partitions)]
        with self._readers.of(pairs[0]) as reader:
            return reader.ends(pairs)

    def close(self) -> None:
        """Deliver what is queued, then leave the groups that somebody has not left yet. Idempotent."""
        self._writer.close()
        with self._lock:
            members, self._members = self._members, set()
        for member in members:
            member.close()
        self._readers.close()

    def _check(self, names: Mapping[str, Topic]) -> None:
        """Raises LogRestarted if topics were made anew since the log was opened, Retry if nobody answers."""
        with admin_client(self._address) as admin:
            states = described(admin, [*names, *self._kept])
        check(states, list(names.values()), self._namespace)
        found = incarnation(states, self._kept)
        if found != self._epoch:
            raise restarted(f"{' or '.join(self._kept)} was deleted and made again under this process")
