"""The bytes of a profile: canonical, by which facts are compared, and stored, which are compact and versioned.

Version 1 is the byte 1, then MessagePack of `_Stored`. Texts of counter keys, consent and bookings are interned; so
are stamps (effective time, tie), because one event usually writes several facts. Milliseconds are exact, except for
the recorded times of ids, which are whole minutes.
"""

import struct
from collections.abc import Iterable
from itertools import accumulate

import msgspec

from streams.attributes import Value
from streams.errors import Stop
from streams.ids import Millis
from streams.instant import MINUTE_MS
from streams.profile import BookingFact, Cell, CounterKey, Delivery, Profile, ProfileFacts

VERSION = 1
PRESET = (
    "", "exposed", "clicked", "dismissed", "redeemed", "friend_booked",
    "phone", "tablet", "desktop", "other", "open", "cancelled", "completed",
    "purpose:personalised_offers", "purpose:location", "purpose:social", "channel:app", "channel:push", "channel:email",
)  # fmt: skip
"""Texts every profile knows: part of version 1, so never changed."""


def canonical(facts: ProfileFacts) -> bytes:
    """The bytes by which facts are compared: the same facts give the same bytes, in whatever order they came."""
    bookings = [
        (name, (fact.sailing_id, fact.line, fact.status, sorted(fact.values.items()), fact.at, fact.tie))
        for name, fact in sorted(facts.bookings.items())
    ]
    return _ENCODE(
        (
            [(number, facts.cells[number]) for number in sorted(facts.cells)],
            [(name, facts.consent[name]) for name in sorted(facts.consent)],
            bookings,
            sorted(facts.linked.items()),
            [(key, sorted(facts.counters[key].items())) for key in sorted(facts.counters)],
            sorted(facts.lifetime.items()),
        )
    )


def encode(profile: Profile) -> bytes:
    """The stored form, in the newest version. decode(encode(p)) == p for every folded p."""
    facts, delivery = profile.facts, profile.delivery
    texts, stamps = dict(_PRESET_PLACES), _Places()
    newest = max(map(max, facts.counters.values()), default=0)
    stored = _Stored(
        cells={number: (cell.value, stamps[cell.at, cell.tie]) for number, cell in facts.cells.items()},
        consent=_stored_consent(facts.consent, texts, stamps),
        bookings=[_stored_booking(name, fact, texts, stamps) for name, fact in facts.bookings.items()],
        linked=facts.linked,
        newest=newest,
        counters=_stored_counters(facts.counters, texts, newest),
        lifetime=[
            [*(texts.setdefault(text, len(texts)) for text in key), number] for key, number in facts.lifetime.items()
        ],
        texts=list(texts)[len(PRESET) :],
        stamps=_steps(stamps),
        watermarks=delivery.watermarks,
        ids=struct.pack(f">{len(delivery.ids)}Q", *delivery.ids),
        minutes=_steps_of_minutes(delivery.ids.values()),
    )
    return _VERSION_BYTE + _ENCODE(stored)


def decode(stored: bytes) -> Profile:
    """encode's inverse, for every version there was. Raises Stop PROFILE_FORMAT: going on would overwrite it."""
    if stored[:1] != _VERSION_BYTE:
        found = stored[0] if stored else "no bytes"
        message = f"a stored profile has format {found}; expected {VERSION}: start the version of Offing that wrote it"
        raise Stop("PROFILE_FORMAT", message)
    try:
        return _profile(_DECODE(stored[1:]))
    except (msgspec.DecodeError, struct.error, IndexError, ValueError, StopIteration) as error:
        message = f"a stored profile of format 1 cannot be read ({error}): rebuild the profiles from the log"
        raise Stop("PROFILE_FORMAT", message) from error


class _Stored(msgspec.Struct, frozen=True, array_like=True):
    cells: dict[int, tuple[Value | None, int]]
    """Number -> (value, stamp). A stamp or text is its place in `stamps` or `texts`."""
    consent: list[tuple[int, Value | None, int]]
    """(text, granted, stamp)"""
    bookings: list[tuple[int, int, int, int, dict[int, Value], int]]
    """(id, sailing, line, status as texts; values; stamp)"""
    linked: dict[str, Millis]
    newest: int
    """The newest bucket of all counters."""
    counters: list[list[int]]
    """7 texts, then (buckets before the newest, count) in turn."""
    lifetime: list[list[int]]
    """7 texts, then the total."""
    texts: list[str]
    """Numbered on from PRESET."""
    stamps: list[int]
    """(ms after the stamp before it, tie) in turn."""
    watermarks: dict[str, tuple[int, int]]
    ids: bytes
    """8 bytes each, big-endian."""
    minutes: list[int]
    """Recorded minute of each id, as the difference from the one before it."""


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(_Stored).decode
_VERSION_BYTE = bytes([VERSION])
_PRESET_PLACES = {text: index for index, text in enumerate(PRESET)}


class _Places(dict[tuple[Millis, int], int]):
    """Stamp -> its place, given at the first question."""

    def __missing__(self, stamp: tuple[Millis, int]) -> int:
        self[stamp] = place = len(self)
        return place


def _stored_consent(
    consent: dict[str, Cell], texts: dict[str, int], stamps: _Places
) -> list[tuple[int, Value | None, int]]:
    return [
        (texts.setdefault(name, len(texts)), cell.value, stamps[cell.at, cell.tie]) for name, cell in consent.items()
    ]


def _stored_booking(
    name: str, fact: BookingFact, texts: dict[str, int], stamps: _Places
) -> tuple[int, int, int, int, dict[int, Value], int]:
    return (
        texts.setdefault(name, len(texts)),
        texts.setdefault(fact.sailing_id, len(texts)),
        texts.setdefault(fact.line, len(texts)),
        texts.setdefault(fact.status, len(texts)),
        fact.values,
        stamps[fact.at, fact.tie],
    )


def _stored_counters(counters: dict[CounterKey, dict[int, int]], texts: dict[str, int], newest: int) -> list[list[int]]:
    rows = []
    place = texts.setdefault
    for key, held in counters.items():
        row = [place(text, len(texts)) for text in key]
        for bucket, number in held.items():
            row += (newest - bucket, number)
        rows.append(row)
    return rows


def _steps(stamps: Iterable[tuple[Millis, int]]) -> list[int]:
    steps: list[int] = []
    before = 0
    for at, tie in stamps:
        steps += (at - before, tie)
        before = at
    return steps


def _steps_of_minutes(instants: Iterable[Millis]) -> list[int]:
    steps: list[int] = []
    before = 0
    for at in instants:
        minute = -(-at // MINUTE_MS)
        steps.append(minute - before)
        before = minute
    return steps


def _profile(stored: _Stored) -> Profile:
    texts = (*PRESET, *stored.texts)
    stamps = list(zip(accumulate(stored.stamps[::2]), stored.stamps[1::2], strict=True))
    facts = ProfileFacts(
        {number: Cell(value, *stamps[stamp]) for number, (value, stamp) in stored.cells.items()},
        {texts[name]: Cell(value, *stamps[stamp]) for name, value, stamp in stored.consent},
        {
            texts[name]: BookingFact(texts[sailing], texts[line], texts[status], values, *stamps[stamp])
            for name, sailing, line, status, values, stamp in stored.bookings
        },
        stored.linked,
        _counters(stored.counters, texts, stored.newest),
        _lifetime(stored.lifetime, texts),
    )
    marks = struct.unpack(f">{len(stored.ids) // 8}Q", stored.ids)
    recorded = [minute * MINUTE_MS for minute in accumulate(stored.minutes)]
    return Profile(facts, Delivery(stored.watermarks, dict(zip(marks, recorded, strict=True))))


def _counters(rows: list[list[int]], texts: tuple[str, ...], newest: int) -> dict[CounterKey, dict[int, int]]:
    """Spelt out because it is half of decode: 2 µs for 6 keys, against 7 with a function and slices per key."""
    counters: dict[CounterKey, dict[int, int]] = {}
    for event, offer, campaign, collection, placement, about, device, before, number, *rest in rows:
        held = {newest - before: number}
        if rest:
            more = iter(rest)
            for before in more:
                held[newest - before] = next(more)
        counters[
            texts[event], texts[offer], texts[campaign], texts[collection],
            texts[placement], texts[about], texts[device],
        ] = held  # fmt: skip
    return counters


def _lifetime(rows: list[list[int]], texts: tuple[str, ...]) -> dict[CounterKey, int]:
    return {
        (texts[event], texts[offer], texts[campaign], texts[collection], texts[a], texts[b], texts[c]): total
        for event, offer, campaign, collection, a, b, c, total in rows
    }
