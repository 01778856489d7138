"""Bodies over HTTP: bounded whatever the client claims, decompressed or not, and JSON or a clear answer."""

import gzip
import json
import socket
import threading
from collections.abc import Iterable, Iterator

import anyio
import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request, Response
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from offers.api.bodies import read_body
from offers.api.problems import install
from streams.errors import InvalidInput
from tests.asgi import call

LIMIT = 64 << 10


def application(received: list[int]) -> FastAPI:
    """Answers with the body it read; `received` gets the size of every chunk the server took from the socket."""
    app = FastAPI()
    install(app)

    @app.post("/echo")
    async def echo(request: Request) -> Response:
        take = request.receive

        async def counted() -> Message:
            message = await take()
            received.append(len(message.get("body", b"")))
            return message

        return Response(await read_body(Request(request.scope, counted), LIMIT))

    return app


def post(content: bytes | Iterable[bytes], **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return call(application([]), "POST", "/echo", content, named)


def code_of(answer: httpx.Response) -> tuple[int, str]:
    assert answer.headers["content-type"] == "application/problem+json"
    return answer.status_code, answer.json()["code"]


def test_a_plain_a_gzipped_and_a_chunked_body_are_the_same_body() -> None:
    body = json.dumps({"name": "é" * 1000}).encode()
    zipped = gzip.compress(body, mtime=0)
    assert post(body).content == body
    assert post(zipped, Content_Encoding="gzip").content == body
    assert post(zipped, Content_Encoding=" X-GZIP").content == body
    assert post(body, Content_Encoding="identity").content == body
    assert post(iter([body[:7], b"", body[7:]])).content == body
    pieces = iter([zipped[index : index + 1] for index in range(len(zipped))])
    assert post(pieces, Content_Encoding="gzip").content == body


def test_the_limit_itself_is_allowed_and_a_byte_more_is_not() -> None:
    for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
        assert post(b"x" * size).status_code == status
        assert post(iter([b"x" * size])).status_code == status
        zipped = gzip.compress(b"x" * size, mtime=0)
        assert post(zipped, Content_Encoding="gzip").status_code == status


def test_a_gzip_bomb_is_stopped_at_the_limit() -> None:
    bomb = gzip.compress(b"0" * 50_000_000, mtime=0)
    assert len(bomb) < LIMIT
    answer = post(bomb, Content_Encoding="gzip")
    assert code_of(answer) == (413, "BODY_TOO_LARGE")
    assert answer.json()["detail"].startswith("the body is larger than 64 KiB, decompressed or not")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (gzip.compress(b"{}" * 100, mtime=0)[:-4], "ends too early"),
        (gzip.compress(b"{}", mtime=0)[:10], "ends too early"),
        (b"", "ends too early"),
        (b"{}", "not gzip"),
        (gzip.compress(b"{}", mtime=0) + b"tail", "after the end"),
        (gzip.compress(b"{}", mtime=0) * 2, "after the end"),
        (gzip.compress(b"{}", mtime=0)[:-8] + b"\0" * 8, "not gzip"),
    ],
)
def test_a_broken_gzip_stream_is_refused(body: bytes, said: str) -> None:
    answer = post(body, Content_Encoding="gzip")
    assert code_of(answer) == (400, "BODY_ENCODING")
    assert said in answer.json()["detail"]


@given(st.binary(max_size=300), st.integers(0, 299))
def test_a_spoilt_gzip_body_is_the_same_or_refused_never_a_crash(body: bytes, place: int) -> None:
    zipped = bytearray(gzip.compress(body, mtime=0))
    zipped[place % len(zipped)] ^= 0x10
    answer = post(bytes(zipped), Content_Encoding="gzip")
    assert answer.content == body if answer.status_code == 200 else code_of(answer) == (400, "BODY_ENCODING")


def test_other_encodings_and_media_types_are_named_and_refused() -> None:
    for encoding in ("br", "gzip, gzip", "zstd"):
        answer = post(b"{}", Content_Encoding=encoding)
        assert code_of(answer) == (415, "CONTENT_ENCODING")
        assert answer.headers["accept-encoding"] == "gzip, identity"
    for media in ("text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16"):
        answer = post(b"{}", Content_Type=media)
        assert code_of(answer) == (415, "MEDIA_TYPE")
    for media in ("application/json; charset=UTF-8", "application/cloudevents-batch+json", "Application/JSON"):
        assert post(b"{}", Content_Type=media).status_code == 200


@pytest.fixture
def served() -> Iterator[tuple[int, list[int]]]:
    """A real server: its port and the sizes of the chunks it read."""
    received: list[int] = []
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(16)  # connections wait while the server starts
    server = uvicorn.Server(uvicorn.Config(application(received), log_level="critical", lifespan="off", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()[1], received
    server.should_exit = True
    thread.join()
    listener.close()


def test_of_ten_megabytes_the_server_reads_little_more_than_the_limit(served: tuple[int, list[int]]) -> None:
    port, received = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        sent = 0
        try:
            while sent < 10_000_000:
                connection.sendall(b"1000\r\n" + b"x" * 0x1000 + b"\r\n")
                sent += 0x1000
        except ConnectionError:
            pass  # the server has answered and closed
        head = b"".join(iter(lambda: read_quietly(connection), b""))
    assert sum(received) <= LIMIT + (256 << 10)
    if head:  # a reset may overtake the answer
        assert head.startswith(b"HTTP/1.1 413")
        assert b"BODY_TOO_LARGE" in head
    assert httpx.post(f"http://127.0.0.1:{port}/echo", content=b"{}").content == b"{}"


def read_quietly(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65_536)
    except ConnectionError:
        return b""


def test_a_declared_size_above_the_limit_is_refused_unread(served: tuple[int, list[int]]) -> None:
    port, received = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\n")
        answer = connection.recv(65_536)
        assert answer.startswith(b"HTTP/1.1 413")
        assert b"connection: close" in answer.lower()
    assert sum(received) == 0


def test_a_client_that_leaves_in_the_middle_harms_nobody(served: tuple[int, list[int]]) -> None:
    port, _ = served
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
    assert httpx.post(f"http://127.0.0.1:{port}/echo", content=b"{}").content == b"{}"


def test_a_body_that_ends_early_is_an_error_of_the_client() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(InvalidInput) as caught:
        anyio.run(read_body, request, LIMIT)
    assert caught.value.code == "BODY_TRUNCATED"
