"""The lake: decisions and outcomes as Parquet, by day of the decision and bucket of the customer, for ever.

    decisions/day=2026-11-21/bucket=3/<first id>_<last id>_<content>.parquet
    outcomes/day=2026-11-21/bucket=3/<first id>_<last id>_<content>.parquet

Any engine reads these files. A crash may write a row twice: whoever reads through this module gets it once.
"""

import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
import pyarrow as pa

from streams.ids import DecisionId, Millis
from streams.instant import millis, moment
from streams.lake_file import DECISIONS, OUTCOMES, SUFFIX, LakeFileUnreadable, Row, read, span, write
from streams.lake_rows import BUCKETS, LoggedOutcome, Part, decision_row, outcome_row, part_of, time_of
from streams.record import DecisionRecord, decode

COMPACTED_ROWS = 20_000
"""Most rows that compaction puts into one file, and holds in memory."""


@dataclass(frozen=True, slots=True)
class Table:
    """One of the two tables: its folder, its schema, and what makes two rows the same row."""

    name: str
    schema: pa.Schema
    identity: tuple[str, ...]


DECISION_TABLE = Table("decisions", DECISIONS, ("decision_id",))
OUTCOME_TABLE = Table("outcomes", OUTCOMES, ("source", "event_id"))
TABLES = (DECISION_TABLE, OUTCOME_TABLE)


@dataclass(frozen=True, slots=True)
class Lake:
    """A folder; it need not exist yet. Any number of processes may append, compact and read at once."""

    folder: Path

    def append_decisions(self, decisions: Iterable[tuple[DecisionRecord, bytes]]) -> list[Path]:
        """Records with their lines -> one new file per part, durable. Raises InvalidInput DECISION_ID before anything

        is written; OSError: some parts may be written and some not, so append the same ones again.
        """
        rows = [
            (part_of(record.inputs.decision_id, record.inputs.request.customer_id), decision_row(record, line))
            for record, line in decisions
        ]
        return self._append(DECISION_TABLE, rows)

    def append_outcomes(self, outcomes: Iterable[LoggedOutcome]) -> list[Path]:
        """As append_decisions; an outcome is kept on the day of its decision."""
        rows = [(part_of(outcome.decision_id, outcome.customer_id), outcome_row(outcome)) for outcome in outcomes]
        return self._append(OUTCOME_TABLE, rows)

    def parts(self, since: Millis | None = None, until: Millis | None = None) -> list[Part]:
        """Parts that hold decisions of the days from `since` to `until`, both included, in order."""
        first = "" if since is None else _day(since)
        last = "9" if until is None else _day(until)
        folders = (self.folder / DECISION_TABLE.name).glob("day=*/bucket=*")
        parts = (Part(folder.parent.name[4:], int(folder.name[7:])) for folder in folders)
        return sorted(part for part in parts if first <= part.day <= last)

    def decisions(self, part: Part) -> Iterator[DecisionRecord]:
        """Each decision of a part once, in order of file and id. Holds the ids of the part in memory."""
        for row in self._rows(DECISION_TABLE, part, ("decision_id", "line")):
            record = _decoded(row)
            if record is not None:
                yield record

    def lines(self, part: Part) -> Iterator[bytes]:
        """The stored line of each decision of a part once: for who reads them in another process."""
        for row in self._rows(DECISION_TABLE, part, ("decision_id", "line")):
            yield row["line"]

    def lines_after(self, at: Millis) -> Iterator[tuple[DecisionId, bytes]]:
        """Id and stored line of each decision after an instant, once. Opens no file that ends before it."""
        for part in self.parts(at):
            for row in self._rows(DECISION_TABLE, part, ("decision_id", "line"), after=at):
                if time_of(row["decision_id"]) > at:
                    yield row["decision_id"], row["line"]

    def outcomes(self, part: Part) -> Iterator[LoggedOutcome]:
        """Each outcome of a part once."""
        for row in self._rows(OUTCOME_TABLE, part, tuple(OUTCOMES.names)):
            row["at"], row["recorded"] = millis(row["at"]), millis(row["recorded"])
            yield LoggedOutcome(**row)

    def scan(self, since: Millis | None = None, until: Millis | None = None) -> Iterator[DecisionRecord]:
        """Each decision from `since` to before `until` once, part by part."""
        for part in self.parts(since, until):
            for record in self.decisions(part):
                now = record.inputs.now
                if (since is None or since <= now) and (until is None or now < until):
                    yield record

    def find(self, decision_id: DecisionId) -> DecisionRecord | None:
        """The decision, or None if it has not come here (yet). Raises InvalidInput DECISION_ID.

        Looks only into files of its day whose names span it.
        """
        day = self.folder / DECISION_TABLE.name / f"day={_day(time_of(decision_id))}"
        for path in sorted(day.glob(f"bucket=*/[!.]*{SUFFIX}")):
            first, last = span(path)
            for row in _present(path, ("decision_id", "line"), decision_id) if first <= decision_id <= last else ():
                record = _decoded(row)
                if record is not None:
                    return record
        return None

    def newest(self) -> Millis | None:
        """The latest instant of a decision or an outcome of the last two days that have any; None without any."""
        parts = self.parts()
        days = sorted({part.day for part in parts})[-2:]
        instants = (
            millis(row["at"])
            for part in parts
            if part.day in days
            for table in TABLES
            for row in self._rows(table, part, (*table.identity, "at"))
        )
        return max(instants, default=None)

    def compact(self, day: str) -> int:
        """Make few files of many, each row once; returns how many files went. Readers notice nothing.

        A crash leaves rows twice, never none. Files of rows that cannot be read stay.
        """
        return sum(self.compact_part(Part(day, number)) for number in range(BUCKETS))

    def compact_part(self, part: Part) -> int:
        """As compact, for one bucket of the day."""
        return sum(self._compact(table, self._folder(table, part)) for table in TABLES)

    def _compact(self, table: Table, folder: Path) -> int:
        gone = 0
        group: list[Path] = []
        rows: dict[tuple[str, ...], Row] = {}
        for path in _files(folder):
            held = _readable(path, table)
            if held is None:
                continue
            if group and len(rows) + len(held) > COMPACTED_ROWS:
                gone += _replace(folder, table, group, rows)
                group, rows = [], {}
            group.append(path)
            rows |= held
        return gone + _replace(folder, table, group, rows)

    def _append(self, table: Table, rows: Iterable[tuple[Part, Row]]) -> list[Path]:
        grouped: dict[Part, list[Row]] = {}
        for part, row in rows:
            grouped.setdefault(part, []).append(row)
        return [write(self._folder(table, part), held, table.schema) for part, held in sorted(grouped.items())]

    def _rows(
        self, table: Table, part: Part, columns: tuple[str, ...], *, after: Millis | None = None
    ) -> Iterator[Row]:
        """Rows of a part, each once. Looks again for files where one was compacted away while it read.

        `after`: without files whose last decision is not later.
        """
        seen: set[tuple[str, ...]] = set()
        done: set[Path] = set()
        while todo := [path for path in _files(self._folder(table, part)) if path not in done]:
            for path in todo:
                done.add(path)
                for row in _present(path, columns) if after is None or time_of(span(path)[1]) > after else ():
                    identity = tuple(row[name] for name in table.identity)
                    if identity not in seen:
                        seen.add(identity)
                        yield row

    def _folder(self, table: Table, part: Part) -> Path:
        return self.folder / table.name / f"day={part.day}" / f"bucket={part.bucket}"


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob(f"[!.]*{SUFFIX}"))


def _present(path: Path, columns: Sequence[str], decision_id: DecisionId | None = None) -> Iterator[Row]:
    """Rows of a file; none if it was compacted away, and with a warning as many as can be read."""
    try:
        yield from read(path, columns, decision_id)
    except FileNotFoundError:
        return
    except LakeFileUnreadable as warning:
        warnings.warn(warning, stacklevel=2)


def _decoded(row: Row) -> DecisionRecord | None:
    try:
        return decode(row["line"])
    except (msgspec.ValidationError, msgspec.DecodeError) as error:
        message = f"decision {row['decision_id']} is left out: {error}"
        warnings.warn(message, LakeFileUnreadable, stacklevel=2)
        return None


def _readable(path: Path, table: Table) -> dict[tuple[str, ...], Row] | None:
    """All rows of a file by identity; None if any of it cannot be read: such a file is not compacted."""
    try:
        return {tuple(row[name] for name in table.identity): row for row in read(path, table.schema.names)}
    except (LakeFileUnreadable, FileNotFoundError):
        return None


def _replace(folder: Path, table: Table, group: list[Path], rows: dict[tuple[str, ...], Row]) -> int:
    if len(group) < 2:
        return 0
    made = write(folder, list(rows.values()), table.schema)
    for path in group:
        if path != made:
            path.unlink(missing_ok=True)
    return len(group) - 1


def _day(at: Millis) -> str:
    return moment(at).date().isoformat()
