"""Request bodies in OpenAPI: the schemas of the wire contracts, with examples that a test sends."""

from typing import Any

import msgspec

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


def body_of(contract: Any, example: Any) -> dict[str, Any]:
    """`openapi_extra` of a route that reads its own body: its schema without references, and an example."""
    (schema,), components = msgspec.json.schema_components([contract], ref_template="#/$defs/{name}")
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _inlined(schema, components), "example": example}},
        }
    }


def _inlined(schema: Any, components: dict[str, Any]) -> Any:
    if isinstance(schema, dict):
        reference = schema.get("$ref")
        if isinstance(reference, str):
            return _inlined(components[reference.rsplit("/", 1)[1]], components)
        return {key: _inlined(value, components) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_inlined(value, components) for value in schema]
    return schema
