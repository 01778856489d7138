"""Passed, failed or invalid: what a run was worth. Pure.

A violated invariant fails the run whatever else is true. A run whose generator was the bottleneck says nothing about
the target: it is invalid, not passed and not failed. Everything else is the budget's.
"""

from collections.abc import Iterator, Sequence
from enum import IntEnum

import msgspec

from loadtests.load.budget import QUANTILES, Budget
from loadtests.load.histogram import Histogram, milliseconds, three_figures
from loadtests.load.measured import Measured, StageMeasured
from loadtests.load.shapes import JUDGED, SPIKE, STEP

BUSY = 0.90
"""A generator that used more of its core than this was late on its own account."""
ACHIEVED = 0.95
"""Of the requests due, at least so many must have been sent in their stage's time."""


LATE_MS = 50.0
"""p99 of how late requests left that had a free connection: beyond it the latencies are the generator's own."""


class Outcome(IntEnum):
    """Also the exit code."""

    PASSED = 0
    FAILED = 1
    INVALID = 2


class Reason(msgspec.Struct, frozen=True):
    """Why a run did not pass."""

    stage: str
    what: str


class Knee(msgspec.Struct, frozen=True):
    """Where the budget ends."""

    rate: float
    """The highest offered rate that met the budget, requests a second; 0: none of the steps did."""
    ended_by: str
    """What the next step did not meet; empty: the ramp ended before the target did."""
    bound_by_generator: bool = False
    """The generator could not offer more: the target's knee lies higher."""


class Verdict(msgspec.Struct, frozen=True):
    """What is to be told first."""

    outcome: Outcome
    reasons: tuple[Reason, ...]
    knee: Knee | None
    """None: the shape has no ramp."""


def judge(measured: Measured, budget: Budget, generators: int) -> Verdict:
    """`generators`: how many were started."""
    stages = [stage for stage in measured.stages if stage.complete]
    knee = find_knee(stages, budget)
    violated = tuple(_violations(measured))
    invalid = tuple(_invalid(measured, stages, generators))
    if knee is not None and knee.rate < budget.knee and knee.bound_by_generator:
        invalid = (*invalid, Reason("ramp", knee.ended_by))
    failed = tuple(_failed(stages, budget, knee))
    reasons = (*violated, *invalid, *failed)
    if violated:
        return Verdict(Outcome.FAILED, reasons, knee)
    if invalid:
        return Verdict(Outcome.INVALID, reasons, knee)
    return Verdict(Outcome.FAILED if failed else Outcome.PASSED, reasons, knee)


def breaches(found: StageMeasured, budget: Budget) -> Iterator[str]:
    """What a stage did not meet, latency and all."""
    for kind, limits in budget.latency_ms.items():
        measured = found.kinds.get(kind)
        if measured is not None:
            yield from _over(f"{kind}", measured.from_due, limits)
    yield from _shares(found, budget)
    yield from _over("freshness", found.fresh, budget.freshness_ms)
    if found.unseen:
        yield f"{found.unseen} fare changes were not shown within seconds"


def generator_problems(found: StageMeasured) -> Iterator[str]:
    """Why the load of this stage was not what was asked for."""
    busy = sum(found.cpu) / len(found.cpu) if found.cpu else 0.0
    if busy > BUSY:
        yield f"the generator used {busy:.0%} of its core; at most {BUSY:.0%} leaves it time to be punctual"
    late = milliseconds(found.unpunctual, 0.99)
    if late is not None and late > LATE_MS:
        yield (
            f"requests left {three_figures(late)} ms late (p99) though connections were free; at most {LATE_MS:g} ms: "
            "something else keeps this machine busy"
        )
    if found.sent < ACHIEVED * found.due:
        achieved = found.sent / found.stage.seconds
        yield (
            f"{achieved:.0f} requests a second were sent in time, {found.sent / found.due:.1%} of those due; "
            f"expected at least {ACHIEVED:.0%}"
        )


def find_knee(stages: Sequence[StageMeasured], budget: Budget) -> Knee | None:
    """The last step that held before the first that did not; a steady stage counts as a step below the ramp's first."""
    if not any(found.stage.role == STEP for found in stages):
        return None
    rate = 0.0
    for found in stages:
        if found.stage.role not in (STEP, *JUDGED):
            continue
        bound = next(generator_problems(found), "")
        wrong = bound or next(breaches(found, budget), "")
        if wrong:
            return Knee(rate, f"at {found.stage.rate:.0f}/s {wrong}", bool(bound))
        rate = found.stage.rate
    return Knee(rate, "")


def _violations(measured: Measured) -> Iterator[Reason]:
    told = {violation.check: violation.found for violation in reversed(measured.checked.told)}
    for check, number in sorted(measured.checked.violated.items()):
        yield Reason("all", f"{check} was violated {number} times; for instance: {told.get(check, 'not kept')}")


def _invalid(measured: Measured, stages: Sequence[StageMeasured], generators: int) -> Iterator[Reason]:
    if measured.generators < generators:
        yield Reason("all", f"{generators - measured.generators} of {generators} generators were lost")
    for problem in measured.problems:
        yield Reason("all", problem)
    judged = [found for found in stages if found.stage.role in JUDGED]
    if not judged and not any(found.stage.role == STEP for found in stages):
        yield Reason("all", "no stage that is judged came to its end")
    for found in judged:
        yield from (Reason(found.stage.name, problem) for problem in generator_problems(found))


def _failed(stages: Sequence[StageMeasured], budget: Budget, knee: Knee | None) -> Iterator[Reason]:
    for found in stages:
        if found.stage.role in JUDGED:
            yield from (Reason(found.stage.name, breach) for breach in breaches(found, budget))
            if not found.fresh.count:
                yield Reason(found.stage.name, "freshness was not measured: no changed fare was ever shown")
        elif found.stage.role == SPIKE:
            yield from (Reason(found.stage.name, breach) for breach in _errors(found, budget))
    if knee is not None and knee.rate < budget.knee and not knee.bound_by_generator:
        yield Reason("ramp", f"the knee is at {knee.rate:.0f} requests a second; the budget wants {budget.knee:g}")


def _over(name: str, found: Histogram, limits: dict[str, float]) -> Iterator[str]:
    for quantile, limit in limits.items():
        measured = milliseconds(found, QUANTILES[quantile])
        if measured is not None and measured > limit:
            yield f"{name} {quantile} was {three_figures(measured)} ms; at most {limit:g} ms"


def _shares(found: StageMeasured, budget: Budget) -> Iterator[str]:
    yield from _errors(found, budget)
    degraded = found.degraded_decisions / max(1, found.decisions)
    if degraded > budget.degraded:
        what = ", ".join(sorted(found.degraded))
        yield f"{degraded:.2%} of the decisions were degraded ({what}); at most {budget.degraded:.2%}"


def _errors(found: StageMeasured, budget: Budget) -> Iterator[str]:
    answered = sum(kind.answered for kind in found.kinds.values())
    share = (found.due - answered) / max(1, found.due)
    if share > budget.errors:
        codes = sorted({code for kind in found.kinds.values() for code in kind.failed}) or ["not answered in time"]
        yield f"{share:.2%} of the requests got no answer ({', '.join(codes)}); at most {budget.errors:.2%}"
