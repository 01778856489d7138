"""POST /v1/revisions/{id}/activate, approve, reject, POST /v1/campaigns/{id}/stop, lift: the commands, over HTTP.

Who somebody is, is the name of their API key.
"""

import asyncio
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Request, Response
from msgspec import Meta

from offers import publication_words, publishing
from offers.api.bodies import read_body
from offers.api.clock import instant_of
from offers.api.contract import body_of, content
from offers.api.problems import responses
from offers.api.session import Session, session_of
from offers.publications import Publication
from offers.publishing import Wish
from offers.request import decoded
from offers.runtime import wall_clock
from offers.verdicts import Decided
from streams.ids import CampaignId
from streams.instant import format_instant

router = APIRouter(prefix="/v1", tags=["campaigns"])
JSON = "application/json"
MAX_BYTES = 16 << 10
REFUSALS = (400, 401, 403, 404, 413, 415, 422, 503)


class Activation(msgspec.Struct, frozen=True):
    """Why a revision is to be active, and what its author knew."""

    message: Annotated[str, Meta(min_length=1, max_length=500, description="One line: what changed, and why.")]
    base: Annotated[str | None, Meta(description="The newest publication known; 409 if there is a newer one.")] = None
    activate_at: Annotated[str | None, Meta(description="RFC 3339, with an offset; left out: at once.")] = None


class WaitsFor(msgspec.Struct, frozen=True):
    """A rule of which somebody must still approve."""

    subject: str
    name: str
    by: tuple[str, ...]


class Activated(msgspec.Struct, frozen=True):
    """A publication, as `campaigns history` lists it."""

    number: int
    revision: str
    base: str | None
    author: str
    message: str
    published_at: str
    activate_at: str | None
    approved_at: str | None
    rejected_at: str | None
    waits_for: Annotated[tuple[WaitsFor, ...], Meta(description="Not active before; empty: for nobody.")]


class Approval(msgspec.Struct, frozen=True):
    """What there is to say beside yes."""

    message: Annotated[str, Meta(max_length=500, description="One line, or nothing.")] = ""


class Rejection(msgspec.Struct, frozen=True):
    """Why not."""

    message: Annotated[str, Meta(min_length=1, max_length=500, description="One line.")]


class Stopping(msgspec.Struct, frozen=True):
    """Why a campaign is stopped."""

    reason: Annotated[str, Meta(min_length=1, max_length=500, description="One line.")]


class Stopped(msgspec.Struct, frozen=True):
    """The stop in force: this one, or one from before."""

    campaign_id: str
    reason: str
    stopped_by: str
    stopped_at: str


class Lifted(msgspec.Struct, frozen=True):
    """A campaign that may be shown again."""

    campaign_id: str


ACTIVATION: dict[str, Any] = {"message": "The spa before dinner", "base": "r-9f0e1d2c3b4a"}
ACTIVATED: dict[str, Any] = {
    "number": 12, "revision": "r-41c9a0b1c2d3", "base": "r-9f0e1d2c3b4a", "author": "backoffice",
    "message": "The spa before dinner", "published_at": "2026-11-21T14:00:00Z", "activate_at": None,
    "approved_at": None, "rejected_at": None,
    "waits_for": [{"subject": "collection", "name": "spa", "by": ["anna", "marco"]}],
}  # fmt: skip
APPROVED: dict[str, Any] = {**ACTIVATED, "approved_at": "2026-11-21T14:20:00Z", "waits_for": []}
REJECTED: dict[str, Any] = {**ACTIVATED, "rejected_at": "2026-11-21T14:20:00Z", "waits_for": []}
STOPPING: dict[str, Any] = {"reason": "4.90 for 49.00"}
STOPPED: dict[str, Any] = {
    "campaign_id": "spa-before-dinner", "reason": "4.90 for 49.00", "stopped_by": "backoffice",
    "stopped_at": "2026-11-21T14:00:00Z",
}  # fmt: skip


@router.post(
    "/revisions/{revision}/activate",
    summary="Publish a kept revision",
    openapi_extra=body_of(Activation, ACTIVATION),
    responses={200: content(Activated, ACTIVATED), **responses(409, *REFUSALS)},
)
async def activate(request: Request, revision: str) -> Response:
    """Active on every process within a second, from a time on, or when it is approved. Needs scope `admin`."""
    session = await session_of(request, "admin")
    said = decoded(await read_body(request, MAX_BYTES), Activation)
    at = None if said.activate_at is None else instant_of(said.activate_at, "activate_at")
    wish = Wish(said.message, session.caller.name, said.base or "", at)
    made = await asyncio.to_thread(_activated, session, revision, wish)
    return Response(msgspec.json.encode(publication_words.as_json(made)), media_type=JSON)


@router.post(
    "/revisions/{revision}/approve",
    summary="Approve what waits for it",
    openapi_extra=body_of(Approval, {"message": "as agreed"}),
    responses={200: content(Activated, APPROVED), **responses(409, *REFUSALS)},
)
async def approve(request: Request, revision: str) -> Response:
    """The last approval needed makes it active. Needs scope `admin`, and a key of the name that the rule lists."""
    session = await session_of(request, "admin")
    said = decoded(await read_body(request, MAX_BYTES), Approval)
    decide = session.runtime.ledger.verdicts.approve
    made = await asyncio.to_thread(decide, revision, session.caller.name, said.message, wall_clock())
    return _decided(made)


@router.post(
    "/revisions/{revision}/reject",
    summary="Refuse what waits for approval",
    openapi_extra=body_of(Rejection, {"message": "4.90 for 49.00"}),
    responses={200: content(Activated, REJECTED), **responses(409, *REFUSALS)},
)
async def reject(request: Request, revision: str) -> Response:
    """It is never active. Needs scope `admin`, and a key of a name that the rule lists, or of who published it."""
    session = await session_of(request, "admin")
    said = decoded(await read_body(request, MAX_BYTES), Rejection)
    decide = session.runtime.ledger.verdicts.reject
    made = await asyncio.to_thread(decide, revision, session.caller.name, said.message, wall_clock())
    return _decided(made)


@router.post(
    "/campaigns/{campaign}/stop",
    summary="Take a campaign out of every decision",
    openapi_extra=body_of(Stopping, STOPPING),
    responses={200: content(Stopped, STOPPED), **responses(*REFUSALS)},
)
async def stop(request: Request, campaign: str) -> Response:
    """Gone within a second until it is lifted, also through later publications of it. Needs scope `admin`."""
    session = await session_of(request, "admin")
    said = decoded(await read_body(request, MAX_BYTES), Stopping)
    found = await asyncio.to_thread(_stopped, session, campaign, said.reason)
    return Response(msgspec.json.encode(found), media_type=JSON)


@router.post(
    "/campaigns/{campaign}/lift",
    summary="End the stop of a campaign",
    responses={200: content(Lifted, {"campaign_id": "spa-before-dinner"}), **responses(401, 403, 404, 422, 503)},
)
async def lift(request: Request, campaign: str) -> Response:
    """It may be shown again within a second. Needs scope `admin`."""
    session = await session_of(request, "admin")
    stops = session.runtime.ledger.stops
    await asyncio.to_thread(stops.lift, CampaignId(campaign), session.caller.name, wall_clock())
    return Response(msgspec.json.encode(Lifted(campaign)), media_type=JSON)


def _activated(session: Session, revision: str, wish: Wish) -> Publication:
    runtime = session.runtime
    return publishing.activate(revision, wish, runtime.settings, runtime.ledger, wall_clock())


def _stopped(session: Session, campaign: str, reason: str) -> Stopped:
    runtime = session.runtime
    publishing.check_known(campaign, runtime.engine().catalog.campaigns)
    made = runtime.ledger.stops.stop(CampaignId(campaign), reason, session.caller.name, wall_clock())
    return Stopped(made.campaign_id, made.reason, made.stopped_by, format_instant(made.stopped_at))


def _decided(made: Decided) -> Response:
    return Response(msgspec.json.encode(publication_words.as_json(made.publication, made.said)), media_type=JSON)
