"""Publications: which revision is active from when, by whom and why; each rests on the one before (compare-and-set)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection

from offers.ledger_database import LedgerDatabase
from streams.errors import InvalidInput
from streams.ids import Millis, RevisionId
from streams.instant import format_instant

BASE_MOVED = "BASE_MOVED"
MAX_MESSAGE = 500
MAX_AUTHOR = 128
MAX_HISTORY = 1_000
_TABLE = sa.Table(
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
)
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
    """When a newer one came before this one's time."""

    def waits(self, now: Millis) -> bool:
        """Whether its time is still to come."""
        return self.canceled_at is None and self.activate_at is not None and self.activate_at > now


class Publications:
    """Thread-safe; blocking. Every call is one transaction and may raise Retry LEDGER_UNAVAILABLE."""

    def __init__(self, database: LedgerDatabase, namespace: str) -> None:
        self._database = database
        self._namespace = namespace
        self._insert = INSERT[database.engine.dialect.name]

    def publish(self, draft: Draft, now: Millis) -> Publication:
        """Add it, if its base is still the newest; one that waits for its time is canceled by it.

        Raises InvalidInput BASE_MOVED, which says who published what meanwhile, AT_PAST, MESSAGE or AUTHOR.
        """
        _check(draft, now)
        with self._database.writing() as connection:
            head = self._head(connection)
            if (None if head is None else head.revision) != draft.base:
                raise InvalidInput(BASE_MOVED, moved(draft.base, head))
            made = Publication(
                1 if head is None else head.number + 1,
                draft.revision,
                draft.base,
                draft.author,
                draft.message,
                now,
                draft.activate_at,
            )
            if not self._added(connection, made):
                raise InvalidInput(BASE_MOVED, moved(draft.base, self._head(connection)))
            late = (_TABLE.c.number < made.number) & (_TABLE.c.activate_at > now) & _TABLE.c.canceled_at.is_(None)
            connection.execute(sa.update(_TABLE).where(self._here, late).values(canceled_at=now))
        return made

    def newest(self) -> Publication | None:
        """The one that the next must name as its base, whether its time has come or not."""
        with self._database.reading() as connection:
            return self._head(connection)

    def active(self, now: Millis) -> Publication | None:
        """The newest whose time has come; None: nothing was published, or nothing yet."""
        with self._database.reading() as connection:
            return self.active_in(connection, now)

    def active_in(self, connection: Connection, now: Millis) -> Publication | None:
        """The same within a transaction."""
        come = (_TABLE.c.activate_at.is_(None) | (_TABLE.c.activate_at <= now)) & _TABLE.c.canceled_at.is_(None)
        return _one(connection, sa.select(_TABLE).where(self._here, come).order_by(_TABLE.c.number.desc()).limit(1))

    def history(self, most: int = 50) -> tuple[Publication, ...]:
        """At most so many (and MAX_HISTORY), the newest first."""
        wanted = sa.select(_TABLE).where(self._here).order_by(_TABLE.c.number.desc()).limit(min(most, MAX_HISTORY))
        with self._database.reading() as connection:
            return tuple(_publication(row) for row in connection.execute(wanted))

    @property
    def _here(self) -> sa.ColumnElement[bool]:
        return _TABLE.c.namespace == self._namespace

    def _head(self, connection: Connection) -> Publication | None:
        return _one(connection, sa.select(_TABLE).where(self._here).order_by(_TABLE.c.number.desc()).limit(1))

    def _added(self, connection: Connection, made: Publication) -> bool:
        """Whether it is the first of its number: of two who saw the same head, the second finds the number taken."""
        row = {column.name: getattr(made, column.name) for column in _TABLE.c if column.name != "namespace"}
        statement = self._insert(_TABLE).values(namespace=self._namespace, **row).on_conflict_do_nothing()
        return connection.execute(statement.returning(_TABLE.c.number)).first() is not None


def moved(base: RevisionId | None, head: Publication | None) -> str:
    """What a publisher is told whose base is not the newest."""
    based = "on nothing published" if base is None else f"on {base[:40]}"
    if head is None:
        return f"this change rests {based}, and nothing was published here yet; leave --base out"
    return (
        f"this change rests {based}, but {head.author} published {head.revision} at "
        f"{format_instant(head.published_at)} ({head.message!r}); take that change into your folder, check it, and "
        f"publish with --base {head.revision}"
    )


def _check(draft: Draft, now: Millis) -> None:
    for code, what, text, most in (
        ("MESSAGE", "message", draft.message, MAX_MESSAGE),
        ("AUTHOR", "author", draft.author, MAX_AUTHOR),
    ):
        if not 1 <= len(text) <= most or not text.isprintable() or text != text.strip():
            raise InvalidInput(
                code, f"{text[:60]!r} is no {what}; expected one line of 1 to {most} printable characters"
            )
    if draft.activate_at is not None and draft.activate_at <= now:
        message = f"{format_instant(draft.activate_at)} is past; name a later time, or none to publish at once"
        raise InvalidInput("AT_PAST", message)


def _one(connection: Connection, wanted: sa.Select[tuple[object, ...]]) -> Publication | None:
    row = connection.execute(wanted).one_or_none()
    return None if row is None else _publication(row)


def _publication(row: sa.Row[tuple[object, ...]]) -> Publication:
    return Publication(**{name: value for name, value in row._mapping.items() if name != "namespace"})
