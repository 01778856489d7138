"""Reading a partition outside any group: one consumer client per partition read, kept for whoever reads on there."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import Lock
from time import monotonic

from kafka import KafkaConsumer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord
from kafka.errors import KafkaError, OffsetOutOfRangeError

from streams.errors import OffingError, Retry
from streams.kafka_address import KafkaAddress
from streams.kafka_client import AFTER_S, kafka_errors, made, ms, options, restarted
from streams.kafka_records import FETCH_BYTES

LINGER_MS = 100
"""A fetch that finds nothing comes back after this; nobody else may use its client before."""
MOST_IDLE = 8


class Reader:
    """A client that reads one partition. Not thread-safe."""

    def __init__(self, address: KafkaAddress, pair: TopicPartition) -> None:
        self.pair = pair
        self._answer_s = address.answer_s
        self._next = 0
        self._client = consumer_client(address, "offing-reader")
        self._client.assign([pair])
        self._client.seek(pair, 0)

    def read(self, offset: int, max_records: int, wait_s: float) -> Sequence[ConsumerRecord]:
        """See EventLog.read. Raises Retry, LogRestarted."""
        deadline = monotonic() + max(wait_s, self._answer_s)
        if offset != self._next:
            self._seek(offset)
        records = self._poll(max_records, wait_s)
        while not records:
            end = self.ends([self.pair])[self.pair.partition]
            if self._next > end:
                raise restarted(f"{self.pair.topic} partition {self.pair.partition} ends at {end}, before {self._next}")
            if self._next == end:
                return ()
            if monotonic() > deadline:
                message = f"Kafka does not bring {self.pair.topic} from offset {self._next} on; its end is {end}"
                raise Retry("LOG_UNAVAILABLE", message, after_s=AFTER_S)
            records = self._poll(max_records, self._answer_s)
        self._next = records[-1].offset + 1
        return records

    def ends(self, pairs: Sequence[TopicPartition]) -> Mapping[int, int]:
        """Partition -> the offset the next record will get."""
        ends = self._client.end_offsets(pairs, timeout_ms=ms(self._answer_s))
        return {pair.partition: end for pair, end in ends.items()}

    def close(self) -> None:
        """Let go of the connections."""
        self._client.close(autocommit=False, timeout_ms=ms(self._answer_s))

    def _poll(self, max_records: int, wait_s: float) -> Sequence[ConsumerRecord]:
        try:
            found = self._client.poll(timeout_ms=ms(wait_s), max_records=max_records)
        except OffsetOutOfRangeError:
            first: int = self._client.beginning_offsets([self.pair], timeout_ms=ms(self._answer_s))[self.pair]
            if self._next < first:  # its retention has passed
                self._seek(first)
            return ()
        records: Sequence[ConsumerRecord] = found.get(self.pair, ())
        return records

    def _seek(self, offset: int) -> None:
        self._client.seek(self.pair, offset)
        self._next = offset


class Readers:
    """Thread-safe: two threads that read one partition use two clients."""

    def __init__(self, address: KafkaAddress) -> None:
        self._address = address
        self._idle: list[Reader] = []
        self._lock = Lock()
        self._open = True

    @contextmanager
    def of(self, pair: TopicPartition) -> Iterator[Reader]:
        """A reader of this partition, for the length of a block. Raises Retry LOG_UNAVAILABLE."""
        with kafka_errors(f"reading {pair.topic}"):
            reader = self._taken(pair) or Reader(self._address, pair)
            try:
                yield reader
            except (KafkaError, OffingError):  # where it stands now nobody knows
                _close(reader)
                raise
            self._give_back(reader)

    def close(self) -> None:
        """Close every client; those in use when they come back. Idempotent."""
        with self._lock:
            self._open = False
            idle, self._idle = self._idle, []
        for reader in idle:
            _close(reader)

    def _taken(self, pair: TopicPartition) -> Reader | None:
        with self._lock:
            if not self._open:
                raise Retry("LOG_UNAVAILABLE", "the log is closed; open it again", after_s=AFTER_S)
            for reader in reversed(self._idle):
                if reader.pair == pair:
                    self._idle.remove(reader)
                    return reader
        return None

    def _give_back(self, reader: Reader) -> None:
        with self._lock:
            self._idle.append(reader)
            surplus = self._idle.pop(0) if len(self._idle) > MOST_IDLE or not self._open else None
        if surplus is not None:
            _close(surplus)


def consumer_client(address: KafkaAddress, name: str, **more: object) -> KafkaConsumer:
    """A consumer client that never decides by itself where to read: a lost position is an error, not a guess."""
    settings = {
        **options(address, name),
        "enable_auto_commit": False,
        "auto_offset_reset": "none",
        "allow_auto_create_topics": False,
        "fetch_max_wait_ms": LINGER_MS,
        "max_partition_fetch_bytes": FETCH_BYTES,
        "metrics_enabled": False,
    }
    return made(KafkaConsumer, **settings | more)


def _close(reader: Reader) -> None:
    with suppress(KafkaError):
        reader.close()
