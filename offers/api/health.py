"""Liveness, readiness, metrics."""

import msgspec
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool

from offers.api.draining import Draining
from offers.runtime import Runtime

router = APIRouter(tags=["operations"])
JSON = "application/json"
TEXT = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/health/live", summary="The process answers")
async def live() -> Response:
    """200 while the event loop runs."""
    return Response(b'{"live":true}', media_type=JSON)


@router.get("/health/ready", summary="This worker can answer well", responses={503: {"description": "Not yet"}})
async def ready(request: Request) -> Response:
    """200 once catalog and model are loaded and the market has caught up. A lost dependency is `degraded`, not 503.

    A worker about to end is `draining`, and 503. `load` says whether a load test may run against this service."""
    runtime: Runtime = request.app.state.runtime
    draining: Draining | None = getattr(request.app.state, "draining", None)
    found = {**runtime.ready(), "load": runtime.settings.allow_load}
    if draining is not None and draining.begun:
        found |= {"ready": False, "draining": True}
    return Response(msgspec.json.encode(found), 200 if found["ready"] else 503, media_type=JSON)


@router.get("/metrics", summary="Prometheus metrics of all workers of this host", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """The text exposition format."""
    runtime: Runtime = request.app.state.runtime
    return Response(
        await run_in_threadpool(runtime.metrics.exposition), media_type="text/plain; version=0.0.4; charset=utf-8"
    )
