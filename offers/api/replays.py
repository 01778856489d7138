"""GET /v1/decisions/{id}: a decision as it was, with the reasons for every offer."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response

from offers import decision_id as ids
from offers.api.clock import LATEST
from offers.api.problems import responses
from offers.api.session import session_of
from offers.contributed import of_record_or_why_not
from offers.replay import Replay, replay
from offers.reply import experiments, ruled_out
from offers.runtime import Runtime
from streams.errors import NotFound, NotYet
from streams.ids import DecisionId
from streams.instant import format_instant
from streams.record import DecisionRecord

router = APIRouter(prefix="/v1", tags=["decisions"])
LATER_S = 5.0


@router.get("/decisions/{decision_id}", summary="A decision, replayed", responses=responses(401, 403, 404, 422, 503))
async def decision(request: Request, decision_id: str) -> Response:
    """What was decided and why each other offer was not shown, recomputed from the record. 404 NOT_YET until the

    record has reached the lake. Needs scope `admin`: it shows scores."""
    session = await session_of(request, "admin")
    found = await asyncio.to_thread(replayed, session.runtime, decision_id)
    return Response(msgspec.json.encode(found), media_type="application/json")


def replayed(runtime: Runtime, decision_id: str) -> dict[str, Any]:
    """The replay of a decision by its id. Raises NotFound, NotYet."""
    made = ids.time_of(decision_id)
    if made is None or made >= LATEST:
        raise NotFound("DECISION_UNKNOWN", f"{decision_id[:40]!r} is no decision's id")
    record = runtime.lake.find(DecisionId(decision_id))
    if record is None:
        message = "this decision has not reached the lake, or never was; records arrive within seconds"
        raise NotYet("NOT_YET", message, after_s=LATER_S)
    engine = runtime.activation.revision(record.inputs.revision)
    return told(record, replay(record, engine), runtime.settings.models)


def told(record: DecisionRecord, found: Replay, models: Path) -> dict[str, Any]:
    """A replay as JSON-ready values."""
    decision = found.decision
    why, unknown = of_record_or_why_not(record, models)
    return {
        "decision_id": decision.decision_id,
        "at": format_instant(decision.now),
        "customer_id": record.inputs.request.customer_id,
        "revision": decision.revision,
        "model": decision.model,
        "engine": record.engine,
        "origin": record.inputs.origin,
        "degraded": decision.degraded,
        "replay": {"same_bytes": found.same_bytes, "differences": found.differences},
        "placements": [msgspec.to_builtins(slate) for slate in decision.placements],
        "candidates": [
            {
                "offer_id": c.offer_id,
                "about": c.about,
                "score": c.score,
                "rank_score": c.rank_score,
                "inclusion": c.inclusion,
            }
            for c in decision.candidates
        ],
        "contributions": why,
        "contributions_unknown": unknown,
        "experiments": experiments(decision),
        "ruled_out": ruled_out(decision, found.verdicts),
    }
