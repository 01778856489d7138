"""What one process has counted, as plain values, and how several processes' add up to one host's.

Counters and histograms are summed, those of processes that have ended too: a sum that falls would look to Prometheus
like a restart of everything. A gauge is of what runs now, and says itself how processes add up (`across`).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
from prometheus_client import Metric
from prometheus_client.registry import Collector

Labels = tuple[tuple[str, str], ...]
"""(label, value), by label."""
EACH = "each"
"""A gauge that is not added up: the label `process` says whose it is."""
ADDED_UP: Mapping[str, Callable[[float, float], float]] = {
    "sum": lambda one, other: one + other,
    "max": max,
    "min": min,
}
PROCESS = "process"
CREATED = "_created"
"""When a series began: of several processes nobody can say."""


class Family(msgspec.Struct, frozen=True, array_like=True):
    """One metric with all its series."""

    name: str
    kind: str
    meaning: str
    samples: tuple[tuple[str, Labels, float], ...]
    """(name of the series, labels, value)"""


def collected(source: Collector) -> tuple[Family, ...]:
    """What a registry, or any collector, has now."""
    return tuple(
        Family(
            metric.name,
            metric.type,
            metric.documentation,
            tuple(
                (sample.name, tuple(sorted(sample.labels.items())), float(sample.value))
                for sample in metric.samples
                if not sample.name.endswith(CREATED)
            ),
        )
        for metric in source.collect()
    )


@dataclass(slots=True)
class Sum:
    """Adds up. `across`: gauge -> sum, min, max or each; a gauge that is not in it is nobody's business."""

    across: Mapping[str, str]
    _families: dict[str, tuple[Family, dict[tuple[str, Labels], float]]] = field(default_factory=dict)

    def add(self, families: Iterable[Family], process: str) -> None:
        """What a process that runs has counted."""
        for family in families:
            if family.kind != "gauge":
                self._add(family, "sum", ())
            elif family.name in self.across:
                across = self.across[family.name]
                self._add(family, across, ((PROCESS, process),) if across == EACH else ())

    def add_ended(self, families: Iterable[Family]) -> None:
        """What processes that have ended had counted: of a gauge that is a sum they have nothing any more, and that

        is kept, since an alert must be able to see a 0."""
        for family in families:
            if family.kind != "gauge":
                self._add(family, "sum", ())
            elif self.across.get(family.name) == "sum":
                nothing = tuple((name, labels, 0.0) for name, labels, _ in family.samples)
                self._add(Family(family.name, family.kind, family.meaning, nothing), "sum", ())

    def _add(self, family: Family, across: str, more: Labels) -> None:
        _, found = self._families.setdefault(family.name, (family, {}))
        together = ADDED_UP.get(across, ADDED_UP["sum"])
        for name, labels, value in family.samples:
            key = (name, tuple(sorted((*labels, *more))))
            found[key] = together(found[key], value) if key in found else value

    def families(self) -> tuple[Family, ...]:
        """The sum, by name."""
        return tuple(
            Family(name, family.kind, family.meaning, tuple((*key, value) for key, value in found.items()))
            for name, (family, found) in sorted(self._families.items())
        )


def metric(family: Family) -> Metric:
    """As prometheus_client exposes it."""
    made = Metric(family.name, family.meaning, family.kind)
    for name, labels, value in family.samples:
        made.add_sample(name, dict(labels), value)
    return made
