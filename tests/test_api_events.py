"""Events and outcomes at the doors: one bad one harms no other, clocks are put right, tokens are ours or refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offers.tokens import OfferTokens, keys_of
from tests.service import LIVORNO, NOW, SAILING, items, offers_of
from tests.shared_service import Shared, problem, shared_service

EVENTS_PATH, OUTCOMES_PATH = "/v1/events", "/v1/outcomes"
UPGRADE = "cabin-upgrade-inside"
HERE = {"location": LIVORNO, "device": {"class": "phone"}}
GOLD = {"attributes": {"loyalty_tier": "gold"}}
OTHER_KEYS = keys_of([("k1", "11" * 32)], "elsewhere")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Shared]:
    """Shared by all tests here."""
    with shared_service(tmp_path_factory.mktemp("events"), valkey_url) as shared:
        yield shared


def test_one_bad_event_in_a_batch_does_not_harm_the_others(service: Shared) -> None:
    live = service.live
    good = live.event("customer.profile", "c-batch", {"attributes": {"loyalty_tier": "gold", "open_complaint": False}})
    consent = {"purposes": {"personalised_offers": True, "location": True}, "channels": {"app": True}}
    booking = {
        "booking_id": "b-1",
        "sailing_id": SAILING,
        "line": "ITLIV-ITOLB",
        "attributes": {"accommodation": "seat"},
    }
    answer = service.send(
        good,
        live.event("customer.profile", "c-batch", {"attributes": {"loyalty_tier": "oro"}}),
        live.event("customer.consent", "c-batch", consent),
        {"specversion": "1.0"},
        live.event("customer.booking", "c-batch", booking),
        *live.sailing(),
    )
    assert answer.status_code == 207
    results = answer.json()["results"]
    assert [result["status"] for result in results] == [
        "accepted", "rejected", "accepted", "rejected", "accepted", "accepted", "accepted", "accepted",
    ]  # fmt: skip
    assert (results[1]["code"], results[3]["code"]) == ("ATTRIBUTE_VALUE", "EVENT_MALFORMED")
    assert "customer.loyalty_tier" in results[1]["message"]
    service.portal.call(live.market_seen)
    assert offers_of(service.ask("c-batch", context=HERE)) == [UPGRADE], "the others count at once"


def test_five_hundred_events_are_a_batch_and_one_more_is_not(service: Shared) -> None:
    def many(count: int) -> list[dict[str, Any]]:
        return [service.live.event("venue.capacity", "v-1", {"free": number}) for number in range(count)]

    assert service.post(EVENTS_PATH, many(500)).status_code == 202
    before = service.portal.call(service.live.market_seen) or service.live.runtime.tail.market.version
    detail = problem(service.post(EVENTS_PATH, many(501)), 413, "BATCH_TOO_LARGE")
    assert detail == "the batch has 501 events, at most 500; send it in several requests"
    assert service.live.runtime.tail.market.version == before


def test_clocks_of_phones_and_servers_in_1970_and_2100(service: Shared) -> None:
    live, token = service.live, service.live.token("c-clocks")

    def preferences(at: str, **more: str) -> dict[str, Any]:
        return {**live.event("customer.preferences", "c-clocks", {"attributes": {"newsletter": True}}, at=at), **more}

    assert service.send(preferences("1970-01-01T00:00:00Z"), token=token).status_code == 202
    assert service.send(preferences("2100-01-01T00:00:00Z"), token=token).status_code == 202
    moved = preferences("1970-01-01T00:00:00Z", sentat="1970-01-01T00:10:00Z")
    assert service.send(moved, token=token).status_code == 202
    old = service.post(EVENTS_PATH, preferences("1970-01-01T00:00:00Z"))
    assert "send `sentat`" in problem(old, 422, "TIME_IMPLAUSIBLE"), "a server's clock is believed, so it is refused"
    item = items(service.ask("c-clocks"))[0]
    sent = {"token": item["token"], "outcome": "exposed"}
    assert service.post(OUTCOMES_PATH, {**sent, "at": "2100-01-01T00:00:00Z"}).status_code == 202
    problem(service.post(OUTCOMES_PATH, {**sent, "at": "1970-01-01T00:00:00Z"}), 422, "TIME_IMPLAUSIBLE")
    moved = {**sent, "at": "1970-01-01T00:00:00Z", "sent_at": "1970-01-01T00:00:05Z"}
    assert service.post(OUTCOMES_PATH, moved).status_code == 202


def test_what_an_event_may_not_say(service: Shared) -> None:
    live = service.live
    for event, code in (
        (live.event("customer.mood", "c-e", {}), "EVENT_TYPE"),
        (live.event("customer.profile", "c-e", {"attributes": {"loyalty_teir": "gold"}}), "ATTRIBUTE_UNKNOWN"),
        (live.event("customer.location", "c-e", {"lat": 91, "lon": 0}), "LOCATION_INVALID"),
        (live.event("sailing.fare", SAILING, {"product": "deck", "minor": -1}), "EVENT_VALUE"),
        (live.event("customer.profile", "x" * 129, GOLD), "EVENT_MALFORMED"),
        (live.event("customer.profile", "c-\n", GOLD), "EVENT_VALUE"),
        ({**live.event("customer.profile", "c-e", GOLD), "id": "x" * 129}, "EVENT_MALFORMED"),
        ({**live.event("customer.profile", "c-e", GOLD), "specversion": "0.3"}, "EVENT_MALFORMED"),
        ({**live.event("customer.profile", "c-e", GOLD), "time": "noon"}, "TIME_INVALID"),
    ):
        before = service.kept()
        problem(service.post(EVENTS_PATH, event), 422, code)
        assert service.send(event).json()["results"][0]["code"] == code
        assert service.kept() == before


def test_the_same_id_from_two_sources_is_two_events(service: Shared) -> None:
    event = service.live.event("customer.preferences", "c-two", {"attributes": {"newsletter": True}})
    answer = service.send(event, {**event, "source": "elsewhere"}, event)
    assert [result["status"] for result in answer.json()["results"]] == ["accepted", "accepted", "duplicate"]
    assert answer.status_code == 202


def test_outcomes_of_tokens_that_are_not_ours(service: Shared) -> None:
    at = {"at": "2026-11-21T18:00:00Z"}
    token = items(service.ask("c-out"))[0]["token"]
    foreign = OfferTokens(OTHER_KEYS).mint(service.live.runtime.offer_tokens.read(token))
    changed = token[:-3] + ("AAA" if not token.endswith("AAA") else "BBB")
    for wrong, code in (("", "MALFORMED"), ("ot1.x", "MALFORMED"), ("x" * 600, "MALFORMED")):
        problem(service.post(OUTCOMES_PATH, {"token": wrong, "outcome": "exposed", **at}), 422, f"TOKEN_{code}")
    for forged in (foreign, changed):
        problem(service.post(OUTCOMES_PATH, {"token": forged, "outcome": "exposed", **at}), 403, "TOKEN_FORGED")
    problem(service.post(OUTCOMES_PATH, {"token": token, "outcome": "redeemed", **at}), 422, "OUTCOME_UNKNOWN")
    others = service.post(OUTCOMES_PATH, {"token": token, "outcome": "clicked", **at}, token=service.live.token("c-9"))
    problem(others, 403, "NOT_YOURS")
    service.live.now += 3 * 86_400_000
    late = service.post(OUTCOMES_PATH, {"token": token, "outcome": "clicked", "at": "2026-11-24T17:59:00Z"})
    service.live.now = NOW
    assert "ask for a new decision" in problem(late, 422, "TOKEN_EXPIRED")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["precise", "c-fuzz", "app.home.hero", "2026-11-21T18:00:00Z", "de"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["location", "device", "class", "lat", "lon", "at", "status", "id"]), inner),
    max_leaves=8,
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.sampled_from(["customer.profile", "customer.booking", "customer.location", "sailing.schedule", "sailing.fare",
                     "offer.exposed", "season.override", "customer.consent", "customer.social", "venue.capacity"]),
    _JSON, st.dictionaries(st.sampled_from(["time", "subject", "id", "source", "sentat", "origin"]), _JSON, max_size=2),
)  # fmt: skip
def test_no_event_is_an_error_of_ours(service: Shared, kind: str, data: Any, more: dict[str, Any]) -> None:
    event = {**service.live.event(kind, "c-fuzz", {}), "data": data, **more}
    assert service.post(EVENTS_PATH, event).status_code in {202, 400, 403, 422}
    assert service.post(OUTCOMES_PATH, {"token": data, "outcome": "exposed", "at": "x", **more}).status_code == 422
