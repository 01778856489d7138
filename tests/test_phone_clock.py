"""Phones whose clocks are wrong: in 1970, in 2100, or fast by minutes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.phone_clock import MARGIN_MS, TRUSTED_MS, checked, corrected, plausible
from streams.errors import InvalidInput
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant

NOW = parse_instant("2026-11-21T18:04:11Z")
Y1970 = parse_instant("1970-01-01T00:10:00Z")
Y2100 = parse_instant("2100-01-01T00:00:00Z")
instants = st.integers(Y1970, Y2100)


@pytest.mark.parametrize("phone_now", [Y1970, Y2100, NOW - 3 * HOUR_MS, NOW + 3 * HOUR_MS])
def test_an_event_keeps_its_age_whatever_the_phone_thinks_the_time_is(phone_now: int) -> None:
    assert corrected(phone_now - 2 * HOUR_MS, phone_now, NOW) == NOW - 2 * HOUR_MS


def test_without_sentat_the_future_is_now_and_the_past_stands() -> None:
    assert corrected(Y2100, None, NOW) == NOW
    assert corrected(NOW - DAY_MS, None, NOW) == NOW - DAY_MS


def test_a_clock_that_is_about_right_is_believed_so_that_a_repeat_is_the_same_event() -> None:
    at = NOW - HOUR_MS
    assert {corrected(at, NOW + skew, NOW) for skew in (-TRUSTED_MS, -1, 0, TRUSTED_MS)} == {at}
    assert corrected(at, NOW - TRUSTED_MS - 1, NOW) == at + TRUSTED_MS + 1


@given(instants, st.none() | instants, instants)
def test_nothing_happens_in_the_future_and_correcting_again_changes_nothing(
    time: int, sent: int | None, now: int
) -> None:
    once = corrected(time, sent, now)
    assert once <= now
    assert corrected(once, now, now) == once == corrected(once, None, now)


@pytest.mark.parametrize("kind", ["offer.exposed", "offer.clicked", "offer.redeemed"])
def test_a_counted_event_may_be_seven_days_old_and_not_more(kind: str) -> None:
    assert plausible(kind, NOW - 7 * DAY_MS + MARGIN_MS, NOW) == NOW - 7 * DAY_MS + MARGIN_MS
    assert checked(kind, NOW - 7 * DAY_MS, NOW) == NOW - 7 * DAY_MS + MARGIN_MS
    for time in (NOW - 7 * DAY_MS - 1, Y1970, -(10**15)):
        with pytest.raises(InvalidInput, match="older than it may be") as caught:
            plausible(kind, time, NOW)
        assert caught.value.code == "TIME_IMPLAUSIBLE"


def test_a_location_may_be_fifteen_minutes_old() -> None:
    assert plausible("customer.location", NOW - 15 * MINUTE_MS, NOW) == NOW - 15 * MINUTE_MS
    with pytest.raises(InvalidInput) as caught:
        plausible("customer.location", NOW - 15 * MINUTE_MS - 1, NOW)
    assert caught.value.code == "TIME_IMPLAUSIBLE"


def test_a_consent_given_by_a_clock_in_1970_is_kept_and_a_servers_epoch_zero_is_refused() -> None:
    assert plausible("customer.consent", Y1970, NOW) == NOW
    assert plausible("customer.consent", NOW - 400 * DAY_MS, NOW) == NOW - 400 * DAY_MS
    assert checked("customer.profile", NOW - 400 * DAY_MS, NOW) == NOW - 400 * DAY_MS
    with pytest.raises(InvalidInput, match="1970-01-01T00:00:00Z is older than it may be"):
        checked("customer.profile", 0, NOW)
