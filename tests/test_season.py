"""Seasons: days against a plain count of them, Easters and holidays as almanacs have them, New Year, leap years."""

from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.deployment_files import read_seasons
from offers.season import (
    HOLIDAYS_UNTIL,
    ORTHODOX,
    YEARS,
    Calendar,
    Dates,
    EasterDay,
    Holidays,
    Season,
    Yearly,
    day_of,
    holds,
    holidays_of,
    next_span,
)
from streams.sheet import Sheet

DAY = timedelta(days=1)
ALMANAC = {
    2024: ("2024-03-31", "2024-05-05"), 2025: ("2025-04-20", "2025-04-20"), 2026: ("2026-04-05", "2026-04-12"),
    2027: ("2027-03-28", "2027-05-02"), 2028: ("2028-04-16", "2028-04-16"), 2038: ("2038-04-25", "2038-04-25"),
    2030: ("2030-04-21", "2030-04-28"),
}  # fmt: skip
"""Easter Sundays of the western and of the orthodox churches."""
PAGE = Path(__file__).parent.parent / "docs" / "campaigns.md"


@pytest.mark.parametrize("year", ALMANAC)
def test_easter_is_that_of_the_almanac(year: int) -> None:
    found = [day_of(EasterDay(rite=rite), year, ends=False).isoformat() for rite in ("western", ORTHODOX)]
    assert tuple(found) == ALMANAC[year]


def yearly(year: int, day: tuple[int, int]) -> date:
    return date(year, *day) if day != (2, 29) or year % 4 == 0 else date(year, 3, 1)


month_days = st.dates(date(2024, 1, 1), date(2024, 12, 31)).map(lambda day: (day.month, day.day))


@given(month_days, month_days, st.dates(date(2001, 1, 1), date(2099, 12, 31)))
def test_a_yearly_season_holds_what_a_plain_comparison_holds(
    starts: tuple[int, int], ends: tuple[int, int], day: date
) -> None:
    today = (day.month, day.day)
    within = starts <= today <= ends if starts <= ends else today >= starts or today <= ends
    assert holds(Yearly(starts, ends), day) is within


def test_a_season_of_29_february_alone_is_in_leap_years_alone() -> None:
    alone = Yearly((2, 29), (2, 29))
    days = [
        date(2027, 2, 28),
        date(2027, 3, 1),
        date(2027, 7, 1),
        date(2028, 2, 28),
        date(2028, 2, 29),
        date(2028, 3, 1),
    ]
    assert [holds(alone, day) for day in days] == [False, False, False, False, True, False]


@given(st.integers(-80, 200), st.integers(0, 60), st.sampled_from(["western", ORTHODOX]), st.integers(2001, 2099))
def test_days_from_easter_are_counted_from_its_sunday(first: int, length: int, rite: str, year: int) -> None:
    calendar = Yearly(EasterDay(first, rite), EasterDay(min(first + length, 200), rite))
    sunday = day_of(EasterDay(rite=rite), year, ends=False)
    inside = [sunday + DAY * days for days in (first, min(first + length, 200))]
    outside = [sunday + DAY * days for days in (first - 1, min(first + length, 200) + 1)]
    assert [holds(calendar, day) for day in (*inside, *outside)] == [True, True, False, False]


def test_a_season_from_november_until_easter_is_over_when_easter_is() -> None:
    dark = Yearly((11, 1), EasterDay(1))
    days = [date(2026, 10, 31), date(2026, 11, 1), date(2027, 1, 1), date(2027, 3, 29), date(2027, 3, 30)]
    assert [holds(dark, day) for day in days] == [False, True, True, True, False]


def test_a_leap_day_that_is_missing_lets_nothing_fall_out_and_nothing_in() -> None:
    until, since = Yearly((2, 1), (2, 29)), Yearly((2, 29), (3, 31))
    for year, last in ((2027, 28), (2028, 29)):
        end = date(year, 2, last)
        assert [holds(until, end), holds(until, end + DAY)] == [True, False]
    assert [holds(since, day) for day in (date(2027, 2, 28), date(2027, 3, 1), date(2028, 2, 29))] == [
        False,
        True,
        True,
    ]


def test_holidays_are_those_of_the_region() -> None:
    ambrose, columbus = date(2026, 12, 7), date(2026, 10, 12)
    assert [holds(Holidays(region), ambrose) for region in ("IT-MI", "IT", "IT-RM")] == [True, False, False]
    assert [holds(Holidays(region), columbus) for region in ("US", "US-CA")] == [True, False]
    assert holidays_of("IT", 2026)[date(2026, 4, 25)] == "Liberation Day"
    assert [holds(Holidays("GR"), date(2027, month, day)) for month, day in ((4, 30), (5, 3), (3, 29))] == [
        True, True, False,
    ], "Good Friday and Monday of the orthodox Easter"  # fmt: skip


def test_days_around_a_holiday_reach_over_new_year() -> None:
    around = Holidays("IT", 1)
    days = [date(2026, 12, 27), date(2026, 12, 28), date(2026, 12, 31), date(2027, 1, 2), date(2027, 1, 3)]
    assert [holds(around, day) for day in days] == [True, False, True, True, False]


def test_what_lasts_over_new_year_as_dates_is_in_both_years() -> None:
    regatta = Dates(((date(2026, 12, 30), date(2027, 1, 2)), (date(2028, 2, 1), date(2028, 2, 1))))
    days = [date(2026, 12, 29), date(2026, 12, 30), date(2027, 1, 2), date(2027, 1, 3), date(2028, 2, 1)]
    assert [holds(regatta, day) for day in days] == [False, True, True, False, True]


def test_dates_of_more_than_a_year_have_no_gap() -> None:
    long = Dates(((date(2026, 6, 1), date(2029, 6, 1)),))
    assert all(holds(long, date(year, 7, 1)) for year in (2026, 2027, 2028))
    assert not holds(long, date(2029, 7, 1))


CALENDARS: tuple[Calendar, ...] = (
    Yearly((6, 1), (9, 15)), Yearly((11, 1), (3, 31)), Yearly(EasterDay(-14), EasterDay(7, ORTHODOX)),
    Holidays("IT-MI", 1), Holidays("DE-BY"), Dates(((date(2026, 12, 30), date(2027, 1, 2)),)),
)  # fmt: skip


@given(st.sampled_from(CALENDARS), st.dates(date(2020, 1, 1), date(2035, 12, 31)))
def test_the_next_stretch_is_the_first_run_of_days_that_hold(calendar: Calendar, day: date) -> None:
    found = next_span(calendar, day)
    ahead = [day + DAY * number for number in range(500)]
    first = next((each for each in ahead if holds(calendar, each)), None)
    if first is None:
        assert found is None or found[0] > ahead[-1]
        return
    assert found is not None
    assert max(found[0], day) == first
    assert [holds(calendar, each) for each in (found[0] - DAY, found[0], found[1], found[1] + DAY)] == [
        False, True, True, False,
    ]  # fmt: skip


def test_years_without_an_almanac_have_no_days() -> None:
    assert not any(holds(calendar, date(9999, 12, 31)) or holds(calendar, date(1, 1, 1)) for calendar in CALENDARS)
    assert holds(Holidays("IT"), date(HOLIDAYS_UNTIL, 12, 25))
    assert not holds(Holidays("IT"), date(HOLIDAYS_UNTIL + 1, 12, 25)), "rather none than a wrong one"
    assert next_span(Holidays("IT"), date(YEARS.stop, 1, 1)) is None


def test_the_seasons_of_the_page_are_read_as_it_says(tmp_path: Path) -> None:
    block = PAGE.read_text().partition("```yaml seasons\n")[2].partition("```")[0]
    (tmp_path / "seasons.yaml").write_text(block)
    sheet = Sheet("seasons.yaml")
    found = {season.name: season for season in read_seasons(tmp_path, sheet)}
    assert sheet.findings == []
    assert found["greek-easter"] == Season(
        "greek-easter", "Europe/Athens", Yearly(EasterDay(-7, ORTHODOX), EasterDay(7, ORTHODOX))
    )
    assert found["long-weekends"] == Season("long-weekends", "Europe/Rome", Holidays("IT-MI", 1))
    assert found["regatta"].calendar == Dates(
        ((date(2027, 5, 8), date(2027, 5, 8)), (date(2027, 5, 14), date(2027, 5, 16)))
    )
    assert sorted(found) == ["easter", "greek-easter", "long-weekends", "regatta", "summer", "winter"]
