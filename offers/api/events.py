"""POST /v1/events and POST /v1/outcomes: 202 only when everything is in the log, durably."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from offers.api.bodies import MAX_EVENTS_BYTES, read_body
from offers.api.contract import EVENT_EXAMPLE, OUTCOME_EXAMPLE, CloudEvent, Outcome, Results, content, one_or_many
from offers.api.problems import responses
from offers.api.session import Session, session_of
from offers.arrival import Arrival, Rules
from offers.events_door import Batch, accept_events, accept_outcomes
from streams.errors import Retry

router = APIRouter(prefix="/v1", tags=["events"])
JSON = "application/json"
AFTER_S = 1.0
KEPT = {"results": [{"id": "e-91", "status": "accepted"}]}
SOME = {"results": [*KEPT["results"], {"id": "e-92", "status": "rejected", "code": "ATTRIBUTE_VALUE"}]}
DOOR: dict[int | str, dict[str, Any]] = {
    202: {"description": "Everything is kept", **content(Results, KEPT)},
    207: {"description": "A result per event; send again only what says `retry`", **content(Results, SOME)},
    **responses(400, 401, 403, 413, 415, 422, 503),
}  # fmt: skip


@router.post("/events", status_code=202, responses=DOOR, openapi_extra=one_or_many(CloudEvent, [EVENT_EXAMPLE]))
async def events(request: Request) -> Response:
    """One CloudEvent or a batch (at most 500 events, 1 MB, gzip). A repeated (source, id) counts once."""
    session = await session_of(request, "events")
    body = await read_body(request, MAX_EVENTS_BYTES)
    return await _kept(session, accept_events(body, arrival(session), rules(session)))


@router.post("/outcomes", status_code=202, responses=DOOR, openapi_extra=one_or_many(Outcome, [OUTCOME_EXAMPLE]))
async def outcomes(request: Request) -> Response:
    """What became of shown offers: `{token, outcome, at}` or a list. An exposure counts once per item shown."""
    session = await session_of(request, "events")
    body = await read_body(request, MAX_EVENTS_BYTES)
    return await _kept(session, accept_outcomes(body, arrival(session), rules(session)))


def arrival(session: Session) -> Arrival:
    """Who sent it, and when it came by the clock that counts."""
    simulated = session.runtime.settings.simulated
    return Arrival(session.caller, session.now, session.now if simulated else None, session.origin)


def rules(session: Session) -> Rules:
    """What events are checked against: the active revision's attributes."""
    return Rules(session.runtime.engine().catalog.attributes, session.runtime.offer_tokens)


async def _kept(session: Session, batch: Batch) -> Response:
    kept = await session.runtime.acceptance.keep(batch)
    if kept.nothing:  # senders that look at the status alone must not take this for success
        first = kept.batch.results[0]
        raise Retry(
            first.code or "LOG_UNAVAILABLE", first.message or "nothing was kept; send it again", after_s=AFTER_S
        )
    body = msgspec.json.encode({"results": kept.batch.results})
    return Response(body, 202 if kept.batch.complete else 207, media_type=JSON)
