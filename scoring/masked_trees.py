"""Masked trees: a model's tables of masks with the code that evaluates them, as one function of rows."""

from ctypes import byref
from threading import local

import numpy as np
from numpy.typing import NDArray

from scoring.features import Rows
from scoring.mask_code import ABREAST, SLOT_BITS, Work, compiled
from scoring.masks import LINE, Masks, Numbers

AT_ONCE = 128
"""Rows worked on before the next: bounds what a thread holds."""


class MaskedTrees:
    """Thread-safe: every thread has room of its own, and lets others run while it works."""

    def __init__(self, masks: Masks) -> None:
        self._masks = masks
        self._lines = _aligned(masks.lines)
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
        arrays = {
            "columns": masks.columns,
            "first": masks.first,
            "edges": masks.edges,
            "lines": self._lines,
            "leaves": masks.leaves,
            "differs": np.empty(masks.width, np.int64),
            "varying": np.empty(len(masks.columns), np.int64),
            "slots": np.empty(1 << SLOT_BITS, np.int64),
            "shared": _aligned(np.empty(line, np.uint8)),
            "found": _aligned(np.empty((AT_ONCE, line), np.uint8)),
            "alive": _aligned(np.empty((AT_ONCE, line), np.uint8)),
        }
        work = Work(masks.width, len(masks.columns), line // LINE, masks.trees)
        for name, array in arrays.items():
            setattr(work, name, array.ctypes.data)
        self._local.arrays = arrays
        self._local.work = work
        return work


def _aligned(array: NDArray[np.generic]) -> NDArray[np.generic]:
    """The same, from a cache line's beginning on."""
    room = np.empty(array.nbytes + LINE, np.uint8)
    begin = -room.ctypes.data % LINE
    made = room[begin : begin + array.nbytes].view(array.dtype).reshape(array.shape)
    made[...] = array
    return made
