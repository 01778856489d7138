"""Dead letters: records a consumer cannot use go to offing.deadletters with their address.

Too many that cannot be read stop it: then this deploy is at fault. What was read and is refused for what it says is its
sender's doing, and no sender may stop the consumers of all customers.
"""

import json
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from streams import telemetry
from streams.errors import DeadLetterLimit, InvalidInput
from streams.events import Event, parse
from streams.log import DEADLETTERS, LOCATIONS, Entry, EventLog, LogRecord, Position, Topic, topic_of

IN_A_ROW = 100
LOOKED_AT = 1_000
SHARE = 0.5
"""More than half of the last 1,000 records: a deploy that cannot read them, not senders that cannot write them. Of ten
times IN_A_ROW if that was raised: who allows a longer row must be let through it."""
PAYLOAD_LIMIT = 4_000
APPEND_S = 30.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that cannot be used, and why: `code` is stable, `reason` is for a person.

    `was_read`: refused for what it says, so it does not count towards the limit.
    """

    record: LogRecord
    code: str
    reason: str
    was_read: bool = False


def parsed(record: LogRecord, topic: Topic) -> "Event | DeadLetter":
    """A record of `topic` as its event, or why it is none: unreadable, on the wrong topic, or not under its subject."""
    try:
        event = parse(record.value)
    except InvalidInput as error:
        return DeadLetter(record, error.code, error.message)
    if topic_of(event.type) is not topic:
        return DeadLetter(record, "EVENT_MISPLACED", f"{event.type} does not belong on {topic.name}")
    if topic.partitions > 1 and event.subject != record.key:
        return DeadLetter(record, "EVENT_MISPLACED", f"an event must lie under its subject, not under {record.key!r}")
    return event


class DeadLetters:
    """One consumer's. Not thread-safe."""

    def __init__(self, log: EventLog, in_a_row: int = IN_A_ROW) -> None:
        self._log = log
        self._most = in_a_row
        self._row = 0
        self._looked_at = max(LOOKED_AT, 10 * in_a_row)
        self._recent: deque[bool] = deque(maxlen=self._looked_at)
        self._reported: tuple[Position, Position] | None = None

    def report(self, records: Sequence[LogRecord], letters: Sequence[DeadLetter]) -> None:
        """Append the letters of this batch durably, before it is committed; once, if the batch is tried again.

        Raises DeadLetterLimit, and then none was appended: the batch is not committed either and comes again once the
        cause is mended. Raises Retry.
        """
        span = (records[0].position, records[-1].position) if records else None
        if span == self._reported:
            return
        bad = {letter.record.position for letter in letters if not letter.was_read}
        unread = [record.position in bad for record in records] if bad else [False] * len(records)
        row = self._judge(records, unread)
        if letters:
            self._log.append(DEADLETTERS, [entry(letter) for letter in letters]).result(APPEND_S)
        for letter in letters:
            telemetry.DEAD_LETTERS.labels(letter.record.position.topic, letter.code).inc()
        self._row, self._reported = row, span
        self._recent.extend(unread)

    def _judge(self, records: Sequence[LogRecord], unread: Sequence[bool]) -> int:
        """The row of bad ones at the end of the batch."""
        if not any(unread):
            return 0 if records else self._row
        row = self._row
        recent = deque(self._recent, maxlen=self._looked_at)
        for record, is_bad in zip(records, unread, strict=True):
            row = row + 1 if is_bad else 0
            recent.append(row > 0)
            if row > self._most:
                raise self._stop(record.position, f"{row} records in a row")
        if len(recent) == self._looked_at and sum(recent) > SHARE * self._looked_at:
            raise self._stop(records[-1].position, f"{sum(recent)} of the last {self._looked_at} records")
        return row

    def _stop(self, at: Position, found: str) -> DeadLetterLimit:
        message = (
            f"{found} of {at.topic} could not be read, up to partition {at.partition} offset {at.offset}; the rest was "
            "left alone. Mend the deploy that cannot read them, or raise OFFING_DEAD_LETTERS_IN_A_ROW if they are bad"
        )
        return DeadLetterLimit("DEAD_LETTER_LIMIT", message)


def entry(letter: DeadLetter) -> Entry:
    """Address and reason; the payload only where it cannot be a place. Nothing of a location is repeated, not even

    what the reason says of it.
    """
    record, position = letter.record, letter.record.position
    line: dict[str, str | int] = {
        "v": 1,
        "epoch": position.epoch,
        "topic": position.topic,
        "partition": position.partition,
        "offset": position.offset,
        "recorded": record.recorded,
        "code": letter.code,
    }
    if not may_hold_a_place(record):
        line["reason"] = letter.reason
        line["payload"] = record.value[:PAYLOAD_LIMIT].decode(errors="replace")
    return Entry(f"{position.topic}/{position.partition}", json.dumps(line, ensure_ascii=False).encode())


def may_hold_a_place(record: LogRecord) -> bool:
    """Whether a raw coordinate could be in there: a location, or something that looks like one on the wrong topic."""
    text = record.value.lower()
    return record.position.topic == LOCATIONS.name or any(sign in text for sign in _SIGNS)


def read(value: bytes) -> Mapping[str, str | int]:
    """A dead letter's line."""
    line: dict[str, str | int] = json.loads(value)
    return line


_SIGNS = (b'"lat', b'"lon', b'"lng', b"location", b"coordinate", b"\\u")
