"""Where Kafka is, and how to log in: what cannot work is refused before anybody connects."""

from dataclasses import replace
from pathlib import Path

import pytest

from streams.errors import InvalidInput
from streams.kafka_address import KafkaAddress, parse_servers


def test_a_url_names_the_servers_and_whether_tls_is_spoken() -> None:
    assert parse_servers("kafka://one:9092") == KafkaAddress(("one:9092",))
    assert parse_servers("kafka+ssl://10.0.0.1:9093,[::1]:9093/") == KafkaAddress(
        ("10.0.0.1:9093", "[::1]:9093"), tls=True
    )


@pytest.mark.parametrize(
    "url",
    [
        "kafka://",
        "kafka://one",
        "kafka://one:0",
        "kafka://one:65536",
        "kafka://a:1,",
        "kafka://me:pw@one:9092",
        "http://a:1",
    ],
)
def test_what_is_no_such_url_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        parse_servers(url)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"user": "offing"}, "OFFING_KAFKA_PASSWORD is missing"),
        ({"password": "secret"}, "OFFING_KAFKA_USER is missing"),
        ({"user": "offing", "password": "secret", "mechanism": "PLAIN"}, "reads the password"),
        ({"cert": Path("me.pem")}, "OFFING_KAFKA_KEY is missing"),
        ({"key": Path("me.key")}, "OFFING_KAFKA_CERT is missing"),
    ],
)
def test_half_a_login_and_a_password_in_the_clear_are_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidInput, match=says) as caught:
        replace(KafkaAddress(("one:9092",)), **change)  # type: ignore[arg-type]
    assert caught.value.code == "SETTING_INVALID"
    assert "secret" not in caught.value.message


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(KafkaAddress(("one:9092",), user="offing", password="secret"))
