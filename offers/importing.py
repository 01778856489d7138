"""An import: a table into the log, each row once, whatever is killed in between.

The order of a batch is the whole trick: the cursor notes the log's end; the batch is appended, durably; the cursor
notes the rows and the log's new end. After a kill the log is read from the noted end on, and what of the batch is found
there is not appended again. So nothing depends on how long anybody remembers an event's id.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from time import sleep

import msgspec

from offers.import_cursor import FORMAT, Cursor, DeadLetterFile, Place, digest_of
from offers.import_map import Layout, plan, read_map
from offers.import_rows import SOURCE, Reader
from offers.import_table import Row, Table, Unreadable, open_table
from offers.shown import SOURCE as OUTCOMES
from streams.attributes import AttributeSet
from streams.errors import InvalidInput, Retry, Stop
from streams.events import Event, parse, to_bytes
from streams.findings import Finding
from streams.host_lock import HostLock
from streams.ids import Millis
from streams.log import CUSTOMERS, Entry, EventLog

BATCH_ROWS = 1_000
BATCH_BYTES = 4 << 20
READ = 2_000
MOST_FINDINGS = 20
TRIES = 20
PAUSE_S = 1.0
Progress = Callable[[str, float], None]
"""(what is being done, how much of it, 0 to 1)"""


class Report(msgspec.Struct, frozen=True):
    """What an import would bring, or brought. Without any value of the file but those in findings."""

    file: str
    rows: int
    events: dict[str, int]
    """By type."""
    withheld: dict[str, int]
    """Attribute -> rows whose consent does not cover it."""
    bad: int
    findings: tuple[Finding, ...] = ()
    dead_letters: str | None = None
    earlier_rows: int = 0
    """Of the rows, those that earlier runs brought."""
    done: bool = False


@dataclass(frozen=True, slots=True)
class Job:
    """One file to import, and how it is read."""

    table: Table
    reader: Reader
    read_as: str

    @property
    def name(self) -> str:
        return self.table.path.name


class Refused(InvalidInput):
    """Nothing (more) is imported: the file is to be mended."""

    def __init__(self, findings: Sequence[Finding], message: str) -> None:
        super().__init__("IMPORT_REFUSED", message)
        self.findings = tuple(findings)


def prepare(kind: str, file: Path, mapped: Path | None, attributes: AttributeSet, now: Millis) -> Job:
    """Open the file and settle what each column is. Raises Refused, OSError."""
    layout, findings = (Layout(), []) if mapped is None else read_map(mapped)
    if findings:
        raise Refused(findings, f"{mapped} cannot be used")
    try:
        table = open_table(file, layout.separator, layout.encoding)
    except Unreadable as error:
        raise Refused([error.finding], f"{file} cannot be read; nothing is imported") from error
    found, findings = plan(kind, (str(file), table.columns), layout, attributes)
    if findings:
        raise Refused(findings, f"the columns of {file} are not settled; nothing is imported")
    read_as = blake2b(repr((kind, layout)).encode(), digest_size=8).hexdigest()
    return Job(table, Reader(str(file), found, attributes, now), read_as)


def look(job: Job, progress: Progress, *, whole: bool) -> Report:
    """What would be imported; nothing is. Stops at 20 findings, unless the `whole` file is to be told of."""
    sums, rows, shown = _Sums(), 0, list[Finding]()
    for row in _rows(job, shown):
        rows += 1
        told = job.reader.told(row)
        shown += told.findings[: MOST_FINDINGS - len(shown)]
        sums.add(Counter(event.type for event in told.events), told.withheld, bad=bool(told.findings))
        if rows % BATCH_ROWS == 0:
            progress("checking", row.until / max(job.table.size, 1))
        if len(shown) >= MOST_FINDINGS and not whole:
            break
    bad = max(sums.bad, bool(shown))
    return Report(job.name, rows, dict(sums.events), dict(sums.withheld), bad, tuple(shown))


def _rows(job: Job, shown: list[Finding]) -> Iterator[Row]:
    """The rows up to where the file cannot be read any more, which is a finding too."""
    try:
        yield from job.table.rows()
    except Unreadable as error:
        shown.append(error.finding)


@dataclass(slots=True)
class _Sums:
    events: Counter[str] = field(default_factory=Counter)
    withheld: Counter[str] = field(default_factory=Counter)
    bad: int = 0

    def add(self, events: Counter[str], withheld: Sequence[str], *, bad: bool) -> None:
        self.events.update(events)
        self.withheld.update(withheld)
        self.bad += bad


def bring(job: Job, log: EventLog, folder: Path, progress: Progress, *, skip_bad: bool, restart: bool) -> Report:
    """Import the file, or go on where an earlier run was ended. Raises Refused, before anything is appended, for a file

    with bad rows (unless they are skipped into the dead-letter file), InvalidInput IMPORT_CHANGED, IMPORT_OTHER_LOG,
    IMPORT_RUNNING, Retry LOG_UNAVAILABLE: then run it again.
    """
    place = Place(folder, f"{job.reader.plan.kind}-{digest_of(job.table.path)}")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    with closing(HostLock(place.lock)) as lock:
        try:
            with lock.held(0.0):
                return _Run(job, log, place, progress).whole(skip_bad=skip_bad, restart=restart)
        except TimeoutError as error:
            raise InvalidInput("IMPORT_RUNNING", f"{job.name} is being imported by another process; wait") from error


class _Run:
    """One run of an import."""

    def __init__(self, job: Job, log: EventLog, place: Place, progress: Progress) -> None:
        self._job = job
        self._log = log
        self._place = place
        self._progress = progress

    def whole(self, *, skip_bad: bool, restart: bool) -> Report:
        path = str(self._job.table.path.absolute())
        cursor = None if restart else self._place.load()
        if cursor is None:
            if not restart and self._place.others(path):
                message = f"{self._job.name} was half imported and is another file now; bring the earlier one back to"
                raise InvalidInput("IMPORT_CHANGED", f"{message} finish it, or `--restart` (what counts counts again)")
            if not skip_bad:
                self._refuse(look(self._job, self._progress, whole=False))
            cursor = Cursor(
                FORMAT, path, self._job.reader.plan.kind, self._place.digest.partition("-")[2], self._job.read_as,
                self._log.epoch(), dict(self._log.end(CUSTOMERS)),
            )  # fmt: skip
        self._check(cursor)
        begun = cursor.rows
        if not cursor.done:
            cursor = self._brought(cursor, skip_bad=skip_bad)
        letters = str(self._place.dead_letters) if cursor.bad else None
        return Report(
            self._job.name, cursor.rows, cursor.events, cursor.withheld, cursor.bad, (), letters, begun, done=True
        )

    def _refuse(self, found: Report) -> None:
        if found.findings:
            message = f"{self._job.name} has bad rows; nothing is imported. Mend them, or --skip-bad"
            raise Refused(found.findings, message)

    def _check(self, cursor: Cursor) -> None:
        if cursor.read_as != self._job.read_as:
            message = f"{self._job.name} was begun with another --map; finish it with that one"
            raise InvalidInput("IMPORT_CHANGED", f"{message}, or `--restart` (what counts counts again)")
        if cursor.epoch != self._log.epoch():
            message = f"{self._job.name} was imported into another log than this; `--restart` imports it into this one"
            raise InvalidInput("IMPORT_OTHER_LOG", message)

    def _brought(self, cursor: Cursor, *, skip_bad: bool) -> Cursor:
        self._place.save(cursor)
        letters = None
        if skip_bad:
            table = self._job.table.columns, self._job.reader.plan.layout
            letters = DeadLetterFile(self._place.dead_letters, table, cursor.bad_bytes)
        try:
            rows = islice(self._job.table.rows(), cursor.rows, None)
            known = self._known(cursor)
            while batch := _batch(rows):
                cursor = self._take(batch, cursor, known, letters)
                known = frozenset()
        except Unreadable as error:
            raise Refused([error.finding], f"{self._job.name} cannot be read beyond row {cursor.rows:,}") from error
        finally:
            if letters is not None:
                letters.close()
        cursor = msgspec.structs.replace(cursor, done=True)
        self._place.save(cursor)
        if not cursor.bad:  # a file of column names alone
            self._place.dead_letters.unlink(missing_ok=True)
        return cursor

    def _take(
        self, batch: Sequence[Row], cursor: Cursor, known: frozenset[str], letters: DeadLetterFile | None
    ) -> Cursor:
        """Append what a batch of rows stands for; the cursor behind it."""
        sums = _Sums(Counter(cursor.events), Counter(cursor.withheld), cursor.bad)
        events: dict[str, Event] = {}
        for row in batch:
            told = self._job.reader.told(row)
            if told.findings and letters is None:
                raise Refused(told.findings, f"{self._job.name} has a bad row now; {cursor.rows:,} rows are imported")
            if told.findings and letters is not None:
                letters.write(row, told.findings)
            new = {event.id: event for event in told.events if event.id not in events}
            sums.add(Counter(event.type for event in new.values()), told.withheld, bad=bool(told.findings))
            events |= new
        self._append([event for event in events.values() if event.id not in known], cursor)
        self._progress("importing", batch[-1].until / max(self._job.table.size, 1))
        cursor = msgspec.structs.replace(
            cursor, rows=cursor.rows + len(batch), bad=sums.bad, events=dict(sums.events), withheld=dict(sums.withheld),
            bad_bytes=letters.size() if letters is not None else cursor.bad_bytes, ends=dict(self._log.end(CUSTOMERS)),
        )  # fmt: skip
        self._place.save(cursor)
        return cursor

    def _append(self, events: Sequence[Event], cursor: Cursor) -> None:
        """Durably. What a failed try left in the log is not appended again."""
        for attempt in range(1, TRIES + 1):
            if not events:
                return
            entries = [Entry(event.subject, to_bytes(event), event.time) for event in events]
            try:
                self._log.append(CUSTOMERS, entries).result()  # the log itself gives up: what is late may still come
                return
            except Retry as error:
                if attempt == TRIES:
                    message = f"the log does not take it; {cursor.rows:,} rows are imported, run it again to go on"
                    raise Retry("LOG_UNAVAILABLE", message, after_s=PAUSE_S) from error
            sleep(PAUSE_S)
            known = self._known(cursor)
            events = [event for event in events if event.id not in known]

    def _known(self, cursor: Cursor) -> frozenset[str]:
        """Ids of imported events in the log behind the cursor's ends."""
        found: set[str] = set()
        for partition, end in self._log.end(CUSTOMERS).items():
            start = cursor.ends.get(partition, 0)
            if start > end:
                raise Stop("LOG_RESTARTED", f"the log ends before the import of {self._job.name} began; `--restart`")
            while start < end:
                records = self._log.read(CUSTOMERS, partition, start, min(READ, end - start))
                if not records:
                    break
                found.update(_imported(record.value) for record in records)
                start = records[-1].position.offset + 1
        return frozenset(found)


def _imported(line: bytes) -> str:
    """The id of an event, if it may come from an import; else nothing."""
    try:
        event = parse(line)
    except InvalidInput:
        return ""
    return event.id if event.source in (SOURCE, OUTCOMES) else ""


def _batch(rows: Iterator[Row]) -> list[Row]:
    """The next rows, bounded in number and in what they hold."""
    batch: list[Row] = []
    size = 0
    for row in rows:
        batch.append(row)
        size += sum(len(cell) for cell in row.cells if isinstance(cell, str | bytes))
        if len(batch) >= BATCH_ROWS or size >= BATCH_BYTES:
            break
    return batch
