"""What a key and a customer's token may do."""

import pytest

from offers.caller import (
    SCOPES,
    Caller,
    customer_caller,
    key_caller,
    may_act_for,
    may_say,
    may_send,
    parse_scopes,
    require,
)
from streams.attributes import Attribute, AttributeSet, Kind, attribute_set
from streams.errors import InvalidInput, NotAllowed
from streams.events import APP_EVENTS, CONTRACTS, Attributes, Consent, Event
from streams.ids import CustomerId

GOLD = ("blue", "silver", "gold")


def declared() -> AttributeSet:
    return attribute_set(
        (
            Attribute("customer", "loyalty_tier", 1, Kind.ENUM, GOLD, ordered=True, event="customer.profile"),
            Attribute("customer", "seat_wish", 2, Kind.STRING, event="customer.preferences", set_by="app"),
        )
    )


def event(kind: str, subject: str = "c-42", **attributes: object) -> Event:
    data = Attributes(dict(attributes)) if attributes else Consent()
    return Event("e-1", "app", kind, subject, 0, data)


def refusal(caller: Caller, sent: Event) -> str:
    with pytest.raises(NotAllowed) as caught:
        may_send(caller, sent, declared())
    return caught.value.code


APP = customer_caller(CustomerId("c-42"))
BACKEND = key_caller("booking", ["events"])


def test_an_app_claiming_to_be_gold_is_refused() -> None:
    assert refusal(APP, event("customer.profile", loyalty_tier="gold")) == "NOT_YOURS_TO_SET"
    assert refusal(APP, event("customer.preferences", seat_wish="window", loyalty_tier="gold")) == "NOT_YOURS_TO_SET"
    assert refusal(APP, event("customer.preferences", nonsense=1)) == "NOT_YOURS_TO_SET"
    may_send(APP, event("customer.preferences", seat_wish="window"), declared())
    may_send(BACKEND, event("customer.profile", loyalty_tier="gold"), declared())


def test_an_app_sending_a_redemption_or_a_booking_is_refused() -> None:
    for kind in sorted(set(CONTRACTS) - APP_EVENTS):
        assert refusal(APP, event(kind)) == "NOT_YOURS_TO_SET"
    for kind in sorted(APP_EVENTS):
        may_send(APP, event(kind), declared())


def test_a_customer_acts_for_itself_only_and_a_key_for_everyone() -> None:
    may_act_for(APP, "c-42")
    may_act_for(BACKEND, "c-7")
    with pytest.raises(NotAllowed) as caught:
        may_act_for(APP, "c-7")
    assert caught.value.code == "NOT_YOURS"
    assert refusal(APP, event("customer.consent", subject="c-7")) == "NOT_YOURS"
    may_send(BACKEND, event("customer.consent", subject="c-7"), declared())


def test_nobody_sends_what_only_the_consumer_makes() -> None:
    assert refusal(BACKEND, event("customer.friend_booked")) == "NOT_YOURS_TO_SET"


def test_a_scope_is_held_or_it_is_not() -> None:
    require(BACKEND, "events")
    require(APP, "decide")
    for caller, scope in (
        (BACKEND, "decide"),
        (APP, "simulate"),
        (APP, "admin"),
        (key_caller("a", ["admin"]), "events"),
    ):
        with pytest.raises(NotAllowed, match=f"this needs scope {scope}") as caught:
            require(caller, scope)
        assert caught.value.code == "SCOPE_MISSING"


def test_scopes_are_known_ordered_and_each_once() -> None:
    assert parse_scopes(["events", "decide", "events"]) == ("decide", "events")
    assert parse_scopes(SCOPES) == SCOPES
    with pytest.raises(InvalidInput, match="scopes are 'root'; choose from decide, events, simulate, admin"):
        parse_scopes(["root", "decide"])
    with pytest.raises(InvalidInput, match="scopes are none"):
        parse_scopes([])


def test_an_app_says_of_its_context_only_what_is_from_the_app() -> None:
    declared = attribute_set(
        (
            Attribute("context", "weather", 80, Kind.STRING, set_by="app"),
            Attribute("context", "vip_lane", 81, Kind.BOOLEAN, set_by="server"),
        )
    )
    app, key = customer_caller(CustomerId("c-1")), key_caller("shop", ("decide",))
    may_say(app, ("context.weather", "context.device_class", "context.app_version"), declared)
    may_say(key, ("context.vip_lane",), declared)
    with pytest.raises(NotAllowed, match="`from: server`") as refused:
        may_say(app, ("context.weather", "context.vip_lane"), declared)
    assert refused.value.code == "NOT_YOURS_TO_SET"
