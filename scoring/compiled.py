"""Compiled trees: a model's masks, kept in its folder; the booster's margins to the last bit, many times faster.

The tables are the same for every processor of one byte order: they are made once, and serve everywhere. The code that
evaluates them knows no model; each process has it made for the processor it runs on.
"""

import io
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.features import Rows
from scoring.masks import Masks, NoMasks, masks_of
from scoring.model_folder import COMPILED, MODEL, Compiled, digest

try:
    from scoring.masked_trees import MaskedTrees
except ImportError:  # no llvmlite for this Python: the booster serves
    AVAILABLE = False
else:
    AVAILABLE = True

Margins = Callable[[Rows], NDArray[np.float64]]
"""(n, features) -> (n,) log odds. Pure and thread-safe."""
FORMAT = 1
TARGET = f"masks-{FORMAT}-{sys.byteorder}"
"""What the tables written here can serve: this format, processors of this byte order."""


def compile_trees(folder: Path) -> Compiled | None:
    """Write the tables beside the model's text; None for trees that have none (`scoring.masks.NoMasks`)."""
    try:
        masks = masks_of((folder / MODEL).read_text())
    except NoMasks:
        return None
    body = io.BytesIO()
    np.savez(body, **{name: getattr(masks, name) for name in Masks.__slots__})
    (folder / COMPILED).write_bytes(body.getvalue())
    return Compiled(digest=digest(body.getvalue()), target=TARGET)


def load_compiled(folder: Path, compiled: Compiled | None, width: int) -> Margins:
    """The margins by masks of rows with so many columns. Raises NoMasks, saying why not.

    Folders of earlier versions have no tables: they are made here then.
    """
    if not AVAILABLE:
        raise NoMasks("there is no llvmlite for this Python")
    if compiled is None or not compiled.target:
        return MaskedTrees(masks_of((folder / MODEL).read_text()))
    if compiled.target != TARGET:
        raise NoMasks(f"{COMPILED} is for {compiled.target}, this is {TARGET}")
    try:
        body = (folder / COMPILED).read_bytes()
    except OSError as error:
        raise NoMasks(f"{COMPILED} cannot be read: {error.strerror}") from error
    if digest(body) != compiled.digest:
        raise NoMasks(f"{COMPILED} is not what was written: truncated or changed")
    masks = _read(body)
    if masks.width != width or not masks.whole():
        raise NoMasks(f"{COMPILED} is not of this model")
    return MaskedTrees(masks)


def _read(body: bytes) -> Masks:
    try:
        with np.load(io.BytesIO(body)) as told:
            return Masks(
                width=int(told["width"]),
                trees=int(told["trees"]),
                columns=told["columns"],
                first=told["first"],
                edges=told["edges"],
                lines=told["lines"],
                leaves=told["leaves"],
            )
    except (KeyError, TypeError, ValueError, zipfile.BadZipFile) as error:
        raise NoMasks(f"{COMPILED} is not readable: {error}") from error
