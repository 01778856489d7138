"""HTTP on a socket of one's own: kept connections, broken ones, and answers that are none."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager
from threading import Thread

import pytest

from loadtests.load.wire import Connection, NoAnswer, target
from streams.errors import InvalidInput
from tests.canned import Asked, canned


def echo(asked: Asked) -> tuple[int, object]:
    return 200, {"path": asked.path, "body": asked.body}


@contextmanager
def raw(*answers: bytes) -> Iterator[str]:
    """A server that sends these bytes, one to a connection, and hangs up."""
    door = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for answer in answers:
            line, _ = door.accept()
            with line:
                line.recv(65_536)
                line.sendall(answer)

    thread = Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{door.getsockname()[1]}"
    finally:
        door.close()
        thread.join(5)


def test_one_connection_serves_request_after_request() -> None:
    with canned(echo) as server, closing(Connection(target(server.url, {"offing-origin": "load"}))) as line:
        first = line.post("/v1/events", b'{"a":1}', {"Authorization": "Bearer ok_1"})
        second = line.get("/health/ready")
    assert (first.status, first.body) == (200, b'{"path":"/v1/events","body":{"a":1}}')
    assert (second.status, second.headers["content-length"]) == (200, str(len(second.body)))
    assert server.connections == 1
    assert server.asked[0].headers["offing-origin"] == "load"
    assert server.asked[0].headers["Authorization"] == "Bearer ok_1"


def test_a_server_that_closes_each_time_is_connected_to_each_time() -> None:
    with canned(echo, {"Connection": "close"}) as server:
        line = Connection(target(server.url))
        assert [line.get("/a").status, line.get("/b").status] == [200, 200]
    assert server.connections == 2


def test_a_kept_connection_that_was_closed_meanwhile_is_made_anew_once() -> None:
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
    with raw(answer, answer) as url, closing(Connection(target(url))) as line:
        assert line.get("/").body == b"{}"
        assert line.get("/").body == b"{}", "the first connection was closed behind the first answer"


def test_an_answer_in_chunks_and_in_pieces() -> None:
    sent = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with raw(sent) as url, closing(Connection(target(url))) as line:
        assert line.get("/").body == b"abcde"


@pytest.mark.parametrize(
    ("sent", "told"),
    [
        (b"", "closed before it answered"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "closed before it had answered"),
        (b"SSH-2.0-OpenSSH\r\n", "HttpParser"),
    ],
)
def test_what_is_no_answer_is_told(sent: bytes, told: str) -> None:
    with raw(sent) as url, pytest.raises(NoAnswer, match=told):
        Connection(target(url)).get("/")


def test_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        port = door.getsockname()[1]
    with pytest.raises(NoAnswer, match="ConnectionRefusedError"):
        Connection(target(f"http://127.0.0.1:{port}")).get("/")


def test_a_server_that_says_nothing_is_waited_for_only_so_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as door:
        line = Connection(target(f"http://127.0.0.1:{door.getsockname()[1]}", timeout_s=0.05))
        with pytest.raises(NoAnswer, match="TimeoutError"):
            line.get("/")


@pytest.mark.parametrize(
    "url", ["127.0.0.1:8080", "ftp://a", "http://", "http://a/path", "http://a:99999", "http://a:x"]
)
def test_a_host_that_is_none_is_refused_by_name(url: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        target(url)
    assert refused.value.code == "HOST_INVALID" and "expected http://NAME:PORT" in refused.value.message
