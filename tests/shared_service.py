"""One running service for all tests of a module: it lives on an event loop of its own, and is talked to from here."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import redis
from anyio.from_thread import BlockingPortal, start_blocking_portal

from offers.ledger import Ledger
from streams.log import CUSTOMERS, Topic
from streams.valkey import Keys, connect
from tests.service import NOW, Service, service

HERO = {"placement": "app.home.hero", "limit": 1}


@dataclass(frozen=True)
class Shared:
    """A service of many tests. Each of them uses customers of its own."""

    portal: BlockingPortal
    live: Service

    def ask(self, customer: str, **body: Any) -> httpx.Response:
        """POST /v1/decisions for one item of the home hero."""
        return self.portal.call(partial(self.live.ask, customer, **body))

    def send(self, *events: Mapping[str, Any], token: str | None = None) -> httpx.Response:
        """POST /v1/events with a batch."""
        return self.post("/v1/events", list(events), token=token)

    def post(self, path: str, body: Any, *, token: str | None = None, **headers: str) -> httpx.Response:
        """POST bytes as they are, anything else as JSON; `content_type="..."` is a header."""
        sent = {**self.live.headers(token), **{name.replace("_", "-"): value for name, value in headers.items()}}
        if isinstance(body, bytes):
            sent.setdefault("content-type", "application/json")
            return self.portal.call(partial(self.live.http.post, path, content=body, headers=sent))
        return self.portal.call(partial(self.live.http.post, path, json=body, headers=sent))

    def get(self, path: str, *, token: str | None = None, **headers: str) -> httpx.Response:
        """GET."""
        sent = {**self.live.headers(token), **{name.replace("_", "-"): value for name, value in headers.items()}}
        return self.portal.call(partial(self.live.http.get, path, headers=sent))

    def request(self, sent: Mapping[str, Any]) -> httpx.Response:
        """A request described in httpx's own words."""
        return self.portal.call(partial(self.live.http.request, **sent))

    def gold(self, customer: str) -> None:
        """A gold passenger of tonight's sailing."""
        self.portal.call(self.live.gold_passenger, customer)

    def folded(self) -> None:
        """Wait until the consumers have everything."""
        self.portal.call(self.live.folded)

    def kept(self, topic: Topic = CUSTOMERS) -> int:
        """How many records the log ever took of a topic."""
        return sum(self.live.runtime.log.end(topic).values())

    @property
    def keys(self) -> Keys:
        """The namespace's keys."""
        return Keys(self.live.runtime.settings.namespace)

    @contextmanager
    def store(self) -> Iterator[redis.Redis]:
        """A client of the service's Valkey."""
        settings = self.live.runtime.settings
        with connect(settings.store(settings.redis_url)) as client:
            yield client

    def new_key(self, name: str, *scopes: str) -> str:
        """An API key with these scopes only."""
        book: Ledger = self.live.runtime.ledger
        return book.create_key(name, scopes, NOW)


@contextmanager
def shared_service(folder: Path, url: str, **settings: Any) -> Iterator[Shared]:
    """A service for as long as the block runs."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(service(folder, url, **settings)) as live,
    ):
        yield Shared(portal, live)


def problem(answer: httpx.Response, status: int, code: str) -> str:
    """Check that the answer is this problem, and return what it says."""
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    detail: str = answer.json()["detail"]
    return detail
