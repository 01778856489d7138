"""DriftWatch: `offing drift` now and then, beside the consumers, and what it found in /metrics.

It runs as a process of its own at a low priority: reading a week of the lake takes seconds of computing, which in a
thread would be taken from folding events, and its memory is given back when it ends.
"""

import logging
import sys
from collections.abc import Sequence

import msgspec

from offers.aside import asked
from scoring.drift import DriftReport
from streams import telemetry
from streams.background import NowAndThen

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
        self._command = command
        self._looking = NowAndThen("offing-drift", every_s, self.look, first_s)
        self.start, self.stop = self._looking.start, self._looking.stop

    def look(self) -> None:
        """Once, now. Never raises: a look that fails is counted, and the next one may do."""
        try:
            said, complaint = asked(self._command, self._looking.stopping)
            show(_DECODE(said))
            telemetry.DRIFT_CHECKS.labels("done").inc()
        except msgspec.DecodeError:  # nothing was said
            if self._looking.stopping.is_set():
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
