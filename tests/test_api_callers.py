"""Who may do what at the doors: keys, scopes, customers and their tokens, and apps that claim what is not theirs."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from time import sleep
from typing import Any

import pytest

from offers.tokens import CustomerToken, CustomerTokens, keys_of
from streams.ids import CustomerId
from tests.service import LIVORNO, NOW, SAILING, items, offers_of
from tests.shared_service import HERO, Shared, problem, shared_service

DECISIONS_PATH, EVENTS_PATH, OUTCOMES_PATH = "/v1/decisions", "/v1/events", "/v1/outcomes"
PATHS = (DECISIONS_PATH, EVENTS_PATH, OUTCOMES_PATH)
UPGRADE, FALLBACK = "cabin-upgrade-inside", "islands-newsletter"
HERE = {"location": LIVORNO, "device": {"class": "phone"}}
GOLD = {"attributes": {"loyalty_tier": "gold"}}
OTHER_KEYS = keys_of([("k1", "11" * 32)], "elsewhere")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Shared]:
    """Shared by all tests here."""
    with shared_service(tmp_path_factory.mktemp("callers"), valkey_url) as shared:
        yield shared


@pytest.fixture(scope="module")
def keys_by_scope(service: Shared) -> Mapping[str, str]:
    """Scope -> an API key that has only this one; a new key works within a second."""
    found = {scope: service.new_key(f"{scope}-only", scope) for scope in ("decide", "events")}
    for _ in range(100):
        answer = service.get("/v1/offers?placement=app.home.hero", authorization=f"Bearer {found['events']}")
        if answer.status_code != 401:
            return found
        sleep(0.05)
    raise TimeoutError(answer.text)


def asked(**body: Any) -> dict[str, Any]:
    return {"customer_id": "c-bad", "placements": [HERO], **body}


def test_keys_that_are_missing_unknown_or_revoked(service: Shared) -> None:
    book = service.live.runtime.ledger
    revoked = book.create_key("soon-revoked", ["decide"], NOW)
    book.revoke_key("soon-revoked", NOW)
    for header, code in (
        ("", "CREDENTIALS_MISSING"),
        ("Basic b2s6cHc=", "CREDENTIALS_MISSING"),
        ("Bearer secret", "CREDENTIALS_MISSING"),
        ("Bearer ok_guessed", "KEY_UNKNOWN"),
        (f"Bearer {revoked}", "KEY_UNKNOWN"),
        ("Bearer ct1.guessed", "TOKEN_MALFORMED"),
    ):
        for path in PATHS:
            answer = service.post(path, asked(), authorization=header)
            problem(answer, 401, code)
            assert answer.headers["www-authenticate"] == "Bearer"
            assert header.removeprefix("Bearer ") not in answer.text or not header


def test_customers_tokens_that_are_expired_foreign_or_forged(service: Shared) -> None:
    live = service.live
    expired = live.runtime.customer_tokens.mint(CustomerToken(CustomerId("c-1"), live.now))
    foreign = CustomerTokens(OTHER_KEYS).mint(CustomerToken(CustomerId("c-1"), live.now + 3_600_000))
    good = live.token("c-1")
    forged = good[:-3] + ("AAA" if not good.endswith("AAA") else "BBB")
    for token, code in ((expired, "TOKEN_EXPIRED"), (foreign, "TOKEN_FORGED"), (forged, "TOKEN_FORGED")):
        problem(service.post(DECISIONS_PATH, {"placements": [HERO]}, token=token), 401, code)
        problem(service.post(EVENTS_PATH, [], token=token), 401, code)


def test_a_customers_token_acts_for_its_customer_only(service: Shared) -> None:
    token = service.live.token("c-me")
    assert offers_of(service.post(DECISIONS_PATH, {"placements": [HERO]}, token=token)) == [FALLBACK]
    problem(service.post(DECISIONS_PATH, asked(customer_id="c-you"), token=token), 403, "NOT_YOURS")
    problem(service.get("/v1/offers?placement=app.home.hero&customer_id=c-you", token=token), 403, "NOT_YOURS")
    yours = service.live.event("customer.preferences", "c-you", {"attributes": {"newsletter": True}})
    problem(service.post(EVENTS_PATH, yours, token=token), 403, "NOT_YOURS")


def test_an_app_that_claims_to_be_gold_or_sends_a_redemption(service: Shared) -> None:
    live, token = service.live, service.live.token("c-liar")
    service.gold("c-liar")
    live.now += 1_000
    service.send(live.event("customer.profile", "c-liar", {"attributes": {"loyalty_tier": "blue"}}))
    mine = live.event("customer.preferences", "c-liar", {"attributes": {"newsletter": True}})
    lies = (
        live.event("customer.profile", "c-liar", GOLD),
        live.event("customer.preferences", "c-liar", GOLD),
        live.event("customer.booking", "c-liar", {"booking_id": "b", "sailing_id": SAILING, "line": "ITLIV-ITOLB"}),
        live.event("offer.redeemed", "c-liar", {"token": items(service.ask("c-liar"))[0]["token"]}),
        live.event("sailing.fare", SAILING, {"product": "cabin_inside", "minor": 1}),
        live.event("customer.friend_booked", "c-liar", {"sailing_id": SAILING}),
    )
    before = service.kept()
    for lie in lies:
        problem(service.post(EVENTS_PATH, lie, token=token), 403, "NOT_YOURS_TO_SET")
    assert service.kept() == before
    answer = service.send(*lies, mine, token=token)
    assert answer.status_code == 207
    assert [result.get("code", result["status"]) for result in answer.json()["results"]] == [
        *["NOT_YOURS_TO_SET"] * 6, "accepted",
    ]  # fmt: skip
    inline = {"placements": [HERO], "context": HERE, "events": [lies[0]]}
    answer = service.post(DECISIONS_PATH, inline, token=token)
    assert answer.json()["events"][0]["code"] == "NOT_YOURS_TO_SET"
    assert offers_of(answer) == [FALLBACK], "still blue"
    problem(service.post(EVENTS_PATH, lies[5]), 403, "NOT_YOURS_TO_SET")


@pytest.mark.parametrize(
    "options",
    [{"dry_run": True}, {"now": "2026-11-21T20:00:00Z"}, {"revision": "r-000000000000"}, {"explain": "summary"}],
    ids=str,
)
def test_what_needs_a_scope_is_refused_without_it(
    service: Shared, keys_by_scope: Mapping[str, str], options: dict[str, Any]
) -> None:
    body = {"placements": [HERO], "options": options}
    problem(service.post(DECISIONS_PATH, body, token=service.live.token("c-me")), 403, "SCOPE_MISSING")
    without_clock = {"authorization": f"Bearer {keys_by_scope['decide']}"}
    answer = service.portal.call(
        partial(service.live.http.post, DECISIONS_PATH, json={**body, "customer_id": "c-me"}, headers=without_clock)
    )
    assert "this needs scope simulate" in problem(answer, 403, "SCOPE_MISSING")


def test_scopes_of_keys(service: Shared, keys_by_scope: Mapping[str, str]) -> None:
    decide = {"authorization": f"Bearer {keys_by_scope['decide']}"}
    events = {"authorization": f"Bearer {keys_by_scope['events']}"}
    missing = service.post(DECISIONS_PATH, asked(), **events)
    assert "this needs scope decide: `offing keys create --scopes decide,...`" in problem(missing, 403, "SCOPE_MISSING")
    problem(service.post(EVENTS_PATH, [], **decide), 403, "SCOPE_MISSING")
    problem(service.post(OUTCOMES_PATH, [], **decide), 403, "SCOPE_MISSING")
    problem(service.post(DECISIONS_PATH, asked(), **decide), 403, "SCOPE_MISSING")  # Offing-Now needs simulate
    problem(service.get("/v1/decisions/x", **decide), 403, "SCOPE_MISSING")
    problem(service.get("/v1/decisions/x", token=service.live.token("c-1")), 403, "SCOPE_MISSING")


def test_traffic_says_its_origin_in_three_words(service: Shared) -> None:
    assert service.post(DECISIONS_PATH, asked(), offing_origin="test").status_code == 200
    problem(service.post(DECISIONS_PATH, asked(), offing_origin="robot"), 422, "ORIGIN_UNKNOWN")


def test_load_is_taken_only_where_it_is_allowed(service: Shared) -> None:
    runtime, load = service.live.runtime, {"offing_origin": "load"}
    here = service.live.event("customer.preferences", "c-load", {"attributes": {"newsletter": True}})
    for path, body in ((DECISIONS_PATH, asked()), (EVENTS_PATH, here), (OUTCOMES_PATH, [])):
        assert "OFFING_ALLOW_LOAD=1" in problem(service.post(path, body, **load), 403, "LOAD_NOT_ALLOWED")
    assert service.get("/health/ready").json()["load"] is False
    usual = runtime.settings
    runtime.settings = replace(usual, allow_load=True)
    try:
        assert service.post(DECISIONS_PATH, asked(), **load).status_code == 200
        assert service.post(EVENTS_PATH, here, **load).status_code == 202
        assert service.get("/health/ready").json()["load"] is True
    finally:
        runtime.settings = usual


def test_an_app_is_live_whatever_it_says(service: Shared) -> None:
    token = service.live.token("c-me")
    assert service.post(DECISIONS_PATH, {"placements": [HERO]}, token=token, offing_origin="load").status_code == 200


def test_an_apps_answer_holds_no_scores(service: Shared) -> None:
    service.gold("c-app")
    everything = [HERO, {"placement": "app.trip.card", "limit": 3}]
    body = {"placements": everything, "context": HERE, "options": {"explain": "none"}}
    answer = service.post(DECISIONS_PATH, body, token=service.live.token("c-app")).json()
    assert answer["placements"][0]["items"][0]["offer_id"] == UPGRADE
    hidden = {"score", "rank_score", "propensity", "inclusion", "ruled_out", "value", "margin", "candidates", "lever"}
    assert hidden.isdisjoint(_names(answer))


def _names(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        yield from value
        for inner in value.values():
            yield from _names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _names(inner)
