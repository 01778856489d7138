"""Revisions: a campaign folder named by the hash of its content, kept for replay, compiled when it is needed.

A revision some of whose campaigns are stopped is a revision too, kept as the list of them: `r-0123456789ab-89abcdef`.
"""

import gc
import json
import os
import re
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from offers import compiled_folder, read_before
from offers.catalog import Catalog
from offers.folder import LoadedFolder, campaign_files, load_changed, load_folder
from streams.errors import InvalidInput, NotFound
from streams.ids import CampaignId, RevisionId

SUFFIXES = (".yaml", ".yml", ".geojson", ".csv")
BESIDE = frozenset({"schema", "tests"})
"""Folders for people and editors: what changes there decides nothing, so it makes no revision."""
MAX_FILES = 201_000
"""A little more than campaigns may be: there are places, pictures and placements beside them."""
NAME = re.compile(r"(?P<base>r-[0-9a-f]{12})(?P<stopped>-[0-9a-f]{8})?")
REVISIONS = "revisions"
"""The folder of the artifacts that holds them."""
STOPPED = "stopped.json"
"""In the folder of a revision with stops: the campaigns, sorted."""


def files(folder: Path) -> list[Path]:
    """The files that make a revision, in the order of their relative paths: all that decides."""
    return sorted(Path(entry.path) for entry in entries(folder))


def entries(folder: Path) -> "list[os.DirEntry[str]]":
    """The same in no order, for looking often. Raises InvalidInput FOLDER_TOO_LARGE."""
    found = list(below(folder, SUFFIXES, BESIDE))
    if len(found) > MAX_FILES:
        raise InvalidInput("FOLDER_TOO_LARGE", f"{folder} has {len(found)} files; at most {MAX_FILES}")
    return found


def below(
    folder: Path, suffixes: tuple[str, ...] = ("",), without: frozenset[str] = frozenset()
) -> "Iterator[os.DirEntry[str]]":
    """Every file below a folder whose name ends so; linked folders are not entered. Nothing if there is no such folder.

    `without`: folders in it that are left out. Raises OSError for a folder that goes away meanwhile.
    """
    left_out = {os.path.join(folder, name) for name in without}
    waiting = [os.fspath(folder)] if folder.is_dir() else []
    while waiting:
        with os.scandir(waiting.pop()) as listed:
            for entry in listed:
                if entry.name.endswith(suffixes) and entry.is_file():
                    yield entry
                elif entry.is_dir(follow_symlinks=False) and entry.path not in left_out:
                    waiting.append(entry.path)


def fingerprint(folder: Path) -> RevisionId:
    """`r-` and 12 hex digits over paths and contents. Raises InvalidInput FOLDER_MISSING."""
    if not folder.is_dir():
        raise InvalidInput("FOLDER_MISSING", f"{folder} is not a folder; OFFING_CAMPAIGNS names the campaign folder")
    digest = sha256()
    for path in files(folder):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder).as_posix()}\0{len(content)}\0".encode())
        digest.update(content)
    return RevisionId(f"r-{digest.hexdigest()[:12]}")


def keep(folder: Path, artifacts: Path) -> Path:
    """Copy the folder to artifacts/revisions/<id>, whole or not at all; the same content is kept once."""
    revision = fingerprint(folder)
    kept = artifacts / REVISIONS / revision
    if kept.is_dir():
        return kept
    kept.parent.mkdir(parents=True, exist_ok=True)
    making = Path(mkdtemp(prefix=".making-", dir=kept.parent))
    for path in files(folder):
        target = making / path.relative_to(folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    if fingerprint(making) != revision:
        shutil.rmtree(making)
        raise InvalidInput("FOLDER_CHANGED", f"{folder} changed while it was read; it is read again")
    _moved(making, kept)
    return kept


def _moved(making: Path, kept: Path) -> None:
    """Whole or not at all; another process may be first."""
    try:
        making.chmod(0o755)
        os.rename(making, kept)
    except OSError:
        shutil.rmtree(making)
        if not kept.is_dir():
            raise


def stopped(base: RevisionId, campaigns: Collection[CampaignId]) -> RevisionId:
    """The revision that is `base` without these campaigns.

    >>> stopped(RevisionId("r-41c9a0b1c2d3"), [CampaignId("spa-before-dinner")])
    'r-41c9a0b1c2d3-9d706c42'
    >>> stopped(RevisionId("r-41c9a0b1c2d3"), [])
    'r-41c9a0b1c2d3'
    """
    if not campaigns:
        return base
    return RevisionId(f"{base}-{sha256(_listed(campaigns)).hexdigest()[:8]}")


def keep_stopped(base: RevisionId, campaigns: Collection[CampaignId], artifacts: Path) -> RevisionId:
    """Keep it, so that its decisions can be replayed; the same one is kept once."""
    revision = stopped(base, campaigns)
    kept = artifacts / REVISIONS / revision
    if revision == base or kept.is_dir():
        return revision
    kept.parent.mkdir(parents=True, exist_ok=True)
    making = Path(mkdtemp(prefix=".making-", dir=kept.parent))
    (making / STOPPED).write_bytes(_listed(campaigns))
    _moved(making, kept)
    return revision


def _listed(campaigns: Collection[CampaignId]) -> bytes:
    return json.dumps(sorted(campaigns)).encode()


def catalog_of(kept: Path) -> Catalog:
    """The compiled catalog of a kept revision. Raises InvalidInput CAMPAIGNS_INVALID with every finding, NotFound

    REVISION_UNKNOWN where only the list of its stops is kept.
    """
    name = NAME.fullmatch(kept.name)
    if name is None or name["stopped"] is None:
        return _whole(kept)
    campaigns = frozenset(CampaignId(each) for each in json.loads((kept / STOPPED).read_bytes()))
    return _whole(find(name["base"], kept.parent.parent)).without(campaigns, RevisionId(kept.name))


@lru_cache(maxsize=1)
def _whole(kept: Path) -> Catalog:
    """The last one is remembered, since its folder never changes: a process looks before it starts what it serves."""
    with uncollected():
        return compiled(RevisionId(kept.name), loaded_of(kept))


def loaded_of(kept: Path) -> LoadedFolder:
    """Read as the first process that loaded it left it; else from its YAML, and left for those to come."""
    if kept.parent.name != REVISIONS:
        return load_folder(kept)
    path = compiled_folder.path_of(kept.parent.parent, kept.name)
    found = compiled_folder.load(kept, path)
    if found is None:
        beside = read_before.beside(kept, files(kept), frozenset(campaign_files(kept)))
        last = compiled_folder.newest(kept.parent.parent)
        found = load_changed(kept, read_before.NOTHING if last is None else compiled_folder.read_before(last, beside))
        with suppress(OSError):  # where nothing can be written, every process reads the YAML
            compiled_folder.save(found, path, beside)
    return found


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection: of 100,000 campaigns, looking through all that was made so far took half the time."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def compiled(revision: RevisionId, loaded: LoadedFolder) -> Catalog:
    """A checked folder as a catalog. Raises InvalidInput CAMPAIGNS_INVALID."""
    if loaded.campaigns is None or loaded.attributes is None or loaded.places is None:
        raise InvalidInput("CAMPAIGNS_INVALID", "\n".join(str(finding) for finding in loaded.findings))
    return Catalog(revision, loaded.campaigns, loaded.attributes, loaded.places)


def whole(revision: str, artifacts: Path) -> Path:
    """The kept folder, every byte of it looked at. Raises NotFound REVISION_UNKNOWN, InvalidInput REVISION_BROKEN."""
    kept = find(revision, artifacts)
    found = fingerprint(kept)
    if found != revision:
        message = f"{kept} is not what was published: its content is that of {found}; copy it from where it was kept"
        raise InvalidInput("REVISION_BROKEN", message)
    return kept


def find(revision: str, artifacts: Path) -> Path:
    """The kept folder of a revision. Raises NotFound REVISION_UNKNOWN."""
    kept = artifacts / REVISIONS / revision
    if not NAME.fullmatch(revision) or not kept.is_dir():
        raise NotFound(
            "REVISION_UNKNOWN",
            f"no revision {revision[:40]!r} is kept in {artifacts / 'revisions'}; "
            "copy it there from where it was published, or share OFFING_ARTIFACTS",
        )
    return kept
