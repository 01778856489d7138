"""What a client gets back for what it should not have asked: a clear answer, and nothing accepted is lost."""

import gzip
import json
from collections.abc import Iterator, Mapping
from time import sleep
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.log import DECISIONS, LOCATIONS
from tests.service import LIVORNO, items, offers_of
from tests.shared_service import HERO, Shared, problem, shared_service

DECISIONS_PATH, EVENTS_PATH, OUTCOMES_PATH = "/v1/decisions", "/v1/events", "/v1/outcomes"
PATHS = (DECISIONS_PATH, EVENTS_PATH, OUTCOMES_PATH)
UPGRADE, FALLBACK = "cabin-upgrade-inside", "islands-newsletter"
HERE = {"location": LIVORNO, "device": {"class": "phone"}}
GOLD = {"attributes": {"loyalty_tier": "gold"}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Shared]:
    """Shared by all tests here."""
    with shared_service(tmp_path_factory.mktemp("api"), valkey_url) as shared:
        yield shared


def asked(**body: Any) -> dict[str, Any]:
    return {"customer_id": "c-bad", "placements": [HERO], **body}


# Bodies


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{'customer_id': 'c'}",
        b'{"lat": NaN}',
        b'{"lat": -Infinity}',
        b"[1,]",
        b"{} {}",
        b"\xff\xfe",
        b"\xef\xbb\xbf{}",
        b'{"customer_id": "\\ud800"}',
        b'{"context": ' + b'{"a":' * 10_000,
    ],
    ids=lambda body: repr(body[:20]),
)
def test_a_body_that_is_not_json_is_400_and_says_so(service: Shared, path: str, body: bytes) -> None:
    before = service.kept()
    detail = problem(service.post(path, body), 400, "JSON_MALFORMED")
    assert detail.startswith("the body is not JSON: ")
    assert "UTF-8, and no NaN or Infinity" in detail or "nested" in detail
    assert service.kept() == before


@pytest.mark.parametrize("path", PATHS)
def test_ten_megabytes_are_refused_plain_and_zipped(service: Shared, path: str) -> None:
    before = service.kept()
    body = b'{"customer_id": "' + b"x" * 10_000_000 + b'"}'
    limit = "64 KiB" if path == DECISIONS_PATH else "1024 KiB"
    for answer in (service.post(path, body), service.post(path, gzip.compress(body), content_encoding="gzip")):
        assert f"larger than {limit}" in problem(answer, 413, "BODY_TOO_LARGE")
        assert answer.headers["connection"] == "close"
    assert service.kept() == before


def test_a_form_as_curl_sends_it_says_which_header_to_add(service: Shared) -> None:
    for path in PATHS:
        answer = service.post(path, b"{}", content_type="application/x-www-form-urlencoded")
        assert "-H 'Content-Type: application/json'" in problem(answer, 415, "MEDIA_TYPE")
        problem(service.post(path, b"{}", content_type="text/xml"), 415, "MEDIA_TYPE")
        problem(service.post(path, b"{}", content_encoding="br"), 415, "CONTENT_ENCODING")


def test_zipped_events_are_taken(service: Shared) -> None:
    event = service.live.event("customer.profile", "c-zip", GOLD)
    answer = service.post(EVENTS_PATH, gzip.compress(json.dumps([event]).encode()), content_encoding="gzip")
    assert answer.status_code == 202


def test_unknown_routes_and_methods_are_problems_too(service: Shared) -> None:
    problem(service.get("/v1/nothing"), 404, "ROUTE_UNKNOWN")
    assert "POST" in problem(service.get(DECISIONS_PATH), 405, "METHOD_NOT_ALLOWED")


# What a decision is asked for


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ([], "Expected `object`, got `array`"),
        ({"customer_id": "c-bad"}, "missing required field `placements`"),
        (asked(placements=[]), "placements: 0; expected 1 to 10"),
        (asked(placements=[{"placement": f"p{number}"} for number in range(11)]), "placements: 11; expected 1 to 10"),
        (asked(placements=[HERO, HERO]), "a placement is asked for twice; ask once with a higher limit"),
        (asked(placements=[{**HERO, "limit": 0}]), "limit of 'app.home.hero': 0; expected 1 to 30"),
        (asked(placements=[{**HERO, "limit": 31}]), "limit of 'app.home.hero': 31; expected 1 to 30"),
        (asked(placements=[{**HERO, "limit": -1}]), "limit of 'app.home.hero': -1; expected 1 to 30"),
        (asked(placements=[{**HERO, "limit": 1.5}]), "Expected `int`, got `float` - at `$.placements[0].limit`"),
        (asked(placements=[{**HERO, "count": 2}]), "unknown field `count`"),
        (asked(customer_id=""), "customer_id (characters): 0; expected 1 to 128"),
        (asked(customer_id="x" * 129), "customer_id (characters): 129; expected 1 to 128"),
        (asked(customer_id=7), "Expected `str | null`, got `int` - at `$.customer_id`"),
        ({"placements": [HERO]}, "customer_id is missing; a key decides for a customer it names"),
        (asked(request_id="x" * 129), "request_id (characters): 129; expected 1 to 128"),
        (asked(locale=""), "locale (characters): 0; expected 1 to 200"),
        (asked(holding=["ot1.x"] * 51), "holding: 51; expected 0 to 50"),
        (asked(holding="ot1.x"), "Expected `array`, got `str` - at `$.holding`"),
        (asked(events={}), "Expected `array`, got `object` - at `$.events`"),
        (asked(context=[]), "Expected `object`, got `array` - at `$.context`"),
        (asked(options=[]), "Expected `object`, got `array` - at `$.options`"),
        (asked(options={"dry-run": True}), "unknown field `dry-run` - at `$.options`"),
        (asked(options={"dry_run": "yes"}), "Expected `bool`, got `str` - at `$.options.dry_run`"),
        (asked(options={"deadline_ms": "300"}), "got `str` - at `$.options.deadline_ms`"),
        (asked(options={"explain": "all"}), "options.explain is 'all'; expected one of none, summary, full"),
        (asked(options={"explain_offers": ["o"] * 51}), "options.explain_offers: 51; expected 0 to 50"),
    ],
    ids=lambda value: value[:40] if isinstance(value, str) else "",
)
def test_a_request_that_is_wrong_says_where_and_what_was_expected(service: Shared, body: object, says: str) -> None:
    assert says in problem(service.post(DECISIONS_PATH, body), 422, "REQUEST_INVALID")


def test_a_context_of_the_wrong_type_names_the_attribute(service: Shared) -> None:
    for context, says in (
        ({"device": {"class": "watch"}}, "context.device_class is 'watch'; expected one of phone, tablet"),
        ({"device": {"class": {"is": "phone"}}}, "context.device_class is {'is': 'phone'}; expected one of"),
        ({"app": {"version": 10**40}}, "context.app_version is 1000"),
        ({"weather": ["rain"]}, "context.weather is ['rain']; expected one of sunny, rain, storm"),
    ):
        assert says in problem(service.ask("c-bad", context=context), 422, "ATTRIBUTE_VALUE")


def test_what_newer_apps_send_is_left_alone(service: Shared) -> None:
    deep: dict[str, Any] = {}
    for _ in range(500):
        deep = {"deeper": deep}
    answer = service.ask("c-new", context={"mood": "sunny", "device": {"fold": "half"}, "deep": deep}, feeling=1)
    assert offers_of(answer) == [FALLBACK]


def test_of_two_equal_keys_the_last_one_counts(service: Shared) -> None:
    body = b'{"customer_id": "c-once", "customer_id": "c-twice", "placements": [{"placement": "app.home.hero"}]}'
    answer = service.post(DECISIONS_PATH, body, token=service.live.token("c-twice"))
    assert offers_of(answer) == [FALLBACK]


def test_an_unknown_placement_among_known_ones_comes_back_empty(service: Shared) -> None:
    answer = service.ask("c-old", placements=[{"placement": "app.gone"}, HERO])
    assert answer.json()["placements"][0] == {
        "placement": "app.gone", "fallback": False, "refresh_after_s": 120, "items": [], "problem": "UNKNOWN_PLACEMENT",
    }  # fmt: skip
    assert offers_of(answer, 1) == [FALLBACK]


def test_only_unknown_placements_are_an_error_that_names_the_known_ones(service: Shared) -> None:
    detail = problem(service.ask("c-old", placements=[{"placement": "app.gone"}]), 422, "UNKNOWN_PLACEMENT")
    assert detail.endswith("asked for is known: app.gone; known: app.home.hero, app.trip.card, web.home")


@pytest.mark.parametrize("customer", ["nobody", "größe-北-🚢", "c}{1", "a:b c", "x" * 128])
def test_nobody_is_unknown_whatever_they_are_called(service: Shared, customer: str) -> None:
    answer = service.ask(customer)
    assert (offers_of(answer), answer.json()["degraded"]) == ([FALLBACK], [])
    event = service.live.event("customer.preferences", customer, {"attributes": {"newsletter": True}})
    assert service.send(event).status_code == 202


def test_ids_too_long_for_a_token_cost_the_token_not_the_answer(service: Shared) -> None:
    answer = service.ask("🚢" * 128)
    (item,) = items(answer)
    assert (item["offer_id"], item["token"]) == (FALLBACK, "")
    assert item["representation"]["action"]["web"] == "https://www.example/newsletter?ot="


@pytest.mark.parametrize("deadline_ms", [-1, 0, 1e-9, 1e308, -1e308, 2**70])
def test_any_deadline_is_a_deadline(service: Shared, deadline_ms: float) -> None:
    assert offers_of(service.ask("c-late", options={"deadline_ms": deadline_ms})) == [FALLBACK]


def test_a_request_id_that_looks_like_none_answers_nobody_else(service: Shared) -> None:
    named = service.ask("c-dash", request_id="-").json()
    service.send(service.live.event("customer.consent", "c-dash", {"purposes": {"personalised_offers": True}}))
    assert service.ask("c-dash").json()["decision_id"] != named["decision_id"]


# Where and when


@pytest.mark.parametrize(
    "wrong",
    [
        {"lat": 90.0001},
        {"lat": -91},
        {"lon": 180.5},
        {"lon": -1e300},
        {"lat": "43.5"},
        {"accuracy_m": -1},
        {"accuracy_m": "near"},
        {"status": "gps"},
        {"status": 3},
        [43.5, 10.3],
        "Livorno",
    ],
    ids=str,
)
def test_a_location_that_cannot_be_is_refused_and_not_repeated(service: Shared, wrong: Any) -> None:
    location = {**LIVORNO, **wrong} if isinstance(wrong, Mapping) else wrong
    before = service.kept(LOCATIONS)
    answer = service.ask("c-lost", context={"location": location})
    problem(answer, 422, "LOCATION_INVALID")
    assert not any(number in answer.text for number in ("90.0001", "-91", "180.5", "43.5", "10.3"))
    assert service.kept(LOCATIONS) == before


def test_the_edges_of_the_earth_are_on_it(service: Shared) -> None:
    for lat, lon in ((90, 180), (-90, -180), (0, 180), (0, 0)):
        location = {**LIVORNO, "lat": lat, "lon": lon, "accuracy_m": 1e9}
        assert offers_of(service.ask("c-edge", context={"location": location})) == [FALLBACK]


@pytest.mark.parametrize("at", ["1970-01-01T00:00:00Z", "2100-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59"])
def test_a_fix_of_a_phone_with_a_wrong_clock_is_of_now(service: Shared, at: str) -> None:
    service.gold("c-clock")
    answer = service.ask("c-clock", context={**HERE, "location": {**LIVORNO, "at": at}}, sent_at=at)
    assert offers_of(answer) == [UPGRADE]


def test_a_time_that_is_none_is_said(service: Shared) -> None:
    for at in ("yesterday", "2026-11-21T18:00:00", "2026-13-01T00:00:00Z"):
        answer = service.ask("c-clock", context={"location": {**LIVORNO, "at": at}})
        assert at in problem(answer, 422, "TIME_INVALID")


@pytest.mark.parametrize("now", ["0001-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_a_clock_may_be_set_within_two_centuries(service: Shared, now: str) -> None:
    expected = "expected an instant from 2000-01-01T00:00:00Z to 2200-01-01T00:00:00Z"
    dry = service.ask("c-time", options={"now": now, "dry_run": True})
    assert problem(dry, 422, "TIME_INVALID") == f"options.now is '{now}'; {expected}"
    header = service.post(DECISIONS_PATH, asked(), offing_now=now)
    assert problem(header, 422, "TIME_INVALID") == f"Offing-Now is '{now}'; {expected}"
    assert service.post(DECISIONS_PATH, asked(), offing_now="2199-12-31T23:59:59Z").status_code == 200


# The other doors


def test_a_tag_known_in_any_form_spares_the_answer(service: Shared) -> None:
    path = "/v1/offers?placement=app.home.hero&customer_id=c-tag&locale=de"
    tag = service.get(path).headers["etag"]
    for known in (f"W/{tag}", f'"other", {tag}', f'W/"other",W/{tag} , "more"', "*", " * "):
        assert service.get(path, if_none_match=known).status_code == 304, known
    for known in ('"other"', tag.strip('"'), f'"{tag[1:-2]}"', "", "W/", f'"x{tag[1:]}', '"*"'):
        assert service.get(path, if_none_match=known).status_code == 200, known


def test_offers_by_get_are_bounded_and_have_an_etag(service: Shared) -> None:
    found = service.get("/v1/offers?placement=app.home.hero&customer_id=c-get&locale=de")
    assert offers_of(found) == [FALLBACK]
    tag = found.headers["etag"]
    again = service.get("/v1/offers?placement=app.home.hero&customer_id=c-get&locale=de", if_none_match=tag)
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for query, code in (
        ("placement=app.home.hero&customer_id=" + "x" * 129, "REQUEST_INVALID"),
        ("placement=app.home.hero&customer_id=", "REQUEST_INVALID"),
        ("placement=app.home.hero", "REQUEST_INVALID"),
        ("customer_id=c-get", "REQUEST_INVALID"),
        ("placement=app.home.hero&customer_id=c-get&locale=", "REQUEST_INVALID"),
        ("placement=app.home.hero&customer_id=c-get&locale=" + "z" * 201, "REQUEST_INVALID"),
        ("placement=app.home.hero&customer_id=c-get&limit=31", "REQUEST_INVALID"),
        ("placement=app.home.hero&customer_id=c-get&limit=many", "REQUEST_INVALID"),
        ("placement=app.gone&customer_id=c-get", "UNKNOWN_PLACEMENT"),
    ):
        problem(service.get(f"/v1/offers?{query}"), 422, code)


def test_a_decision_is_not_yet_there_then_is_and_others_never_were(service: Shared) -> None:
    for name in ("x", "%00", "%ff", "00000000-0000-4000-8000-000000000000", "ffffffff-ffff-7fff-bfff-ffffffffffff"):
        problem(service.get(f"/v1/decisions/{name}"), 404, "DECISION_UNKNOWN")
    unseen = service.get("/v1/decisions/019dd0a1-52cb-7c3e-9d12-6b1f0c3f8a11")
    problem(unseen, 404, "NOT_YET")
    assert (unseen.json()["retryable"], unseen.headers["retry-after"]) == (True, "5")
    decision_id = service.ask("c-replay").json()["decision_id"]
    for _ in range(200):
        found = service.get(f"/v1/decisions/{decision_id}")
        if found.status_code == 200:
            break
        sleep(0.05)
    else:
        raise AssertionError(found.text)
    assert found.json()["replay"] == {"same_bytes": True, "differences": []}
    assert found.json()["customer_id"] == "c-replay"


@pytest.mark.parametrize("revision", ["r-000000000000", "..", ".", "", "/", "r-000000000000/..", "\x00", "é" * 3000])
def test_a_revision_that_is_not_kept_is_unknown(service: Shared, revision: str) -> None:
    answer = service.ask("c-rev", options={"revision": revision, "dry_run": True})
    problem(answer, 404, "REVISION_UNKNOWN")


# Anything else

_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8) | st.sampled_from(["precise", "c-fuzz", "app.home.hero", "2026-11-21T18:00:00Z", "de"]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["location", "device", "class", "lat", "lon", "at", "status", "id"]), inner),
    max_leaves=8,
)  # fmt: skip
_FIELDS = ("request_id", "sent_at", "holding", "placements", "context", "locale", "events", "options", "customer_id")
_KNOWN = frozenset({200, 400, 403, 404, 422})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(_FIELDS), _JSON, max_size=3))
def test_no_request_is_an_error_of_ours(service: Shared, fields: dict[str, Any]) -> None:
    answer = service.post(DECISIONS_PATH, asked(**fields))
    assert answer.status_code in _KNOWN, answer.text
    assert answer.status_code != 200 or "internal_error" not in answer.json()["degraded"]


def test_after_all_that_the_service_is_well(service: Shared) -> None:
    service.folded()
    assert service.get("/health/ready").json()["degraded"] == []
    service.gold("c-last")
    assert offers_of(service.ask("c-last", context=HERE)) == [UPGRADE]
    assert service.kept(DECISIONS) > 0
