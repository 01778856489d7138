"""A past for a service that has none: some days of the world through its doors, and the model it learns from them."""

import asyncio
import time
from collections.abc import Callable

import httpx
import orjson

from loadtests.service import Failed
from loadtests.world import World
from loadtests.world_clock import rfc3339
from loadtests.world_doors import DoorClosed

CUSTOMERS, DAYS = 300, 12
"""Some 1,200 decisions, in half a minute."""
TOLD = f"a past: {CUSTOMERS} customers of the world, {DAYS} days, and a model from it"
AT_ONCE = 32
LAKE_S, MODEL_S = 60.0, 30.0
LOOK_S = 0.25


def live(url: str, key: str, seed: int, command: Callable[..., str]) -> str:
    """The model's name; it is active then. The service is simulated; `command` runs `offing <arguments>` beside it.

    Raises Failed.
    """
    world = World(seed, CUSTOMERS, end=time.time_ns() // 1_000_000, days=DAYS)

    async def run() -> None:
        limits = httpx.Limits(max_connections=AT_ONCE, max_keepalive_connections=AT_ONCE)
        headers = {"authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(base_url=url, headers=headers, timeout=30.0, limits=limits) as client:
            try:
                report = await world.run(client, lambda _: None)
            except DoorClosed as error:
                raise Failed(f"the service does not take its past: {error}") from error
            await _in_the_lake(client, report.last_decision)

    asyncio.run(run())
    trained = orjson.loads(command("train", "--activate", "always", "--now", rfc3339(world.span.end), "--json"))
    _wait_for_model(url, str(trained["model"]))
    return str(trained["model"])


async def _in_the_lake(client: httpx.AsyncClient, decision_id: str) -> None:
    """Until the last decision, and with it all before it, can be learnt from."""
    ending = time.monotonic() + LAKE_S
    while time.monotonic() < ending:
        if (await client.get(f"/v1/decisions/{decision_id}")).status_code == 200:
            return
        await asyncio.sleep(LOOK_S)
    raise Failed(f"decision {decision_id} has not reached the lake after {LAKE_S:.0f} s")


def _wait_for_model(url: str, model: str) -> None:
    ending = time.monotonic() + MODEL_S
    while time.monotonic() < ending:
        if httpx.get(f"{url}/health/ready", timeout=5.0).json().get("model") == model:
            return
        time.sleep(LOOK_S)
    raise Failed(f"the service does not score with {model} after {MODEL_S:.0f} s")
