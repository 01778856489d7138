"""The ledger's database: one engine for SQLite and PostgreSQL, its transactions, its schema and its versions."""

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import event
from sqlalchemy.engine import Connection, Engine, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout

from streams.errors import InvalidInput, Retry, Stop

MIGRATIONS = Path(__file__).parent / "migrations"
DIALECTS = ("sqlite", "postgresql")
WAIT_S = 5
"""How long a connection, a lock or a statement may take."""
LONGEST_S = 10.0
"""How long a transaction may take, by this side's clock: a server that hangs does not look at its own."""
MIGRATION_S = 300.0
POOL = {"pool_size": 2, "max_overflow": 4, "pool_timeout": WAIT_S, "pool_recycle": 1_800}
TCP = {
    "connect_timeout": WAIT_S,
    "keepalives_idle": WAIT_S,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 2 * WAIT_S * 1000,
    "application_name": "offing",
}
"""libpq's: a host that vanished without a word is noticed in seconds, not in the kernel's two hours."""
_ALEMBIC = threading.Lock()
"""Alembic keeps its running context in module globals, so one process migrates one ledger at a time."""


class LedgerDatabase:
    """Thread-safe. On PostgreSQL the schema is the namespace; in SQLite the namespaces of a file share its tables."""

    def __init__(self, url: str, namespace: str, *, longest_s: float = LONGEST_S) -> None:
        self.engine = _engine(url, namespace)
        self._namespace = namespace
        self._longest_s = longest_s

    def reading(self) -> AbstractContextManager[Connection]:
        """One transaction that only reads. Raises Retry LEDGER_UNAVAILABLE, LEDGER_SCHEMA."""
        return self._transaction("reads", self._longest_s)

    def writing(self) -> AbstractContextManager[Connection]:
        """One transaction, committed at its end. Raises Retry LEDGER_UNAVAILABLE, LEDGER_SCHEMA; constraint errors

        pass through."""
        return self._transaction("writes", self._longest_s)

    @contextmanager
    def _transaction(self, intent: str, longest_s: float) -> Iterator[Connection]:
        try:
            with _Limit(longest_s) as limit, self._connected(limit) as connection:
                connection = connection.execution_options(offing_intent=intent)
                with connection.begin():
                    yield connection
        except PoolTimeout as error:
            raise _unavailable(error) from error
        except DBAPIError as error:
            if isinstance(error, ProgrammingError) or "no such table" in str(error.orig):
                message = "the ledger's tables are not those of this program; run `offing migrate`"
                raise Retry("LEDGER_SCHEMA", message, after_s=1) from error
            if isinstance(error, OperationalError | InterfaceError) or error.connection_invalidated:
                raise _unavailable(error) from error
            raise

    def _connected(self, limit: "_Limit") -> Connection:
        """A connection that answers: if the server let go of it while it was pooled it is replaced, and so are all."""
        connection = self.engine.connect()
        if self.engine.dialect.name == "sqlite":
            return connection
        limit.watch(connection)
        try:
            connection.exec_driver_sql("")  # the shortest question there is
            connection.rollback()
        except DBAPIError as error:
            connection.close()
            if limit.reached or not error.connection_invalidated:
                raise
            connection = self.engine.connect()
            limit.watch(connection)
        return connection

    def migrate(self, version: str = "head") -> None:
        """Bring the schema to this version; concurrent calls, from other hosts too, wait for each other.

        Raises Stop LEDGER_SCHEMA if this program does not know the version that is there.
        """
        self._run(command.upgrade, version)

    def downgrade(self, version: str) -> None:
        """Take steps back; `base` empties the ledger."""
        self._run(command.downgrade, version)

    def check(self) -> None:
        """Raises Stop LEDGER_SCHEMA if the schema is not of this program's version."""
        with self.reading() as connection:
            found = MigrationContext.configure(connection).get_current_revision()
        expected = ScriptDirectory(str(MIGRATIONS)).get_current_head()
        if found != expected:
            message = f"the ledger's schema is {found or 'missing'}, this program expects {expected}"
            raise Stop("LEDGER_SCHEMA", f"{message}; run `offing migrate` with the newest program in use")

    def _run(self, step: Any, version: str) -> None:
        config = Config()
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        with _ALEMBIC, self._transaction("writes", MIGRATION_S) as connection:
            if self.engine.dialect.name == "postgresql":
                _enter_schema(connection, self._namespace)
            config.attributes["connection"] = connection
            try:
                step(config, version)
            except CommandError as error:
                message = f"the ledger cannot be brought to {version}: {error}"
                raise Stop("LEDGER_SCHEMA", f"{message}; a newer program may have migrated it: use that one") from error


class _Limit:
    """Cuts the line to a PostgreSQL that has not answered everything in this time; whoever waits gets an error."""

    def __init__(self, longest_s: float) -> None:
        self._timer = threading.Timer(longest_s, self._cut)
        self._timer.daemon = True
        self._line: socket.socket | None = None
        self.reached = False

    def watch(self, connection: Connection) -> None:
        """This is the line. The descriptor is one of our own: the driver's number may soon be somebody else's."""
        driver: Any = connection.connection.dbapi_connection
        self._let_go()
        self._line = socket.socket(fileno=os.dup(driver.fileno()))
        if self._timer.ident is None:
            self._timer.start()

    def _cut(self) -> None:
        self.reached = True
        with suppress(OSError):  # the other side may have ended it, or this one just now
            if self._line is not None:
                self._line.shutdown(socket.SHUT_RDWR)

    def _let_go(self) -> None:
        if self._line is not None:
            self._line.close()

    def __enter__(self) -> "_Limit":
        return self

    def __exit__(self, *error: object) -> None:
        self._timer.cancel()
        if self._timer.is_alive():
            self._timer.join()
        self._let_go()


def _enter_schema(connection: Connection, namespace: str) -> None:
    """One migration per namespace at a time: neither CREATE SCHEMA IF NOT EXISTS nor Alembic is safe in a race."""
    connection.execute(sa.text(f"SET LOCAL statement_timeout TO {int(MIGRATION_S * 1000)}"))
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(sa.func.hashtext(f"offing.ledger.{namespace}"))))
    connection.execute(sa.schema.CreateSchema(namespace, if_not_exists=True))


def _engine(url: str, namespace: str) -> Engine:
    try:
        parsed = make_url(url)
        name = parsed.get_backend_name()
        if name not in DIALECTS:
            raise InvalidInput("LEDGER_URL", f"the ledger is on {name!r}; expected one of {', '.join(DIALECTS)}")
        if name == "sqlite":
            return _sqlite(sa.create_engine(parsed, connect_args={"timeout": WAIT_S, "check_same_thread": False}))
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        return _postgresql(sa.create_engine(parsed, **POOL, connect_args=TCP), namespace)
    except (ArgumentError, NoSuchModuleError) as error:
        raise InvalidInput("LEDGER_URL", "OFFING_LEDGER_URL is not a SQLAlchemy URL (not shown here)") from error
    except ModuleNotFoundError as error:
        raise InvalidInput("LEDGER_DRIVER", f"{error.name} is not installed; pip install 'psycopg[binary]'") from error


def _sqlite(engine: Engine) -> Engine:
    @event.listens_for(engine, "connect")
    def prepare(connection: Any, record: object) -> None:
        connection.isolation_level = None  # sqlite3's own BEGIN would leave DDL outside the transaction
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}").close()

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A write that begins as a read may fail at its first statement instead of waiting for its turn.
        intent = connection.get_execution_options().get("offing_intent")
        connection.exec_driver_sql("BEGIN" if intent == "reads" else "BEGIN IMMEDIATE")

    return engine


def _postgresql(engine: Engine, namespace: str) -> Engine:
    path = engine.dialect.identifier_preparer.quote_identifier(namespace)

    @event.listens_for(engine, "connect", insert=True)
    def prepare(connection: Any, record: object) -> None:
        was = connection.autocommit
        connection.autocommit = True  # a rollback of the first transaction must not undo these
        with connection.cursor() as cursor:
            cursor.execute(f"SET search_path TO {path}")
            cursor.execute(f"SET statement_timeout TO {WAIT_S * 1000}")
        connection.autocommit = was

    return engine


def _unavailable(error: Exception) -> Retry:
    return Retry("LEDGER_UNAVAILABLE", f"the ledger does not answer ({type(error).__name__})", after_s=1)
