"""Profiles, presence and pending events in Redis: their stored forms, and loading and saving many in one round trip.

A save says which bytes it was made from and is refused if others are stored by then, so a consumer that lost its
partition without knowing it overwrites nothing. One key per command and script, as a cluster wants it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha1

import msgspec
from redis.exceptions import NoScriptError

from streams import reached
from streams.errors import InvalidInput, Stop
from streams.events import Event, parse, to_bytes
from streams.ids import CustomerId, Millis
from streams.instant import MINUTE_MS
from streams.log import CUSTOMERS, Position
from streams.places import Whereabouts
from streams.profile import EMPTY, Opened, Pending, Profile, mark_of_epoch
from streams.profile_form import decode, encode_many, open_many
from streams.reached import Reached
from streams.total_store import TotalWriter
from streams.valkey import ADVANCE, KEEP_NEWEST, REPLACE, Client, Keys, store_errors

PRESENCE_MS = 15 * MINUTE_MS
PENDING_ENTRIES = 100
PENDING_MS = 10 * MINUTE_MS
VERSION = 1


NOBODY = Opened.of(EMPTY)


@dataclass(frozen=True, slots=True)
class Stored:
    """A profile and the SHA-1 in hex of the bytes it came from, '' for none."""

    opened: Opened = NOBODY
    stamp: str = ""

    @property
    def profile(self) -> Profile:
        """All of it."""
        return self.opened.profile()


UNKNOWN = Stored()


@dataclass(frozen=True, slots=True)
class Loaded:
    """One round trip's worth: the profiles asked for, and how far the store came in each partition."""

    profiles: Mapping[CustomerId, Stored]
    reached: Mapping[int, Reached]


class ProfileStore:
    """What the consumers of profiles and locations keep in Redis. Thread-safe. Every method raises Retry

    STORE_UNAVAILABLE, and then what it wrote, if anything, is whole profiles.
    """

    def __init__(self, client: Client, keys: Keys) -> None:
        self._client = client
        self._keys = keys

    @property
    def connects(self) -> int:
        """Grows with every connection made: a caller that sees it grow may have lost writes it thought done."""
        return self._client.connects

    def total_writer(self) -> TotalWriter:
        """What pays the totals that follow from these profiles, into the same store."""
        return TotalWriter(self._client, self._keys)

    def load_many(self, customers: Collection[CustomerId], epoch: str, partitions: Collection[int]) -> Loaded:
        """One round trip; at least one partition. Unknown customers are EMPTY. Raises Stop PROFILE_FORMAT or

        REACHED_FORMAT.
        """
        fields = [_field(epoch, partition) for partition in partitions]
        with store_errors():
            marks, *found = self._client.replies(
                [
                    ("HMGET", self._keys.reached, *fields),
                    *[("GET", self._keys.profile(customer)) for customer in customers],
                ]
            )
        return Loaded(
            _stored(customers, found),
            {
                partition: reached.NOTHING if mark is None else reached.decode(mark)
                for partition, mark in zip(partitions, marks, strict=True)
            },
        )

    def save_many(self, changes: Mapping[CustomerId, tuple[Stored, Opened]]) -> tuple[CustomerId, ...]:
        """Replace each profile by what was made of it, in one round trip; those whose bytes had changed are returned

        and keep what they have. Load them again and fold again.
        """
        if not changes:
            return ()
        stored = encode_many([profile for _, profile in changes.values()])
        done = self._each(
            REPLACE,
            [
                (self._keys.profile(customer), before.stamp, new)
                for (customer, (before, _)), new in zip(changes.items(), stored, strict=True)
            ],
        )
        return tuple(customer for customer, replaced in zip(changes, done, strict=True) if not replaced)

    def advance(self, epoch: str, moves: Mapping[int, tuple[Reached, Reached]]) -> bool:
        """Partition -> (as loaded, new): all or none; False if one is not as loaded any more.

        Call it after the saves: a server that loses writes loses the last ones first, so as long as this one is there
        those before it are. (A cluster's servers lose apart from each other; OVERLAP_MS is for them.)
        """
        arguments: list[str | bytes] = []
        for partition, (before, after) in moves.items():
            known = b"" if before == reached.NOTHING else reached.encode(before)
            arguments += [_field(epoch, partition), known, reached.encode(after)]
        with store_errors():
            return bool(self._client.eval(ADVANCE, 1, self._keys.reached, *arguments))

    def keep_presence(self, seen: Sequence[tuple[CustomerId, Whereabouts, Millis]]) -> None:
        """(customer, whereabouts, ms to live), in one round trip; a newer one that is stored stays."""
        if seen:
            self._each(
                KEEP_NEWEST,
                [
                    (self._keys.presence(customer), presence_bytes(whereabouts), lives_ms)
                    for customer, whereabouts, lives_ms in seen
                ],
            )

    def _each(self, script: str, calls: Sequence[tuple[str | bytes | int, ...]]) -> list[int]:
        """Run a script on one key each, in one round trip: (key, arguments).

        By its hash, and by its text where a server does not know it: once after a start or a failover. Of a cluster
        some servers may know it, and then run it twice: REPLACE refuses the second time, KEEP_NEWEST changes nothing.
        """
        with store_errors():
            try:
                return self._client.replies([("EVALSHA", _hash(script), 1, *call) for call in calls])
            except NoScriptError:
                return self._client.replies([("EVAL", script, 1, *call) for call in calls])


def read_profile(raw: bytes | None) -> Profile:
    """What is stored under Keys.profile; nothing is EMPTY. Raises Stop PROFILE_FORMAT."""
    return EMPTY if raw is None else decode(raw)


def presence_bytes(whereabouts: Whereabouts) -> bytes:
    """The stored form: version, instant, whereabouts. Scripts compare the first 9 bytes."""
    return bytes([VERSION]) + max(0, whereabouts.at).to_bytes(8, "big") + _ENCODE(whereabouts)


def read_presence(raw: bytes | None) -> Whereabouts | None:
    """What is stored under Keys.presence. Raises Stop PRESENCE_FORMAT."""
    if raw is None:
        return None
    if raw[:1] != bytes([VERSION]):
        raise Stop("PRESENCE_FORMAT", f"a stored presence has format {raw[:1]!r}; expected {VERSION}")
    return _DECODE_WHEREABOUTS(raw[9:])


class _PendingLine(msgspec.Struct, frozen=True, array_like=True):
    v: int
    epoch: str
    partition: int
    offset: int
    recorded: Millis
    event: bytes


def pending_line(position: Position, recorded: Millis, event: Event) -> bytes | None:
    """An accepted event for the customer's pending list; None for what does not belong there: a location is raw."""
    if position.topic != CUSTOMERS.name:
        return None
    return _ENCODE(
        _PendingLine(VERSION, position.epoch, position.partition, position.offset, recorded, to_bytes(event))
    )


def read_pending(lines: Sequence[bytes]) -> tuple[Pending, ...]:
    """What is stored under Keys.pending, in the order pushed. What another version wrote there is left out: it lives

    10 minutes, is folded anyway, and no decision may fail over it.
    """
    return tuple(pending for pending in map(_pending, lines) if pending is not None)


def is_behind(pending: Sequence[Pending], profile: Profile) -> bool:
    """Whether events between the profile's watermark and these may have fallen off the list's end."""
    positions = [position for position, _, _ in pending if position is not None]
    if len(positions) < PENDING_ENTRIES:
        return False
    oldest = min(positions, key=lambda position: position.offset)
    _, applied = profile.delivery.watermarks.get(mark_of_epoch(oldest.epoch), (oldest.partition, -1))
    return oldest.offset > applied + 1


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE_WHEREABOUTS = msgspec.msgpack.Decoder(Whereabouts).decode
_DECODE_LINE = msgspec.msgpack.Decoder(_PendingLine).decode


def _pending(raw: bytes) -> Pending | None:
    try:
        line = _DECODE_LINE(raw)
        if line.v != VERSION:
            return None
        event = parse(line.event)
    except (msgspec.DecodeError, InvalidInput):
        return None
    return Position(line.epoch, CUSTOMERS.name, line.partition, line.offset), line.recorded, event


def _stored(customers: Collection[CustomerId], found: Sequence[bytes | None]) -> dict[CustomerId, Stored]:
    stored = dict.fromkeys(customers, UNKNOWN)
    known = [(customer, raw) for customer, raw in zip(customers, found, strict=True) if raw is not None]
    for (customer, raw), opened in zip(known, open_many([raw for _, raw in known]), strict=True):
        stored[customer] = Stored(opened, sha1(raw, usedforsecurity=False).hexdigest())
    return stored


@cache
def _hash(script: str) -> str:
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


def _field(epoch: str, partition: int) -> str:
    return f"{epoch}:{partition}"
