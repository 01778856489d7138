"""The doors' connections to a cluster: calls reach the owner, follow slots that move, and outlive a primary."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
import redis
import uvloop

from loadtests.valkey_servers import ValkeyCluster
from streams.address import Address
from streams.multiplexed_line import Answer
from streams.valkey import Doors, connect, connect_async

Run = Callable[[Awaitable[None]], None]
PATIENCE_S = 20.0
BAR, SLOT = "bar", 5061


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    """Either event loop."""
    chosen: Run = request.param
    return chosen


@pytest.fixture
def own(own_cluster: ValkeyCluster) -> ValkeyCluster:
    return own_cluster


def at(servers: ValkeyCluster) -> Address:
    return Address(servers.url, cluster=True)


def get(client: Doors, key: str, timeout_s: float = 5.0) -> Answer:
    return client.execute(key, (("GET", key),), timeout_s)


async def answering(client: Doors, *keys: str) -> int:
    """Wait until calls for all these keys succeed; how many did not."""
    failed = 0
    async with asyncio.timeout(PATIENCE_S):
        while True:
            found = await asyncio.gather(*(get(client, key, 0.25) for key in keys), return_exceptions=True)
            bad = [each for each in found if isinstance(each, BaseException) or isinstance(each[0], Exception)]
            if not bad:
                return failed
            failed += len(bad)
            await asyncio.sleep(0.01)


def test_every_key_is_asked_of_its_owner_over_one_connection_each(
    valkey_cluster: ValkeyCluster, namespace: str, run: Run
) -> None:
    keys = [f"{{{namespace}:{number}}}" for number in range(100)]

    async def scenario() -> None:
        async with connect_async(at(valkey_cluster)) as client:
            await asyncio.gather(*(client.execute(key, (("SET", key, key),), 5.0) for key in keys))
            found = await asyncio.gather(*(get(client, key) for key in keys))
            assert found == [[key.encode()] for key in keys]
            ids = await asyncio.gather(*(client.execute(key, (("CLIENT", "ID"), ("GET", key)), 5.0) for key in keys))
            assert 1 < len({connection for connection, _ in ids}) <= 3
            assert (client.connects, client.waiting) == (3, 0)
            client.tell(keys[0], (("DEL", keys[0]),))
            await client.drain()
            assert await get(client, keys[0]) == [None]

    run(scenario())


def test_calls_before_the_table_is_known_wait_for_it_and_no_longer_than_they_may(own: ValkeyCluster, run: Run) -> None:
    async def scenario() -> None:
        async with connect_async(at(own)) as client:
            client.tell(BAR, (("GET", BAR),))
            with own.servers[0].frozen():
                with pytest.raises(redis.TimeoutError):
                    await get(client, BAR, 0.02)
            assert await answering(client, BAR) >= 0
        await client.connect(1.0)
        assert await get(client, BAR, 5.0) == [None]
        await client.aclose()

    run(scenario())


def test_without_any_server_calls_fail_at_once(run: Run) -> None:
    async def scenario() -> None:
        async with connect_async(Address("redis://127.0.0.1:1,127.0.0.1:2", cluster=True)) as client:
            for _ in range(3):
                with pytest.raises(redis.ConnectionError, match="no server named tells"):
                    await get(client, BAR)
            client.tell(BAR, (("GET", BAR),))
            await client.connect(1.0)

    run(scenario())


def test_a_slot_that_is_moving_and_has_moved_is_followed(own: ValkeyCluster, run: Run) -> None:
    async def scenario() -> None:
        first, second, _ = own.primaries()
        async with connect_async(at(own)) as client:
            await client.execute(BAR, (("SET", BAR, "stays"),), 5.0)
            with own.moving(SLOT, first, second) as finished:
                client.tell(BAR, (("SET", "{bar}:told", "goes"),))
                mixed = (("GET", BAR), ("SET", "{bar}:new", "goes"), ("GET", "{bar}:new"), ("GET", BAR))
                assert await client.execute(BAR, mixed, 5.0) == [b"stays", b"OK", b"goes", b"stays"]
                await client.drain()
                assert await get(client, "{bar}:told") == [b"goes"]
                split = client.execute(BAR, (("MGET", BAR, "{bar}:new"),), 5.0)
                await asyncio.sleep(0.02)
                assert not split.done(), "its keys are in two places: it is asked again until they are in one"
                first.ask("MIGRATE", "127.0.0.1", second.port, BAR, 0, 5000)
                assert await split == [[b"stays", b"goes"]]
                finished()
                assert await get(client, BAR) == [b"stays"], "MOVED"
                assert await client.execute(BAR, (("DEL", BAR, "{bar}:new", "{bar}:told"),), 5.0) == [3]
            assert await get(client, BAR) == [None]

    run(scenario())


def test_a_wrong_type_is_an_error_in_its_place(valkey_cluster: ValkeyCluster, namespace: str) -> None:
    async def scenario() -> None:
        async with connect_async(at(valkey_cluster)) as client:
            commands = (("SET", namespace, "text"), ("RPUSH", namespace, "x"), ("GET", namespace))
            ok, wrong, text = await client.execute(namespace, commands, 5.0)
            assert (ok, isinstance(wrong, redis.ResponseError), text) == (b"OK", True, b"text")

    asyncio.run(scenario())


def test_a_lost_primary_costs_its_slots_until_its_replica_takes_over(own: ValkeyCluster) -> None:
    async def scenario() -> None:
        lost = own.owner(BAR)
        others = [key for key in ("foo", "hello", "{x}") if own.owner(key) is not lost]
        async with connect_async(at(own)) as client:
            await answering(client, BAR, *others)
            with connect(at(own)) as beside:
                beside.set(BAR, "kept")
                lost.ask("WAIT", 1, 1000)
            lost.kill()
            fine = await asyncio.gather(*(get(client, key, 0.25) for key in others))
            assert fine == [[None]] * len(others), "the others' slots go on"
            assert await answering(client, BAR) > 0
            assert await get(client, BAR) == [b"kept"]
            lost.start()
            await asyncio.to_thread(own.wait_whole)
            assert await answering(client, BAR, *others) == 0
            await client.execute(BAR, (("DEL", BAR),), 5.0)

    asyncio.run(scenario())


def test_closing_fails_who_waits_and_a_later_call_begins_anew(own: ValkeyCluster, run: Run) -> None:
    async def scenario() -> None:
        client = connect_async(at(own))
        await client.connect(1.0)
        with own.owner(BAR).frozen():
            waiting = get(client, BAR)
            await asyncio.sleep(0)
            await client.aclose()
            with pytest.raises(redis.ConnectionError):
                await waiting
        assert await get(client, BAR) == [None]
        await client.aclose()
        await client.aclose()

    run(scenario())
