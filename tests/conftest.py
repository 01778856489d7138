"""The axes that vary: a real Valkey for the whole session, and a namespace of its own for every test."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from streams.embedded_valkey import EmbeddedValkey
from streams.valkey import Client, Keys, connect


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server shared by all tests: keep to your namespace."""
    server = EmbeddedValkey(tmp_path_factory.mktemp("valkey"))
    yield server.start()
    server.stop()


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
