"""How the garbage collector is set beside the hot path: reference counts free nearly all, cycles are few and small.

With the interpreter's own settings it walks every offer of the catalog again and again for nothing: a tenth of the CPU
of a decision at 1,000 offers, and pauses of a second at 100,000.
"""

import gc
import sys

YOUNG = 50_000
"""Containers made and not freed before the youngest are looked at; a decision leaves none."""
MIDDLE = 20
OLD = 50


SWITCH_S = 0.0005
"""How long another thread may keep the interpreter once the event loop asks for it. With the usual 5 ms a log's or a
consumer's thread could hold up an answer at each of the dozen calls that let go of the interpreter."""


def settle() -> None:
    """Call once everything that stays is loaded: it is not looked at any more, and the rest seldom."""
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, MIDDLE, OLD)
