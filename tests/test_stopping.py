"""A stop at the doors: gone from every answer within a second, taken back from apps, replayed by its revision."""

import asyncio
from pathlib import Path

import anyio

from offers.catalog import Catalog
from offers.replay import replay
from streams.ids import CampaignId, DecisionId
from tests.service import CAMPAIGNS, LIVORNO, NOW, PATIENCE_S, Service, items, offers_of, service

CABIN = CampaignId("cabin-upgrade-livorno-olbia")
UPGRADE = "cabin-upgrade-inside"
HERE = {"location": LIVORNO}


def catalog_of(live: Service) -> Catalog:
    return live.runtime.engine().catalog


async def stopped(live: Service, *campaigns: CampaignId) -> None:
    """Wait until this worker decides without exactly these."""
    with anyio.fail_after(PATIENCE_S):
        while catalog_of(live).stopped != set(campaigns):
            await anyio.sleep(0.01)


def test_a_stopped_campaign_is_in_no_answer_not_cached_not_repeated_and_taken_back(
    tmp_path: Path, valkey_url: str
) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            first = await live.ask(context=HERE, request_id="q-1")
            (item,) = items(first)
            assert item["campaign_id"] == CABIN
            live.runtime.ledger.stops.stop(CABIN, "4.90 for 49.00", "ada", NOW)
            await stopped(live, CABIN)
            for again in ({}, {"request_id": "q-1"}, {"request_id": "q-2"}):
                answer = await live.ask(context=HERE, **again)
                assert UPGRADE not in offers_of(answer)
                assert answer.json()["revision"] == catalog_of(live).revision != first.json()["revision"]
            held = await live.ask(context=HERE, holding=[item["token"]])
            assert held.json()["withdrawn"] == [item["token"]]
            why = await live.ask(context=HERE, options={"explain": "summary", "explain_offers": [UPGRADE]})
            (reason, *_) = why.json()["ruled_out"]["offers"][0]["reasons"]
            assert reason["code"] == "CAMPAIGN_STOPPED"
            live.runtime.ledger.stops.lift(CABIN, "ada", NOW)
            await stopped(live)
            back = await live.ask(context=HERE, holding=[item["token"]])
            assert (offers_of(back), back.json()["withdrawn"]) == ([UPGRADE], [])
            assert back.json()["revision"] == first.json()["revision"]

    anyio.run(scenario)


def test_what_is_shown_stays_where_the_campaign_honours_it_and_is_shown_to_nobody_new(
    tmp_path: Path, valkey_url: str
) -> None:
    campaigns = tmp_path / "campaigns"
    for file in CAMPAIGNS.rglob("*"):
        if file.is_file():
            target = campaigns / file.relative_to(CAMPAIGNS)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.read_bytes())
    cabin = campaigns / "campaigns/cabin-upgrade.yaml"
    cabin.write_text(cabin.read_text() + "\non_stop: {shown: honour_until_expiry}\n")

    async def scenario() -> None:
        async with service(tmp_path / "artifacts", valkey_url, campaigns=campaigns) as live:
            await live.gold_passenger()
            (item,) = items(await live.ask(context=HERE))
            live.runtime.ledger.stops.stop(CABIN, "sold by phone", "ada", NOW)
            await stopped(live, CABIN)
            held = await live.ask(context=HERE, holding=[item["token"]])
            assert (held.json()["withdrawn"], UPGRADE in offers_of(held)) == ([], False)
            live.now += 24 * 3_600_000
            late = await live.ask(context=HERE, holding=[item["token"]])
            assert late.json()["withdrawn"] == [item["token"]], "its token has expired"

    anyio.run(scenario)


def test_a_decision_made_without_a_stopped_campaign_is_replayed_so(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            live.runtime.ledger.stops.stop(CABIN, "wrong price", "ada", NOW)
            await stopped(live, CABIN)
            decision = (await live.ask(context=HERE)).json()
            await live.written()
            live.runtime.ledger.stops.lift(CABIN, "ada", NOW)
            await stopped(live)
            with anyio.fail_after(PATIENCE_S):
                while (record := live.runtime.lake.find(DecisionId(decision["decision_id"]))) is None:
                    await anyio.sleep(0.02)
            again = replay(record, live.runtime.activation.revision(record.inputs.revision))
            assert (again.same_bytes, again.decision.revision) == (True, decision["revision"])
            verdict = next(each for each in again.verdicts if each.offer_id == UPGRADE)
            assert [reason.code for reason in verdict.reasons] == ["CAMPAIGN_STOPPED"]

    anyio.run(scenario)


def test_two_workers_under_traffic_both_stop_and_answer_on(tmp_path: Path, valkey_url: str) -> None:
    """No request fails, and each answer is of one revision: the stopped offer stands in none that names the stop."""

    async def scenario() -> None:
        async with (
            service(tmp_path, valkey_url) as one,
            service(tmp_path, valkey_url, consuming=False) as two,
        ):
            await one.gold_passenger()
            await two.market_seen()
            two.http.headers["authorization"] = one.http.headers["authorization"]
            before = catalog_of(one).revision
            seen: list[tuple[str, bool]] = []
            going = True

            async def traffic(live: Service, customer: int) -> None:
                while going:
                    answer = await live.ask(f"c-{customer}" if customer else "c-1", context=HERE)
                    assert answer.status_code == 200, answer.text
                    shown = UPGRADE in offers_of(answer)
                    assert not (shown and answer.json()["revision"] != before)
                    seen.append((answer.json()["revision"], shown))

            async def press() -> None:
                nonlocal going
                await anyio.sleep(0.3)
                one.runtime.ledger.stops.stop(CABIN, "wrong price", "ada", NOW)
                pressed = asyncio.get_running_loop().time()
                await stopped(one, CABIN)
                await stopped(two, CABIN)
                took_s = asyncio.get_running_loop().time() - pressed
                after = len(seen)
                while len(seen) < after + 20:
                    await anyio.sleep(0.01)
                going = False
                assert all(not shown for _, shown in seen[after + 4 :])
                assert took_s < PATIENCE_S

            async with anyio.create_task_group() as group:
                for live in (one, two):
                    for customer in range(2):
                        group.start_soon(traffic, live, customer)
                group.start_soon(press)
            assert {revision for revision, _ in seen} == {before, catalog_of(two).revision}
            assert (before, True) in seen

    anyio.run(scenario)


def test_readiness_says_what_is_not_followed(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            assert (await live.http.get("/health/ready")).json()["not_followed"] == []
            (tmp_path / "ledger.sqlite").rename(tmp_path / "away")
            live.runtime.ledger.close()
            with anyio.fail_after(PATIENCE_S):
                while not live.runtime.activation.troubles():
                    await anyio.sleep(0.01)
            answer = await live.http.get("/health/ready")
            assert (answer.status_code, answer.json()["not_followed"]) == (200, ["LEDGER_SCHEMA"])

    anyio.run(scenario)
