"""The whole service in one process: real Valkey, real log, real consumers, the real app behind an in-memory socket."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import anyio
import httpx
from fastapi import FastAPI

from offers import runtime
from offers.api.app import application
from offers.runtime import Runtime, deployment
from offers.tokens import CustomerToken
from streams.consumer import Consumer, by_the_record
from streams.deployment import Deployment
from streams.ids import CustomerId, Millis
from streams.instant import format_instant, parse_instant
from streams.lake import Lake
from streams.lake_consumer import Flush, LakeConsumer
from streams.location_consumer import LocationConsumer
from streams.log import CUSTOMERS, DECISIONS, MARKET
from streams.market_consumer import MarketConsumer
from streams.market_store import MarketStore
from streams.profile_consumer import ProfileConsumer
from streams.profile_store import ProfileStore
from streams.settings import Settings
from streams.valkey import Client, Keys, connect
from tests.log_makers import everything

CAMPAIGNS = Path(__file__).parent / "deployment"
NOW = parse_instant("2026-11-21T18:00:00Z")
LIVORNO = {"status": "precise", "lat": 43.5558, "lon": 10.3019, "accuracy_m": 30}
SAILING = "ITLIV-ITOLB/2026-11-21T22:30"
ALL_SCOPES = ("decide", "events", "simulate", "admin")
BARRIER = "c-barrier"
"""Customers who ask only for what comes before them to be known written."""
PATIENCE_S = 20.0


@dataclass
class Service:
    """A running service and a client with an API key of every scope. Its clock stands still until it is moved."""

    app: FastAPI
    http: httpx.AsyncClient
    runtime: Runtime
    consumers: Sequence[Consumer]
    now: Millis = NOW
    _sent: int = 0

    def headers(self, token: str | None = None) -> dict[str, str]:
        """The clock, and a customer's token instead of the key."""
        found = {"offing-now": format_instant(self.now)}
        return found if token is None else {**found, "authorization": f"Bearer {token}"}

    def token(self, customer: str) -> str:
        """A customer's own token, good for an hour."""
        return self.runtime.customer_tokens.mint(CustomerToken(CustomerId(customer), self.now + 3_600_000))

    def event(self, kind: str, subject: str, data: dict[str, Any], at: str | None = None) -> dict[str, Any]:
        """A CloudEvent with an id of its own."""
        self._sent += 1
        time = at or format_instant(self.now)
        named = {"id": f"e-{self._sent}", "source": "tests", "type": kind, "subject": subject, "time": time}
        return {"specversion": "1.0", **named, "data": data}

    async def send(self, *events: dict[str, Any], token: str | None = None) -> httpx.Response:
        """POST /v1/events."""
        return await self.http.post("/v1/events", json=list(events), headers=self.headers(token))

    async def ask(self, customer: str = "c-1", token: str | None = None, **body: Any) -> httpx.Response:
        """POST /v1/decisions, by default for one item of the home hero."""
        asked = {"customer_id": customer, "placements": [{"placement": "app.home.hero", "limit": 1}], **body}
        return await self.http.post("/v1/decisions", json=asked, headers=self.headers(token))

    async def outcome(self, token: str, outcome: str, at: str | None = None) -> httpx.Response:
        """POST /v1/outcomes."""
        sent = {"token": token, "outcome": outcome, "at": at or format_instant(self.now)}
        return await self.http.post("/v1/outcomes", json=sent, headers=self.headers())

    async def gold_passenger(self, customer: str = "c-1") -> None:
        """A gold member with a seat on tonight's Livorno-Olbia, who consents; fares and cabins are known."""
        consent = {"purposes": {"personalised_offers": True, "location": True}, "channels": {"app": True}}
        booking = {"booking_id": "b-771", "sailing_id": SAILING, "line": "ITLIV-ITOLB"}
        response = await self.send(
            self.event("customer.profile", customer, {"attributes": {"loyalty_tier": "gold", "open_complaint": False}}),
            self.event("customer.consent", customer, consent),
            self.event("customer.booking", customer, {**booking, "attributes": {"accommodation": "seat"}}),
            *self.sailing(),
        )
        assert response.status_code == 202, response.text
        await self.market_seen()

    def sailing(self, fare: int = 7000, free: int = 37) -> list[dict[str, Any]]:
        """Tonight's sailing with its cabin fare and how many inside cabins are free."""
        times = {"departure": "2026-11-21T21:30:00Z", "arrival": "2026-11-22T06:00:00Z"}
        return [
            self.event("sailing.schedule", SAILING, {"line": "ITLIV-ITOLB", **times}),
            self.event("sailing.fare", SAILING, {"product": "cabin_inside", "minor": fare}),
            self.event("sailing.capacity", SAILING, {"kind": "inside", "free": free}),
        ]

    async def market_seen(self) -> None:
        """Wait until this worker's market holds everything in the log."""
        wanted = self.runtime.log.end(MARKET)[0] - 1
        with anyio.fail_after(PATIENCE_S):
            while self.runtime.tail.market.version < wanted:
                await anyio.sleep(0.005)

    async def written(self) -> None:
        """Wait until everything that the decisions so far leave behind is in the log, by two decisions of BARRIERs.

        The first one's record may come with its batch's other topics still to come; the second's comes after them.
        """
        for _ in range(2):
            self._sent += 1
            name = f"{BARRIER}-{self._sent}"
            assert (await self.ask(name)).status_code == 200
            with anyio.fail_after(PATIENCE_S):
                while name not in {record.key for record in everything(self.runtime.log, DECISIONS)}:
                    await anyio.sleep(0.005)

    async def folded(self) -> None:
        """Wait until nothing of the customers' topic is waiting to be folded."""
        settings = self.runtime.settings
        with connect(settings.store(settings.redis_url)) as client, anyio.fail_after(PATIENCE_S):
            store = ProfileStore(client, Keys(settings.namespace))
            while not await anyio.to_thread.run_sync(_caught_up, self.runtime, store):
                await anyio.sleep(0.01)


def _caught_up(running: Runtime, store: ProfileStore) -> bool:
    ends = running.log.end(CUSTOMERS)
    reached = store.load_many((), running.log.epoch(), tuple(ends)).reached
    return all(
        end == 0 or (partition in reached and reached[partition].applied >= end) for partition, end in ends.items()
    )


@asynccontextmanager
async def service(
    folder: Path, url: str, *, campaigns: Path = CAMPAIGNS, consuming: bool = True, **settings: Any
) -> AsyncIterator[Service]:
    """A service with its own folder and namespace on the Valkey at `url`."""
    name = namespace_of(folder)
    configured = Settings(
        namespace=name, artifacts=folder, campaigns=campaigns, simulated=True, redis_url=url,
        token_keys=(("k1", "00" * 32),), lake_flush_s=0.1, **settings,
    )  # fmt: skip
    book = runtime.ledger(configured)
    secret = book.create_key(f"all-{name}", ALL_SCOPES, NOW) if not book.list_keys() else ""
    book.close()
    app = application(configured)
    async with app.router.lifespan_context(app), AsyncExitStack() as stack:
        running: Runtime = app.state.runtime
        client = stack.enter_context(connect(configured.store(url)))
        consumers = started(running, client) if consuming else ()
        try:
            with anyio.fail_after(PATIENCE_S):
                while not running.tail.ready.is_set():
                    await anyio.sleep(0.005)
            transport = httpx.ASGITransport(app, raise_app_exceptions=False)
            headers = {"authorization": f"Bearer {secret}"}
            async with httpx.AsyncClient(transport=transport, base_url="http://offing", headers=headers) as http:
                yield Service(app, http, running, consumers)
        finally:
            for consumer in consumers:
                await anyio.to_thread.run_sync(consumer.stop, abandon_on_cancel=True)


def namespace_of(folder: Path) -> str:
    """Of the service in this folder."""
    return f"t{abs(hash(folder)) % 10**9}"


def started(running: Runtime, client: Client) -> tuple[Consumer, ...]:
    """The four consumers, each in its thread, beside the service."""
    settings, keys = running.settings, Keys(running.settings.namespace)
    profiles = ProfileStore(client, keys)

    def current() -> Deployment:
        return deployment(running.activation.engine())

    consumers: tuple[Consumer, ...] = (
        ProfileConsumer(running.log, profiles, current, reckoning=by_the_record),
        LocationConsumer(running.log, profiles, current, reckoning=by_the_record),
        MarketConsumer(running.log, MarketStore(client, keys)),
        LakeConsumer(running.log, Lake(settings.lake), flush=Flush(after_s=0.1)),
    )
    for consumer in consumers:
        consumer.start()
    return consumers


def items(response: httpx.Response, placement: int = 0) -> list[dict[str, Any]]:
    """The items of one placement of an answer."""
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["placements"][placement]["items"]
    return found


def offers_of(response: httpx.Response, placement: int = 0) -> list[str]:
    """The offer ids of one placement of an answer."""
    return [item["offer_id"] for item in items(response, placement)]
