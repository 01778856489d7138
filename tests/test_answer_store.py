"""What a decision finds in Redis may be of another version, of another type, or refused: it goes on without."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from offers.answer_store import REQUEST_MS, AnswerStore, Found, Writes
from streams.address import Address
from streams.embedded_valkey import EmbeddedValkey
from streams.errors import Retry
from streams.ids import CustomerId
from streams.log import LOCATIONS
from streams.multiplexed import GOOD_S
from streams.profile_store import PENDING_ENTRIES, PENDING_MS
from streams.valkey import Client, Keys, connect, connect_async
from tests.service import offers_of
from tests.shared_service import Shared, shared_service

FALLBACK = "islands-newsletter"
ANNA, BRUNO = CustomerId("c-anna"), CustomerId("c-bruno")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, valkey_url: str) -> Iterator[Shared]:
    """Without consumers: one of them would stop at what is stored here."""
    with shared_service(tmp_path_factory.mktemp("store"), valkey_url, consuming=False) as shared:
        yield shared


@pytest.mark.parametrize("garbage", [b"garbage", b"\x01garbage of version 1", b"\x02", b""])
def test_what_cannot_be_read_degrades_the_answer(service: Shared, garbage: bytes) -> None:
    keys, customer = service.keys, CustomerId(f"c-{garbage.hex()}")
    with service.store() as store:
        for key in (keys.profile(customer), keys.presence(customer), keys.request(customer, "r")):
            store.set(key, garbage)
        store.rpush(keys.pending(customer), garbage)
    consent = service.live.event("customer.consent", customer, {"purposes": {"location": True}})
    answer = service.ask(customer, request_id="r", events=[consent])
    assert (offers_of(answer), answer.json()["degraded"]) == ([FALLBACK], ["profile_unavailable"])


def test_of_an_unreadable_profile_nobody_knows_a_consent_to_keep_a_location(service: Shared) -> None:
    customer = CustomerId("c-unreadable")
    with service.store() as store:
        store.set(service.keys.profile(customer), b"garbage")
    fix = service.live.event("customer.location", customer, {"lat": 43.5, "lon": 10.3})
    answer = service.send(fix)
    assert [result["code"] for result in answer.json()["results"]] == ["CONSENT_MISSING"]
    assert service.kept(LOCATIONS) == 0


def test_an_unreadable_presence_is_no_presence(service: Shared) -> None:
    customer = CustomerId("c-presence")
    service.send(service.live.event("customer.consent", customer, {"purposes": {"location": True}}))
    for garbage in (b"garbage", b"\x01 of version 1, but not whole", b""):
        with service.store() as store:
            store.set(service.keys.presence(customer), garbage)
        answer = service.ask(customer)
        assert (offers_of(answer), answer.json()["degraded"]) == ([FALLBACK], [])


def test_a_refusal_degrades_the_answer_and_keeps_the_events(service: Shared, caplog: pytest.LogCaptureFixture) -> None:
    customer = CustomerId("C-WRONG-TYPE")
    with service.store() as store:
        store.hset(service.keys.profile(customer), "a", "b")
        store.set(service.keys.pending(customer), "not a list")
    before = service.kept()
    event = service.live.event("customer.preferences", customer, {"attributes": {"newsletter": True}})
    assert service.send(event).status_code == 202
    assert service.kept() == before + 1
    answer = service.ask(customer, events=[{**event, "id": "inline"}])
    assert (offers_of(answer), answer.json()["degraded"]) == ([FALLBACK], ["profile_unavailable"])
    assert [result["status"] for result in answer.json()["events"]] == ["accepted"]
    refused = [record for record in caplog.records if record.name == "offing.answer_store"]
    assert {record.__dict__["reason"] for record in refused} == {"WRONGTYPE"}
    assert not any(customer in record.getMessage() for record in caplog.records)


@pytest.fixture
def client(store_client: Client) -> Client:
    """Of one server and of a cluster: what is here holds on both."""
    return store_client


def test_one_read_finds_what_was_left(client: Client, keys: Keys, store_address: Address) -> None:
    async def scenario() -> None:
        async with doors(store_address, keys) as store:
            assert await store.read(ANNA, "r", "k") == Found(None, None, [], None, None)
            await store.write(ANNA, Writes("r", b"entry", "k", 60_000))
            await store.write(BRUNO, Writes("r", b"other", None, 60_000))
            await store.push_many({ANNA: [b"one", b"two"], BRUNO: [b"three"]})
            await store.forget(ANNA, b"\x01" + bytes(8) + b"denied")
            client.set(keys.profile(ANNA), b"anna")
            assert await store.read(ANNA, "r", "k") == Found(
                b"anna", b"\x01" + bytes(8) + b"denied", [b"one", b"two"], b"entry", b"entry"
            )
            assert await store.read(BRUNO, "r", "k") == Found(None, None, [b"three"], b"other", None)
            assert await store.read_many([BRUNO, ANNA]) == [(None, [b"three"]), (b"anna", [b"one", b"two"])]
            assert await store.read_many([]) == []
            assert store.reads == 3

    asyncio.run(scenario())
    assert 0 < client.pttl(keys.request(ANNA, "r")) <= REQUEST_MS
    assert 0 < client.pttl(keys.decision(ANNA, "k")) <= 60_000
    assert 0 < client.pttl(keys.pending(ANNA)) <= PENDING_MS


def test_a_decision_that_leaves_nothing_writes_nothing(client: Client, keys: Keys, store_address: Address) -> None:
    async def scenario() -> None:
        async with doors(store_address, keys) as store:
            await store.write(ANNA, Writes(None, b"entry", None, 60_000))
            await store.drain()
            assert await store.read(ANNA, "r", "k") == Found(None, None, [], None, None)

    asyncio.run(scenario())


def test_pending_events_are_the_newest_hundred(client: Client, keys: Keys, store_address: Address) -> None:
    async def scenario() -> None:
        async with doors(store_address, keys) as store:
            await store.push_many({ANNA: [b"%d" % number for number in range(130)]})

    asyncio.run(scenario())
    kept = client.lrange(keys.pending(ANNA), 0, -1)
    assert (len(kept), kept[0], kept[-1]) == (PENDING_ENTRIES, b"30", b"129")


def test_a_read_takes_no_longer_than_it_may_and_no_server_is_retry(tmp_path: Path, keys: Keys) -> None:
    server = EmbeddedValkey(tmp_path)

    async def scenario() -> None:
        async with doors(server.start(), keys) as store:
            await store.read(ANNA, "r", "k")
            os.kill(server.pid, signal.SIGSTOP)
            try:
                for work in (store.read(ANNA, "r", "k", timeout_s=0.01), store.read_many([ANNA, BRUNO])):
                    with pytest.raises(Retry) as caught:
                        await work
                    assert caught.value.code == "STORE_UNAVAILABLE"
                await store.push_many({ANNA: [b"one"]})
                await store.write(ANNA, Writes("r", b"entry", "k", 60_000))
            finally:
                os.kill(server.pid, signal.SIGCONT)

    asyncio.run(scenario())
    server.stop()


def test_a_read_whose_connection_is_lost_is_made_again(tmp_path: Path, keys: Keys) -> None:
    server = EmbeddedValkey(tmp_path)

    async def scenario() -> None:
        async with connect_async(server.start()) as connection:
            store = AnswerStore(connection, keys)
            await store.read(ANNA, "r", "k")
            await asyncio.sleep(GOOD_S)
            with connect(server.url) as other:
                other.execute_command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")
            assert await store.read(ANNA, "r", "k") == Found(None, None, [], None, None)
            assert (connection.connects, store.reads) == (2, 2)

    asyncio.run(scenario())
    server.stop()


@asynccontextmanager
async def doors(where: str | Address, keys: Keys) -> AsyncIterator[AnswerStore]:
    async with connect_async(where) as client:
        yield AnswerStore(client, keys)
