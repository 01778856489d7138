"""Appending to Kafka: what cannot be appended harms nothing that can."""

from collections.abc import Iterator
from random import randbytes

import pytest

from loadtests.kafka_server import KafkaServer
from streams.errors import InvalidInput, OffingError
from streams.kafka_writer import LARGEST, LAST_MS
from streams.log import Entry
from tests.kafka_makers import KafkaMaker
from tests.log_makers import MARKET, PATIENCE_S, values


@pytest.fixture
def maker(kafka: KafkaServer, namespace: str) -> Iterator[KafkaMaker]:
    made = KafkaMaker(kafka, namespace, (MARKET,))
    yield made
    for log in made.opened:
        log.close()


def test_what_no_broker_takes_is_refused_before_anything_of_it_is_sent(maker: KafkaMaker) -> None:
    log = maker()
    with pytest.raises(InvalidInput, match=f"expected at most {LARGEST}") as caught:
        log.append(MARKET, [Entry("m", b"small"), Entry("m", bytes(LARGEST))])
    assert caught.value.code == "ENTRY_TOO_LARGE"
    with pytest.raises(InvalidInput, match="recorded is"):
        log.append(MARKET, [Entry("m", b"", LAST_MS + 1)])
    assert log.end(MARKET) == {0: 0}


def test_recorded_times_of_any_sign_come_back(maker: KafkaMaker) -> None:
    log = maker()
    log.append(MARKET, [Entry("m", b"", at) for at in (-LAST_MS, -1, 0, LAST_MS)]).result(PATIENCE_S)
    assert [record.recorded for record in log.read(MARKET, 0, 0, 10)] == [-LAST_MS, -1, 0, LAST_MS]


def test_an_append_that_the_broker_refuses_does_not_keep_the_next_one_out(maker: KafkaMaker) -> None:
    if "noida" in maker.server.name:
        pytest.skip("noida-db refuses no size")
    log = maker(largest=100_000)
    refused = log.append(MARKET, [Entry("m", randbytes(500_000))])
    with pytest.raises(OffingError, match="MessageSizeTooLarge"):
        refused.result(PATIENCE_S)
    log.append(MARKET, [Entry("m", b"next")]).result(PATIENCE_S)
    assert values(log.read(MARKET, 0, 0, 10)) == [b"next"]
