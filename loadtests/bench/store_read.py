"""The one read of a decision, two ways in one run: through redis-py's pool and pipeline, over the shared connection.

    python -m loadtests.bench.store_read [READS]

Rounds of both alternate, so that what else the machine does meets both. Microseconds of this process's CPU a read,
medians of rounds: the server's own CPU is not in it, nor is the wait.
"""

import asyncio
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random
from statistics import median
from time import perf_counter, process_time

import redis.asyncio
import uvloop

from offers.answer_store import AnswerStore
from streams.embedded_valkey import EmbeddedValkey
from streams.ids import CustomerId
from streams.valkey import DECISION_TIMEOUT_S, Keys, connect, connect_async

KEYS = Keys("bench")
CUSTOMERS = tuple(CustomerId(f"customer-{number:06}") for number in range(5_000))
PROFILE_BYTES, PRESENCE_BYTES, CACHED_BYTES = 530, 120, 3_000
ROUNDS = 7
TASKS = (1, 16)
Read = Callable[[CustomerId], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Cost:
    """Medians, in microseconds a read."""

    tasks: int
    pool_cpu: float
    shared_cpu: float
    pool_wall: float
    shared_wall: float


def main(reads: int = 8_000) -> tuple[Cost, ...]:
    """Measure on a private Valkey and print; `reads` a round."""
    with filled() as url:
        found = uvloop.run(compare(url, reads))
    print(f"{reads} reads a round, {ROUNDS} rounds of each, alternating; uvloop; unix socket; medians in us a read")
    for cost in found:
        print(
            f"{cost.tasks:2} tasks: CPU {cost.pool_cpu:6.1f} pool {cost.shared_cpu:6.1f} shared "
            f"({cost.pool_cpu / cost.shared_cpu:.1f}x);  wall {cost.pool_wall:6.1f} pool {cost.shared_wall:6.1f} shared"
        )
    return found


@contextmanager
def filled() -> Iterator[str]:
    """A Valkey with the bench's customers: profile, presence and a cached decision each."""
    random = Random(1)
    with tempfile.TemporaryDirectory(prefix="offing-", dir="/tmp") as folder:
        server = EmbeddedValkey(Path(folder))
        with connect(server.start()) as client:
            pipeline = client.pipeline(transaction=False)
            for customer in CUSTOMERS:
                pipeline.set(KEYS.profile(customer), random.randbytes(PROFILE_BYTES))
                pipeline.set(KEYS.presence(customer), random.randbytes(PRESENCE_BYTES))
                pipeline.set(KEYS.decision(customer, "key"), random.randbytes(CACHED_BYTES))
            pipeline.execute()
        try:
            yield server.url
        finally:
            server.stop()


async def compare(url: str, reads: int, rounds: int = ROUNDS) -> tuple[Cost, ...]:
    """Both ways at 1 and 16 tasks."""
    pool = redis.asyncio.Redis.from_url(
        url, protocol=2, socket_timeout=DECISION_TIMEOUT_S, socket_connect_timeout=DECISION_TIMEOUT_S
    )
    async with pool, connect_async(url) as shared:
        store = AnswerStore(shared, KEYS)
        await _same(pool, store)
        return tuple([await _compared(pool, store, tasks, (reads, rounds)) for tasks in TASKS])


async def _compared(pool: redis.asyncio.Redis, store: AnswerStore, tasks: int, size: tuple[int, int]) -> Cost:
    reads, rounds = size

    async def through_the_store(customer: CustomerId) -> object:
        return await store.read(customer, "request", "key")

    async def through_the_pool(customer: CustomerId) -> object:
        return await _pipeline(pool, customer)

    costs: dict[Read, list[tuple[float, float]]] = {through_the_pool: [], through_the_store: []}
    for read in costs:
        await _round(read, tasks, reads // 4)
    for _ in range(rounds):
        for read, found in costs.items():
            found.append(await _round(read, tasks, reads))
    (pool_cpu, pool_wall), (shared_cpu, shared_wall) = (
        (median(cpu for cpu, _ in found), median(wall for _, wall in found)) for found in costs.values()
    )
    return Cost(tasks, pool_cpu, shared_cpu, pool_wall, shared_wall)


async def _round(read: Read, tasks: int, reads: int) -> tuple[float, float]:
    async def one(first: int) -> None:
        for number in range(first, reads, tasks):
            await read(CUSTOMERS[number % len(CUSTOMERS)])

    cpu, wall = process_time(), perf_counter()
    await asyncio.gather(*(one(first) for first in range(tasks)))
    return (process_time() - cpu) / reads * 1e6, (perf_counter() - wall) / reads * 1e6


async def _pipeline(pool: redis.asyncio.Redis, customer: CustomerId) -> list[object]:
    """As answer_store read before the connection was shared."""
    pipeline = pool.pipeline(transaction=False)
    pipeline.get(KEYS.profile(customer))
    pipeline.get(KEYS.presence(customer))
    pipeline.lrange(KEYS.pending(customer), 0, -1)
    pipeline.get(KEYS.request(customer, "request"))
    pipeline.get(KEYS.decision(customer, "key"))
    found: list[object] = await pipeline.execute()
    return found


async def _same(pool: redis.asyncio.Redis, store: AnswerStore) -> None:
    """Both ways find the same, or the comparison says nothing. Raises ValueError."""
    found = await store.read(CUSTOMERS[0], "request", "key")
    expected = await _pipeline(pool, CUSTOMERS[0])
    if [found.profile, found.presence, found.pending, found.repeated, found.cached] != expected:
        raise ValueError("the two reads differ")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
