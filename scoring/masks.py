"""Masks: trees as tables of bit masks, so that a row's leaves are found by ANDs instead of branches.

A tree's leaves are numbered from left to right. A node that sends a row to the right rules out the leaves of its left
subtree, and one that sends it to the left rules out none that matters: of the leaves which are left at the end, the
row's is the first (Lucchese et al., QuickScorer, SIGIR 2015, section 3). What all nodes on one column rule out
depends on the column's value alone, and only on the thresholds that it lies between: for each column the table holds,
per such bin, one word of bits for every tree. A row's leaves are the AND of as many table lines as there are columns.

Rows of one decision share most of their columns; `scoring.mask_kernel` makes use of that. Here is what it computes, in
numpy: `margins`, which the kernel must equal bit for bit, as it must equal LightGBM.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scoring.features import Rows

MOST_LEAVES = 64
"""Of a tree: a word holds no more bits."""
LINE = 64
"""Bytes of a cache line: a table's lines are filled up to whole ones."""
Numbers = NDArray[np.float64]
Words = NDArray[np.unsignedinteger[Any]]
"""uint32 for trees of up to 32 leaves, else uint64."""
Spots = NDArray[np.int64]

ZERO = float(np.float32(1e-35))
"""LightGBM's kZeroThreshold: Booster.predict takes what is nearer to zero for zero (`predictor.hpp`, `tree.h`)."""
_CATEGORICAL, _DEFAULT_LEFT, _MISSING = 1, 2, 12
"""Bits of a node's decision_type (`tree.h`)."""
_MISSING_ZERO, _MISSING_NAN = 4, 8


class NoMasks(ValueError):
    """Trees that tables of masks cannot stand for; says why."""


@dataclass(frozen=True, slots=True)
class Masks:
    """A model's tables. Pure and thread-safe."""

    width: int
    """Columns of a row."""
    trees: int
    columns: Spots
    """(k,) of a row, those that the trees ask for, rising."""
    first: Spots
    """(k + 1,) where each column's edges begin."""
    edges: Numbers
    """Rising for each column: value x is in the bin with as many edges below x."""
    lines: Words
    """(bins, trees, filled up): a column's bins from first + 2 x its place: one more than edges, and one for NaN."""
    leaves: Numbers
    """(trees, bits of a word): what each leaf adds, from left to right."""

    def whole(self) -> bool:
        """Whether the arrays fit together: code that runs unchecked may read them."""
        places, (bins, filled_up), bits = len(self.columns), self.lines.shape, self.leaves.shape[1]
        asked = np.concatenate([self.columns, [0]])
        return (
            all(array.dtype == np.int64 for array in (self.columns, self.first))
            and all(array.dtype == np.float64 for array in (self.edges, self.leaves))
            and self.lines.dtype == _word(bits)
            and bool(((asked >= 0) & (asked < self.width)).all())
            and (len(self.first), bins, len(self.edges)) == (places + 1, self.first[-1] + 2 * places, self.first[-1])
            and bool(self.first[0] == 0 and (np.diff(self.first) >= 0).all())
            and (len(self.leaves), filled_up) == (self.trees, _filled_up(self.trees, bits))
            and all(array.flags.c_contiguous for array in (self.columns, self.first, self.edges, self.leaves))
        )


def masks_of(text: str) -> Masks:
    """The tables of a LightGBM model's text. Raises NoMasks; ValueError on a text that is none."""
    header, *blocks = text[: text.index("end of trees")].split("\nTree=")
    if "\nnum_tree_per_iteration=1\n" not in header or "\naverage_output" in header:
        raise NoMasks("its trees are not added up to one number")
    trees = [_tree(block) for block in blocks]
    bits = 32 if max((len(tree.leaves) for tree in trees), default=0) <= 32 else 64
    leaves = np.zeros((len(trees), bits))
    for number, tree in enumerate(trees):
        leaves[number, : len(tree.leaves)] = tree.leaves
    nodes = _nodes(trees, bits)
    columns, starts = np.unique(nodes.column, return_index=True)
    parts = np.split(np.arange(len(nodes.column)), starts[1:]) if len(columns) else []
    tables = [_table(nodes.at(spots), (len(trees), bits)) for spots in parts]
    count = [len(edges) for edges, _ in tables]
    padded = _filled_up(len(trees), bits)
    return Masks(
        width=int(header.split("\nmax_feature_idx=")[1].split("\n")[0]) + 1,
        trees=len(trees),
        columns=columns.astype(np.int64),
        first=np.cumsum([0, *count], dtype=np.int64),
        edges=np.concatenate([np.empty(0), *(edges for edges, _ in tables)]),
        lines=np.concatenate([np.empty((0, padded), _word(bits)), *(lines for _, lines in tables)]),
        leaves=leaves,
    )


def margins(masks: Masks, rows: Rows) -> Numbers:
    """(n, columns) -> (n,) sums of the trees, added one after the other as Booster.predict does."""
    alive = np.full((len(rows), masks.lines.shape[1]), -1).astype(masks.lines.dtype)
    for place, column in enumerate(masks.columns):
        begin, end = masks.first[place], masks.first[place + 1]
        bins = np.searchsorted(masks.edges[begin:end], rows[:, column])  # NaN: behind all edges, as +inf
        bins[np.isnan(rows[:, column])] = end - begin + 1
        alive &= masks.lines[begin + 2 * place + bins]
    alive = alive[:, : masks.trees]
    lowest = (alive & (~alive + alive.dtype.type(1))).astype(np.float64)
    added = masks.leaves[np.arange(masks.trees), np.log2(lowest).astype(np.intp)]
    sums = np.zeros(len(rows))
    for tree in added.T:
        sums += tree
    return sums


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree: inner nodes as LightGBM numbers them, leaves from left to right."""

    columns: Sequence[int]
    thresholds: Sequence[float]
    kinds: Sequence[int]
    """decision_type"""
    ruled_out: Sequence[int]
    """Bits of each node's left leaves."""
    leaves: Sequence[float]


@dataclass(frozen=True, slots=True)
class _Nodes:
    """Inner nodes of all trees, by column and tree: arrays of one length."""

    tree: Spots
    column: Spots
    threshold: Numbers
    kind: Spots
    ruled_out: Words

    def at(self, spots: NDArray[np.intp]) -> "_Nodes":
        """Some of them."""
        return _Nodes(
            self.tree[spots], self.column[spots], self.threshold[spots], self.kind[spots], self.ruled_out[spots]
        )


def _tree(block: str) -> _Tree:
    """Of one tree's lines `key=value`."""
    told = dict(line.split("=", 1) for line in block.split("\n") if "=" in line)
    if told["num_cat"] != "0" or told.get("is_linear", "0") != "0":
        raise NoMasks("a tree has categories or linear leaves")
    leaves = [float(value) for value in told["leaf_value"].split()]
    if len(leaves) > MOST_LEAVES:
        raise NoMasks(f"a tree has {len(leaves)} leaves, more than {MOST_LEAVES}")
    if len(leaves) == 1:
        return _Tree((), (), (), (), leaves)
    left, right, columns, kinds = (
        [int(number) for number in told[name].split()]
        for name in ("left_child", "right_child", "split_feature", "decision_type")
    )
    ruled_out = [0] * len(left)
    order: list[int] = []
    for node, begin, end in _subtrees(left, right, order):
        ruled_out[node] = (1 << end) - (1 << begin)
    thresholds = [float(value) for value in told["threshold"].split()]
    return _Tree(columns, thresholds, kinds, ruled_out, [leaves[leaf] for leaf in order])


def _subtrees(left: Sequence[int], right: Sequence[int], order: list[int]) -> Iterator[tuple[int, int, int]]:
    """Every node with the places its left leaves begin and end at; fills `order` with the leaves from left to right."""
    waiting: list[tuple[int, int]] = [(0, -1)]  # (node, place at which its left leaves began; -1: not there yet)
    while waiting:
        node, begun = waiting.pop()
        if node < 0:
            order.append(~node)
        elif begun < 0:
            waiting += [(node, len(order)), (left[node], -1)]
        else:
            yield node, begun, len(order)
            waiting.append((right[node], -1))


def _nodes(trees: Sequence[_Tree], bits: int) -> _Nodes:
    made = _Nodes(
        tree=np.repeat(np.arange(len(trees)), [len(tree.columns) for tree in trees]),
        column=np.array([column for tree in trees for column in tree.columns], np.int64),
        threshold=np.array([threshold for tree in trees for threshold in tree.thresholds], np.float64),
        kind=np.array([kind for tree in trees for kind in tree.kinds], np.int64),
        ruled_out=np.array([out for tree in trees for out in tree.ruled_out], _word(bits)),
    )
    return made.at(np.argsort(made.column, kind="stable"))


def _table(nodes: _Nodes, size: tuple[int, int]) -> tuple[Numbers, Words]:
    """Edges and lines of the nodes on one column: each node is asked once in every bin."""
    trees, bits = size
    edges = np.unique(nodes.threshold)
    if (np.abs(edges) <= ZERO).any() or ((nodes.kind & _MISSING) == _MISSING_ZERO).any():
        edges = np.unique([*edges, np.nextafter(-ZERO, -np.inf), ZERO])
    bins = np.array([*edges, np.inf, np.nan])  # a value that stands for each
    alive = np.where(_left(nodes, bins), ~nodes.ruled_out.dtype.type(0), ~nodes.ruled_out)
    met, starts = np.unique(nodes.tree, return_index=True)
    lines = np.full((len(bins), _filled_up(trees, bits)), -1).astype(nodes.ruled_out.dtype)
    lines[:, met] = np.bitwise_and.reduceat(alive, starts, axis=1)
    return edges, lines


def _left(nodes: _Nodes, values: Numbers) -> NDArray[np.bool_]:
    """(values, nodes) whether a value goes left: Tree::NumericalDecision of LightGBM's `tree.h`."""
    missing = nodes.kind & _MISSING
    value = values[:, None]
    nan = np.isnan(value)
    zero = (nan & (missing != _MISSING_NAN)) | (np.abs(value) <= ZERO)
    by_default = ((missing == _MISSING_ZERO) & zero) | ((missing == _MISSING_NAN) & nan)
    below = np.where(zero, 0.0, value) <= nodes.threshold
    return np.where(by_default, (nodes.kind & _DEFAULT_LEFT) != 0, below)


def _word(bits: int) -> np.dtype[np.unsignedinteger[Any]]:
    return np.dtype(np.uint32 if bits == 32 else np.uint64)


def _filled_up(trees: int, bits: int) -> int:
    whole = LINE * 8 // bits
    return -(-trees // whole) * whole
