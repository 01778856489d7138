"""The consumers' client of a cluster: who gets what, what is said of lost and moved slots, when `connects` grows."""

from collections.abc import Iterator

import pytest
import redis
from redis.exceptions import ClusterError, ResponseError

from loadtests.valkey_servers import ValkeyCluster
from streams.address import Address
from streams.cluster_client import ClusterClient
from streams.errors import Retry
from streams.valkey import REPLACE, Client, connect, store_errors

FOO, BAR, HELLO = "foo", "bar", "hello"
"""Keys of the third, the first and the first third of the slots: 12182, 5061, 866."""


@pytest.fixture
def own(own_cluster: ValkeyCluster) -> ValkeyCluster:
    return own_cluster


@pytest.fixture
def shared(valkey_cluster: ValkeyCluster, namespace: str) -> Iterator[Client]:
    with connect(Address(valkey_cluster.url, cluster=True, namespace=namespace)) as client:
        yield client


@pytest.fixture
def client(own: ValkeyCluster, namespace: str) -> Iterator[ClusterClient]:
    with connect(Address(own.url, cluster=True, namespace=namespace)) as client:
        assert isinstance(client, ClusterClient)
        yield client


def test_commands_and_pipelines_reach_the_owners_in_order(
    shared: Client, valkey_cluster: ValkeyCluster, namespace: str
) -> None:
    names = [f"{{{namespace}:{number}}}" for number in range(200)]
    pipeline = shared.pipeline(transaction=False)
    for number, name in enumerate(names):
        pipeline.set(name, number)
        pipeline.eval(REPLACE, 1, f"{name}:script", "", b"%d" % number)
    assert pipeline.execute() == [True, 1] * 200
    assert [shared.get(name) for name in names] == [b"%d" % number for number in range(200)]
    assert shared.eval(REPLACE, 1, names[0], "other", b"new") == 0
    holding = [sum(key.startswith(f"{{{namespace}:") for key in server.ask("KEYS", "*"))
               for server in valkey_cluster.primaries()]  # fmt: skip
    assert sum(holding) == 400 and min(holding) > 50
    assert pipeline.execute() == []


def test_nothing_moves_so_nothing_grows(shared: Client, namespace: str) -> None:
    for _ in range(3):
        pipeline = shared.pipeline(transaction=False)
        for number in range(30):
            pipeline.get(f"{{{namespace}:{number}}}")
        assert pipeline.execute() == [None] * 30
        grown = shared.connects
    assert grown == shared.connects == 4, "the table once, and three primaries"


def test_an_error_is_raised_after_every_reply_was_read(shared: Client, namespace: str) -> None:
    shared.set(f"{{{namespace}:1}}", "text")
    for _ in range(2):
        pipeline = shared.pipeline(transaction=False)
        pipeline.rpush(f"{{{namespace}:1}}", "entry")
        for number in range(30):
            pipeline.set(f"{{{namespace}:{number}}}:n", number)
        with pytest.raises(ResponseError, match="WRONGTYPE"):
            pipeline.execute()
    assert [shared.get(f"{{{namespace}:{number}}}:n") for number in range(30)] == [b"%d" % n for n in range(30)]
    assert shared.connects == 4


def test_replies_come_in_order_from_a_cluster_and_from_one_server(
    shared: Client, valkey_url: str, namespace: str
) -> None:
    with connect(valkey_url) as alone:
        for each in (shared, alone):
            names = [f"{{{namespace}:{number}}}:r" for number in range(50)]
            assert each.replies([("SET", name, number) for number, name in enumerate(names)]) == [b"OK"] * 50
            assert each.replies([("GET", name) for name in names]) == [b"%d" % number for number in range(50)]
            assert each.replies([]) == []
            grown = each.connects
            with pytest.raises(ResponseError, match="WRONGTYPE"):
                each.replies([("RPUSH", names[0], "entry"), *[("SET", name, "after") for name in names]])
            assert each.replies([("GET", name) for name in names]) == [b"after"] * 50
            assert each.connects == grown, "every reply was read, so the connection is still good"


def test_keyless_commands_go_to_one_server(shared: Client) -> None:
    assert shared.ping() is True
    assert shared.info("memory")["maxmemory_policy"] == "noeviction"
    assert len(shared.time()) == 2


def test_a_cluster_that_is_not_there_is_retry(namespace: str) -> None:
    with connect(Address("redis://127.0.0.1:1,127.0.0.1:2", cluster=True)) as client:
        with pytest.raises(Retry) as caught, store_errors():
            client.pipeline(transaction=False).get("k").execute()
    assert caught.value.code == "STORE_UNAVAILABLE"


def test_any_server_named_tells_of_all(own: ValkeyCluster) -> None:
    url = f"redis://127.0.0.1:1,127.0.0.1:{own.servers[-1].port}"
    with connect(Address(url, cluster=True)) as client:
        assert client.set(FOO, "x", ex=60) is True


def test_a_slot_that_is_moving_is_followed_and_one_that_has_moved_is_told(
    own: ValkeyCluster, client: ClusterClient
) -> None:
    first, second, _ = own.primaries()
    client.set(BAR, "stays")
    with own.moving(5061, first, second) as finished:
        client.set("{bar}:new", "goes")
        assert (client.get(BAR), client.get("{bar}:new")) == (b"stays", b"goes")
        pipeline = client.pipeline(transaction=False)
        pipeline.get(BAR)
        pipeline.get("{bar}:new")
        pipeline.get("{foo}:never")
        assert pipeline.execute() == [b"stays", b"goes", None]
        assert (first.ask("EXISTS", BAR), client.slots.owner(BAR).port) == (1, first.port)
        first.ask("MIGRATE", "127.0.0.1", second.port, BAR, 0, 5000)
        finished()
        grown = client.connects
        with pytest.raises(ClusterError, match="another owner"):
            client.get(BAR)
        assert client.connects > grown
        assert (client.get(BAR), client.slots.owner(BAR).port) == (b"stays", second.port)
        client.delete(BAR, "{bar}:new")


def test_a_primary_that_is_lost_is_noticed_by_a_pipeline_that_needs_nothing_of_it(
    own: ValkeyCluster, client: ClusterClient
) -> None:
    client.set(FOO, "x", ex=600)
    first, _, third = own.primaries()
    assert own.owner(FOO) is third
    grown = client.connects
    first.kill()
    noticed = 0
    while True:
        try:
            assert ask(client, FOO) == [b"x"]
        except (redis.ConnectionError, ClusterError):
            noticed += 1
        else:
            break
    assert noticed > 0
    assert client.connects > grown
    assert first.port not in {node.port for node in client.slots.primaries}
    assert client.get(BAR) is None
    grown = client.connects
    first.start()
    own.wait_whole()
    assert (ask(client, FOO), client.connects) == ([b"x"], grown)


def test_a_primary_that_gives_its_role_away_is_noticed_too(own: ValkeyCluster, client: ClusterClient) -> None:
    ask(client, FOO)
    grown = client.connects
    demoted = next(server for server in own.primaries() if server is not own.owner(FOO))
    replica = own.replica(demoted)
    replica.ask("CLUSTER", "FAILOVER")
    while replica not in own.primaries():
        pass
    own.wait_whole()
    with pytest.raises(ClusterError, match="another owner"):
        for _ in range(1_000):
            ask(client, FOO)
    ask(client, FOO)
    assert client.connects > grown
    assert demoted.alive


@pytest.mark.prove
def test_a_frozen_primary_costs_one_timeout(own: ValkeyCluster, namespace: str) -> None:
    with connect(Address(own.url, cluster=True, namespace=namespace)) as client:
        ask(client, FOO)
        pipeline = client.pipeline(transaction=False)
        for number in range(300):
            pipeline.get(f"{{{namespace}:{number}}}")
        with own.primaries()[1].frozen(), pytest.raises((redis.TimeoutError, redis.ConnectionError)):
            pipeline.execute()
    own.wait_whole()


def ask(client: Client, key: str) -> list[object]:
    pipeline = client.pipeline(transaction=False)
    pipeline.get(key)
    found: list[object] = pipeline.execute()
    return found
