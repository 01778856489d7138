"""Where clocks change: the instants at which schedules open and close, by hand and by plain zoneinfo arithmetic."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers.offer import Schedule
from offers.representation import expires
from offers.schedule import active_seasons, next_change, status
from offers.season import Dates, Holidays, Season, Yearly
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, format_instant, parse_instant
from tests.catalogs import inputs, offer
from tests.deciding import candidate
from tests.test_campaign_schedule import read
from tests.test_schedule import CLOCK_CHANGES, plainly_open, plans

ROME, NEW_YORK, LORD_HOWE = "Europe/Rome", "America/New_York", "Australia/Lord_Howe"


def minutes(text: str) -> tuple[int, int]:
    begin, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    return begin, end


def flips(live: Callable[[Millis], bool], instants: Iterator[Millis]) -> list[str]:
    """Where liveness changes, as instants of UTC."""
    return [format_instant(after)[5:16] for before, after in pairwise(instants) if live(before) is not live(after)]


def stepped(plan: Schedule, begin: Millis, end: Millis) -> Iterator[Millis]:
    """From boundary to boundary, as caches do."""
    at: Millis | None = begin
    while at is not None and at < end:
        yield at
        at = next_change(plan, at)


GOLDEN = [
    # forward: the hour that is jumped over is not there, and what lasts over it is shorter
    (ROME, "2027-03-28", "01:30-03:30", ["03-28T00:30", "03-28T01:30"]),
    (ROME, "2027-03-28", "02:00-03:00", []),
    (ROME, "2027-03-28", "02:30-04:00", ["03-28T01:00", "03-28T02:00"]),
    (ROME, "2027-03-28", "17:00-22:00", ["03-28T15:00", "03-28T20:00"]),
    (NEW_YORK, "2027-03-14", "01:30-03:30", ["03-14T06:30", "03-14T07:30"]),
    (NEW_YORK, "2027-03-14", "02:00-03:00", []),
    (LORD_HOWE, "2026-10-04", "01:30-03:00", ["10-03T15:00", "10-03T16:00"]),
    (LORD_HOWE, "2026-10-04", "02:00-02:30", []),
    (LORD_HOWE, "2026-10-04", "02:15-03:00", ["10-03T15:30", "10-03T16:00"]),
    # back: the hour that comes twice counts twice
    (ROME, "2026-10-25", "01:30-03:30", ["10-24T23:30", "10-25T02:30"]),
    (ROME, "2026-10-25", "02:00-03:00", ["10-25T00:00", "10-25T02:00"]),
    (ROME, "2026-10-25", "01:30-02:30", ["10-24T23:30", "10-25T00:30", "10-25T01:00", "10-25T01:30"]),
    (ROME, "2026-10-25", "17:00-22:00", ["10-25T16:00", "10-25T21:00"]),
    (NEW_YORK, "2026-11-01", "01:00-02:00", ["11-01T05:00", "11-01T07:00"]),
    (NEW_YORK, "2026-11-01", "01:30-01:45", ["11-01T05:30", "11-01T05:45", "11-01T06:30", "11-01T06:45"]),
    (LORD_HOWE, "2027-04-04", "01:30-02:00", ["04-03T14:30", "04-03T15:30"]),
    (LORD_HOWE, "2027-04-04", "01:45-02:15", ["04-03T14:45", "04-03T15:00", "04-03T15:15", "04-03T15:45"]),
]  # fmt: skip


@pytest.mark.parametrize(("zone", "day", "hours", "expected"), GOLDEN)
def test_hours_open_and_close_at_the_instants_of_the_clock_on_the_wall(
    zone: str, day: str, hours: str, expected: list[str]
) -> None:
    plan = Schedule(zone, hours=minutes(hours))
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone))
    begin = int(midnight.timestamp()) * 1000
    end = begin + 24 * HOUR_MS
    assert flips(lambda at: status(plan, at, ()) is None, stepped(plan, begin, end)) == expected
    assert flips(lambda at: plainly_open(plan, at), iter(range(begin, end, MINUTE_MS))) == expected


@pytest.mark.parametrize(
    ("zone", "night", "expected"),
    [
        (ROME, "2027-03-27", ["03-27T21:00", "03-28T02:00"]),
        (ROME, "2026-10-24", ["10-24T20:00", "10-25T03:00"]),
        (NEW_YORK, "2027-03-13", ["03-14T03:00", "03-14T08:00"]),
        (NEW_YORK, "2026-10-31", ["11-01T02:00", "11-01T09:00"]),
        (LORD_HOWE, "2026-10-03", ["10-03T11:30", "10-03T17:00"]),
        (LORD_HOWE, "2027-04-03", ["04-03T11:00", "04-03T17:30"]),
    ],
)
def test_a_night_over_a_change_of_the_clocks_is_an_hour_shorter_or_longer_and_belongs_to_its_evening(
    zone: str, night: str, expected: list[str]
) -> None:
    day = date.fromisoformat(night)
    plan = Schedule(zone, days=(day.isoweekday(),), hours=minutes("22:00-04:00"))
    begin = int(datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(zone)).timestamp()) * 1000
    assert flips(lambda at: status(plan, at, ()) is None, stepped(plan, begin, begin + 2 * DAY_MS)) == expected
    instants = iter(range(begin, begin + 2 * DAY_MS, MINUTE_MS))
    assert flips(lambda at: plainly_open(plan, at), instants) == expected


@pytest.mark.parametrize(
    ("zone", "written", "expected", "codes"),
    [
        (ROME, "2027-03-28 01:59", "2027-03-28T00:59:00Z", []),
        (ROME, "2027-03-28 03:00", "2027-03-28T01:00:00Z", []),
        (ROME, "2027-03-28 02:30", None, ["TIME_SKIPPED"]),
        (ROME, "2026-10-25 02:30", "2026-10-25T00:30:00Z", ["TIME_TWICE"]),
        (ROME, "2026-10-25 03:00", "2026-10-25T02:00:00Z", []),
        (ROME, "2026-12-31 24:00", "2026-12-31T23:00:00Z", []),
        (NEW_YORK, "2027-03-14 02:30", None, ["TIME_SKIPPED"]),
        (NEW_YORK, "2027-03-14 03:00", "2027-03-14T07:00:00Z", []),
        (NEW_YORK, "2026-11-01 01:30", "2026-11-01T05:30:00Z", ["TIME_TWICE"]),
        (LORD_HOWE, "2026-10-04 02:15", None, ["TIME_SKIPPED"]),
        (LORD_HOWE, "2026-10-04 02:30", "2026-10-03T15:30:00Z", []),
        (LORD_HOWE, "2027-04-04 01:45", "2027-04-03T14:45:00Z", ["TIME_TWICE"]),
        (LORD_HOWE, "2027-04-04 02:00", "2027-04-03T15:30:00Z", []),
    ],
)
def test_a_beginning_is_the_instant_that_was_written_or_says_why_not(
    tmp_path: Path, zone: str, written: str, expected: str | None, codes: list[str]
) -> None:
    found, findings = read(tmp_path, f"{{from: {written}, zone: {zone}}}")
    assert [finding.code for finding in findings] == codes
    starts = None if found is None or found.starts is None else format_instant(found.starts)
    assert starts == expected


@given(plans())
@settings(max_examples=60, deadline=None)
def test_from_boundary_to_boundary_nothing_opens_or_closes_unseen(made: tuple[Schedule, Millis]) -> None:
    plan, now = made
    begin = -(-now // MINUTE_MS) * MINUTE_MS
    inside = Schedule(plan.zone, days=plan.days, hours=plan.hours)

    def plainly(at: Millis) -> bool:
        running = (plan.starts is None or plan.starts <= at) and (plan.ends is None or at < plan.ends)
        return running and plainly_open(inside, at)

    end = begin + 2 * DAY_MS
    ends = {at for at in (plan.starts, plan.ends) if at is not None and begin < at < end}
    instants = sorted({*range(begin, end, MINUTE_MS), *ends})
    seen = flips(lambda at: status(plan, at, ()) is None, stepped(plan, begin, end))
    assert seen == flips(plainly, iter(instants))


@given(plans())
@settings(max_examples=60, deadline=None)
def test_what_is_shown_is_not_to_be_shown_after_it_closes(made: tuple[Schedule, Millis]) -> None:
    plan, now = made
    if status(plan, now, ()) is not None:
        return
    shown = candidate(offer("spa", schedule=plan, ttl_s=2 * 86_400), inputs(now=now))
    until = expires(shown, now, ())
    first = -(-now // MINUTE_MS) * MINUTE_MS
    assert now < until <= now + 2 * DAY_MS
    assert all(plainly_open(plan, at) for at in range(first, until, MINUTE_MS))


SEASONS = st.builds(
    Season,
    st.just("season"),
    st.sampled_from([*sorted(CLOCK_CHANGES), "America/Havana"]),
    st.sampled_from([
        Yearly((11, 1), (3, 28)), Yearly((10, 25), (10, 25)), Holidays("IT"), Holidays("IT", 1),
        Dates(((date(2026, 4, 24), date(2026, 4, 24)), (date(2026, 12, 31), date(2027, 1, 1)))),
    ]),
)  # fmt: skip
DAYS = st.sampled_from(
    ["2026-10-25", "2026-03-29", "2026-04-24", "2026-11-01", "2026-12-31", "2027-01-01", "2026-03-08"]
)


@given(SEASONS, DAYS, st.integers(-DAY_MS, DAY_MS))
@settings(max_examples=60, deadline=None)
def test_a_season_begins_and_ends_with_the_first_instant_of_a_local_day(season: Season, day: str, shift: int) -> None:
    now = parse_instant(f"{day}T00:00:00Z") + shift
    active, changes_at = active_seasons((season,), {}, now)
    assert now < changes_at <= now + 25 * HOUR_MS

    def within(at: Millis) -> bool:
        today = datetime.fromtimestamp(at / 1000, UTC).astimezone(ZoneInfo(season.zone)).date()
        return any(first <= today <= last for first, last in DATES_OF[season.calendar])

    instants = [now, *range(-(-now // MINUTE_MS) * MINUTE_MS, changes_at, MINUTE_MS), changes_at - 1]
    assert {within(at) for at in instants} == {bool(active)}


def single(*days: str) -> list[tuple[date, date]]:
    return [(date.fromisoformat(day), date.fromisoformat(day)) for day in days]


FEASTS = single(
    "2026-01-01", "2026-01-06", "2026-04-05", "2026-04-06", "2026-04-25", "2026-05-01", "2026-06-02", "2026-08-15",
    "2026-10-04", "2026-11-01", "2026-12-08", "2026-12-25", "2026-12-26", "2027-01-01", "2027-01-06",
)  # fmt: skip
AROUND = single("2026-04-24", "2026-04-26", "2026-10-31", "2026-11-02", "2026-12-31", "2027-01-02")
DATES_OF = {
    Yearly((11, 1), (3, 28)): [(date(2025, 11, 1), date(2026, 3, 28)), (date(2026, 11, 1), date(2027, 3, 28))],
    Yearly((10, 25), (10, 25)): single("2026-10-25"),
    Holidays("IT"): FEASTS,
    Holidays("IT", 1): [*FEASTS, *AROUND],
    Dates(((date(2026, 4, 24), date(2026, 4, 24)), (date(2026, 12, 31), date(2027, 1, 1)))): [
        *single("2026-04-24"), (date(2026, 12, 31), date(2027, 1, 1)),
    ],
}  # fmt: skip
"""Around the days that are looked at."""
