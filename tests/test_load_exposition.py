"""What the target's own metrics say of a stage."""

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest

from loadtests.load import exposition


def texts() -> tuple[str, str]:
    """/metrics before and after four decisions, of two of which the second stage took 3 ms each."""
    registry = CollectorRegistry()
    stages = Histogram("offing_stage_seconds", "Of a decision.", ["stage"], buckets=(0.001, 0.01), registry=registry)
    cache = Counter("offing_decision_cache", "Kept ones.", ["result"], registry=registry)
    stages.labels("read").observe(0.5)
    cache.labels("hit").inc(7)
    before = generate_latest(registry).decode()
    for _ in range(2):
        stages.labels("decide").observe(0.003)
    stages.labels("read").observe(0.001)
    cache.labels("hit").inc(3)
    cache.labels("miss").inc()
    cache.labels("stale").inc(0)
    return before, generate_latest(registry).decode()


def test_only_what_moved_meanwhile_counts() -> None:
    delta = exposition.moved(texts())
    assert exposition.cache(delta) == {"hit": 3, "miss": 1}
    found = exposition.stage_ms(delta)
    assert {stage: (round(mean, 6), count) for stage, (mean, count) in found.items()} == {
        "decide": (3.0, 2), "read": (1.0, 1),
    }  # fmt: skip


def test_without_one_of_the_two_texts_nothing_is_said() -> None:
    before, _ = texts()
    assert exposition.moved(("", before)) == exposition.moved((before, "")) == {}
    assert exposition.stage_ms({}) == {} and exposition.cache({}) == {}


def test_a_stage_that_never_ran_is_not_reported() -> None:
    before, _ = texts()
    assert exposition.stage_ms(exposition.moved((before, before))) == {}
