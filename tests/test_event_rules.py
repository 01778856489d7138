"""What an event may say beyond its contract; every refusal names the field and what was expected."""

from typing import Any

import pytest

from offers.event_rules import check
from streams.attributes import Attribute, AttributeSet, Kind, attribute_set
from streams.errors import InvalidInput
from streams.events import (
    Attributes,
    Booking,
    Capacity,
    Consent,
    Event,
    EventData,
    Fare,
    Linked,
    Location,
    Outcome,
    SailingPosition,
    Schedule,
    Social,
    VenueCapacity,
)


def declared() -> AttributeSet:
    return attribute_set(
        (
            Attribute("customer", "loyalty_tier", 1, Kind.ENUM, ("blue", "gold"), event="customer.profile"),
            Attribute("customer", "age", 2, Kind.INTEGER, event="customer.profile"),
            Attribute("customer", "interests", 3, Kind.SET, event="customer.preferences", set_by="app"),
            Attribute("booking", "accommodation", 40, Kind.ENUM, ("deck", "seat"), event="customer.booking"),
        )
    )


def event(kind: str, data: EventData, **changes: str) -> Event:
    named = {"id": "e-1", "source": "booking", "subject": "c-42", "origin": "live", **changes}
    return Event(named["id"], named["source"], kind, named["subject"], 0, data, named["origin"])


def profile(**attributes: Any) -> Event:
    return event("customer.profile", Attributes(attributes))


def redeemed(decision_id: str) -> Event:
    return event("offer.redeemed", Outcome(decision_id, "spa", "winter", "cabins", "app.home.hero"))


SAILS = Schedule("ITLIV-ITOLB", "2026-11-21T21:30:00+01:00", "2026-11-22T07:30:00+01:00")


@pytest.mark.parametrize(
    "sound",
    [
        profile(loyalty_tier="gold", age=41),
        profile(loyalty_tier=None),
        event("customer.preferences", Attributes({"interests": ["spa", "bar"]})),
        event("customer.booking", Booking("b-1", "s-1", "ITLIV-ITOLB", "cancelled", {"accommodation": "deck"})),
        event("customer.consent", Consent({"location": True}, {"app": False})),
        event("customer.social", Social(["c-7"] * 200)),
        event("customer.linked", Linked("c-43")),
        event("customer.location", Location(43.5558, 10.3019, 20.0, "approximate")),
        redeemed(""),
        redeemed("019a9c2b-8a38-7000-8000-000000000000"),
        event("sailing.position", SailingPosition(-33.9, 179.999)),
        event("sailing.schedule", SAILS),
        event("sailing.fare", Fare("deck", 0, "JPY")),
        event("sailing.capacity", Capacity("inside", 0)),
        event("venue.capacity", VenueCapacity(1_000_000)),
        event("customer.consent", Consent(), origin="load", subject="é" * 128),
    ],
)
def test_a_sound_event_passes(sound: Event) -> None:
    check(sound, declared())


@pytest.mark.parametrize(
    ("bad", "code", "said"),
    [
        (profile(loyalty_tier="oro"), "ATTRIBUTE_VALUE", "customer.loyalty_tier is 'oro'; expected one of blue, gold"),
        (profile(age="41"), "ATTRIBUTE_VALUE", "customer.age is '41'; expected a integer"),
        (profile(age=10**30), "ATTRIBUTE_VALUE", "customer.age"),
        (profile(loyalty=1), "ATTRIBUTE_UNKNOWN", "customer.loyalty is not declared in attributes.yaml; did you mean"),
        (profile(zzz=1), "ATTRIBUTE_UNKNOWN", "declared are age, interests, loyalty_tier"),
        (profile(friends=["c-7"]), "ATTRIBUTE_UNKNOWN", "customer.friends is not declared"),
        (profile(**{"x" * 5_000: 1}), "ATTRIBUTE_UNKNOWN", "xxx..."),
        (profile(interests=["spa"]), "ATTRIBUTE_EVENT", "comes with customer.preferences, not with customer.profile"),
        (
            profile(**{f"a{n}": 1 for n in range(65)}),
            "EVENT_VALUE",
            "data.attributes has 65 entries; expected at most 64",
        ),
        (
            event("customer.booking", Booking("b-1", "s-1", "L", "open", {"accommodation": "suite"})),
            "ATTRIBUTE_VALUE",
            "booking.accommodation is 'suite'",
        ),
        (event("customer.booking", Booking("b-1", "s-1", "L", "gone")), "EVENT_VALUE", "data.status is 'gone'"),
        (
            event("customer.booking", Booking("b" * 129, "s-1", "L")),
            "EVENT_VALUE",
            "data.booking_id has 129 characters",
        ),
        (event("customer.consent", Consent({"p" * 121: True})), "EVENT_VALUE", "a name has 121 characters"),
        (event("customer.social", Social(["c-7"] * 201)), "EVENT_VALUE", "data.friends has 201 entries"),
        (event("customer.social", Social(["c" * 129])), "EVENT_VALUE", "an id has 129 characters"),
        (event("customer.location", Location(90.01, 10.3)), "LOCATION_INVALID", "lat is outside -90..90"),
        (event("customer.location", Location(43.5, -180.5)), "LOCATION_INVALID", "lon is outside -180..180"),
        (event("customer.location", Location(float("nan"), 10.3)), "LOCATION_INVALID", "lat is not a finite number"),
        (event("customer.location", Location(43.5, 10.3, float("inf"))), "LOCATION_INVALID", "accuracy_m"),
        (event("customer.location", Location(43.5, 10.3, 5.0, "denied")), "LOCATION_INVALID", "'denied' allows no use"),
        (event("customer.location", Location(43.5, 10.3, 5.0, "here")), "EVENT_VALUE", "data.status is 'here'"),
        (redeemed("order-1"), "DECISION_ID", "data.decision_id: 'order-1' is no decision id; expected a UUIDv7"),
        (redeemed("ffffffff-ffff-7fff-bfff-ffffffffffff"), "TIME_INVALID", "data.decision_id: "),
        (event("sailing.position", SailingPosition(91, 0)), "LOCATION_INVALID", "lat is outside"),
        (event("sailing.schedule", Schedule("L", "today", "tomorrow")), "TIME_INVALID", "'today' is not a time"),
        (
            event("sailing.schedule", Schedule("L", SAILS.arrival, SAILS.departure)),
            "SCHEDULE_ORDER",
            "before departure",
        ),
        (
            event("sailing.schedule", Schedule("L", SAILS.departure, SAILS.arrival, "sunk")),
            "EVENT_VALUE",
            "expected one of scheduled, delayed, cancelled",
        ),
        (event("sailing.fare", Fare("deck", -1)), "EVENT_VALUE", "data.minor is -1; expected a whole number from 0"),
        (event("sailing.fare", Fare("deck", 10**400)), "EVENT_VALUE", "data.minor is 1000"),
        (event("sailing.fare", Fare("deck", 1, "euro")), "EVENT_VALUE", "data.currency is 'euro'; expected ISO 4217"),
        (event("sailing.capacity", Capacity("inside", -1)), "EVENT_VALUE", "data.free is -1"),
        (event("venue.capacity", VenueCapacity(10**7)), "EVENT_VALUE", "data.free is 10000000"),
        (event("customer.linked", Linked("c" * 129)), "EVENT_VALUE", "data.customer_id has 129 characters"),
        (event("customer.consent", Consent(), origin="prod"), "EVENT_ORIGIN", "expected one of live, test, load"),
        (
            event("customer.consent", Consent(), subject="c\x00"),
            "EVENT_VALUE",
            "subject is 'c\\x00'; expected printable",
        ),
    ],
)
def test_an_unsound_event_is_refused_with_the_field_and_the_expectation(bad: Event, code: str, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(bad, declared())
    assert caught.value.code == code
    assert said in caught.value.message
    assert len(caught.value.message) < 300


def test_coordinates_are_never_repeated_in_a_message() -> None:
    with pytest.raises(InvalidInput) as caught:
        check(event("customer.location", Location(43.55581, 510.30191)), declared())
    assert "43.5" not in caught.value.message
    assert "510.3" not in caught.value.message
