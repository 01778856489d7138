"""One member of a consumer group on Kafka."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from threading import Event
from time import monotonic

from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor
from kafka.errors import (
    CommitFailedError,
    IllegalGenerationError,
    KafkaError,
    KafkaTimeoutError,
    NoOffsetForPartitionError,
    OffsetOutOfRangeError,
    RebalanceInProgressError,
    UnknownMemberIdError,
)
from kafka.structs import MemberState, OffsetAndMetadata

from streams import telemetry
from streams.ids import Millis
from streams.kafka_address import KafkaAddress
from streams.kafka_client import KafkaLimits, kafka_errors, ms, restarted
from streams.kafka_reader import consumer_client
from streams.kafka_records import log_records
from streams.log import LogRecord, Topic

Pair = tuple[str, int]
logger = logging.getLogger("streams.kafka_subscription")
LOST = (CommitFailedError, RebalanceInProgressError, IllegalGenerationError, UnknownMemberIdError)
"""Another member has the partitions by now, or soon."""
JOIN_S = 0.1
"""A poll that joins takes at least so long, so that few joins are completed between two polls."""
LOOK_S = 5.0
"""How often a member asks whether the topics are still the ones it knows, and whether anybody answers at all."""


class KafkaSubscription:
    """See streams.log.Subscription. Owns its client.

    A member owns nothing before a poll has joined the group. A poll that changes what is owned returns nothing, and
    positions begin again at the group's commits: what was polled and not committed comes again, to its owner then.
    """

    def __init__(
        self,
        address: KafkaAddress,
        group: str,
        topics: Mapping[str, Topic],
        *,
        epoch: str,
        check: Callable[[], None],
        limits: KafkaLimits,
    ) -> None:
        """`group` and `topics`: by their names on the cluster. `check` raises LogRestarted once topics are others."""
        self._group = group.partition(".")[2]
        self._answer_ms = ms(address.answer_s)
        self._topics = topics
        self._names = {topic.name: name for name, topic in topics.items()}
        self._epoch = epoch
        self._check = check
        self._check_at = monotonic() + LOOK_S
        self._moved = Event()
        self._positions: dict[Pair, int] = {}
        self._floor: dict[Pair, int] = {}
        """What the group had committed when a partition was gained."""
        with kafka_errors(f"joining {group}"):
            self._client = _member_client(address, group, limits)
            self._client.subscribe(sorted(topics), listener=_Moves(self._moved))

    def poll(self, max_records: int, timeout_s: float) -> Sequence[LogRecord]:
        self._attend()
        if self._positions and not self._joined():
            logger.warning("joining again: too long between two polls", extra={"group": self._group})
            self._positions = {}
        with kafka_errors("polling"):
            try:
                found = self._polled(max_records, timeout_s)
            except NoOffsetForPartitionError:
                found = {}
            except OffsetOutOfRangeError:
                self._skip_forgotten()
                return ()
            if self._moved.is_set():
                self._move(found)
                return ()
        polled: list[LogRecord] = []
        for pair, records in found.items():
            topic = self._topics[pair.topic]
            polled += log_records(records, topic, self._epoch)
            self._positions[topic.name, pair.partition] = records[-1].offset + 1
        return polled

    def commit(self, after: Mapping[Pair, int]) -> None:
        owned = self.assigned()
        offsets = {
            self._pair(pair): OffsetAndMetadata(offset, "", -1)
            for pair, offset in after.items()
            if pair in owned and offset >= self._floor[pair]
        }
        if offsets:
            with kafka_errors("committing"), suppress(*LOST):
                self._client.commit(offsets, timeout_ms=self._answer_ms)

    def positions(self) -> Mapping[Pair, int]:
        return dict(self._positions) if self._joined() else {}

    def rewind(self, to_time: Millis) -> None:
        pairs = {self._pair(pair): pair for pair in self.positions()}
        with kafka_errors("rewinding"):
            found = self._client.offsets_for_times(dict.fromkeys(pairs, max(0, to_time)), timeout_ms=self._answer_ms)
            for pair, at in found.items():
                if at is not None and at.offset < self._positions[pairs[pair]]:
                    self._client.seek(pair, at.offset)
                    self._positions[pairs[pair]] = at.offset

    def assigned(self) -> frozenset[Pair]:
        return frozenset(self.positions())

    def close(self) -> None:
        with suppress(KafkaError):  # the group notices by itself after session_s
            self._client.close(autocommit=False, timeout_ms=self._answer_ms)

    def _polled(self, max_records: int, timeout_s: float) -> Mapping[TopicPartition, Sequence[ConsumerRecord]]:
        """What the client's poll brings. Sees to it that a join is not given up half-way.

        kafka-python 3.0.12 drops the result of a join that is completed between two polls. Joins again by itself only
        if the group asked for it; if the metadata did, it would be no member for ever.
        """
        group = self._client._coordinator
        wait_s = max(timeout_s, JOIN_S) if group.need_rejoin() else timeout_s
        found: Mapping[TopicPartition, Sequence[ConsumerRecord]] = self._client.poll(
            timeout_ms=ms(wait_s), max_records=max_records
        )
        if not self._joined() and not group.need_rejoin():
            group.request_rejoin()
        return found

    def _joined(self) -> bool:
        return self._client.group_metadata().state is MemberState.STABLE

    def _pair(self, pair: Pair) -> TopicPartition:
        return TopicPartition(self._names[pair[0]], pair[1])

    def _attend(self) -> None:
        """Now and then, and before a poll so that nothing polled is lost by it. Raises Retry, LogRestarted."""
        if monotonic() >= self._check_at:
            self._check()
            self._check_at = monotonic() + LOOK_S

    def _move(self, found: Mapping[TopicPartition, Sequence[ConsumerRecord]]) -> None:
        """Give back what came with a rebalance and, once that is over, know where to read what is owned now."""
        self._positions = {}
        for pair, records in found.items():
            self._client.seek(pair, records[0].offset)
        if not self._joined():
            return
        self._check()
        positions = self._found(sorted(self._client.assignment()))
        self._refuse_beyond(positions)
        self._moved.clear()
        telemetry.REBALANCES.labels(self._group).inc()
        logger.info("partitions given", extra={"group": self._group, "count": len(positions)})
        self._positions = {(self._topics[pair.topic].name, pair.partition): at for pair, at in positions.items()}
        self._floor = dict(self._positions)

    def _found(self, pairs: Sequence[TopicPartition]) -> Mapping[TopicPartition, int]:
        """The group's commits; where there is none yet, the first record there is."""
        while True:
            try:
                found = {pair: self._client.position(pair, timeout_ms=self._answer_ms) for pair in pairs}
                if None in found.values():
                    raise KafkaTimeoutError("the group's coordinator does not say what was committed")
                return found
            except NoOffsetForPartitionError as error:
                fresh = sorted(error.args[0])
                for pair, first in self._client.beginning_offsets(fresh, timeout_ms=self._answer_ms).items():
                    self._client.seek(pair, first)

    def _refuse_beyond(self, positions: Mapping[TopicPartition, int]) -> None:
        ends = self._client.end_offsets(list(positions), timeout_ms=self._answer_ms) if positions else {}
        for pair, at in positions.items():
            if at > ends[pair]:
                raise restarted(f"{pair.topic} partition {pair.partition} ends at {ends[pair]}, before {at}")

    def _skip_forgotten(self) -> None:
        """Read on from the first record there is, where retention has passed the position."""
        pairs = {self._pair(pair): pair for pair in self._positions}
        self._refuse_beyond({pair: self._positions[logical] for pair, logical in pairs.items()})
        for pair, first in self._client.beginning_offsets(list(pairs), timeout_ms=self._answer_ms).items():
            if self._positions[pairs[pair]] < first:
                self._client.seek(pair, first)
                self._positions[pairs[pair]] = first


class _Moves(ConsumerRebalanceListener):  # type: ignore[misc]  # kafka-python has no types
    """Notes that partitions were gained or lost."""

    def __init__(self, moved: Event) -> None:
        self._moved = moved

    def on_partitions_revoked(self, revoked: object) -> None:
        self._moved.set()

    def on_partitions_assigned(self, assigned: object) -> None:
        self._moved.set()


def _member_client(address: KafkaAddress, group: str, limits: KafkaLimits) -> KafkaConsumer:
    return consumer_client(
        address,
        f"offing-{group}",
        group_id=group,
        partition_assignment_strategy=[StickyPartitionAssignor],  # what moves is read again: 30 s of log each
        session_timeout_ms=ms(limits.session_s),
        heartbeat_interval_ms=ms(min(1.0, limits.session_s / 3)),
        max_poll_interval_ms=ms(limits.poll_s),
    )
