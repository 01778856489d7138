"""A lock between the processes and threads of one host, held by at most one; a killed holder gives it back."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep

RETRY_S = 0.0005
"""Shorter than a write transaction (.3 ms to some ms), so a waiter gets its turn between two of them."""


class HostLock:
    """An exclusive flock on a file of its own. Each instance is one contender; it is not re-entrant."""

    def __init__(self, path: Path) -> None:
        self._descriptor: int | None = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextmanager
    def held(self, timeout_s: float, retry_s: float = RETRY_S) -> Iterator[None]:
        """Hold the lock in the block. Raises TimeoutError if another holds it for longer than `timeout_s`.

        `retry_s`: between two tries.
        """
        descriptor = self._descriptor
        if descriptor is None:
            raise TimeoutError("the lock is closed")
        self._acquire(descriptor, timeout_s, retry_s)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Idempotent."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    @staticmethod
    def _acquire(descriptor: int, timeout_s: float, retry_s: float) -> None:
        deadline = monotonic() + timeout_s
        while True:
            try:
                return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                if monotonic() >= deadline:
                    raise TimeoutError(f"another writer has held the lock for {timeout_s} s") from error
            sleep(retry_s)
