"""Consumer: poll -> take -> commit, in a thread of its own. What a record means is up to its three kinds:

profile_consumer, location_consumer and market_consumer (and the lake's). The commit follows the work, always.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from threading import Event as Flag
from time import time
from typing import TypeVar

from streams import telemetry
from streams.background import run_in_background
from streams.errors import Retry, Stop
from streams.ids import Millis
from streams.log import EventLog, LogRecord, Topic

BATCH = 4_000
POLL_S = 0.25
"""How long an idle consumer takes to notice that it should stop."""
FIRST_WAIT_S = 0.05
LONGEST_WAIT_S = 2.0

Pair = tuple[str, int]
"""(topic, partition)"""
Offsets = Mapping[Pair, int]
"""The next offset of each."""
Reckoning = Callable[[LogRecord], Millis]
"""The instant a record is judged at: what is too old, what has expired."""

_Result = TypeVar("_Result")
logger = logging.getLogger("streams.consumer")


@dataclass(frozen=True, slots=True)
class Intake:
    """Where a consumer reads, under which group name, and how much at once."""

    group: str
    topics: tuple[Topic, ...]
    batch: int = BATCH


class Consumer(ABC):
    """A member of a consumer group. `start` it once; it runs until `stop` or a Stop error, which its future holds.

    While the log or a store does not answer it waits, polls nothing more, and goes on where it was.
    """

    def __init__(self, log: EventLog, intake: Intake) -> None:
        self._log = log
        self._intake = intake
        self._stopping = Flag()
        self.running: Future[None] | None = None

    @abstractmethod
    def take(self, records: Sequence[LogRecord], before: Offsets) -> Offsets:
        """Do the work of a batch, empty if there is nothing to read; returns what may be committed.

        `before`: for every partition owned, the offset from which this batch was read. Raises Retry, and is then
        called again with the same batch; raises Stop, and nothing of the batch is committed.
        """

    def finish(self) -> Offsets:
        """The last call: write down what was put off; returns what may be committed."""
        return {}

    def start(self) -> "Future[None]":
        """Run in a thread. The future ends when the consumer does."""
        self.running = run_in_background(f"offing-{self._intake.group}", self.run)
        return self.running

    def stop(self, timeout_s: float | None = None) -> None:
        """Finish the batch in hand, commit, leave the group. Waits for it. Raises what the consumer stopped for."""
        self._stopping.set()
        if self.running is not None:
            self.running.result(timeout_s)

    def run(self) -> None:
        """The loop itself. Returns after `stop`; raises Stop."""
        group = self._intake.group
        telemetry.CONSUMER_UP.labels(group).set(1)
        logger.info("consumer started", extra={"group": group})
        try:
            self._consume()
        except _Stopped:
            logger.info("consumer stopped while waiting", extra={"group": group})
        except Stop:
            logger.critical("consumer stopped: going on would lose data", extra={"group": group}, exc_info=True)
            raise
        finally:
            telemetry.CONSUMER_UP.labels(group).set(0)

    @property
    def stopping(self) -> bool:
        """For long work between two batches."""
        return self._stopping.is_set()

    def _consume(self) -> None:
        intake = self._intake
        with closing(self._patiently(partial(self._log.subscribe, intake.group, intake.topics))) as subscription:
            while not self.stopping:
                before = subscription.positions()
                records = self._patiently(partial(subscription.poll, intake.batch, POLL_S))
                done = self._patiently(partial(self.take, records, before))
                if done:
                    self._patiently(partial(subscription.commit, done))
            done = self._patiently(self.finish)
            if done:
                self._patiently(partial(subscription.commit, done))

    def _patiently(self, action: Callable[[], _Result]) -> _Result:
        """Try until it succeeds, ever more slowly. Raises _Stopped once asked to stop, after one more failure."""
        wait_s = FIRST_WAIT_S
        while True:
            try:
                return action()
            except Retry as error:
                telemetry.CONSUMER_RETRIES.labels(self._intake.group, error.code).inc()
                extra = {"group": self._intake.group, "code": error.code, "after_s": wait_s}
                logger.warning("waiting", extra=extra)
                if self._stopping.wait(wait_s):
                    raise _Stopped from error
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)


class _Stopped(Exception):
    """Asked to stop while waiting: what was in hand is not committed and comes again."""


def following(records: Sequence[LogRecord]) -> dict[Pair, int]:
    """What to commit once all of these are done."""
    return {(record.position.topic, record.position.partition): record.position.offset + 1 for record in records}


def wall_clock() -> Millis:
    """Now, by this host."""
    return int(time() * 1000)


def by_the_clock(record: LogRecord) -> Millis:
    """Real traffic is judged at the instant it is worked on."""
    return wall_clock()


def by_the_record(record: LogRecord) -> Millis:
    """Simulated traffic is judged at the instant it was recorded (idea 15)."""
    return record.recorded
