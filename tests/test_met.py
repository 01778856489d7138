"""When a visit began: back over quarters of an hour in which the customer did something, until half an hour of none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.capping import rule_out
from offers.met import met
from offers.offer import VISIT, Limit, Window
from offers.proposition import Code
from streams.ids import Millis
from streams.instant import HOUR_MS, MINUTE_MS
from streams.profile import MaskedProfile, bucket_of
from tests.catalogs import NOW, inputs, offer
from tests.deciding import candidate, counters, happened

ONCE = offer("once", limits=(Limit("exposed", "customer", "offer", 1, Window(VISIT)),))
ANOTHER = offer("another")
SHORT, LONG = 30 * MINUTE_MS, 45 * MINUTE_MS


def capped(now: Millis, *events: tuple[str, Millis]) -> bool:
    """Whether ONCE, shown first of all, is held back; the other events are to do with another offer."""
    (_, shown), *others = events
    known = [(happened("exposed", ONCE), shown), *[(happened(event, ANOTHER), at) for event, at in others]]
    situation = inputs(profile=MaskedProfile(counters=counters(*known)), now=now)
    reason = rule_out(candidate(ONCE, situation), situation)
    return reason is not None and reason.code is Code.CAP_CUSTOMER_REACHED


@pytest.mark.parametrize(
    ("minutes", "same"), [(0, True), (29, True), (44, True), (45, False), (60, False), (600, False)]
)
def test_a_visit_outlasts_half_an_hour_of_silence_and_no_more_than_three_quarters(minutes: int, same: bool) -> None:
    assert NOW % HOUR_MS == 0
    assert capped(NOW + minutes * MINUTE_MS, ("exposed", NOW)) is same


def test_whatever_is_done_in_the_app_goes_on_with_the_visit() -> None:
    dismissed, clicked = ("dismissed", NOW + 30 * MINUTE_MS), ("clicked", NOW + 60 * MINUTE_MS)
    assert capped(NOW + 90 * MINUTE_MS, ("exposed", NOW), dismissed, clicked)
    assert not capped(NOW + 90 * MINUTE_MS, ("exposed", NOW), clicked)


@pytest.mark.parametrize("event", ["redeemed", "friend_booked"])
def test_what_others_tell_of_a_customer_is_no_visit(event: str) -> None:
    assert not capped(NOW + 60 * MINUTE_MS, ("exposed", NOW), (event, NOW + 30 * MINUTE_MS))


def test_who_has_done_nothing_begins_a_visit_now() -> None:
    assert met(MaskedProfile()).visit_began(bucket_of(NOW)) == bucket_of(NOW)
    ahead = MaskedProfile(counters=counters((happened("exposed", ONCE), NOW + 5 * HOUR_MS)))
    assert met(ahead).visit_began(bucket_of(NOW)) == bucket_of(NOW), "a phone's clock that runs ahead"


@given(st.lists(st.integers(0, 600), min_size=1, max_size=20), st.integers(0, 240))
def test_a_visit_by_quarters_lies_between_silences_of_30_and_of_45_minutes(ago: list[int], shift: int) -> None:
    """The exact chain of minutes, told with half an hour and with three quarters, encloses what quarters tell."""
    now = NOW + shift * MINUTE_MS
    times = sorted({now - each * MINUTE_MS for each in ago})
    profile = MaskedProfile(counters=counters(*[(happened("exposed", ONCE), at) for at in times]))
    began = met(profile).visit_began(bucket_of(now))
    assert bucket_of(exactly(times, now, LONG)) <= began <= bucket_of(exactly(times, now, SHORT))


def exactly(times: list[Millis], now: Millis, silence: Millis) -> Millis:
    """When the visit at `now` began, if one ends after `silence`."""
    began = now
    for at in reversed(times):
        if began - at > silence:
            break
        began = at
    return began
