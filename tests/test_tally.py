"""Tallies: cheap to move, and to Prometheus the same as its own metrics."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from streams.tally import TallyCounter, TallyHistogram

BOUNDS = (0.00005, 0.001, 0.25, 1.0)
SIZES = st.one_of(st.sampled_from(BOUNDS), st.floats(0, 5, allow_nan=False))


def exposed(registry: CollectorRegistry) -> list[str]:
    """What Prometheus is told, without the moments at which its own metrics were made."""
    lines = generate_latest(registry).decode().splitlines()
    return sorted(line for line in lines if "_created" not in line)


@given(st.lists(st.tuples(st.sampled_from(("hit", "miss")), st.integers(1, 9))))
def test_a_counter_is_exposed_as_prometheus_would_expose_its_own(moves: list[tuple[str, int]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = TallyCounter("cache", "What came of it.", ("result",), ours)
    counter = Counter("cache", "What came of it.", ("result",), registry=theirs)
    for result, amount in moves:
        tally.labels(result).inc(amount)
        counter.labels(result).inc(amount)
    assert exposed(ours) == exposed(theirs)


@given(st.lists(st.tuples(st.sampled_from(("read", "decide")), SIZES)))
def test_a_histogram_is_exposed_as_prometheus_would_expose_its_own(moves: list[tuple[str, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    tally = TallyHistogram("stage", "How long.", BOUNDS, ("stage",), ours)
    histogram = Histogram("stage", "How long.", ("stage",), buckets=BOUNDS, registry=theirs)
    for stage, size in moves:
        tally.labels(stage).observe(size)
        histogram.labels(stage).observe(size)
    assert exposed(ours) == exposed(theirs)


def test_without_labels_they_are_moved_directly_and_start_at_zero() -> None:
    registry = CollectorRegistry()
    counter = TallyCounter("beyond", "Not looked at.", registry=registry)
    histogram = TallyHistogram("candidates", "Scored.", (1, 2), registry=registry)
    assert registry.get_sample_value("beyond_total") == 0
    counter.inc(3)
    histogram.observe(2)
    histogram.observe(7)
    assert registry.get_sample_value("beyond_total") == 3
    assert registry.get_sample_value("candidates_bucket", {"le": "2.0"}) == 1
    assert registry.get_sample_value("candidates_bucket", {"le": "+Inf"}) == 2
    assert registry.get_sample_value("candidates_sum") == 9


def test_a_child_is_the_same_every_time_and_wants_a_value_for_each_label() -> None:
    counter = TallyCounter("decisions", "Answered.", ("origin", "degraded"), None)
    assert counter.labels("live", "") is counter.labels("live", "")
    with pytest.raises(ValueError, match=r"1 values \('live',\) for the labels \('origin', 'degraded'\)"):
        counter.labels("live")
