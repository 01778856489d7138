"""The shared connections to a cluster: one to each primary, and the table that says whose a key is.

A call goes to the owner of its key and is answered as by one server. Where the table is wrong the reply says so (MOVED,
ASK) and the call is asked again where it points, within its caller's patience. A primary that is lost makes the calls
for its slots fail at once, those of the others go on, and the table is read again until its slots have an owner.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from types import TracebackType
from typing import Self

import redis
from redis.asyncio.connection import AbstractConnection
from redis.exceptions import AskError, ClusterDownError, MovedError, RedisError, TryAgainError

from streams.multiplexed import Multiplexed
from streams.multiplexed_line import Answer, Call, Command
from streams.slots import Node, Slots, slots_of

logger = logging.getLogger("offing.multiplexed")
SLOTS: Sequence[Command] = (("CLUSTER", "SLOTS"),)
ASK_S = 0.25
"""So long one server may take to tell the table."""
LOOK_S = 0.1
"""Between two readings of the table while it is wrong or a primary is away."""
AGAIN_S = 0.005
"""Before a call whose keys are just being moved is asked again."""
MOST_TURNS = 8
"""Of one call from server to server."""
TOLD_S = 1.0
"""So long what nobody waits for may be sent from server to server."""


class MultiplexedCluster:
    """One event loop owns it. Calls wait for the table during the first try to read it; else nothing waits."""

    def __init__(self, seeds: Sequence[Node], make: Callable[[Node], AbstractConnection]) -> None:
        """`make`: a new connection of redis-py to this server, protocol 2, not connected yet."""
        self._seeds = tuple(seeds)
        self._make = make
        self._nodes: dict[Node, Multiplexed] = {}
        self._slots: Slots | None = None
        self._watch: asyncio.Task[None] | None = None
        self._first: asyncio.Future[None]
        self._wrong = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def waiting(self) -> int:
        """Calls that have no reply yet."""
        return sum(node.waiting for node in self._nodes.values()) + len(self._tasks)

    @property
    def connects(self) -> int:
        """Connections made so far to the servers that are primaries now."""
        return sum(node.connects for node in self._nodes.values())

    def execute(self, key: str, commands: Sequence[Command], timeout_s: float) -> Answer:
        """Await it for a list with a reply to each command, errors among them. All keys are in the slot of `key`.

        Awaiting it raises redis.ConnectionError, redis.TimeoutError or redis.ClusterDownError: nobody knows what the
        servers did.
        """
        if self._slots is None:
            return asyncio.ensure_future(self._early(key, commands, timeout_s))
        try:
            return self._node(self._slots.owner(key)).execute(key, commands, timeout_s)
        except ClusterDownError as error:
            failed: Answer = asyncio.get_running_loop().create_future()
            failed.set_exception(error)
            return failed

    def tell(self, key: str, commands: Sequence[Command]) -> None:
        """`execute` without waiting for the replies or learning of a failure; an error among them is logged."""
        if self._slots is None:
            self._begin()
            return
        with suppress(ClusterDownError):
            self._node(self._slots.owner(key)).tell(key, commands)

    async def connect(self, timeout_s: float) -> None:
        """Wait for the table and the connections, for so long at most. Never raises."""
        with suppress(RedisError, TimeoutError):
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._begin())
                await asyncio.gather(*(node.connect(timeout_s) for node in self._nodes.values()))

    async def drain(self) -> None:
        """Wait until everything sent so far has its reply, for a second at most."""
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=TOLD_S)
        await asyncio.gather(*(node.drain() for node in self._nodes.values()))

    async def aclose(self) -> None:
        """Close every connection; what has no reply yet fails. A later call begins anew."""
        ending = [*self._tasks, *((self._watch,) if self._watch else ())]
        self._watch, self._slots = None, None
        for task in ending:
            task.cancel()
        await asyncio.gather(*ending, return_exceptions=True)
        nodes, self._nodes = self._nodes, {}
        for node in nodes.values():
            await node.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _early(self, key: str, commands: Sequence[Command], timeout_s: float) -> list[object]:
        clock = asyncio.get_running_loop().time
        deadline = clock() + timeout_s
        try:
            await asyncio.wait_for(asyncio.shield(self._begin()), timeout_s)
        except TimeoutError as error:
            raise redis.TimeoutError("the cluster did not tell its slots in time") from error
        return await self.execute(key, commands, max(0.0, deadline - clock()))

    def _begin(self) -> "asyncio.Future[None]":
        """Done once the table was read for the first time; failed if the first try was in vain."""
        if self._watch is None:
            loop = asyncio.get_running_loop()
            self._first = loop.create_future()
            self._wrong.set()
            self._watch = loop.create_task(self._look(), name="offing-slots")
        return self._first

    def _node(self, node: Node) -> Multiplexed:
        found = self._nodes.get(node)
        if found is None:
            found = self._nodes[node] = Multiplexed(partial(self._make, node), _Watched(self, node))
        return found

    async def _look(self) -> None:
        """Read the table when it is wrong, and again until it is not and every primary is there."""
        while True:
            await self._wrong.wait()
            self._wrong.clear()
            found = await self._read()
            if found is not None:
                await self._learn(found)
            if not self._first.done():
                self._found_first(found)
            if found is None or any(self._node(node).away for node in found.primaries):
                self._wrong.set()
            await asyncio.sleep(LOOK_S)

    def _found_first(self, found: Slots | None) -> None:
        if found is not None:
            self._first.set_result(None)
            return
        self._first.set_exception(redis.ConnectionError("no server named tells the cluster's slots"))
        self._first.exception()  # seen, if nobody waits for it

    async def _read(self) -> Slots | None:
        """What most primaries tell; of the replicas and those named, if none tells anything.

        One that was cut off from the others would go on telling what it last knew.
        """
        known = self._slots
        for nodes in ((), self._seeds) if known is None else (known.primaries, {*known.replicas, *self._seeds}):
            told = await asyncio.gather(*map(self._told, nodes))
            tables = [table for table in told if table is not None and table.primaries]
            if tables:
                return max(tables, key=tables.count)
        return None

    async def _told(self, node: Node) -> Slots | None:
        try:
            (reply,) = await self._node(node).execute("", SLOTS, ASK_S)
            if isinstance(reply, RedisError):
                raise reply
            return slots_of(reply, node)
        except RedisError as error:
            logger.info("a server does not tell the cluster's slots", extra={"reason": type(error).__name__})
            return None

    async def _learn(self, slots: Slots) -> None:
        self._slots = slots
        for node in slots.primaries:
            self._node(node).begin()
        for node in self._nodes.keys() - set(slots.primaries):
            await self._nodes.pop(node).aclose()

    def wrong(self) -> None:
        """The table may be; it is read again."""
        self._wrong.set()

    def turn(self, asked: Node, call: Call, replies: list[object]) -> None:
        """Ask again, where the replies point to."""
        task = asyncio.get_running_loop().create_task(self._turn(asked, call, replies))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _turn(self, asked: Node, call: Call, replies: list[object]) -> None:
        clock = asyncio.get_running_loop().time
        deadline = min(call.deadline, call.sent + TOLD_S) if call.answer is None else call.deadline
        try:
            for _ in range(MOST_TURNS):
                places = [place for place, reply in enumerate(replies) if isinstance(reply, TURNED)]
                if not places:
                    break
                asked, prefix = await _direction(asked, replies[places[0]])
                again = Turned(part for place in places for part in (*prefix, call.commands[place]))
                found = await self._node(asked).execute("", again, max(0.0, deadline - clock()))
                for place, reply in zip(places, found[len(prefix) :: len(prefix) + 1], strict=True):
                    replies[place] = reply
        except RedisError as error:
            call.fail(error)
        else:
            call.give(replies)


TURNED = (AskError, TryAgainError)


class Turned(tuple[Command, ...]):
    """Commands that go where a reply pointed to: their own replies come back as they are."""


class _Watched:
    """What one server's connection tells its cluster."""

    def __init__(self, cluster: MultiplexedCluster, node: Node) -> None:
        self._cluster = cluster
        self._node = node

    def lost(self) -> None:
        self._cluster.wrong()

    def redirected(self, call: Call, replies: list[object]) -> bool:
        if any(isinstance(reply, (MovedError, ClusterDownError)) for reply in replies):
            self._cluster.wrong()
        if isinstance(call.commands, Turned) or not any(isinstance(reply, TURNED) for reply in replies):
            return False
        if call.answer is None or not call.answer.done():
            self._cluster.turn(self._node, call, replies)
        return True


async def _direction(asked: Node, told: object) -> tuple[Node, tuple[Command, ...]]:
    """Which server to ask now, and what to say before each command."""
    if not isinstance(told, AskError):
        await asyncio.sleep(AGAIN_S)
        return asked, ()
    node = Node(told.host or asked.host, told.port)
    return node, () if isinstance(told, MovedError) else (("ASKING",),)
