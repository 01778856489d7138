"""The target's own metrics over a stage: what /metrics said at its end less what it said at its beginning."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

STAGES = "offing_stage_seconds"
CACHE = "offing_decision_cache_total"
Sample = tuple[str, tuple[tuple[str, str], ...]]
"""(name, labels in order)"""


def samples(text: str) -> dict[Sample, float]:
    """Every sample of the text form."""
    found: dict[Sample, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = tuple(sorted(sample.labels.items()))
            found[sample.name, labels] = found.get((sample.name, labels), 0.0) + sample.value
    return found


def moved(metrics: tuple[str, str]) -> dict[Sample, float]:
    """How much each counter moved from the first text to the second; empty if either is missing."""
    before, after = metrics
    if not before or not after:
        return {}
    begun = samples(before)
    return {sample: value - begun.get(sample, 0.0) for sample, value in samples(after).items()}


def by_label(delta: Mapping[Sample, float], name: str, label: str) -> dict[str, float]:
    """Sums of one metric by one of its labels."""
    found: dict[str, float] = {}
    for (sample, labels), value in delta.items():
        if sample == name:
            key = dict(labels).get(label, "")
            found[key] = found.get(key, 0.0) + value
    return found


def stage_ms(delta: Mapping[Sample, float]) -> dict[str, tuple[float, float]]:
    """Stage of a decision -> (ms on average, how often); nothing of stages that never ran."""
    sums, counts = by_label(delta, f"{STAGES}_sum", "stage"), by_label(delta, f"{STAGES}_count", "stage")
    return {stage: (1000 * sums[stage] / counts[stage], counts[stage]) for stage in sums if counts.get(stage)}


def cache(delta: Mapping[Sample, float]) -> dict[str, float]:
    """Result of looking for a kept decision -> how often, the probe's questions included."""
    return {result: number for result, number in by_label(delta, CACHE, "result").items() if number}
