"""What OpenAPI says of the wire: schemas of what is sent and answered, with examples that a test sends."""

from typing import Annotated, Any

import msgspec
from fastapi import FastAPI
from msgspec import Meta

from offers.api.auth import EXPECTED
from offers.events_door import MAX_BATCH, EventResult
from offers.proposition import Offline, PriceTag, Shown

REQUEST_EXAMPLE: dict[str, Any] = {
    "request_id": "0198f2c1-7a",
    "customer_id": "c-1",
    "locale": "de-DE",
    "placements": [{"placement": "app.home.hero", "limit": 1}, {"placement": "app.trip.card", "limit": 3}],
    "context": {
        "app": {"platform": "ios", "version": "7.4.0"},
        "device": {"class": "phone"},
        "location": {"status": "approximate", "lat": 43.56, "lon": 10.30, "accuracy_m": 6000},
    },
    "options": {"deadline_ms": 300},
}
ANSWER_EXAMPLE: dict[str, Any] = {
    "decision_id": "019dd0a1-52cb-7c3e-9d12-6b1f0c3f8a11",
    "request_id": "0198f2c1-7a",
    "server_time": "2026-11-21T18:04:11Z",
    "revision": "r-41c9a0b1c2d3",
    "model": "prior",
    "degraded": [],
    "withdrawn": [],
    "events": [],
    "took_ms": 2.1,
    "placements": [{"placement": "app.home.hero", "fallback": False, "refresh_after_s": 120, "items": []}],
}
EVENT_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "e-91",
    "source": "booking",
    "type": "customer.profile",
    "subject": "c-1",
    "time": "2026-11-21T18:03:58Z",
    "data": {"attributes": {"loyalty_tier": "gold"}},
}
OUTCOME_EXAMPLE: dict[str, Any] = {"token": "ot1.k9", "outcome": "exposed", "at": "2026-11-21T18:04:12Z"}


JSON = "application/json"


class AnsweredItem(msgspec.Struct, omit_defaults=True):
    """An offer as the app shows it."""

    offer_id: str
    campaign_id: str
    rank: int
    about: Annotated[dict[str, str], Meta(description="The booking, sailing or venue it is about; empty: none.")]
    token: Annotated[str, Meta(description="Send it with what becomes of the item; empty if its ids are too long.")]
    expires_at: str
    ttl_s: int
    offline: Offline
    representation: Shown
    price: PriceTag | None = None


class AnsweredPlacement(msgspec.Struct, omit_defaults=True):
    """What one placement shows."""

    placement: str
    fallback: bool
    refresh_after_s: int
    items: list[AnsweredItem]
    problem: Annotated[str, Meta(description="UNKNOWN_PLACEMENT, for example; new ones may appear.")] = ""


class Answer(msgspec.Struct, omit_defaults=True):
    """A decision as it is answered. Enums are open: an app ignores what it does not know."""

    decision_id: str
    request_id: str
    server_time: str
    revision: str
    model: str
    degraded: Annotated[list[str], Meta(description="What this answer had to do without; empty: nothing.")]
    withdrawn: Annotated[list[str], Meta(description="Those of `holding` that may no longer be shown.")]
    events: list[EventResult]
    took_ms: float
    placements: list[AnsweredPlacement]
    ruled_out: dict[str, Any] = {}
    """With options.explain only."""
    contributions: Annotated[
        list[dict[str, Any]], Meta(description="With options.explain full: what each feature added, in log odds.")
    ] = []


class Results(msgspec.Struct):
    """A result per event, in the order sent."""

    results: list[EventResult]


class CloudEvent(msgspec.Struct, omit_defaults=True):
    """CloudEvents 1.0; what `data` holds depends on `type`."""

    specversion: str
    id: Annotated[str, Meta(min_length=1, max_length=128)]
    source: Annotated[str, Meta(min_length=1, max_length=128)]
    type: str
    time: Annotated[str, Meta(description="RFC 3339, with an offset.")]
    data: dict[str, Any]
    subject: Annotated[str, Meta(min_length=1, max_length=128)] = ""
    sentat: Annotated[str, Meta(description="The sender's clock at sending: with it a wrong one is put right.")] = ""


class Outcome(msgspec.Struct, omit_defaults=True):
    """What became of a shown item."""

    token: str
    outcome: Annotated[str, Meta(description="exposed, clicked or dismissed")]
    at: Annotated[str, Meta(description="RFC 3339, with an offset.")]
    sent_at: Annotated[str, Meta(description="The phone's clock at sending: with it a wrong one is put right.")] = ""


def body_of(contract: Any, example: Any) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its own body: its schema without references, and an example."""
    return {"requestBody": {"required": True, **content(contract, example)}}


def one_or_many(contract: Any, example: Any) -> dict[str, Any]:
    """As body_of, for one of these or an array of them."""
    one = schema_of(contract)
    schema = {"oneOf": [one, {"type": "array", "items": one, "maxItems": MAX_BATCH}]}
    return {"requestBody": {"required": True, "content": {JSON: {"schema": schema, "example": example}}}}


def content(contract: Any, example: Any) -> dict[str, Any]:
    """`content` of a body or an answer in JSON."""
    return {"content": {JSON: {"schema": schema_of(contract), "example": example}}}


def schema_of(contract: Any) -> dict[str, Any]:
    """The JSON Schema of a contract, without references."""
    (schema,), components = msgspec.json.schema_components([contract], ref_template="#/$defs/{name}")
    found: dict[str, Any] = _inlined(schema, components)
    return found


def secure(app: FastAPI) -> None:
    """Say in the document which credentials the doors under /v1 take."""
    described = app.openapi

    def openapi() -> dict[str, Any]:
        document = described()
        bearer = {"type": "http", "scheme": "bearer", "description": EXPECTED}
        document["components"]["securitySchemes"] = {"bearer": bearer}
        for path, operations in document["paths"].items():
            for operation in operations.values():
                operation["security"] = [{"bearer": []}] if path.startswith("/v1/") else []
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's own way to extend the document


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return _inlined(components[reference.rsplit("/", 1)[1]], components)
        return {key: _inlined(value, components) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(value, components) for value in schema]
    return schema
