"""Quantities as people write them -> the numbers of streams.attributes.

'48 h' -> milliseconds, '30 km' -> metres, '12.50 EUR' -> minor units, '6 %' -> 0.06, '2026-11-21 15:00' in a zone ->
an instant. Every error is InvalidInput; its message says first what is wrong, then, as a second sentence, the mend.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cache, lru_cache
from zoneinfo import ZoneInfo, available_timezones

from babel.core import get_global
from babel.numbers import get_currency_precision

from streams.errors import InvalidInput
from streams.findings import did_you_mean, nearest, shown
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, millis

DURATIONS: Mapping[str, int] = {
    "s": SECOND_MS,
    "min": MINUTE_MS,
    "h": HOUR_MS,
    "d": DAY_MS,
    "w": 7 * DAY_MS,
    "y": 365 * DAY_MS,
}
DISTANCES: Mapping[str, int] = {"km": 1_000, "m": 1, "nmi": 1_852}
MAX_DURATION_MS = 100 * DURATIONS["y"]
MAX_DISTANCE_M = 20_100_000
MAX_MINOR = 2**53
YEARS = range(1970, 2200)
_QUANTITY = re.compile(r"(?P<number>[0-9]{1,30}(?:\.[0-9]{1,9})?)(?P<gap> ?)(?P<unit>\D*)")
_LOOSE = re.compile(r"(?P<number>[0-9]+(?:[., ][0-9]+)*) ?(?P<unit>\D*)")
_MONEY_BEFORE = re.compile(r"(?P<unit>[A-Z]{3}|[€$£]) ?(?P<number>[0-9]+(?:\.[0-9]+)?)")
_FRACTION = re.compile(r"0?\.[0-9]{1,9}")
_SYMBOLS = {"€": "EUR", "$": "USD", "£": "GBP", "euro": "EUR", "euros": "EUR", "Euro": "EUR", "eur": "EUR"}
_ELSEWHERE = {
    "m": "min", "mins": "min", "minute": "min", "minutes": "min", "minuti": "min", "Minuten": "min",
    "hr": "h", "hrs": "h", "hour": "h", "hours": "h", "ore": "h", "Stunden": "h", "heures": "h",
    "sec": "s", "seconds": "s", "day": "d", "days": "d", "giorni": "d", "Tage": "d", "jours": "d",
    "week": "w", "weeks": "w", "year": "y", "years": "y",
    "NM": "nmi", "nm": "nmi", "miles": "nmi", "KM": "km", "Km": "km", "kilometres": "km", "metres": "m",
}  # fmt: skip
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_INSTANT = re.compile(
    rf"(?P<day>{_DAY.pattern})"
    r"(?:[ T](?P<clock>[0-9]{2}:[0-9]{2}(?::[0-9]{2})?) ?(?P<offset>Z|[+-][0-9]{2}:[0-9]{2})?)?"
)


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units of its currency."""

    minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class WrittenTime:
    """An instant as someone wrote it."""

    at: Millis
    whole_day: bool
    """Only the day was written; `at` is its beginning."""
    note: str
    """A warning or nothing: the clock shows this time twice, and the first was taken."""
    next_day: Millis
    """The beginning of the day after."""
    exact: bool = False
    """It names its own offset, so no zone was needed."""


@lru_cache(maxsize=4_096)
def duration_ms(text: str) -> Millis:
    """Raises InvalidInput UNIT_MISSING, UNIT_UNKNOWN, NUMBER_INVALID or OUT_OF_RANGE. A year is 365 days.

    >>> duration_ms("90 min"), duration_ms("1.5 h")
    (5400000, 5400000)
    """
    found = _quantity(text, DURATIONS, "a duration", "min")
    if found > MAX_DURATION_MS:
        raise InvalidInput("OUT_OF_RANGE", f"{shown(text)} is too long. Write at most 100 y.")
    return int(found)


@lru_cache(maxsize=4_096)
def distance_m(text: str) -> float:
    """Metres. Raises InvalidInput UNIT_MISSING, UNIT_UNKNOWN, NUMBER_INVALID or OUT_OF_RANGE.

    >>> distance_m("2 nmi")
    3704.0
    """
    found = _quantity(text, DISTANCES, "a distance", "km")
    if found > MAX_DISTANCE_M:
        raise InvalidInput("OUT_OF_RANGE", f"{shown(text)} is more than half way round the earth. Write less.")
    return float(found)


@lru_cache(maxsize=4_096)
def money(text: str) -> Money:
    """Raises InvalidInput UNIT_MISSING, UNIT_UNKNOWN, NUMBER_INVALID, MONEY_DIGITS or OUT_OF_RANGE.

    >>> money("12.50 EUR"), money("1200 JPY")
    (Money(minor=1250, currency='EUR'), Money(minor=1200, currency='JPY'))
    """
    before = _MONEY_BEFORE.fullmatch(text)
    if before is not None:
        currency = _SYMBOLS.get(before["unit"], before["unit"])
        raise InvalidInput(
            "NUMBER_INVALID", f"{shown(text)} is not an amount of money. Write '{before['number']} {currency}'."
        )
    number, currency = _split(text, "an amount of money", "EUR", ("EUR",))
    _check_currency(currency, number, text)
    digits = get_currency_precision(currency)
    minor = Decimal(number).scaleb(digits)
    if minor != minor.to_integral_value():
        example = f"{Decimal(number):.{digits}f}"
        raise InvalidInput(
            "MONEY_DIGITS", f"{shown(text)}: {currency} has {digits} decimals. Write '{example} {currency}'."
        )
    if minor > MAX_MINOR:
        raise InvalidInput("OUT_OF_RANGE", f"{shown(text)} is too much. Write less.")
    return Money(int(minor), currency)


def minor_digits(currency: str) -> int:
    """How many decimals its amounts have: 2 for EUR, 0 for JPY, 3 for KWD."""
    return int(get_currency_precision(currency))


def is_currency(code: str) -> bool:
    """Whether ISO 4217 has such a code."""
    return code in _currencies()


@lru_cache(maxsize=4_096)
def share(text: str) -> float:
    """'6 %' -> 0.06. Raises InvalidInput UNIT_MISSING, UNIT_UNKNOWN, NUMBER_INVALID or OUT_OF_RANGE."""
    if _FRACTION.fullmatch(text):
        percent = f"{Decimal(text) * 100:f}".rstrip("0").rstrip(".")
        raise InvalidInput("UNIT_MISSING", f"{shown(text)} is not a percentage. Write '{percent} %'.")
    number, unit = _split(text, "a percentage", "%", ("%",))
    if unit != "%":
        raise InvalidInput("UNIT_UNKNOWN", f"{shown(text)} is not a percentage. Write '{number} %'.")
    if Decimal(number) > 100:
        raise InvalidInput("OUT_OF_RANGE", f"{shown(text)} is more than all of it. Write at most 100 %.")
    return float(Decimal(number) / 100)


@cache
def zone(text: str) -> ZoneInfo:
    """Raises InvalidInput ZONE_UNKNOWN for what is no IANA zone."""
    if text not in _zones():
        mend = did_you_mean(text, _zones()) or "Write one such as Europe/Rome."
        raise InvalidInput("ZONE_UNKNOWN", f"{shown(text)} is not a time zone. {mend}")
    return ZoneInfo(text)


@lru_cache(maxsize=1_024)
def day(text: str) -> date:
    """'2026-11-21'. Raises InvalidInput TIME_INVALID."""
    try:
        found = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        found = None
    if found is None or found.year not in YEARS:
        raise InvalidInput("TIME_INVALID", f"{shown(text)} is not a day. Write one such as '2026-11-21'.")
    return found


@lru_cache(maxsize=1_024)
def written_time(text: str, zone_name: str) -> WrittenTime:
    """'2026-11-21 15:00', '2026-11-21 24:00' or '2026-11-21' in a zone, or with an offset ('2026-11-21T15:00Z').

    Raises InvalidInput TIME_INVALID, ZONE_UNKNOWN, or TIME_SKIPPED for an hour that the clocks jump over.
    """
    match = _INSTANT.fullmatch(text)
    if match is None:
        raise InvalidInput("TIME_INVALID", f"{shown(text)} is not a time. Write one such as '2026-11-21 15:00'.")
    there, calendar_day = zone(zone_name), day(match["day"])
    next_day = _earliest(datetime.combine(calendar_day + timedelta(days=1), time(), there))
    if match["clock"] is None:
        return WrittenTime(_earliest(datetime.combine(calendar_day, time(), there)), True, "", next_day)
    if match["clock"] == "24:00" and match["offset"] is None:
        return WrittenTime(next_day, False, "", next_day)
    local = datetime.combine(calendar_day, _clock(match["clock"], text), there)
    if match["offset"] is not None:
        return WrittenTime(millis(_with_offset(local, match["offset"], text)), False, "", next_day, True)
    return WrittenTime(*_on_the_clock(local, text), next_day)


def _quantity(text: str, units: Mapping[str, int], what: str, usual: str) -> Decimal:
    """The number in base units."""
    number, unit = _split(text, what, usual, tuple(units))
    factor = units.get(unit)
    if factor is None:
        other = _ELSEWHERE.get(unit, "")
        better = other if other in units else nearest(unit, units) or usual
        known = ", ".join(units)
        raise InvalidInput(
            "UNIT_UNKNOWN", f"{shown(unit)} is not a unit of {what[2:]}. Write '{number} {better}' ({known})."
        )
    return (Decimal(number) * factor).to_integral_value() if factor > 1 else Decimal(number)


def _split(text: str, what: str, usual: str, units: tuple[str, ...]) -> tuple[str, str]:
    """Number and unit, both as written."""
    match = _QUANTITY.fullmatch(text)
    known = f" ({', '.join(units)})" if len(units) > 1 else ""
    if match is None:
        raise InvalidInput("NUMBER_INVALID", f"{shown(text)} is not {what}. {_number_mend(text, usual)}{known}.")
    if not match["unit"]:
        mend = f"Write '{match['number']} {usual}'"
        raise InvalidInput("UNIT_MISSING", f"{shown(text)} is not {what}. {mend}{known}.")
    return match["number"], match["unit"].strip()


def _number_mend(text: str, usual: str) -> str:
    loose = _LOOSE.fullmatch(text)
    if loose is None:
        return f"Write a number and its unit, such as '30 {usual}'"
    written = loose["number"].replace(" ", "")
    head, comma, tail = written.rpartition(",")
    point = f"{head.replace(',', '')}.{tail}" if comma and len(tail) != 3 else written.replace(",", "")
    return f"Write '{point} {loose['unit'] or usual}'"


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _currencies() -> frozenset[str]:
    return frozenset(get_global("all_currencies"))


def _check_currency(currency: str, number: str, text: str) -> None:
    if currency in _currencies():
        return
    better = _SYMBOLS.get(currency)
    mend = f"Write '{number} {better}'." if better else "Write its code after the number, such as '25 EUR'."
    raise InvalidInput("UNIT_UNKNOWN", f"{shown(text)} names no currency of ISO 4217. {mend}")


def _clock(clock: str, text: str) -> time:
    try:
        return time.fromisoformat(clock)
    except ValueError as error:
        raise InvalidInput("TIME_INVALID", f"{shown(text)} is not a time. Write hours from 00:00 to 23:59.") from error


def _with_offset(local: datetime, offset: str, text: str) -> datetime:
    try:
        return datetime.fromisoformat(local.replace(tzinfo=None).isoformat() + offset)
    except ValueError as error:
        raise InvalidInput("TIME_INVALID", f"{shown(text)} has no such offset. Write one such as +01:00.") from error


def _earliest(local: datetime) -> Millis:
    """The first instant at or after a local time, also where clocks jump over midnight."""
    return millis(local.astimezone(UTC))


def _on_the_clock(local: datetime, text: str) -> tuple[Millis, bool, str]:
    """(instant, False, note) of a clock time; the first one where clocks go back."""
    at = local.astimezone(UTC)
    shown_then = at.astimezone(local.tzinfo)
    if shown_then.replace(tzinfo=None) != local.replace(tzinfo=None):
        mend = f"Write '{shown_then:%Y-%m-%d %H:%M}'."
        raise InvalidInput(
            "TIME_SKIPPED", f"{shown(text)} does not exist in {local.tzinfo}: clocks jump over it. {mend}"
        )
    if local.replace(fold=1).utcoffset() == local.utcoffset():
        return millis(at), False, ""
    note = f"{shown(text)} is there twice in {local.tzinfo}, where clocks go back; the first is taken."
    return millis(at), False, f"{note} Write '{local.isoformat(timespec='minutes')}' to say so."
