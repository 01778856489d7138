"""DriftWatch: `offing drift` now and then, beside the consumers, and what it found in /metrics.

It runs as a process of its own at a low priority: reading a week of the lake takes seconds of computing, which in a
thread would be taken from folding events, and its memory is given back when it ends.
"""

import logging
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import Future

import msgspec

from offers.aside import asked
from scoring.drift import DriftReport
from streams import telemetry
from streams.background import run_in_background

logger = logging.getLogger("offing.drift")
COMMAND = (sys.executable, "-m", "offers.cli", "drift", "--json")
FIRST_S = 300.0
"""After the start: a restart should not leave the gauges empty for long, nor compete with what starts."""
WORST = 10
"""Features in /metrics."""
_NOT_YET = frozenset({"NO_MODEL"})
_DECODE = msgspec.json.Decoder(DriftReport).decode


class DriftWatch:
    """Looks every `every_s` seconds in a thread; 0: never."""

    def __init__(self, every_s: float, command: Sequence[str] = COMMAND, first_s: float = FIRST_S) -> None:
        self._every_s = every_s
        self._first_s = min(every_s, first_s)
        self._command = command
        self._stopping = threading.Event()
        self._running: Future[None] | None = None

    def start(self) -> None:
        """Look from now on."""
        if self._every_s:
            self._running = run_in_background("offing-drift", self._follow)

    def stop(self) -> None:
        """End, with a look that is under way. Idempotent."""
        self._stopping.set()
        if self._running is not None:
            self._running.result()
            self._running = None

    def _follow(self) -> None:
        wait_s = self._first_s
        while not self._stopping.wait(wait_s):
            self.look()
            wait_s = self._every_s

    def look(self) -> None:
        """Once, now. Never raises: a look that fails is counted, and the next one may do."""
        try:
            said, complaint = asked(self._command, self._stopping)
            show(_DECODE(said))
            telemetry.DRIFT_CHECKS.labels("done").inc()
        except msgspec.DecodeError:  # nothing was said
            if self._stopping.is_set():
                return
            code = complaint.split(maxsplit=1)[0] if complaint.strip() else "DRIFT_UNKNOWN"
            if code in _NOT_YET:
                clear()
                return
            telemetry.DRIFT_CHECKS.labels("failed").inc()
            logger.error("drift could not be looked for", extra={"code": code[:40]})
        except OSError:
            telemetry.DRIFT_CHECKS.labels("failed").inc()
            logger.exception("drift could not be looked for", extra={"code": "DRIFT_UNKNOWN"})


def show(found: DriftReport) -> None:
    """A report as gauges; what an earlier one said is gone."""
    clear()
    model = found.model
    telemetry.MODEL_AGE_SECONDS.labels(model).set(found.age_ms / 1000)
    if found.score is not None:
        telemetry.SCORE_PSI.labels(model).set(found.score.psi)
    for each in found.features[:WORST]:
        telemetry.FEATURE_PSI.labels(each.feature).set(each.psi)
    whole = found.calibration
    if whole.ratio is not None and whole.interval is not None:
        for bound, value in zip(("low", "ratio", "high"), sorted((*whole.interval, whole.ratio)), strict=True):
            telemetry.CALIBRATION_RATIO.labels(model, bound).set(value)
    if found.prior.decisions:
        telemetry.PRIOR_SHARE.labels("decisions").set(found.prior.by_prior / found.prior.decisions)
        telemetry.PRIOR_SHARE.labels("scores").set(found.prior.declared)
    if found.verdict == "act":
        logger.warning("the model has drifted; `offing drift` says what to do", extra={"model": model})


def clear() -> None:
    """Nothing is known: no model is active, or another one."""
    for gauge in (
        telemetry.MODEL_AGE_SECONDS,
        telemetry.SCORE_PSI,
        telemetry.FEATURE_PSI,
        telemetry.CALIBRATION_RATIO,
        telemetry.PRIOR_SHARE,
    ):
        gauge.clear()
