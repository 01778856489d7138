"""The bytes of a profile: canonical, by which facts are compared, and stored, which are compact and versioned.

Version 2 is the byte 2, the number of ids in 2 bytes, the ids, 6 bytes each, and a Zstandard frame without its first 4
bytes, which are the same in every frame. In the frame is MessagePack of `_Whole`, compressed with the dictionary of
this version. Facts lie with the event they are from: its instant and its tie are written once. Ids stay outside
because they cannot be compressed and would only lengthen the codes of what can. Who folds reads `_Part` instead: the
same bytes, of which what was said is left as it is until an event needs it.
"""

import struct
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import local

import msgspec
import zstandard

from streams import profile_form_1
from streams.attributes import Value
from streams.errors import Stop
from streams.ids import Millis
from streams.profile import BookingFact, Cell, CounterKey, Delivery, Opened, Profile, ProfileFacts

VERSION = 2
DICTIONARY = Path(__file__).with_name("profile_form_2.zdict")
"""Part of version 2, so never changed: what profiles have in common. See loadtests/bench/dictionary.py."""
LEVEL = 3
"""Of compression, which a reader need not know. Level 4 takes 9 % less room and twice the time."""
MARK = 6
MAGIC = b"\x28\xb5\x2f\xfd"
HEAD = 3
"""Bytes before the ids."""


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
    return _joined(profile.delivery, _zstd.compressor.compress(body(Opened.of(profile))))


def encode_many(profiles: Sequence[Opened]) -> list[bytes]:
    """`encode` of each, compressed at once: one by one, zstandard would let another thread run between any two."""
    if not profiles:
        return []
    frames = _zstd.compressor.multi_compress_to_buffer([body(profile) for profile in profiles])
    return [_joined(profile.delivery, frames[place].tobytes()) for place, profile in enumerate(profiles)]


def decode(stored: bytes) -> Profile:
    """encode's inverse, for every version there was. Raises Stop PROFILE_FORMAT: going on would overwrite it."""
    version = stored[0] if stored else None
    try:
        if version == VERSION:
            return _profile(stored, _zstd.decompressor.decompress(_frame(stored)))
        if version == 1:
            return profile_form_1.decode(stored[1:])
    except (zstandard.ZstdError, *profile_form_1.UNREADABLE) as error:
        message = f"a stored profile of format {version} cannot be read ({error}): rebuild the profiles from the log"
        raise Stop("PROFILE_FORMAT", message) from error
    found = "no bytes" if version is None else version
    message = f"a stored profile has format {found}; expected {VERSION}: start the version of Offing that wrote it"
    raise Stop("PROFILE_FORMAT", message)


def open_many(stored: Sequence[bytes]) -> list[Opened]:
    """Each as far as counting needs it, decompressed at once where that is possible. Raises Stop PROFILE_FORMAT."""
    if stored and all(each[:1] == _VERSION_BYTE for each in stored):
        with suppress(zstandard.ZstdError, *profile_form_1.UNREADABLE):
            bodies = _zstd.decompressor.multi_decompress_to_buffer([_frame(each) for each in stored])
            return [_opened(each, bodies[place].tobytes()) for place, each in enumerate(stored)]
    return [Opened.of(decode(each)) for each in stored]  # says which cannot be read, and why


def body(profile: Opened) -> bytes:
    """What is compressed: all but the ids. Dictionaries are made of it."""
    delivery = profile.delivery
    said = profile.said if isinstance(profile.said, _Sealed) else _sealed(profile.profile().facts)
    minutes = list(delivery.ids.values())
    return _ENCODE(
        _Part(said.since, msgspec.Raw(said.raw), profile.counters, profile.lifetime, delivery.watermarks, minutes)
    )


class _Said(msgspec.Struct, frozen=True, array_like=True, gc=False):
    events: list[tuple[Millis, int, dict[int, Value | None], dict[str, Value | None]]]
    """(effective time, tie, cells, consent) of each event that a fact is from."""
    bookings: dict[str, BookingFact]
    linked: dict[str, Millis]


class _Part(msgspec.Struct, frozen=True, array_like=True, gc=False):
    since: Millis | None
    """Nothing in `said` is older; None: it is empty."""
    said: msgspec.Raw
    """A _Said."""
    counters: dict[CounterKey, dict[int, int]]
    lifetime: dict[CounterKey, int]
    watermarks: dict[bytes, tuple[int, int]]
    minutes: list[int]
    """Of the ids, in their order."""


class _Whole(msgspec.Struct, frozen=True, array_like=True, gc=False):
    since: Millis | None
    said: _Said
    counters: dict[CounterKey, dict[int, int]]
    lifetime: dict[CounterKey, int]
    watermarks: dict[bytes, tuple[int, int]]
    minutes: list[int]


class _Sealed(msgspec.Struct, frozen=True, gc=False):
    """See streams.profile.Sealed."""

    since: Millis | None
    raw: bytes

    def read(self) -> ProfileFacts:
        return ProfileFacts(*_facts(_DECODE_SAID(self.raw)))


class _Zstd(local):
    """A compressor and a decompressor of each thread's own: they serve one at a time."""

    def __init__(self) -> None:
        parameters = zstandard.ZstdCompressionParameters.from_level(LEVEL, write_content_size=True, write_dict_id=False)
        self.compressor = zstandard.ZstdCompressor(dict_data=_DICTIONARY, compression_params=parameters)
        self.decompressor = zstandard.ZstdDecompressor(dict_data=_DICTIONARY)


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE_PART = msgspec.msgpack.Decoder(_Part).decode
_DECODE_SAID = msgspec.msgpack.Decoder(_Said).decode
_DECODE_WHOLE = msgspec.msgpack.Decoder(_Whole).decode
_VERSION_BYTE = bytes([VERSION])
_DICTIONARY = zstandard.ZstdCompressionDict(DICTIONARY.read_bytes(), dict_type=zstandard.DICT_TYPE_FULLDICT)
_DICTIONARY.precompute_compress(level=LEVEL)
_zstd = _Zstd()


def _sealed(facts: ProfileFacts) -> _Sealed:
    events: dict[tuple[Millis, int], tuple[dict[int, Value | None], dict[str, Value | None]]] = {}
    for number, cell in facts.cells.items():
        stamp = cell.at, cell.tie
        if stamp not in events:
            events[stamp] = ({}, {})
        events[stamp][0][number] = cell.value
    for name, cell in facts.consent.items():
        stamp = cell.at, cell.tie
        if stamp not in events:
            events[stamp] = ({}, {})
        events[stamp][1][name] = cell.value
    said = [(at, tie, cells, consent) for (at, tie), (cells, consent) in events.items()]
    instants = [at for at, _ in events] + [fact.at for fact in facts.bookings.values()]
    return _Sealed(min(instants, default=None), _ENCODE(_Said(said, facts.bookings, facts.linked)))


_Facts = tuple[dict[int, Cell], dict[str, Cell], dict[str, BookingFact], dict[str, Millis]]


def _facts(said: _Said) -> _Facts:
    """The first fields of ProfileFacts."""
    cells: dict[int, Cell] = {}
    consent: dict[str, Cell] = {}
    for at, tie, values, granted in said.events:
        for number, value in values.items():
            cells[number] = Cell(value, at, tie)
        for name, value in granted.items():
            consent[name] = Cell(value, at, tie)
    return cells, consent, said.bookings, said.linked


def _joined(delivery: Delivery, frame: bytes) -> bytes:
    ids = delivery.ids
    return b"".join((_VERSION_BYTE, len(ids).to_bytes(2, "big"), *ids, frame[len(MAGIC) :]))


def _frame(stored: bytes) -> bytes:
    return MAGIC + stored[_end_of_ids(stored) :]


def _end_of_ids(stored: bytes) -> int:
    return HEAD + MARK * int.from_bytes(stored[1:HEAD], "big")


def _profile(stored: bytes, body: bytes) -> Profile:
    found = _DECODE_WHOLE(body)
    facts = ProfileFacts(*_facts(found.said), found.counters, found.lifetime)
    return Profile(facts, _delivery(stored, found))


def _opened(stored: bytes, body: bytes) -> Opened:
    found = _DECODE_PART(body)
    said = _Sealed(found.since, bytes(found.said))
    return Opened(said, found.counters, found.lifetime, _delivery(stored, found))


def _delivery(stored: bytes, found: _Part | _Whole) -> Delivery:
    end = _end_of_ids(stored)
    marks = struct.unpack("6s" * ((end - HEAD) // MARK), stored[HEAD:end])
    return Delivery(found.watermarks, dict(zip(marks, found.minutes, strict=True)))
