"""The one thread of a process that appends to Kafka: an idempotent producer, every append acknowledged by all replicas.

No transactions: one that hangs, because its process was killed, hides what others append behind it until it times
out, and the market must not stand still for that. An append that failed is repeated by its caller, and may so be there
twice.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from time import monotonic

from kafka import KafkaProducer
from kafka.errors import KafkaError, RetriableError
from kafka.producer.future import FutureRecordMetadata

from streams.errors import InvalidInput, OffingError, Retry
from streams.ids import Millis
from streams.kafka_address import KafkaAddress
from streams.kafka_client import AFTER_S, kafka_errors, made, ms, options, translated
from streams.kafka_records import headers
from streams.kafka_topics import physical
from streams.log import Entry, Position, Topic, partition_of

BATCH_BYTES = 128 << 10
"""Of one partition, before compression: zstd at 128 KiB costs less per record than at 16."""
LARGEST = 1_040_000
"""Bytes of a key and its value: what a broker takes by default (message.max.bytes), less the envelope."""
MOST_WAITING = 100_000
"""Entries on their way, per process: beyond that appends fail at once, for memory is bounded and so is patience."""
LOOK_S = 0.5
LAST_MS: Millis = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Append:
    """One call's entries, on their way to the log."""

    topic: Topic
    entries: Sequence[Entry]
    future: "Future[Sequence[Position]]"


class KafkaWriter:
    """Owns its producer, made with the first append. `submit` may be called from any thread and never blocks."""

    def __init__(self, address: KafkaAddress, namespace: str, epoch: str, delivery_s: float) -> None:
        self._address = address
        self._namespace = namespace
        self._epoch = epoch
        self._delivery_s = delivery_s
        self._queue: SimpleQueue[Append | None] = SimpleQueue()
        self._gate = Lock()
        self._open = True
        self._waiting: dict[int, tuple[Append, float]] = {}
        """By id: what is queued or on its way, and until when that is waited for."""
        self._entries = 0
        self._away_until = 0.0
        self._producer: KafkaProducer | None = None
        self._broken = False
        self._thread = Thread(target=self._run, name="offing-log-writer", daemon=True)
        self._thread.start()

    def submit(self, topic: Topic, entries: Sequence[Entry]) -> "Future[Sequence[Position]]":
        """Queue the entries; see EventLog.append. Raises InvalidInput TIME_INVALID, ENTRY_TOO_LARGE."""
        for entry in entries:
            _check(entry)
        append = Append(topic, entries, Future())
        append.future.set_running_or_notify_cancel()  # what is on its way cannot be called back
        with self._gate:
            if not self._open:
                refusal = Retry("LOG_UNAVAILABLE", "the log is closed; open it again", after_s=AFTER_S)
            elif self._entries > MOST_WAITING:
                message = f"{self._entries} entries wait for Kafka, more than {MOST_WAITING}; is a broker away?"
                refusal = Retry("LOG_UNAVAILABLE", message, after_s=AFTER_S)
            else:
                self._entries += len(entries)
                self._waiting[id(append)] = (append, monotonic() + self._delivery_s + LOOK_S)
                self._queue.put(append)
                return append.future
        append.future.set_exception(refusal)
        return append.future

    def close(self) -> None:
        """Deliver what is queued, or give up on it after delivery_s, then stop. Idempotent."""
        with self._gate:
            if self._open:
                self._open = False
                self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            try:
                append = self._queue.get(timeout=LOOK_S)
            except Empty:
                self._give_up(monotonic())
                continue
            if append is None:
                break
            self._attempt(append)
            self._give_up(monotonic())
        self._let_go(self._delivery_s + self._address.answer_s)
        self._give_up(float("inf"))

    def _attempt(self, append: Append) -> None:
        """Whoever comes while Kafka is away is told so at once, not each after a time-out of its own."""
        if monotonic() < self._away_until:
            self._fail(append, Retry("LOG_UNAVAILABLE", "Kafka was away a moment ago", after_s=AFTER_S))
            return
        try:
            self._send(append)
        except OffingError as error:
            self._away_until = monotonic() + AFTER_S
            self._fail(append, error)
        except ValueError as error:  # the producer's word for a topic that has gone or has fewer partitions
            self._fail(append, Retry("LOG_UNAVAILABLE", f"Kafka, while appending: {error}", after_s=AFTER_S))

    def _give_up(self, now: float) -> None:
        """A producer that asks for a new id of its own, from a Kafka that is away, forgets to time out what it has

        (kafka-python 3.0.12): so this side looks at the clock too. Such a producer is not used again."""
        with self._gate:
            late = [append for append, until in self._waiting.values() if until < now]
        for append in late:
            self._broken = True
            message = f"Kafka did not acknowledge within {self._delivery_s:.0f} s"
            self._fail(append, Retry("LOG_UNAVAILABLE", message, after_s=AFTER_S))

    def _send(self, append: Append) -> None:
        name = physical(append.topic, self._namespace)
        with kafka_errors("appending"):
            producer = self._ready(name)
            sent = [
                producer.send(
                    name,
                    key=entry.key.encode(),
                    value=entry.value,
                    partition=partition_of(entry.key, append.topic),
                    headers=headers(entry),
                )
                for entry in append.entries
            ]
        self._settle(append, sent)

    def _ready(self, name: str) -> KafkaProducer:
        """The producer, which knows this topic; a new one after an error that the last one does not survive."""
        if self._broken:
            self._let_go(AFTER_S)
        if self._producer is None:
            answer_ms = ms(min(self._address.answer_s, self._delivery_s))
            self._producer = made(
                KafkaProducer,
                **{**options(self._address, "offing-writer"), "request_timeout_ms": answer_ms},
                acks="all",
                enable_idempotence=True,
                delivery_timeout_ms=ms(self._delivery_s),
                max_block_ms=answer_ms,
                batch_size=BATCH_BYTES,
                compression_type="zstd",
                allow_auto_create_topics=False,
                metrics_enabled=False,
            )
        self._producer.partitions_for(name)
        return self._producer

    def _let_go(self, timeout_s: float) -> None:
        producer, self._producer, self._broken = self._producer, None, False
        if producer is not None:
            with suppress(KafkaError):  # some of it could not be delivered in time, and its senders know
                producer.close(timeout=timeout_s)

    def _settle(self, append: Append, sent: Sequence[FutureRecordMetadata]) -> None:
        """Resolve once all are acknowledged or given up; called again, by the producer's thread, as they are."""
        for future in reversed(sent):  # the last is usually the last to be acknowledged
            if not future.is_done:
                future.add_both(lambda _: self._settle(append, sent))
                return
        failed = next((future.exception for future in sent if future.exception is not None), None)
        if failed is not None:
            self._broken |= not isinstance(failed, RetriableError)
            self._fail(append, translated(failed, "appending"))
        elif any(future.value.offset < 0 for future in sent):
            message = "Kafka has these entries but does not say where; append them again"
            self._fail(append, Retry("LOG_UNAVAILABLE", message, after_s=AFTER_S))
        else:
            name, epoch = append.topic.name, self._epoch
            if self._done(append):
                append.future.set_result(
                    [Position(epoch, name, future.value.partition, future.value.offset) for future in sent]
                )

    def _fail(self, append: Append, error: OffingError) -> None:
        if self._done(append):
            append.future.set_exception(error)

    def _done(self, append: Append) -> bool:
        """Whether nobody was told before how it went."""
        with self._gate:
            waited = self._waiting.pop(id(append), None) is not None
            if waited:
                self._entries -= len(append.entries)
            return waited


def _check(entry: Entry) -> None:
    if entry.recorded is not None and not -LAST_MS <= entry.recorded <= LAST_MS:
        raise InvalidInput("TIME_INVALID", f"recorded is {entry.recorded} ms; expected at most {LAST_MS}")
    if len(entry.value) + len(entry.key) > LARGEST:
        message = f"an entry's value has {len(entry.value)} bytes; expected at most {LARGEST} with its key"
        raise InvalidInput("ENTRY_TOO_LARGE", message)
