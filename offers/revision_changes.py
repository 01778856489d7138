"""What changes between two revisions: campaigns added, removed, changed, and the files beside them; both places."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Literal

import msgspec

from offers import revisions
from offers.catalog import Catalog
from offers.condition import Leaf
from offers.folder import load_folder
from offers.offer import Campaign
from offers.source_changes import SourceChange, changes
from streams.errors import InvalidInput
from streams.ids import CampaignId, OfferId
from streams.positioned_yaml import read_file

Kind = Literal["added", "removed", "changed"]
_PLACES = frozenset({"where", "path", "via"})
"""Fields that say where something is written and not what."""


@dataclass(frozen=True, slots=True)
class Revision:
    """One side of the comparison: a folder, checked and compiled."""

    folder: Path
    catalog: Catalog
    campaigns: Mapping[CampaignId, Campaign]


class CampaignChange(msgspec.Struct, frozen=True):
    """A campaign that is not what it was."""

    campaign: CampaignId
    offer: OfferId
    kind: Kind
    before_at: str
    """`file:line`; empty: there was none."""
    after_at: str
    decides: bool
    """Whether it is shown to others, elsewhere or in other words; if not, it is only written otherwise."""
    changes: tuple[SourceChange, ...] = ()
    """Of its own file. None of a changed one: what it takes from files beside it changed."""


class FileChange(msgspec.Struct, frozen=True):
    """A file beside the campaigns that is not what it was."""

    path: str
    kind: Kind
    changes: tuple[SourceChange, ...] = ()
    """Of YAML; other files are said to be changed."""


class RevisionChanges(msgspec.Struct, frozen=True):
    """Everything that differs."""

    campaigns: tuple[CampaignChange, ...]
    """By id."""
    files: tuple[FileChange, ...]

    @property
    def deciding(self) -> frozenset[OfferId]:
        """The offers that are added, removed, or mean something else."""
        return frozenset(change.offer for change in self.campaigns if change.decides)


def load(named: str, artifacts: Path) -> Revision:
    """A folder, or a revision kept in `artifacts`. Raises NotFound REVISION_UNKNOWN, InvalidInput CAMPAIGNS_INVALID."""
    folder = Path(named) if Path(named).is_dir() else revisions.find(named, artifacts)
    with revisions.uncollected():
        loaded = load_folder(folder)
        try:
            catalog = revisions.compiled(revisions.fingerprint(folder), loaded)
        except InvalidInput as error:
            raise InvalidInput(error.code, f"{folder} has mistakes:\n{error.message}") from error
    found = () if loaded.campaigns is None else loaded.campaigns.campaigns
    return Revision(folder, catalog, {campaign.id: campaign for campaign in found})


def compare(base: Revision, head: Revision) -> RevisionChanges:
    """What differs, told from the files, and what of it decides, told from what they mean."""
    every = sorted(base.campaigns.keys() | head.campaigns.keys())
    found = (_campaign(base, head, campaign) for campaign in every)
    return RevisionChanges(tuple(change for change in found if change is not None), tuple(_files(base, head)))


def _campaign(base: Revision, head: Revision, campaign: CampaignId) -> CampaignChange | None:
    before, after = base.campaigns.get(campaign), head.campaigns.get(campaign)
    if before is None or after is None:
        there = after or before
        if there is None:
            return None
        where = there.offer.where
        kind: Kind = "added" if before is None else "removed"
        return CampaignChange(
            campaign, there.offer.id, kind, "" if before is None else where, where if after else "", True
        )
    decides = meaning(before) != meaning(after)
    of_file = _of_files(base.folder, before.path, head.folder, after.path)
    if not decides and not of_file and before.path == after.path:
        return None
    return CampaignChange(campaign, after.offer.id, "changed", before.offer.where, after.offer.where, decides, of_file)


def _files(base: Revision, head: Revision) -> Iterator[FileChange]:
    before, after = _beside(base), _beside(head)
    for path in sorted(before | after):
        if path not in after:
            yield FileChange(path, "removed")
        elif path not in before:
            yield FileChange(path, "added")
        elif (base.folder / path).read_bytes() != (head.folder / path).read_bytes():
            found = _of_files(base.folder, path, head.folder, path) if path.endswith(".yaml") else ()
            if found or not path.endswith(".yaml"):
                yield FileChange(path, "changed", found)


def _beside(revision: Revision) -> set[str]:
    """Every file of a revision that is no campaign."""
    every = {path.relative_to(revision.folder).as_posix() for path in revisions.files(revision.folder)}
    return every - {campaign.path for campaign in revision.campaigns.values()}


def _of_files(before: Path, path: str, after: Path, other: str) -> tuple[SourceChange, ...]:
    if (before / path).read_bytes() == (after / other).read_bytes():
        return ()
    one, two = read_file(before / path, path)[0], read_file(after / other, other)[0]
    return () if one is None or two is None else changes((path, one), (other, two))


def meaning(value: object) -> object:
    """What a campaign says, without where it is said: equal ones decide alike."""
    if is_dataclass(value) and not isinstance(value, type):
        left_out = _PLACES | {"text"} if isinstance(value, Leaf) else _PLACES
        said = (
            (field.name, meaning(getattr(value, field.name))) for field in fields(value) if field.name not in left_out
        )
        return type(value).__name__, tuple(said)
    if isinstance(value, msgspec.Struct):
        return meaning(msgspec.structs.asdict(value))
    if isinstance(value, Mapping):
        return tuple((key, meaning(value[key])) for key in sorted(value))
    if isinstance(value, tuple | list):
        return tuple(meaning(each) for each in value)
    return value
