"""The axes that vary: a real Valkey and Kafka for the whole session, and a namespace of its own for every test."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from loadtests.kafka_server import KafkaServer, kafka_server
from loadtests.postgres_server import postgres
from streams.embedded_valkey import EmbeddedValkey
from streams.errors import Stop
from streams.valkey import Client, Keys, connect


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server shared by all tests: keep to your namespace."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """A broker shared by all tests: keep to your namespace, and never stop it."""
    try:
        server = kafka_server(tmp_path_factory.mktemp("kafka"))
    except Stop as error:
        pytest.skip(error.message)
    yield server.start()
    server.stop()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL shared by all tests: keep to your namespace."""
    with postgres() as server:
        yield server.url


@pytest.fixture
def namespace() -> str:
    """A namespace nobody else has."""
    return f"t{uuid4().hex[:12]}"


@pytest.fixture
def keys(namespace: str) -> Keys:
    """The keys of this test's namespace."""
    return Keys(namespace)


@pytest.fixture
def client(valkey_url: str) -> Iterator[Client]:
    """A client of the session's server."""
    with connect(valkey_url) as client:
        yield client
