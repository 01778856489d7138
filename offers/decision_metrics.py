"""What an answered decision adds to the metrics; deciding itself is pure and counts nothing."""

from offers.proposition import Code, Decision
from offers.reply import Told
from streams import telemetry


def answered(told: Told, origin: str) -> None:
    """One decision went out again."""
    telemetry.DECISIONS.labels(origin, ",".join(told.degraded), "1" if told.fallback else "0").inc()


def decided(decision: Decision, origin: str) -> None:
    """One decision was made: answered, and what became of its candidates."""
    fallback = "1" if any([slate.fallback for slate in decision.placements]) else "0"
    telemetry.DECISIONS.labels(origin, ",".join(decision.degraded), fallback).inc()
    telemetry.CANDIDATES.observe(len(decision.candidates))
    for slate in decision.placements:
        if slate.problem == "UNKNOWN_PLACEMENT":
            telemetry.UNKNOWN_PLACEMENTS.inc()
        for item in slate.items:
            telemetry.REPRESENTATIONS.labels(item.representation.locale).inc()
    for code, number in decision.ruled_out:
        telemetry.RULED_OUT.labels(code).inc(number)
        if code == Code.BEYOND_CANDIDATE_LIMIT:
            telemetry.BEYOND_LIMIT.inc(number)
    for what in decision.degraded:
        telemetry.DEGRADED.labels(what).inc()
