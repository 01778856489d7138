"""Compiled trees (lleaves): the booster's margins several times faster, for the processor they were compiled for."""

import platform
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scoring.features import Rows
from scoring.model_folder import COMPILED, MODEL, Compiled, digest

try:
    import lleaves
except ImportError:  # no llvmlite for this Python: the booster serves
    lleaves = None

Margins = Callable[[Rows], NDArray[np.float64]]
"""(n, features), C-contiguous -> (n,) log odds. Pure and thread-safe."""
TARGETS = {"x86_64": "x86-64", "AMD64": "x86-64"}
"""The baseline of each kind of machine: an object made on one runs on all of them. Others get no object."""
AT_ONCE = 16
"""Trees in one block of code."""
NO_FEATURES = ""
"""Naming only the CPU would keep the features of the host that compiles."""


def compile_trees(folder: Path) -> Compiled | None:
    """Write the compiled object beside the model's text; None where this machine or Python cannot."""
    target = TARGETS.get(platform.machine())
    if lleaves is None or target is None:
        return None
    _compiled(folder, target)
    return Compiled(platform.machine(), target, NO_FEATURES, digest((folder / COMPILED).read_bytes()))


def load_compiled(folder: Path, compiled: Compiled | None) -> Margins | None:
    """The compiled object's function; None if there is none that is whole and for this machine."""
    if lleaves is None or compiled is None or compiled.machine != platform.machine():
        return None
    path = folder / COMPILED
    if not path.exists() or digest(path.read_bytes()) != compiled.digest:
        return None
    model = _compiled(folder, compiled.target_cpu)
    return lambda rows: model.predict(rows, n_jobs=1)


def _compiled(folder: Path, target: str) -> "lleaves.Model":
    """Compiles, or reads the object if it is there.

    Inlined, since a call that hands over a hundred columns costs as much as a third of a tree; in blocks of AT_ONCE,
    since the time to compile grows faster than they do. The small code model would save another eighth, but how near
    each other code and constants are loaded is not promised.
    """
    model = lleaves.Model(model_file=str(folder / MODEL))
    model.compile(
        cache=str(folder / COMPILED),
        raw_score=True,
        fblocksize=AT_ONCE,
        target_cpu=target,
        target_cpu_features=NO_FEATURES,
    )
    return model
