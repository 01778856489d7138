"""Everything a run says, as one JSON document: what page.py lays out, and what other programs read."""

from collections.abc import Mapping
from typing import Any

from loadtests.load import exposition
from loadtests.load.budget import Budget
from loadtests.load.checks import CHECKS
from loadtests.load.histogram import Histogram, merged, milliseconds
from loadtests.load.measured import KindMeasured, Measured, StageMeasured
from loadtests.load.traffic import MARKET, MIX
from loadtests.load.verdict import Verdict, breaches, generator_problems

VERSION = 1
QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99, "p99_9": 0.999}


def document(verdict: Verdict, measured: Measured, budget: Budget, run: Mapping[str, Any]) -> dict[str, Any]:
    """`run`: what was run against what, as the command knows it. Times are ms, shares 0 to 1."""
    return {
        "v": VERSION,
        "outcome": verdict.outcome.name.lower(),
        "exit_code": int(verdict.outcome),
        "reasons": [{"stage": reason.stage, "what": reason.what} for reason in verdict.reasons],
        "knee": _knee(verdict),
        "run": dict(run),
        "stages": [_stage(found, budget) for found in measured.stages if found.complete],
        "checks": [_check(name, meaning, measured) for name, meaning in CHECKS.items()],
        "violations": [{"check": told.check, "found": told.found} for told in measured.checked.told],
        "budget": {
            "latency_ms": budget.latency_ms,
            "freshness_ms": budget.freshness_ms,
            "errors": budget.errors,
            "degraded": budget.degraded,
            "knee": budget.knee,
        },
    }


def times(found: Histogram) -> dict[str, float | int | None]:
    """Quantiles, mean and most in ms, and how many."""
    mean = None if not found.count else 1000 * found.total_s / found.count
    quantiles = {name: milliseconds(found, share) for name, share in QUANTILES.items()}
    return {"count": found.count, **quantiles, "max": 1000 * found.most_s if found.count else None, "mean": mean}


def _knee(verdict: Verdict) -> dict[str, Any] | None:
    knee = verdict.knee
    if knee is None:
        return None
    return {"rate": knee.rate, "ended_by": knee.ended_by, "bound_by_generator": knee.bound_by_generator}


def _check(name: str, meaning: str, measured: Measured) -> dict[str, Any]:
    checked = measured.checked
    return {
        "name": name,
        "meaning": meaning,
        "looked_at": checked.looked_at.get(name, 0),
        "violated": checked.violated.get(name, 0),
    }


def _stage(found: StageMeasured, budget: Budget) -> dict[str, Any]:
    answered = sum(kind.answered for kind in found.kinds.values())
    seconds, decisions = found.stage.seconds, max(1, found.decisions)
    delta = exposition.moved(found.metrics)
    return {
        "name": found.stage.name,
        "role": found.stage.role,
        "seconds": seconds,
        "rate": {
            "offered": found.due / seconds,
            "sent": found.sent / seconds,
            "answered": answered / seconds,
            "planned": found.stage.rate,
        },
        "requests": {"due": found.due, "sent": found.sent, "answered": answered, "failed": _failed(found)},
        "errors": (found.due - answered) / max(1, found.due),
        "retries": sum(kind.retries for kind in found.kinds.values()),
        "latency_ms": {name: _latency(found.kinds[name]) for name in (*MIX, MARKET) if name in found.kinds},
        "all_ms": times(merged({name: kind.from_due for name, kind in found.kinds.items()})),
        "freshness_ms": {**times(found.fresh), "unseen": found.unseen},
        "decisions": {
            "answered": found.decisions,
            "degraded": found.degraded_decisions / decisions,
            "degraded_by": found.degraded,
            "fallback": found.fallbacks / decisions,
            "hit_rate": found.hits / decisions,
            "hit_rate_as_live": found.hits_as_live / decisions,
        },
        "generator": {
            "cpu": sum(found.cpu) / len(found.cpu) if found.cpu else None,
            "cpu_most": max(found.cpu, default=None),
            "late_ms": times(found.late),
            "unpunctual_ms": times(found.unpunctual),
            "elsewhere_cores": _elsewhere(found),
        },
        "target": {
            "cpu_ms_per_request": {name: 1000 * used / max(1, answered) for name, used in found.processes.items()},
            "cores": {name: used / seconds for name, used in found.processes.items()},
            "stage_ms": {
                name: {"mean": mean, "count": count} for name, (mean, count) in exposition.stage_ms(delta).items()
            },
            "cache": exposition.cache(delta),
        },
        "breaches": [*breaches(found, budget), *generator_problems(found)],
    }


def _elsewhere(found: StageMeasured) -> float:
    """Cores of the generator's host that neither the generator nor the target's processes used."""
    used = sum(found.processes.values()) + found.used_cpu
    return max(0.0, (found.host_cpu - used) / found.stage.seconds)


def _latency(kind: KindMeasured) -> dict[str, Any]:
    return {"from_due": times(kind.from_due), "from_sent": times(kind.from_sent), "retries": kind.retries}


def _failed(found: StageMeasured) -> dict[str, int]:
    codes: dict[str, int] = {}
    for kind in found.kinds.values():
        for code, number in kind.failed.items():
            codes[code] = codes.get(code, 0) + number
    return codes
