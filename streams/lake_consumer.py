"""LakeConsumer: decisions and offer events from the log into the lake, a few seconds behind; write, then commit.

A flush leaves a file per part; once a day is over its files are made few.
"""

import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import monotonic

import msgspec

from streams import telemetry
from streams.consumer import Consumer, Intake, Offsets, following
from streams.dead_letters import IN_A_ROW, DeadLetter, DeadLetters
from streams.errors import InvalidInput, Retry
from streams.events import Outcome, parse
from streams.ids import Millis
from streams.instant import DAY_MS, moment
from streams.lake import Lake
from streams.lake_rows import BUCKETS, LoggedOutcome, Part, outcome_of, part_of, time_of
from streams.log import CUSTOMERS, DECISIONS, EventLog, LogRecord, Position
from streams.record import DecisionRecord, decode

INTAKE = Intake("lake", (DECISIONS, CUSTOMERS))
logger = logging.getLogger("streams.lake_consumer")


@dataclass(frozen=True, slots=True)
class Flush:
    """When files are written: after this many rows or seconds, whichever comes first."""

    rows: int = 5_000
    after_s: float = 5.0
    clock: Callable[[], float] = monotonic


Row = tuple[DecisionRecord, bytes] | LoggedOutcome


class LakeConsumer(Consumer):
    """Nothing is committed before it is in a file; a crash in between writes rows twice, which readers undo.

    Raises Stop: DeadLetterLimit.
    """

    def __init__(
        self, log: EventLog, lake: Lake, *, flush: Flush = Flush(), intake: Intake = INTAKE, in_a_row: int = IN_A_ROW
    ) -> None:
        super().__init__(log, intake)
        self._lake = lake
        self._flush = flush
        self._dead = DeadLetters(log, in_a_row)
        self._held: dict[Position, Row] = {}
        self._reached: dict[tuple[str, int], int] = {}
        """What may be committed once everything held is in files."""
        self._since: float | None = None
        self._newest: Millis = 0
        """The day of the newest decision written, in days since 1970."""
        self._many_files: deque[Part] = deque()

    def take(self, records: Sequence[LogRecord], before: Offsets) -> Offsets:
        """Hold the batch, and write what is held if it is time. Called again with the same batch it holds it once."""
        now = self._flush.clock()
        if records:
            self._hold(records)
            self._since = now if self._since is None else self._since
        due = self._since is not None and now - self._since >= self._flush.after_s
        return self.finish() if due or len(self._held) >= self._flush.rows else {}

    def finish(self) -> Offsets:
        """Write what is held. Raises Retry LAKE_UNAVAILABLE, and everything is still held."""
        decisions = [row for row in self._held.values() if isinstance(row, tuple)]
        outcomes = [row for row in self._held.values() if isinstance(row, LoggedOutcome)]
        try:
            with telemetry.LAKE_SECONDS.time():
                self._lake.append_decisions(decisions)
                self._lake.append_outcomes(outcomes)
        except OSError as error:
            message = f"{self._lake.folder} cannot be written: {error}; make room or mend the folder's permissions"
            raise Retry("LAKE_UNAVAILABLE", message) from error
        telemetry.LAKE_ROWS.labels("decisions").inc(len(decisions))
        telemetry.LAKE_ROWS.labels("outcomes").inc(len(outcomes))
        done, self._held, self._reached, self._since = self._reached, {}, {}, None
        self._compact(decisions)
        return done

    def _compact(self, decisions: Sequence[tuple[DecisionRecord, bytes]]) -> None:
        """Once a day of decisions (not of this host's clock, so simulated ones too) the two days before it; a bucket

        each time files are written, so that no flush waits long.
        """
        newest = max((time_of(record.inputs.decision_id) // DAY_MS for record, _ in decisions), default=0)
        if newest > self._newest:
            self._newest = newest
            days = [moment((newest - ago) * DAY_MS).date().isoformat() for ago in (1, 2)]
            self._many_files = deque(Part(day, number) for day in days for number in range(BUCKETS))
        if not self._many_files:
            return
        part = self._many_files.popleft()
        try:
            self._lake.compact_part(part)
        except OSError:  # its files stay as they are, and nothing but their number is wrong with that
            logger.warning("a day of the lake is not compacted", extra={"path": str(self._lake.folder)}, exc_info=True)

    def _hold(self, records: Sequence[LogRecord]) -> None:
        letters = []
        for record in records:
            row = _row(record)
            if isinstance(row, DeadLetter):
                letters.append(row)
            elif row is not None:
                self._held[record.position] = row
        self._dead.report(records, letters)
        self._reached |= following(records)


def _row(record: LogRecord) -> Row | DeadLetter | None:
    """What the lake keeps of a record; None: nothing, it is about a customer and not an offer."""
    try:
        return _decision(record) if record.position.topic == DECISIONS.name else _outcome(record)
    except msgspec.DecodeError as error:  # of which msgspec.ValidationError is one
        return DeadLetter(record, "DECISION_MALFORMED", str(error))
    except InvalidInput as error:
        return DeadLetter(record, error.code, error.message)


def _decision(record: LogRecord) -> Row:
    decision = decode(record.value)
    part_of(decision.inputs.decision_id, decision.inputs.request.customer_id)
    return decision, record.value


def _outcome(record: LogRecord) -> Row | DeadLetter | None:
    if b'"offer.' not in record.value:
        return None
    try:
        event = parse(record.value)
    except InvalidInput:
        return None  # the profile consumer reads this topic too, and has written the dead letter
    if not (event.type.startswith("offer.") and isinstance(event.data, Outcome) and event.data.decision_id):
        return None
    try:
        return outcome_of(event, record.recorded)
    except InvalidInput as error:
        return DeadLetter(record, error.code, error.message, was_read=True)
