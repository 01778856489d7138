"""POST /v1/decisions, GET /v1/offers, GET /v1/decisions/{id}."""

import re
import time
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from offers.acceptance import weighed
from offers.api.bodies import MAX_DECISION_BYTES, read_body
from offers.api.clock import instant_of
from offers.api.contract import ANSWER_EXAMPLE, REQUEST_EXAMPLE, Answer, body_of, content
from offers.api.events import arrival, rules
from offers.api.incoming import Incoming
from offers.api.problems import responses
from offers.api.session import Session, session_of
from offers.caller import may_act_for, may_say, require
from offers.catalog import Catalog
from offers.errand import Doorway
from offers.events_door import accept_inline, said_by_request
from offers.request import Asked, DecisionRequest, WantedPlacement, bounded, parse, read
from streams.errors import InvalidInput
from streams.ids import CustomerId

router = APIRouter(prefix="/v1", tags=["decisions"])
JSON = "application/json"
KEEP_S = 1.0
"""A decision does not wait longer for the log to take the events that came with it."""
_TAGS = re.compile(r'(?:W/)?("[^"]*")')
"""The opaque parts of the tags in a list (RFC 9110, 8.8.3): a proxy that compresses makes ours weak."""


@router.post(
    "/decisions",
    summary="The offers to show now",
    openapi_extra=body_of(DecisionRequest, REQUEST_EXAMPLE),
    responses={200: content(Answer, ANSWER_EXAMPLE), **responses(400, 401, 403, 404, 413, 415, 422, 503)},
)
async def decide(request: Request) -> Response:
    """Ranked, localised offers for each placement asked for. A repeated `request_id` within 10 minutes gives the same

    decision and counts once."""
    return Response(await decided(request), media_type=JSON)


async def decided(request: Request | Incoming) -> bytes:
    """The answer to a request for decisions. Raises OffingError; the doors make a problem of it."""
    started = time.perf_counter()
    session = await session_of(request, "decide")
    wire = read(await read_body(request, MAX_DECISION_BYTES))
    return await _answer(session, wire, started)


@router.get(
    "/offers",
    summary="The same for one placement, from what is known",
    responses={
        200: content(Answer, ANSWER_EXAMPLE),
        304: {"description": "As If-None-Match has it"},
        **responses(401, 403, 422, 503),
    },
)
async def offers(
    request: Request,
    placement: Annotated[str, Query(examples=["app.home.hero"])],
    limit: int = 3,
    locale: Annotated[str, Query(examples=["de-DE"])] = "en",
    customer_id: Annotated[str | None, Query(examples=["c-1"])] = None,
) -> Response:
    """One placement for the freshest stored whereabouts: no coordinates stand in a URL. 304 to a matching ETag."""
    started = time.perf_counter()
    session = await session_of(request, "decide")
    wanted = [WantedPlacement(placement, limit)]
    wire = bounded(DecisionRequest(placements=wanted, customer_id=customer_id, locale=locale))
    body = await _answer(session, wire, started)
    tag = f'"{blake2b(_lasting(body), digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "private, no-cache"}
    if _has(request.headers.getlist("if-none-match"), tag):
        return Response(status_code=304, headers=headers)
    return Response(body, media_type=JSON, headers=headers)


def _has(lines: Sequence[str], tag: str) -> bool:
    """Whether If-None-Match names what the client would get: weakly compared, one of a list, or `*` for anything.

    >>> _has(['"a", W/"b"'], '"b"'), _has(["*"], '"b"'), _has(['"a"'], '"b"')
    (True, True, False)
    """
    known = ",".join(lines)
    return known.strip() == "*" or tag in _TAGS.findall(known)


def _lasting(body: bytes) -> bytes:
    """The answer without what is new every time."""
    answer: dict[str, Any] = msgspec.json.decode(body)
    for name in ("request_id", "server_time", "took_ms"):
        answer.pop(name)
    for placement in answer["placements"]:
        for item in placement["items"]:
            item.pop("ttl_s")
    return msgspec.json.encode(answer, order="sorted")  # a cached decision comes back with its keys in another order


async def _answer(session: Session, wire: DecisionRequest, started: float) -> bytes:
    customer_id = _customer(session, wire)
    now = session.now
    special = wire.options.dry_run or wire.options.revision is not None or wire.options.explain != "none"
    if special or wire.options.now is not None:
        require(session.caller, "simulate")
    if wire.options.now is not None:
        if not wire.options.dry_run:
            raise InvalidInput("NOW_NEEDS_DRY_RUN", "options.now moves the clock of a dry run only; add dry_run: true")
        now = instant_of(wire.options.now, "options.now")
    runtime = session.runtime
    catalog = runtime.engine().catalog
    _known(wire, catalog)
    asked = parse(wire, customer_id, catalog.attributes, now)
    may_say(session.caller, asked.request.context, catalog.attributes)
    door = await _doorway(session, asked, customer_id, started)
    if wire.options.now is not None:
        door = replace(door, now=now)
    return await runtime.answerer.answer(asked, door)


async def _doorway(session: Session, asked: Asked, customer_id: CustomerId, started: float) -> Doorway:
    """The events that came with the request are in the log before the answer returns."""
    door = Doorway(customer_id, session.caller.kind, session.now, started, origin=session.origin)
    sent = asked.wire.events
    if not sent:
        return door
    said = said_by_request(customer_id, asked.wire.sent_at)
    batch = accept_inline(sent, said, arrival(session), rules(session))
    if asked.wire.options.dry_run:
        kept = weighed(batch, session.now)
    else:
        kept = await session.runtime.acceptance.keep(batch, KEEP_S)
    own = tuple(pending for pending in kept.pending if pending[2].subject == customer_id)
    return replace(door, events=own, event_results=kept.batch.results, degraded=kept.degraded)


def _known(wire: DecisionRequest, catalog: Catalog) -> None:
    """Old apps live on: an unknown placement among known ones comes back empty; only unknown ones are a mistake."""
    if not any(wanted.placement in catalog.placements for wanted in wire.placements):
        asked = ", ".join(wanted.placement[:60] for wanted in wire.placements)
        known = ", ".join(sorted(catalog.placements))
        raise InvalidInput("UNKNOWN_PLACEMENT", f"none of the placements asked for is known: {asked}; known: {known}")


def _customer(session: Session, wire: DecisionRequest) -> CustomerId:
    """Who the decision is for: the token's own customer, or the one a key names."""
    named = wire.customer_id or session.caller.customer_id
    if named is None:
        raise InvalidInput("REQUEST_INVALID", "customer_id is missing; a key decides for a customer it names")
    may_act_for(session.caller, named)
    return CustomerId(named)
