"""Version 1 of a stored profile, which Offing wrote up to 0.1: read for ever, written no more.

The byte 1, then MessagePack of `_Stored`, in which texts and stamps (effective time, tie) are places in two lists.
"""

import struct
from itertools import accumulate

import msgspec

from streams.attributes import Value
from streams.ids import Millis
from streams.profile import BookingFact, Cell, CounterKey, Delivery, Profile, ProfileFacts, mark_of_epoch

PRESET = (
    "", "exposed", "clicked", "dismissed", "redeemed", "friend_booked",
    "phone", "tablet", "desktop", "other", "open", "cancelled", "completed",
    "purpose:personalised_offers", "purpose:location", "purpose:social", "channel:app", "channel:push", "channel:email",
)  # fmt: skip
"""Texts every profile knows."""
MARK = 6
UNREADABLE = (msgspec.DecodeError, struct.error, IndexError, ValueError, StopIteration)
"""What decoding raises for bytes that are not what they say."""


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
    """By epoch."""
    ids: bytes
    """8 bytes each, of which the first 6 are the mark."""
    minutes: list[int]
    """Recorded minute of each id, as the difference from the one before it."""


_DECODE = msgspec.msgpack.Decoder(_Stored).decode


def decode(body: bytes) -> Profile:
    """What follows the version. Raises one of UNREADABLE."""
    stored = _DECODE(body)
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
        _counters(stored, texts),
        {_key(row, texts): row[7] for row in stored.lifetime},
    )
    return Profile(facts, _delivery(stored))


def _counters(stored: _Stored, texts: tuple[str, ...]) -> dict[CounterKey, dict[int, int]]:
    return {
        _key(row, texts): {stored.newest - before: number for before, number in zip(row[7::2], row[8::2], strict=True)}
        for row in stored.counters
    }


def _key(row: list[int], texts: tuple[str, ...]) -> CounterKey:
    event, offer, campaign, collection, placement, about, device = row[:7]
    return (
        texts[event], texts[offer], texts[campaign], texts[collection], texts[placement], texts[about], texts[device]
    )  # fmt: skip


def _delivery(stored: _Stored) -> Delivery:
    tags = struct.unpack("8s" * (len(stored.ids) // 8), stored.ids)
    marks = (tag[:MARK] for tag in tags)
    watermarks = {mark_of_epoch(epoch): reached for epoch, reached in stored.watermarks.items()}
    return Delivery(watermarks, dict(zip(marks, accumulate(stored.minutes), strict=True)))
