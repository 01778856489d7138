"""What the ledger wanted last, in a file: a start while the ledger is away lets nothing that is stopped return."""

import os
from pathlib import Path
from tempfile import NamedTemporaryFile

import msgspec

from offers.ledger import Wanted

VERSION = 1


class _Line(msgspec.Struct, frozen=True):
    v: int
    wanted: Wanted


def path_of(artifacts: Path, namespace: str) -> Path:
    """Where it is written."""
    return artifacts / f"wanted-{namespace}.json"


def remember(path: Path, wanted: Wanted) -> None:
    """Write it, whole or not at all; processes of a host write the same. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=path.parent, prefix=f".{path.name}-", delete=False) as file:
        file.write(msgspec.json.encode(_Line(VERSION, wanted), order="sorted"))
    os.replace(file.name, path)


def recall(path: Path) -> Wanted | None:
    """What was written last; None: nothing that this version reads."""
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Line)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None
    return found.wanted if found.v == VERSION else None
