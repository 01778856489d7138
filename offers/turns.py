"""Turns: of several processes one does a thing, for as long as it says that it is alive; the others know who and when.

A turn keeps work from being done twice. It is no lock: a holder that was paused may go on after its turn lapsed, so
whoever changes something still compares (`Models.activate(over=...)`).
"""

from dataclasses import dataclass

import sqlalchemy as sa

from offers.ledger_database import LedgerDatabase
from offers.publications import INSERT
from streams.ids import Millis

_TABLE = sa.Table(
    "turns",
    sa.MetaData(),
    sa.Column("namespace", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("holder", sa.String),
    sa.Column("lapses_at", sa.BigInteger),
    sa.Column("done_at", sa.BigInteger),
)


@dataclass(frozen=True, slots=True)
class Turn:
    """Who has it, until when, and when the thing was done last."""

    holder: str | None
    lapses_at: Millis
    done_at: Millis | None


class Turns:
    """Thread-safe; blocking. Every call is one transaction and may raise Retry LEDGER_UNAVAILABLE."""

    def __init__(self, database: LedgerDatabase, namespace: str) -> None:
        self._database = database
        self._namespace = namespace
        self._insert = INSERT[database.engine.dialect.name]

    def take(self, name: str, holder: str, now: Millis, lasts_ms: Millis) -> Turn:
        """Take or renew it if it is free, lapsed, or this holder's; how it stands then: `holder` says whose it is.

        A clock that was set back must not keep a turn alive: one that lapses later than it lasts has lapsed.
        """
        free = sa.or_(
            _TABLE.c.holder.is_(None),
            _TABLE.c.holder == holder,
            _TABLE.c.lapses_at <= now,
            _TABLE.c.lapses_at > now + 2 * lasts_ms,
        )
        mine = {"holder": holder, "lapses_at": now + lasts_ms}
        made = self._insert(_TABLE).values(namespace=self._namespace, name=name, **mine).on_conflict_do_nothing()
        with self._database.writing() as connection:
            connection.execute(made)
            connection.execute(sa.update(_TABLE).where(self._of(name), free).values(**mine))
            row = connection.execute(sa.select(_TABLE).where(self._of(name))).one()
        return Turn(row.holder, row.lapses_at, row.done_at)

    def done(self, name: str, holder: str, now: Millis) -> None:
        """The thing is done; the next is due from now on. Without effect for who has not the turn."""
        mine = self._of(name) & (_TABLE.c.holder == holder)
        with self._database.writing() as connection:
            connection.execute(sa.update(_TABLE).where(mine).values(done_at=now))

    def leave(self, name: str, holder: str) -> None:
        """Give it up at once."""
        mine = self._of(name) & (_TABLE.c.holder == holder)
        with self._database.writing() as connection:
            connection.execute(sa.update(_TABLE).where(mine).values(holder=None))

    def _of(self, name: str) -> sa.ColumnElement[bool]:
        return (_TABLE.c.namespace == self._namespace) & (_TABLE.c.name == name)
