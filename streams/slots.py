"""Which server of a cluster owns which key: the slot table as CLUSTER SLOTS tells it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import redis
from redis.crc import REDIS_CLUSTER_HASH_SLOTS, key_slot


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """A server as clients reach it."""

    host: str
    port: int


class Slots:
    """An immutable table. Two are equal if every slot has the same owner in both."""

    def __init__(self, ranges: Sequence[tuple[int, int, Node]], replicas: Sequence[Node] = ()) -> None:
        """`ranges`: (first slot, last slot, owner)."""
        self._owners: list[Node | None] = [None] * REDIS_CLUSTER_HASH_SLOTS
        for first, last, owner in ranges:
            self._owners[first : last + 1] = [owner] * (last - first + 1)
        self.primaries: tuple[Node, ...] = tuple(sorted({owner for _, _, owner in ranges}))
        self.replicas: tuple[Node, ...] = tuple(sorted(set(replicas)))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Slots) and self._owners == other._owners

    __hash__ = None  # type: ignore[assignment]  # compared, never looked up

    def owner(self, key: str | bytes) -> Node:
        """The primary of a key. Raises redis.ClusterDownError if nobody owns its slot."""
        slot = key_slot(key if isinstance(key, bytes) else key.encode())
        found = self._owners[slot]
        if found is None:
            raise redis.exceptions.ClusterDownError(f"no server of the cluster owns slot {slot}")
        return found

    def probes(self, namespace: str) -> dict[Node, str]:
        """A key of the namespace, never written, for each primary: who asks for it learns whether that is still one.

        >>> sorted(Slots([(0, 8191, Node("a", 1)), (8192, 16383, Node("b", 1))]).probes("offing").values())
        ['{offing:probe:0}', '{offing:probe:1}']
        """
        found: dict[Node, str] = {}
        keys: Iterator[str] = (f"{{{namespace}:probe:{number}}}" for number in count())
        for _, key in zip(range(MOST_PROBES), keys, strict=False):
            owner = self._owners[key_slot(key.encode())]
            if owner is not None:
                found.setdefault(owner, key)
            if len(found) == len(self.primaries):
                break
        return found


MOST_PROBES = 20_000
"""A primary with less than a thousandth of the slots may be found by none of so many keys, and is then not probed."""


def slots_of(reply: Any, asked: Node) -> Slots:
    """The reply to CLUSTER SLOTS. A server that does not know its own address is the one that was asked.

    Raises redis.ClusterError if it is no such reply.
    """
    try:
        rows = [(first, last, [_node(node, asked) for node in nodes]) for first, last, *nodes in reply]
        return Slots(
            [(first, last, nodes[0]) for first, last, nodes in rows], [node for *_, nodes in rows for node in nodes[1:]]
        )
    except (TypeError, ValueError, LookupError) as error:
        raise redis.exceptions.ClusterError("the reply to CLUSTER SLOTS is not one; is this a cluster?") from error


def _node(told: Any, asked: Node) -> Node:
    host, port = told[0], told[1]
    name = host.decode() if isinstance(host, bytes) else host
    return Node(asked.host if name in (None, "", "?") else name, int(port))
