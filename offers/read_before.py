"""Campaign files read before: where one file of a folder changed, only that one is read again.

Reading and checking 1,000 campaigns takes 1.5 s of a core. What a file says depends on its own text and on the files
beside the campaigns (attributes, places, groups, policies, ...): while those are the same, a file with the same text
says the same. Only files without errors are remembered, and a folder with an error is read from the beginning: what
people are told never depends on what was read before.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from offers.campaign import ReadCampaign
from streams.findings import Finding
from streams.positioned_yaml import MAX_BYTES, Node, TextNode


@dataclass(frozen=True, slots=True)
class ReadFile:
    """A file without errors."""

    read: ReadCampaign
    """Its nodes say where they stand, and nothing else."""
    warnings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class ReadBefore:
    """Files of a folder."""

    files: Mapping[bytes, ReadFile] = field(default_factory=dict)
    """By text_of()."""


NOTHING = ReadBefore()


def text_of(path: str, file: Path) -> bytes:
    """16 bytes that stand for a file: where it is, since findings and reasons name it, and what is in it.

    Nothing for one that cannot be read, or is larger than a campaign may be.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError:
        return b""
    return sha256(b"%s\0%s" % (path.encode(), content)).digest()[:16] if len(content) <= MAX_BYTES else b""


def beside(folder: Path, files: Iterable[Path], campaigns: Collection[Path]) -> bytes:
    """16 bytes that stand for the files that are no campaigns. Raises OSError."""
    digest = sha256()
    for file in files:
        if file not in campaigns:
            content = file.read_bytes()
            digest.update(b"%s\0%d\0%s" % (file.relative_to(folder).as_posix().encode(), len(content), content))
    return digest.digest()[:16]


def remembered(read: ReadCampaign, warnings: Iterable[Finding]) -> ReadFile:
    """A file as it is kept."""
    experiment = None if read.experiment_node is None else place(read.experiment_node)
    places = ReadCampaign(read.campaign, place(read.campaign_node), place(read.offer_node), experiment)
    return ReadFile(places, tuple(warnings))


def place(node: Node) -> TextNode:
    """Where a node stands, and nothing of what it says."""
    return TextNode("", True, node.line, node.column, node.path)
