"""Who changed a campaign last: the newest publication whose revision has it otherwise than the one before."""

from itertools import zip_longest
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
    """`history`: the newest first. None: none of them touched it, as far back as their folders are kept.

    What waits for approval, was rejected or canceled changed nothing.
    """
    standing = [publication for publication in history if publication.active_from is not None]
    for publication, before in zip_longest(standing, standing[1:]):
        there = publication.base if before is None else before.revision
        found = _touched(campaign, publication.revision, there, artifacts)
        if found is None:
            return None
        if found:
            at = format_instant(publication.active_from or 0)
            return LastChange(publication.number, publication.revision, at, publication.author, publication.message)
    return None


def is_changed(campaign: CampaignId, waiting: Publication, history: tuple[Publication, ...], artifacts: Path) -> bool:
    """Whether a publication that waits for approval changes its file, as far as is known."""
    standing = next((each.revision for each in history if each.active_from is not None), None)
    return _touched(campaign, waiting.revision, standing, artifacts) is not False


def _touched(campaign: CampaignId, revision: str, before: str | None, artifacts: Path) -> bool | None:
    """None: a folder is kept no more."""
    here = _content(campaign, revision, artifacts)
    there = None if before is None else _content(campaign, before, artifacts)
    return None if here is _GONE or there is _GONE else here != there


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
