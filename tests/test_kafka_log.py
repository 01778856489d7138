"""The log on Kafka: the behaviour of any log, on a real broker, and what only Kafka does."""

from collections.abc import Iterator

import pytest

from loadtests.kafka_server import KafkaServer
from tests.kafka_makers import KafkaMaker
from tests.log_behaviour import LogBehaviour
from tests.log_makers import LogMaker


@pytest.fixture
def make_log(kafka: KafkaServer, namespace: str) -> Iterator[LogMaker]:
    maker = KafkaMaker(kafka, namespace)
    yield maker
    for log in maker.opened:
        log.close()


class TestKafkaLog(LogBehaviour):
    """Every behaviour, on Kafka."""

    @pytest.mark.xfail(
        strict=True, reason="Kafka appends partition by partition: what the others took stays, and comes again"
    )
    def test_a_refused_append_leaves_nothing_behind(self, make_log: LogMaker) -> None:
        super().test_a_refused_append_leaves_nothing_behind(make_log)
