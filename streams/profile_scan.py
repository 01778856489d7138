"""Every profile of a namespace, read without being felt: SCAN, some at a time, with a pause after each.

Nothing is written. Profiles that come or go meanwhile may be met or not; none is met twice.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast
from urllib.parse import unquote

from streams.cluster_client import ClusterClient
from streams.ids import CustomerId
from streams.valkey import PENDING, PRESENCE, PROFILE, Client, Keys, store_errors

BATCH = 200
"""Profiles asked for in one round trip."""
LOOK_AT = 1_000
"""Keys a server looks at for one SCAN: some 100 µs of its time."""
PAUSE_S = 0.005
"""Between two round trips at least; and never less than the last one took, so half a server at most is ours."""
_SPECIAL = str.maketrans({mark: f"\\{mark}" for mark in "\\*?[]"})


@dataclass(frozen=True, slots=True)
class Held:
    """What is stored of one customer; None for what is not there."""

    customer: CustomerId
    profile: bytes | None
    presence: bytes | None
    pending: tuple[bytes, ...] = ()


def one(client: Client, keys: Keys, customer: CustomerId) -> Held:
    """Of one customer, with what is pending. Raises Retry STORE_UNAVAILABLE."""
    slot = keys.slot(customer)
    commands = [("GET", slot + PROFILE), ("GET", slot + PRESENCE), ("LRANGE", slot + PENDING, 0, -1)]
    with store_errors():
        profile, presence, pending = client.replies(commands)
    return Held(customer, profile, presence, tuple(pending))


def scan(client: Client, keys: Keys, pause_s: float = PAUSE_S) -> Iterator[list[Held]]:
    """Of every customer who has a profile, at most BATCH at a time. Of a cluster, each primary in turn.

    Raises Retry STORE_UNAVAILABLE, and then the rest is missing.
    """
    seen: set[int] = set()
    begin, end = f"{{{keys.namespace}:c:", f"}}{PROFILE}"
    for server in _servers(client):
        waiting: list[bytes] = []
        for found in _names(server, f"{begin.translate(_SPECIAL)}*{end}"):
            fresh = [name for name in found if hash(name) not in seen]
            seen.update(map(hash, fresh))
            waiting += fresh
            while len(waiting) >= BATCH:
                yield _read(server, waiting[:BATCH], (len(begin), len(end)), pause_s)
                del waiting[:BATCH]
        if waiting:
            yield _read(server, waiting, (len(begin), len(end)), pause_s)


def _servers(client: Client) -> tuple[Client, ...]:
    if isinstance(client, ClusterClient):
        with store_errors():
            return tuple(map(client.node, client.slots.primaries))
    return (client,)


def _names(server: Client, pattern: str) -> Iterator[list[bytes]]:
    cursor = 0
    while True:
        with store_errors():
            cursor, found = cast(Any, server.scan(cursor, match=pattern, count=LOOK_AT))
        yield list(dict.fromkeys(found))
        if not cursor:
            return


def _read(server: Client, names: list[bytes], around: tuple[int, int], pause_s: float) -> list[Held]:
    begin, end = around
    ids = [name.decode()[begin:-end] for name in names]
    begun = time.monotonic()
    commands = [("GET", name) for name in names]
    commands += [("GET", name[: -len(PROFILE)] + PRESENCE.encode()) for name in names]
    with store_errors():
        found = server.replies(commands)
    time.sleep(max(pause_s, time.monotonic() - begun))
    profiles, presences = found[: len(names)], found[len(names) :]
    held = zip(ids, profiles, presences, strict=True)
    return [Held(CustomerId(unquote(name)), profile, presence) for name, profile, presence in held]
