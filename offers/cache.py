"""Decisions kept in Redis (idea 7): the key comes from the request alone, validity is checked after the one read."""

from collections.abc import Iterable
from hashlib import blake2b

import msgspec

from offers.catalog import Catalog
from offers.layout_facts import FRIENDS_BOOKED
from offers.proposition import Decision
from offers.reply import Told, told
from scoring.features import Propensity
from streams.attributes import SUBJECT_SCOPES
from streams.ids import Millis, ModelId, RevisionId
from streams.market import Market
from streams.places import Whereabouts
from streams.profile import MaskedProfile
from streams.record import Request

FORMAT = 2
COUNTERS = "counters"
"""The name under which a model says that it reads the response history."""
_ENCODE = msgspec.msgpack.Encoder(order="deterministic").encode
_PLAINLY = msgspec.msgpack.Encoder().encode


class CachedDecision(msgspec.Struct, frozen=True, array_like=True):
    """A decision as it is told, with what it rests on."""

    v: int
    stamp: int
    seen: bytes
    """reading.seen() of what the decision was made from: the same bytes of the customer have the same stamp ..."""
    seen_until: Millis
    """... before this instant."""
    market_epoch: str
    market_version: int
    consulted: tuple[str, ...]
    decided_at: Millis
    valid_until: Millis
    located_at: Millis
    """When the whereabouts it used were true; an older fix may not use it."""
    told: Told


class _Version1(msgspec.Struct, frozen=True, array_like=True):
    v: int
    stamp: int
    revision: RevisionId
    model: ModelId
    market_epoch: str
    market_version: int
    consulted: tuple[str, ...]
    valid_until: Millis
    located_at: Millis
    decision: Decision
    tokens: tuple[tuple[str, ...], ...]

    def now(self) -> CachedDecision:
        """As this version keeps it: a repeat is answered alike while Offing is being replaced."""
        return CachedDecision(
            v=FORMAT,
            stamp=self.stamp,
            seen=b"",
            seen_until=0,
            market_epoch=self.market_epoch,
            market_version=self.market_version,
            consulted=self.consulted,
            decided_at=self.decision.now,
            valid_until=self.valid_until,
            located_at=self.located_at,
            told=told(self.decision, self.tokens),
        )


_DECODE = msgspec.msgpack.Decoder(CachedDecision).decode
_DECODE_1 = msgspec.msgpack.Decoder(_Version1).decode


def encode(entry: CachedDecision) -> bytes:
    """The stored form."""
    return _PLAINLY(entry)


def decode(stored: bytes | None) -> CachedDecision | None:
    """The entry, or None: nothing stored, or by another version of Offing."""
    if stored is None:
        return None
    try:
        if stored[1:2] == b"\x01":
            return _DECODE_1(stored).now()
        entry = _DECODE(stored)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None
    return entry if entry.v == FORMAT else None


def key(request: Request, whereabouts: Whereabouts, caller: str) -> str:
    """128 bits over what was asked: placements, limits, locale, context, trip, where the fix is, who may see it."""
    where = (whereabouts.status, whereabouts.cell, whereabouts.accuracy_m, whereabouts.fences)
    context = sorted((name, fact[0]) for name, fact in request.context.items())
    asked = (request.placements, request.locale, context, request.trip, request.channel, where, caller)
    return blake2b(_ENCODE(asked), digest_size=16).hexdigest()


def stamp(profile: MaskedProfile, presence: Whereabouts, catalog: Catalog, propensity: Propensity) -> int:
    """64 bits over the masked facts, presence and counters that this revision and this model read.

    Computed by the reader, never stored with the profile: the fold knows no catalog.
    """
    reads = catalog.reads | propensity.reads
    facts = sorted((name, fact) for name, fact in profile.facts.items() if name in reads)
    about = catalog.selectors or _of_subjects(reads)
    bookings = [(key, _flat(msgspec.structs.astuple(held))) for key, held in sorted(profile.bookings.items()) if about]
    counted = catalog.counts or not reads.isdisjoint((COUNTERS, FRIENDS_BOOKED))
    counters = (profile.counters, profile.lifetime) if counted else ()
    where = (presence.status, presence.cell, presence.accuracy_m, presence.fences)
    seen = (facts, bookings, _pairs(counters), profile.purposes, profile.channels, where)
    return int.from_bytes(blake2b(_ENCODE(seen), digest_size=8).digest(), "big")


def _of_subjects(reads: Iterable[str]) -> bool:
    return any(name.split(".")[0] in SUBJECT_SCOPES for name in reads)


def _pairs(counters: tuple[object, ...]) -> list[list[tuple[object, ...]]]:
    """Mappings with tuples for keys -> sorted pairs, which MessagePack can carry in one order."""
    return [[_flat(pair) for pair in sorted(mapping.items())] for mapping in counters if isinstance(mapping, dict)]


def _flat(parts: tuple[object, ...]) -> tuple[object, ...]:
    """With mappings of numbers as sorted pairs, since the encoder orders only mappings of texts."""
    return tuple(sorted(part.items()) if isinstance(part, dict) else part for part in parts)


class Expected(msgspec.Struct, frozen=True):
    """What an entry must have been made for."""

    stamp: int
    revision: RevisionId
    model: ModelId
    located_at: Millis


def holds(entry: CachedDecision, expected: Expected, market: Market, now: Millis) -> bool:
    """Whether the entry may be served: made for the same, still in time, and nothing it consulted has moved."""
    told = entry.told
    if (entry.stamp, told.revision, told.model) != (expected.stamp, expected.revision, expected.model):
        return False
    if now >= entry.valid_until or now < entry.decided_at or expected.located_at < entry.located_at:
        return False
    if entry.market_epoch != market.epoch or entry.market_version > market.version:
        return False
    if entry.market_version == market.version:
        return True
    return not any(moved_at(name, market) > entry.market_version for name in (*entry.consulted, "seasons"))


def moved_at(name: str, market: Market) -> int:
    """The offset of the last change of a consulted name; -1: never."""
    if name == "seasons":
        return market.seasons_changed
    kind, _, rest = name.partition(":")
    if kind == "line":
        return market.lines_changed.get(rest, -1)
    if kind == "venue":
        venue = market.venues.get(rest)
        return venue.changed if venue is not None else -1
    sailing = market.sailings.get(name)
    return sailing.changed if sailing is not None else -1
