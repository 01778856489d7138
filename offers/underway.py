"""Concurrent repeats of one request share one computation."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from streams import telemetry

Made = TypeVar("Made")
SHARED = telemetry.CACHE.labels("shared")


class Underway(Generic[Made]):
    """One event loop owns it."""

    def __init__(self) -> None:
        self._making: dict[Hashable, asyncio.Future[Made]] = {}

    async def once(self, key: Hashable, make: Callable[[], Awaitable[Made]]) -> Made:
        """What `make` makes, or what is being made for the same key just now. Raises what making raises.

        Whoever came first makes it in their own task. If their connection ends, the next one that waits begins anew.
        """
        while (made := self._making.get(key)) is not None:
            SHARED.inc()
            await asyncio.wait((made,))
            if not made.cancelled():
                return made.result()
        made = self._making[key] = asyncio.get_running_loop().create_future()
        try:
            found = await make()
        except Exception as error:
            made.set_exception(error)
            made.exception()  # seen: whoever waits gets it, and nobody may be waiting
            raise
        else:
            made.set_result(found)
            return found
        finally:
            made.cancel()  # if it is not done: the task that was making it was cancelled
            del self._making[key]
