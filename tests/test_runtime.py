"""A runtime that has closed has let go of everything."""

from pathlib import Path
from time import monotonic, sleep

import anyio

from streams.valkey import Client
from tests.service import PATIENCE_S, service


def test_no_connection_to_valkey_outlives_the_service(tmp_path: Path, valkey_url: str, client: Client) -> None:
    def named() -> set[tuple[str, str]]:
        return {(each["id"], each["name"]) for each in client.client_list() if each["name"].startswith("offing")}

    async def scenario() -> set[tuple[str, str]]:
        async with service(tmp_path, valkey_url) as running:
            await running.folded()
            return named()

    before = named()
    beside = anyio.run(scenario)
    assert {name for _, name in beside - before} >= {"offing-api", "offing-tail"}
    deadline = monotonic() + PATIENCE_S
    while named() - before and monotonic() < deadline:
        sleep(0.01)  # the server sees an end a moment after it
    assert named() <= before
