"""Revisions: a campaign folder named by the hash of its content, kept for replay, compiled when it is needed."""

import os
import re
import shutil
from hashlib import sha256
from pathlib import Path
from tempfile import mkdtemp

from offers.catalog import Catalog
from offers.folder import LoadedFolder, load_folder
from streams.errors import InvalidInput, NotFound
from streams.ids import RevisionId

SUFFIXES = (".yaml", ".yml", ".geojson", ".csv")
MAX_FILES = 100_000
NAME = re.compile(r"r-[0-9a-f]{12}")


def files(folder: Path) -> list[Path]:
    """The files that make a revision, in the order of their relative paths."""
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())
    if len(found) > MAX_FILES:
        raise InvalidInput("FOLDER_TOO_LARGE", f"{folder} has {len(found)} files; at most {MAX_FILES}")
    return found


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
    kept = artifacts / "revisions" / revision
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
    try:
        making.chmod(0o755)
        os.rename(making, kept)
    except OSError:
        shutil.rmtree(making)
        if not kept.is_dir():
            raise
    return kept


def catalog_of(kept: Path) -> Catalog:
    """The compiled catalog of a kept revision. Raises InvalidInput CAMPAIGNS_INVALID with every finding."""
    loaded = load_folder(kept)
    return compiled(RevisionId(kept.name), loaded)


def compiled(revision: RevisionId, loaded: LoadedFolder) -> Catalog:
    """A checked folder as a catalog. Raises InvalidInput CAMPAIGNS_INVALID."""
    if loaded.campaigns is None or loaded.attributes is None or loaded.places is None:
        raise InvalidInput("CAMPAIGNS_INVALID", "\n".join(str(finding) for finding in loaded.findings))
    return Catalog(revision, loaded.campaigns, loaded.attributes, loaded.places)


def find(revision: str, artifacts: Path) -> Path:
    """The kept folder of a revision. Raises NotFound REVISION_UNKNOWN."""
    kept = artifacts / "revisions" / revision
    if not NAME.fullmatch(revision) or not kept.is_dir():
        raise NotFound("REVISION_UNKNOWN", f"no revision {revision[:40]!r} is kept in {artifacts / 'revisions'}")
    return kept
