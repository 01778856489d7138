"""Entries of the log as records of Kafka, and back."""

from collections.abc import Iterable, Sequence

from kafka.consumer.fetcher import ConsumerRecord

from streams.ids import Millis
from streams.log import Entry, LogRecord, Position, Topic

RECORDED = "recorded"
"""The header with the door's clock, 8 bytes, big-endian; without it a record was recorded when it was appended."""
FETCH_BYTES = 1 << 20
"""Of one partition in one answer, compressed as it is stored; a larger record comes alone."""


def headers(entry: Entry) -> list[tuple[str, bytes]]:
    """What of an entry is neither its key nor its value."""
    return [] if entry.recorded is None else [(RECORDED, entry.recorded.to_bytes(8, "big", signed=True))]


def log_records(found: Iterable[ConsumerRecord], topic: Topic, epoch: str) -> Sequence[LogRecord]:
    """In the order given. What others wrote there may lack a key or a value: those are empty."""
    return [
        LogRecord(
            Position(epoch, topic.name, record.partition, record.offset),
            record.key.decode(errors="replace") if record.key else "",
            bytes(record.value or b""),
            _recorded(record),
        )
        for record in found
    ]


def _recorded(record: ConsumerRecord) -> Millis:
    for name, value in record.headers:
        if name == RECORDED and value is not None and len(value) == 8:
            return int.from_bytes(value, "big", signed=True)
    appended: Millis = record.timestamp
    return appended
