"""MarketConsumer: folds offing.market and writes snapshots with their offset, from which API workers start to tail."""

from collections.abc import Callable, Sequence
from time import monotonic

from streams import telemetry
from streams.consumer import Consumer, Intake, Offsets
from streams.dead_letters import IN_A_ROW, DeadLetter, DeadLetters, parsed
from streams.events import Event
from streams.log import MARKET, EventLog, LogRecord
from streams.market import EMPTY, Market, fold
from streams.market_store import MarketStore, check_end

GROUP = "market"
INTAKE = Intake(GROUP, (MARKET,))
PAIR = (MARKET.name, 0)
EVERY_S = 1.0
"""A snapshot only spares its readers a piece of log, so one a second is plenty."""


class MarketConsumer(Consumer):
    """The one writer of snapshots. Commits what a stored snapshot holds. Raises Stop: LogRestarted, DeadLetterLimit."""

    def __init__(
        self,
        log: EventLog,
        store: MarketStore,
        *,
        intake: Intake = INTAKE,
        in_a_row: int = IN_A_ROW,
        every_s: float = EVERY_S,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        super().__init__(log, intake)
        self._store = store
        self._dead = DeadLetters(log, in_a_row)
        self._every_s = every_s
        self._clock = clock
        self._epoch = log.epoch()
        self._held: Market | None = None
        self._next = 0
        """The next offset to fold."""
        self._committed = 0
        self._written = -every_s

    def take(self, records: Sequence[LogRecord], before: Offsets) -> Offsets:
        start = before.get(PAIR)
        if start is None:  # another member owns the partition
            self._held = None
            return {}
        market = self._caught_up(start)
        events, letters = sorted_out(records)
        self._dead.report(records, letters)
        self._held = fold(market, events, self._epoch)
        self._next = max(self._next, records[-1].position.offset + 1 if records else start)
        telemetry.MARKET_VERSION.labels("consumer").set(self._held.version)
        if self._clock() - self._written < self._every_s:
            return {}
        return self._write()

    def finish(self) -> Offsets:
        return {} if self._held is None else self._write()

    def _caught_up(self, start: int) -> Market:
        """The market before offset `start`: the one held, or the snapshot and the log behind it."""
        market = self._held
        if market is None:
            market = self._store.load(self._epoch) or EMPTY
            self._next, self._committed = market.version + 1, start
            check_end(market, self._log.end(MARKET).get(0, 0))
        while self._next < start:
            records = self._log.read(MARKET, 0, self._next, min(self._intake.batch, start - self._next))
            market = fold(market, sorted_out(records)[0], self._epoch)
            telemetry.REREAD.labels(GROUP).inc(len(records))
            self._next = records[-1].position.offset + 1 if records else start
            self._held = market
        return market

    def _write(self) -> Offsets:
        market = self._held
        if market is None:
            return {}
        if self._store.version(self._epoch) < market.version and not self._store.save(market):
            self._held = None  # another consumer is further: begin again from its snapshot
            return {}
        self._written = self._clock()
        if self._next == self._committed:
            return {}
        self._committed = self._next
        return {PAIR: self._next}


def sorted_out(records: Sequence[LogRecord]) -> tuple[list[tuple[int, int, Event]], list[DeadLetter]]:
    """(what market.fold takes, what nobody can use)"""
    read = [(record, parsed(record, MARKET)) for record in records]
    events = [(record.position.offset, record.recorded, event) for record, event in read if isinstance(event, Event)]
    return events, [letter for _, letter in read if isinstance(letter, DeadLetter)]
