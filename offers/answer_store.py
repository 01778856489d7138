"""What a decision reads from Redis, in one round trip, and what it leaves there behind the answer (idea 7)."""

import asyncio
import logging
import re
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

import redis.asyncio

from streams.errors import OffingError, Retry
from streams.ids import CustomerId
from streams.instant import MINUTE_MS
from streams.profile_store import PENDING_ENTRIES, PENDING_MS, PRESENCE_MS
from streams.valkey import KEEP_NEWEST, Keys, store_errors

logger = logging.getLogger("offing.answer_store")
CODE = re.compile(r"\b[A-Z]{3,}\b")
PUSH_S = 0.25
"""So long events wait for the pending list; they are durable already."""
REQUEST_MS = 10 * MINUTE_MS
"""A repeated request_id within this time gives the same decision."""


@dataclass(frozen=True, slots=True)
class Found:
    """What Redis held; bytes as stored, None for what was not there."""

    profile: bytes | None = None
    presence: bytes | None = None
    pending: tuple[bytes, ...] = ()
    repeated: bytes | None = None
    """What this request_id was answered with."""
    cached: bytes | None = None


NOTHING_FOUND = Found()


class AnswerStore:
    """The doors' side of Redis. One event loop owns it."""

    def __init__(self, client: redis.asyncio.Redis, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._writing: set[asyncio.Task[None]] = set()
        self.reads = 0
        """Round trips made to read; a decision makes one."""

    async def read(self, customer: CustomerId, request_id: str, key: str) -> Found:
        """The one read: one pipeline in the customer's slot. Raises Retry STORE_UNAVAILABLE or STORE_REFUSED."""
        self.reads += 1
        keys = self._keys
        pipeline = self._client.pipeline(transaction=False)
        pipeline.get(keys.profile(customer))
        pipeline.get(keys.presence(customer))
        pipeline.lrange(keys.pending(customer), 0, -1)
        pipeline.get(keys.request(customer, request_id))
        pipeline.get(keys.decision(customer, key))
        with _any_failure():
            profile, presence, pending, repeated, cached = await pipeline.execute()
        return Found(profile, presence, tuple(pending), repeated, cached)

    async def write(self, customer: CustomerId, writes: "Writes") -> None:
        """Start writing and return once the bytes are on their way; a failure costs a cache entry, not an answer."""
        pipeline = self._client.pipeline(transaction=False)
        if writes.request_id is not None:
            pipeline.set(self._keys.request(customer, writes.request_id), writes.entry, px=REQUEST_MS)
        if writes.key is not None:
            pipeline.set(self._keys.decision(customer, writes.key), writes.entry, px=max(1, writes.lives_ms))
        await self._behind(pipeline.execute())

    async def forget(self, customer: CustomerId, presence: bytes) -> None:
        """Put a presence that says no more than `denied` or `off` in the place of what was known; not awaited.

        It keeps the newest: a fix that the consumer still brings is older, and does not come back.
        """
        pipeline = self._client.pipeline(transaction=False)
        pipeline.eval(KEEP_NEWEST, 1, self._keys.presence(customer), presence, PRESENCE_MS)
        await self._behind(pipeline.execute())

    async def read_many(self, customers: Sequence[CustomerId]) -> list[tuple[bytes | None, list[bytes]]]:
        """(profile, pending) of each, in one round trip. Raises Retry."""
        pipeline = self._client.pipeline(transaction=False)
        for customer in customers:
            pipeline.get(self._keys.profile(customer))
            pipeline.lrange(self._keys.pending(customer), 0, -1)
        with _any_failure():
            found = await pipeline.execute()
        return list(zip(found[::2], found[1::2], strict=True))

    async def push_many(self, lines: Mapping[CustomerId, Sequence[bytes]]) -> None:
        """Let the customers' next decisions see events that were accepted but perhaps not folded yet.

        Awaited, so that a decision asked for after the events' answer finds them. Failing is no loss: they are in
        the log, and the consumer brings them.
        """
        pipeline = self._client.pipeline(transaction=False)
        for customer, new in lines.items():
            key = self._keys.pending(customer)
            pipeline.rpush(key, *new)
            pipeline.ltrim(key, -PENDING_ENTRIES, -1)
            pipeline.pexpire(key, PENDING_MS)
        with suppress(TimeoutError):
            await asyncio.wait_for(_forgiving(pipeline.execute()), PUSH_S)

    async def _behind(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.get_running_loop().create_task(_forgiving(work))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)
        await asyncio.sleep(0)  # lets the task send before the answer goes out

    async def drain(self) -> None:
        """Wait for what is being written."""
        if self._writing:
            await asyncio.wait(self._writing, timeout=1.0)


@dataclass(frozen=True, slots=True)
class Writes:
    """What one decision leaves: its entry under its request_id and, if it may be reused, under its key."""

    request_id: str | None
    entry: bytes
    key: str | None
    lives_ms: int


@contextmanager
def _any_failure() -> Iterator[None]:
    """What store_errors() leaves becomes a Retry too: a mistake of an operator's or of ours must not fail a customer.

    Logs the server's code alone (WRONGTYPE, MISCONF, NOAUTH): the rest of its message has the key, and so the customer.
    """
    try:
        with store_errors():
            yield
    except redis.RedisError as error:
        code = CODE.search(str(error).rpartition("caused error: ")[2])
        reason = code[0] if code else type(error).__name__
        logger.error("Redis refuses a command: its configuration or what it holds is wrong", extra={"reason": reason})
        raise Retry("STORE_REFUSED", f"Redis refuses a command ({reason}); see the log", after_s=1.0) from error


async def _forgiving(work: Coroutine[object, object, object]) -> None:
    try:
        with _any_failure():
            await work
    except OffingError:
        return  # counted by the client's next read, which fails too and says degraded
