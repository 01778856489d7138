"""Quantities as people write them: numbers with units, money of any currency, times in zones that jump."""

import pytest

from streams.errors import InvalidInput
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant
from streams.units import Money, day, distance_m, duration_ms, money, share, written_time, zone


@pytest.mark.parametrize(
    ("written", "ms"),
    [
        ("48 h", 48 * HOUR_MS),
        ("48h", 48 * HOUR_MS),
        ("90 min", 90 * MINUTE_MS),
        ("1.5 h", 90 * MINUTE_MS),
        ("0.5 s", 500),
        ("0 s", 0),
        ("2 w", 14 * DAY_MS),
        ("3 y", 1_095 * DAY_MS),
    ],
)
def test_a_duration_is_milliseconds(written: str, ms: int) -> None:
    assert duration_ms(written) == ms


@pytest.mark.parametrize(("written", "metres"), [("30 km", 30_000.0), ("2 nmi", 3_704.0), ("250 m", 250.0)])
def test_a_distance_is_metres(written: str, metres: float) -> None:
    assert distance_m(written) == metres


@pytest.mark.parametrize(
    ("written", "amount"),
    [
        ("25 EUR", Money(2_500, "EUR")),
        ("12.5 EUR", Money(1_250, "EUR")),
        ("0.01 EUR", Money(1, "EUR")),
        ("4900 JPY", Money(4_900, "JPY")),
        ("1.234 KWD", Money(1_234, "KWD")),
    ],
)
def test_money_is_minor_units_by_the_digits_of_its_currency(written: str, amount: Money) -> None:
    assert money(written) == amount


@pytest.mark.parametrize(("written", "found"), [("6 %", 0.06), ("6%", 0.06), ("12.5 %", 0.125), ("100 %", 1.0)])
def test_a_share_is_between_nothing_and_all(written: str, found: float) -> None:
    assert share(written) == found


UNITS = "(s, min, h, d, w, y)."


@pytest.mark.parametrize(
    ("written", "code", "message"),
    [
        ("30", "UNIT_MISSING", f"'30' is not a duration. Write '30 min' {UNITS}"),
        ("30 m", "UNIT_UNKNOWN", f"'m' is not a unit of duration. Write '30 min' {UNITS}"),
        ("3 hours", "UNIT_UNKNOWN", f"'hours' is not a unit of duration. Write '3 h' {UNITS}"),
        ("3 mni", "UNIT_UNKNOWN", f"'mni' is not a unit of duration. Write '3 min' {UNITS}"),
        ("1,5 h", "NUMBER_INVALID", f"'1,5 h' is not a duration. Write '1.5 h' {UNITS}"),
        ("-5 min", "NUMBER_INVALID", "'-5 min' is not a duration. Write a number and its unit, such as '30 min' "
         f"{UNITS}"),
        ("1e3 s", "NUMBER_INVALID", "'1e3 s' is not a duration. Write a number and its unit, such as '30 min' "
         f"{UNITS}"),
        ("٣ h", "NUMBER_INVALID", f"'٣ h' is not a duration. Write a number and its unit, such as '30 min' {UNITS}"),
        ("101 y", "OUT_OF_RANGE", "'101 y' is too long. Write at most 100 y."),
        ("9" * 30 + " y", "OUT_OF_RANGE", f"'{'9' * 30} y' is too long. Write at most 100 y."),
    ],
)  # fmt: skip
def test_what_is_no_duration_says_the_mend(written: str, code: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        duration_ms(written)
    assert (error.value.code, error.value.message) == (code, message)


@pytest.mark.parametrize(
    ("written", "code", "message"),
    [
        ("30", "UNIT_MISSING", "'30' is not a distance. Write '30 km' (km, m, nmi)."),
        ("5 miles", "UNIT_UNKNOWN", "'miles' is not a unit of distance. Write '5 nmi' (km, m, nmi)."),
        ("1,000 m", "NUMBER_INVALID", "'1,000 m' is not a distance. Write '1000 m' (km, m, nmi)."),
        ("30000 km", "OUT_OF_RANGE", "'30000 km' is more than half way round the earth. Write less."),
    ],
)
def test_what_is_no_distance_says_the_mend(written: str, code: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        distance_m(written)
    assert (error.value.code, error.value.message) == (code, message)


@pytest.mark.parametrize(
    ("written", "code", "message"),
    [
        ("25", "UNIT_MISSING", "'25' is not an amount of money. Write '25 EUR'."),
        ("25 €", "UNIT_UNKNOWN", "'25 €' names no currency of ISO 4217. Write '25 EUR'."),
        ("25 EUX", "UNIT_UNKNOWN", "'25 EUX' names no currency of ISO 4217. Write its code after the number, such as "
         "'25 EUR'."),
        ("€25", "NUMBER_INVALID", "'€25' is not an amount of money. Write '25 EUR'."),
        ("USD 25.50", "NUMBER_INVALID", "'USD 25.50' is not an amount of money. Write '25.50 USD'."),
        ("12,50 EUR", "NUMBER_INVALID", "'12,50 EUR' is not an amount of money. Write '12.50 EUR'."),
        ("1.005 EUR", "MONEY_DIGITS", "'1.005 EUR': EUR has 2 decimals. Write '1.00 EUR'."),
        ("100.5 JPY", "MONEY_DIGITS", "'100.5 JPY': JPY has 0 decimals. Write '100 JPY'."),
        ("9" * 20 + " EUR", "OUT_OF_RANGE", f"'{'9' * 20} EUR' is too much. Write less."),
    ],
)  # fmt: skip
def test_what_is_no_money_says_the_mend(written: str, code: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        money(written)
    assert (error.value.code, error.value.message) == (code, message)


@pytest.mark.parametrize(
    ("written", "code", "message"),
    [
        ("6", "UNIT_MISSING", "'6' is not a percentage. Write '6 %'."),
        ("0.06", "UNIT_MISSING", "'0.06' is not a percentage. Write '6 %'."),
        (".125", "UNIT_MISSING", "'.125' is not a percentage. Write '12.5 %'."),
        ("6 percent", "UNIT_UNKNOWN", "'6 percent' is not a percentage. Write '6 %'."),
        ("120 %", "OUT_OF_RANGE", "'120 %' is more than all of it. Write at most 100 %."),
    ],
)
def test_what_is_no_share_says_the_mend(written: str, code: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        share(written)
    assert (error.value.code, error.value.message) == (code, message)


@pytest.mark.parametrize(
    ("written", "utc"),
    [
        ("2026-11-21 15:00", "2026-11-21T14:00:00Z"),
        ("2026-07-21T15:00:30", "2026-07-21T13:00:30Z"),
        ("2026-11-21", "2026-11-20T23:00:00Z"),
        ("2026-11-21 24:00", "2026-11-21T23:00:00Z"),
        ("2026-11-21 15:00 +05:30", "2026-11-21T09:30:00Z"),
        ("2026-11-21T15:00Z", "2026-11-21T15:00:00Z"),
    ],
)
def test_a_time_is_read_in_its_zone_or_by_its_own_offset(written: str, utc: str) -> None:
    assert written_time(written, "Europe/Rome").at == parse_instant(utc)


def test_a_day_knows_its_beginning_and_the_next_one_across_a_change_of_clocks() -> None:
    found = written_time("2026-03-29", "Europe/Rome")
    assert found.whole_day
    assert found.next_day - found.at == 23 * HOUR_MS


def test_a_day_begins_after_midnight_where_clocks_jump_over_it() -> None:
    assert written_time("2026-09-06", "America/Santiago").at == parse_instant("2026-09-06T04:00:00Z")


def test_an_hour_that_clocks_jump_over_is_an_error_with_the_hour_after() -> None:
    with pytest.raises(InvalidInput) as error:
        written_time("2026-03-29 02:30", "Europe/Rome")
    assert error.value.code == "TIME_SKIPPED"
    assert error.value.message == (
        "'2026-03-29 02:30' does not exist in Europe/Rome: clocks jump over it. Write '2026-03-29 03:30'."
    )


def test_an_hour_that_comes_twice_is_the_first_and_says_so() -> None:
    found = written_time("2026-10-25 02:30", "Europe/Rome")
    assert found.at == parse_instant("2026-10-25T00:30:00Z")
    assert found.note == (
        "'2026-10-25 02:30' is there twice in Europe/Rome, where clocks go back; the first is taken. "
        "Write '2026-10-25T02:30+02:00' to say so."
    )
    assert written_time("2026-10-25T02:30+01:00", "Europe/Rome").at == parse_instant("2026-10-25T01:30:00Z")


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("21.11.2026", "'21.11.2026' is not a time. Write one such as '2026-11-21 15:00'."),
        ("2026-11-21 9:00", "'2026-11-21 9:00' is not a time. Write one such as '2026-11-21 15:00'."),
        ("2026-11-21 25:00", "'2026-11-21 25:00' is not a time. Write hours from 00:00 to 23:59."),
        ("2026-02-30", "'2026-02-30' is not a day. Write one such as '2026-11-21'."),
        ("0001-01-01", "'0001-01-01' is not a day. Write one such as '2026-11-21'."),
        ("2026-11-21 15:00 +99:00", "'2026-11-21 15:00 +99:00' has no such offset. Write one such as +01:00."),
    ],
)
def test_what_is_no_time_says_the_mend(written: str, message: str) -> None:
    with pytest.raises(InvalidInput) as error:
        written_time(written, "Europe/Rome")
    assert (error.value.code, error.value.message) == ("TIME_INVALID", message)


@pytest.mark.parametrize(
    ("written", "mend"),
    [
        ("Europe/Roma", "Did you mean 'Europe/Rome'?"),
        ("europe/rome", "Did you mean 'Europe/Rome'?"),
        ("../etc/passwd", "Write one such as Europe/Rome."),
    ],
)
def test_what_is_no_zone_says_the_mend(written: str, mend: str) -> None:
    with pytest.raises(InvalidInput) as error:
        zone(written)
    assert (error.value.code, error.value.message) == ("ZONE_UNKNOWN", f"'{written}' is not a time zone. {mend}")


def test_a_day_is_a_day_of_the_calendar() -> None:
    assert day("2028-02-29").isoformat() == "2028-02-29"
    with pytest.raises(InvalidInput, match=r"^'2026-W47-6' is not a day\."):
        day("2026-W47-6")
