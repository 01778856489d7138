"""What an embedded `serve` says of itself."""

import pytest

from offers.embedded import told
from streams.kafka_address import parse_servers
from streams.settings import Settings

KAFKA = parse_servers("kafka://one:9092")


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        (Settings(), "Valkey, log, ledger and consumer"),
        (Settings(log=KAFKA), "Valkey, ledger and consumer"),
        (Settings(ledger_url="postgresql+psycopg://one/offing"), "Valkey, log and consumer"),
        (Settings(log=KAFKA, ledger_url="postgresql+psycopg://one/offing"), "Valkey and consumer"),
    ],
)
def test_only_what_has_no_server_of_its_own_is_called_embedded(settings: Settings, expected: str) -> None:
    assert told(settings) == expected
