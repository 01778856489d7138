"""Bitmaps over the catalog's layout: one bit per offer, 64 to a word, lowest bit first."""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
"""(ceil(n / 64),) words; bit p of the bitmap is bit p % 64 of word p // 64. Never written to after building."""
Positions = NDArray[np.int64]
_ONE = np.uint64(1)


def empty(size: int) -> Words:
    """No bit set, for `size` offers."""
    return np.zeros((size + 63) // 64, dtype=np.uint64)


def of_positions(positions: list[int] | Positions, size: int) -> Words:
    """The bitmap with exactly these bits set."""
    flags = np.zeros(size, dtype=np.uint8)
    flags[np.asarray(positions, dtype=np.int64)] = 1
    return of_flags(flags, size)


def of_flags(flags: NDArray[np.uint8], size: int) -> Words:
    """One byte (0 or 1) per offer -> the bitmap."""
    padded = np.zeros(((size + 63) // 64) * 64, dtype=np.uint8)
    padded[: min(len(flags), size)] = flags[:size]
    return np.packbits(padded, bitorder="little").view(np.uint64)


def count(words: Words) -> int:
    """How many bits are set."""
    return int(np.bitwise_count(words).sum())


def holds(words: Words, position: int) -> bool:
    """Whether one bit is set."""
    return bool(int(words[position >> 6]) >> (position & 63) & 1)


def clear(words: Words, position: int) -> None:
    """Take one bit out of a bitmap that is still being built."""
    words[position >> 6] &= ~np.uint64(1 << (position & 63))


def first(words: Words, most: int) -> Positions:
    """The first set positions in layout order: only as many words are unpacked as hold them."""
    occupied = np.flatnonzero(words)
    if len(occupied) > most // 64:
        cumulated = np.cumsum(np.bitwise_count(words[occupied]), dtype=np.int64)
        occupied = occupied[: int(np.searchsorted(cumulated, most)) + 1]
    return _unpack(words, occupied)[:most]


def every(words: Words) -> Positions:
    """The set positions in layout order."""
    return _unpack(words, np.flatnonzero(words))


def flags(words: Words, positions: Positions) -> NDArray[np.bool_]:
    """Of each position, whether its bit is set."""
    found = words[positions >> 6] >> (positions & 63).astype(np.uint64) & _ONE
    held: NDArray[np.bool_] = found.astype(np.bool_)
    return held


def _unpack(words: Words, which: Positions) -> Positions:
    octets = words[which].view(np.uint8).reshape(-1, 8)
    row, bit = np.nonzero(np.unpackbits(octets, axis=1, bitorder="little"))
    return which[row] * 64 + bit


def select(words: Words, ranks: list[int]) -> list[int]:
    """The positions of the set bits of these ranks (0 = first), without unpacking the bitmap."""
    cumulated = np.cumsum(np.bitwise_count(words).astype(np.int64))
    found = []
    for rank in ranks:
        word = int(np.searchsorted(cumulated, rank, side="right"))
        before = int(cumulated[word - 1]) if word else 0
        bits = int(words[word])
        for _ in range(rank - before):
            bits &= bits - 1
        found.append(word * 64 + (bits & -bits).bit_length() - 1)
    return found
