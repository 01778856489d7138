"""A checked folder as one file, so that it is read and checked once: by who publishes it, or by the first to load it.

Reading 1,000 campaigns from YAML takes about 1.3 s of a core, from this .15 s. The file is a cache beside the
revisions: whatever is wrong with one (cut short, of another version or program), it is made again from the YAML.

Its first 32 bytes are the SHA-256 of the rest. Only values of this program's own classes are read from it.
"""

import copyreg
import io
import os
import pickle
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path
from tempfile import mkstemp
from types import MappingProxyType
from typing import Any

from offers.folder import LoadedFolder, load_declared
from offers.offer import Campaign, CampaignFolder
from streams.errors import OffingError
from streams.findings import Finding

FOLDER = "compiled"
KEPT = 32
"""Files of the newest revisions; a rollback beyond them reads YAML again."""
A_PIECE = 50
"""Campaigns read in one go, about 7 ms: threads that answer have their turn in between."""
_DIGEST_BYTES = 32
_PACKAGES = ("offers", "streams")
_PLAIN = frozenset({("builtins", "frozenset"), ("builtins", "set")})
_BROKEN = (
    pickle.UnpicklingError,
    EOFError,
    AttributeError,
    ImportError,
    IndexError,
    TypeError,
    ValueError,
    OffingError,
)


def path_of(artifacts: Path, revision: str) -> Path:
    """Where a revision's file is, for this program: another version has one of its own."""
    return artifacts / FOLDER / f"{revision}-{program()}.bin"


def save(loaded: LoadedFolder, path: Path) -> None:
    """Whole or not at all; the oldest files go. A folder with errors is not kept. Raises OSError."""
    if loaded.campaigns is None:
        return
    content = b"".join(_pieces(loaded.campaigns, loaded.findings))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, making = mkstemp(prefix=".making-", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(sha256(content).digest() + content)
    os.replace(making, path)
    _forget(path.parent)


def load(folder: Path, path: Path) -> LoadedFolder | None:
    """A folder as its file has it, places and attributes as its own files do; None if something cannot be read."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    content = memoryview(stored)[_DIGEST_BYTES:]
    if sha256(content).digest() != stored[:_DIGEST_BYTES]:
        return None
    declared = load_declared(folder)
    try:
        campaigns, findings = _read(io.BytesIO(content))
    except _BROKEN:
        return None
    return LoadedFolder(declared.attributes, declared.places, campaigns, findings)


@cache
def program() -> str:
    """12 hex digits over Python's version and this program's source, from which the form of the stored follows."""
    root = Path(__file__).parent.parent
    digest = sha256(platform.python_version().encode())
    for package in _PACKAGES:
        for source in sorted((root / package).rglob("*.py")):
            digest.update(source.relative_to(root).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:12]


def _pieces(folder: CampaignFolder, findings: tuple[Finding, ...]) -> Iterator[bytes]:
    """The parts in the order they are read: the folder without campaigns, how many pieces there are, the pieces."""
    pieces = list(_in_pieces(folder.campaigns))
    for part in ((replace(folder, campaigns=()), findings), len(pieces), *pieces):
        buffer = io.BytesIO()
        _Writer(buffer).dump(part)
        yield buffer.getvalue()


def _in_pieces(campaigns: Iterable[Campaign]) -> Iterator[tuple[Campaign, ...]]:
    left = iter(campaigns)
    while piece := tuple(islice(left, A_PIECE)):
        yield piece


def _read(stream: io.BytesIO) -> tuple[CampaignFolder, tuple[Finding, ...]]:
    folder, findings = _Reader(stream).load()
    campaigns = [campaign for _ in range(_Reader(stream).load()) for campaign in _Reader(stream).load()]
    return replace(folder, campaigns=tuple(campaigns)), findings


def _forget(folder: Path) -> None:
    """Keep the newest; two processes may do this at once."""
    files = sorted(folder.glob("*.bin"), key=_written, reverse=True)
    for old in files[KEPT:]:
        with suppress(OSError):
            old.unlink()


def _written(file: Path) -> float:
    try:
        return file.stat().st_mtime
    except OSError:
        return 0.0


def unchanging(entries: dict[Any, Any]) -> Mapping[Any, Any]:
    """A read-only mapping: what such a one is read back with."""
    return MappingProxyType(entries)


class _Writer(pickle.Pickler):
    """Python's, with the one type of ours that it does not know."""

    dispatch_table = {**copyreg.dispatch_table, MappingProxyType: lambda found: (unchanging, (dict(found),))}

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, protocol=5)


class _Reader(pickle.Unpickler):
    """Reads values of this program's classes and nothing that could run something else."""

    def find_class(self, module: str, name: str) -> Any:
        """Raises UnpicklingError for whatever a campaign has no need of."""
        if (module, name) in _PLAIN:
            return super().find_class(module, name)
        found = super().find_class(module, name) if module.partition(".")[0] in _PACKAGES and "." not in name else None
        if found is not unchanging and not (isinstance(found, type) and found.__module__ == module):
            raise pickle.UnpicklingError(f"{module}.{name} has no place in a compiled folder")
        return found
