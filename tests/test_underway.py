"""Concurrent repeats share one computation, whatever becomes of the connection that came first."""

import asyncio

import pytest

from offers.underway import Underway


def test_concurrent_repeats_share_what_is_made_and_later_ones_do_not() -> None:
    made: list[int] = []

    async def scenario() -> list[int]:
        underway: Underway[int] = Underway()
        gate = asyncio.Event()

        async def make() -> int:
            await gate.wait()
            made.append(len(made))
            return made[-1]

        asked = [asyncio.create_task(underway.once("key", make)) for _ in range(5)]
        await asyncio.sleep(0)
        gate.set()
        found = [await task for task in asked]
        return [*found, await underway.once("key", make), await underway.once("other", make)]

    assert asyncio.run(scenario()) == [0, 0, 0, 0, 0, 1, 2]


def test_a_connection_that_ends_does_not_take_the_others_with_it() -> None:
    async def scenario() -> tuple[str, int]:
        underway: Underway[str] = Underway()
        begun = 0

        async def make() -> str:
            nonlocal begun
            begun += 1
            await asyncio.sleep(0 if begun > 1 else 3600)
            return f"made by number {begun}"

        first, second = (asyncio.create_task(underway.once("key", make)) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        found = await asyncio.wait_for(second, 5)
        assert first.cancelled()
        return found, begun

    assert asyncio.run(scenario()) == ("made by number 2", 2)


def test_everyone_who_waits_learns_of_a_failure_and_the_next_one_tries_again() -> None:
    async def scenario() -> None:
        underway: Underway[str] = Underway()
        failing = True

        async def make() -> str:
            await asyncio.sleep(0)
            if failing:
                raise LookupError("no such revision")
            return "made"

        asked = [asyncio.create_task(underway.once("key", make)) for _ in range(3)]
        for task in asked:
            with pytest.raises(LookupError, match="no such revision"):
                await task
        failing = False
        assert await underway.once("key", make) == "made"

    asyncio.run(scenario())
