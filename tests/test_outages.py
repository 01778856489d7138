"""What goes on while a part is away: the rows of docs/operations.md that are seen at the doors."""

import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path
from uuid import uuid4

import anyio
import httpx
import pytest

from loadtests.postgres_server import PostgresServer, postgres
from offers import runtime
from offers.api.app import application
from offers.tokens import CustomerToken
from streams.embedded_valkey import EmbeddedValkey
from streams.ids import CustomerId
from streams.log import DECISIONS
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from tests.service import CAMPAIGNS, LIVORNO, PATIENCE_S, Service, items, offers_of, service

HERE = {"location": LIVORNO}
UPGRADE = "cabin-upgrade-inside"
FALLBACK = "islands-newsletter"


async def eventually(holds: Callable[[], bool]) -> None:
    with anyio.fail_after(PATIENCE_S):
        while not holds():
            await anyio.sleep(0.02)


async def connected(live: Service) -> httpx.Response:
    """The first answer with a profile in it: the connection for decisions is made anew after a pause of its own."""
    with anyio.fail_after(PATIENCE_S):
        for number in count():
            answer = await live.ask(request_id=f"back-{number}", context=HERE)
            if answer.json()["degraded"] != ["profile_unavailable"]:
                return answer
            await anyio.sleep(0.02)
    raise AssertionError("it never came back")


def revision(live: Service) -> str:
    return str(live.runtime.ready()["revision"])


def test_without_redis_answers_are_fallbacks_events_are_kept_and_it_goes_on_once_it_is_back(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path / "valkey")

    async def scenario() -> None:
        async with service(tmp_path / "artifacts", server.start()) as live:
            await live.gold_passenger()
            await live.folded()
            server.stop()
            live.now += 1_000
            answer = await live.ask(request_id="away", context=HERE)
            assert (answer.json()["degraded"], offers_of(answer)) == (["profile_unavailable"], [FALLBACK])
            assert (await live.http.get("/health/ready")).status_code == 200
            silver = live.event("customer.profile", "c-1", {"attributes": {"loyalty_tier": "silver"}})
            assert (await live.send(silver)).status_code == 202
            server.start()
            await live.folded()
            back = await connected(live)
            assert (back.json()["degraded"], offers_of(back)) == ([], [FALLBACK]), "silver: what came meanwhile counts"
            live.now += 1_000
            gold = live.event("customer.profile", "c-1", {"attributes": {"loyalty_tier": "gold"}})
            assert (await live.send(gold)).status_code == 202
            assert offers_of(await live.ask(request_id="gold", context=HERE)) == [UPGRADE]

    anyio.run(scenario)
    server.stop()


def test_a_log_that_cannot_be_written_says_retry_and_decisions_go_on(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            await live.gold_passenger()
            token = items(await live.ask(context=HERE))[0]["token"]
            live.runtime.log.close()
            refused = await live.outcome(token, "exposed")
            assert (refused.status_code, refused.json()["retryable"]) == (503, True)
            dismissed = live.event("offer.dismissed", "c-1", {"token": token})
            answer = await live.ask(events=[dismissed], context=HERE)
            assert answer.json()["degraded"] == ["events_not_kept"]
            assert [result["status"] for result in answer.json()["events"]] == ["retry"]
            assert offers_of(answer) == [UPGRADE]

    anyio.run(scenario)


def test_a_model_that_cannot_be_loaded_leaves_the_prior_and_answers_say_so(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            await live.gold_passenger()
            live.runtime.ledger.publish("model", "m-0123456789ab", "tests", live.now)
            live.runtime.ledger.activate("model", "m-0123456789ab", "tests", live.now)
            await eventually(lambda: live.runtime.ready()["degraded"] == ["model_unavailable"])
            answer = await live.ask(context=HERE)
            assert (answer.json()["degraded"], answer.json()["model"]) == (["model_unavailable"], "prior")
            assert offers_of(answer) == [UPGRADE]

    anyio.run(scenario)


def test_a_broken_campaign_file_leaves_the_running_revision_until_it_is_mended(tmp_path: Path, valkey_url: str) -> None:
    campaigns = tmp_path / "campaigns"
    shutil.copytree(CAMPAIGNS, campaigns)
    file = campaigns / "campaigns" / "cabin-upgrade.yaml"
    good = file.read_text()

    async def scenario() -> None:
        async with service(tmp_path / "artifacts", valkey_url, campaigns=campaigns, consuming=False) as live:
            await live.gold_passenger()
            first = revision(live)
            file.write_text(good + "\nno_such_key: 1\n")
            await anyio.sleep(0.6)
            assert revision(live) == first
            assert offers_of(await live.ask(context=HERE)) == [UPGRADE]
            file.write_text(good + "\n# mended\n")
            await eventually(lambda: revision(live) != first)
            assert offers_of(await live.ask(context=HERE)) == [UPGRADE]

    anyio.run(scenario)


def test_a_service_that_starts_without_its_ledger_serves_tokens_and_learns_keys_later(
    tmp_path: Path, valkey_url: str, namespace: str
) -> None:
    async def scenario(server: PostgresServer) -> None:
        told = Settings(
            artifacts=tmp_path, campaigns=CAMPAIGNS, namespace=namespace, redis_url=valkey_url, ledger_url=server.url,
            token_keys=(("k1", "00" * 32),),
        )  # fmt: skip
        with closing(runtime.unprepared_ledger(told)) as book:
            book.migrate()
            secret = book.create_key("backend", ["decide"], 1)
        server.stop()
        app = application(told)
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://offing") as http:

                async def asked(bearer: str, **body: str) -> httpx.Response:
                    wanted = {"placements": [{"placement": "app.home.hero"}], **body}
                    headers = {"authorization": f"Bearer {bearer}"}
                    return await http.post("/v1/decisions", json=wanted, headers=headers)

                expires = runtime.wall_clock() + 60_000
                token = app.state.runtime.customer_tokens.mint(CustomerToken(CustomerId("c-1"), expires))
                assert (await asked(token)).status_code == 200
                refused = await asked(secret, customer_id="c-1")
                assert (refused.status_code, refused.json()["code"]) == (503, "LEDGER_UNAVAILABLE")
                server.start()
                with anyio.fail_after(PATIENCE_S):
                    while (await asked(secret, customer_id="c-1")).status_code != 200:
                        await anyio.sleep(0.1)

    with postgres() as server:
        anyio.run(scenario, server)


def test_a_service_that_is_asked_to_stop_writes_every_record_first(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            for number in range(20):
                await live.ask(f"c-{number}", context=HERE)

    anyio.run(scenario)
    log = SqliteLog(tmp_path / "log.sqlite", clock=lambda: 0)
    assert sum(log.end(DECISIONS).values()) == 20
    log.close()


@pytest.mark.parametrize("running", [True, False], ids=["copied while it runs", "copied after it stopped"])
def test_a_restored_copy_builds_the_profiles_again(running: bool, tmp_path: Path, valkey_url: str) -> None:
    source, copy = tmp_path / "source", tmp_path / f"copy-{uuid4().hex}"

    async def scenario() -> None:
        async with service(source, valkey_url, consuming=False) as live:  # consumers' leases would be copied too
            await live.gold_passenger()
            if running:
                back_up(source, copy)
        if not running:
            back_up(source, copy)
        async with service(copy, valkey_url) as live:  # a namespace of its own: nothing of it is in Redis
            await live.market_seen()
            await live.folded()
            assert offers_of(await live.ask(context=HERE)) == [UPGRADE]

    anyio.run(scenario)


def back_up(source: Path, target: Path) -> None:
    """As docs/operations.md says: both databases first, through SQLite; then the rest, but for valkey/."""
    target.mkdir()
    for name in ("log.sqlite", "ledger.sqlite"):
        with closing(sqlite3.connect(source / name)) as original, closing(sqlite3.connect(target / name)) as copy:
            original.backup(copy)
    for folder in ("lake", "revisions", "models"):
        if (source / folder).is_dir():
            shutil.copytree(source / folder, target / folder)
