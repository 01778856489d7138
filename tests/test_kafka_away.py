"""Kafka goes away and comes back: who waits, who says so, and that nothing acknowledged is gone."""

import gc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from time import monotonic

import anyio
import pytest

from loadtests.kafka_server import KafkaServer
from streams.errors import OffingError, Retry
from streams.kafka_address import KafkaAddress
from streams.kafka_client import DEFAULT_LIMITS, KafkaLimits
from streams.kafka_log import KafkaLog
from streams.kafka_topics import create, examine
from streams.log import TOPICS, Entry
from tests.kafka_makers import SUITE, address_of, own_broker
from tests.log_makers import EVENTS, KEYS, MARKET, PATIENCE_S, after, assert_gapless, drain, everything, fill
from tests.service import LIVORNO, namespace_of, offers_of, service

HASTY = KafkaLimits(delivery_s=5.0)
"""A broker that starts again takes appends after a second or two, on a busy machine later."""


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[KafkaServer]:
    with own_broker(tmp_path / "kafka") as server:
        yield server
    gc.collect()


@pytest.mark.prove
def test_while_the_broker_is_away_everything_says_retry_and_afterwards_nothing_is_gone(broker: KafkaServer) -> None:
    address = replace(address_of(broker), answer_s=1.0)
    create(address, "offing", SUITE)
    with closing(KafkaLog(address, "offing", topics=SUITE, kept=SUITE, limits=HASTY)) as log:
        _goes_and_comes_back(broker, address, log)


def _goes_and_comes_back(broker: KafkaServer, address: KafkaAddress, log: KafkaLog) -> None:
    fill(log)
    member = log.subscribe("g", [EVENTS])
    polled = drain(member, 40)
    broker.kill()

    failures: list[OffingError] = []
    for failing in (
        lambda: log.append(EVENTS, [Entry("c-1", b"lost or not")]).result(PATIENCE_S),
        lambda: log.read(EVENTS, 0, 0, 10),
        lambda: log.end(EVENTS),
        lambda: member.commit(after(polled)),
        lambda: log.subscribe("another", [EVENTS]),
        lambda: KafkaLog(address, "offing", topics=SUITE, kept=SUITE),
        lambda: examine(address, "offing", SUITE),
    ):
        with pytest.raises(Retry) as failure:
            failing()
        failures.append(failure.value)
    assert {(error.code, error.after_s) for error in failures} == {("LOG_UNAVAILABLE", 1.0)}
    waited = monotonic()
    with pytest.raises(Retry):  # said within 10 s, so that a consumer does not take silence for level
        while monotonic() < waited + PATIENCE_S:
            assert list(member.poll(10, 0.5)) == []

    broker.start()
    epoch = log.epoch()
    log.append(EVENTS, [Entry(key, b"after") for key in KEYS]).result(PATIENCE_S)
    records = everything(log)
    assert_gapless(records)
    assert [sum(record.value == value for record in records) for value in (b"after", b"lost or not")] in (
        [40, 0],
        [40, 1],
    )
    assert len(records) in (80, 81)
    with closing(KafkaLog(address, "offing", topics=SUITE, kept=SUITE)) as another:
        assert another.epoch() == epoch
    assert log.end(MARKET) == {0: 0}
    seen = {record.position for record in polled}
    deadline = monotonic() + PATIENCE_S
    while seen != {record.position for record in records}:
        assert monotonic() < deadline
        seen |= {record.position for record in member.poll(100, 0.2)}


@pytest.mark.prove
def test_while_the_broker_is_away_a_decision_does_not_wait_for_the_events_it_brings(
    broker: KafkaServer, tmp_path: Path, valkey_url: str
) -> None:
    async def scenario() -> None:
        address = address_of(broker)
        create(address, namespace_of(tmp_path), TOPICS)
        async with service(tmp_path, valkey_url, consuming=False, log=address, kafka_replication=1) as live:
            await live.gold_passenger()
            broker.kill()
            wish = live.event("customer.preferences", "c-1", {"attributes": {"newsletter": True}})
            with anyio.fail_after(DEFAULT_LIMITS.delivery_s / 2):
                answer = await live.ask(events=[wish], context={"location": LIVORNO})
            assert [result["status"] for result in answer.json()["events"]] == ["retry"]
            assert (offers_of(answer), answer.json()["degraded"]) == (["cabin-upgrade-inside"], ["events_not_kept"])

    anyio.run(scenario)
