"""The axes that vary: a real Valkey and Kafka for the whole session, and a namespace of its own for every test."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings

from loadtests.kafka_apache import QUICK
from loadtests.kafka_server import KafkaServer, kafka_server
from loadtests.postgres_server import postgres
from loadtests.valkey_servers import ValkeyCluster, cluster
from streams.address import Address
from streams.embedded_valkey import EmbeddedValkey
from streams.errors import Stop
from streams.valkey import Client, Keys, connect

settings.register_profile("offing", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("offing")  # nothing is wrong with a test because the machine is slow


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which broker the log on Kafka was tested on."""
    try:
        broker = kafka_server(Path()).name
    except Stop as error:
        broker = f"not tested: {error.message}"
    terminalreporter.write_line(f"Kafka: {broker}")


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
        server = kafka_server(tmp_path_factory.mktemp("kafka"), java=QUICK)
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


@pytest.fixture(scope="session")
def valkey_cluster() -> Iterator[ValkeyCluster]:
    """A cluster shared by all tests: keep to your namespace, and never stop a server of it."""
    with cluster() as servers:
        yield servers


@pytest.fixture(scope="session")
def mistreated_cluster() -> Iterator[ValkeyCluster]:
    """Take `own_cluster`."""
    with cluster() as servers:
        yield servers


@pytest.fixture
def own_cluster(mistreated_cluster: ValkeyCluster) -> Iterator[ValkeyCluster]:
    """A cluster of this test alone for now: its slots may be moved back and forth, its servers killed."""
    yield mistreated_cluster
    mistreated_cluster.start()
    for server in mistreated_cluster.primaries():
        server.ask("FLUSHALL")


@pytest.fixture(params=["one server", "a cluster"])
def store_address(request: pytest.FixtureRequest, namespace: str) -> Address:
    """Either kind of store."""
    if request.param == "one server":
        return Address(request.getfixturevalue("valkey_url"), namespace=namespace)
    return Address(request.getfixturevalue("valkey_cluster").url, cluster=True, namespace=namespace)


@pytest.fixture
def store_client(store_address: Address) -> Iterator[Client]:
    """A client of either kind of store."""
    with connect(store_address) as client:
        yield client
