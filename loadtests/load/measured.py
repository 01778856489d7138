"""What a generator measured, stage by stage. Plain data that adds up over generators and travels as JSON."""

from collections.abc import Mapping, Sequence

import msgspec

from loadtests.load.histogram import Histogram
from loadtests.load.shapes import Stage

KEPT = 20
"""Violations that are told in full; the others are counted."""


class KindMeasured(msgspec.Struct):
    """Requests of one kind that were due in one stage."""

    answered: int = 0
    failed: dict[str, int] = {}
    """Code -> requests that got no usable answer, after every retry."""
    retries: int = 0
    """Attempts beyond the first."""
    from_due: Histogram = msgspec.field(default_factory=Histogram)
    """From the instant it was due to its answer: the latency that counts."""
    from_sent: Histogram = msgspec.field(default_factory=Histogram)
    """From the last attempt's first byte out to its answer: what the target alone took."""


class StageMeasured(msgspec.Struct):
    """One stage."""

    stage: Stage
    complete: bool = False
    """Its time has passed; a ramp may end in the middle of a step."""
    due: int = 0
    sent: int = 0
    """Of those due, sent before the stage was over."""
    kinds: dict[str, KindMeasured] = {}
    decisions: int = 0
    """Answered."""
    degraded: dict[str, int] = {}
    """What -> decisions that did without it."""
    degraded_decisions: int = 0
    fallbacks: int = 0
    """Decisions with a fallback in some placement."""
    hits: int = 0
    """Decisions that this customer had been given before: kept ones."""
    hits_as_live: int = 0
    """... without outcomes reported in between. Live outcomes count, so a decision from before them is not kept."""
    late: Histogram = msgspec.field(default_factory=Histogram)
    """How much after it was due a request was sent, for whatever reason."""
    unpunctual: Histogram = msgspec.field(default_factory=Histogram)
    """The same of requests that had a free lane waiting for them: the generator's own delay, or its machine's."""
    fresh: Histogram = msgspec.field(default_factory=Histogram)
    """From a fare change accepted to the first answer that shows it."""
    unseen: int = 0
    """Fare changes that no answer showed in time."""
    cpu: list[float] = []
    """The generator's share of one core, sample by sample."""
    used_cpu: float = 0.0
    """CPU seconds of the generators."""
    processes: dict[str, float] = {}
    """CPU seconds of the target's processes, where they are of this host."""
    host_cpu: float = 0.0
    """CPU seconds of everything that ran on the generator's host."""
    metrics: tuple[str, str] = ("", "")
    """The target's /metrics at the beginning and at the end."""

    def kind(self, name: str) -> KindMeasured:
        """Of one kind, begun if need be."""
        return self.kinds.setdefault(name, KindMeasured())


class Violation(msgspec.Struct, frozen=True):
    """What was wrong with an answer."""

    check: str
    found: str


class Checked(msgspec.Struct):
    """What the checks saw."""

    looked_at: dict[str, int] = {}
    """Check -> items (of `not_sold_out`: those about rooms that this run sold out at some time)."""
    violated: dict[str, int] = {}
    told: list[Violation] = []
    """The first ones."""

    def add(self, violation: Violation) -> None:
        """One more."""
        more(self.violated, violation.check)
        if len(self.told) < KEPT:
            self.told.append(violation)


class Measured(msgspec.Struct):
    """A whole run."""

    stages: list[StageMeasured]
    checked: Checked = msgspec.field(default_factory=Checked)
    generators: int = 1
    """How many have reported."""
    problems: list[str] = []
    """What kept the generator itself from doing its work."""


def begun(stages: Sequence[Stage]) -> list[StageMeasured]:
    """Nothing measured yet."""
    return [StageMeasured(stage) for stage in stages]


def more(counts: dict[str, int], name: str, by: int = 1) -> None:
    """Count one more."""
    counts[name] = counts.get(name, 0) + by


def merge(into: Measured, other: Measured) -> None:
    """Another generator's share of the same run."""
    for mine, theirs in zip(into.stages, other.stages, strict=True):
        merge_stage(mine, theirs)
    _add(into.checked.looked_at, other.checked.looked_at)
    _add(into.checked.violated, other.checked.violated)
    into.checked.told = [*into.checked.told, *other.checked.told][:KEPT]
    into.generators += other.generators
    into.problems += other.problems


def merge_stage(into: StageMeasured, other: StageMeasured) -> None:
    """Another generator's share of the same stage."""
    into.complete = into.complete and other.complete
    for name in ("due", "sent", "decisions", "degraded_decisions", "fallbacks", "hits", "hits_as_live", "unseen"):
        setattr(into, name, getattr(into, name) + getattr(other, name))
    for name in ("late", "unpunctual", "fresh"):
        getattr(into, name).merge(getattr(other, name))
    _add(into.degraded, other.degraded)
    into.cpu += other.cpu
    into.processes = into.processes or other.processes
    into.used_cpu += other.used_cpu
    into.host_cpu = max(into.host_cpu, other.host_cpu)
    into.metrics = into.metrics if into.metrics[1] else other.metrics
    for name, kind in other.kinds.items():
        mine = into.kind(name)
        mine.answered += kind.answered
        mine.retries += kind.retries
        _add(mine.failed, kind.failed)
        mine.from_due.merge(kind.from_due)
        mine.from_sent.merge(kind.from_sent)


def _add(into: dict[str, int], other: Mapping[str, int]) -> None:
    for name, number in other.items():
        more(into, name, number)
