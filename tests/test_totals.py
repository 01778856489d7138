"""Totals above one customer: which fields an event moves, and what a window adds up."""

from collections import Counter
from random import Random
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.attributes import Value
from streams.events import Outcome
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, moment, parse_instant
from streams.profile import BUCKET_MS
from streams.totals import NONE, Counted, Kept, Series, Totals, expired

NOW = parse_instant("2026-11-21T18:04:11Z")
EVER = Series("redeemed", "campaign", "spa")
ROLLING = Series("redeemed", "campaign", "spa", f"rolling {DAY_MS}")
DAY, WEEK, MONTH = (Series("redeemed", "campaign", "spa", f"{unit} Europe/Rome") for unit in ("day", "week", "month"))
EVERY = (EVER, ROLLING, DAY, WEEK, MONTH)
AT = st.integers(NOW - 40 * DAY_MS, NOW)


def redeemed(at: Millis = NOW, campaign: str = "spa", event: str = "redeemed") -> Counted:
    return Counted(event, Outcome("d-1", f"{campaign}-offer", campaign, "wellness", "app.home.hero"), at)


def nobody() -> dict[str, tuple[Value, Millis]]:
    return {}


def added_up(kept: Kept, *events: Counted) -> Totals:
    return Totals(Counter(field for each in events for field in kept.fields(each, nobody)))


def test_every_campaigns_events_are_counted_since_ever_though_nobody_asks() -> None:
    found = added_up(
        Kept(), redeemed(), redeemed(NOW - 9 * DAY_MS), redeemed(campaign="bar"), redeemed(event="clicked")
    )
    assert found.counts == {
        "redeemed|campaign|spa|ever|||": 2, "redeemed|campaign|bar|ever|||": 1, "clicked|campaign|spa|ever|||": 1,
    }  # fmt: skip
    assert found.of(EVER, NOW) == 2
    assert NONE.of(EVER, NOW) == 0


def test_windows_are_counted_for_the_campaign_that_asks_and_no_other() -> None:
    kept = Kept((DAY,))
    assert kept
    assert not Kept((EVER,)), "since ever is counted anyway"
    assert list(kept.fields(redeemed(campaign="bar"), nobody)) == ["redeemed|campaign|bar|ever|||"]
    assert list(kept.fields(redeemed(), nobody))[1:] == ["redeemed|campaign|spa|day Europe/Rome||2026-11-21|"]


def test_a_collection_and_every_offer_together_are_counted_where_asked() -> None:
    whole, fleet = Series("redeemed", "collection", "wellness"), Series("redeemed", "all", "", DAY.span)
    found = added_up(Kept((whole, fleet)), redeemed(), redeemed(campaign="bar"))
    assert (found.of(whole, NOW), found.of(fleet, NOW)) == (2, 2)


def test_a_value_has_a_total_of_its_own_even_with_bars_in_it() -> None:
    series = Series("redeemed", "campaign", "spa", by="customer.household")
    kept = Kept((series,))
    households: list[dict[str, tuple[Value, Millis]]] = [
        {"customer.household": (name, NOW)} for name in ("h|0", "h|1", "h|0")
    ]
    found = Totals(Counter(field for each in households for field in kept.fields(redeemed(), each.copy)))
    assert (found.of(series, NOW, "h|0"), found.of(series, NOW, "h|1"), found.of(series, NOW, "h|2")) == (2, 1, 0)
    assert set(found.values(series.key)) == {"h|0", "h|1"}


@pytest.mark.parametrize("value", ["", "x" * 129])
def test_who_has_no_value_or_an_endless_one_is_not_counted_by_it(value: str) -> None:
    kept = Kept((Series("redeemed", "campaign", "spa", by="customer.household"),))
    assert list(kept.fields(redeemed(), nobody)) == ["redeemed|campaign|spa|ever|||"]
    assert len(list(kept.fields(redeemed(), lambda: {"customer.household": (value, NOW)}))) == 1


@given(st.lists(AT, max_size=60), st.randoms(use_true_random=False))
def test_any_order_of_events_gives_the_same_totals(times: list[Millis], random: Random) -> None:
    events = [redeemed(at) for at in times]
    shuffled = random.sample(events, len(events))
    assert added_up(Kept(EVERY), *events).counts == added_up(Kept(EVERY), *shuffled).counts


@given(st.lists(AT, max_size=40), st.integers(BUCKET_MS, 30 * DAY_MS))
def test_a_rolling_window_holds_all_that_happened_in_it_and_at_most_a_step_more(
    times: list[Millis], length: Millis
) -> None:
    series = Series("redeemed", "campaign", "spa", f"rolling {length}")
    found = added_up(Kept((series,)), *map(redeemed, times)).of(series, NOW)
    step = max(1, -(-length // (24 * BUCKET_MS))) * BUCKET_MS
    assert found >= sum(NOW - at <= length for at in times)
    assert found <= sum(NOW - at <= length + step + BUCKET_MS for at in times)


@given(st.lists(AT, max_size=40), st.sampled_from(["Europe/Rome", "America/New_York", "Australia/Lord_Howe", "UTC"]))
def test_calendar_windows_are_those_of_plain_dates(times: list[Millis], name: str) -> None:
    where = ZoneInfo(name)
    today = moment(NOW).astimezone(where).date()
    dates = [moment(at).astimezone(where).date() for at in times]
    same = {
        "day": sum(each == today for each in dates),
        "week": sum(each.isocalendar()[:2] == today.isocalendar()[:2] for each in dates),
        "month": sum((each.year, each.month) == (today.year, today.month) for each in dates),
    }
    asked = {unit: Series("redeemed", "campaign", "spa", f"{unit} {name}") for unit in same}
    found = added_up(Kept(asked.values()), *map(redeemed, times))
    assert {unit: found.of(series, NOW) for unit, series in asked.items()} == same


def test_an_event_of_a_phone_whose_clock_is_ahead_counts_in_a_rolling_window() -> None:
    found = added_up(Kept((ROLLING,)), redeemed(NOW + 5 * MINUTE_MS))
    assert found.of(ROLLING, NOW) == 1


@given(AT, st.integers(0, 45 * DAY_MS), st.sampled_from(EVERY))
def test_what_expires_is_never_asked_for_again(at: Millis, later: Millis, series: Series) -> None:
    now = at + later
    found = added_up(Kept((series,)), redeemed(at))
    gone = {field for field in found.counts if expired(field, now)}
    left = Totals({field: count for field, count in found.counts.items() if field not in gone})
    for hour in range(0, 48, 7):
        assert left.of(series, now + hour * HOUR_MS) == found.of(series, now + hour * HOUR_MS)


def test_periods_are_forgotten_a_day_after_they_are_over_and_what_is_since_ever_never() -> None:
    fields = [field for field in added_up(Kept((DAY, ROLLING)), redeemed()).counts if "|ever|" not in field]
    assert not any(expired(field, NOW + DAY_MS) for field in fields)
    assert all(expired(field, NOW + 3 * DAY_MS) for field in fields)
    assert not expired("redeemed|campaign|spa|ever|||", NOW + 4_000 * DAY_MS)
