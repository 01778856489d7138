"""Whether what decisions read still moves: consumers that lag or ended, a market tail that stands still.

A door keeps a customer's accepted events at hand for 10 minutes; when the consumer is behind for longer, caps, consent
and dismissals would be forgotten without a word. So a lag is said long before.
"""

import threading
from dataclasses import dataclass
from time import monotonic

from streams.errors import OffingError
from streams.log import CUSTOMERS, EventLog
from streams.market_tail import MarketTail
from streams.profile_store import ProfileStore

LOOK_S = 1.0
PROFILE_LAG_S = 60.0
"""So long the profiles may be behind the log before decisions say `profile_behind`."""
MARKET_LAG_S = 10.0
"""So long the market may not have reached the log's end before decisions say `market_behind`."""


@dataclass(slots=True)
class Patience:
    """How long the consumer of profiles and the tail of the market may be late."""

    profile_s: float = PROFILE_LAG_S
    market_s: float = MARKET_LAG_S


class Lag:
    """Looks once a second, in a thread; `late()` is cheap. One per worker."""

    def __init__(self, log: EventLog, store: ProfileStore, tail: MarketTail, patience: Patience | None = None) -> None:
        self._log = log
        self._store = store
        self._tail = tail
        self._patience = patience or Patience()
        self._level_at = monotonic()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="offing-lag", daemon=True)

    def start(self) -> None:
        """Look from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()
        self._thread.join()

    def late(self) -> tuple[str, ...]:
        """`market_behind` and `profile_behind` as they apply."""
        found = []
        if self._tail.age_s() > self._patience.market_s:
            found.append("market_behind")
        if monotonic() - self._level_at > self._patience.profile_s:
            found.append("profile_behind")
        return tuple(found)

    def _watch(self) -> None:
        while not self._stopping.wait(LOOK_S):
            try:
                if self._level():
                    self._level_at = monotonic()
            except OffingError:
                self._level_at = monotonic()  # the decision's own read fails too, and says so

    def _level(self) -> bool:
        """Whether everything in the log is in the profiles."""
        ends = self._log.end(CUSTOMERS)
        reached = self._store.load_many((), self._log.epoch(), tuple(ends)).reached
        return all(end == 0 or (at in reached and reached[at].applied >= end) for at, end in ends.items())
