"""Steady, ramp, spike: how many requests a second are due when."""

import itertools

import pytest

from loadtests.load import shapes
from loadtests.load.shapes import RECOVERY, SHAPES, SPIKE, STEADY, STEP, WARM, shape, stage_at
from streams.errors import InvalidInput


def test_every_shape_begins_with_a_warm_up_that_is_not_judged() -> None:
    for name in SHAPES:
        first = shape(name, 100, 30)[0]
        assert first.role == WARM and WARM not in shapes.JUDGED
        assert first.rate <= 100


def test_steady_is_one_rate() -> None:
    assert [(stage.role, stage.rate, stage.seconds) for stage in shape("steady", 80, 25)[1:]] == [(STEADY, 80, 25)]


def test_a_ramp_rises_by_a_quarter_from_half_the_rate() -> None:
    steps = shape("ramp", 100, 60)[1:]
    assert {step.role for step in steps} == {STEP} and len(steps) == 10
    assert steps[0].rate == 50
    for before, after in itertools.pairwise(steps):
        assert after.rate == pytest.approx(before.rate * 1.25)


def test_a_spike_is_three_times_the_rate_at_once_and_time_to_recover() -> None:
    roles = [(stage.role, stage.rate) for stage in shape("spike", 50, 60)]
    assert roles == [(WARM, 50), (STEADY, 50), (SPIKE, 150), (WARM, 50), (RECOVERY, 50)]


def test_the_usual_run_is_judged_first_and_then_looks_for_the_knee_above() -> None:
    stages = shape("full", 100, 40)
    assert [stage.role for stage in stages[:3]] == [WARM, STEADY, STEP]
    assert stages[2].rate == 125
    assert stages[-1].rate > 1_000


def test_the_stage_of_an_instant() -> None:
    stages = shape("steady", 10, 20)
    assert stage_at(stages, 0) == 0
    assert stage_at(stages, stages[0].seconds) == 1
    assert stage_at(stages, shapes.seconds_of(stages)) is None


@pytest.mark.parametrize(
    ("name", "rate", "seconds", "code"),
    [
        ("waves", 10, 10, "SHAPE_UNKNOWN"),
        ("steady", 0, 10, "RATE_INVALID"),
        ("steady", float("nan"), 10, "RATE_INVALID"),
        ("steady", 50_000, 10, "RATE_INVALID"),
        ("ramp", 10, 0.5, "SECONDS_INVALID"),
    ],
)
def test_what_cannot_be_offered_is_refused_by_name(name: str, rate: float, seconds: float, code: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        shape(name, rate, seconds)
    assert refused.value.code == code
