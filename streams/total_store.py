"""Totals in Redis: one hash for each partition of offing.customers, beside it which of its fields changed when.

A payment is made once. It names the mark of the payment before it and leaves its own: sent again after a lost answer
it finds its own mark and does nothing; where somebody else's stands it is given up, since it may be in already.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from uuid import uuid4

from streams import telemetry
from streams.errors import Stop
from streams.ids import Millis
from streams.instant import DAY_MS
from streams.log import CUSTOMERS
from streams.totals import Totals, expired
from streams.valkey import PAY_TOTALS, Client, Keys, store_errors

VERSION = b"1"
TRIES = 5
MOST_FIELDS = 50_000
"""Of one partition. Beyond it values not met yet are not counted apart: every worker holds all of it in memory."""
SCAN = 1_000
OWN = ("#v", "#born", "#n", "#last")
"""Fields of the hash that are no totals: version, the mark of its first payment, how many there were, the last's."""


@dataclass(slots=True)
class Payment:
    """What one partition's totals are to grow by."""

    mark: str
    counts: Mapping[str, int]
    doubtful: bool = False
    """It was sent, and nobody knows whether it arrived."""


class TotalWriter:
    """A consumer's hand: it owes what it counted until the store has it. One thread owns it."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._owed: dict[int, Counter[str]] = {}
        self._sent: dict[int, Payment] = {}
        self._last: dict[int, str] = {}
        self._pruned: dict[int, int] = {}

    def owe(self, partition: int, fields: Iterable[str]) -> None:
        """Count these with the next payment."""
        self._owed.setdefault(partition, Counter()).update(fields)

    def pay(self) -> None:
        """Bring the store what is owed. Raises Retry STORE_UNAVAILABLE; call it again then."""
        for partition in sorted({*self._sent, *self._owed}):
            doubtful = self._sent.get(partition)
            if doubtful is not None:
                self._pay(partition, doubtful)
            owed = self._owed.pop(partition, None)
            if owed:
                self._pay(partition, Payment(uuid4().hex, owed))

    def prune(self, partition: int, now: Millis) -> None:
        """Once a day, forget the periods that nobody can ask for any more. Raises Retry STORE_UNAVAILABLE."""
        day = now // DAY_MS
        if self._pruned.get(partition) == day:
            return
        key, changed = self._keys.totals(partition), self._keys.totals_changed(partition)
        with store_errors():
            (held,) = self._client.replies([("HKEYS", key)])
            gone = [name for name in held if not name.startswith(b"#") and expired(name.decode(), now)]
            for start in range(0, len(gone), SCAN):
                some = gone[start : start + SCAN]
                self._client.replies([("HDEL", key, *some), ("ZREM", changed, *some)])
        self._pruned[partition] = day

    def _pay(self, partition: int, payment: Payment) -> None:
        key, changed = self._keys.totals(partition), self._keys.totals_changed(partition)
        counts = [part for pair in payment.counts.items() for part in pair]
        self._sent[partition] = payment
        for _ in range(TRIES):
            doubtful, payment.doubtful = payment.doubtful, True
            expected = self._last.get(partition, "")
            with store_errors():
                (found,) = self._client.replies(
                    [("EVAL", PAY_TOTALS, 2, key, changed, expected, payment.mark, MOST_FIELDS, *counts)]
                )
            payment.doubtful = False
            self._last[partition] = found.decode()
            if self._last[partition] == payment.mark or doubtful:
                break
        del self._sent[partition]
        if self._last[partition] != payment.mark:
            telemetry.TOTALS_MISSED.inc(sum(payment.counts.values()))


@dataclass(frozen=True, slots=True)
class _Seen:
    """How far one partition was read."""

    born: bytes | None = None
    number: int = 0


class TotalReader:
    """Reads the totals again and again, each time what changed since. One thread owns it."""

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys
        self._seen: dict[int, _Seen] = {}
        self._held: dict[int, dict[str, int]] = {}
        self._added: dict[str, int] = {}
        """All partitions together."""
        self._totals = Totals()

    def read(self) -> Totals:
        """The totals now; the same object if nothing changed. Raises Retry STORE_UNAVAILABLE, Stop TOTALS_FORMAT."""
        partitions = range(CUSTOMERS.partitions)
        with store_errors():
            heads = self._client.replies([("HMGET", self._keys.totals(each), *OWN) for each in partitions])
            moved = {each: head for each, head in zip(partitions, heads, strict=True) if self._moved(each, head)}
            for partition, head in moved.items():
                self._look(partition, head)
        if moved:
            self._totals = Totals(dict(self._added))
        return self._totals

    def _moved(self, partition: int, head: list[bytes | None]) -> bool:
        seen = self._seen.get(partition, _Seen())
        return (head[1], int(head[2] or 0)) != (seen.born, seen.number)

    def _look(self, partition: int, head: list[bytes | None]) -> None:
        version, born, number, _ = head
        if version not in (None, VERSION):
            message = f"stored totals have format {version!r}; expected {VERSION!r}: start the version that wrote them"
            raise Stop("TOTALS_FORMAT", message)
        key, seen = self._keys.totals(partition), self._seen.get(partition, _Seen())
        held = self._held.setdefault(partition, {})
        if born != seen.born:
            (stored,) = self._client.replies([("HGETALL", key)])
            found = {name.decode(): int(count) for name, count in _pairs(stored) if not name.startswith(b"#")}
            self._change(held, dict.fromkeys(held, 0) | found)
        else:
            since = (self._keys.totals_changed(partition), f"({seen.number}", "+inf")
            (names,) = self._client.replies([("ZRANGEBYSCORE", *since)])
            if names:
                (counts,) = self._client.replies([("HMGET", key, *names)])
                changed = zip(names, counts, strict=True)
                self._change(held, {name.decode(): int(count or 0) for name, count in changed})
        self._seen[partition] = _Seen(born, int(number or 0))

    def _change(self, held: dict[str, int], found: dict[str, int]) -> None:
        """Bring one partition's fields, and the sum of all, to what was found; 0: it is gone."""
        for name, count in found.items():
            added = self._added.get(name, 0) + count - held.get(name, 0)
            for totals, number in ((held, count), (self._added, added)):
                if number:
                    totals[name] = number
                else:
                    totals.pop(name, None)


def _pairs(stored: object) -> Iterable[tuple[bytes, bytes]]:
    """HGETALL's answer, which the protocol's version makes a mapping or a list."""
    if isinstance(stored, dict):
        return stored.items()
    flat = list(stored) if isinstance(stored, list) else []
    return zip(flat[::2], flat[1::2], strict=True)
