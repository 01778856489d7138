"""TotalTail: the totals in an API worker's memory, read four times a second beside the decisions (idea 11)."""

import logging
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread
from time import thread_time

from streams.errors import OffingError
from streams.total_store import TotalReader
from streams.totals import NONE, Totals

LOOK_S = 0.25
LOOKING = 0.05
"""Most of a core's time that it may take: of 400,000 totals one look takes some 40 ms."""
logger = logging.getLogger("streams.total_tail")


class TotalTail:
    """Publishes each new Totals by assignment; while the store does not answer the last ones stay in use."""

    def __init__(
        self, reader: TotalReader, wanted: Callable[[], bool], prepare: Callable[[Totals], object] | None = None
    ) -> None:
        """`wanted`: whether anything that is active asks for totals; if not, nothing is read. `prepare`: what to do

        with new ones before decisions see them, so that none of it is left to the first decision.
        """
        self._reader = reader
        self._wanted = wanted
        self._prepare = prepare
        self._stopping = Flag()
        self._failing = False
        self._thread = Thread(target=self._run, name="offing-total-tail", daemon=True)
        self.totals: Totals = NONE

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread and wait for it."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def look(self) -> None:
        """Read what changed, if anybody asks. Never raises what the store does: it says so once, until it answers."""
        if not self._wanted():
            return
        try:
            found = self._reader.read()
            if found is not self.totals and self._prepare is not None:
                self._prepare(found)
            self.totals = found
            self._failing = False
        except OffingError as error:
            if not self._failing:
                logger.warning("totals are as old as the last answer", extra={"code": error.code})
            self._failing = True

    def _run(self) -> None:
        looked_s = 0.0
        while not self._stopping.wait(max(LOOK_S, looked_s / LOOKING)):
            begun = thread_time()
            self.look()
            looked_s = thread_time() - begun
