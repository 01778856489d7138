"""Turns in loading: of the workers of a host only half as many as it has cores make a new revision ready at once.

All of them see a publication in the same quarter of a second. If all loaded it then, none would be left to answer.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from streams.host_lock import HostLock

PATIENCE_S = 3.0
"""After which a worker loads out of turn: another may be frozen."""
RETRY_S = 0.01


class LoadingTurns:
    """One worker's place in the queue. Where no lock can be had, every worker loads when it likes."""

    def __init__(self, folder: Path, process: int, cores: int) -> None:
        self._folder = folder
        self._file = folder / f"loading-{process % max(cores // 2, 1)}.lock"

    @contextmanager
    def turn(self) -> Iterator[None]:
        """What is done in the block is done in turn."""
        with ExitStack() as stack:
            try:
                self._folder.mkdir(parents=True, exist_ok=True)
                lock = HostLock(self._file)
                stack.callback(lock.close)
                stack.enter_context(lock.held(PATIENCE_S, RETRY_S))
            except OSError:  # TimeoutError is one
                pass
            yield


def turns(folder: Path) -> LoadingTurns:
    """Of this process on this host."""
    return LoadingTurns(folder, os.getpid(), os.cpu_count() or 1)
