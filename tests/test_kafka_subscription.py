"""A member of a group on Kafka, where retention, other writers and operators do what SQLite never does."""

from collections.abc import Iterator

import pytest
from kafka import KafkaProducer, TopicPartition
from prometheus_client import REGISTRY

from loadtests.kafka_server import KafkaServer
from streams.errors import LogRestarted
from streams.kafka_client import options
from streams.kafka_topics import admin_client, create, physical
from streams.log import Entry
from tests.kafka_makers import KafkaMaker, address_of, delete
from tests.log_makers import (
    KEYS,
    MARKET,
    PATIENCE_S,
    after,
    drain,
    fill,
    settle_by_assignment,
    values,
)

PAIR = (MARKET.name, 0)


@pytest.fixture
def maker(kafka: KafkaServer, namespace: str) -> Iterator[KafkaMaker]:
    made = KafkaMaker(kafka, namespace, (MARKET,))
    yield made
    for log in made.opened:
        log.close()


def counted(name: str) -> float:
    return REGISTRY.get_sample_value(name, {"group": "g"}) or 0.0


def forget(maker: KafkaMaker, before: int) -> None:
    """What retention does, at once."""
    pair = TopicPartition(physical(MARKET, maker.of("log")), 0)
    with admin_client(address_of(maker.server)) as admin:
        admin.delete_records({pair: before})


def test_what_retention_has_forgotten_is_passed_over(maker: KafkaMaker) -> None:
    log = maker()
    fill(log, topic=MARKET)
    rebalances = counted("offing_rebalances_total")
    member = log.subscribe("g", [MARKET])
    member.commit(after(drain(member, 40)[:10]))
    member.close()
    assert counted("offing_rebalances_total") == rebalances + 1
    late = log.subscribe("g", [MARKET])
    settle_by_assignment(late)
    assert late.positions() == {PAIR: 10}
    forget(maker, 30)
    assert [record.key for record in drain(late, 10)] == KEYS[30:]
    assert [record.key for record in log.read(MARKET, 0, 0, 5)] == KEYS[30:35]
    new = log.subscribe("new", [MARKET])
    settle_by_assignment(new)
    assert new.positions() == {PAIR: 30}


def test_a_topic_that_was_made_again_stops_who_knew_the_last_one(maker: KafkaMaker) -> None:
    log, namespace = maker(), maker.of("log")
    fill(log, topic=MARKET)
    member = log.subscribe("g", [MARKET])
    drain(member, 40)
    delete(address_of(maker.server), physical(MARKET, namespace))
    create(address_of(maker.server), namespace, (MARKET,))
    with pytest.raises(LogRestarted, match="bring the records back, or start every process of Offing again"):
        while True:
            member.poll(10, 0.1)
    with pytest.raises(LogRestarted, match="ends at 0, before 40"):
        log.read(MARKET, 0, 40, 10, 0.1)
    if "noida" in maker.server.name:
        return
    with pytest.raises(LogRestarted, match="deleted and made again"):
        log.subscribe("another", [MARKET])
    assert maker().epoch() != log.epoch()


def test_a_commit_does_not_take_back_what_the_group_had_done(maker: KafkaMaker) -> None:
    log = maker()
    fill(log, topic=MARKET)
    first = log.subscribe("g", [MARKET])
    first.commit(after(drain(first, 40)[:30]))
    first.close()
    second = log.subscribe("g", [MARKET])
    settle_by_assignment(second)
    second.commit({PAIR: 20, ("test.not-mine", 0): 7})
    second.close()
    third = log.subscribe("g", [MARKET])
    settle_by_assignment(third)
    assert third.positions() == {PAIR: 30}


def test_records_of_other_writers_are_records(maker: KafkaMaker) -> None:
    log = maker()
    producer = KafkaProducer(**options(address_of(maker.server), "somebody-else"))
    sent = [
        (None, b"no key", []),
        (b"\xff\xfe", b"no text", []),
        (b"k", None, []),
        (b"k", b"odd", [("recorded", b"yesterday"), ("trace", b"1")]),
    ]
    for key, value, headers in sent:
        producer.send(physical(MARKET, maker.of("log")), key=key, value=value, headers=headers)
    producer.close()
    own = log.append(MARKET, [Entry("k", b"ours")]).result(PATIENCE_S)
    records = drain(log.subscribe("g", [MARKET]), 5)
    assert values(records) == [b"no key", b"no text", b"", b"odd", b"ours"]
    assert [record.key for record in records] == ["", "��", "k", "k", "k"]
    assert records[-1].position == own[0]
    assert max(record.recorded for record in records[:4]) <= records[-1].recorded, "when they were appended"
