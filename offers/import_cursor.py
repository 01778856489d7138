"""How far an import came: a file beside it that survives a kill, and the rows that could not be used."""

import csv
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from hashlib import blake2b
from pathlib import Path

import msgspec

from offers.import_map import OWN, Layout
from offers.import_table import Row
from streams.errors import InvalidInput
from streams.findings import Finding
from streams.instant import format_instant, millis

FORMAT = 1
CHUNK = 1 << 20


class Cursor(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One import as far as it is durable. `ends` was read before the next batch is appended: what of that batch is in

    the log already, after a kill, lies behind it."""

    v: int
    path: str
    kind: str
    file: str
    """Digest of the file's content."""
    read_as: str
    """Digest of the map."""
    epoch: str
    """Of the log."""
    ends: dict[int, int]
    """Partition of offing.customers -> the log's end."""
    rows: int = 0
    """Taken from the table, whatever became of them."""
    bad: int = 0
    bad_bytes: int = 0
    """Size of the dead-letter file."""
    withheld: dict[str, int] = {}
    events: dict[str, int] = {}
    done: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where one import is remembered."""

    folder: Path
    digest: str

    @property
    def cursor(self) -> Path:
        return self.folder / f"{self.digest}.json"

    @property
    def lock(self) -> Path:
        return self.folder / f"{self.digest}.lock"

    @property
    def dead_letters(self) -> Path:
        return self.folder / f"{self.digest}.bad.csv"

    def load(self) -> Cursor | None:
        """None: it was not begun. Raises InvalidInput IMPORT_CURSOR."""
        try:
            found = msgspec.json.decode(self.cursor.read_bytes(), type=Cursor)
        except FileNotFoundError:
            return None
        except msgspec.DecodeError as error:
            raise InvalidInput("IMPORT_CURSOR", f"{self.cursor} is not readable: {error}; `--restart`") from error
        if found.v != FORMAT:
            raise InvalidInput("IMPORT_CURSOR", f"{self.cursor} has version {found.v}, expected {FORMAT}; `--restart`")
        return found

    def save(self, cursor: Cursor) -> None:
        """Whole or not at all, and durable when it returns."""
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.cursor.with_suffix(".new")
        with new.open("wb") as file:
            file.write(msgspec.json.encode(cursor))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.cursor)

    def others(self, path: str) -> list[Cursor]:
        """Unfinished imports of a file of this name with another content."""
        found = [Place(self.folder, each.stem).load() for each in sorted(self.folder.glob("*.json"))]
        return [
            each for each in found if each and not each.done and each.path == path and each.file != self._file_digest
        ]

    @property
    def _file_digest(self) -> str:
        return self.digest.partition("-")[2]


def digest_of(path: Path) -> str:
    """Of a file's content."""
    body = blake2b(digest_size=12)
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            body.update(chunk)
    return body.hexdigest()


class DeadLetterFile:
    """Bad rows as CSV with the columns of the table, and why: mended it is imported like the table, by the same map.

    Readable by its owner alone, since it holds what the table does."""

    COLUMNS = (f"{OWN}row", f"{OWN}code", f"{OWN}found", f"{OWN}mend")

    def __init__(self, path: Path, table: tuple[Sequence[str], Layout], size: int) -> None:
        """`size`: of what was written before; anything behind it was written by a run that did not live to note it."""
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        os.ftruncate(handle, size)
        columns, self._layout = table
        self._file = os.fdopen(handle, "a", encoding=self._layout.encoding, errors="surrogateescape", newline="")
        self._writer = csv.writer(self._file, delimiter=self._layout.separator)
        self._width = len(columns)
        if not size:
            self._writer.writerow([*columns, *self.COLUMNS])

    def write(self, row: Row, findings: Iterable[Finding]) -> None:
        """One row with the first of its findings."""
        finding = next(iter(findings))
        cells = [as_text(cell, self._layout) for cell in row.cells[: self._width]]
        cells += [""] * (self._width - len(cells))
        told = [self._written(text) for text in (finding.message, finding.hint)]
        self._writer.writerow([*cells, row.number, finding.code, *told])

    def _written(self, text: str) -> str:
        """Of a message what this encoding has."""
        return text.encode(self._layout.encoding, "replace").decode(self._layout.encoding)

    def size(self) -> int:
        """Bytes, all durable."""
        self._file.flush()
        os.fsync(self._file.fileno())
        return os.fstat(self._file.fileno()).st_size

    def close(self) -> None:
        self._file.close()


def as_text(cell: object, layout: Layout) -> str:
    """A cell as CSV of this layout would have it."""
    if cell is None:
        return ""
    if isinstance(cell, list):
        return layout.list.join(str(member) for member in cell)
    if isinstance(cell, float | Decimal):
        return str(cell).replace(".", layout.decimal)
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        return format_instant(millis(cell))
    return str(cell)
