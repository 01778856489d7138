"""Decision records, written behind the answer: collected for 50 ms or 500 records, drained at the end (idea 8)."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from streams import telemetry
from streams.errors import OffingError
from streams.log import DECISIONS, LOCATIONS, Entry, EventLog, Topic

FLUSH_S = 0.05
FLUSH_RECORDS = 500
MAX_WAITING = 20_000
"""Beyond this many unwritten records the oldest are dropped and counted: memory is bounded, answers go on."""
RETRY_S = 0.5
TOLD_EVERY = 1_000
"""Lost records are told of at the first and then by the thousand: a log that is away must not fill another one."""
UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
logger = logging.getLogger("offing.exposure")


class WriteBehind:
    """Appends to the log from the event loop without making an answer wait. Owned by one event loop.

    `dropped` counts what was lost because the log was away too long; a SIGKILL loses what is waiting.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._waiting: list[tuple[Topic, Entry]] = []
        self._wake = asyncio.Event()
        self._closing = False
        self._promised = 0
        self.dropped = 0

    def add(self, entry: Entry, topic: Topic = DECISIONS) -> None:
        """Queue one entry; never blocks and never fails."""
        if len(self._waiting) >= MAX_WAITING:
            del self._waiting[0]
            self._drop(1)
        self._waiting.append((topic, entry))
        telemetry.RECORD_QUEUE.set(len(self._waiting))
        if len(self._waiting) == 1 or len(self._waiting) >= FLUSH_RECORDS:
            self._wake.set()

    def later(self, make: Callable[[], Entry]) -> None:
        """Queue the entry that `make` makes once this turn of the event loop is over: the answer is on its way then."""
        self._promised += 1
        asyncio.get_running_loop().call_soon(self._keep, make)

    def _keep(self, make: Callable[[], Entry]) -> None:
        self._promised -= 1
        try:
            entry = make()
        except UNEXPECTED:
            # nobody waits for it any more: it is lost, and counted as such
            logger.exception("a record could not be written down", extra={"code": "RECORD_FAILED"})
            self._drop(1)
            self._wake.set()
        else:
            self.add(entry)

    async def run(self) -> None:
        """Write until close() has drained everything."""
        while not (self._closing and not self._waiting and not self._promised):
            await self._wake.wait()
            self._wake.clear()
            if not self._closing and len(self._waiting) < FLUSH_RECORDS:
                await asyncio.sleep(FLUSH_S)
            await self._flush()

    async def _flush(self) -> None:
        batch, self._waiting = self._waiting, []
        telemetry.RECORD_QUEUE.set(0)
        by_topic: dict[str, tuple[Topic, list[Entry]]] = {}
        for topic, entry in batch:
            by_topic.setdefault(topic.name, (topic, []))[1].append(entry)
        for topic, entries in by_topic.values():
            await self._append(topic, entries)

    async def _append(self, topic: Topic, entries: Sequence[Entry]) -> None:
        try:
            await asyncio.wrap_future(self._log.append(topic, entries))
        except OffingError as error:
            await self._failed(topic, entries, error)
        else:
            telemetry.RECORDS.labels("appended").inc(len(entries))

    async def _failed(self, topic: Topic, entries: Sequence[Entry], error: OffingError) -> None:
        if topic is LOCATIONS:
            return  # a fix is worth nothing in a few minutes, and must not be kept for longer
        logger.warning("records wait for the log", extra={"code": error.code, "count": len(entries)})
        if self._closing:
            self._drop(len(entries))
            return
        await asyncio.sleep(error.after_s or RETRY_S)
        waiting = [*((topic, entry) for entry in entries), *self._waiting]
        self._waiting = waiting[-MAX_WAITING:]
        self._drop(len(waiting) - len(self._waiting))
        self._wake.set()

    def _drop(self, count: int) -> None:
        if not count:
            return
        before, self.dropped = self.dropped, self.dropped + count
        telemetry.RECORDS.labels("dropped").inc(count)
        if before == 0 or before // TOLD_EVERY != self.dropped // TOLD_EVERY:
            logger.error("records are lost: the log was away too long", extra={"count": self.dropped})

    def close(self) -> None:
        """Ask run() to drain and end."""
        self._closing = True
        self._wake.set()
