"""TLS and SCRAM: who may come in does, and who may not is told what may be wrong."""

import gc
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace

import pytest
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from loadtests.kafka_apache import CA, secure_server
from loadtests.kafka_server import KafkaServer
from streams.errors import Retry, Stop
from streams.kafka_address import KafkaAddress
from streams.kafka_log import KafkaLog
from streams.kafka_topics import admin_client, create
from tests.kafka_makers import LEFT_OPEN, address_of
from tests.log_makers import EVENTS, MARKET, PATIENCE_S, drain, fill, values

TOPICS = (EVENTS, MARKET)
PASSWORD = "correct horse battery"


@pytest.fixture
def secure(kafka: KafkaServer, namespace: str) -> Iterator[KafkaAddress]:
    """A user of this test's own, and how it comes in."""
    server = secure_server(kafka.folder)
    if not server:
        pytest.skip(f"{kafka.name} has no listener with TLS")
    user = f"{namespace}-user"
    with admin_client(address_of(kafka)) as admin:
        admin.alter_user_scram_credentials(
            [UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, password=PASSWORD)]
        )
    yield KafkaAddress(
        (server,), tls=True, user=user, password=PASSWORD, ca=kafka.folder / CA, replication=1, answer_s=2.0
    )


def test_with_a_certificate_a_user_and_a_password_everything_works(secure: KafkaAddress, namespace: str) -> None:
    create(secure, namespace, TOPICS)
    with closing(KafkaLog(secure, namespace, topics=TOPICS, kept=TOPICS)) as log:
        fill(log)
        records = drain(log.subscribe("g", [EVENTS]), 40)
        assert sorted(values(records)) == sorted(b"%d" % number for number in range(40))
        assert log.append(MARKET, []).result(PATIENCE_S) == []
        assert list(log.read(MARKET, 0, 0, 1)) == []


@pytest.mark.filterwarnings(LEFT_OPEN)
@pytest.mark.parametrize("change", [{"password": "wrong"}, {"ca": None}])
def test_whoever_may_not_come_in_is_told_what_may_be_wrong(
    secure: KafkaAddress, namespace: str, change: dict[str, object]
) -> None:
    wrong = replace(secure, answer_s=1.0, **change)  # type: ignore[arg-type]
    with pytest.raises((Retry, Stop), match="OFFING_KAFKA_PASSWORD") as caught:
        create(wrong, namespace, TOPICS)
    assert PASSWORD not in caught.value.message
    del caught
    gc.collect()
