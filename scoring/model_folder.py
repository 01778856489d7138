"""A model folder: named by its content, written whole or not at all, checked before it is believed.

m-3f2a91c04d17/  manifest.json  model.txt  features.json  calibration.json  evidence.json  sample.npy
                 card.json  card.md  card.html and distribution.json (not in older ones)
                 masks.npz (scoring.compiled; where the trees have masks)
                 verdict.json (what the gate found; not part of the model, so its name does not depend on it)
"""

import os
import shutil
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path
from tempfile import mkdtemp, mkstemp
from time import time

import msgspec

from streams.errors import InvalidInput
from streams.ids import ModelId

FORMAT = 1
MANIFEST = "manifest.json"
MODEL = "model.txt"
FEATURES = "features.json"
CALIBRATION = "calibration.json"
EVIDENCE = "evidence.json"
SAMPLE = "sample.npy"
CARD = "card.json"
VERDICT = "verdict.json"
DISTRIBUTION = "distribution.json"
"""Optional: folders of earlier versions have none, and drift from their training is not known."""
COMPILED = "masks.npz"
_MEND = "train again with `offing train`, or activate another model; until then the prior serves"


class Compiled(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The compiled trees, for one kind of processor. Not part of the model's id: they compute the same."""

    digest: str
    target: str = ""
    """As scoring.compiled.TARGET says; empty in folders of earlier versions, which say three other things instead."""
    machine: str = ""
    target_cpu: str = ""
    target_features: str = ""


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What must be in the folder."""

    v: int
    model: ModelId
    files: dict[str, str]
    """File name -> BLAKE2b-128 of its bytes."""
    compiled: Compiled | None = None


def digest(body: bytes) -> str:
    """BLAKE2b-128 in hex."""
    return blake2b(body, digest_size=16).hexdigest()


def model_id(files: Mapping[str, str]) -> ModelId:
    """`m-` and 12 hex digits of what the folder holds."""
    lines = "".join(f"{name}={found}\n" for name, found in sorted(files.items()))
    return ModelId(f"m-{blake2b(lines.encode(), digest_size=6).hexdigest()}")


def draft(parent: Path) -> Path:
    """An empty folder beside the finished ones, to be filled and then given to `finish`, or removed."""
    parent.mkdir(parents=True, exist_ok=True)
    return Path(mkdtemp(prefix=".m-", dir=parent))


def sweep(parent: Path, older_s: float = 86_400.0) -> int:
    """Remove drafts that nobody has written to for so long: of trainings that were killed. How many went."""
    gone = 0
    for left in parent.glob(".m-*"):
        if time() - left.stat().st_mtime > older_s:
            shutil.rmtree(left, ignore_errors=True)
            gone += 1
    return gone


def finish(drafted: Path, compiled: Compiled | None) -> Path:
    """Name a filled draft by its content, durably. A model that is there already stays as it is."""
    names = sorted(path.name for path in drafted.iterdir() if path.name != COMPILED)
    files = {name: digest((drafted / name).read_bytes()) for name in names}
    manifest = Manifest(FORMAT, model_id(files), files, compiled)
    (drafted / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest), indent=1))
    for path in (*sorted(drafted.iterdir()), drafted):
        _sync(path)
    drafted.chmod(0o755)
    final = drafted.parent / manifest.model
    if (final / MANIFEST).exists():
        shutil.rmtree(drafted)
    else:
        drafted.rename(final)
        _sync(final.parent)
    return final


def put_beside(folder: Path, name: str, body: bytes) -> None:
    """A file about a finished model, whole or not at all; the manifest does not list it. Replaces an older one."""
    handle, drafted = mkstemp(prefix=f".{name}-", dir=folder)
    path = Path(drafted)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(0o644)
        path.replace(folder / name)
    finally:
        path.unlink(missing_ok=True)


def check(folder: Path) -> Manifest:
    """The manifest of a folder whose files are all as they were written. Raises InvalidInput MODEL_INVALID."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
        if manifest.v != FORMAT:
            raise invalid(folder, f"its format is {manifest.v}, this version reads {FORMAT}")
        for name, expected in manifest.files.items():
            if digest((folder / name).read_bytes()) != expected:
                raise invalid(folder, f"{name} is not what was written: truncated or changed")
    except OSError as error:
        raise invalid(folder, f"{error.filename or folder} cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise invalid(folder, f"{MANIFEST} is not readable: {error}") from error
    if model_id(manifest.files) != manifest.model:
        raise invalid(folder, f"{MANIFEST} names other files than the model {manifest.model} was made of")
    return manifest


def invalid(folder: Path, found: str) -> InvalidInput:
    """MODEL_INVALID, with the mend."""
    return InvalidInput("MODEL_INVALID", f"the model in {folder} cannot be used: {found}; {_MEND}")


def _sync(path: Path) -> None:
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
