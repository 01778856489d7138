"""Masked trees: a model's tables of masks with the code that evaluates them, as one function of rows."""

from ctypes import byref
from threading import local
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from scoring.features import Rows
from scoring.mask_code import ABREAST, PACK, SLOT_BITS, TOGETHER, Work, compiled
from scoring.masks import LINE, Masks, Numbers, Spots

AT_ONCE = 128
"""Rows worked on before the next: bounds what a thread holds."""


class MaskedTrees:
    """Thread-safe: every thread has room of its own, and lets others run while it works."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._lines = _lines(len(masks.lines), masks.lines.shape[1], masks.lines.dtype)
        self._lines[...] = masks.lines
        self._begins = masks.first + 2 * np.arange(len(masks.first))
        self._packs, self._edges = _packed(masks)
        self._margins = compiled(masks.leaves.shape[1])
        self._local = local()

    def __call__(self, rows: Rows) -> Numbers:
        """(n, columns) -> (n,) sums of the trees, bit for bit Booster.predict's. Raises ValueError on other columns."""
        width = self._masks.width
        if rows.ndim != 2 or rows.shape[1] != width:
            raise ValueError(f"rows have the shape {rows.shape}; expected (n, {width})")
        rows = np.ascontiguousarray(rows, np.float64)
        count = len(rows)
        sums = np.empty(count + ABREAST)  # the last ones are added up with some that nobody asked for
        address, into = rows.ctypes.data, sums.ctypes.data
        work = getattr(self._local, "work", None) or self._room()
        for begin in range(0, count, AT_ONCE):
            behind = begin * rows.itemsize
            self._margins(byref(work), address + behind * width, min(AT_ONCE, count - begin), into + behind)
        return sums[:count]

    def _room(self) -> Work:
        masks, line = self._masks, self._lines.shape[1] * self._lines.itemsize
        groups = -(-len(masks.columns) // TOGETHER)
        arrays = {
            "columns": masks.columns,
            "begins": self._begins,
            "packs": self._packs,
            "edges": self._edges,
            "lines": self._lines,
            "leaves": masks.leaves,
            "differs": np.empty(masks.width, np.int64),
            "varying": np.empty(len(masks.columns), np.int64),
            "slots": np.empty(1 << SLOT_BITS, np.int64),
            "shared": _lines(1, line),
            "found": _lines(groups * AT_ONCE, line),  # so many only if no row has anything in common with another
            "sources": np.empty((groups, AT_ONCE), np.int64),
            "alive": _lines(ABREAST, line),
        }
        work = Work(masks.width, len(masks.columns), line // LINE, masks.trees)
        for name, array in arrays.items():
            setattr(work, name, array.ctypes.data)
        self._local.arrays = arrays
        self._local.work = work
        return work


def _packed(masks: Masks) -> tuple[Spots, Numbers]:
    """Where each column's packs begin, and its edges in whole ones; no value is above infinity."""
    count = np.diff(masks.first)
    packs = np.cumsum([0, *-(-count // PACK)], dtype=np.int64)
    edges = _lines(int(packs[-1]), PACK, np.float64)
    edges[...] = np.inf
    shifted = np.repeat(packs[:-1] * PACK - masks.first[:-1], count)
    edges.reshape(-1)[np.arange(len(masks.edges)) + shifted] = masks.edges
    return packs, edges


def _lines(count: int, width: int, dtype: DTypeLike = np.uint8) -> NDArray[Any]:
    """Room (count, width) from a cache line's beginning on."""
    size = count * width * np.dtype(dtype).itemsize
    room = np.empty(size + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    return room[begin : begin + size].view(dtype).reshape(count, width)
