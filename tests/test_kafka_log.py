"""The log on Kafka: the behaviour of any log, on a real broker, and what only Kafka does."""

from collections.abc import Iterator

import pytest

from loadtests.kafka_server import KafkaServer
from tests.kafka_makers import KafkaMaker
from tests.log_behaviour import LogBehaviour
from tests.log_makers import LogMaker

NOIDA = {
    "test_a_busy_partition_does_not_starve_the_others": "noida-db sends whole partitions, however little was asked for",
    "test_a_killed_member_s_partitions_move_on": "noida-db does not replace a member that has died",
}
"""What the tests' second broker cannot do, which is no log of production."""


@pytest.fixture
def make_log(kafka: KafkaServer, namespace: str, request: pytest.FixtureRequest) -> Iterator[LogMaker]:
    name = request.node.originalname
    if kafka.name.startswith("noida") and name in NOIDA:
        request.applymarker(pytest.mark.xfail(strict=True, reason=NOIDA[name]))
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
