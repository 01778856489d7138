"""MarketTail: the market in an API worker's memory, at most a few milliseconds behind its stream (idea 6)."""

import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event as Flag
from time import monotonic

from streams import telemetry
from streams.background import run_in_background
from streams.dead_letters import parsed
from streams.errors import Retry, Stop
from streams.events import Event
from streams.ids import Millis
from streams.log import MARKET, EventLog
from streams.market import EMPTY, Market, fold
from streams.market_store import MarketStore, check_end

IDLE_S = 0.25
"""How long a read waits for something to come, and `stop` for the read."""
LEVEL_S = 0.25
"""So often it is asked whether nothing more is there: of a read that waits, under load, one never learns that."""
WAIT_S = 0.5
"""Between tries while the log does not answer; the last market stays in use meanwhile."""
BATCH = 1_000

EFFECT = telemetry.EVENT_TO_EFFECT_SECONDS.labels("market-tail")
logger = logging.getLogger("streams.market_tail")


class MarketTail:
    """Loads the snapshot, reads on from its offset in one thread, and publishes each new Market by assignment.

    A reader takes `market` once and uses that value throughout: it never changes, only gets a successor.
    """

    def __init__(self, log: EventLog, store: MarketStore, clock: Callable[[], Millis] | None = None) -> None:
        """`clock`: what records were accepted by; with it the time until they count here is measured."""
        self._log = log
        self._store = store
        self._clock = clock
        self._stopping = Flag()
        self._current = monotonic()
        self.market: Market = EMPTY
        self.ready = Flag()
        """Set once everything that was in the log at the start is in `market`."""
        self.running: Future[None] | None = None

    def start(self) -> "Future[None]":
        """Run in a thread. The future ends with `stop`, or with the Stop error that ended the tail."""
        self.running = run_in_background("offing-market-tail", self.run)
        return self.running

    def stop(self, timeout_s: float | None = None) -> None:
        """End the thread and wait for it. Raises what it stopped for."""
        self._stopping.set()
        if self.running is not None:
            self.running.result(timeout_s)

    def age_s(self) -> float:
        """Seconds since `market` was last known to hold everything in the log."""
        return monotonic() - self._current

    def measure(self) -> None:
        """Set the gauges; call it when metrics are read."""
        telemetry.MARKET_VERSION.labels("tail").set(self.market.version)
        telemetry.MARKET_AGE_SECONDS.labels("tail").set(self.age_s())

    def run(self) -> None:
        """The loop itself. Returns after `stop`; raises Stop."""
        try:
            epoch, end, market = self._begin()
            offset = market.version + 1
            while not self._stopping.is_set():
                if offset >= end:
                    self.ready.set()
                offset = self._follow(offset, epoch)
        except _Stopped:
            return
        except Stop:
            logger.critical("market tail stopped: going on would go back in time", exc_info=True)
            raise

    def _begin(self) -> tuple[str, int, Market]:
        """(epoch, end of the log, market to go on from)"""
        while True:
            try:
                epoch, end = self._log.epoch(), self._log.end(MARKET).get(0, 0)
                break
            except Retry as error:
                self._wait(error)
        try:
            market = self._store.load(epoch) or EMPTY
        except Retry as error:  # the log alone will do, it only takes longer
            logger.warning("no market snapshot", extra={"code": error.code})
            market = EMPTY
        check_end(market, end)
        self.market = market
        return epoch, end, market

    def _follow(self, offset: int, epoch: str) -> int:
        """Fold what there is from `offset` on; the next offset. Records nobody can read are the consumer's business."""
        looked = monotonic()
        wait_s = IDLE_S if looked - self._current < LEVEL_S else 0.0
        try:
            records = self._log.read(MARKET, 0, offset, BATCH, wait_s)
        except Retry as error:
            self._wait(error)
            return offset
        if not records:
            self._current = looked
            return offset
        read = ((record, parsed(record, MARKET)) for record in records)
        events = [
            (record.position.offset, record.recorded, event) for record, event in read if isinstance(event, Event)
        ]
        self.market = fold(self.market, events, epoch)
        if self._clock is not None and self.ready.is_set():
            now = self._clock()
            for record in records:
                EFFECT.observe(max(0, now - record.recorded) / 1000)
        return records[-1].position.offset + 1

    def _wait(self, error: Retry) -> None:
        logger.warning("waiting for the log", extra={"code": error.code, "after_s": WAIT_S})
        if self._stopping.wait(WAIT_S):
            raise _Stopped from error


class _Stopped(Exception):
    """Asked to stop while waiting."""
