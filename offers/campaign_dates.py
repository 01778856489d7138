"""What `campaigns check` understood of the dates of a campaign, in words; and which campaigns are over.

Everything here depends on `now`, which the check of a file never does.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from pathlib import Path

from offers import schedule as live
from offers.condition_words import length
from offers.offer import Campaign, Schedule
from offers.own_time import told
from offers.schedule import active_seasons, next_change, status
from offers.season import Season, next_span
from streams.findings import Finding, Severity
from streams.ids import Millis
from streams.instant import DAY_MS, format_instant, millis, moment
from streams.positioned_yaml import MapNode, read_file

DAY_NAMES = ("", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MAX_STEPS = 3_000
"""Boundaries looked at for the next time that something is live: over two years of days and hours."""
CLOCKS_AHEAD = 400
"""Days in which a change of the clocks is told."""


@dataclass(frozen=True, slots=True)
class Understood:
    """The dates of one campaign."""

    path: str
    campaign: str
    text: str
    """In words: `Sat 21 Nov 2026, 15:00-20:00 Rome, 5 h`."""
    next: tuple[Millis, Millis | None] | None
    """Since when it is live, or will be next, until when (None: no end in sight); None: never, or not alike for all."""

    def __str__(self) -> str:
        """One line."""
        return f"{self.path}: {self.text}"

    def as_json(self) -> dict[str, object]:
        """For machines: instants in UTC."""
        starts, ends = (None, None) if self.next is None else self.next
        return {
            "path": self.path,
            "campaign": self.campaign,
            "understood": self.text,
            "live_from": None if starts is None else format_instant(starts),
            "live_until": None if ends is None else format_instant(ends),
        }


def understood(campaigns: Iterable[Campaign], seasons: Iterable[Season], now: Millis) -> Iterator[Understood]:
    """Of every campaign that says when it is live, in the order given."""
    named = {season.name: season for season in seasons}
    return (_understood(campaign, named, now) for campaign in campaigns if campaign.offer.schedule != Schedule())


def dated(campaign: Campaign) -> bool:
    """Whether it names times of its own, and not a season only: those are what a slip of the pen is in."""
    plan = campaign.offer.schedule
    return plan != Schedule(plan.zone, seasons=plan.seasons)


def over(folder: Path, campaigns: Iterable[Campaign], seasons: Iterable[Season], now: Millis) -> tuple[Finding, ...]:
    """SCHEDULE_OVER, a warning, for every campaign that will not be live again; at its own schedule, if it has one."""
    named = {season.name: season for season in seasons}
    ended = ((campaign, why) for campaign in campaigns if (why := _over(campaign.offer.schedule, named, now)))
    return tuple(_finding(folder, campaign, why) for campaign, why in ended)


def _over(plan: Schedule, seasons: Mapping[str, Season], now: Millis) -> str:
    """Why it is never live again; empty: it may be."""
    if plan.ends is not None and plan.ends <= now:
        return f"the schedule ended on {_instant(plan.ends, plan.zone, ends=True)}, {length(now - plan.ends)} ago"
    own = [seasons[name] for name in plan.seasons if name in seasons]
    if own and not any(next_span(season.calendar, _today(now, season.zone)) for season in own):
        return f"{' and '.join(season.name for season in own)} had the last of its days"
    return ""


def _finding(folder: Path, campaign: Campaign, why: str) -> Finding:
    path, line = campaign.offer.where.rsplit(":", 1)
    at = (int(line), 1)
    root, _ = read_file(folder / path, path)
    if isinstance(root, MapNode) and "schedule" in root.entries:
        node = root.entries["schedule"][1]
        inner = node.entries.get("until") if isinstance(node, MapNode) else None
        at = (node.line, node.column) if inner is None else (inner[1].line, inner[1].column)
    hint = "Nobody gets the offer; remove the campaign, or give it a new end."
    return Finding(path, *at, "SCHEDULE_OVER", f"{why}.", hint, Severity.WARNING)


def _understood(campaign: Campaign, seasons: Mapping[str, Season], now: Millis) -> Understood:
    plan = campaign.offer.schedule
    own = [seasons[name] for name in plan.seasons if name in seasons]
    upcoming = None if plan.local else _next(plan, own, now)
    parts = [*_ends(plan), *_days_and_hours(plan), *(_season(season, now) for season in own)]
    if upcoming is not None and (plan.days or plan.hours is not None):
        parts.append(_when(*upcoming, now, plan.zone))
    if plan.hours is not None and not plan.local:
        parts += _clock_changes(plan.zone, plan.hours, _today(now, plan.zone))
    return Understood(campaign.path, campaign.id, "; ".join(parts) or "always", None if plan.own else upcoming)


def _when(begin: Millis, end: Millis | None, now: Millis, zone: str) -> str:
    if begin > now:
        return f"next {_span(begin, end, zone)}"
    return "now" if end is None else f"now until {_instant(end, zone, ends=True)}, {length(end - now)}"


def _ends(plan: Schedule) -> Iterator[str]:
    """From when until when."""
    if plan.starts is not None and plan.ends is not None:
        yield f"{_span(plan.starts, plan.ends, plan.zone)}{_between(plan.starts, plan.ends, plan.zone)}"
        return
    starts = _instant(plan.starts, plan.zone) if plan.starts is not None else ""
    ends = _instant(plan.ends, plan.zone, ends=True) if plan.ends is not None else ""
    starts = told(plan.starts_relative) if plan.starts_relative is not None else starts
    ends = told(plan.ends_relative) if plan.ends_relative is not None else ends
    said = [f"{word} {end}" for word, end in (("from", starts), ("until", ends)) if end]
    if said:
        yield " ".join(said)


def _days_and_hours(plan: Schedule) -> Iterator[str]:
    parts = [f"on {', '.join(DAY_NAMES[day] for day in plan.days)}"] if plan.days else []
    if plan.hours is not None:
        begin, end = plan.hours
        over_midnight = " of the next day" if end <= begin else ""
        parts.append(f"{_clock(begin)}-{_clock(end)}{over_midnight}")
    if parts:
        clock = f"on the clock of the {plan.local}" if plan.local else _city(plan.zone)
        yield f"{' '.join(parts)} {clock}"


def _season(season: Season, now: Millis) -> str:
    """`summer: 1 Jun - 15 Sep 2027`, its next days or those it is in."""
    span = next_span(season.calendar, _today(now, season.zone))
    if span is None:
        return f"{season.name}: no day is left"
    return f"{season.name}: {_dates(*span)}"


def _dates(first: date, last: date) -> str:
    if first == last:
        return f"{first:%a %-d %b %Y}"
    same_year, same_month = first.year == last.year, (first.year, first.month) == (last.year, last.month)
    begin = f"{first:%-d}" if same_month else f"{first:%-d %b}" if same_year else f"{first:%-d %b %Y}"
    return f"{begin} - {last:%-d %b %Y}"


def _next(plan: Schedule, seasons: Sequence[Season], now: Millis) -> tuple[Millis, Millis | None] | None:
    """When it is live from now on: the first stretch of it; the end None if it is not within MAX_STEPS."""
    begins: Millis | None = None
    at: Millis | None = max(now, plan.starts or now)
    for _ in range(MAX_STEPS):
        if at is None:
            break
        active, _changes = active_seasons(seasons, {}, at)
        if status(plan, at, active) is None:
            begins = at if begins is None else begins
        elif begins is not None:
            return begins, at
        at = _following(plan, seasons, at)
    return None if begins is None else (begins, None)


def _following(plan: Schedule, seasons: Sequence[Season], at: Millis) -> Millis | None:
    """The next instant at which it may begin or end; outside its seasons that at which one begins."""
    turns = [turn for season in seasons if (turn := _turn(season, at)) is not None]
    if seasons and not active_seasons(seasons, {}, at)[0]:
        return min(turns, default=None)
    change = next_change(plan, at)
    return min([*turns, change] if change is not None else turns, default=None)


def _turn(season: Season, at: Millis) -> Millis | None:
    """The midnight at which a season begins or ends next."""
    today = _today(at, season.zone)
    span = next_span(season.calendar, today)
    if span is None:
        return None
    day = span[0] if span[0] > today else span[1] + timedelta(days=1)
    noon = datetime(day.year, day.month, day.day, 12, tzinfo=live.zone(season.zone))
    return live.day_start(millis(noon), season.zone)


@lru_cache(maxsize=1_024)
def _clock_changes(zone: str, hours: tuple[int, int], today: date) -> tuple[str, ...]:
    """Where clocks that jump or go back make the hours of a night shorter or longer than they are written."""
    return tuple(_changed_nights(zone, Schedule(zone, hours=hours), today))


def _changed_nights(zone: str, daily: Schedule, today: date) -> Iterator[str]:
    where = live.zone(zone)
    for number in range(CLOCKS_AHEAD):
        noon, next_noon = (
            datetime(day.year, day.month, day.day, 12, tzinfo=where)
            for day in (today + timedelta(days=number), today + timedelta(days=number + 1))
        )
        if noon.utcoffset() == next_noon.utcoffset():
            continue
        usual = _live_within(daily, millis(noon) - DAY_MS, millis(noon))
        found = _live_within(daily, millis(noon), millis(next_noon))
        if found != usual:
            change = "not at all" if not found else f"{length(abs(found - usual))} {_more(found > usual)}"
            yield f"{change} in the night to {next_noon:%a %-d %b %Y}, when clocks change"


def _more(longer: bool) -> str:
    return "longer" if longer else "shorter"


def _live_within(plan: Schedule, begin: Millis, end: Millis) -> Millis:
    found, at = 0, begin
    while at < end:
        until = min(next_change(plan, at) or end, end)
        found += until - at if status(plan, at, ()) is None else 0
        at = until
    return found


def _span(begin: Millis, end: Millis | None, zone: str) -> str:
    """`Sat 21 Nov 2026, 15:00-20:00 Rome, 5 h`; over midnight with both days."""
    if end is None:
        return f"from {_instant(begin, zone)} on"
    first, last, until = _local(begin, zone), _local(end - 1, zone), _local(end, zone)
    overnight = until.date() - first.date() == timedelta(days=1) and until.time() < min(first.time(), time(12))
    if first.date() == last.date() or overnight:
        return f"{first:%a %-d %b %Y}, {first:%H:%M}-{_until(end, zone)} {_city(zone)}, {length(end - begin)}"
    return f"{first:%a %-d %b %Y %H:%M} to {_instant(end, zone, ends=True)}, {length(end - begin)}"


def _until(end: Millis, zone: str) -> str:
    """The clock at an end; midnight is 24:00."""
    clock = f"{_local(end, zone):%H:%M}"
    return "24:00" if clock == "00:00" else clock


def _between(begin: Millis, end: Millis, zone: str) -> str:
    """Why so many hours, where the clocks change between."""
    shift = (_local(end, zone).utcoffset() or timedelta()) - (_local(begin, zone).utcoffset() or timedelta())
    if not shift:
        return ""
    return f" (clocks go {'forward' if shift > timedelta() else 'back'} between)"


def _instant(at: Millis, zone: str, ends: bool = False) -> str:
    """A time on the clocks of a zone; an end at midnight is 24:00 of the day before."""
    local = _local(at, zone)
    if ends and (local.hour, local.minute) == (0, 0):
        return f"{local - timedelta(days=1):%a %-d %b %Y} 24:00 {_city(zone)}"
    return f"{local:%a %-d %b %Y %H:%M} {_city(zone)}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _city(zone: str) -> str:
    """`Rome` for Europe/Rome."""
    return zone.rpartition("/")[2].replace("_", " ")


def _local(at: Millis, zone: str) -> datetime:
    return moment(at).astimezone(live.zone(zone))


def _today(now: Millis, zone: str) -> date:
    return _local(now, zone).date()
