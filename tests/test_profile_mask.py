"""The consent mask: what was not granted, is too old, was removed or is not declared does not exist."""

from math import inf

from streams import profile
from streams.attributes import attribute_set
from streams.events import Attributes, Booking, Consent, FriendBooked, Social
from streams.instant import DAY_MS
from streams.profile import MaskedProfile
from streams.profile_mask import Retention, mask
from tests.profile_events import ATTRIBUTES, NOW, event, folded, outcome

EVERYTHING = [
    (NOW, event(Attributes({"loyalty_tier": "gold", "children": 2, "interests": ["spa", "cinema"]}), event_id="e-1")),
    (NOW, event(Social(["c-2"]), event_id="e-2")),
    (NOW, event(Booking("b-1", "s-1", "l", "open", {"accommodation": "deck", "pets": True}), event_id="e-3")),
    (NOW, event(outcome(), event_id="e-4")),
    (NOW, event(FriendBooked("s-1", "l"), event_id="e-5")),
]
EXPOSED = ("exposed", "cabin", "cabin-winter", "cabins", "home", "booking:b-1", "phone")
FRIEND = ("friend_booked", "", "", "l", "", "s-1", "")


def _masked(*purposes: str, now: int = NOW, channels: tuple[str, ...] = ()) -> MaskedProfile:
    said = Consent(dict.fromkeys(purposes, True), dict.fromkeys(channels, True))
    found = folded([*EVERYTHING, (NOW, event(said, event_id="consent"))])
    return mask(found.facts, ATTRIBUTES, now=now)


def test_without_consent_only_what_needs_none_is_seen() -> None:
    seen = _masked()
    assert seen.facts == {"customer.loyalty_tier": ("gold", NOW), "customer.interests": (("cinema", "spa"), NOW)}
    assert seen.bookings["b-1"].values == {101: "deck"}
    assert list(seen.counters) == [EXPOSED]
    assert (seen.purposes, seen.channels) == ((), ())


def test_each_purpose_shows_its_own() -> None:
    seen = _masked("personalised_offers", channels=("push", "app"))
    assert seen.facts["customer.children"] == (2, NOW)
    assert "customer.friends" not in seen.facts
    assert seen.bookings["b-1"].values == {101: "deck", 102: True}
    assert FRIEND not in seen.counters
    assert (seen.purposes, seen.channels) == (("personalised_offers",), ("app", "push"))
    seen = _masked("social", "location")
    assert seen.facts["customer.friends"] == (("c-2",), NOW)
    assert seen.counters.keys() == {EXPOSED, FRIEND}
    assert seen.purposes == ("location", "social")


def test_withdrawn_consent_hides_again() -> None:
    taken = event(Consent({"personalised_offers": False}), NOW + 2, "e-7")
    granted = event(Consent({"personalised_offers": True}), NOW + 1, "e-6")
    seen = mask(folded([*EVERYTHING, (NOW, taken), (NOW, granted)]).facts, ATTRIBUTES, now=NOW)
    assert "customer.children" not in seen.facts
    assert seen.purposes == ()


def test_friends_in_the_lifetime_total_need_social_too() -> None:
    facts = profile.ProfileFacts(lifetime={FRIEND: 2, EXPOSED: 3})
    assert mask(facts, ATTRIBUTES, now=NOW).lifetime == {EXPOSED: 3}


def test_past_its_retention_an_attribute_is_missing() -> None:
    on_time = _masked("personalised_offers", now=NOW + 30 * DAY_MS)
    assert "customer.interests" in on_time.facts
    late = _masked("personalised_offers", now=NOW + 30 * DAY_MS + 1)
    assert sorted(late.facts) == ["customer.children", "customer.loyalty_tier"]
    assert late.bookings["b-1"].values == {101: "deck", 102: True}
    assert _masked("personalised_offers", now=NOW + 91 * DAY_MS).bookings["b-1"].values == {101: "deck"}


def test_removed_and_undeclared_attributes_are_missing() -> None:
    removed = folded([*EVERYTHING, (NOW, event(Attributes({"loyalty_tier": None}), NOW + 1, "e-6"))])
    assert "customer.loyalty_tier" not in mask(removed.facts, ATTRIBUTES, now=NOW).facts
    seen = mask(removed.facts, attribute_set(()), now=NOW)
    assert (seen.facts, seen.bookings["b-1"].values) == ({}, {})


def test_the_mask_does_not_depend_on_the_order_of_events() -> None:
    forth, back = (mask(folded(events).facts, ATTRIBUTES, now=NOW) for events in (EVERYTHING, EVERYTHING[::-1]))
    assert list(forth.facts.items()) == list(back.facts.items())
    assert forth == back


def test_purge_drops_what_is_past_its_retention_and_nothing_else() -> None:
    facts = folded([*EVERYTHING, (NOW, event(Attributes({"interests": None}), NOW + 1, "e-6"))]).facts
    retention = Retention(ATTRIBUTES)
    assert retention.until(facts) == NOW + 1 + 30 * DAY_MS
    assert retention.purged(facts, NOW + 1 + 30 * DAY_MS) is facts
    assert sorted(retention.purged(facts, NOW + 2 + 30 * DAY_MS).cells) == [1, 2, 9001]
    purged = retention.purged(facts, NOW + 100 * DAY_MS)
    assert sorted(purged.cells) == [1, 2, 9001]
    assert purged.bookings["b-1"].values == {101: "deck"}
    assert purged.counters == facts.counters
    now = NOW + 100 * DAY_MS
    assert mask(purged, ATTRIBUTES, now=now) == mask(facts, ATTRIBUTES, now=now)
    assert retention.purged(purged, now) is purged
    assert retention.until(purged) == inf
    assert Retention(attribute_set(())).purged(facts, now) is facts, "undeclared, so nobody knows how long"
