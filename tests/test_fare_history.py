"""What a product cost day by day: what a crossed-out price says is never higher than the truth."""

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.fare_history import KEPT_DAYS, FareDays, day_of, heard, heard_late, lowest_since
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS

START: Millis = 20_000 * DAY_MS
TODAY = 20_120


def _said(fares: list[tuple[Millis, int]]) -> FareDays:
    """As the market folds them: the newest stands, whatever came when."""
    days: FareDays = ()
    newest: Millis = -1
    for at, minor in fares:
        if at >= newest:
            days, newest = heard(days, at, minor), at
        else:
            days = heard_late(days, newest, at, minor)
    return days


def _lowest(fares: list[tuple[Millis, int]], first: int, *, midnight: bool = False) -> int | None:
    """From the fares themselves: the least of those in force at any moment of day `first` or after it.

    `midnight`: one that ends at the very instant at which that day begins counts too.
    """
    in_order = sorted(fares, key=lambda fare: fare[0])
    if not in_order or day_of(in_order[0][0]) > first:
        return None
    ends = [*(at for at, _ in in_order[1:]), None]
    inside = [
        minor
        for (at, minor), end in zip(in_order, ends, strict=True)
        if end is None or end > first * DAY_MS or (midnight and end == first * DAY_MS)
    ]
    return min(inside)


_TIMES = st.integers(0, 119).flatmap(
    lambda day: st.integers(0, 23).map(lambda hour: START + day * DAY_MS + hour * HOUR_MS)
)
_FARES = st.lists(st.tuples(_TIMES, st.integers(1, 9)), min_size=1, max_size=25, unique_by=lambda fare: fare[0])


@settings(max_examples=300, deadline=None)
@given(_FARES, st.integers(TODAY - KEPT_DAYS, TODAY))
def test_in_order_it_is_the_least_fare_in_force_since_that_day(fares: list[tuple[Millis, int]], first: int) -> None:
    found = lowest_since(_said(sorted(fares)), first)
    assert (None if found is None else found[0]) == _lowest(fares, first, midnight=True)


def test_a_fare_that_ends_at_midnight_counts_for_the_new_day_too() -> None:
    """Days are all that is kept; the lower one makes no crossed-out price too high."""
    days = _said([(START, 1), (START + 10 * DAY_MS, 2)])
    assert lowest_since(days, 20_010) == (1, 20_010)
    assert lowest_since(days, 20_011) == (2, 20_010)


@settings(max_examples=500, deadline=None)
@given(_FARES, st.integers(TODAY - KEPT_DAYS, TODAY))
def test_out_of_order_it_is_never_higher_than_the_truth(fares: list[tuple[Millis, int]], first: int) -> None:
    found, truth = lowest_since(_said(fares), first), _lowest(fares, first)
    assert (found is None) == (truth is None)
    assert found is None or truth is None or found[0] <= truth


@settings(max_examples=200, deadline=None)
@given(_FARES)
def test_days_are_in_order_and_few(fares: list[tuple[Millis, int]]) -> None:
    days = _said(fares)
    assert [day for day, _, _ in days] == sorted({day for day, _, _ in days})
    assert len(days) <= KEPT_DAYS + 2


def test_a_late_fare_between_two_equal_ones_counts() -> None:
    """The equal one made no entry: what is said of the days before it must not be lost for that."""
    days = _said([(START, 7900), (START + 15 * DAY_MS, 7900), (START + 12 * DAY_MS, 6000)])
    assert lowest_since(days, 20_010) == (6000, 20_012)
    assert lowest_since(days, 20_016) == (7900, 20_015)


def test_a_fare_said_again_every_hour_for_a_year_is_one_day() -> None:
    assert _said([(START + hour * HOUR_MS, 7900) for hour in range(365 * 24)]) == ((20_000, 7900, 7900),)


def test_what_a_product_cost_before_it_was_heard_of_is_not_known() -> None:
    days = _said([(START + 5 * DAY_MS, 7900)])
    assert lowest_since(days, 20_004) is None
    assert lowest_since(days, 20_005) == (7900, 20_005)
    assert lowest_since((), 20_005) is None
