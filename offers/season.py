"""Seasons: days of every year, about Easter, public holidays or dates, by name; and whether a day is one of them.

Everything is a pure function of the calendar and the day, worked out a year at a time and remembered.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache, lru_cache
from itertools import chain

import holidays
from dateutil.easter import EASTER_ORTHODOX, EASTER_WESTERN, easter
from holidays.registry import COUNTRIES

WESTERN, ORTHODOX = "western", "orthodox"
YEARS = range(1900, 2200)
"""Before and after, no day is in any season."""
HOLIDAYS_UNTIL = 2100
"""The last year whose public holidays are known."""
_METHODS = {WESTERN: EASTER_WESTERN, ORTHODOX: EASTER_ORTHODOX}

Span = tuple[date, date]
"""First day and last day, both in it."""


@dataclass(frozen=True, slots=True)
class EasterDay:
    """Easter Sunday and so many days (negative: before)."""

    days: int = 0
    rite: str = WESTERN
    """western | orthodox"""


YearDay = tuple[int, int] | EasterDay
"""(month, day), or a day that follows Easter. 29 February is 1 March for a beginning where there is none, and 28
February for an end."""


@dataclass(frozen=True, slots=True)
class Yearly:
    """Every year from a day to a day, both in it; over New Year where the end lies before the beginning."""

    starts: YearDay
    ends: YearDay


@dataclass(frozen=True, slots=True)
class Holidays:
    """The public holidays of a country or of one region of it, and `around` days before and after each."""

    region: str
    """ISO 3166: IT, or IT-MI."""
    around: int = 0


@dataclass(frozen=True, slots=True)
class Dates:
    """These days."""

    spans: tuple[Span, ...]


Calendar = Yearly | Holidays | Dates


@dataclass(frozen=True, slots=True)
class Season:
    """A calendar with a name; its days begin and end at midnight in `zone`."""

    name: str
    zone: str
    calendar: Calendar


def holds(calendar: Calendar, day: date) -> bool:
    """Whether a day is in it.

    >>> carnival = Yearly((1, 7), EasterDay(-47))
    >>> holds(carnival, date(2027, 2, 9)), holds(carnival, date(2027, 2, 10))
    (True, False)
    """
    return any(first <= day <= last for first, last in _near(calendar, day.year))


def next_span(calendar: Calendar, day: date) -> Span | None:
    """The stretch that holds a day, or else the next one; None: there is none within ten years.

    >>> next_span(Holidays("IT", around=1), date(2026, 12, 24))
    (datetime.date(2026, 12, 24), datetime.date(2026, 12, 27))
    """
    years = range(day.year - 1, day.year + 11)
    found = _joined(span for year in years for span in spans(calendar, year))
    return next((span for span in found if span[1] >= day), None)


@lru_cache(maxsize=4_096)
def spans(calendar: Calendar, year: int) -> tuple[Span, ...]:
    """Its stretches that begin in a year, or, of holidays and dates, belong to one of that year."""
    if year not in YEARS:
        return ()
    match calendar:
        case Yearly(starts, ends):
            first, last = day_of(starts, year, ends=False), day_of(ends, year, ends=True)
            if last >= first:
                return ((first, last),)
            only_in_leap_years = starts == ends and not isinstance(starts, EasterDay)
            return () if only_in_leap_years else ((first, day_of(ends, year + 1, ends=True)),)
        case Holidays(region, around):
            beside = timedelta(days=around)
            return tuple((day - beside, day + beside) for day in holidays_of(region, year))
        case Dates(given):
            return tuple(span for span in given if span[0].year <= year <= span[1].year)


@lru_cache(maxsize=1_024)
def _near(calendar: Calendar, year: int) -> tuple[Span, ...]:
    """What may hold a day of a year: the last year's goes over New Year, the next one's holidays reach back."""
    return tuple(chain.from_iterable(spans(calendar, beside) for beside in (year - 1, year, year + 1)))


def _joined(found: Iterable[Span]) -> Iterator[Span]:
    """Stretches in order, those that overlap or touch as one."""
    current: Span | None = None
    for first, last in sorted(found):
        if current is not None and first <= current[1] + timedelta(days=1):
            current = current[0], max(current[1], last)
            continue
        if current is not None:
            yield current
        current = first, last
    if current is not None:
        yield current


def day_of(day: YearDay, year: int, *, ends: bool) -> date:
    """The day in a year.

    >>> day_of(EasterDay(1), 2027, ends=False), day_of(EasterDay(rite=ORTHODOX), 2027, ends=True)
    (datetime.date(2027, 3, 29), datetime.date(2027, 5, 2))
    """
    if isinstance(day, EasterDay):
        sunday: date = easter(year, _METHODS[day.rite])
        return sunday + timedelta(days=day.days)
    month, number = day
    if (month, number) == (2, 29) and not _leaps(year):
        return date(year, 2, 28) if ends else date(year, 3, 1)
    return date(year, month, number)


def _leaps(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def holidays_of(region: str, year: int) -> dict[date, str]:
    """Public holidays of a year, in order, and what they are called in English; empty beyond HOLIDAYS_UNTIL.

    `region` is a country's code, or with one of its regions behind a hyphen: IT-MI.
    """
    country, _, part = region.partition("-")
    found = holidays.country_holidays(country, subdiv=part or None, years=year, language=_english(country))
    return {day: str(found[day]) for day in sorted(found) if day.year == year}


def _english(country: str) -> str | None:
    return "en_US" if "en_US" in holidays.country_holidays(country).supported_languages else None


@cache
def countries() -> dict[str, str]:
    """What a country with known holidays may be called, in small letters -> its code: `it`, `italy`, `uk`."""
    found: dict[str, str] = {}
    for name, (_, country, *aliases) in COUNTRIES.items():
        names = (country, name.replace("_", " "), *(alias for alias in aliases if not alias.startswith("Holidays")))
        found |= {alias.casefold(): country for alias in names}
    return found


@cache
def parts_of(country: str) -> dict[str, str]:
    """What a region of a country may be called, in small letters -> its code: `milano` -> MI."""
    known = holidays.country_holidays(country)
    own = {part.casefold(): part for part in known.subdivisions}
    return {name.casefold(): part for name, part in known.subdivisions_aliases.items()} | own
