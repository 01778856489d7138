"""One request to an ASGI app, in memory, through the real client."""

from collections.abc import AsyncIterator, Iterable, Mapping

import anyio
import httpx
from fastapi import FastAPI


def call(
    app: FastAPI,
    method: str,
    path: str,
    content: bytes | Iterable[bytes] = b"",
    headers: Mapping[str, str] | None = None,
) -> httpx.Response:
    """The answer, errors of the app included. Content given in pieces is sent in these pieces."""

    async def pieces(parts: Iterable[bytes]) -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    async def send() -> httpx.Response:
        body = content if isinstance(content, bytes) else pieces(content)
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://offing") as client:
            return await client.request(method, path, content=body, headers=dict(headers or {}))

    return anyio.run(send)
