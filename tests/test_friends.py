"""Friends: who is told of a new booking, and how often."""

from collections.abc import Sequence

from streams.events import Booking, Consent, Event, FriendBooked, Social
from streams.fold import fold
from streams.friends import friend_events
from streams.instant import DAY_MS
from streams.profile import EMPTY, Profile
from tests.makers import ATTRIBUTES, NOW, event

TALKS = event("customer.consent", "anna", Consent(purposes={"social": True}))
FRIENDS = event("customer.social", "anna", Social(["ben", "carla", "anna"]), event_id="e-2")


def booking(status: str = "open", sailing: str = "s-1", at: int = NOW, event_id: str = "e-3") -> Event:
    return event("customer.booking", "anna", Booking("b-1", sailing, "ITLIV-ITOLB", status), at, event_id)


def told(history: Sequence[Event], last: Event, now: int = NOW) -> tuple[Event, ...]:
    before = after = EMPTY
    for each in (*history, last):
        before, after = after, _folded(after, each)
    return friend_events(last, before.facts, after.facts, now)


def _folded(profile: Profile, each: Event) -> Profile:
    return fold(profile, each, None, NOW, ATTRIBUTES).profile


def test_each_named_friend_is_told_once_of_a_new_booking() -> None:
    events = told([TALKS, FRIENDS], booking())
    assert [each.subject for each in events] == ["ben", "carla"]
    assert {each.data for each in events} == {FriendBooked("s-1", "ITLIV-ITOLB")}
    assert {(each.type, each.time, each.origin) for each in events} == {("customer.friend_booked", NOW, "live")}
    assert len({each.id for each in events}) == 2
    assert all("anna" not in each.id for each in events)


def test_the_id_depends_on_the_booking_not_on_the_event_that_told_it() -> None:
    first = told([TALKS, FRIENDS], booking(event_id="e-3"))
    again = told([TALKS, FRIENDS, booking(status="cancelled", at=NOW)], booking(at=NOW + 1, event_id="e-9"))
    assert [each.id for each in first] == [each.id for each in again]
    other = told([TALKS, FRIENDS], booking(sailing="s-2"))
    assert {each.id for each in first}.isdisjoint(each.id for each in other)


def test_a_booking_that_is_not_newly_open_tells_nobody() -> None:
    assert told([TALKS, FRIENDS, booking()], booking(at=NOW + 1, event_id="e-4")) == (), "still open"
    assert told([TALKS, FRIENDS], booking(status="cancelled")) == ()
    late = booking(at=NOW - 1, event_id="e-4")
    assert told([TALKS, FRIENDS, booking(status="cancelled")], late) == (), "cancelled since"
    moved = booking(sailing="s-2", at=NOW + 1, event_id="e-4")
    assert len(told([TALKS, FRIENDS, booking()], moved)) == 2, "another sailing is news"


def test_without_the_booker_s_consent_nobody_is_told() -> None:
    assert told([FRIENDS], booking()) == ()
    withdrawn = event("customer.consent", "anna", Consent(purposes={"social": False}), NOW + 1, "e-5")
    assert told([TALKS, FRIENDS, withdrawn], booking()) == ()
    assert told([TALKS], booking()) == (), "no friends named"


def test_old_news_is_not_told_because_its_id_would_be_forgotten() -> None:
    assert len(told([TALKS, FRIENDS], booking(), now=NOW + 7 * DAY_MS)) == 2
    assert told([TALKS, FRIENDS], booking(), now=NOW + 7 * DAY_MS + 1) == ()


def test_test_traffic_stays_test_traffic() -> None:
    trial = Event("e-3", "test", "customer.booking", "anna", NOW, booking().data, origin="test")
    assert {each.origin for each in told([TALKS, FRIENDS], trial)} == {"test"}


def test_other_events_tell_nobody() -> None:
    assert told([TALKS], FRIENDS) == ()
