"""What a decision reads from Redis, in one round trip, and what it leaves there behind the answer (idea 7)."""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import msgspec
import redis

from streams.errors import Retry
from streams.ids import CustomerId
from streams.instant import MINUTE_MS
from streams.multiplexed import code_of
from streams.multiplexed_line import Command
from streams.profile_store import PENDING_ENTRIES, PENDING_MS, PRESENCE_MS
from streams.valkey import (
    DECISION,
    DECISION_TIMEOUT_S,
    KEEP_NEWEST,
    PENDING,
    PRESENCE,
    PROFILE,
    REQUEST,
    TRANSIENT,
    Doors,
    Keys,
    unavailable,
)

logger = logging.getLogger("offing.answer_store")
PUSH_S = 0.25
"""So long events wait for the pending list; they are durable already."""
REQUEST_MS = 10 * MINUTE_MS
"""A repeated request_id within this time gives the same decision."""


class Found(msgspec.Struct, frozen=True):
    """What Redis held; bytes as stored, None for what was not there."""

    profile: bytes | None = None
    presence: bytes | None = None
    pending: Sequence[bytes] = ()
    repeated: bytes | None = None
    """What this request_id was answered with."""
    cached: bytes | None = None


NOTHING_FOUND = Found()


@dataclass(frozen=True, slots=True)
class Writes:
    """What one decision leaves: its entry under its request_id and, if it may be reused, under its key."""

    request_id: str | None
    entry: bytes
    key: str | None
    lives_ms: int


class AnswerStore:
    """The doors' side of Redis. One event loop owns it."""

    def __init__(self, client: Doors, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self.reads = 0
        """Round trips made to read; a decision makes one."""

    async def read(
        self, customer: CustomerId, request_id: str, key: str, timeout_s: float = DECISION_TIMEOUT_S
    ) -> Found:
        """The one read: everything of the customer's slot. Raises Retry STORE_UNAVAILABLE or STORE_REFUSED."""
        self.reads += 1
        slot = self._keys.slot(customer)
        commands = (
            ("GET", slot + PROFILE),
            ("LRANGE", slot + PENDING, 0, -1),
            ("MGET", slot + PRESENCE, slot + REQUEST + request_id, slot + DECISION + key),
        )
        try:
            profile, pending, others = _values(await self._asked(slot, commands, timeout_s))
        except redis.RedisError as error:
            raise _retry(error) from error
        presence, repeated, cached = cast(list[bytes | None], others)
        return Found(cast(bytes | None, profile), presence, cast(list[bytes], pending), repeated, cached)

    async def write(self, customer: CustomerId, writes: Writes) -> None:
        """Start writing; a failure costs a cache entry, not an answer."""
        slot = self._keys.slot(customer)
        commands: list[Command] = []
        if writes.request_id is not None:
            commands.append(("SET", slot + REQUEST + writes.request_id, writes.entry, "PX", REQUEST_MS))
        if writes.key is not None:
            commands.append(("SET", slot + DECISION + writes.key, writes.entry, "PX", max(1, writes.lives_ms)))
        if commands:
            self._client.tell(slot, commands)

    async def forget(self, customer: CustomerId, presence: bytes) -> None:
        """Put a presence that says no more than `denied` or `off` in the place of what was known; not awaited.

        It keeps the newest: a fix that the consumer still brings is older, and does not come back.
        """
        slot = self._keys.slot(customer)
        self._client.tell(slot, (("EVAL", KEEP_NEWEST, 1, slot + PRESENCE, presence, PRESENCE_MS),))

    async def read_many(self, customers: Sequence[CustomerId]) -> list[tuple[bytes | None, list[bytes]]]:
        """(profile, pending) of each, in one round trip. Raises Retry."""
        slots = [self._keys.slot(customer) for customer in customers]
        asked = [
            self._client.execute(slot, (("GET", slot + PROFILE), ("LRANGE", slot + PENDING, 0, -1)), DECISION_TIMEOUT_S)
            for slot in slots
        ]
        try:
            found = [_values(replies) for replies in await asyncio.gather(*asked)]
        except redis.RedisError as error:
            raise _retry(error) from error
        return [(cast(bytes | None, profile), cast(list[bytes], pending)) for profile, pending in found]

    async def push_many(self, lines: Mapping[CustomerId, Sequence[bytes]]) -> None:
        """Let the customers' next decisions see events that were accepted but perhaps not folded yet.

        Awaited, so that a decision asked for after the events' answer finds them. Failing is no loss: they are in
        the log, and the consumer brings them.
        """
        asked = []
        for customer, new in lines.items():
            slot = self._keys.slot(customer)
            key = slot + PENDING
            commands: tuple[Command, ...] = (
                ("RPUSH", key, *new),
                ("LTRIM", key, -PENDING_ENTRIES, -1),
                ("PEXPIRE", key, PENDING_MS),
            )
            asked.append(self._client.execute(slot, commands, PUSH_S))
        for replies in await asyncio.gather(*asked, return_exceptions=True):
            for reply in (replies,) if isinstance(replies, BaseException) else replies:
                if isinstance(reply, redis.RedisError):
                    _retry(reply)  # logs what an operator must mend; the next read fails too and says degraded

    async def drain(self) -> None:
        """Wait for what is being written."""
        await self._client.drain()

    async def _asked(self, slot: str, commands: Sequence[Command], timeout_s: float) -> list[object]:
        """A read may be repeated: once, if the connection it went out on was lost and there is another at once."""
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        try:
            return await self._client.execute(slot, commands, timeout_s)
        except redis.ConnectionError:
            return await self._client.execute(slot, commands, max(0.0, deadline - clock()))


def _values(replies: list[object]) -> list[object]:
    """The replies. Raises the first error among them."""
    for reply in replies:
        if isinstance(reply, redis.RedisError):
            raise reply
    return replies


def _retry(error: redis.RedisError) -> Retry:
    """What is not transient becomes a Retry too: a mistake of an operator's or of ours must not fail a customer.

    Logs the server's code alone (WRONGTYPE, MISCONF, NOPERM): the rest of its message has the key, and so the customer.
    """
    if isinstance(error, TRANSIENT):
        return unavailable(error)
    reason = code_of(error)
    logger.error("Redis refuses a command: its configuration or what it holds is wrong", extra={"reason": reason})
    return Retry("STORE_REFUSED", f"Redis refuses a command ({reason}); see the log", after_s=1.0)
