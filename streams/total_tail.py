"""TotalTail: the totals in an API worker's memory, read four times a second beside the decisions (idea 11)."""

import logging
from collections.abc import Callable
from threading import Event as Flag
from threading import Thread

from streams.errors import OffingError
from streams.total_store import TotalReader
from streams.totals import NONE, Totals

LOOK_S = 0.25
logger = logging.getLogger("streams.total_tail")


class TotalTail:
    """Publishes each new Totals by assignment; while the store does not answer the last ones stay in use."""

    def __init__(self, reader: TotalReader, wanted: Callable[[], bool]) -> None:
        """`wanted`: whether anything that is active asks for totals; if not, nothing is read."""
        self._reader = reader
        self._wanted = wanted
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
            self.totals = self._reader.read()
            self._failing = False
        except OffingError as error:
            if not self._failing:
                logger.warning("totals are as old as the last answer", extra={"code": error.code})
            self._failing = True

    def _run(self) -> None:
        while not self._stopping.wait(LOOK_S):
            self.look()
