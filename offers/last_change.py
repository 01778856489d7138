"""Who changed a campaign last: the newest publication whose revision has it otherwise than the one before."""

from pathlib import Path

import msgspec

from offers import revisions
from offers.preview_scene import file_of
from offers.publications import Publication
from streams.errors import NotFound
from streams.ids import CampaignId
from streams.instant import format_instant


class LastChange(msgspec.Struct, frozen=True):
    """One publication."""

    number: int
    revision: str
    at: str
    by: str
    message: str


def last_change(campaign: CampaignId, history: tuple[Publication, ...], artifacts: Path) -> LastChange | None:
    """`history`: the newest first. None: none of them touched it, as far back as their folders are kept."""
    for publication in history:
        here = _content(campaign, publication.revision, artifacts)
        before = None if publication.base is None else _content(campaign, publication.base, artifacts)
        if here is _GONE or before is _GONE:
            return None
        if here != before:
            at = format_instant(publication.activate_at or publication.published_at)
            return LastChange(publication.number, publication.revision, at, publication.author, publication.message)
    return None


_GONE = b"\0"
"""In place of a file whose revision is kept no more."""


def _content(campaign: CampaignId, revision: str, artifacts: Path) -> bytes | None:
    """The campaign's file; None: it was not there."""
    try:
        folder = revisions.find(revision, artifacts)
    except NotFound:
        return _GONE
    try:
        return file_of(campaign, folder).read_bytes()
    except NotFound:
        return None
