"""ShadowWatch: scores new decisions with the model in the shadow now and then, beside the consumers; in /metrics.

Without a model in the shadow it asks the ledger, and that is all. With one, a process of its own at low priority does
the work: a model that hangs, crashes or takes all memory takes neither a decision nor a consumer with it.
"""

import logging
import os
import socket
import sys
from collections.abc import Callable, Sequence
from uuid import uuid4

import msgspec

from offers import runtime
from offers.aside import asked
from offers.ledger import Ledger
from offers.shadow_scoring import Scored
from streams import telemetry
from streams.background import NowAndThen
from streams.errors import OffingError
from streams.ids import Millis

logger = logging.getLogger("offing.shadow")
COMMAND = (sys.executable, "-m", "offers.cli", "models", "shadow", "--score", "--json")
SHADOW = "shadow"
LASTS_MS = 900_000
"""A turn: longer than a pass may take."""
UNKNOWN = "SHADOW_FAILED"
_DECODE = msgspec.json.Decoder(Scored).decode


class ShadowWatch:
    """Looks every `every_s` seconds in a thread; 0: never. Of several consumers one has the turn."""

    def __init__(self, book: Ledger, every_s: float, command: Sequence[str] = COMMAND) -> None:
        self._book = book
        self._command = command
        self._holder = f"{socket.gethostname()[:64]}:{os.getpid()}:{uuid4().hex[:8]}"
        self._looking = NowAndThen("offing-shadow", every_s, self.look)
        self.start, self.stop = self._looking.start, self._looking.stop
        self._said = ""
        self.clock: Callable[[], Millis] = runtime.wall_clock

    def look(self) -> None:
        """Once, now. Never raises: a pass that fails is counted and said, and the next one may do."""
        try:
            if not self._wanted():
                clear()
                return
        except OffingError as error:
            self._failed(error.code, "the ledger does not answer")
            return
        try:
            said, complaint = asked(self._command, self._looking.stopping)
            show(_DECODE(said))
            self._said = ""
        except msgspec.DecodeError:  # nothing was said
            if not self._looking.stopping.is_set():
                code = complaint.split(maxsplit=1)[0] if complaint[:1].isupper() else UNKNOWN
                self._failed(code, complaint or "it ended without a word")
        except OSError as error:
            self._failed(UNKNOWN, str(error))

    def _wanted(self) -> bool:
        if self._book.models.shadow() is None:
            return False
        return self._book.turns.take(SHADOW, self._holder, self.clock(), LASTS_MS).holder == self._holder

    def _failed(self, code: str, why: str) -> None:
        """Counted; said unless it was the last thing said."""
        telemetry.SHADOW_DECISIONS.labels("failed").inc()
        if why != self._said:
            logger.error("nothing was scored in the shadow: %s", why[:500], extra={"code": code[:40]})
        self._said = why


def show(found: Scored) -> None:
    """What a pass did, as metrics."""
    telemetry.SHADOW_DECISIONS.labels("scored").inc(found.decisions)
    telemetry.SHADOW_DECISIONS.labels("left_out").inc(found.left_out)
    if found.scores is not None:
        clear()
        telemetry.SHADOW_DIFFERENCE.labels(found.model).set(found.scores.mean_absolute_difference)
        telemetry.SHADOW_TOP_CHANGED.labels(found.model).set(found.scores.top_changed)


def clear() -> None:
    """No model is in the shadow, or another one."""
    telemetry.SHADOW_DIFFERENCE.clear()
    telemetry.SHADOW_TOP_CHANGED.clear()
