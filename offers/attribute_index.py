"""Indexes over one attribute each: for a value, which offers are not excluded by it (idea 4).

Three shapes: discrete values, numbers, and sets (which places are, too). Every index is a sound superset: it may
pass an offer whose conditions fail, and then says so in `exact`; it never stops one whose conditions hold.
"""

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from offers import bits
from offers.bits import Words
from offers.condition import Leaf, Op, compare
from streams.attributes import Value
from streams.memo import Memo

DENSE_SHARE = 0.01
"""Values used by fewer of the offers are kept as lists of word changes instead of whole bitmaps."""
KNOWN = 64
"""Sets whose bitmap is remembered: of most attributes few are common."""
MAX_CUTS = 127
"""Cut points of a number; with the intervals between them at most 255 regions."""

Conjuncts = Mapping[int, Sequence[Leaf]]
"""Position -> the indexed leaves of that offer on this attribute; each must hold."""


@dataclass(frozen=True, slots=True)
class Delta:
    """How one value's bitmap differs from the base: words to flip."""

    at: NDArray[np.int64]
    flip: Words


def _delta(positions: list[int], size: int) -> Delta:
    difference = bits.of_positions(positions, size)
    at = np.flatnonzero(difference)
    return Delta(at, difference[at])


def _missing(conjuncts: Conjuncts, size: int) -> Words:
    excluded = [
        position
        for position, leaves in conjuncts.items()
        if not all(leaf.on_missing if leaf.op is not Op.EXISTS else leaf.negated for leaf in leaves)
    ]
    return ~bits.of_positions(excluded, size)


class DiscreteIndex:
    """IN and EXISTS leaves: exact for every value, mentioned in a condition or not."""

    def __init__(self, conjuncts: Conjuncts, size: int) -> None:
        mentioned: dict[Hashable, list[int]] = {}
        base_excluded = []
        for position, leaves in conjuncts.items():
            other = all(_other_passes(leaf) for leaf in leaves)
            if not other:
                base_excluded.append(position)
            for named in {value for leaf in leaves for value in leaf.operand}:
                if all(_passes(leaf, named) for leaf in leaves) is not other:
                    mentioned.setdefault(named, []).append(position)
        self.base = ~bits.of_positions(base_excluded, size)
        self.missing = _missing(conjuncts, size)
        self.dense: dict[Hashable, Words] = {}
        self.sparse: dict[Hashable, Delta] = {}
        for value, positions in mentioned.items():
            if len(positions) >= DENSE_SHARE * size:
                self.dense[value] = self.base ^ bits.of_positions(positions, size)
            else:
                self.sparse[value] = _delta(positions, size)
        self.exact = frozenset(conjuncts)

    def words(self, value: Value) -> Words:
        """Offers this value does not exclude."""
        found = self.dense.get(value)
        if found is not None:
            return found
        delta = self.sparse.get(value)
        if delta is None:
            return self.base
        words = self.base.copy()
        words[delta.at] ^= delta.flip
        return words


def _other_passes(leaf: Leaf) -> bool:
    """Whether a known value that no condition mentions passes."""
    return (leaf.op is Op.EXISTS) is not leaf.negated


def _passes(leaf: Leaf, value: Value) -> bool:
    return (True if leaf.op is Op.EXISTS else compare(leaf, value)) is not leaf.negated


class NumberIndex:
    """RANGE leaves (and IN over numbers): exact up to MAX_CUTS cut points, beyond them boundary regions pass."""

    def __init__(self, conjuncts: Conjuncts, size: int) -> None:
        spans = [(position, leaf, *span) for position, leaf, span in _spans(conjuncts)]
        ends = np.unique([end for _, _, low, high in spans for end in (low, high) if abs(end) != float("inf")])
        self.cuts = ends if len(ends) <= MAX_CUTS else ends[np.linspace(0, len(ends) - 1, MAX_CUTS).astype(int)]
        self._cuts: list[float] = self.cuts.tolist()
        self.regions = _regions(spans, self.cuts, size)
        self.missing = _missing(conjuncts, size)
        asking = [p for p, found in conjuncts.items() if not all(leaf.negated for leaf in found)]
        self.other = ~bits.of_positions(asking, size)
        """For a value that is no number: it is in no range and equals none."""
        kept = set(self.cuts.tolist()) | {float("inf"), float("-inf")}
        rough = {position for position, _, low, high in spans if low not in kept or high not in kept}
        self.exact = frozenset(set(conjuncts) - rough)

    def words(self, value: Value) -> Words:
        """Offers this value does not exclude."""
        if not isinstance(value, int | float) or value != value:
            return self.other
        left = bisect_left(self._cuts, value)  # numpy's takes ten times as long for one value
        on_cut = left < len(self._cuts) and self._cuts[left] == value
        return self.regions[2 * left + (1 if on_cut else 0)]


Span = tuple[int, Leaf, float, float]


def _spans(conjuncts: Conjuncts) -> Iterable[tuple[int, Leaf, tuple[float, float]]]:
    for position, leaves in conjuncts.items():
        for leaf in leaves:
            if leaf.op is Op.RANGE:
                yield position, leaf, (leaf.low, leaf.high)
            else:
                number = float(leaf.operand[0])  # type: ignore[arg-type]
                yield position, leaf, (number, number)


def _regions(spans: list[Span], cuts: NDArray[np.float64], size: int) -> list[Words]:
    """Region 2i is the open interval below cut i (the last: above all), region 2i + 1 is cut i itself.

    For each leaf the regions it touches run from `first` to `last`, those it fills from `inner_first` to
    `inner_last`; a plain leaf may pass where it touches, a negated one wherever it does not fill.
    """
    position = np.array([span[0] for span in spans], dtype=np.int64)
    negated = np.array([span[1].negated for span in spans], dtype=bool)
    low = np.array([span[2] for span in spans], dtype=np.float64)
    high = np.array([span[3] for span in spans], dtype=np.float64)
    first, low_on_cut = _region_of(low, cuts)
    last, high_on_cut = _region_of(high, cuts)
    inner_first = np.where(low_on_cut | np.isneginf(low), first, first + 1)
    inner_last = np.where(high_on_cut | np.isposinf(high), last, last - 1)
    regions = []
    for region in range(2 * len(cuts) + 1):
        touched = (first <= region) & (region <= last)
        filled = (inner_first <= region) & (region <= inner_last)
        excluded = np.where(negated, filled, ~touched)
        regions.append(~bits.of_positions(position[excluded], size))
    return regions


def _region_of(values: NDArray[np.float64], cuts: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    left = np.searchsorted(cuts, values, side="left")
    clipped = np.minimum(left, max(len(cuts) - 1, 0))
    on_cut = (cuts[clipped] == values) if len(cuts) else np.zeros(len(values), dtype=bool)
    return 2 * left + on_cut, on_cut


class SetIndex:
    """One HAS_ANY-like leaf per offer: it passes if any member held is one it names. Exact."""

    def __init__(
        self, members: Mapping[int, Iterable[Hashable]], missing_passes: Mapping[int, bool], size: int
    ) -> None:
        holders: dict[Hashable, list[int]] = {}
        for position, names in members.items():
            for name in names:
                holders.setdefault(name, []).append(position)
        self.base = ~bits.of_positions(list(members), size)
        self.missing = ~bits.of_positions([p for p, passes in missing_passes.items() if not passes], size)
        self.dense = {
            name: bits.of_positions(found, size) for name, found in holders.items() if len(found) >= DENSE_SHARE * size
        }
        self.sparse = {name: _delta(found, size) for name, found in holders.items() if name not in self.dense}
        self.exact = frozenset(members)
        self._known: Memo[tuple[Hashable, ...], Words] = Memo(KNOWN)

    def words(self, held: tuple[Hashable, ...]) -> Words:
        """Offers without such a leaf, or whose leaf names a member held."""
        return self._known.get(held, lambda: self._words(held))

    def _words(self, held: tuple[Hashable, ...]) -> Words:
        words = self.base.copy()
        for name in held:
            dense = self.dense.get(name)
            if dense is not None:
                words |= dense
                continue
            delta = self.sparse.get(name)
            if delta is not None:
                words[delta.at] |= delta.flip
        return words
