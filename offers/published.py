"""The published revision: its folder in the artifacts, checked to be whole before anything is made of it."""

from pathlib import Path
from time import monotonic

from offers import revisions
from offers.ledger import Wanted
from streams.errors import InvalidInput, OffingError
from streams.ids import RevisionId

RETRY_S = 5.0
"""Between two looks for a revision that is not in the artifacts, or not whole: it may be on its way."""


class Published:
    """Follows the revision that the ledger wants. One thread owns it."""

    def __init__(self, artifacts: Path) -> None:
        self._artifacts = artifacts
        self._had: RevisionId | None = None
        self._missing: RevisionId | None = None
        self._next_look = 0.0

    def first(self, wanted: Wanted) -> Path:
        """The folder to start with.

        Raises InvalidInput NOTHING_PUBLISHED, REVISION_BROKEN, NotFound REVISION_UNKNOWN.
        """
        if wanted.revision is None:
            message = (
                "no revision was published here, and OFFING_CAMPAIGNS_FROM is ledger; run "
                "`offing campaigns publish DIR --message WHY`, or set OFFING_CAMPAIGNS_FROM=folder"
            )
            raise InvalidInput("NOTHING_PUBLISHED", message)
        self._had = wanted.revision
        return revisions.whole(wanted.revision, self._artifacts)

    def newer(self, wanted: Wanted) -> Path | None:
        """The folder of a revision not had before; None: there is none, or it is not time to look for it again.

        Raises InvalidInput REVISION_BROKEN, NotFound REVISION_UNKNOWN: it is looked for again after RETRY_S.
        """
        revision = wanted.revision
        if revision is None or revision == self._had:
            return None
        if revision == self._missing and monotonic() < self._next_look:
            return None
        try:
            found = revisions.whole(revision, self._artifacts)
        except (OffingError, OSError):
            self._missing, self._next_look = revision, monotonic() + RETRY_S
            raise
        self._had, self._missing = revision, None
        return found
