"""The bench of the one read measures two ways that find the same."""

import asyncio

from loadtests.bench import store_read
from offers.answer_store import AnswerStore
from streams.valkey import connect, connect_async


def test_both_ways_find_what_is_stored_and_cost_something() -> None:
    with store_read.filled() as url:
        found = asyncio.run(store_read.compare(url, reads=64, rounds=1))
        assert [cost.tasks for cost in found] == [1, 16]
        assert all(min(cost.pool_cpu, cost.shared_cpu, cost.pool_wall, cost.shared_wall) > 0 for cost in found)
        asyncio.run(_reads(url))


async def _reads(url: str) -> None:
    customer = store_read.CUSTOMERS[7]
    async with connect_async(url) as shared:
        found = await AnswerStore(shared, store_read.KEYS).read(customer, "request", "key")
    with connect(url) as client:
        assert found.profile == client.get(store_read.KEYS.profile(customer))
    assert (len(found.profile or b""), len(found.presence or b"")) == (530, 120)
    assert (found.pending, found.repeated, len(found.cached or b"")) == ([], None, 3_000)
