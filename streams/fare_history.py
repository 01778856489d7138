"""What a product cost day by day: the lowest fare in force on each UTC day, kept as long as a crossed-out price asks.

A fare is in force until the next one, so only days on which it changed are kept. Directive 98/6/EC, article 6a: the
price that is crossed out is the lowest of at least the 30 days before the reduction began.
"""

from streams.ids import Millis
from streams.instant import DAY_MS

PRIOR_DAYS = 30
"""How long before a reduction its prior price looks back."""
REDUCED_DAYS = 30
"""A reduction that began longer ago is a price like any other: nothing is crossed out."""
KEPT_DAYS = PRIOR_DAYS + REDUCED_DAYS

LEAST_DAYS = 7
"""A recent level is the mean of at least so many days; with fewer there is none."""

FareDay = tuple[int, int, int]
"""(days since 1970 in UTC, lowest fare in force on that day, fare in force at its end), both in minor units. A fare

that ends at midnight counts for the day that begins then: the lower one is on the safe side."""
FareDays = tuple[FareDay, ...]
"""In order of days, each at most once; at most KEPT_DAYS + 2."""


def day_of(at: Millis) -> int:
    """The UTC day of an instant, in days since 1970."""
    return at // DAY_MS


def heard(days: FareDays, at: Millis, minor: int) -> FareDays:
    """The history after a fare that is in force from `at` on, not before the newest one.

    >>> heard(((20_000, 7900, 7900),), 20_003 * DAY_MS, 6900)
    ((20000, 7900, 7900), (20003, 6900, 6900))
    """
    day = day_of(at)
    if not days:
        return ((day, minor, minor),)
    newest_day, lowest, last = days[-1]
    if day == newest_day:
        return (*days[:-1], (day, min(lowest, minor), minor))
    return days if minor == last else _kept((*days, (day, min(last, minor), minor)))


def heard_late(days: FareDays, newest: Millis, at: Millis, minor: int) -> FareDays:
    """The history after a fare that was in force from `at` on, before the one said to be so from `newest` on.

    Which of a day's fares was its last is not known then: the lower counts, so that no crossed-out price is too high.
    """
    day, full = day_of(at), _until(days, day_of(newest))
    earlier = tuple(each for each in full if each[0] < day)
    later = tuple(each for each in full if each[0] > day)
    _, lowest, last = next((each for each in full if each[0] == day), (day, minor, minor))
    if not later:  # the newest fare came later on that very day, and stays
        late = (*earlier, (day, min(lowest, minor), last))
        return days if late == full else late
    carried = earlier[-1][2] if earlier else minor
    entry = (day, min(lowest, minor, carried), min(last, minor))
    next_day, next_lowest, next_last = later[0]
    late = (*earlier, entry, (next_day, min(next_lowest, entry[2]), next_last), *later[1:])
    return days if late == full else _kept(late)


def lowest_since(days: FareDays, first: int) -> tuple[int, int] | None:
    """(lowest fare in force from day `first` until now, the day it fell to that); None: not known that far back.

    >>> lowest_since(((19_990, 7900, 7900), (20_003, 6900, 6900), (20_005, 6900, 8900)), 20_000)
    (6900, 20003)
    >>> lowest_since(((20_003, 6900, 6900),), 20_000) is None
    True
    """
    before = [each for each in days if each[0] <= first]
    if not before:
        return None
    day, lowest, last = before[-1]
    found = [(lowest if day == first else last, day), *((low, at) for at, low, _ in days[len(before) :])]
    least = min(low for low, _ in found)
    return least, min(at for low, at in found if low == least)


def recent_level(days: FareDays, today: int) -> float | None:
    """Mean over the PRIOR_DAYS before `today` of the fare in force at each day's end; None: too few are known.

    >>> recent_level(((20_000, 8000, 8000), (20_020, 5000, 5000)), 20_030)
    7000.0
    >>> recent_level(((20_025, 8000, 8000),), 20_030) is recent_level((), 20_030) is None
    True
    """
    first = today - PRIOR_DAYS
    changes = [(max(day, first), last) for day, _, last in days if day < today]
    edges = [*(day for day, _ in changes), today]
    spans = [(end - begin, fare) for (begin, fare), end in zip(changes, edges[1:], strict=True) if end > begin]
    known = sum(length for length, _ in spans)
    return sum(length * fare for length, fare in spans) / known if known >= LEAST_DAYS else None


def _until(days: FareDays, newest: int) -> FareDays:
    """With an entry for the day on which the newest fare was said, which may have changed nothing."""
    day, _, last = days[-1]
    return days if day == newest else (*days, (newest, last, last))


def _kept(days: FareDays) -> FareDays:
    """Without what no window reaches; the fare in force at its beginning stays."""
    horizon = days[-1][0] - KEPT_DAYS
    outside = sum(1 for day, _, _ in days if day <= horizon)
    return days[max(outside - 1, 0) :]
