"""Topics are made once and looked at ever after; a log never makes them by the way."""

from dataclasses import replace
from time import monotonic

import pytest
from kafka.admin import ConfigResource, ConfigResourceType

from loadtests.kafka_server import KafkaServer
from streams.errors import Stop
from streams.instant import MINUTE_MS
from streams.kafka_log import KafkaLog
from streams.kafka_topics import TopicFinding, admin_client, create, described, examine, incarnation, physical, wanted
from streams.log import CUSTOMERS, LOCATIONS, MARKET, TOPICS, Topic
from tests.kafka_makers import address_of, delete
from tests.log_makers import PATIENCE_S

TWO = (CUSTOMERS, LOCATIONS)


def test_a_namespace_is_the_first_part_of_a_topics_name() -> None:
    assert physical(CUSTOMERS, "offing") == CUSTOMERS.name
    assert physical(CUSTOMERS, "blue-line") == "blue-line.customers"


def test_what_is_kept_for_ever_and_what_is_forgotten_after_15_minutes() -> None:
    kept, forgotten = wanted(MARKET, 3), wanted(LOCATIONS, 1)
    assert (kept["retention.ms"], kept["retention.bytes"], kept["cleanup.policy"]) == ("-1", "-1", "delete")
    assert (kept["min.insync.replicas"], forgotten["min.insync.replicas"]) == ("2", "1")
    assert "segment.ms" not in kept
    assert (forgotten["retention.ms"], forgotten["segment.ms"]) == (str(15 * MINUTE_MS), str(MINUTE_MS))
    assert {wanted(topic, 3)["message.timestamp.type"] for topic in TOPICS} == {"LogAppendTime"}


def test_missing_topics_are_made_once_and_are_good_then(kafka: KafkaServer, namespace: str) -> None:
    address = address_of(kafka)
    before = examine(address, namespace, TWO)
    assert before[0] == TopicFinding(
        f"topic {namespace}.customers", False, "it does not exist", "run `offing migrate`", "TOPICS_MISSING"
    )
    assert sorted(create(address, namespace, TWO)) == [f"{namespace}.customers", f"{namespace}.locations"]
    assert create(address, namespace, TWO) == ()
    assert [(found.good, found.found) for found in examine(address, namespace, TWO)] == [
        (True, "8 partitions, kept for ever"),
        (True, "8 partitions, kept for 15 min"),
    ]


def test_what_was_changed_is_found_with_the_command_that_mends_it(kafka: KafkaServer, namespace: str) -> None:
    address = address_of(kafka)
    create(address, namespace, TWO)
    if "noida" in kafka.name:
        pytest.skip("noida-db keeps no settings of topics")
    with admin_client(address) as admin:
        changed = {"retention.ms": "60000", "min.insync.replicas": "2"}
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, f"{namespace}.customers", changed)])
    deadline = monotonic() + PATIENCE_S
    while (found := examine(address, namespace, (CUSTOMERS,))[0]).good:  # brokers learn of it a moment later
        assert monotonic() < deadline
    assert (found.good, found.found) == (False, "retention.ms is 60000, expected -1"), "more copies are no fault"
    assert found.mend == "kafka-configs --alter --add-config retention.ms=-1"
    fewer = examine(replace(address, replication=3), namespace, (CUSTOMERS,))[0]
    assert "1 copies, expected 3" in fewer.found
    assert fewer.code == "", "it serves all the same"


def test_more_copies_than_brokers_are_refused_with_the_setting_to_change(kafka: KafkaServer, namespace: str) -> None:
    if "noida" in kafka.name:
        pytest.skip("noida-db makes copies without end")
    with pytest.raises(Stop, match="OFFING_KAFKA_REPLICATION is 9") as caught:
        create(replace(address_of(kafka), replication=9), namespace, TWO)
    assert caught.value.code == "KAFKA_REPLICATION"


def test_a_log_whose_topics_are_missing_does_not_open_and_makes_none(kafka: KafkaServer, namespace: str) -> None:
    with pytest.raises(Stop, match=f"no topic {namespace}.customers.*offing migrate") as caught:
        KafkaLog(address_of(kafka), namespace)
    assert caught.value.code == "TOPICS_MISSING"
    with admin_client(address_of(kafka)) as admin:
        assert described(admin, [f"{namespace}.customers"]) == {}


def test_another_count_of_partitions_is_refused(kafka: KafkaServer, namespace: str) -> None:
    address = address_of(kafka)
    create(address, namespace, (replace(CUSTOMERS, partitions=3), MARKET))
    with pytest.raises(Stop, match="has 3 partitions; expected 8") as caught:
        KafkaLog(address, namespace, topics=(CUSTOMERS, MARKET))
    assert caught.value.code == "LOG_PARTITIONS_DIFFER"
    found = examine(address, namespace, (CUSTOMERS,))[0]
    assert (found.good, found.found, found.code) == (False, "3 partitions, expected 8", "LOG_PARTITIONS_DIFFER")
    log = KafkaLog(address, namespace, topics=(MARKET,), kept=(MARKET,))
    with pytest.raises(Stop, match="expected 8"):
        log.subscribe("g", [CUSTOMERS])
    log.close()


def test_a_topic_that_is_made_again_is_another_incarnation(kafka: KafkaServer, namespace: str) -> None:
    if "noida" in kafka.name:
        pytest.skip("noida-db gives topics no ids")
    address, topic = address_of(kafka), Topic("test.events", 4)
    name, found = physical(topic, namespace), []
    for _ in range(2):
        create(address, namespace, (topic,))
        with admin_client(address) as admin:
            found.append(incarnation(described(admin, [name]), [name]))
        delete(address, name)
    assert found[0] != found[1]
