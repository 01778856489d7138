"""`offing train --every`: trains, gates, activates or keeps as a candidate, again and again, with nobody watching.

Each training is a process of its own: its memory is given back, and whatever ends it does not end the loop. What
fails is said and counted, what is active stays, and the next try comes sooner than after a success. Of several such
loops one trains: it holds a turn in the ledger, which lapses if it dies. Were two to train all the same, the ledger
would activate one.
"""

import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from time import monotonic
from types import FrameType
from typing import Final
from uuid import uuid4

import msgspec

from offers import consuming, runtime
from offers.retraining import Retrained
from offers.turns import Turn, Turns
from scoring.model_folder import sweep
from streams import telemetry
from streams.errors import OffingError
from streams.ids import Millis
from streams.settings import Settings

COMMAND = (sys.executable, "-m", "offers.cli", "train", "--json")
TRAIN: Final = "train"
LASTS_MS: Final = 120_000
"""A turn; it is renewed every LOOK_S."""
LOOK_S: Final = 20.0
AGAIN_S: Final = 900.0
"""After a failure; sooner, if it trains more often than that."""
END_S: Final = 5.0
"""How long a training may take to end once it was asked to."""
UNKNOWN: Final = "TRAINING_FAILED"
logger = logging.getLogger("offing.nightly")
_DECODE = msgspec.json.Decoder(Retrained).decode


class Nightly:
    """One loop. `command` trains once and writes a Retrained as JSON, or its complaint, code first."""

    def __init__(self, turns: Turns, settings: Settings, every_s: float, command: Sequence[str] = COMMAND) -> None:
        self._turns = turns
        self._models = settings.artifacts / "models"
        self._every_ms = int(every_s * 1000)
        self._command = command
        self._holder = f"{socket.gethostname()[:64]}:{os.getpid()}:{uuid4().hex[:8]}"
        self._not_before: Millis = 0
        self._said = ""
        self.ending = threading.Event()
        self.clock: Callable[[], Millis] = runtime.wall_clock

    def run(self) -> None:
        """Until `ending` is set; then the turn is given up."""
        while not self.ending.is_set():
            self.ending.wait(self.look())
        try:
            self._turns.leave(TRAIN, self._holder)
        except OffingError as error:
            logger.warning("the turn was not given up, it lapses: %s", error, extra={"code": error.code})

    def look(self) -> float:
        """Train if it is time and this loop's turn; how long to wait then, in seconds."""
        now = self.clock()
        turn = self._taken(now)
        if turn is None or turn.holder != self._holder:
            return LOOK_S
        due = self._due(turn, now)
        if now < due:
            return min(LOOK_S, (due - now) / 1000)
        found = self._trained()
        if found is None:
            self._not_before = self.clock() + min(self._every_ms, int(AGAIN_S * 1000))
        else:
            self._done(now, found)
        return 0.0

    def _due(self, turn: Turn, now: Millis) -> Millis:
        """A training that was done in the future was not: some clock was set back."""
        due = 0 if turn.done_at is None or turn.done_at > now else turn.done_at + self._every_ms
        return due if self._not_before > now + self._every_ms else max(due, self._not_before)

    def _taken(self, now: Millis) -> Turn | None:
        """None: the ledger is away, and with it what is active."""
        try:
            turn = self._turns.take(TRAIN, self._holder, now, LASTS_MS)
        except OffingError as error:
            self._say(f"no training while the ledger does not answer: {error}", error.code)
            return None
        self._say("" if turn.holder == self._holder else f"{turn.holder} trains; this one waits for its turn", "")
        return turn

    def _say(self, what: str, code: str) -> None:
        """Unless it was the last thing said."""
        if what and what != self._said:
            logger.warning(what, extra={"code": code} if code else {})
        self._said = what

    def _trained(self) -> Retrained | None:
        """None: it failed, which was said, or was ended."""
        began = monotonic()
        try:
            sweep(self._models)
            said, complaint, status = self._asked()
        except OSError:
            logger.exception("the training did not start; what is active stays", extra={"code": UNKNOWN})
            telemetry.TRAININGS.labels("failed").inc()
            return None
        if self.ending.is_set() and status != 0:
            return None
        try:
            found = _DECODE(said)
        except msgspec.DecodeError:
            code = complaint.split(maxsplit=1)[0] if complaint[:1].isupper() else UNKNOWN
            message = complaint[:500] or f"it ended with status {status}"
            logger.error("training failed, what is active stays: %s", message, extra={"code": code[:40]})
            telemetry.TRAININGS.labels("failed").inc()
            return None
        took_ms = int((monotonic() - began) * 1000)
        what = "is active" if found.active else "stays a candidate"
        logger.warning("%s %s: %s", found.model, what, found.reason, extra={"model": found.model, "took_ms": took_ms})
        return found

    def _done(self, began: Millis, found: Retrained) -> None:
        show(found, self.clock())
        try:
            self._turns.done(TRAIN, self._holder, began)
        except OffingError as error:
            self._not_before = began + self._every_ms
            logger.warning("when it was trained is known to this process only: %s", error, extra={"code": error.code})

    def _asked(self) -> tuple[bytes, str, int]:
        """What the command wrote: its document, the last line of its complaints, its status."""
        with subprocess.Popen(self._command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
            renewed = monotonic()
            while True:
                try:
                    said, complaints = child.communicate(timeout=0.2)
                    break
                except subprocess.TimeoutExpired:
                    if self.ending.is_set():
                        _end(child)
                    if monotonic() - renewed >= LOOK_S:
                        renewed = monotonic()
                        self._taken(self.clock())
        return said, complaints.decode(errors="replace").strip().rpartition("\n")[2], child.returncode


def show(found: Retrained, now: Millis) -> None:
    """What came of a training, as metrics."""
    result = "active" if found.active else "candidate"
    telemetry.TRAININGS.labels(result).inc()
    telemetry.TRAINED_TIMESTAMP.set(now / 1000)
    telemetry.GATE_VERDICT.clear()
    if found.verdict is not None:
        telemetry.GATE_VERDICT.labels(found.verdict.outcome).set(1)


def nightly(settings: Settings, every_s: float, arguments: Sequence[str]) -> None:
    """Train every so often until SIGINT or SIGTERM. Raises Stop LEDGER_SCHEMA, PORT_UNUSABLE at the start."""
    with closing(runtime.serving_ledger(settings)) as book:
        loop = Nightly(book.turns, settings, every_s, (*COMMAND, *arguments))

        def end(number: int, frame: FrameType | None) -> None:
            loop.ending.set()

        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, end)
        metrics = consuming.counting(settings, None)
        try:
            logger.warning("training every %g s", every_s, extra={"namespace": settings.namespace})
            loop.run()
        finally:
            metrics.stop()


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(END_S)
    except subprocess.TimeoutExpired:
        child.kill()
