"""The service: POST /v1/decisions.

python -m loadtests.bench.handrolled.app PORT CAMPAIGNS MODEL MARKET.json REDIS_URL KEY_HASH
"""

import asyncio
import hashlib
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import orjson
import redis.asyncio
import uvicorn
import yaml
from fastapi import Depends, FastAPI, Header, HTTPException, Response
from prometheus_client import Counter, Histogram, generate_latest
from pydantic import BaseModel

from loadtests.bench.handrolled.decision import Decided, Service, decide
from loadtests.bench.handrolled.features import Model
from loadtests.bench.handrolled.places import Places
from loadtests.bench.handrolled.rules import load
from loadtests.bench.handrolled.words import Words

STREAM = "hand:decisions"
STREAM_LENGTH = 10_000
FLUSH_S = 0.05
DECISIONS = Counter("hand_decisions", "Decisions answered.")
REASONS = Counter("hand_ruled_out", "Offers ruled out.", ["code"])
SECONDS = Histogram("hand_decision_seconds", "From request to answer.")


class Wanted(BaseModel):
    """A placement."""

    placement: str
    limit: int = 1


class Question(BaseModel):
    """The body."""

    request_id: str
    customer_id: str
    locale: str = "en"
    placements: list[Wanted]
    context: dict[str, Any] = {}


def application(service: Service, store: redis.asyncio.Redis, key_hash: str) -> FastAPI:
    """The app of a loaded service."""
    waiting: asyncio.Queue[bytes] = asyncio.Queue()

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        task = asyncio.create_task(write_behind(waiting, store))
        yield
        task.cancel()
        await store.aclose()

    app = FastAPI(lifespan=life)

    async def caller(authorization: Annotated[str, Header()] = "") -> None:
        if hashlib.sha256(authorization.removeprefix("Bearer ").encode()).hexdigest() != key_hash:
            raise HTTPException(401)

    @app.post("/v1/decisions", dependencies=[Depends(caller)])
    async def decisions(question: Question) -> Response:
        started = time.perf_counter()
        stored = await store.get(f"hand:profile:{question.customer_id}")
        profile = read_profile(stored)
        decided = decide(service, question.model_dump(), profile)
        waiting.put_nowait(orjson.dumps(decided.record, option=orjson.OPT_SERIALIZE_NUMPY, default=list))
        count(decided, time.perf_counter() - started)
        return Response(orjson.dumps(decided.answer), media_type="application/json")

    @app.get("/health/ready")
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type="text/plain")

    return app


def read_profile(stored: bytes | str | None) -> dict[str, Any]:
    """A stored profile; a stranger's is empty."""
    if stored is None:
        nothing: dict[str, Any] = {"attributes": {}, "bookings": [], "events": []}
        return {**nothing, "attributes": {"purposes": frozenset(), "channels": frozenset()}}
    profile: dict[str, Any] = orjson.loads(stored)
    facts = profile["attributes"]
    facts["purposes"], facts["channels"] = frozenset(profile["purposes"]), frozenset(profile["channels"])
    return profile


def count(decided: Decided, seconds: float) -> None:
    """Metrics."""
    DECISIONS.inc()
    SECONDS.observe(seconds)
    for code, number in decided.reasons.items():
        REASONS.labels(code).inc(number)


async def write_behind(waiting: "asyncio.Queue[bytes]", store: redis.asyncio.Redis) -> None:
    """Records to a stream, all that came within 50 ms in one pipeline."""
    while True:
        lines = [await waiting.get()]
        await asyncio.sleep(FLUSH_S)
        while not waiting.empty():
            lines.append(waiting.get_nowait())
        pipeline = store.pipeline(transaction=False)
        for line in lines:
            pipeline.xadd(STREAM, {"record": line}, maxlen=STREAM_LENGTH, approximate=True)
        await pipeline.execute()


def opened(campaigns: Path, model: Path, market: Path) -> Service:
    """Everything read from its files."""
    offers = load(campaigns)
    images = yaml.load((campaigns / "images.yaml").read_bytes(), Loader=yaml.CSafeLoader)["images"]
    return Service(
        offers,
        Model(model, offers),
        Words(offers, images),
        Places(campaigns / "places"),
        json.loads(market.read_text()),
        b"\x5a" * 32,
    )


def main() -> None:
    """Serve."""
    port, campaigns, model, market, url, key_hash = sys.argv[1:]
    service = opened(Path(campaigns), Path(model), Path(market))
    app = application(service, redis.asyncio.Redis.from_url(url), key_hash)
    uvicorn.run(
        app, port=int(port), loop="uvloop", http="httptools", access_log=False, log_level="warning",
        server_header=False,
    )  # fmt: skip


if __name__ == "__main__":
    main()
