"""A table to import, CSV or Parquet, row by row: a file of any size takes the memory of a thousand rows."""

import csv
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from streams.errors import InvalidInput
from streams.findings import Finding, shown

MAX_LINE = 1 << 20
"""Bytes of one line. A file that is no CSV must not become one field of gigabytes."""
PARQUET_ROWS = 1_000
BOM = b"\xef\xbb\xbf"
UTF_16 = (b"\xff\xfe", b"\xfe\xff")
PARQUET = b"PAR1"


class Unreadable(InvalidInput):
    """The file cannot be read beyond this place, so nobody knows where its next row begins."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.code, str(finding))
        self.finding = finding


@dataclass(frozen=True, slots=True)
class Row:
    """One row, its cells in the order of the columns: text from CSV, typed from Parquet, None for null."""

    number: int
    """Of CSV the line it begins on, the header being line 1; of Parquet the row, from 1."""
    cells: tuple[object, ...]
    until: int
    """How far the table was read, in the unit of its `size`."""
    finding: Finding | None = None
    """Why its cells cannot be told apart."""


@dataclass(frozen=True, slots=True)
class Table:
    """A file that was opened once to read its columns."""

    path: Path
    columns: tuple[str, ...]
    rows: Callable[[], Iterator[Row]]
    """From the first row on, each time it is called. Raises Unreadable."""
    size: int


def open_table(path: Path, separator: str = ",", encoding: str = "utf-8") -> Table:
    """A table by what its first bytes are. Raises Unreadable: FILE_EMPTY, ENCODING_INVALID, CSV_MALFORMED,

    PARQUET_MALFORMED, COLUMN_TWICE or COLUMN_UNNAMED; OSError.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        raise Unreadable(
            Finding(str(path), 1, 1, "FILE_EMPTY", "the file is empty.", "Expected a row of column names.")
        )
    if start == PARQUET:
        return _named(_parquet(path))
    if start[:2] in UTF_16:
        hint = "Save it as UTF-8."
        raise Unreadable(Finding(str(path), 1, 1, "ENCODING_INVALID", "the file is in UTF-16.", hint))
    return _named(_Csv(path, separator, encoding).table())


def _named(table: Table) -> Table:
    for number, name in enumerate(table.columns, 1):
        if not name.strip():
            finding = Finding(str(table.path), 1, number, "COLUMN_UNNAMED", f"column {number} has no name.", "Name it.")
            raise Unreadable(finding)
        if name in table.columns[: number - 1]:
            message = f"two columns are named {shown(name)}."
            raise Unreadable(Finding(str(table.path), 1, number, "COLUMN_TWICE", message, "Rename or remove one."))
    return table


@dataclass(frozen=True, slots=True)
class _Csv:
    path: Path
    separator: str
    encoding: str

    def table(self) -> Table:
        header = next(self._records(), None)
        if header is None:
            message = "the file has no row of column names."
            raise Unreadable(Finding(str(self.path), 1, 1, "FILE_EMPTY", message, "Write them in its first line."))
        if header.finding is not None:
            raise Unreadable(header.finding)
        names = tuple(str(cell) for cell in header.cells)
        bad = next((number for number, name in enumerate(names, 1) if undecodable(name)), None)
        if bad is not None:
            raise Unreadable(Finding(str(self.path), 1, bad, "ENCODING_INVALID", *encoding_told(names[bad - 1])))
        return Table(self.path, names, lambda: self._rows(len(names)), self.path.stat().st_size)

    def _rows(self, width: int) -> Iterator[Row]:
        records = self._records()
        next(records, None)
        for row in records:
            if row.finding is None and len(row.cells) != width:
                message = f"the row has {len(row.cells)} cells."
                hint = f"Expected {width}, one a column; a text with {self.separator!r} in it stands in double quotes."
                yield Row(row.number, row.cells, row.until, self._finding(row.number, "ROW_WIDTH", message, hint))
            else:
                yield row

    def _records(self) -> Iterator[Row]:
        """Every record, the header too; empty lines are none. An error that ends on the line on which its record began

        spoils that record alone. After one that spans lines nobody knows what belongs to what."""
        with self.path.open("rb") as file:
            reader = csv.reader(self._lines(file), delimiter=self.separator, strict=True)
            while True:
                number = reader.line_num + 1
                try:
                    cells = next(reader, None)
                except csv.Error as error:
                    finding = self._malformed(number, error)
                    if reader.line_num > number or "unexpected end" in str(error):
                        raise Unreadable(finding) from error
                    yield Row(number, (), file.tell(), finding)
                    continue
                if cells is None:
                    return
                if cells:
                    yield Row(number, tuple(cells), file.tell())

    def _lines(self, file: BinaryIO) -> Iterator[str]:
        """Lines as text. Bytes that are none in this encoding stay in it as lone surrogates, so that the cell with

        them can be named and all others read."""
        for number in range(1, 1 << 62):
            line = file.readline(MAX_LINE + 1)
            if len(line) > MAX_LINE:
                message = f"the line has more than {MAX_LINE:,} bytes."
                raise Unreadable(self._finding(number, "ROW_TOO_LONG", message, "Is it a CSV file with line breaks?"))
            if not line:
                return
            if number == 1:
                line = line.removeprefix(BOM)
            yield line.decode(self.encoding, "surrogateescape")

    def _malformed(self, number: int, error: csv.Error) -> Finding:
        if "field limit" in str(error):
            message = f"a field has more than {csv.field_size_limit():,} characters."
            return self._finding(number, "FIELD_TOO_LONG", message, "Shorten it, or close the quotes before it.")
        message = f"the row cannot be read: {error}."
        return self._finding(number, "CSV_MALFORMED", message, 'Double the quotes within quotes: "a ""b"" c".')

    def _finding(self, number: int, code: str, message: str, hint: str) -> Finding:
        return Finding(str(self.path), number, 1, code, message, hint)


def undecodable(text: str) -> bool:
    """Whether bytes in it were no text in the file's encoding."""
    return not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text)


def encoding_told(text: str) -> tuple[str, str]:
    """(what was found, the mend)"""
    plain = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return f"{shown(plain)} has bytes that are no text in this encoding.", "Save as UTF-8, or say `encoding` in --map."


def _parquet(path: Path) -> Table:
    try:
        with pq.ParquetFile(path) as file:
            names, size = tuple(file.schema_arrow.names), file.metadata.num_rows
    except (pa.ArrowException, OSError) as error:
        raise _no_parquet(path, 1, error) from error
    return Table(path, names, lambda: _parquet_rows(path), size)


def _parquet_rows(path: Path) -> Iterator[Row]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_ROWS, use_threads=False):
                for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    yield Row(number, cells, number)
    except (pa.ArrowException, OSError, ValueError, OverflowError, LookupError) as error:  # of times without a place
        raise _no_parquet(path, number + 1, error) from error


def _no_parquet(path: Path, number: int, error: Exception) -> Unreadable:
    said = str(error).splitlines()[0][:200].replace(os.fspath(path), path.name)
    message = f"the file cannot be read as Parquet: {said}."
    return Unreadable(Finding(str(path), number, 1, "PARQUET_MALFORMED", message, "Write it again."))
