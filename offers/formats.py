"""How times, dates, numbers and distances are written in a CLDR locale. Remembered: babel takes 20 to 60 µs each."""

from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from babel.numbers import format_decimal, format_percent
from babel.units import format_unit

from streams.ids import Millis
from streams.instant import moment

KILOMETRE_M = 1_000.0
MILE_M = 1_609.344
LAST_INSTANT: Millis = 250_000_000_000_000
"""In the year 9892. Times and dates beyond it, or at or before 1970, are not written."""
LARGEST = 1e15
"""Numbers from here on, and what is none, are not written: beyond 28 digits babel's decimals raise."""
REMEMBERED = 16_384


@lru_cache(maxsize=REMEMBERED)
def time(at: Millis, zone: str, locale: str) -> str:
    """The time of day in an IANA zone.

    >>> time(1795293000000, "Europe/Rome", "de"), time(1795293000000, "Europe/Rome", "en_US")
    ('21:30', '9:30\\u202fPM')
    """
    return str(format_time(_local(at, zone), "short", locale=locale))


@lru_cache(maxsize=REMEMBERED)
def date(at: Millis, zone: str, locale: str) -> str:
    """The local day in an IANA zone.

    >>> date(1795303800000, "Europe/Rome", "it")
    '22 novembre 2026'
    """
    return str(format_date(_local(at, zone), "long", locale=locale))


@lru_cache(maxsize=REMEMBERED)
def number(value: float, locale: str) -> str:
    """A number with at most three decimals.

    >>> number(1234.5, "it")
    '1.234,5'
    """
    return str(format_decimal(value, locale=locale))


@lru_cache(maxsize=REMEMBERED)
def percent(value: int, locale: str) -> str:
    """Whole percent.

    >>> percent(30, "fr")
    '30\\xa0%'
    """
    return str(format_percent(value / 100, format=None, locale=locale))


def distance(metres: float, locale: str, miles: bool) -> str:
    """Whole kilometres or miles, at least one: whereabouts are known to a few kilometres only.

    >>> distance(12_345.0, "it", miles=False), distance(12_345.0, "en_GB", miles=True)
    ('12 km', '8 mi')
    """
    whole = max(round(metres / (MILE_M if miles else KILOMETRE_M)), 1)
    return _length(whole, "length-mile" if miles else "length-kilometer", locale)


@lru_cache(maxsize=REMEMBERED)
def _length(whole: int, unit: str, locale: str) -> str:
    return str(format_unit(whole, unit, "short", locale=locale))


def _local(at: Millis, zone: str) -> datetime:
    return moment(at).astimezone(ZoneInfo(zone))
