"""Nothing lost, nothing twice, whoever joins, leaves or dies while customers' events are folded from Kafka."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import msgspec
import pytest

from loadtests.kafka_server import KafkaServer
from streams.kafka_log import KafkaLog
from streams.kafka_topics import create
from streams.log import CUSTOMERS, TOPICS
from tests.kafka_makers import address_of, own_broker
from tests.kafka_proof import DIES, JOINS, LEAVES, Crowd, proof
from tests.log_makers import everything
from tests.served import event, eventually, served


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    with own_broker(tmp_path_factory.mktemp("kafka")) as server:
        yield server


def test_consumers_that_join_leave_and_die_make_the_facts_of_a_plain_fold(
    kafka: KafkaServer, namespace: str, valkey_url: str
) -> None:
    if "noida" in kafka.name:
        pytest.skip("noida-db does not replace a member that has died")
    outcome = proof(address_of(kafka), namespace, valkey_url, 3_000, (JOINS, LEAVES, DIES))
    assert outcome.records > 3_600
    assert outcome.found == outcome.expected


@pytest.mark.prove
def test_200_000_events_and_consumers_that_join_leave_and_die(
    broker: KafkaServer, namespace: str, valkey_url: str
) -> None:
    happenings = (JOINS, LEAVES, DIES, JOINS, DIES, JOINS)
    outcome = proof(address_of(broker), namespace, valkey_url, 200_000, happenings)
    assert outcome.records > 240_000
    assert outcome.found == outcome.expected


@pytest.mark.prove
def test_200_000_events_and_a_broker_that_dies_in_the_middle(
    broker: KafkaServer, namespace: str, valkey_url: str
) -> None:
    def broker_dies(crowd: Crowd) -> None:
        broker.kill()
        broker.start()

    happenings = (JOINS, broker_dies, DIES, broker_dies, JOINS, LEAVES)
    outcome = proof(address_of(broker), namespace, valkey_url, 200_000, happenings)
    assert outcome.records > 240_000
    assert outcome.found == outcome.expected


def test_what_was_answered_202_just_before_the_api_was_killed_is_in_the_log(
    kafka: KafkaServer, namespace: str, tmp_path: Path
) -> None:
    address = address_of(kafka)
    create(address, namespace, TOPICS)
    accepted: list[str] = []
    settings = {"LOG": kafka.url, "KAFKA_REPLICATION": "1", "NAMESPACE": namespace}

    def send(sender: int) -> None:
        for turn in range(100_000):
            names = [f"e-{sender}-{turn}-{number}" for number in range(20)]
            batch = [event("customer.preferences", f"c-{name}", WISH, name) for name in names]
            try:
                answer = running.post("/v1/events", batch)
            except httpx.TransportError:
                return  # killed
            if answer.status_code == 202:
                accepted.extend(names)

    with served(tmp_path / "offing", **settings) as running, ThreadPoolExecutor(2) as threads:
        senders = [threads.submit(send, number) for number in range(2)]
        eventually(lambda: len(accepted) > 400, "nothing is accepted")
        running.kill()
        for sender in senders:
            sender.result()
    with closing(KafkaLog(address, namespace)) as log:
        kept = {msgspec.json.decode(record.value)["id"] for record in everything(log, CUSTOMERS)}
    assert len(accepted) > 400
    assert [name for name in accepted if name not in kept] == []


WISH = {"attributes": {"newsletter": True}}
