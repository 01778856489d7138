"""What the check understood of dates, in words, and which campaigns are over: the days around every kind of slip."""

import json
from pathlib import Path
from shutil import copytree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from offers.campaign_dates import over, understood
from offers.cli import app
from offers.offer import Campaign, RelativeTime, Schedule
from offers.schedule import active_seasons, status
from offers.season import EasterDay, Holidays, Season, Yearly
from streams.ids import CampaignId, Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant
from tests.catalogs import offer
from tests.test_schedule import at

HERE = Path(__file__).parent
ROME, NEW_YORK = "Europe/Rome", "America/New_York"
NOW = at("2026-11-21 12:00")
SUMMER = Season("summer", ROME, Yearly((6, 1), (9, 15)))
EASTER = Season("easter", ROME, Yearly(EasterDay(-14), EasterDay(7)))
FEASTS = Season("feasts", ROME, Holidays("IT", 1))
SEASONS = (SUMMER, EASTER, FEASTS)
SAILS, ARRIVES = "sailing.departure", "sailing.arrival"


def campaign(plan: Schedule) -> Campaign:
    return Campaign(CampaignId("spa"), "spa", offer("spa", schedule=plan), "spa.yaml")


def text(plan: Schedule, now: Millis = NOW) -> str:
    (found,) = understood([campaign(plan)], SEASONS, now)
    return found.text


@pytest.mark.parametrize(
    ("plan", "expected"),
    [
        (Schedule(ROME, at("2026-11-21 15:00"), at("2026-11-21 20:00")), "Sat 21 Nov 2026, 15:00-20:00 Rome, 5 h"),
        (Schedule(ROME, at("2026-11-21 15:00"), at("2026-11-22 00:00")), "Sat 21 Nov 2026, 15:00-24:00 Rome, 9 h"),
        (Schedule(ROME, at("2026-11-21 22:00"), at("2026-11-22 02:00")), "Sat 21 Nov 2026, 22:00-02:00 Rome, 4 h"),
        (Schedule(ROME, at("2026-11-21 15:00"), at("2026-12-21 00:00")),
         "Sat 21 Nov 2026 15:00 to Sun 20 Dec 2026 24:00 Rome, 29 d 9 h"),
        (Schedule(ROME, at("2027-03-27 12:00"), at("2027-03-28 12:00")),
         "Sat 27 Mar 2027 12:00 to Sun 28 Mar 2027 12:00 Rome, 23 h (clocks go forward between)"),
        (Schedule(NEW_YORK, at("2026-10-31 20:00", NEW_YORK), at("2026-11-01 20:00", NEW_YORK)),
         "Sat 31 Oct 2026 20:00 to Sun 1 Nov 2026 20:00 New York, 1 d 1 h (clocks go back between)"),
        (Schedule(ROME, at("2026-11-21 15:00"), ends_relative=RelativeTime(SAILS, -90 * MINUTE_MS)),
         "from Sat 21 Nov 2026 15:00 Rome until 1 h 30 min before sailing.departure"),
        (Schedule(ROME, starts_relative=RelativeTime(SAILS, 0), ends_relative=RelativeTime(ARRIVES, HOUR_MS)),
         "from sailing.departure until 1 h after sailing.arrival"),
        (Schedule(ROME, ends=at("2026-12-01 00:00")), "until Mon 30 Nov 2026 24:00 Rome"),
        (Schedule(ROME, days=(5, 6), hours=(1320, 120)),
         "on Fri, Sat 22:00-02:00 of the next day Rome; next Sat 21 Nov 2026, 22:00-02:00 Rome, 4 h"),
        (Schedule(ROME, hours=(660, 1020)), "11:00-17:00 Rome; now until Sat 21 Nov 2026 17:00 Rome, 5 h"),
        (Schedule(ROME, seasons=("summer",)), "summer: 1 Jun - 15 Sep 2027"),
        (Schedule(ROME, days=(7,), seasons=("easter", "summer")),
         "on Sun Rome; easter: 14 Mar - 4 Apr 2027; summer: 1 Jun - 15 Sep 2027; "
         "next Sun 14 Mar 2027, 00:00-24:00 Rome, 1 d"),
        (Schedule(ROME, seasons=("feasts",)), "feasts: 7 - 9 Dec 2026"),
        (Schedule(hours=(1080, 1320), local="customer"), "18:00-22:00 on the clock of the customer"),
    ],
)  # fmt: skip
def test_dates_are_repeated_as_they_were_understood(plan: Schedule, expected: str) -> None:
    assert text(plan) == expected


def test_hours_that_the_clocks_jump_over_or_repeat_are_told_for_the_nights_ahead() -> None:
    assert text(Schedule(ROME, hours=(120, 240))) == (
        "02:00-04:00 Rome; next Sun 22 Nov 2026, 02:00-04:00 Rome, 2 h; "
        "1 h shorter in the night to Sun 28 Mar 2027, when clocks change; "
        "1 h longer in the night to Sun 31 Oct 2027, when clocks change"
    )
    jumped = text(Schedule("Australia/Lord_Howe", hours=(120, 150)), at("2026-09-01 12:00", "UTC"))
    assert "; not at all in the night to Sun 4 Oct 2026, when clocks change; " in jumped
    assert jumped.endswith("30 min longer in the night to Sun 4 Apr 2027, when clocks change") is False
    assert "clocks change" not in text(Schedule(ROME, hours=(1020, 1320))), "an evening is as long as ever"


def test_an_instant_written_an_hour_off_is_seen_in_its_length() -> None:
    assert text(Schedule(ROME, at("2026-11-21 15:00"), at("2026-11-21 15:20"))).endswith("15:00-15:20 Rome, 20 min")


PLANS = st.builds(
    Schedule,
    st.sampled_from([ROME, "America/New_York", "Australia/Lord_Howe"]),
    days=st.sets(st.integers(1, 7), max_size=3).map(lambda days: tuple(sorted(days))),
    hours=st.sampled_from([None, (1020, 1320), (1320, 120), (120, 150)]),
    seasons=st.sampled_from([(), ("summer",), ("easter", "feasts")]),
)


@given(PLANS, st.integers(0, 400 * 24 * 4))
@settings(max_examples=60, deadline=None)
def test_the_next_time_is_the_first_at_which_it_is_live(plan: Schedule, quarter: int) -> None:
    now = NOW + quarter * 15 * MINUTE_MS
    found = next((each.next for each in understood([campaign(plan)], SEASONS, now)), None)
    if found is None:
        assert plan == Schedule(plan.zone)
        return

    def live(instant: Millis) -> bool:
        own = [season for season in SEASONS if season.name in plan.seasons]
        return status(plan, instant, active_seasons(own, {}, instant)[0]) is None

    begin, end = found
    assert live(begin) and begin >= now
    step = 15 * MINUTE_MS if begin - now < 20 * DAY_MS else 7 * HOUR_MS
    assert not any(live(instant) for instant in range(now, begin, step))
    assert end is None or (
        not live(end) and all(live(instant) for instant in range(begin, min(end, begin + DAY_MS), step))
    )


# Over


BASE = """campaign: spa
owner: onboard.spa
schedule:
  from: 2026-11-01 00:00
  until: 2026-11-20 24:00
  zone: Europe/Rome
"""


def test_a_schedule_that_is_over_is_told_at_its_end_and_one_minute_before_not(tmp_path: Path) -> None:
    (tmp_path / "spa.yaml").write_text(BASE)
    plan = Schedule(ROME, at("2026-11-01 00:00"), at("2026-11-21 00:00"))
    assert over(tmp_path, [campaign(plan)], (), at("2026-11-20 23:59")) == ()
    assert [str(finding) for finding in over(tmp_path, [campaign(plan)], (), NOW)] == [
        "spa.yaml:5:10: SCHEDULE_OVER warning: the schedule ended on Fri 20 Nov 2026 24:00 Rome, 12 h ago. "
        "Nobody gets the offer; remove the campaign, or give it a new end."
    ]


def test_a_campaign_whose_season_had_its_last_day_is_over(tmp_path: Path) -> None:
    (tmp_path / "seasons.yaml").write_text("")
    once = Season("holy-year", ROME, Yearly((1, 1), (1, 31)))
    past = Season("regatta", ROME, Holidays("IT"))
    assert over(tmp_path, [campaign(Schedule(ROME, seasons=("holy-year",)))], (once,), NOW) == ()
    found = over(tmp_path, [campaign(Schedule(ROME, seasons=("regatta",)))], (past,), at("2150-01-01 00:00"))
    assert [(finding.code, finding.line, finding.message) for finding in found] == [
        ("SCHEDULE_OVER", 1, "regatta had the last of its days.")
    ]


# The command


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return Path(copytree(HERE / "deployment", tmp_path / "ferry"))


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["campaigns", "check", "ferry", *arguments], color=False)


def test_check_repeats_dates_of_times_unasked_and_all_with_dates(folder: Path) -> None:
    asked = ("--now", "2026-11-21T15:00+01:00")
    unasked = run(*asked).stdout.splitlines()
    assert unasked == [
        "campaigns/cabin-upgrade.yaml: from Sun 1 Nov 2026 00:00 Rome until 1 h 30 min before sailing.departure",
        "campaigns/late-deck-fare.yaml: until 1 h before sailing.departure; on Thu, Fri, Sat, Sun 08:00-22:00 Rome; "
        "now until Sat 21 Nov 2026 22:00 Rome, 7 h",
        "4 campaigns are good",
    ]
    every = run(*asked, "--dates").stdout.splitlines()
    assert [line for line in every if line not in unasked] == [
        "campaigns/winery-visit.yaml: summer: 1 Jun - 15 Sep 2027; winter: 1 Nov 2026 - 31 Mar 2027"
    ]


def test_programs_get_every_date_and_what_is_over_counts_as_a_warning(folder: Path) -> None:
    file = folder / "campaigns" / "cabin-upgrade.yaml"
    text_ = file.read_text()
    assert "until: 90 min before booking.sailing.departure" in text_
    file.write_text(text_.replace("90 min before booking.sailing.departure", "2026-11-20 24:00"))
    done = run("--now", "2026-11-21T15:00+01:00", "--format", "json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["errors"], found["warnings"]) == (0, 0, 1)
    assert [finding["code"] for finding in found["findings"]] == ["SCHEDULE_OVER"]
    assert found["dates"][0] == {
        "path": "campaigns/cabin-upgrade.yaml",
        "campaign": "cabin-upgrade-livorno-olbia",
        "understood": "Sun 1 Nov 2026 00:00 to Fri 20 Nov 2026 24:00 Rome, 20 d",
        "live_from": None,
        "live_until": None,
    }
    assert run("--now", "2026-11-21T15:00+01:00", "--strict").exit_code == 1
    assert run("--now", "2026-11-20T15:00+01:00", "--strict").exit_code == 0


def test_a_now_that_is_no_time_is_a_wrong_call(folder: Path) -> None:
    done = run("--now", "tomorrow")
    assert done.exit_code == 2
    assert "is not a time" in done.output


def test_of_many_campaigns_the_first_ten_are_repeated(folder: Path) -> None:
    good = (folder / "campaigns" / "cabin-upgrade.yaml").read_text()
    for number in range(12):
        copy = good.replace("cabin-upgrade-livorno-olbia", f"upgrade-{number}").replace(
            "id: cabin-upgrade-", f"id: u{number}-"
        )
        (folder / "campaigns" / f"upgrade-{number}.yaml").write_text(copy)
    lines = run("--now", "2026-11-21T15:00+01:00").stdout.splitlines()
    assert (len(lines), lines[-2]) == (12, "... and the dates of 4 more campaigns: --dates")
    assert parse_instant("2026-11-21T14:00:00Z") == at("2026-11-21 15:00")
