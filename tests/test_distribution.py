"""Distribution: bins that miss nothing, an index that is near 0 where nothing moved, and a bound for chance."""

import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from scoring.distribution import (
    BINS,
    DISTINCT,
    LARGE,
    MOST_ROWS,
    MOVED,
    Binned,
    binned,
    counted,
    distribution,
    noise,
    psi,
)
from scoring.features import Column, FeatureList, Part, Transform

NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=32)


MANY, ONE_AT_LEAST = (arrays(np.float64, st.integers(least, 60), elements=NUMBERS) for least in (0, 1))


@given(MANY, MANY)
@settings(max_examples=50)
def test_every_value_lies_in_exactly_one_bin_and_the_bins_survive_json(before: np.ndarray, after: np.ndarray) -> None:
    found = binned(before)
    assert list(found.edges) == sorted(set(found.edges))
    assert len(found.counts) == len(found.edges) + 2
    assert sum(found.counts) == len(before)
    assert sum(counted(after, found.edges)) == len(after)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Binned) == found


@given(ONE_AT_LEAST, st.integers(1, 5))
@settings(max_examples=50)
def test_the_same_values_again_once_or_several_times_have_not_moved(values: np.ndarray, times: int) -> None:
    found = binned(values)
    again = counted(np.tile(values, times), found.edges)
    assert 0 <= psi(found.counts, again) < MOVED
    if times == 1:
        assert psi(found.counts, again) == 0


@given(st.lists(st.integers(0, 1_000), min_size=2, max_size=12), st.data())
@settings(max_examples=50)
def test_the_index_is_never_negative_and_the_same_both_ways(before: list[int], data: st.DataObject) -> None:
    after = data.draw(st.lists(st.integers(0, 1_000), min_size=len(before), max_size=len(before)))
    assert psi(before, after) >= 0
    assert psi(before, after) == pytest.approx(psi(after, before))


def test_the_index_is_that_of_the_formula_where_no_bin_is_empty() -> None:
    """(.5 - .5) ln 1 = 0; halves to .8 and .2: .3 ln 1.6 - .3 ln .4, as half a row matters less and less."""
    assert psi((500_000, 500_000), (800_000, 200_000)) == pytest.approx(0.3 * math.log(1.6) - 0.3 * math.log(0.4), 1e-4)


def test_samples_of_one_population_stay_below_what_chance_explains_and_a_shift_does_not() -> None:
    draw = np.random.default_rng(3)
    alarms = caught = 0
    for _ in range(200):
        before = binned(draw.normal(size=2_000))
        same = counted(draw.normal(size=300), before.edges)
        other = counted(draw.normal(0.8, size=300), before.edges)
        bound = noise(before.counts, same, (2_000, 300))
        alarms += psi(before.counts, same) > bound
        caught += psi(before.counts, other) > max(LARGE, bound)
    assert alarms <= 2
    assert caught == 200


def test_few_customers_explain_a_large_index_and_none_explain_any() -> None:
    before, after = (100, 100, 0), (70, 30, 0)
    assert psi(before, after) > MOVED
    assert noise(before, after, (1_000, 10)) > psi(before, after) > noise(before, after, (1_000, 1_000))
    assert noise(before, after, (1_000, 0)) == math.inf
    assert noise((5, 0, 0), (9, 0, 0), (10, 10)) == 0


def test_few_values_have_a_bin_each_so_that_one_never_seen_before_shows() -> None:
    month = binned(np.repeat([10.0, 11.0], 50))
    assert psi(month.counts, counted(np.full(100, 12.0), month.edges)) > LARGE
    assert psi(month.counts, counted(np.full(100, 10.5), month.edges)) > LARGE


@pytest.mark.parametrize("values", [np.full(100, np.nan), np.zeros(100), np.arange(100.0), np.repeat([-1.0, 3.0], 50)])
def test_all_missing_is_a_large_drift_unless_it_was_missing_before(values: np.ndarray) -> None:
    found = binned(values)
    index = psi(found.counts, counted(np.full(100, np.nan), found.edges))
    assert index == 0 if np.isnan(values).all() else index > LARGE


def test_many_values_are_in_tenths_and_codes_without_a_level_in_a_bin_of_their_own() -> None:
    codes = binned(np.concatenate([np.full(30, -1.0), np.arange(300.0)]))
    assert len(codes.edges) <= BINS + 2
    assert 0.0 in codes.edges
    assert sum(codes.counts[: codes.edges.index(0.0) + 1]) == 30
    assert len(binned(np.arange(float(DISTINCT))).edges) == 2 * DISTINCT


def test_a_million_rows_are_thinned_out_evenly() -> None:
    features = FeatureList(1, (Column("x", Part.COMMON, "x", Transform.NUMBER),))
    rows = np.linspace(0, 1, 3 * MOST_ROWS)[:, None]
    found = distribution(rows, features, rows[:, 0], customers=7)
    assert sum(found.columns["x"].counts) == MOST_ROWS == sum(found.score.counts)
    inner = found.columns["x"].counts[1:-2]
    assert max(inner) - min(inner) <= 2
