"""A cluster's primary dies: decisions go on, and in the end the profiles are those of the log, whatever it took."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic, sleep

import pytest
import redis

from loadtests.valkey_servers import ValkeyCluster, ValkeyServer
from offers.runtime import deployment as served_deployment
from streams.address import Address
from streams.errors import Retry
from streams.events import Event
from streams.ids import CustomerId
from streams.log import EventLog
from streams.profile_consumer import rebuild
from streams.profile_store import ProfileStore
from streams.reached import OVERLAP_MS
from streams.valkey import Keys, connect
from tests.kill_consumer import append_all, behind, facts, history, introductions, make_consumer, wait_until_behind
from tests.load import HERE, load_on
from tests.makers import PATIENCE_S, customers, deployment, open_log
from tests.service import offers_of
from tests.shared_service import Shared, shared_service

UPGRADE = "cabin-upgrade-inside"
AWAY = "profile_unavailable"
GOLD = tuple(CustomerId(f"c-{number}") for number in range(9))
"""On all three primaries, whatever the namespace is."""
FAILOVER_S = 40.0


def eventually(holds: Callable[[], bool]) -> None:
    deadline = monotonic() + FAILOVER_S
    while not holds():
        assert monotonic() < deadline
        sleep(0.02)


def address(servers: ValkeyCluster, namespace: str) -> Address:
    url = ",".join(f"127.0.0.1:{server.port}" for server in servers.servers)
    return Address(f"redis://{url}", cluster=True, namespace=namespace)


def test_decisions_go_on_and_profiles_are_those_of_the_log(tmp_path: Path, own_cluster: ValkeyCluster) -> None:
    where = address(own_cluster, "any")
    with shared_service(tmp_path, where.url, redis_cluster=True) as service:
        for customer in GOLD:
            service.gold(customer)
        service.folded()
        with load_on(service, *GOLD) as load:
            eventually(lambda: len(load.answers) > 50)
            lost = own_cluster.owner(service.keys.profile(GOLD[0]))
            lost.kill()
            eventually(lambda: sum(AWAY in degraded for degraded in load.degraded()) > 20)
            assert service.get("/health/ready").status_code == 200
            eventually(lambda: lost not in own_cluster.primaries())
            turn = count()
            eventually(lambda: all(personal(service, customer, f"again-{next(turn)}") for customer in GOLD))
            since = len(load.answers)
            eventually(lambda: len(load.answers) > since + 50)
            load.end()
            assert [] in load.degraded(since)
            assert (load.refused, load.failed(), len(load.accepted) > 10) == ([], [], True)
            service.folded()
        people = [*GOLD, *map(CustomerId, load.accepted)]
        with connect(where) as client:
            kept = facts(ProfileStore(client, service.keys), people)
            settled = ProfileStore(client, Keys(f"{service.keys.namespace}-again"))
            runtime = service.live.runtime
            rebuild(runtime.log, settled, lambda: served_deployment(runtime.engine()))
            assert kept == facts(settled, people)
            assert len(set(kept.values())) > len(GOLD), "each gold passenger and each wish is a fact of its own"


def personal(service: Shared, customer: CustomerId, turn: str) -> bool:
    answer = service.ask(customer, request_id=turn, context=HERE)
    return offers_of(answer) == [UPGRADE] and answer.json()["degraded"] == []


@dataclass
class Scene:
    """A consumer on a cluster, and what it is fed."""

    servers: ValkeyCluster
    log: EventLog
    store: ProfileStore
    keys: Keys
    people: Sequence[CustomerId]
    events: Sequence[Event]

    def rebuilt(self, url: str) -> dict[CustomerId, bytes]:
        """Everybody's facts as the log tells them, in a store beside."""
        with connect(url) as client:
            store = ProfileStore(client, self.keys)
            rebuild(self.log, store, deployment)
            return facts(store, self.people)

    def level(self) -> bool:
        """Whether the store has everything; a slot that has moved is told to this client too, once."""
        with suppress(Retry):
            return behind(self.log, self.store) == 0
        return False

    def found(self) -> dict[CustomerId, bytes]:
        with suppress(Retry):
            return facts(self.store, self.people)
        return {}


@contextmanager
def consuming(folder: Path, servers: ValkeyCluster, namespace: str, events: int) -> Iterator[Scene]:
    """A consumer that has folded who knows whom; the events are still to be told. Its client is its own: what the test

    looks at must not be what makes it look.
    """
    random, people = Random(events), customers(60)
    where, keys = address(servers, namespace), Keys(namespace)
    with connect(where) as client, connect(where) as other, closing(open_log(folder / "log")) as log:
        store = ProfileStore(client, keys)
        append_all(log, introductions(people, random))
        consumer = make_consumer(log, ProfileStore(other, keys))
        consumer.start()
        try:
            wait_until_behind(log, store, 0)
            yield Scene(servers, log, store, keys, people, history(events, people, random))
        finally:
            consumer.stop(PATIENCE_S)


def holdings(server: ValkeyServer) -> dict[bytes, bytes]:
    """Everything a server holds, as it is stored."""
    with redis.Redis(port=server.port, single_connection_client=True) as client:
        client.execute_command("READONLY")
        return {key: client.dump(key) for key in client.keys()}


def lose_the_last(scene: Scene, lost: ValkeyServer, events: Sequence[Event]) -> None:
    """The events are folded while the primary has no replica; then it dies, and a replica of before takes over."""
    replica = scene.servers.replica(lost)
    replica.kill()
    append_all(scene.log, events)
    eventually(scene.level)
    held = holdings(lost)
    lost.kill()
    replica.start()
    assert holdings(replica) != held, "the replica lacks what the primary had confirmed"
    eventually(lambda: replica in scene.servers.primaries())


@pytest.mark.prove
@pytest.mark.parametrize("which", ["profiles alone", "how far they came too"])
def test_what_a_failover_took_along_is_read_again_without_anybody_coming_by(
    which: str, tmp_path: Path, own_cluster: ValkeyCluster, valkey_url: str, namespace: str
) -> None:
    with consuming(tmp_path, own_cluster, namespace, 600) as scene:
        beside = own_cluster.owner(scene.keys.reached)
        others = [server for server in own_cluster.primaries() if server is not beside]
        lost = others[0] if which == "profiles alone" else beside
        lose_the_last(scene, lost, scene.events)
        expected = scene.rebuilt(valkey_url)
        eventually(lambda: scene.found() == expected)
        assert scene.level()


@pytest.mark.prove
def test_five_failovers_each_with_a_loss_in_two_minutes_of_traffic(
    tmp_path: Path, own_cluster: ValkeyCluster, valkey_url: str, namespace: str
) -> None:
    """Long enough that the overlap moves on: a loss that went unnoticed for a minute would never be mended."""
    with consuming(tmp_path, own_cluster, namespace, 20_000) as scene:
        size = len(scene.events) // 10
        for turn in range(5):
            part = scene.events[2 * turn * size : 2 * (turn + 1) * size]
            trickle(scene, part[:size], OVERLAP_MS / 1000 * 0.8)
            lost = own_cluster.primaries()[turn % 3]
            lose_the_last(scene, lost, part[size:])
            lost.start()
            own_cluster.wait_whole()
        eventually(scene.level)
        expected = scene.rebuilt(valkey_url)
        eventually(lambda: scene.found() == expected)


def trickle(scene: Scene, events: Sequence[Event], seconds: float) -> None:
    """Spread over so long."""
    parts = 50
    for number in range(parts):
        append_all(scene.log, events[number * len(events) // parts : (number + 1) * len(events) // parts])
        sleep(seconds / parts)
