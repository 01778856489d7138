"""A checked folder as one file, so that it is read and checked once: by who publishes it, or by the first to load it.

Reading 1,000 campaigns from YAML takes about 1.3 s of a core, from this .15 s. The file is a cache beside the
revisions: whatever is wrong with one (cut short, of another version or program), it is made again from the YAML.

Its first 32 bytes are the SHA-256 of the rest. Only values of this program's own classes are read from it. Behind what
workers load stands what the next to publish reads: which file said what (offers.read_before).
"""

import copyreg
import io
import os
import pickle
import platform
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from operator import is_
from pathlib import Path
from tempfile import mkstemp
from types import MappingProxyType
from typing import Any
from zlib import crc32

from offers.campaign import ReadCampaign
from offers.folder import LoadedFolder, load_declared
from offers.offer import Campaign, CampaignFolder
from offers.read_before import NOTHING, ReadBefore, ReadFile
from streams.errors import OffingError
from streams.findings import Finding
from streams.ids import CampaignId
from streams.positioned_yaml import TextNode

FOLDER = "compiled"
KEPT = 32
"""Files of the newest revisions; a rollback beyond them reads YAML again."""
A_PIECE = 25
"""Campaigns read in one go, about 2 ms: threads that answer have their turn in between. Where a piece ends follows

from the ids in it, so that one campaign more does not move all others into other pieces.
"""
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


def save(loaded: LoadedFolder, path: Path, beside: bytes = b"") -> None:
    """Whole or not at all; the oldest files go. A folder with errors is not kept. Raises OSError.

    `beside`: read_before.beside() of the folder; empty: nobody will ask what its files said.
    """
    if loaded.campaigns is None:
        return
    content = b"".join(_parts(loaded, loaded.campaigns, beside))
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, making = mkstemp(prefix=".making-", dir=path.parent)
    with os.fdopen(handle, "wb") as file:
        file.write(sha256(content).digest() + content)
    os.replace(making, path)
    _forget(path.parent)


def load(folder: Path, path: Path) -> LoadedFolder | None:
    """A folder as its file has it, places and attributes as its own files do; None if something cannot be read."""
    found = _read(path)
    if found is None:
        return None
    declared = load_declared(folder)
    return LoadedFolder(declared.attributes, declared.places, found.folder, found.findings)


def newest(artifacts: Path) -> Path | None:
    """The file written last by this program; None: there is none."""
    files = sorted((artifacts / FOLDER).glob(f"*-{program()}.bin"), key=_written)
    return files[-1] if files else None


def read_before(path: Path, beside: bytes) -> ReadBefore:
    """What the files of a folder said, if they stood beside these same others; nothing if it is not known."""
    found = _read(path)
    if found is None:
        return NOTHING
    try:
        stood_beside, said = _Reader(found.rest).load()
    except _BROKEN:
        return NOTHING
    if not beside or stood_beside != beside:
        return NOTHING
    campaigns = {campaign.id: campaign for campaign in found.folder.campaigns}
    return ReadBefore({text: _file(campaigns[of], places, warnings) for text, of, places, warnings in said})


@cache
def program() -> str:
    """12 hex digits over Python's version and this program's source, from which the form of the stored follows."""
    root = Path(__file__).parent.parent
    digest = sha256(platform.python_version().encode())
    for package in _PACKAGES:
        for source in sorted((root / package).rglob("*.py")):
            digest.update(source.relative_to(root).as_posix().encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class _Stored:
    """What a file holds."""

    folder: CampaignFolder
    findings: tuple[Finding, ...]
    rest: io.BytesIO
    """The part that workers do not read."""


def _parts(loaded: LoadedFolder, folder: CampaignFolder, beside: bytes) -> Iterator[bytes]:
    """The folder without campaigns and how long each piece of them is, the pieces, what their files said."""
    pieces = [_kept.bytes_of(tuple(piece)) or _written_as(tuple(piece)) for piece in _in_pieces(folder.campaigns)]
    yield _written_as((replace(folder, campaigns=()), loaded.findings, [len(piece) for piece in pieces]))
    yield from pieces
    said = [
        (text, file.read.campaign.id, _places(file.read), file.warnings) for text, file in loaded.read.files.items()
    ]
    yield _written_as((beside, said if beside else []))


def _in_pieces(campaigns: Iterable[Campaign]) -> Iterator[list[Campaign]]:
    piece: list[Campaign] = []
    for campaign in campaigns:
        piece.append(campaign)
        if crc32(campaign.id.encode()) % A_PIECE == 0 or len(piece) == 2 * A_PIECE:
            yield piece
            piece = []
    if piece:
        yield piece


def _written_as(value: object) -> bytes:
    buffer = io.BytesIO()
    _Writer(buffer).dump(value)
    return buffer.getvalue()


def _read(path: Path) -> _Stored | None:
    """None: there is no such file, or something is wrong with it."""
    try:
        stored = path.read_bytes()
    except OSError:
        return None
    content = memoryview(stored)[_DIGEST_BYTES:]
    if sha256(content).digest() != stored[:_DIGEST_BYTES]:
        return None
    stream = io.BytesIO(content)
    try:
        folder, findings, lengths = _Reader(stream).load()
        campaigns = _kept.campaigns([stream.read(length) for length in lengths])
    except _BROKEN:
        return None
    return _Stored(replace(folder, campaigns=campaigns), findings, stream)


class _Kept:
    """The pieces read last: of the next revision most are the same, and so are their campaigns."""

    def __init__(self) -> None:
        self._campaigns: Mapping[bytes, tuple[Campaign, ...]] = {}
        self._bytes: Mapping[CampaignId, bytes] = {}
        """By the first campaign."""

    def campaigns(self, pieces: Iterable[bytes]) -> tuple[Campaign, ...]:
        """Every campaign in order. Raises what _BROKEN lists."""
        before = self._campaigns  # read once: another thread may put its own there
        found = {piece: before.get(piece) or _Reader(io.BytesIO(piece)).load() for piece in pieces}
        self._campaigns, self._bytes = found, {campaigns[0].id: piece for piece, campaigns in found.items()}
        return tuple(campaign for campaigns in found.values() for campaign in campaigns)

    def bytes_of(self, campaigns: tuple[Campaign, ...]) -> bytes:
        """How these very objects were written; empty: they are others."""
        piece = self._bytes.get(campaigns[0].id, b"")
        same = self._campaigns.get(piece, ())
        return piece if len(same) == len(campaigns) and all(map(is_, same, campaigns)) else b""

    def forget(self) -> None:
        """Read everything again."""
        self._campaigns, self._bytes = {}, {}


_kept = _Kept()

_Place = tuple[int, int, str]


def _places(read: ReadCampaign) -> tuple[_Place | None, ...]:
    nodes = read.campaign_node, read.offer_node, read.experiment_node
    return tuple(None if node is None else (node.line, node.column, node.path) for node in nodes)


def _file(campaign: Campaign, places: tuple[_Place | None, ...], warnings: tuple[Finding, ...]) -> ReadFile:
    campaign_node, offer_node, experiment_node = (None if at is None else TextNode("", True, *at) for at in places)
    if campaign_node is None or offer_node is None:
        raise pickle.UnpicklingError("a campaign and its offer stand somewhere")
    return ReadFile(ReadCampaign(campaign, campaign_node, offer_node, experiment_node), warnings)


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
