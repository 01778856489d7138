"""Makers of events and outcomes as they arrive at the doors, from an app and from a server."""

import json
from typing import Any

from offers import decision_id
from offers.arrival import Arrival, Rules
from offers.caller import customer_caller, key_caller
from offers.events_door import Batch, accept_events, accept_outcomes
from offers.tokens import OfferToken, OfferTokens, parse_keys
from streams.attributes import Attribute, Kind, attribute_set
from streams.ids import CampaignId, CustomerId, OfferId, PlacementId
from streams.instant import HOUR_MS, MINUTE_MS, format_instant, parse_instant

NOW = parse_instant("2026-11-21T18:04:11Z")
TOKENS = OfferTokens(parse_keys("k1:" + "11" * 32, "offing"))
FOREIGN = OfferTokens(parse_keys("k1:" + "11" * 32, "test-run"))
RULES = Rules(
    attribute_set(
        (
            Attribute("customer", "loyalty_tier", 1, Kind.ENUM, ("blue", "gold"), event="customer.profile"),
            Attribute("customer", "seat_wish", 2, Kind.STRING, event="customer.preferences", set_by="app"),
        )
    ),
    TOKENS,
)
SERVER = Arrival(key_caller("booking", ["events"]), NOW)
APP = Arrival(customer_caller(CustomerId("c-42")), NOW)
DECIDED = NOW - 10 * MINUTE_MS


def shown(customer: str = "c-42", decided: int = DECIDED, lives_ms: int = HOUR_MS, about: str = "b-771") -> OfferToken:
    return OfferToken(
        decision_id.new(decided), PlacementId("app.home.hero"), 1,
        OfferId("cabin-upgrade"), CampaignId("cabins-livorno"), "cabins", f"booking:{about}",
        CustomerId(customer), "phone", decided + lives_ms,
    )  # fmt: skip


def event(kind: str = "customer.preferences", data: Any = None, **changes: Any) -> dict[str, Any]:
    sound = {"attributes": {"seat_wish": "window"}}
    base = {
        "specversion": "1.0", "id": "e-1", "source": "app/ios", "type": kind, "subject": "c-42",
        "time": format_instant(NOW - MINUTE_MS), "data": sound if data is None else data,
    }  # fmt: skip
    return {name: value for name, value in {**base, **changes}.items() if value is not None}


def outcome(token: str, kind: str = "exposed", at: int = NOW, **changes: Any) -> dict[str, Any]:
    return {"token": token, "outcome": kind, "at": format_instant(at), **changes}


def send(sent: Any, arrival: Arrival = SERVER) -> Batch:
    return accept_events(json.dumps(sent).encode(), arrival, RULES)


def tell(sent: Any, arrival: Arrival = APP) -> Batch:
    return accept_outcomes(json.dumps(sent).encode(), arrival, RULES)


def codes(batch: Batch) -> list[str | None]:
    return [result.code for result in batch.results]


def statuses(batch: Batch) -> list[str]:
    return [result.status for result in batch.results]
