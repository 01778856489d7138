"""Passed, failed, invalid: which, and why; and where the knee is."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from loadtests.load.budget import Budget
from loadtests.load.measured import Measured, StageMeasured, Violation
from loadtests.load.shapes import RECOVERY, SPIKE, STEADY, STEP, WARM, Stage
from loadtests.load.verdict import Outcome, Verdict, find_knee, judge

BUDGET = Budget(
    latency_ms={"decision": {"p50": 10.0, "p95": 20.0, "p99": 40.0}},
    freshness_ms={"p50": 50.0, "p95": 100.0, "p99": 250.0},
    errors=0.01,
    degraded=0.02,
    knee=100.0,
)


def stage(role: str = STEADY, rate: float = 100.0, *, ms: float = 5.0, **changes: Any) -> StageMeasured:
    """One that meets the budget at 1,000 decisions of so many milliseconds."""
    found = StageMeasured(Stage(role, role, 10.0, rate), complete=True, due=1_000, sent=1_000, decisions=1_000)
    kind = found.kind("decision")
    for _ in range(1_000):
        kind.from_due.add(ms / 1000)
        found.unpunctual.add(0.0005)
    kind.answered = 1_000
    found.cpu = [0.4, 0.5]
    for _ in range(40):
        found.fresh.add(0.02)
    for name, value in changes.items():
        setattr(found, name, value)
    return found


def judged(*stages: StageMeasured, generators: int = 1, **changes: Any) -> Verdict:
    measured = Measured(list(stages))
    for name, value in changes.items():
        setattr(measured, name, value)
    return judge(measured, BUDGET, generators)


def told(verdict: Verdict) -> str:
    return "; ".join(f"{reason.stage}: {reason.what}" for reason in verdict.reasons)


def slow(share: float, ms: float) -> StageMeasured:
    found = stage()
    for _ in range(int(1_000 * share)):
        found.kind("decision").from_due.add(ms / 1000)
    return found


def test_a_run_within_its_budget_passes() -> None:
    verdict = judged(stage(WARM), stage())
    assert (verdict.outcome, verdict.reasons, verdict.knee) == (Outcome.PASSED, (), None)
    assert int(verdict.outcome) == 0


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (stage(ms=11.2), "steady: decision p50 was 11.2 ms; at most 10 ms"),
        (slow(0.06, 30.0), "steady: decision p95 was 30.0 ms; at most 20 ms"),
        (slow(0.02, 55.5), "steady: decision p99 was 55.5 ms; at most 40 ms"),
        (stage(degraded_decisions=30, degraded={"profile_behind": 30}),
         "steady: 3.00% of the decisions were degraded (profile_behind); at most 2.00%"),
        (stage(due=1_050, sent=1_050),
         "steady: 4.76% of the requests got no answer (not answered in time); at most 1.00%"),
        (stage(unseen=1), "steady: 1 fare changes were not shown within seconds"),
    ],
)  # fmt: skip
def test_each_breach_of_the_budget_fails_and_is_told(found: StageMeasured, reason: str) -> None:
    verdict = judged(found)
    assert verdict.outcome is Outcome.FAILED and int(verdict.outcome) == 1
    assert reason in told(verdict)


def test_fares_that_are_shown_late_or_never_fail() -> None:
    late = stage()
    for _ in range(2):
        late.fresh.add(0.3)
    assert "freshness p99 was 300 ms; at most 250 ms" in told(judged(late))
    never = stage()
    never.fresh = type(never.fresh)()
    assert judged(never).outcome is Outcome.FAILED
    assert "freshness was not measured" in told(judged(never))


@pytest.mark.parametrize(
    ("found", "reason"),
    [
        (stage(cpu=[0.85, 0.99]), "the generator used 92% of its core"),
        (stage(sent=940), "94 requests a second were sent in time, 94.0% of those due; expected at least 95%"),
    ],
)
def test_a_generator_that_was_the_bottleneck_makes_the_run_invalid(found: StageMeasured, reason: str) -> None:
    verdict = judged(found)
    assert verdict.outcome is Outcome.INVALID and int(verdict.outcome) == 2
    assert reason in told(verdict)


def test_just_punctual_enough_is_valid() -> None:
    assert judged(stage(cpu=[0.90], sent=950)).outcome is Outcome.PASSED


def test_requests_that_left_late_from_free_connections_make_it_invalid() -> None:
    found = stage(ms=100.0)
    for _ in range(20):
        found.unpunctual.add(0.09)
    verdict = judged(found)
    assert verdict.outcome is Outcome.INVALID, "whatever the latency was: it is the machine's"
    assert "requests left 90.0 ms late (p99) though connections were free" in told(verdict)


def test_a_lost_generator_makes_it_invalid() -> None:
    verdict = judged(stage(), generators=3)
    assert verdict.outcome is Outcome.INVALID
    assert "2 of 3 generators were lost" in told(verdict)


def test_a_run_in_which_nothing_came_to_its_end_is_invalid() -> None:
    assert judged(stage(WARM), stage(complete=False)).outcome is Outcome.INVALID
    assert judged(stage(), problems=["the probe was never made"]).outcome is Outcome.INVALID


@pytest.mark.parametrize("changes", [{}, {"cpu": [1.0]}, {"sent": 10}], ids=str)
def test_a_violated_invariant_fails_the_run_whatever_else_is_true(changes: Mapping[str, Any]) -> None:
    measured = Measured([stage(**changes)])
    measured.checked.add(Violation("language", "night-cabin for de-DE is in it; expected de"))
    verdict = judge(measured, BUDGET, 2)
    assert verdict.outcome is Outcome.FAILED
    assert "language was violated 1 times; for instance: night-cabin for de-DE is in it" in told(verdict)


def test_of_a_spike_only_errors_count_and_of_the_recovery_everything() -> None:
    spike = stage(SPIKE, 300, ms=500.0, cpu=[0.2])
    assert judged(stage(), spike, stage(RECOVERY)).outcome is Outcome.PASSED
    assert "recovery: decision p50 was 500 ms" in told(judged(stage(), spike, stage(RECOVERY, ms=500.0)))
    assert "spike: 50.00% of the requests got no answer" in told(
        judged(stage(), stage(SPIKE, due=2_000), stage(RECOVERY))
    )


def ramp(*rates_and_ms: tuple[float, float]) -> list[StageMeasured]:
    return [stage(), *(stage(STEP, rate, ms=ms) for rate, ms in rates_and_ms)]


def test_the_knee_is_the_last_step_that_held() -> None:
    knee = find_knee(ramp((125, 6), (156, 9), (195, 30), (244, 5)), BUDGET)
    assert knee is not None and (knee.rate, knee.bound_by_generator) == (156, False)
    assert knee.ended_by == "at 195/s decision p50 was 30.0 ms; at most 10 ms"


def test_a_ramp_that_never_ends_has_no_more_than_its_last_step() -> None:
    knee = find_knee(ramp((125, 6), (156, 6)), BUDGET)
    assert knee is not None and (knee.rate, knee.ended_by) == (156, "")


def test_a_ramp_that_the_generator_ends_says_so() -> None:
    steps = [*ramp((125, 6)), stage(STEP, 156, cpu=[0.97])]
    knee = find_knee(steps, BUDGET)
    assert knee is not None and (knee.rate, knee.bound_by_generator) == (125, True)
    assert judged(*steps).outcome is Outcome.PASSED, "what was judged was judged at a rate the generator could make"


def test_a_knee_below_the_budget_fails_or_is_invalid_if_the_generator_ended_there() -> None:
    low = [stage(STEP, 80), stage(STEP, 90, ms=50.0)]
    verdict = judged(*low)
    assert verdict.outcome is Outcome.FAILED
    assert told(verdict) == "ramp: the knee is at 80 requests a second; the budget wants 100"
    assert judged(stage(STEP, 80), stage(STEP, 90, cpu=[0.99])).outcome is Outcome.INVALID


def test_a_shape_without_a_ramp_has_no_knee() -> None:
    assert find_knee([stage(), stage(SPIKE), stage(RECOVERY)], BUDGET) is None


def test_what_was_measured_travels_between_processes_as_it_is() -> None:
    measured = Measured(ramp((125, 6)))
    again = msgspec.json.decode(msgspec.json.encode(measured), type=Measured)
    assert judge(again, BUDGET, 1) == judge(measured, BUDGET, 1)
