"""A season of seasons.yaml: `{from: 06-01, until: easter}`, `{holidays: IT-MI, around: 1 d}`, `{dates: [...]}`."""

import re
from collections.abc import Mapping
from datetime import date

from offers.season import (
    HOLIDAYS_UNTIL,
    ORTHODOX,
    WESTERN,
    Calendar,
    Dates,
    EasterDay,
    Holidays,
    Season,
    Span,
    YearDay,
    Yearly,
    countries,
    day_of,
    parts_of,
)
from streams.errors import InvalidInput
from streams.findings import listed, nearest, shown
from streams.instant import DAY_MS
from streams.positioned_yaml import MapNode, Node
from streams.sheet import Sheet
from streams.units import day, duration_ms, zone

KEYS = ("from", "until", "holidays", "around", "dates", "zone")
FORMS: Mapping[str, tuple[str, ...]] = {
    "holidays": ("holidays", "around"),
    "dates": ("dates",),
    "from": ("from", "until"),
}
"""The key that tells a season's form -> the keys of that form; `zone` is in each."""
MAX_AROUND = 14
EASTER_REACH = range(-80, 201)
"""Days from Easter that lie in its year, whenever it is."""
_MONTH_DAY = re.compile(r"(?P<month>0[1-9]|1[0-2])-(?P<day>0[1-9]|[12][0-9]|3[01])")
_EASTER = re.compile(r"(?:(?P<rite>western|orthodox) )?[Ee]aster(?: ?(?P<side>[+-]) ?(?P<span>.+))?")
_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def read_season(sheet: Sheet, name: str, node: Node) -> Season:
    """One season, whatever is wrong with it among the sheet's findings."""
    given = node.entries if isinstance(node, MapNode) else {}
    form = next((key for key in FORMS if key in given), "from")
    required = ("from", "until") if form == "from" else (form,)
    fields = sheet.fields(node, name, KEYS, (*required, "zone"))
    for key in fields:
        if key not in FORMS[form] and key != "zone":
            message = f"{name} has '{form}' and '{key}', which do not go together."
            sheet.error(fields[key], "KEYS_TOGETHER", message, "Make two seasons of them; a campaign may name both.")
    where = sheet.parsed(fields["zone"], f"{name}.zone", zone) if "zone" in fields else None
    return Season(name, str(where or "UTC"), _READERS[form](sheet, name, fields))


def _yearly(sheet: Sheet, name: str, fields: Mapping[str, Node]) -> Calendar:
    starts, ends = (
        sheet.parsed(fields[key], f"{name}.{key}", year_day) if key in fields else None for key in ("from", "until")
    )
    if starts is not None and ends is not None and (turns := _turns(starts, ends)) is not None:
        hint = "Count both from easter, or swap them."
        sheet.error(fields["until"], "ENDS_BEFORE_START", f"{name}.until is before 'from' {turns}.", hint)
    return Yearly(starts or (1, 1), ends or (12, 31))


def _turns(starts: YearDay, ends: YearDay) -> str | None:
    """When the end is before the beginning though it should not be: `in 2027 (28 Mar, 1 Apr)`.

    Between two fixed days that is a season over New Year; with Easter in it, the season would last most of a year.
    """
    if not isinstance(starts, EasterDay) and not isinstance(ends, EasterDay):
        return None
    years = range(2000, HOLIDAYS_UNTIL + 1)
    found = {year: (day_of(starts, year, ends=False), day_of(ends, year, ends=True)) for year in years}
    before = [year for year, (first, last) in found.items() if last < first]
    if not before or (len(before) == len(years) and isinstance(starts, tuple) is not isinstance(ends, tuple)):
        return None  # never, or every year: from November until Easter
    year = next((year for year in before if year >= 2026), before[0])
    first, last = found[year]
    return f"in {year} ({last:%-d %b}, {first:%-d %b})"


def year_day(text: str) -> YearDay:
    """A day of every year: '06-01', 'easter - 14 d', 'orthodox easter'. Raises InvalidInput TIME_INVALID or of a unit.

    >>> year_day("06-01"), year_day("easter - 2 w")
    ((6, 1), EasterDay(days=-14, rite='western'))
    """
    match = _EASTER.fullmatch(text)
    if match is None:
        return _month_day(text)
    days = 0 if match["span"] is None else _days_of(match["span"])
    days = -days if match["side"] == "-" else days
    if days not in EASTER_REACH:
        mend = "Write 80 d before to 200 d after Easter."
        raise InvalidInput("OUT_OF_RANGE", f"{shown(text)} is in another year. {mend}")
    return EasterDay(days, ORTHODOX if match["rite"] == ORTHODOX else WESTERN)


def _month_day(text: str) -> tuple[int, int]:
    match = _MONTH_DAY.fullmatch(text)
    if match is None or int(match["day"]) > _DAYS[int(match["month"]) - 1]:
        mend = "Write month and day, '06-01', or 'easter - 14 d'."
        raise InvalidInput("TIME_INVALID", f"{shown(text)} is not a day of the year. {mend}")
    return int(match["month"]), int(match["day"])


def _days_of(text: str) -> int:
    """'14 d' -> 14. Raises InvalidInput TIME_INVALID for parts of a day, or of the unit."""
    length = duration_ms(text)
    if length % DAY_MS:
        raise InvalidInput("TIME_INVALID", f"{shown(text)} are not whole days. Write '1 d'.")
    return length // DAY_MS


def _holidays(sheet: Sheet, name: str, fields: Mapping[str, Node]) -> Calendar:
    found = sheet.parsed(fields["holidays"], f"{name}.holidays", region)
    around = sheet.parsed(fields["around"], f"{name}.around", _days_of) if "around" in fields else None
    if around is not None and around > MAX_AROUND:
        message = f"{name}.around is {around} d."
        sheet.error(fields["around"], "OUT_OF_RANGE", message, f"Write at most {MAX_AROUND} d.")
        around = None
    return Holidays(found, around or 0) if found is not None else Dates(())


def region(text: str) -> str:
    """'IT' or 'IT-MI', whose public holidays are known. Raises InvalidInput UNKNOWN_REGION.

    >>> region("IT-MI")
    'IT-MI'
    """
    country, _, part = text.partition("-")
    code = countries().get(country.strip().casefold())
    if code is None:
        near = nearest(country, countries())
        mend = f"Did you mean '{countries()[near]}' ({near})?" if near else "Write its code of ISO 3166, such as 'IT'."
        raise InvalidInput("UNKNOWN_REGION", f"no public holidays are known of {shown(country)}. {mend}")
    known = parts_of(code)
    inside = known.get(part.strip().casefold()) if part else ""
    if inside is None:
        near = nearest(part, known)
        codes = sorted(set(known.values()))
        every = f"There are: {listed(codes, 20)}." if codes else f"Write '{code}': it has none."
        mend = f"Did you mean '{code}-{known[near]}' ({near})?" if near else every
        raise InvalidInput("UNKNOWN_REGION", f"{code} has no region {shown(part)}. {mend}")
    written = f"{code}-{inside}" if inside else code
    if written != text:
        raise InvalidInput("UNKNOWN_REGION", f"{shown(text)} is not a code of ISO 3166. Write '{written}'.")
    return written


def _dates(sheet: Sheet, name: str, fields: Mapping[str, Node]) -> Calendar:
    found: list[Span] = []
    for item in sheet.one_or_more(fields["dates"], f"{name}.dates"):
        span = sheet.parsed(item, f"{name}.dates", days)
        if span in found:
            sheet.error(item, "LISTED_TWICE", f"{name}.dates lists {shown(_told(span))} twice.", "Remove one.")
        elif span is not None:
            found.append(span)
    return Dates(tuple(sorted(found)))


def days(text: str) -> Span:
    """'2026-12-08', or '2026-12-05 to 2026-12-08', both in it. Raises InvalidInput TIME_INVALID or ENDS_BEFORE_START.

    >>> days("2026-12-05 to 2026-12-08")
    (datetime.date(2026, 12, 5), datetime.date(2026, 12, 8))
    """
    first, to, last = text.partition(" to ")
    span = day(first.strip()), day(last.strip() if to else first.strip())
    if span[1] < span[0]:
        raise InvalidInput("ENDS_BEFORE_START", f"{shown(text)} ends before it begins. Swap the days.")
    return span


def _told(span: tuple[date, date] | None) -> str:
    return "" if span is None else span[0].isoformat() if span[0] == span[1] else f"{span[0]} to {span[1]}"


_READERS = {"holidays": _holidays, "dates": _dates, "from": _yearly}
