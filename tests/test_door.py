"""The hot path's own door answers as the routes behind it would."""

import asyncio
import gzip
import json
from pathlib import Path
from typing import Any

import anyio
from starlette.types import Message

from offers.api.door import COMPRESSED_FROM, DecisionDoor
from offers.api.incoming import Incoming
from tests.service import service

ASKED = {"customer_id": "c-1", "placements": [{"placement": "app.home.hero", "limit": 1}], "locale": "it"}


async def answered(app: Any, scope: dict[str, Any], *chunks: bytes) -> tuple[int, dict[str, str], bytes]:
    """What an ASGI app says to a body that comes in these chunks."""
    messages = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    messages.append({"type": "http.request", "body": b"", "more_body": False})
    said: list[Message] = []

    async def receive() -> Message:
        return messages.pop(0)

    async def send(message: Message) -> None:
        said.append(message)

    await app(scope, receive, send)
    headers = {name.decode(): value.decode() for name, value in said[0]["headers"]}
    return said[0]["status"], headers, b"".join(each.get("body", b"") for each in said[1:])


def scope_of(app: Any, secret: str, path: str = "/v1/decisions", **headers: str) -> dict[str, Any]:
    sent = {"authorization": f"Bearer {secret}", "content-type": "application/json", **headers}
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in sent.items()]
    return {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": raw,
        "client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "app": app, "state": {},
    }  # fmt: skip


def test_a_body_in_pieces_is_answered_and_compressed_for_whoever_reads_that(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            secret = live.http.headers["authorization"].removeprefix("Bearer ")
            body = json.dumps(ASKED).encode()
            now = live.headers()["offing-now"]
            plain = await answered(live.app, scope_of(live.app, secret, offing_now=now), body[:9], body[9:])
            small = await answered(
                live.app, scope_of(live.app, secret, offing_now=now, accept_encoding="gzip, br"), body
            )
            assert (plain[0], small[0]) == (200, 200)
            assert len(plain[2]) >= COMPRESSED_FROM
            assert plain[1]["content-length"] == str(len(plain[2]))
            assert "content-encoding" not in plain[1]
            assert small[1]["content-encoding"] == "gzip"
            whole, unpacked = json.loads(plain[2]), json.loads(gzip.decompress(small[2]))
            assert unpacked["decision_id"] == whole["decision_id"], "the second is the first one, from the cache"
            assert plain[1]["vary"] == small[1]["vary"] == "Accept-Encoding"

    anyio.run(scenario)


def test_what_is_refused_is_a_problem_as_everywhere(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            said = await answered(live.app, scope_of(live.app, "ok_nobodys"), b"{}")
            assert (said[0], said[1]["content-type"]) == (401, "application/problem+json")
            assert json.loads(said[2])["code"] == "KEY_UNKNOWN"

    anyio.run(scenario)


def test_everything_else_goes_on_to_the_app_behind() -> None:
    passed: list[str] = []

    async def behind(scope: Any, receive: Any, send: Any) -> None:
        passed.append(f"{scope['type']} {scope.get('method')} {scope.get('path')}")

    door = DecisionDoor(behind)
    scopes = [
        {"type": "lifespan"}, {"type": "http", "method": "GET", "path": "/v1/decisions"},
        {"type": "http", "method": "POST", "path": "/v1/decisions/"},
    ]  # fmt: skip
    for scope in scopes:
        asyncio.run(door(scope, None, None))  # type: ignore[arg-type]
    assert passed == ["lifespan None None", "http GET /v1/decisions", "http POST /v1/decisions/"]


def test_of_a_header_that_is_repeated_the_first_counts() -> None:
    scope = {"app": None, "headers": [(b"offing-origin", b"load"), (b"offing-origin", b"live"), (b"x", b"\xff")]}
    assert Incoming(scope, None).headers == {"offing-origin": "load", "x": "ÿ"}  # type: ignore[arg-type]
