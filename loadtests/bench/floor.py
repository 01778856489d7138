"""The floor: what a FastAPI service costs that does nothing.

POST /v1/decisions reads the body, parses it as JSON with the standard library, and answers with a Response of a few
ready bytes. No model of the body, no auth, no store, no middleware. uvicorn with uvloop and httptools, one process.

    python -m loadtests.bench.floor PORT
"""

import sys

import uvicorn
from fastapi import FastAPI, Request, Response

ANSWER = b'{"decision_id":"019dd0a1-52cb-7c3e-9d12-6b1f0c3f8a11","degraded":[],"placements":[]}'

app = FastAPI()


@app.post("/v1/decisions")
async def decide(request: Request) -> Response:
    """The same for everybody."""
    await request.json()
    return Response(ANSWER, media_type="application/json")


@app.get("/health/ready")
async def ready() -> Response:
    """200 as soon as it runs."""
    return Response(b'{"ready":true}', media_type="application/json")


if __name__ == "__main__":
    uvicorn.run(
        app, port=int(sys.argv[1]), loop="uvloop", http="httptools", access_log=False, log_level="warning",
        server_header=False,
    )  # fmt: skip
