"""A campaign folder looked at for changes, four times a second where that costs little."""

from pathlib import Path
from time import monotonic, thread_time

from offers import revisions
from streams.errors import OffingError

POLL_S = 0.25
LOOKING = 0.02
"""Most of a core's time that looking for changes may take: of 100,000 files one look takes .5 s."""
Stamp = tuple[tuple[str, int, int], ...]
"""(path, size, mtime in ns) of every file: cheap to look at four times a second."""


class FolderWatch:
    """Keeps a revision of the folder whenever a file of it changes. One thread owns it."""

    def __init__(self, folder: Path, artifacts: Path) -> None:
        self._folder = folder
        self._artifacts = artifacts
        self._stamp: Stamp = ()
        self._next_look = 0.0

    def keep(self) -> Path:
        """The folder as a kept revision, changed or not. Raises InvalidInput, OSError."""
        self._stamp = stamp_of(self._folder)
        return revisions.keep(self._folder, self._artifacts)

    def changed(self) -> Path | None:
        """The new revision, kept; None: nothing changed, or it is not time to look yet.

        Raises InvalidInput for what cannot be kept, and OSError; what may pass by itself is looked at again.
        """
        if monotonic() < self._next_look:
            return None
        begun = thread_time()
        stamp = stamp_of(self._folder)
        self._next_look = monotonic() + pause_s(thread_time() - begun) - POLL_S
        if stamp == self._stamp:
            return None
        self._stamp = stamp
        try:
            return revisions.keep(self._folder, self._artifacts)
        except (OffingError, OSError) as error:
            if isinstance(error, OSError) or error.code == "FOLDER_CHANGED":
                self._stamp = ()
            raise


def pause_s(look_s: float) -> float:
    """How long to wait after a look that took so much CPU: what is followed must not cost what it serves.

    >>> pause_s(0.003), pause_s(0.5)
    (0.25, 25.0)
    """
    return max(POLL_S, look_s / LOOKING)


def stamp_of(folder: Path, *, every: bool = False) -> Stamp:
    """What changes when a file of the folder does, one of a revision or `every`; empty if the folder is not there.

    Raises InvalidInput FOLDER_TOO_LARGE, and OSError for a folder that goes away meanwhile.
    """
    found = []
    for entry in revisions.below(folder) if every else revisions.entries(folder):
        try:
            status = entry.stat()
        except OSError:
            continue
        found.append((entry.path, status.st_size, status.st_mtime_ns))
    return tuple(sorted(found))
