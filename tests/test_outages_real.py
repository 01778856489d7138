"""Redis, Kafka and PostgreSQL stopped in turn under load, each on its own: what customers saw, and what was kept.

One set of real servers for all of it; `make prove` waits longer in each, until what takes long is seen too.
"""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from time import sleep

import httpx
import pytest

from loadtests.kafka_server import KafkaServer
from loadtests.postgres_server import PostgresServer
from loadtests.real_servers import SERVICE, RealServers, real_servers
from loadtests.valkey_servers import ValkeyServer
from offers import runtime
from offers.lag import MARKET_LAG_S
from streams.ids import CustomerId
from streams.instant import format_instant
from streams.log import CUSTOMERS, DECISIONS
from streams.profile import EMPTY
from streams.profile_store import ProfileStore
from streams.record import decode
from streams.settings import Settings, from_environment
from streams.valkey import Keys, connect
from tests.customers import HERO, Customers
from tests.served import eventually, lives
from tests.service import CAMPAIGNS

AWAY_S = 1.5


@pytest.fixture(scope="module")
def real() -> Iterator[RealServers]:
    """Everything is gone afterwards."""
    with real_servers(CAMPAIGNS=str(CAMPAIGNS), WORKERS="1", DRAIN_S="0") as found:
        yield found
        processes = (found.serve.pid, found.consume.pid)
    assert not any(lives(pid) for pid in processes)
    assert not found.folder.exists()


@contextmanager
def away(server: KafkaServer | ValkeyServer | PostgresServer, *, killed: bool = False) -> Iterator[None]:
    """It does not run in the block, and runs again afterwards."""
    (server.kill if killed else server.stop)()
    try:
        yield
    finally:
        server.start()


def settings(real: RealServers) -> Settings:
    return from_environment(real.environments[SERVICE])


def customers(real: RealServers) -> Customers:
    return Customers(real.url, real.key)


def decided(real: RealServers, key: str, **more: object) -> httpx.Response:
    """One decision, asked for with this key."""
    asked = {"customer_id": "c-1", "placements": HERO, **more}
    headers = {"authorization": f"Bearer {key}"}
    return httpx.post(f"{real.url}/v1/decisions", json=asked, headers=headers, timeout=20.0)


def degraded(real: RealServers) -> list[str]:
    """What a decision does without now."""
    answer = decided(real, real.key)
    assert answer.status_code == 200, answer.text
    found: list[str] = answer.json()["degraded"]
    return found


def everything_is_kept(real: RealServers, found: Customers) -> None:
    """Each event that was answered 202 is in its customer's profile, each decision that was answered in the log."""
    told = settings(real)
    with closing(runtime.event_log(told)) as log, closing(connect(real.valkey.url)) as client:
        store = ProfileStore(client, Keys(told.namespace))
        ids = [CustomerId(customer) for customer in found.accepted]

        def missing() -> list[CustomerId]:
            profiles = store.load_many(ids, log.epoch(), range(CUSTOMERS.partitions)).profiles
            return [customer for customer in ids if profiles[customer].profile == EMPTY]

        eventually(lambda: not missing(), "an accepted event does not count")
        wanted = set(found.decisions)

        def recorded() -> set[str]:
            ends = log.end(DECISIONS)
            return {
                decode(record.value).inputs.decision_id
                for partition, end in ends.items()
                for record in log.read(DECISIONS, partition, 0, end)
            }

        eventually(lambda: wanted <= recorded(), "an answered decision is not in the log")


def nothing_but_answers(real: RealServers, found: Customers) -> None:
    assert found.errors == [], real.serve.said()
    assert len(found.decisions) > 20


def test_redis_away_decisions_are_fallbacks_and_events_are_kept(real: RealServers) -> None:
    load = customers(real)
    with load.busy():
        load.more("decisions")
        load.more("accepted")
        assert not load.degraded
        with away(real.valkey):
            load.more("degraded")
            load.more("accepted")
            sleep(AWAY_S)
            assert httpx.get(f"{real.url}/health/ready").status_code == 200
        eventually(lambda: degraded(real) == [], "decisions stay degraded")
    nothing_but_answers(real, load)
    assert set(load.degraded) == {"profile_unavailable"}
    assert not load.refused, "events need no Redis"
    everything_is_kept(real, load)


@pytest.mark.prove
def test_kafka_away_decisions_go_on_events_are_refused_and_records_wait(real: RealServers) -> None:
    load = customers(real)
    with load.busy():
        load.more("decisions")
        load.more("accepted")
        before = len(load.decisions)
        with away(real.kafka):
            load.more("refused", 2)
            load.more("decisions")
            liked = {"id": "e-1", "type": "customer.preferences", "time": format_instant(runtime.wall_clock())}
            told = decided(real, real.key, events=[{**liked, "data": {"attributes": {"newsletter": True}}}]).json()
            assert [result["status"] for result in told["events"]] == ["retry"]
            assert told["placements"][0]["items"] != []
            assert "events_not_kept" in told["degraded"]
            assert httpx.get(f"{real.url}/health/ready").status_code == 200
        load.more("accepted", 20)
        assert len(load.decisions) > before
    nothing_but_answers(real, load)
    assert set(load.refused) == {"LOG_UNAVAILABLE"}
    assert set(load.degraded) <= {"market_behind"}
    everything_is_kept(real, load)


def test_postgresql_away_everything_goes_on_with_what_is_known(real: RealServers) -> None:
    load = customers(real)
    with load.busy():
        load.more("decisions")
        with away(real.postgres):
            load.more("decisions", 20)
            load.more("accepted", 20)
            sleep(AWAY_S)
            load.more("decisions", 20)
            assert httpx.get(f"{real.url}/health/ready").status_code == 200
            assert decided(real, "ok_unknown").status_code == 401
        with closing(runtime.ledger(settings(real))) as book:
            secret = book.create_key("after", ["decide"], 1)
        eventually(lambda: decided(real, secret).status_code == 200, "a key made afterwards is not known")
    nothing_but_answers(real, load)
    assert not load.degraded
    assert not load.refused
    everything_is_kept(real, load)


@pytest.mark.prove
def test_kafka_away_for_long_the_market_is_said_to_be_behind_and_comes_back(real: RealServers) -> None:
    load = customers(real)
    with load.busy():
        load.more("accepted")
        with away(real.kafka, killed=True):
            eventually(lambda: "market_behind" in degraded(real), "an old market is not said")
            sleep(MARKET_LAG_S)
            load.more("decisions")
        load.more("accepted", 20)
        eventually(lambda: degraded(real) == [], "decisions stay degraded")
    nothing_but_answers(real, load)
    assert set(load.degraded) == {"market_behind"}
    everything_is_kept(real, load)


@pytest.mark.prove
@pytest.mark.parametrize("part", ["valkey", "postgres"])
def test_a_server_that_hangs_is_like_one_that_is_away(real: RealServers, part: str) -> None:
    load = customers(real)
    with load.busy():
        load.more("accepted")
        with getattr(real, part).frozen():
            load.more("decisions", 50)
            load.more("accepted", 20)
            sleep(15)
            load.more("decisions", 50)
        eventually(lambda: degraded(real) == [], "decisions stay degraded")
    nothing_but_answers(real, load)
    assert set(load.degraded) == ({"profile_unavailable"} if part == "valkey" else set())
    everything_is_kept(real, load)


@pytest.mark.prove
def test_a_service_that_starts_while_kafka_is_away_waits_for_it(real: RealServers) -> None:
    with away(real.kafka):
        real.serve.kill()
        real.serve.start()
        eventually(lambda: "waiting for the log" in real.serve.said(), "it does not say what it waits for")
        assert real.serve.alive
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{real.url}/health/ready", timeout=1.0)
    real.wait_ready()
    assert degraded(real) == []


@pytest.mark.prove
def test_every_server_gone_at_once_customers_still_get_answers(real: RealServers) -> None:
    load = customers(real)
    with load.busy():
        load.more("accepted")
        with away(real.kafka), away(real.valkey), away(real.postgres):
            load.more("degraded", 50)
            sleep(10)
            load.more("decisions", 50)
        load.more("accepted", 20)
        eventually(lambda: degraded(real) == [], "decisions stay degraded")
    nothing_but_answers(real, load)
    everything_is_kept(real, load)


def test_the_real_servers_are_told_what_compose_tells(real: RealServers) -> None:
    assert Path(settings(real).artifacts).parent == real.folder
    assert "OFFING_TOKEN_KEYS" in real.environments[SERVICE]
    scraped = [httpx.get(url, timeout=10.0) for url in real.metrics_urls]
    assert [answer.status_code for answer in scraped] == [200, 200]
    assert "offing_decisions_total" in scraped[0].text
    assert 'offing_consumer_up{group="profiles"} 1.0' in scraped[1].text
    assert 'offing_consumer_up{group="profiles"}' not in scraped[0].text, "nothing is counted twice"
