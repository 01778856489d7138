"""Clients of redis-py for consumers and commands: of one server, and of a cluster.

Of a cluster redis-py has one too. It repeats failed commands one by one and out of its caller's sight (a frozen primary
costs a batch a timeout for each command it should have got), and its pipeline takes 2 to 9 times the CPU. A consumer
needs the opposite: every failure at once, and to know when a server may have lost what it confirmed. So here a command
that fails, or that another server should have got, raises, and the caller does its work again.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from threading import Lock
from typing import Any, Self

import hiredis
import redis
from redis.client import Pipeline
from redis.connection import AbstractConnection, Connection
from redis.exceptions import AskError, ClusterDownError, ClusterError, MovedError, RedisError, ResponseError

from streams.slots import Node, Slots, slots_of

KEY_AT = {"EVAL": 3, "EVALSHA": 3}
"""Where the first key of a command is; of all others 1."""
KEYLESS = frozenset({"PING", "INFO", "TIME", "CONFIG", "CLIENT", "CLUSTER", "COMMAND", "ACL", "ROLE", "SCRIPT"})
"""Commands about a server: the first primary gets them."""
Queued = tuple[tuple[Any, ...], dict[str, Any]]
"""A command of a pipeline and its options."""
AS_WORDED: dict[str, Any] = {}
"""The options of a command whose reply redis-py shall not put into other words."""
_PACK: Callable[[tuple[Any, ...]], bytes] = hiredis.pack_command


class Client(redis.Redis):
    """A redis.Redis that counts its connections: whoever remembers the number can tell that one was lost or moved."""

    connects = 0

    def replies(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Every command in one write, then every reply as the server words it: a quarter of a pipeline's CPU.

        Raises the first error among the replies, after all of them were read.
        """
        connection, done = self.connection_pool.get_connection(), False
        try:
            connection.send_packed_command([b"".join([_PACK(command) for command in commands])])
            found = [_reply(connection) for _ in commands]
            done = True
        finally:
            if not done:
                connection.disconnect()
            self.connection_pool.release(connection)
        for reply in found:
            if isinstance(reply, RedisError):
                raise reply
        return found

    def servers(self) -> "tuple[Client, ...]":
        """A client of each server there is."""
        return (self,)


class ClusterClient(Client):
    """A redis.Redis whose commands go to the owner of their first key. Thread-safe.

    `connects` grows with every connection to any server and with every change of an owner. A pipeline asks every
    primary something, so a primary that was lost or lost its role is noticed by the next pipeline, whatever its keys.
    """

    def __init__(self, seeds: Sequence[Node], make: Callable[[Node], Client], namespace: str) -> None:
        """`make`: a client of one server."""
        super().__init__()
        self._seeds = tuple(seeds)
        self._make = make
        self._namespace = namespace
        self._nodes: dict[Node, Client] = {}
        self._slots: Slots | None = None
        self._probes: dict[Node, str] = {}
        self._changes = 0
        self._lock = Lock()

    @property
    def connects(self) -> int:  # type: ignore[override]  # read only here
        """Connections made and owners changed, so far."""
        return self._changes + sum(node.connects for node in list(self._nodes.values()))

    @property
    def slots(self) -> Slots:
        """The table as last read. Raises redis.ClusterError if no server named tells it."""
        return self._slots or self._refresh()

    def node(self, node: Node) -> Client:
        """The client of one server."""
        with self._lock:
            if node not in self._nodes:
                self._nodes[node] = self._make(node)
            return self._nodes[node]

    def servers(self) -> tuple[Client, ...]:
        """Of each primary and each replica; of those named, if none of them tells of the others."""
        try:
            nodes = (*self.slots.primaries, *self.slots.replicas)
        except ClusterError:
            nodes = self._seeds
        return tuple(map(self.node, nodes))

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Raises what the owner raises; redis.ClusterError if it is not the owner any more."""
        return self.run([(args, options)], probing=False)[0]

    def replies(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """From the owner of each command's first key."""
        return self.run([(command, AS_WORDED) for command in commands])

    def pipeline(self, transaction: bool = True, shard_hint: str | None = None) -> "ClusterPipeline":
        """Commands to many servers at once; never a transaction."""
        return ClusterPipeline(self)

    def owner(self, args: Sequence[Any]) -> Node:
        """Who is to get a command. Raises redis.ClusterDownError."""
        name = str(args[0]).upper().split()[0]
        if name in KEYLESS or len(args) == 1:
            return self.slots.primaries[0]
        return self.slots.owner(args[KEY_AT.get(name, 1)])

    def close(self) -> None:
        """Every connection. A later command opens others."""
        for node in list(self._nodes.values()):
            node.close()
        super().close()

    def run(self, commands: Sequence[Queued], *, probing: bool = True) -> list[Any]:
        """Everything to everybody, then every reply: one round trip. Raises the first error, connections' first."""
        replies: dict[int, Any] = {}
        failed: tuple[Node, Exception] | None = None
        with ExitStack() as stack:
            exchanges = [
                stack.enter_context(_Exchange(node, self.node(node), share))
                for node, share in self._shares(commands, probing).items()
            ]
            for step in (_Exchange.send, _Exchange.read):
                for exchange in exchanges:
                    try:
                        step(exchange, replies)
                    except (redis.ConnectionError, redis.TimeoutError) as error:
                        failed = failed or (exchange.node, error)
                if failed is not None:
                    break
        if failed is not None:
            self._look_again(doubted=failed[0])
            raise failed[1]
        return self._settled(commands, replies)

    def _shares(self, commands: Sequence[Queued], probing: bool) -> dict[Node, dict[int, Queued]]:
        """Who gets what, by position; a probe's position is negative."""
        shares: dict[Node, dict[int, Queued]] = {}
        for position, command in enumerate(commands):
            shares.setdefault(self.owner(command[0]), {})[position] = command
        if probing:
            for number, (node, key) in enumerate(self._probes.items(), 1):
                shares.setdefault(node, {-number: (("EXISTS", key), {})})
        return shares

    def _settled(self, commands: Sequence[Queued], replies: dict[int, Any]) -> list[Any]:
        for position, reply in replies.items():
            if isinstance(reply, AskError) and not isinstance(reply, MovedError):
                replies[position] = self._asking(reply, commands[position]) if position >= 0 else None
        for error in (reply for _, reply in sorted(replies.items()) if isinstance(reply, RedisError)):
            if isinstance(error, MovedError):
                self._look_again(first=Node(error.host, error.port) if error.host else None)
                raise ClusterError("a slot has another owner now; the table was read again") from error
            if isinstance(error, ClusterDownError):
                self._look_again()
            raise error
        return [replies[position] for position in range(len(commands))]

    def _asking(self, told: AskError, command: Queued) -> Any:
        """The slot is moving, and this key is at the other end already, for this once."""
        (args, options), client = command, self.node(Node(told.host, told.port))
        pipeline = redis.Redis.pipeline(client, transaction=False)
        pipeline.execute_command("ASKING")
        pipeline.execute_command(*args, **options)
        return pipeline.execute(raise_on_error=False)[1]

    def _look_again(self, *, first: Node | None = None, doubted: Node | None = None) -> None:
        with suppress(redis.RedisError):
            self._refresh(first, doubted)

    def _refresh(self, first: Node | None = None, doubted: Node | None = None) -> Slots:
        """Read the table from the first server that tells it. Raises redis.ClusterError."""
        known = () if self._slots is None else (*self._slots.primaries, *self._slots.replicas)
        asked = dict.fromkeys((*((first,) if first else ()), *known, *self._seeds))
        for node in sorted(asked, key=lambda node: node == doubted):
            try:
                told = self.node(node).execute_command("CLUSTER", "SLOTS")  # type: ignore[no-untyped-call]
                return self._learn(slots_of(told, node))
            except redis.RedisError:
                continue
        raise ClusterError(f"none of {len(asked)} servers tells the cluster's slots")

    def _learn(self, slots: Slots) -> Slots:
        with self._lock:
            if slots != self._slots:
                self._changes += 1
                self._slots, self._probes = slots, slots.probes(self._namespace)
                gone = self._nodes.keys() - {*slots.primaries, *slots.replicas, *self._seeds}
                left = [self._nodes.pop(node) for node in gone]
                self._changes += sum(client.connects for client in left)
                for client in left:
                    client.close()
        return slots


def _packed(args: tuple[Any, ...]) -> bytes:
    """redis-py calls some commands by two words."""
    return _PACK(args) if " " not in args[0] else _PACK((*args[0].split(), *args[1:]))


def _reply(connection: AbstractConnection) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


class _Exchange:
    """One server's share of a pipeline: its connection goes back to the pool clean, or closed."""

    def __init__(self, node: Node, client: Client, share: Mapping[int, Queued]) -> None:
        self.node = node
        self._client = client
        self._share = share
        self._connection: Connection | None = None
        self._read = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._connection is not None:
            if not self._read:
                self._connection.disconnect()
            self._client.connection_pool.release(self._connection)

    def send(self, replies: dict[int, Any]) -> None:
        """Every command, at once."""
        self._connection = connection = self._client.connection_pool.get_connection()
        connection.send_packed_command([b"".join([_packed(args) for args, _ in self._share.values()])])

    def read(self, replies: dict[int, Any]) -> None:
        """Every reply, errors among them: what is left unread would be the next caller's."""
        for position, (args, options) in self._share.items():
            replies[position] = self._reply(args[0], options)
        self._read = True

    def _reply(self, command: str, options: Mapping[str, Any]) -> Any:
        try:
            if options is AS_WORDED and self._connection is not None:
                return self._connection.read_response()
            return self._client.parse_response(self._connection, command, **options)  # type: ignore[no-untyped-call]
        except ResponseError as error:
            return error


class ClusterPipeline(Pipeline):
    """Commands put together as in redis-py, sent to whom they belong."""

    def __init__(self, cluster: ClusterClient) -> None:
        super().__init__(cluster.connection_pool, cluster.response_callbacks, False, None)
        self._cluster = cluster

    def execute(self, raise_on_error: bool = True) -> list[Any]:
        """The replies in the order of the commands; raises the first error among them."""
        stack, self.command_stack = self.command_stack, []
        return self._cluster.run(stack) if stack else []
