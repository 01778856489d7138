"""Shapes of load: how many requests a second are due in which part of a run. Pure."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

import msgspec

from streams.errors import InvalidInput

WARM, STEADY, STEP, SPIKE, RECOVERY = "warm", "steady", "step", "spike", "recovery"
JUDGED = frozenset({STEADY, RECOVERY})
"""The roles whose latency must meet the budget. Of a spike only errors count; steps look for the knee."""
WARM_S = 6.0
STEP_S = 6.0
SPIKE_S = 10.0
SPIKE_TIMES = 3.0
STEP_GROWTH = 1.25
"""So much is a ramp's next step above the one before: the knee is known to within a quarter."""
MOST_STEPS = 12
USUAL_STEADY_S = 40.0
LEAST_RATE, MOST_RATE = 1.0, 20_000.0


class Stage(msgspec.Struct, frozen=True):
    """A part of a run in which so many requests a second are due."""

    name: str
    role: str
    """warm | steady | step | spike | recovery"""
    seconds: float
    rate: float


Shape = tuple[Stage, ...]


def steady(rate: float, seconds: float) -> Shape:
    """One rate, after a warm-up that is not judged."""
    return (_warm(rate, seconds), Stage("steady", STEADY, seconds, rate))


def ramp(rate: float, seconds: float) -> Shape:
    """From half the rate upwards a step at a time. The generator ends it after the first step that does not hold."""
    return (_warm(rate / 2, seconds), *_steps(rate / 2, max(2, int(seconds / STEP_S))))


def spike(rate: float, seconds: float) -> Shape:
    """Three times the rate all at once for ten seconds, and what is left of the time to recover in."""
    rest = max(10.0, (seconds - SPIKE_S) / 2)
    return (
        _warm(rate, seconds),
        Stage("before", STEADY, rest, rate),
        Stage("spike", SPIKE, SPIKE_S, rate * SPIKE_TIMES),
        Stage("settling", WARM, STEP_S, rate),
        Stage("after", RECOVERY, rest, rate),
    )


def full(rate: float, seconds: float) -> Shape:
    """Steady, then upwards from there to the knee: what `make loadtest` runs."""
    return (*steady(rate, seconds), *_steps(rate * STEP_GROWTH, MOST_STEPS))


SHAPES: Mapping[str, Callable[[float, float], Shape]] = MappingProxyType(
    {"full": full, "steady": steady, "ramp": ramp, "spike": spike}
)


def shape(name: str, rate: float, seconds: float) -> Shape:
    """The shape of a name. Raises InvalidInput SHAPE_UNKNOWN, RATE_INVALID or SECONDS_INVALID."""
    if name not in SHAPES:
        raise InvalidInput("SHAPE_UNKNOWN", f"the shape is {name[:30]!r}; expected one of {', '.join(SHAPES)}")
    if not LEAST_RATE <= rate <= MOST_RATE:
        expected = f"expected {LEAST_RATE:g} to {MOST_RATE:g} requests a second"
        raise InvalidInput("RATE_INVALID", f"the rate is {rate:g}; {expected}")
    if not 1 <= seconds <= 86_400:
        raise InvalidInput("SECONDS_INVALID", f"the run is {seconds:g} s long; expected 1 to 86400")
    return SHAPES[name](rate, seconds)


def seconds_of(stages: Sequence[Stage]) -> float:
    """How long a shape takes."""
    return sum(stage.seconds for stage in stages)


def stage_at(stages: Sequence[Stage], at: float) -> int | None:
    """The index of the stage at so many seconds from the start; None once all are over.

    >>> [stage_at(steady(10, 20), at) for at in (0, 5.9, 6, 25.9, 26)]
    [0, 0, 1, 1, None]
    """
    for index, stage in enumerate(stages):
        if at < stage.seconds:
            return index
        at -= stage.seconds
    return None


def _warm(rate: float, seconds: float) -> Stage:
    return Stage("warm-up", WARM, min(WARM_S, seconds), rate)


def _steps(first: float, number: int) -> Shape:
    rates = (first * STEP_GROWTH**step for step in range(number))
    return tuple(Stage(f"{rate:.0f}/s", STEP, STEP_S, rate) for rate in rates)
