"""A runtime that has closed has let go of everything."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep

import anyio

from streams.embedded_valkey import EmbeddedValkey
from streams.valkey import connect
from tests.service import PATIENCE_S, service


def test_no_connection_to_valkey_outlives_the_service(tmp_path: Path) -> None:
    with TemporaryDirectory(prefix="of-", dir="/tmp") as short:
        server = EmbeddedValkey(Path(short))
        url = server.start()
        try:
            with connect(url, "test-looking") as client:
                beside = anyio.run(_during, tmp_path, url, lambda: {each["name"] for each in client.client_list()})
                deadline = monotonic() + PATIENCE_S
                while len(client.client_list()) > 1 and monotonic() < deadline:
                    sleep(0.01)  # the server sees an end a moment after it
                assert [each["name"] for each in client.client_list()] == ["test-looking"]
        finally:
            server.stop()
    assert beside >= {"offing-api", "offing-tail"}


async def _during(folder: Path, url: str, named: Callable[[], set[str]]) -> set[str]:
    async with service(folder, url) as running:
        await running.folded()
        return named()
