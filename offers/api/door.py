"""The hot path's own door: POST /v1/decisions without the layers that FastAPI's other routes go through.

They cost as much as deciding does. The route stands in decisions.py too, which describes it; both call one function.
"""

import gzip

from starlette.types import ASGIApp, Receive, Scope, Send

from offers.api.decisions import decided
from offers.api.incoming import Incoming
from offers.api.problems import problem_of, response_of
from streams.errors import OffingError

PATH = "/v1/decisions"
COMPRESSED_FROM = 1_000
"""Bytes from which an answer is compressed, if the client can read that."""
LEVEL = 5
_TYPE = (b"content-type", b"application/json")
_VARY = (b"vary", b"Accept-Encoding")
_GZIP = (b"content-encoding", b"gzip")


class DecisionDoor:
    """ASGI middleware. What is not for it goes on to the app behind."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        incoming = Incoming(scope, receive)
        try:
            body = await decided(incoming)
        except OffingError as error:
            await response_of(problem_of(error))(scope, receive, send)
            return
        headers = [_TYPE, _VARY]
        if len(body) >= COMPRESSED_FROM and "gzip" in incoming.headers.get("accept-encoding", ""):
            body = gzip.compress(body, LEVEL, mtime=0)
            headers.append(_GZIP)
        headers.append((b"content-length", b"%d" % len(body)))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})
