"""What a customer does with the app, and what is counted of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from loadtests.load.checks import Checks
from loadtests.load.crowd import Customer, crowd
from loadtests.load.exchange import Connections, Exchange, Refused
from loadtests.load.measured import StageMeasured
from loadtests.load.phone import Phone
from loadtests.load.shapes import Stage
from loadtests.load.sold_out import SoldOut
from loadtests.load.wire import target
from streams.instant import parse_instant
from tests.canned import Asked, Canned, canned

NOW = parse_instant("2026-11-21T18:00:00Z")
CROWD = crowd(1, 80, NOW).customers
SHARES = next(each for each in CROWD if each.person.location_status == "precise" and "location" in each.person.consents)
SILENT = next(each for each in CROWD if each.person.location_status in ("denied", "off"))


def item(placement: str, rank: int, offer: str) -> dict[str, Any]:
    named = {"offer_id": offer, "rank": rank, "about": {}, "token": f"ot1.{placement}-{offer}", "ttl_s": 900}
    return {
        **named,
        "expires_at": "2026-11-21T18:15:00Z",
        "offline": {"show": True},
        "representation": {"locale": "it"},
    }


def answering(decision: str = "d-1", **changes: Any) -> Any:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path != "/v1/decisions":
            return 202, {"results": [{"status": "accepted"} for _ in asked.body]}
        placements = [
            {"placement": one["placement"], "fallback": False, "items": [
                item(one["placement"], rank, f"offer-{one['placement']}-{rank}") for rank in range(1, one["limit"] + 1)
            ]}
            for one in asked.body["placements"]
        ]  # fmt: skip
        made = {"decision_id": decision, "server_time": "2026-11-21T18:00:00Z", "degraded": [], "withdrawn": []}
        return 200, {**made, "placements": placements, **changes}

    return answer


class Run:
    """A phone, its counts, and a new exchange for each thing it does."""

    def __init__(self, server: Canned, customer: Customer) -> None:
        self.connections = Connections(target(server.url), lambda *attempt: None)
        self.phone = Phone(customer, "ok_1", seed=1)
        self.stage = StageMeasured(Stage("steady", "steady", 10, 10))
        self.checks = Checks({}, SoldOut())

    def look(self) -> Exchange:
        exchange = Exchange(self.connections)
        self.phone.look(exchange, self.checks, self.stage)
        return exchange


@contextmanager
def run(server: Canned, customer: Customer = SHARES) -> Iterator[Run]:
    held = Run(server, customer)
    yield held
    held.connections.close()


def test_a_look_asks_as_the_app_does_and_is_checked() -> None:
    with canned(answering()) as server, run(server) as held:
        held.look()
    body = server.asked[0].body
    assert body["customer_id"] == SHARES.person.id and body["locale"] == SHARES.person.locale
    assert body["holding"] == [] and body["placements"] and body["request_id"]
    assert server.asked[0].headers["Authorization"] == "Bearer ok_1"
    assert held.stage.decisions == 1 and held.checks.checked.looked_at["ranks"] > 0
    assert held.checks.checked.violated.keys() == {"tokens"}, "these tokens say nothing, and the checks saw it"


def test_a_decision_given_before_is_a_hit_and_one_after_reported_outcomes_is_none_as_live() -> None:
    with canned(answering("d-7")) as server, run(server) as held:
        held.look()
        assert (held.stage.hits, held.stage.hits_as_live) == (0, 0)
        held.look()
        assert (held.stage.hits, held.stage.hits_as_live) == (1, 1)
        assert held.phone.report(Exchange(held.connections)) is not None
        held.look()
    assert (held.stage.decisions, held.stage.hits, held.stage.hits_as_live) == (3, 2, 1)
    assert server.asked[1].body["holding"], "what is still on the screen"


def test_degraded_answers_and_fallbacks_are_counted_by_what_they_lack() -> None:
    with canned(answering(degraded=["profile_unavailable", "market_behind"])) as server, run(server) as held:
        held.look()
        held.look()
    assert (held.stage.degraded_decisions, held.stage.degraded) == (2, {"profile_unavailable": 2, "market_behind": 2})


def test_what_was_seen_is_reported_once_from_the_tokens_received() -> None:
    with canned(answering()) as server, run(server) as held:
        held.look()
        held.phone.report(Exchange(held.connections))
        assert held.phone.report(Exchange(held.connections)) is None, "nothing was looked at since"
    sent = [outcome for asked in server.asked if asked.path == "/v1/outcomes" for outcome in asked.body]
    shown = {one["token"] for one in sent}
    assert sent and {one["outcome"] for one in sent} <= {"exposed", "clicked", "dismissed"}
    assert all(token.startswith("ot1.app.") for token in shown)
    assert len([one for one in sent if one["outcome"] == "exposed"]) == len(shown)


def test_outcomes_that_are_rejected_have_their_code() -> None:
    def answer(asked: Asked) -> tuple[int, Any]:
        if asked.path == "/v1/outcomes":
            return 207, {"results": [{"status": "rejected", "code": "TOKEN_EXPIRED"} for _ in asked.body]}
        found: tuple[int, Any] = answering()(asked)
        return found

    with canned(answer) as server, run(server) as held:
        held.look()
        exchange = Exchange(held.connections)
        held.phone.report(exchange)
    assert exchange.code == "TOKEN_EXPIRED"


def test_a_phone_tells_its_place_only_if_its_owner_lets_it() -> None:
    with canned(answering()) as server, run(server) as held, run(server, SILENT) as silent:
        held.phone.move(Exchange(held.connections))
        silent.phone.move(Exchange(silent.connections))
    (moved,), (told,) = (asked.body for asked in server.asked)
    assert moved["type"] == "customer.location" and {"lat", "lon", "accuracy_m"} <= moved["data"].keys()
    assert told["type"] == "customer.device" and "lat" not in str(told)
    assert moved["subject"] == SHARES.person.id


def test_a_look_that_is_refused_counts_for_nothing() -> None:
    with canned(lambda asked: (403, {"code": "SCOPE_MISSING"})) as server, run(server) as held:
        with pytest.raises(Refused, match="SCOPE_MISSING"):
            held.look()
    assert held.stage.decisions == 0 and held.checks.checked.looked_at == {}


def test_answers_that_never_come_leave_the_screen_as_it_was() -> None:
    with canned(lambda asked: (500, {"code": "INTERNAL"})) as server, run(server) as held:
        held.phone.app.sleep = _at_once
        exchange = held.look()
    assert (exchange.code, exchange.attempts, held.stage.decisions) == ("INTERNAL", 3, 0)


async def _at_once(seconds: float) -> None:
    """No need to wait here."""
