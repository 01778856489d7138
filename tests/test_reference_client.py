"""The client of docs/apps.md, run as it is printed: at sea, back in port, logged out, refused."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from streams.events import parse
from streams.instant import HOUR_MS, format_instant
from streams.log import CUSTOMERS
from tests.service import Service, service
from tests.test_docs import APPS, BLOCK, EXAMPLE, passenger

PRINTED = next(block for kind, _, block in BLOCK.findall(APPS) if kind == "python")
HERO = {"placement": "app.home.hero", "limit": 1}
CARD = {"placement": "app.trip.card", "limit": 3}
HERE = {"location": {"status": "precise", "lat": 43.56, "lon": 10.30, "accuracy_m": 50}}
NOWHERE = "http://127.0.0.1:9"
"""Nothing listens on the discard port: a network that is not there."""


class Phone:
    """A phone with the printed client in it. It has no network until it docks."""

    def __init__(self, live: Service, network: httpx.AsyncClient, at_sea: httpx.AsyncClient) -> None:
        self.live, self.network, self.at_sea = live, network, at_sea
        self.minted: list[str] = []
        self.slept: list[float] = []
        printed: dict[str, Any] = {}
        exec(compile(PRINTED, "docs/apps.md", "exec"), printed)
        self.offers = printed["Offers"](network, self._mint(), self._sleep, lambda: live.now / 1000)

    def _mint(self) -> Callable[[], Awaitable[str]]:
        async def fetch() -> str:
            self.minted.append(self.live.token("c-1"))
            return self.minted[-1]

        return fetch

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)

    def sail(self) -> None:
        self.offers.http = self.at_sea

    def dock(self) -> None:
        self.offers.http = self.network
        self.network.headers["offing-now"] = format_instant(self.live.now)


@asynccontextmanager
async def phone(folder: Path, url: str) -> AsyncIterator[Phone]:
    async with service(folder, url, campaigns=EXAMPLE, consuming=False) as live:
        await passenger(live)
        transport = httpx.ASGITransport(live.app, raise_app_exceptions=False)
        async with (
            httpx.AsyncClient(transport=transport, base_url="http://offing") as network,
            httpx.AsyncClient(base_url=NOWHERE, trust_env=False) as at_sea,
        ):
            held = Phone(live, network, at_sea)
            held.dock()
            yield held


def exposures(live: Service) -> set[str]:
    """The ids of every exposure in the log: the same exposure always has the same."""
    log, topic = live.runtime.log, CUSTOMERS
    found = [parse(record.value) for p in range(topic.partitions) for record in log.read(topic, p, 0, 1000)]
    return {event.id for event in found if event.type == "offer.exposed"}


def names(shown: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [item["offer_id"] for _, item in shown]


def test_the_page_says_how_long_the_client_is() -> None:
    assert len(PRINTED.splitlines()) == 60
    assert "Sixty lines" in APPS and not re.search(r".{121}", PRINTED)


def test_at_sea_only_what_may_be_shown_offline_is_shown_and_only_until_it_expires(
    tmp_path: Path, valkey_url: str
) -> None:
    async def scenario() -> None:
        async with phone(tmp_path, valkey_url) as held:
            shown = await held.offers.ask([HERO, CARD], context=HERE)
            assert names(shown)[0] == "cabin-upgrade-inside" and len(shown) > 1
            held.sail()
            offline = await held.offers.ask([HERO, CARD], context=HERE)
            assert names(offline) == [item["offer_id"] for _, item in shown if item["offline"]["show"]] != []
            assert len(held.slept) == 2 and 0.5 <= held.slept[0] <= 0.75 and 1.5 <= held.slept[1] <= 2.25
            held.live.now += 901_000
            assert await held.offers.ask([HERO, CARD], context=HERE) == []

    anyio.run(scenario)


def test_a_queue_is_flushed_after_nine_hours_at_sea_and_counts_once(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with phone(tmp_path, valkey_url) as held:
            shown = await held.offers.ask([HERO, CARD], context=HERE)
            held.sail()
            for _, item in shown * 300:
                held.offers.report(item, "exposed")
            await held.offers.flush()
            assert len(held.offers.queue) == 300 * len(shown) > 500, "nothing is lost without a network"
            held.live.now += 9 * HOUR_MS
            held.dock()
            await held.offers.flush()
            assert held.offers.queue == []
            assert len(held.minted) == 2, "the first token ended meanwhile"
            assert len(exposures(held.live)) == len(shown)

    anyio.run(scenario)


def test_while_the_log_cannot_be_written_the_queue_stays_and_what_is_a_week_old_is_dropped(
    tmp_path: Path, valkey_url: str
) -> None:
    async def scenario() -> None:
        async with phone(tmp_path, valkey_url) as held:
            ((_, item),) = await held.offers.ask([HERO], context=HERE)
            held.offers.report(item, "exposed")
            held.live.runtime.log.close()
            await held.offers.flush()
            assert len(held.offers.queue) == 1
            assert len(held.slept) == 2 and all(seconds >= 1 for seconds in held.slept), "it waits as it was told"
            held.live.now += 7 * 24 * HOUR_MS
            held.dock()
            await held.offers.flush()
            assert held.offers.queue == []

    anyio.run(scenario)


def test_what_is_withdrawn_leaves_the_screen(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with phone(tmp_path, valkey_url) as held:
            live = held.live
            assert names(await held.offers.ask([HERO], context=HERE)) == ["cabin-upgrade-inside"]
            sold_out = live.event("sailing.capacity", "ITLIV-ITOLB/2026-11-21", {"kind": "inside", "free": 0})
            assert (await live.send(sold_out)).status_code == 202
            await live.market_seen()
            assert "cabin-upgrade-inside" not in names(await held.offers.ask([CARD], context=HERE))

    anyio.run(scenario)


def test_logging_out_leaves_nothing_and_a_body_that_cannot_succeed_is_the_apps_mistake(
    tmp_path: Path, valkey_url: str
) -> None:
    async def scenario() -> None:
        async with phone(tmp_path, valkey_url) as held:
            ((_, item),) = await held.offers.ask([HERO], context=HERE)
            held.offers.report(item, "clicked")
            await held.offers.flush()
            held.offers.log_out()
            assert (held.offers.token, held.offers.queue, held.offers.held) == (None, [], [])
            with pytest.raises(httpx.HTTPStatusError, match="422"):
                await held.offers.ask([{"placement": "app.start.banner"}])
            assert held.slept == []

    anyio.run(scenario)
