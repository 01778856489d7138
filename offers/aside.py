"""Aside: a command of this program in a process of its own at low priority, for work that must not slow what runs."""

import logging
import os
import subprocess
from collections.abc import Sequence
from threading import Event
from time import monotonic

MOST_S = 600.0
LOOK_S = 0.5
LOW_PRIORITY = 10
logger = logging.getLogger("offing.aside")


def asked(command: Sequence[str], stopping: Event) -> tuple[bytes, str]:
    """What it wrote: its document, and the last line of its complaints. Ended when `stopping` is set or after MOST_S.

    Raises OSError where it cannot be started.
    """
    ends = monotonic() + MOST_S
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        _step_back(child.pid)
        while True:
            try:
                said, complaints = child.communicate(timeout=LOOK_S)
                break
            except subprocess.TimeoutExpired:
                if stopping.is_set() or monotonic() > ends:
                    child.kill()
    return said, complaints.decode(errors="replace").strip().rpartition("\n")[2]


def _step_back(process: int) -> None:
    try:
        os.setpriority(os.PRIO_PROCESS, process, LOW_PRIORITY)
    except OSError:  # it has ended already
        logger.debug("a process keeps its priority", exc_info=True)
