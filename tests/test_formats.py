import pytest

from offers import formats
from streams.instant import parse_instant


@pytest.mark.parametrize(
    ("locale", "time", "date"),
    [
        ("it", "21:30", "21 novembre 2026"),
        ("de", "21:30", "21. November 2026"),
        ("fr", "21:30", "21 novembre 2026"),
        ("en_US", "9:30\u202fPM", "November 21, 2026"),
        ("en_GB", "21:30", "21 November 2026"),
        ("zh_Hant", "晚上9:30", "2026年11月21日"),
        ("ar", "9:30 م", "21 نوفمبر 2026"),
    ],
)
def test_times_and_dates_are_written_as_in_the_locale(locale: str, time: str, date: str) -> None:
    at = parse_instant("2026-11-21T20:30:00Z")
    assert formats.time(at, "Europe/Rome", locale) == time
    assert formats.date(at, "Europe/Rome", locale) == date


def test_the_clock_is_that_of_the_zone_on_both_sides_of_a_change_of_time() -> None:
    spring = [parse_instant(f"2026-03-29T0{hour}:30:00Z") for hour in (0, 1)]
    assert [formats.time(at, "Europe/Rome", "it") for at in spring] == ["01:30", "03:30"]
    autumn = [parse_instant(f"2026-10-25T0{hour}:30:00Z") for hour in (0, 1)]
    assert [formats.time(at, "Europe/Rome", "it") for at in autumn] == ["02:30", "02:30"]
    assert formats.time(spring[1], "Africa/Tunis", "fr") == "02:30"


def test_the_date_changes_at_the_midnight_of_the_zone() -> None:
    late = parse_instant("2026-11-21T23:10:00Z")
    assert formats.date(late, "Europe/Rome", "it") == "22 novembre 2026"
    assert formats.time(late, "Europe/Rome", "it") == "00:10"
    assert formats.date(late, "Africa/Casablanca", "it") == "22 novembre 2026"
    assert formats.date(late, "Atlantic/Azores", "it") == "21 novembre 2026"
    new_year = parse_instant("2026-12-31T23:00:00Z")
    assert formats.date(new_year, "Europe/Rome", "de") == "1. Januar 2027"


def test_numbers_and_percentages_use_the_locale_s_separators() -> None:
    assert formats.number(1234.5, "it") == "1.234,5"
    assert formats.number(1234567, "fr") == "1\u202f234\u202f567"
    assert formats.number(37, "ar") == "37"
    assert [formats.percent(30, locale) for locale in ("it", "de", "en_US")] == ["30%", "30\xa0%", "30%"]


def test_distances_are_whole_kilometres_or_miles_and_never_nothing() -> None:
    assert formats.distance(12_345.0, "it", miles=False) == "12 km"
    assert formats.distance(12_345.0, "en_GB", miles=True) == "8 mi"
    assert formats.distance(12_345.0, "zh_Hant", miles=False) == "12 公里"
    assert formats.distance(299_518.0, "fr", miles=False) == "300\u202fkm"
    assert formats.distance(0.0, "de", miles=False) == "1 km"


def test_the_last_instant_that_is_written_can_be_written_in_every_zone() -> None:
    assert formats.date(formats.LAST_INSTANT, "Pacific/Kiritimati", "en_GB").endswith("9892")
