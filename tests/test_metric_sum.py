"""Several processes' numbers add up to one host's."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.registry import Collector

from streams.metric_sum import Family, Labels, Sum, collected, metric

ACROSS = {"queue": "sum", "size": "max", "least": "min", "active": "each"}


def gauge(name: str, value: float, *labels: tuple[str, str]) -> Family:
    return Family(name, "gauge", "Meaning.", ((name, labels, value),))


def values(total: Sum) -> dict[str, dict[Labels, float]]:
    return {
        family.name: {labels: value for _, labels, value in family.samples} for family in total.families()
    }  # fmt: skip


def test_counters_and_histograms_are_summed_series_by_series() -> None:
    total = Sum({})
    for hits, misses, seconds in ((2, 1, 0.2), (3, 0, 0.7)):
        registry = CollectorRegistry()
        counter = Counter("cache", "What came of it.", ("result",), registry=registry)
        counter.labels("hit").inc(hits)
        counter.labels("miss").inc(misses)
        Histogram("took_seconds", "How long.", buckets=(0.5,), registry=registry).observe(seconds)
        total.add(collected(registry), "serve-1")
    found = {(name, labels): value for family in total.families() for name, labels, value in family.samples}
    assert found == {
        ("cache_total", (("result", "hit"),)): 5,
        ("cache_total", (("result", "miss"),)): 1,
        ("took_seconds_bucket", (("le", "0.5"),)): 1,
        ("took_seconds_bucket", (("le", "+Inf"),)): 2,
        ("took_seconds_count", ()): 2,
        ("took_seconds_sum", ()): 0.8999999999999999,
    }


def test_a_gauge_says_itself_how_processes_add_up_and_an_unknown_one_is_left_out() -> None:
    total = Sum(ACROSS)
    for process, size in (("serve-1", 3), ("serve-2", 5)):
        families = [gauge(name, size) for name in ("queue", "size", "least", "python_info")]
        total.add([*families, gauge("active", 1, ("revision", "r-1"))], process)
    assert values(total) == {
        "queue": {(): 8},
        "size": {(): 5},
        "least": {(): 3},
        "active": {(("process", "serve-1"), ("revision", "r-1")): 1, (("process", "serve-2"), ("revision", "r-1")): 1},
    }


def test_of_processes_that_ended_the_counts_stay_and_their_part_of_a_sum_is_0() -> None:
    total = Sum(ACROSS)
    done = Family("done", "counter", "Done.", (("done_total", (), 4.0),))
    total.add_ended([done, *(gauge(name, 7) for name in ACROSS)])
    total.add([done], "serve-2")
    assert values(total) == {"done": {(): 8}, "queue": {(): 0}}


def test_what_was_added_up_is_exposed_as_prometheus_would() -> None:
    registry = CollectorRegistry()
    Gauge("queue", "Waiting.", registry=registry).set(2)
    Counter("cache", "What came of it.", ("result",), registry=registry).labels('"hit"\n').inc()
    total = Sum(ACROSS)
    total.add(collected(registry), "serve-1")

    class Collected(Collector):
        def collect(self) -> list[object]:  # type: ignore[override]
            return [metric(family) for family in total.families()]

    again = CollectorRegistry()
    again.register(Collected())
    lines = [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]
    assert sorted(generate_latest(again).decode().splitlines()) == sorted(lines)
