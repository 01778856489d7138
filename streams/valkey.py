"""Redis or Valkey: connecting, key names, scripts. Any single server of either name will do (embedded_valkey is one).

Every key of one customer carries the hash tag `{<namespace>:c:<customer>}`, so that it lies in one slot of a cluster,
and every script touches one key: keys and scripts are fit for a cluster. The clients made here are those of one server,
though, and a cluster answers them MOVED, which redis-py raises as MovedError and nobody follows. The cluster client
comes with the real servers.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import redis
import redis.asyncio
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.connection import AbstractConnection
from redis.exceptions import (
    BusyLoadingError,
    ClusterError,
    MasterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    TryAgainError,
)
from redis.retry import Retry as SyncRetry

from streams.address import PROTOCOL, Address
from streams.cluster_client import Client as Client
from streams.cluster_client import ClusterClient
from streams.errors import Retry
from streams.ids import CustomerId
from streams.multiplexed import Multiplexed, code_of
from streams.multiplexed_cluster import MultiplexedCluster
from streams.slots import Node

Doors = Multiplexed | MultiplexedCluster
"""The doors' client."""

CONSUMER_TIMEOUT_S = 5.0
DECISION_TIMEOUT_S = 0.25
"""A decision does without Redis rather than wait longer."""
CONNECT_TIMEOUT_S = 1.0
"""For each step of making a connection for the doors: no decision waits for it."""
TRANSIENT = (
    redis.ConnectionError, redis.TimeoutError, BusyLoadingError, ReadOnlyError, OutOfMemoryError, MasterDownError,
    ClusterError, TryAgainError,
)  # fmt: skip
"""What the server or the way to it mends by itself or an operator mends; anything else is a mistake in our commands."""

REPLACE = """
local stored = redis.call('GET', KEYS[1])
if (stored and redis.sha1hex(stored) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""
"""Compare and set. KEYS: key. ARGV: SHA-1 in hex of the value expected ('' for none), new value. 1: done."""
ADVANCE = """
for i = 1, #ARGV, 3 do
  if (redis.call('HGET', KEYS[1], ARGV[i]) or '') ~= ARGV[i + 1] then return 0 end
end
for i = 1, #ARGV, 3 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 2]) end
return 1
"""
"""Compare and set several fields of a hash, all or none. ARGV: (field, expected or '', new), repeated. 1: done."""
KEEP_NEWEST = """
local stored = redis.call('GETRANGE', KEYS[1], 0, 8)
if #stored == 9 and stored > string.sub(ARGV[1], 1, 9) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""
"""Set unless what is stored is newer: both start with a version byte and 8 bytes of instant, big-endian."""
KEEP_FURTHEST = """
local held = redis.call('HMGET', KEYS[1], 'epoch', 'version')
if held[1] == ARGV[1] and tonumber(held[2]) > tonumber(ARGV[2]) then return 0 end
redis.call('HSET', KEYS[1], 'v', 1, 'epoch', ARGV[1], 'version', ARGV[2], 'state', ARGV[3])
return 1
"""
"""Set a snapshot unless the stored one of the same epoch is further. ARGV: epoch, version, state."""

PAY_TOTALS = """
local last = redis.call('HGET', KEYS[1], '#last') or ''
if last == ARGV[2] then return last end
if last ~= ARGV[1] then return last end
if last == '' then redis.call('HSET', KEYS[1], '#v', 1, '#born', ARGV[2]) end
local number = redis.call('HINCRBY', KEYS[1], '#n', 1)
redis.call('HSET', KEYS[1], '#last', ARGV[2])
local full = redis.call('HLEN', KEYS[1]) >= tonumber(ARGV[3])
for i = 4, #ARGV, 2 do
  local apart = full and string.find(ARGV[i], '|customer.', 1, true)
  if not apart or redis.call('HEXISTS', KEYS[1], ARGV[i]) == 1 then
    redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
    redis.call('ZADD', KEYS[2], number, ARGV[i])
  end
end
return ARGV[2]
"""
"""Add to a hash of totals once. KEYS: hash, sorted set of when fields changed. ARGV: mark of the payment before (''

for none), mark of this one, fields beyond which no new one of a value is begun, then (field, count),
repeated. Answers with the mark that stands: this one's, if done.
"""

OPERATOR_MENDS = frozenset({"NOREPLICAS", "MISCONF", "NOPERM", "BUSY"})
"""Codes of errors that redis-py has no kind for, and that are no mistake in our commands either."""

PROFILE, PRESENCE, PENDING, REQUEST, DECISION = ":profile", ":presence", ":pending", ":request:", ":decision:"
"""What follows a customer's slot in the names of the keys."""
_CONNECTIONS = {
    "redis": (redis.Connection, redis.asyncio.Connection),
    "rediss": (redis.SSLConnection, redis.asyncio.SSLConnection),
    "unix": (redis.UnixDomainSocketConnection, redis.asyncio.UnixDomainSocketConnection),
}
_ESCAPES = str.maketrans({"%": "%25", "{": "%7B", "}": "%7D"})


@dataclass(frozen=True, slots=True)
class Keys:
    """Every key of a namespace, by what it holds."""

    namespace: str

    def slot(self, customer: CustomerId) -> str:
        """The hash tag of a customer. Braces are escaped: an id must not end the tag and so name another's key.

        >>> Keys("offing").slot(CustomerId("c-1"))
        '{offing:c:c-1}'
        """
        if "%" in customer or "{" in customer or "}" in customer:
            customer = CustomerId(customer.translate(_ESCAPES))
        return f"{{{self.namespace}:c:{customer}}}"

    def profile(self, customer: CustomerId) -> str:
        """profile.encode: facts and delivery."""
        return self.slot(customer) + PROFILE

    def presence(self, customer: CustomerId) -> str:
        """The last Whereabouts; expires."""
        return self.slot(customer) + PRESENCE

    def pending(self, customer: CustomerId) -> str:
        """A list of events accepted but perhaps not folded; expires."""
        return self.slot(customer) + PENDING

    def request(self, customer: CustomerId, request_id: str) -> str:
        """What a request_id was answered with; expires."""
        return self.slot(customer) + REQUEST + request_id

    def decision(self, customer: CustomerId, key: str) -> str:
        """A cached decision; expires."""
        return self.slot(customer) + DECISION + key

    @property
    def market(self) -> str:
        """The market snapshot, a hash."""
        return f"{self.namespace}:market"

    @property
    def reached(self) -> str:
        """How much of offing.customers the profiles hold, a hash by epoch and partition."""
        return f"{self.namespace}:reached"

    def totals(self, partition: int) -> str:
        """What all customers of one partition of offing.customers did together, a hash."""
        return f"{{{self.namespace}:t:{partition}}}:totals"

    def totals_changed(self, partition: int) -> str:
        """The fields of that hash by the number of the payment that changed them last, a sorted set."""
        return f"{{{self.namespace}:t:{partition}}}:changed"


def connect(where: str | Address, name: str = "offing") -> Client:
    """A client for consumers and commands: no retries of its own, since its callers must learn of every failure."""
    address = where if isinstance(where, Address) else Address(where)
    if not address.cluster:
        return _client(address, name, address.arguments())
    arguments = address.arguments()
    return ClusterClient(
        address.seeds,
        lambda node: _client(address, name, arguments | {"host": node.host, "port": node.port}),
        address.namespace,
    )


def _client(address: Address, name: str, arguments: Mapping[str, Any]) -> Client:
    def greet(connection: AbstractConnection) -> None:
        client.connects += 1
        connection.on_connect()

    pool = redis.ConnectionPool(
        connection_class=_CONNECTIONS[address.scheme][0],
        **arguments,
        protocol=PROTOCOL,
        client_name=name,
        socket_timeout=CONSUMER_TIMEOUT_S,
        socket_connect_timeout=CONSUMER_TIMEOUT_S,
        retry=SyncRetry(NoBackoff(), 0),
        redis_connect_func=greet,
    )
    client = cast(Client, Client.from_pool(pool))
    return client


def connect_async(where: str | Address, name: str = "offing-api") -> Doors:
    """A client for the doors: one connection to each server for all tasks of the loop. Close it on that loop."""
    address = where if isinstance(where, Address) else Address(where)
    arguments = address.arguments()

    def make(node: Node | None = None) -> redis.asyncio.connection.AbstractConnection:
        made: redis.asyncio.connection.AbstractConnection = _CONNECTIONS[address.scheme][1](
            **arguments | ({} if node is None else {"host": node.host, "port": node.port}),
            protocol=PROTOCOL,
            client_name=name,
            socket_timeout=CONNECT_TIMEOUT_S,
            socket_connect_timeout=CONNECT_TIMEOUT_S,
            retry=AsyncRetry(NoBackoff(), 0),
        )
        return made

    return MultiplexedCluster(address.seeds, make) if address.cluster else Multiplexed(make)


def unavailable(error: Exception) -> Retry:
    """What a transient error of redis-py is to a caller."""
    message = f"Redis does not answer ({code_of(error)}); nothing is lost, the same call may succeed later"
    return Retry("STORE_UNAVAILABLE", message, after_s=1.0)


@contextmanager
def store_errors() -> Iterator[None]:
    """Around every use of a client: transient errors of redis-py become Retry STORE_UNAVAILABLE."""
    try:
        yield
    except TRANSIENT as error:
        raise unavailable(error) from error
    except redis.ResponseError as error:
        if code_of(error) in OPERATOR_MENDS:
            raise unavailable(error) from error
        raise
