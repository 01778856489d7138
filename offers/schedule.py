"""When an offer is live: schedules and seasons as pure functions of `now`, right across DST and New Year."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from offers.offer import Schedule
from offers.proposition import Code
from offers.season import Season, holds
from streams.ids import Millis
from streams.instant import MINUTE_MS, millis, moment

QUARTER_MS = 15 * MINUTE_MS
"""Every change of a zone's offset falls on a quarter of an hour of UTC."""
MINUTES_A_DAY = 24 * 60


@lru_cache(maxsize=512)
def zone(name: str) -> ZoneInfo:
    """A zone by its IANA name, loaded once."""
    return ZoneInfo(name)


def status(schedule: Schedule, now: Millis, seasons: tuple[str, ...]) -> Code | None:
    """Why the offer is not live at `now`, or None: live. own_time judges what is relative, and local clocks."""
    if schedule.starts is not None and now < schedule.starts:
        return Code.NOT_STARTED
    if schedule.ends is not None and now >= schedule.ends:
        return Code.EXPIRED
    if schedule.seasons and not any(season in seasons for season in schedule.seasons):
        return Code.NOT_SCHEDULED
    return None if _in_week(schedule, now) else Code.NOT_SCHEDULED


def _in_week(schedule: Schedule, now: Millis) -> bool:
    if schedule.local or (not schedule.days and schedule.hours is None):
        return True
    local = moment(now).astimezone(zone(schedule.zone))
    minute = local.hour * 60 + local.minute
    day = local.isoweekday()
    if schedule.hours is None:
        return day in schedule.days
    begin, end = schedule.hours
    if begin < end:
        return begin <= minute < end and (not schedule.days or day in schedule.days)
    if minute >= begin:
        return not schedule.days or day in schedule.days
    yesterday = 7 if day == 1 else day - 1
    return minute < end and (not schedule.days or yesterday in schedule.days)


def next_change(schedule: Schedule, now: Millis) -> Millis | None:
    """An instant after `now` before which status() cannot change (seasons apart); None: never again.

    It may be earlier than the change itself, never later.
    """
    instants = [at for at in (schedule.starts, schedule.ends) if at is not None and at > now]
    if (schedule.hours is not None or schedule.days) and not schedule.local:
        instants.append(_next_local(schedule, now))
    return min(instants, default=None)


def _next_local(schedule: Schedule, now: Millis) -> Millis:
    """The next local midnight, or begin or end of the hours."""
    where = zone(schedule.zone)
    local = moment(now).astimezone(where)
    minutes = {0, *(minute % MINUTES_A_DAY for minute in schedule.hours or ())}
    found = min(
        at
        for day in range(3)
        for minute in minutes
        for at in _instants(local.date() + timedelta(days=day), minute, where)
        if at > now
    )
    if moment(found).astimezone(where).utcoffset() != local.utcoffset():
        return min(found, (now // QUARTER_MS + 1) * QUARTER_MS)
    return found


def _instants(day: date, minute: int, where: ZoneInfo) -> Iterable[Millis]:
    """Both instants of a wall-clock time that a change of offset repeats, else one and the same."""
    wall = datetime(day.year, day.month, day.day, minute // 60, minute % 60, tzinfo=where)
    return millis(wall), millis(wall.replace(fold=1))


def active_seasons(
    seasons: Iterable[Season], overrides: Mapping[str, tuple[bool, Millis]], now: Millis
) -> tuple[tuple[str, ...], Millis]:
    """(names active now, sorted; the next local midnight of any of their zones, 0 without seasons).

    An override by the market beats the dates, for declared and undeclared seasons alike.
    """
    declared = tuple(seasons)
    active = {name for name, (on, _) in overrides.items() if on}
    for season in declared:
        if season.name not in overrides and _in_season(season, now):
            active.add(season.name)
    changes = [_next_local(Schedule(zone=name, days=(1,)), now) for name in {season.zone for season in declared}]
    return tuple(sorted(active)), min(changes, default=0)


def _in_season(season: Season, now: Millis) -> bool:
    return holds(season.calendar, moment(now).astimezone(zone(season.zone)).date())


def day_start(now: Millis, zone_name: str) -> Millis:
    """The first instant of the local day that holds `now`."""
    where = zone(zone_name)
    local = moment(now).astimezone(where)
    return millis(datetime(local.year, local.month, local.day, tzinfo=where))
