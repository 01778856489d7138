"""One file of the lake: written whole or not at all, and read with care."""

import os
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

SUFFIX = ".parquet"
_VERSION = b"offing.lake"
FORMAT = b"1"
MILLIS = pa.timestamp("ms", tz="UTC")
SHOWN = pa.list_(
    pa.struct(
        [
            ("placement", pa.string()),
            ("rank", pa.int16()),
            ("offer_id", pa.string()),
            ("campaign_id", pa.string()),
            ("about", pa.string()),
            ("score", pa.float64()),
            ("propensity", pa.float64()),
            ("value", pa.float64()),
        ]
    )
)
DECISIONS = pa.schema(
    [
        ("decision_id", pa.string()),
        ("at", MILLIS),
        ("customer_id", pa.string()),
        ("origin", pa.string()),
        ("revision", pa.string()),
        ("model", pa.string()),
        ("engine", pa.string()),
        ("candidates", pa.int32()),
        ("shown", SHOWN),
        ("line", pa.binary()),
    ],
    metadata={_VERSION: FORMAT},
)
"""A row per decision. `line` is the whole record; the rest is there for SQL."""
OUTCOMES = pa.schema(
    [
        ("decision_id", pa.string()),
        ("about", pa.string()),
        ("offer_id", pa.string()),
        ("placement", pa.string()),
        ("event", pa.string()),
        ("at", MILLIS),
        ("recorded", MILLIS),
        ("source", pa.string()),
        ("event_id", pa.string()),
        ("customer_id", pa.string()),
        ("origin", pa.string()),
    ],
    metadata={_VERSION: FORMAT},
)
"""A row per offer event; joined with `shown` on decision_id, about, offer_id, placement."""
Row = dict[str, Any]
"""One row by column name, instants in ms."""
_GROUP = 1_024
_PLAIN = ("line", "decision_id", "event_id")
"""Columns in which nothing repeats: a dictionary would only cost."""


class LakeFileUnreadable(UserWarning):
    """A file of the lake is corrupt, half written or of another format: its rows are left out."""


def write(folder: Path, rows: Sequence[Row], schema: pa.Schema) -> Path:
    """One new file with these rows in order of decision id, durable when it returns. Raises OSError, and there is none.

    Its name holds its first and last decision id, and its content: the same rows written twice are one file.
    """
    ordered = sorted(rows, key=lambda row: (row["decision_id"], row.get("event_id", "")))
    content = pa.BufferOutputStream()
    repeating = [name for name in schema.names if name not in _PLAIN]
    table = pa.Table.from_pylist(ordered, schema=schema)
    pq.write_table(
        table,
        content,
        compression="zstd",
        use_dictionary=repeating,
        row_group_size=_GROUP,
        write_page_checksum=True,
    )
    body = content.getvalue().to_pybytes()
    first, last = ordered[0]["decision_id"], ordered[-1]["decision_id"]
    path = folder / f"{first}_{last}_{blake2b(body, digest_size=6).hexdigest()}{SUFFIX}"
    folder.mkdir(parents=True, exist_ok=True)
    _durably(path, body)
    return path


def span(path: Path) -> tuple[str, str]:
    """The first and last decision id of a file, by its name."""
    first, last, *_ = path.stem.split("_")
    return first, last


def read(path: Path, columns: Sequence[str], decision_id: str | None = None) -> Iterator[Row]:
    """Rows of a file, a thousand at a time in memory; of one decision if it is named.

    Raises FileNotFoundError (it was compacted away), or else LakeFileUnreadable.
    """
    only = None if decision_id is None else pc.field("decision_id") == decision_id
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            found = (file.schema_arrow.metadata or {}).get(_VERSION)
            if found != FORMAT:
                raise pa.ArrowInvalid(f"its format is {found!r}; this version reads {FORMAT!r}")
            for batch in file.iter_batches(_GROUP, columns=list(columns)):
                yield from (batch if only is None else batch.filter(only)).to_pylist()
    except FileNotFoundError:
        raise
    except (pa.ArrowException, OSError) as error:
        message = f"{path} is left out: {error}. Bring it back from a copy, or move it away"
        raise LakeFileUnreadable(message) from error


def _durably(path: Path, body: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
