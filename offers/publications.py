"""Publications: which revision is active from when, by whom and why; each rests on the one before (compare-and-set)."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from offers.approval_rules import Rules, told
from offers.ledger_database import LedgerDatabase
from streams.errors import InvalidInput
from streams.ids import Millis, RevisionId
from streams.instant import format_instant

BASE_MOVED = "BASE_MOVED"
ACTIVE_MOVED = "ACTIVE_MOVED"
MAX_MESSAGE = 500
MAX_AUTHOR = 128
MAX_HISTORY = 1_000
TABLE = sa.Table(
    "publications",
    sa.MetaData(),
    sa.Column("namespace", sa.String, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("revision", sa.String),
    sa.Column("base", sa.String),
    sa.Column("author", sa.String),
    sa.Column("message", sa.String),
    sa.Column("published_at", sa.BigInteger),
    sa.Column("activate_at", sa.BigInteger),
    sa.Column("canceled_at", sa.BigInteger),
    sa.Column("rules", sa.Text),
    sa.Column("needs", sa.Text),
    sa.Column("approved_at", sa.BigInteger),
    sa.Column("rejected_at", sa.BigInteger),
)
WRITTEN = ("rules", "needs")
"""Columns of JSON; NULL: no rule."""
NOT_APPROVED = TABLE.c.needs.is_not(None) & TABLE.c.approved_at.is_(None)
"""It waits, was rejected or canceled."""
INSERT: Mapping[str, Callable[[sa.Table], sqlite.Insert | postgresql.Insert]] = {
    "sqlite": sqlite.insert,
    "postgresql": postgresql.insert,
}


@dataclass(frozen=True, slots=True)
class Draft:
    """A publication that is wanted."""

    revision: RevisionId
    base: RevisionId | None
    """The newest one that its author knows; None: there is none."""
    author: str
    message: str
    activate_at: Millis | None = None
    """None: at once."""
    rules: Rules = ()
    """The approval rules of the revision."""
    needs: Rules = ()
    """Those of its own and of the active one that it waits for."""
    against: int | None = None
    """The number of the publication that was active when `needs` was found, 0 for none; None: nobody looked."""


@dataclass(frozen=True, slots=True)
class Publication:
    """One line of the history."""

    number: int
    """From 1, without gaps."""
    revision: RevisionId
    base: RevisionId | None
    author: str
    message: str
    published_at: Millis
    activate_at: Millis | None = None
    """None: at once."""
    canceled_at: Millis | None = None
    """When a newer one came before this one's time, or before its approval."""
    rules: Rules = ()
    needs: Rules = ()
    """The rules of which somebody had to approve it."""
    approved_at: Millis | None = None
    """When the last of them did."""
    rejected_at: Millis | None = None

    def waits(self, now: Millis) -> bool:
        """Whether its time is still to come."""
        return self.canceled_at is None and self.activate_at is not None and self.activate_at > now

    @property
    def undecided(self) -> bool:
        """Whether it waits for approval."""
        return bool(self.needs) and self.approved_at is None and self.rejected_at is None and self.canceled_at is None

    @property
    def active_from(self) -> Millis | None:
        """Since when it was, or is to be, active; None: it never is, or nobody approved it yet."""
        if self.canceled_at is not None or (self.needs and self.approved_at is None):
            return None
        return max(self.published_at, self.activate_at or 0, self.approved_at or 0)


class Publications:
    """Thread-safe; blocking. Every call is one transaction and may raise Retry LEDGER_UNAVAILABLE."""

    def __init__(self, database: LedgerDatabase, namespace: str) -> None:
        self._database = database
        self._namespace = namespace
        self._insert = INSERT[database.engine.dialect.name]

    def publish(self, draft: Draft, now: Millis) -> Publication:
        """Add it, if its base is still the newest; one that waits for its time or for approval is canceled by it.

        After one that was rejected it may also rest on what that one rested on. Raises InvalidInput BASE_MOVED, which
        says who published what meanwhile, ACTIVE_MOVED, AT_PAST, MESSAGE or AUTHOR.
        """
        _check(draft, now)
        with self._database.writing() as connection:
            head = self._head(connection, lock=True)
            if draft.base not in self._bases(connection):
                raise InvalidInput(BASE_MOVED, moved(draft.base, head))
            self._check_active(connection, draft, now)
            made = Publication(
                1 if head is None else head.number + 1,
                draft.revision,
                draft.base,
                draft.author,
                draft.message,
                now,
                draft.activate_at,
                rules=draft.rules,
                needs=draft.needs,
            )
            if not self._added(connection, made):
                raise InvalidInput(BASE_MOVED, moved(draft.base, self._head(connection)))
            late = (TABLE.c.number < made.number) & ((TABLE.c.activate_at > now) | NOT_APPROVED)
            late &= TABLE.c.canceled_at.is_(None) & TABLE.c.rejected_at.is_(None)
            connection.execute(sa.update(TABLE).where(self._here, late).values(canceled_at=now))
        return made

    def newest(self) -> Publication | None:
        """The last one, whatever became of it."""
        with self._database.reading() as connection:
            return self._head(connection)

    def standing(self) -> Publication | None:
        """The newest that was not rejected: what the next rests on."""
        wanted = sa.select(TABLE).where(self._here, TABLE.c.rejected_at.is_(None)).order_by(TABLE.c.number.desc())
        with self._database.reading() as connection:
            return _one(connection, wanted.limit(1))

    def active(self, now: Millis) -> Publication | None:
        """The newest whose time has come; None: nothing was published, or nothing yet."""
        with self._database.reading() as connection:
            return self.active_in(connection, now)

    def active_in(self, connection: Connection, now: Millis) -> Publication | None:
        """The same within a transaction."""
        come = TABLE.c.activate_at.is_(None) | (TABLE.c.activate_at <= now)
        come &= TABLE.c.canceled_at.is_(None) & ~NOT_APPROVED
        return _one(connection, sa.select(TABLE).where(self._here, come).order_by(TABLE.c.number.desc()).limit(1))

    def history(self, most: int = 50) -> tuple[Publication, ...]:
        """At most so many (and MAX_HISTORY), the newest first."""
        wanted = sa.select(TABLE).where(self._here).order_by(TABLE.c.number.desc()).limit(min(most, MAX_HISTORY))
        with self._database.reading() as connection:
            return tuple(publication_of(row) for row in connection.execute(wanted))

    @property
    def _here(self) -> sa.ColumnElement[bool]:
        return TABLE.c.namespace == self._namespace

    def _head(self, connection: Connection, lock: bool = False) -> Publication | None:
        """Locked, whatever is decided of it meanwhile is decided before or after."""
        wanted = sa.select(TABLE).where(self._here).order_by(TABLE.c.number.desc()).limit(1)
        return _one(connection, wanted.with_for_update() if lock else wanted)

    def _bases(self, connection: Connection) -> Iterator[RevisionId | None]:
        """What the next may rest on: the newest, and as long as that one was rejected, the one before."""
        wanted = sa.select(TABLE.c.revision, TABLE.c.rejected_at).where(self._here).order_by(TABLE.c.number.desc())
        for row in connection.execute(wanted.limit(MAX_HISTORY)):
            yield row.revision
            if row.rejected_at is None:
                return
        yield None

    def _check_active(self, connection: Connection, draft: Draft, now: Millis) -> None:
        """Raises ACTIVE_MOVED if what its approvals were found against is not what is active."""
        if draft.against is None:
            return
        active = self.active_in(connection, now)
        if draft.against != (0 if active is None else active.number):
            message = "another change was approved while this one was compared with what was active; publish it again"
            raise InvalidInput(ACTIVE_MOVED, message)

    def _added(self, connection: Connection, made: Publication) -> bool:
        """Whether it is the first of its number: of two who saw the same head, the second finds the number taken."""
        row = {column.name: getattr(made, column.name) for column in TABLE.c if column.name != "namespace"}
        row |= {name: msgspec.json.encode(row[name]).decode() if row[name] else None for name in WRITTEN}
        statement = self._insert(TABLE).values(namespace=self._namespace, **row).on_conflict_do_nothing()
        return connection.execute(statement.returning(TABLE.c.number)).first() is not None


def moved(base: RevisionId | None, head: Publication | None) -> str:
    """What a publisher is told whose base is not the newest."""
    based = "on nothing published" if base is None else f"on {base[:40]}"
    if head is None:
        return f"this change rests {based}, and nothing was published here yet; leave --base out"
    what = f"{head.author} published {head.revision} at {format_instant(head.published_at)} ({head.message!r})"
    if head.undecided:
        what += f", which waits for {told(head.needs)}"
    return (
        f"this change rests {based}, but {what}; take that change into your folder, check it, and "
        f"publish with --base {head.revision}"
    )


def check_line(code: str, what: str, text: str) -> None:
    """Raises InvalidInput `code` for what is not one line of printable text, or too long for what it is."""
    most = MAX_AUTHOR if code == "AUTHOR" else MAX_MESSAGE
    if not 1 <= len(text) <= most or not text.isprintable() or text != text.strip():
        message = f"{text[:60]!r} is no {what}; expected one line of 1 to {most} printable characters"
        raise InvalidInput(code, message)


def _check(draft: Draft, now: Millis) -> None:
    check_line("MESSAGE", "message", draft.message)
    check_line("AUTHOR", "author", draft.author)
    if draft.activate_at is not None and draft.activate_at <= now:
        message = f"{format_instant(draft.activate_at)} is past; name a later time, or none to publish at once"
        raise InvalidInput("AT_PAST", message)


def _one(connection: Connection, wanted: sa.Select[tuple[object, ...]]) -> Publication | None:
    row = connection.execute(wanted).one_or_none()
    return None if row is None else publication_of(row)


def publication_of(row: sa.Row[tuple[object, ...]]) -> Publication:
    """A row of TABLE."""
    found = {name: value for name, value in row._mapping.items() if name != "namespace"}
    found |= {name: msgspec.json.decode(found[name], type=Rules) if found[name] else () for name in WRITTEN}
    return Publication(**found)
