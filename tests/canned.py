"""A real HTTP server on loopback that answers what a test tells it to, for clients that must cope with anything."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import orjson

Answering = Callable[["Asked"], tuple[int, Any]]
"""What was asked -> status and body as JSON."""


@dataclass(frozen=True)
class Asked:
    """One request."""

    path: str
    body: Any
    headers: Mapping[str, str]
    number: int
    """Of this request: 1, 2, ..."""


@dataclass
class Canned:
    """A server that runs, and what it was asked."""

    url: str
    asked: list[Asked] = field(default_factory=list)
    connections: int = 0


@contextmanager
def canned(answering: Answering, headers: Mapping[str, str] | None = None) -> Iterator[Canned]:
    """Serve while the block runs; `headers` go with every answer."""
    running = Canned("")

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            running.connections += 1
            super().setup()

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            self._answer(orjson.loads(self.rfile.read(int(self.headers["content-length"]))))

        def _answer(self, body: Any) -> None:
            asked = Asked(self.path, body, dict(self.headers), len(running.asked) + 1)
            running.asked.append(asked)
            status, found = answering(asked)
            sent = orjson.dumps(found)
            self.send_response(status)
            for name, value in {"content-length": str(len(sent)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sent)

        def log_message(self, format: str, *args: Any) -> None:
            """Quietly."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    running.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield running
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
