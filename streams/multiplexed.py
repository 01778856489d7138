"""One connection to one server for all tasks of an event loop: what they send in one tick goes out in one write.

redis-py makes the connection (URL, TLS, AUTH, SELECT, client name) and hands over its streams; from there on bytes go
straight into hiredis (multiplexed_line). A pool costs a read the bookkeeping of a connection, a write of its own and
half a dozen awaits; this costs it one future.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Protocol, Self

import redis
from redis.asyncio.connection import AbstractConnection

from streams.multiplexed_line import Answer, Call, Command, Line

logger = logging.getLogger("offing.multiplexed")
LEAST_PAUSE_S, MOST_PAUSE_S = 0.05, 1.0
"""Between two tries to connect; doubled each time."""
GOOD_S = 1.0
"""A connection lost sooner than this after it was made counts as a failed try: the next one waits longer."""
DRAIN_S = 1.0
CODE = re.compile(r"[A-Z]{3,}\b")


class Heed(Protocol):
    """Who looks after several of these."""

    def lost(self) -> None:
        """The connection is lost, or could not be made."""

    def redirected(self, call: Call, replies: list[object]) -> bool:
        """Whether a call with an error among its replies is taken over: then its owner gives or fails it later."""


class Multiplexed:
    """One event loop owns it. Connects at the first call, and again whenever the connection is lost.

    Calls wait for a connection during the first try only, after one was lost or before any was made; from the first
    failed try on they fail at once, until a try succeeds.
    """

    def __init__(self, make: Callable[[], AbstractConnection], heed: Heed | None = None) -> None:
        """`make`: a new connection of redis-py, protocol 2, not connected yet."""
        self._make = make
        self._heed = heed
        self._line: Line | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._lost: asyncio.Future[bool]
        self._since = 0.0
        self._away = False
        self._said: set[str] = set()
        self.connects = 0
        """Connections made so far."""

    @property
    def away(self) -> bool:
        """Whether the last try to connect failed, or the connection was lost and is not back."""
        return self._away

    @property
    def waiting(self) -> int:
        """Calls that have no reply yet."""
        return 0 if self._line is None else self._line.waiting

    def execute(self, key: str, commands: Sequence[Command], timeout_s: float) -> Answer:
        """Await it for a list with a reply to each command, errors among them. All keys are in the slot of `key`.

        Awaiting it raises redis.ConnectionError or redis.TimeoutError: nobody knows what the server did.
        """
        try:
            return self._usable().ask(commands, timeout_s)
        except redis.ConnectionError as error:
            failed: Answer = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

    def tell(self, key: str, commands: Sequence[Command]) -> None:
        """`execute` without waiting for the replies or learning of a failure; an error among them is logged."""
        with suppress(redis.ConnectionError):
            self._usable().tell(commands)

    def begin(self) -> None:
        """Connect without waiting for it."""
        with suppress(redis.ConnectionError):
            self._usable()

    async def connect(self, timeout_s: float) -> None:
        """Wait for the connection, for so long at most. Never raises: what is not there yet may come later."""
        with suppress(redis.RedisError):
            await self.execute("", (("PING",),), timeout_s)

    async def drain(self) -> None:
        """Wait until everything sent so far has its reply, for a second at most."""
        if self.waiting:
            await self.connect(DRAIN_S)

    async def aclose(self) -> None:
        """Close the connection; what has no reply yet fails. A later call opens another."""
        keeper, self._keeper = self._keeper, None
        line, self._line = self._line, None
        if line is not None:
            line.end("it was closed here")
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait((keeper,))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _usable(self) -> Line:
        line = self._line
        if line is None:
            if self._keeper is not None:
                raise redis.ConnectionError("there is no connection; another is being made")
            self._line = line = self._new_line()
            self._keeper = asyncio.get_running_loop().create_task(self._keep(), name="offing-multiplexed")
        return line

    def _new_line(self) -> Line:
        return Line(self._ended, self._refused)

    async def _keep(self) -> None:
        """Connect, wait for the end of the connection, connect again."""
        failures = 0
        while True:
            good = await self._try() and await self._lost
            if not self._kept:
                return
            failures = 0 if good else failures + 1
            if failures:
                await asyncio.sleep(min(MOST_PAUSE_S, LEAST_PAUSE_S * 2 ** min(failures - 1, 9)))

    @property
    def _kept(self) -> bool:
        """Whether this task is to go on: a cancellation may get lost while redis-py connects."""
        task = asyncio.current_task()
        return task is not None and task is self._keeper and not task.cancelling()

    async def _try(self) -> bool:
        """Connect once; whether that succeeded."""
        try:
            reader, writer = await _opened(self._make())
        except (redis.RedisError, OSError) as error:
            if self._kept:
                self._not_made(type(error.__cause__ or error).__name__)  # redis-py wraps some of what it meets
            return False
        if not self._kept:
            writer.close()
            return False
        loop = asyncio.get_running_loop()
        self.connects += 1
        self._since, self._lost = loop.time(), loop.create_future()
        if self._away:
            self._away = False
            logger.warning("Redis is back")
        self._line = line = self._line or self._new_line()
        line.start(reader, writer)
        return True

    def _not_made(self, reason: str) -> None:
        self._say_away(reason)
        line, self._line = self._line, None
        if line is not None:
            line.end(f"no connection could be made ({reason})")

    def _ended(self, line: Line, reason: str) -> None:
        """What is called from now on waits for the next try if that is likely to succeed at once."""
        if line is not self._line:
            return
        self._say_away(reason)
        good = asyncio.get_running_loop().time() - self._since >= GOOD_S and not line.stalled
        self._line = self._new_line() if good else None
        self._lost.set_result(good)

    def _refused(self, call: Call, replies: list[object]) -> None:
        if self._heed is not None and self._heed.redirected(call, replies):
            return
        call.give(replies)
        if call.answer is None:
            for code in sorted({code_of(reply) for reply in replies if isinstance(reply, Exception)} - self._said):
                self._said.add(code)  # every decision writes: one line says it
                logger.error("Redis refuses what is written behind the answers", extra={"reason": code})

    def _say_away(self, reason: str) -> None:
        if not self._away:
            self._away = True
            logger.warning("no connection to Redis: decisions do without what it holds", extra={"reason": reason})
        if self._heed is not None:
            self._heed.lost()


async def _opened(connection: AbstractConnection) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """redis-py connects and greets, then lets go of its streams: whoever has them closes them."""
    try:
        await connection.connect()
    except BaseException:
        await connection.disconnect(nowait=True)
        raise
    reader, writer = connection._reader, connection._writer
    if reader is None or writer is None:
        raise redis.ConnectionError("the server closed the connection at once")
    connection._reader = connection._writer = None
    return reader, writer


def code_of(error: Exception) -> str:
    """What the server calls it (WRONGTYPE, OOM, NOPERM): the rest of its message may have the key in it."""
    found = CODE.match(getattr(error, "status_code", None) or str(error))
    return found[0] if found else type(error).__name__
