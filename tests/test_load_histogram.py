"""Latencies to three significant figures, below 100 ms too, and merged over processes."""

from random import Random

import msgspec
import pytest

from loadtests.load.histogram import Histogram, merged, milliseconds, three_figures


def histogram(*seconds: float) -> Histogram:
    found = Histogram()
    for each in seconds:
        found.add(each)
    return found


def test_a_quantile_is_within_a_thousandth_of_the_one_of_the_sorted_values() -> None:
    rng = Random(7)
    values = sorted(rng.lognormvariate(-5, 1.5) for _ in range(20_000))
    found = histogram(*values)
    for share in (0.5, 0.9, 0.95, 0.99, 0.999):
        exact = values[int(share * len(values)) - 1]
        assert found.quantile(share) == pytest.approx(exact, rel=0.001)
    assert found.quantile(1.0) == pytest.approx(values[-1], rel=0.001)


def test_milliseconds_below_a_hundred_keep_three_figures() -> None:
    assert [three_figures(milliseconds(histogram(ms / 1000), 0.5)) for ms in (0.457, 4.57, 45.7)] == [
        "0.457", "4.57", "45.7",
    ]  # fmt: skip


def test_nothing_measured_is_said_to_be_nothing() -> None:
    assert Histogram().quantile(0.5) is None
    assert three_figures(milliseconds(Histogram(), 0.99)) == "–"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0, "0"),
        (0.01234, "0.0123"),
        (1.0, "1.00"),
        (9.996, "10.0"),
        (99.96, "100"),
        (123.4, "123"),
        (98_765.0, "98800"),
    ],
)
def test_three_significant_figures(number: float, shown: str) -> None:
    assert three_figures(number) == shown


def test_the_parts_of_several_processes_make_the_whole() -> None:
    values = [n / 997 for n in range(1, 2_000)]
    parts = {"a": histogram(*values[::3]), "b": histogram(*values[1::3]), "c": histogram(*values[2::3])}
    travelled = {name: msgspec.json.decode(msgspec.json.encode(part), type=Histogram) for name, part in parts.items()}
    whole, together = histogram(*values), merged(travelled)
    assert (together.buckets, together.count, together.most_s) == (whole.buckets, whole.count, whole.most_s)
    assert together.total_s == pytest.approx(whole.total_s)


def test_an_impossible_latency_counts_as_the_least() -> None:
    found = histogram(-0.001, 0.0)
    assert found.count == 2 and list(found.buckets) == [0]
