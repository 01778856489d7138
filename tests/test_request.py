"""What an app may send, what it becomes, and what it is told where it is wrong."""

import json
from typing import Any

import pytest

from offers.request import MAX_PLACEMENTS, Asked, DecisionRequest, parse, read
from streams.attributes import Attribute, Kind, attribute_set
from streams.errors import InvalidInput
from streams.ids import CustomerId
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, format_instant, parse_instant
from streams.places import Fix
from streams.record import PlacementRequest

NOW = parse_instant("2026-11-21T18:04:11Z")
HERO = {"placement": "app.home.hero"}
ATTRIBUTES = attribute_set(
    (
        Attribute("customer", "tier", 1, Kind.ENUM, ("blue", "gold")),
        Attribute("context", "weather", 80, Kind.ENUM, ("sunny", "rainy")),
        Attribute("context", "device_scale", 81, Kind.INTEGER),
    )
)


def asked(context: dict[str, Any] | None = None, **more: Any) -> Asked:
    wire = read(json.dumps({"placements": [HERO], "context": context or {}, **more}).encode())
    return parse(wire, CustomerId("c-1"), ATTRIBUTES, NOW)


def located(**location: Any) -> Asked:
    return asked({"location": location})


def refusal(body: bytes | dict[str, Any]) -> tuple[str, str]:
    with pytest.raises(InvalidInput) as raised:
        wire = read(body if isinstance(body, bytes) else json.dumps(body).encode())
        parse(wire, CustomerId("c-1"), ATTRIBUTES, NOW)
    return raised.value.code, raised.value.message


def test_the_call_an_app_hopes_to_make() -> None:
    body = {
        "request_id": "0198f2c1-7a", "locale": "de-DE",
        "placements": [{"placement": "app.home.hero", "limit": 1}, {"placement": "app.trip.card", "limit": 3}],
        "context": {
            "app": {"platform": "ios", "version": "7.4.0", "representation": 2},
            "device": {"class": "phone", "scale": 3}, "trip": {"booking_id": "b-771"}, "weather": "rainy",
            "location": {"status": "approximate", "lat": 43.56, "lon": 10.30, "accuracy_m": 6000,
                         "at": "2026-11-21T18:01:02Z"},
        },
        "events": [{"id": "e-91", "type": "offer.dismissed"}], "holding": ["ot1.k2"], "options": {"deadline_ms": 300},
        "said_by_a_newer_app": True,
    }  # fmt: skip
    found = parse(read(json.dumps(body).encode()), CustomerId("c-1"), ATTRIBUTES, NOW)
    assert found.request.placements == (PlacementRequest(*("app.home.hero", 1)), PlacementRequest("app.trip.card", 3))  # type: ignore[arg-type]
    assert (found.request.customer_id, found.request.locale, found.request.trip) == ("c-1", "de-DE", "b-771")
    assert found.request.context == {
        "context.app_platform": ("ios", NOW), "context.app_version": ("7.4.0", NOW),
        "context.device_class": ("phone", NOW), "context.device_scale": (3, NOW), "context.weather": ("rainy", NOW),
    }  # fmt: skip
    assert (found.location_status, found.fix) == (
        "approximate", Fix(43.56, 10.30, 6000, parse_instant("2026-11-21T18:01:02Z")),
    )  # fmt: skip
    wire = found.wire
    assert (wire.request_id, wire.holding, wire.options.deadline_ms) == ("0198f2c1-7a", ["ot1.k2"], 300)
    assert [json.loads(bytes(event))["id"] for event in wire.events] == ["e-91"]


def test_the_least_an_app_may_send() -> None:
    found = asked()
    assert found.request.placements == (PlacementRequest("app.home.hero", 1),)  # type: ignore[arg-type]
    assert (found.request.locale, found.request.context, found.request.trip) == ("en", {}, None)
    assert (found.location_status, found.fix, found.wire.options.explain) == ("not_determined", None, "none")


def test_context_is_what_is_declared_however_it_is_nested_and_nothing_derived() -> None:
    found = asked({
        "device_class": "tablet", "weather": "sunny", "unheard": "of", "app": {"unheard": 1}, "season": ["summer"],
        "local_hour": 3, "nearest": {"port": "ITLIV"}, "nearest_port_distance": 1.0, "month": 7,
    })  # fmt: skip
    assert found.request.context == {"context.device_class": ("tablet", NOW), "context.weather": ("sunny", NOW)}
    assert refusal({"placements": [HERO], "context": {"weather": "hail"}}) == (
        "ATTRIBUTE_VALUE", "context.weather is 'hail'; expected one of sunny, rainy",
    )  # fmt: skip


@pytest.mark.parametrize("trip", [None, {}, {"booking_id": 7}, {"booking_id": ""}, "b-1", ["b-1"]])
def test_what_names_no_booking_is_no_trip(trip: object) -> None:
    assert asked({"trip": trip}).request.trip is None


def test_a_fix_keeps_its_time_and_without_one_is_of_now() -> None:
    spot = {"status": "precise", "lat": 43.5, "lon": 10.3}
    for at, seen in ((None, NOW), ("2026-11-21T18:00:00Z", NOW - 251_000), ("2026-11-21T19:00:00+01:00", NOW - 251_000),
                     ("2100-01-01T00:00:00Z", NOW), ("1970-01-01T00:00:00Z", NOW)):  # fmt: skip
        found = located(**spot, **({} if at is None else {"at": at}))
        assert (found.location_status, found.fix) == ("precise", Fix(43.5, 10.3, 50.0, seen)), at


def test_where_somebody_was_is_not_where_they_are() -> None:
    old = {"status": "precise", "lat": 43.5, "lon": 10.3}
    for age, used in ((15 * MINUTE_MS, True), (15 * MINUTE_MS + 1_000, False), (9 * DAY_MS, False)):
        found = located(**old, at=format_instant(NOW - age))
        assert (found.location_status, found.fix is not None) == (
            ("precise", True) if used else ("not_determined", False)
        )


@pytest.mark.parametrize("wrong_by", [-50 * 365 * DAY_MS, -3 * HOUR_MS, 3 * HOUR_MS, 40 * 365 * DAY_MS])
def test_a_phone_that_says_what_time_it_has_keeps_the_age_of_its_fix(wrong_by: int) -> None:
    phone = NOW + wrong_by
    for age, seen in ((0, NOW), (2 * MINUTE_MS, NOW - 2 * MINUTE_MS), (2 * DAY_MS, None)):
        at = {"status": "precise", "lat": 43.5, "lon": 10.3, "at": format_instant(phone - age)}
        found = asked({"location": at}, sent_at=format_instant(phone))
        assert (found.fix.at if found.fix is not None else None) == seen


@pytest.mark.parametrize("status", ["denied", "off", "not_determined"])
def test_without_permission_no_fix_is_looked_at(status: str) -> None:
    found = located(status=status, lat=999.0, lon=10.3)
    assert (found.location_status, found.fix) == (status, None)


def test_permission_without_a_fix_lets_presence_stand_in() -> None:
    found = located(status="precise")
    assert (found.location_status, found.fix) == ("not_determined", None)


@pytest.mark.parametrize(
    ("location", "message"),
    [
        ({"status": "everywhere"}, "context.location.status is 'everywhere'; expected one of precise, approximate"),
        ({"status": "precise", "lat": 43.5}, "context.location has one of lat and lon; send both or neither"),
        ({"status": "precise", "lat": 90.1, "lon": 0}, "lat is outside -90..90"),
        ({"status": "precise", "lat": 0, "lon": -181}, "lon is outside -180..180"),
        ({"status": "precise", "lat": 0, "lon": 0, "accuracy_m": -1}, "accuracy_m is -1"),
        ({"status": "precise", "lat": "43", "lon": 0}, "context.location: Expected `float | null`, got `str`"),
        ("here", "context.location: Expected `object`, got `str`"),
        ([43, 10], "context.location: Expected `object`, got `array`"),
    ],
)
def test_a_place_that_cannot_be_is_refused_without_repeating_it(location: object, message: str) -> None:
    code, said = refusal({"placements": [HERO], "context": {"location": location}})
    assert code == "LOCATION_INVALID"
    assert said.startswith(message)
    assert "90.1" not in said and "181" not in said.replace("-180..180", "")


def test_times_that_are_none_are_refused() -> None:
    fix = {"status": "precise", "lat": 1.0, "lon": 1.0, "at": "yesterday"}
    for body in ({"context": {"location": fix}}, {"sent_at": "2026-11-21 18:00"}):
        assert refusal({"placements": [HERO], **body})[0] == "TIME_INVALID"


MANY = [{"placement": f"p{n}"} for n in range(MAX_PLACEMENTS + 1)]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"placements": []}, "placements: 0; expected 1 to 10"),
        ({"placements": MANY}, "placements: 11; expected 1 to 10"),
        ({"placements": [HERO, HERO]}, "a placement is asked for twice; ask once with a higher limit"),
        ({"placements": [{"placement": "p", "limit": 0}]}, "limit of 'p': 0; expected 1 to 30"),
        ({"placements": [{"placement": "p", "limit": 31}]}, "limit of 'p': 31; expected 1 to 30"),
        ({"placements": [{"placement": ""}]}, "placement (characters): 0; expected 1 to 128"),
        ({"placements": [{"placement": "p" * 129}]}, "placement (characters): 129; expected 1 to 128"),
        ({"placements": [HERO], "locale": ""}, "locale (characters): 0; expected 1 to 200"),
        ({"placements": [HERO], "locale": "d" * 201}, "locale (characters): 201; expected 1 to 200"),
        ({"placements": [HERO], "request_id": ""}, "request_id (characters): 0; expected 1 to 128"),
        ({"placements": [HERO], "customer_id": "c" * 129}, "customer_id (characters): 129; expected 1 to 128"),
        ({"placements": [HERO], "holding": ["t"] * 51}, "holding: 51; expected 0 to 50"),
        ({"placements": [HERO], "options": {"explain_offers": ["o"] * 51}},
         "options.explain_offers: 51; expected 0 to 50"),
        ({"placements": [HERO], "options": {"explain": "all"}},
         "options.explain is 'all'; expected one of none, summary, full"),
        ({"placements": [HERO], "options": {"explian": "none"}},
         "Object contains unknown field `explian` - at `$.options`"),
        ({"placements": [{"placement": "p", "limit": "3"}]},
         "Expected `int`, got `str` - at `$.placements[0].limit`"),
        ({"placements": [{"placement": "p", "limit": True}]},
         "Expected `int`, got `bool` - at `$.placements[0].limit`"),
        ({"placements": [HERO], "context": {"trip": {"booking_id": "b" * 129}}},
         "context.trip.booking_id (characters): 129; expected 0 to 128"),
        ({}, "Object missing required field `placements`"),
        ([], "Expected `object`, got `array`"),
    ],
)  # fmt: skip
def test_what_is_out_of_bounds_is_refused_with_the_bounds(body: dict[str, Any], message: str) -> None:
    assert refusal(body) == ("REQUEST_INVALID", message)


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b'{"placements": [}', b'{"placements": NaN}', b"\xff\xfe", b'{"locale": "\xff"}', b"[" * 100_000,
     b'{"placements": 7, "b": '],
)  # fmt: skip
def test_what_is_not_json_is_said_to_be_none(body: bytes) -> None:
    code, message = refusal(body)
    assert code == "JSON_MALFORMED"
    assert message.startswith("the body is not JSON: ")


def test_a_request_made_by_hand_has_the_same_defaults() -> None:
    assert read(b'{"placements": [{"placement": "p"}]}') == DecisionRequest(
        placements=read(b'{"placements": [{"placement": "p", "limit": 1}]}').placements
    )
