"""What the bench found, beside what was aimed at: .offing/bench.json."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

VERSION = 1


@dataclass(frozen=True, slots=True)
class Goal:
    """What a number should be. `most` or `least`, whichever is set, is the target; `aim` is better still."""

    most: float | None = None
    least: float | None = None
    aim: float | None = None

    def met(self, value: float) -> bool:
        """Whether the target is met; NaN never is."""
        return value <= self.most if self.most is not None else self.least is not None and value >= self.least

    def aimed(self, value: float) -> bool | None:
        """Whether the aim is; None: there is none."""
        if self.aim is None:
            return None
        return value <= self.aim if self.most is not None else value >= self.aim

    @property
    def text(self) -> str:
        """For the table."""
        bound = f"at most {self.most:g}" if self.most is not None else f"at least {self.least:g}"
        return bound if self.aim is None else f"{bound}, aim {self.aim:g}"


GOALS: Mapping[str, Goal] = {
    "decision_p50_over_floor": Goal(most=5.0, aim=4.0),
    "decision_p99_over_p50_at_half_load": Goal(most=4.0),
    "per_candidate_ms": Goal(most=0.006, aim=0.003),
    "p50_100k_over_1k_offers": Goal(most=1.25),
    "throughput_over_floor_uncached": Goal(least=0.20, aim=0.27),
    "throughput_over_floor_cached": Goal(least=0.50, aim=0.60),
    "throughput_over_handrolled_1k": Goal(least=3.0),
    "throughput_over_handrolled_10k": Goal(least=8.0),
    "booster_over_compiled_100_rows": Goal(least=8.0),
    "scoring_step_over_booster": Goal(most=0.35),
    "fold_events_per_s": Goal(least=10_000, aim=15_000),
    "redis_bytes_per_customer": Goal(most=600, aim=450),
}
"""By key. Those without a goal are there to be read."""


class Row(msgspec.Struct, frozen=True):
    """One line of the table: a service asked in one way, medians of its runs."""

    scene: str
    p50_ms: float
    p99_ms: float
    per_s: float
    service_cpu_ms: float
    client_share: float
    runs: int
    requests: int


class Results(msgspec.Struct, frozen=True):
    """bench.json."""

    v: int
    at: str
    commit: str
    machine: str
    conditions: str
    whole: bool
    """Whether all parts were measured."""
    seconds: float
    values: dict[str, float | None]
    """By key; None: not measured in this run."""
    targets: dict[str, dict[str, Any]]
    rows: list[Row]
    notes: list[str] = []


def targets(values: Mapping[str, float | None]) -> dict[str, dict[str, Any]]:
    """Key -> what was aimed at, what was found, whether it is met."""
    found = {}
    for key, goal in GOALS.items():
        value = values.get(key)
        met = None if value is None else goal.met(value)
        aimed = None if value is None else goal.aimed(value)
        found[key] = {"target": goal.text, "value": value, "met": met, "aimed": aimed}
    return found
