"""Limits above one customer in the whole service: events through the door, the consumer, the totals, the answer."""

import shutil
from pathlib import Path
from typing import Any

import anyio

from streams.log import DECISIONS
from streams.record import decode
from tests.log_makers import everything
from tests.service import CAMPAIGNS, LIVORNO, PATIENCE_S, Service, items, offers_of, service

HERE: dict[str, Any] = {"context": {"location": LIVORNO, "device": {"class": "phone"}}}
UPGRADE, FALLBACK = "cabin-upgrade-inside", "islands-newsletter"
KEY = "redeemed|campaign|cabin-upgrade-livorno-olbia|ever|"


def only_two(folder: Path) -> Path:
    """The deployment with room for two redemptions of the cabin upgrade."""
    shutil.copytree(CAMPAIGNS, folder)
    file = folder / "campaigns" / "cabin-upgrade.yaml"
    two = "limits:\n  - {count: redemption, per: campaign, at_most: 2, strict: false}\n"
    file.write_text(file.read_text().replace("limits:\n", two))
    return folder


async def redeemed(live: Service, *customers: str) -> None:
    """Each takes the upgrade, and everything of it is folded."""
    for customer in customers:
        await live.gold_passenger(customer)
        token = items(await live.ask(customer, **HERE))[0]["token"]
        sent = await live.send(live.event("offer.redeemed", customer, {"token": token}))
        assert sent.status_code == 202, sent.text
    await live.folded()


async def seen(live: Service, number: int) -> None:
    """Wait until this worker has read so many redemptions."""
    with anyio.fail_after(PATIENCE_S):
        while live.runtime.totals.totals.counts.get(f"{KEY}||") != number:
            await anyio.sleep(0.01)


def test_what_everybody_took_ends_the_offer_for_everybody_cached_decisions_and_all(
    tmp_path: Path, valkey_url: str
) -> None:
    async def scenario() -> None:
        async with service(tmp_path / "a", valkey_url, campaigns=only_two(tmp_path / "campaigns")) as live:
            await live.gold_passenger("c-1")
            token = items(await live.ask("c-1", **HERE))[0]["token"]
            await redeemed(live, "c-2")
            await seen(live, 1)
            assert offers_of(await live.ask("c-1", **HERE)) == [UPGRADE], "one is left"
            await redeemed(live, "c-3")
            await seen(live, 2)
            assert offers_of(await live.ask("c-1", **HERE)) == [FALLBACK], "nor from the cache"
            told = await live.ask("c-1", options={"explain": "full"}, holding=[token], **HERE)
            (against,) = (each for each in told.json()["ruled_out"]["offers"] if each["offer_id"] == UPGRADE)
            assert [each["code"] for each in against["reasons"]] == ["USED_UP"]
            assert told.json()["withdrawn"] == [token]
            await live.written()
            record = decode([each for each in everything(live.runtime.log, DECISIONS) if each.key == "c-1"][-1].value)
            assert record.inputs.counters == {KEY: 2}

    anyio.run(scenario)


def test_a_worker_that_starts_knows_what_was_used_up_before(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        campaigns = only_two(tmp_path / "campaigns")
        async with service(tmp_path / "a", valkey_url, campaigns=campaigns) as live:
            await redeemed(live, "c-2", "c-3")
        async with service(tmp_path / "a", valkey_url, campaigns=campaigns, consuming=False) as again:
            assert again.runtime.totals.totals.counts[f"{KEY}||"] == 2

    anyio.run(scenario)
