"""Schedules against a plain evaluation in zoneinfo, around clocks that change, New Year and midnight."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers.offer import Schedule
from offers.proposition import Code
from offers.schedule import active_seasons, day_start, next_change, status
from offers.season import Season, Yearly
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant

CLOCK_CHANGES = {
    "Europe/Rome": ("2026-03-29T01:00:00Z", "2026-10-25T01:00:00Z"),
    "America/New_York": ("2026-03-08T07:00:00Z", "2026-11-01T06:00:00Z"),
    "Australia/Lord_Howe": ("2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z"),
    "Africa/Cairo": ("2026-04-23T22:00:00Z", "2026-10-29T21:00:00Z"),
    "UTC": ("2026-12-31T23:59:00Z",),
}
"""Lord Howe's clock moves by half an hour, Cairo's at midnight."""
WINTER = Season("winter", "Europe/Rome", Yearly((11, 1), (3, 31)))
SUMMER = Season("summer", "Europe/Rome", Yearly((6, 1), (9, 15)))


def at(text: str, zone: str = "Europe/Rome") -> Millis:
    """`2026-11-21 18:00` by a zone's clock; the first of two."""
    moment = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    return int(moment.timestamp() * 1000)


def plainly_open(plan: Schedule, now: Millis) -> bool:
    """Whether some day that counts has begun its hours and not ended them, by the clock on the wall."""
    local = datetime.fromtimestamp(now / 1000, UTC).astimezone(ZoneInfo(plan.zone))
    begin, end = plan.hours or (0, 24 * 60)
    end += 24 * 60 if end <= begin else 0
    for day in (local.date(), local.date() - timedelta(days=1)):
        minute = (local.date() - day).days * 24 * 60 + local.hour * 60 + local.minute
        if begin <= minute < end and (not plan.days or day.isoweekday() in plan.days):
            return True
    return False


@st.composite
def plans(draw: st.DrawFn) -> tuple[Schedule, Millis]:
    """Days and hours in some zone, and an instant within two days of a change of its clock."""
    zone = draw(st.sampled_from(sorted(CLOCK_CHANGES)))
    minutes = st.one_of(st.integers(0, 24 * 60 - 1), st.sampled_from([0, 90, 105, 120, 150, 180, 1439]))
    begin, end = draw(minutes), draw(st.one_of(minutes, st.just(24 * 60)))
    hours = None if begin == end or draw(st.integers(0, 4)) == 0 else (begin, end)
    days = tuple(sorted(draw(st.sets(st.integers(1, 7), max_size=6))))
    change = parse_instant(draw(st.sampled_from(CLOCK_CHANGES[zone])))
    now = change + draw(st.integers(-2 * DAY_MS, 2 * DAY_MS))
    starts = draw(st.sampled_from([None, None, now - DAY_MS, now + 3 * HOUR_MS]))
    ends = draw(st.sampled_from([None, None, now + 5 * HOUR_MS]))
    return Schedule(zone, starts, ends, days=days, hours=hours), now


@given(plans())
@settings(max_examples=150, deadline=None)
def test_status_is_that_of_a_plain_evaluation(made: tuple[Schedule, Millis]) -> None:
    plan, now = made
    found = status(plan, now, ())
    if plan.starts is not None and now < plan.starts:
        assert found is Code.NOT_STARTED
    elif plan.ends is not None and now >= plan.ends:
        assert found is Code.EXPIRED
    else:
        assert found is (None if plainly_open(plan, now) else Code.NOT_SCHEDULED)


@given(plans())
@settings(max_examples=100, deadline=None)
def test_nothing_changes_before_the_next_change(made: tuple[Schedule, Millis]) -> None:
    plan, now = made
    change = next_change(plan, now)
    until = now + 2 * DAY_MS if change is None else change
    assert until > now
    first = -(-now // MINUTE_MS) * MINUTE_MS
    minutes = [now, *range(first, min(until, now + 2 * DAY_MS), MINUTE_MS), until - 1]
    assert {status(plan, minute, ()) for minute in minutes} == {status(plan, now, ())}


@given(plans())
@settings(max_examples=30, deadline=None)
def test_changes_are_not_so_many_that_nothing_could_be_kept(made: tuple[Schedule, Millis]) -> None:
    plan, now = made
    steps, instant = 0, now
    while (change := next_change(plan, instant)) is not None and change < now + 4 * DAY_MS:
        steps, instant = steps + 1, change
    assert steps < 24 * 4 * 2, "quarter by quarter on the day of a clock change, else a few a day"


def test_what_has_neither_days_nor_hours_never_changes_but_at_its_ends() -> None:
    begin, end = at("2026-11-21 15:00"), at("2026-11-22 09:00")
    plan = Schedule("Europe/Rome", begin, end)
    assert next_change(Schedule(), begin) is None
    assert [next_change(plan, now) for now in (begin - 1, begin, end - 1, end)] == [begin, end, end, None]
    assert [status(plan, now, ()) for now in (begin - 1, begin, end - 1, end)] == [
        Code.NOT_STARTED, None, None, Code.EXPIRED,
    ]  # fmt: skip


def test_hours_over_midnight_belong_to_the_day_they_began_on() -> None:
    friday = Schedule("Europe/Rome", days=(5,), hours=(22 * 60, 2 * 60))
    live = [
        ("2026-11-20 21:59", False), ("2026-11-20 22:00", True), ("2026-11-21 01:59", True),
        ("2026-11-21 02:00", False), ("2026-11-21 22:00", False), ("2026-11-20 01:00", False),
    ]  # fmt: skip
    assert [(text, status(friday, at(text), ()) is None) for text, _ in live] == live
    sunday = Schedule("Europe/Rome", days=(7,), hours=(22 * 60, 2 * 60))
    assert status(sunday, at("2026-11-23 01:00"), ()) is None, "the Monday after"


def test_the_day_is_that_of_the_schedules_zone() -> None:
    saturday = Schedule("America/New_York", days=(6,))
    assert status(saturday, at("2026-11-22 04:59", "UTC"), ()) is None
    assert status(saturday, at("2026-11-22 05:00", "UTC"), ()) is Code.NOT_SCHEDULED


def test_hours_that_a_clock_skips_are_as_long_as_the_wall_says() -> None:
    early = Schedule("Europe/Rome", hours=(2 * 60, 4 * 60))
    gap = parse_instant("2026-03-29T01:00:00Z")
    live = [now for now in range(gap - 2 * HOUR_MS, gap + 3 * HOUR_MS, MINUTE_MS) if status(early, now, ()) is None]
    assert (live[0], live[-1] + MINUTE_MS) == (gap, gap + HOUR_MS), "from 3:00, which follows 1:59, to 4:00"
    fold = parse_instant("2026-10-25T01:00:00Z")
    live = [now for now in range(fold - 3 * HOUR_MS, fold + 4 * HOUR_MS, MINUTE_MS) if status(early, now, ()) is None]
    assert (live[0], live[-1] + MINUTE_MS) == (fold - HOUR_MS, fold + 2 * HOUR_MS), "2:00 to 3:00 comes twice"


def test_a_schedule_of_a_season_follows_the_seasons_given() -> None:
    plan = Schedule("Europe/Rome", seasons=("summer", "winter"))
    now = at("2026-11-21 18:00")
    assert status(plan, now, ("winter",)) is None
    assert status(plan, now, ("carnival",)) is Code.NOT_SCHEDULED


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-10-31 23:59", ()), ("2026-11-01 00:00", ("winter",)), ("2026-12-31 23:59", ("winter",)),
        ("2027-01-01 00:00", ("winter",)), ("2027-03-31 23:59", ("winter",)), ("2027-04-01 00:00", ()),
        ("2027-06-01 00:00", ("summer",)), ("2027-09-15 23:59", ("summer",)), ("2027-09-16 00:00", ()),
    ],
)  # fmt: skip
def test_seasons_run_over_new_year_and_include_their_last_day(text: str, expected: tuple[str, ...]) -> None:
    active, changes_at = active_seasons((SUMMER, WINTER), {}, at(text))
    assert active == expected
    assert at(text) < changes_at <= at(text) + DAY_MS
    assert active_seasons((SUMMER, WINTER), {}, changes_at - 1)[0] == expected


def test_what_the_market_says_of_a_season_beats_its_dates_declared_or_not() -> None:
    overrides = {"winter": (False, 1), "summer": (True, 2), "regatta": (True, 3), "strike": (False, 4)}
    assert active_seasons((SUMMER, WINTER), overrides, at("2026-11-21 18:00"))[0] == ("regatta", "summer")


def test_without_declared_seasons_time_changes_none() -> None:
    assert active_seasons((), {"regatta": (True, 3)}, at("2026-11-21 18:00")) == (("regatta",), 0)


def test_seasons_of_several_zones_change_at_the_first_midnight() -> None:
    tokyo = Season("cherries", "Asia/Tokyo", Yearly((3, 20), (4, 10)))
    now = at("2026-03-19 12:00", "UTC")
    assert active_seasons((tokyo, WINTER), {}, now) == (("winter",), at("2026-03-20 00:00", "Asia/Tokyo"))
    assert active_seasons((tokyo, WINTER), {}, at("2026-03-20 00:00", "Asia/Tokyo"))[0] == ("cherries", "winter")


@pytest.mark.parametrize("zone", sorted({*CLOCK_CHANGES, "America/Havana", "Asia/Kathmandu", "Atlantic/Azores"}))
def test_a_day_begins_at_its_first_instant_whatever_the_clock_does(zone: str) -> None:
    for offset in range(0, 366 * 24 * 60, 6 * 60 + 45):
        now = parse_instant("2026-01-01T00:07:00Z") + offset * MINUTE_MS
        start = day_start(now, zone)
        days = [_date(instant, zone) for instant in (start - 1, start, now)]
        assert start <= now
        assert days[0] < days[1] == days[2]


def _date(instant: Millis, zone: str) -> date:
    return datetime.fromtimestamp(instant / 1000, UTC).astimezone(ZoneInfo(zone)).date()
