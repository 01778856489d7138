"""Models: which are known, what became of each, when, by whom and why, and which is active (compare-and-set).

A model is a candidate when it is made, active when it serves, retired when another took over; refused, if its folder
cannot serve here. Which is active is one row, asked for four times a second; the states are its history.
"""

from dataclasses import dataclass
from typing import Final, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from offers.ledger_database import LedgerDatabase
from offers.publications import INSERT
from streams.errors import InvalidInput, NotFound
from streams.ids import Millis

State = Literal["candidate", "active", "retired", "refused"]
PRIOR: Final = "prior"
"""Not a model in the ledger: what serves where none is active."""
ACTIVE_MOVED: Final = "ACTIVE_MOVED"
MAX_LISTED: Final = 1_000
MAX_REASON: Final = 2_000
_METADATA = sa.MetaData()
_KNOWN = sa.Table(
    "models",
    _METADATA,
    sa.Column("namespace", sa.String, primary_key=True),
    sa.Column("id", sa.String, primary_key=True),
    sa.Column("published_at", sa.BigInteger),
    sa.Column("published_by", sa.String),
)
_ACTIVE = sa.Table(
    "active",
    _METADATA,
    sa.Column("namespace", sa.String, primary_key=True),
    sa.Column("kind", sa.String, primary_key=True),
    sa.Column("id", sa.String),
    sa.Column("activated_at", sa.BigInteger),
    sa.Column("activated_by", sa.String),
)
_STATES = sa.Table(
    "model_states",
    _METADATA,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("namespace", sa.String),
    sa.Column("model", sa.String),
    sa.Column("state", sa.String),
    sa.Column("base", sa.String),
    sa.Column("reason", sa.Text),
    sa.Column("verdict", sa.Text),
    sa.Column("changed_at", sa.BigInteger),
    sa.Column("changed_by", sa.String),
)
_KIND, _SHADOW = "model", "shadow"


@dataclass(frozen=True, slots=True)
class Active:
    """What is active."""

    id: str
    activated_at: Millis
    activated_by: str


@dataclass(frozen=True, slots=True)
class ModelState:
    """One line of a model's history; its newest line is its state."""

    number: int
    model: str
    state: State
    base: str | None
    """Of `active`: what a rollback goes back to; None: the prior."""
    reason: str
    verdict: str | None
    """The gate's, as JSON, where there is one."""
    changed_at: Millis
    changed_by: str


@dataclass(frozen=True, slots=True)
class Change:
    """Who changes something, when, and why."""

    by: str
    now: Millis
    reason: str = ""


class _Anything:
    """Whatever is active."""


ANYTHING: Final = _Anything()


class Models:
    """Thread-safe; blocking. Every call is one transaction and may raise Retry LEDGER_UNAVAILABLE."""

    def __init__(self, database: LedgerDatabase, namespace: str) -> None:
        self._database = database
        self._namespace = namespace
        self._insert = INSERT[database.engine.dialect.name]

    def publish(self, model: str, change: Change, verdict: str | None = None) -> None:
        """Make a model known, as a candidate. One that is known keeps its state and its first time.

        A verdict is kept, also of a model that is known: the newest with the state it has.
        """
        row = {"id": model, "published_at": change.now, "published_by": change.by}
        made = self._insert(_KNOWN).values(namespace=self._namespace, **row).on_conflict_do_nothing()
        with self._database.writing() as connection:
            if connection.execute(made.returning(_KNOWN.c.id)).first() is not None:
                self._add(connection, model, "candidate", change, verdict=verdict)
            elif verdict is not None:
                known = self._state(connection, model)
                state: State = "candidate" if known is None else known.state
                base = None if known is None else known.base
                self._add(connection, model, state, change, base=base, verdict=verdict)

    def published(self) -> tuple[str, ...]:
        """Ids of every known one, the newest first."""
        newest = sa.select(_KNOWN.c.id).where(_KNOWN.c.namespace == self._namespace)
        with self._database.reading() as connection:
            return tuple(connection.scalars(newest.order_by(_KNOWN.c.published_at.desc(), _KNOWN.c.id)))

    def activate(self, model: str, change: Change, over: str | _Anything | None = ANYTHING) -> None:
        """Make a known model the active one, and retire what was; `over`: only if that is active (None: the prior).

        Raises NotFound MODEL_UNKNOWN, InvalidInput ACTIVE_MOVED. What is active already stays as it is.
        """
        with self._database.writing() as connection:
            self._check_known(connection, model)
            active = self._locked(connection)
            if not isinstance(over, _Anything) and active != over:
                raise _moved(model, over, active)
            if active != model:
                self._switch(connection, active, model, change, base=active)

    def rollback(self, change: Change) -> str:
        """Go back to what was active before; its id, or `prior`. Raises InvalidInput NOTHING_TO_ROLL_BACK."""
        with self._database.writing() as connection:
            active = self._locked(connection)
            if active is None:
                raise InvalidInput("NOTHING_TO_ROLL_BACK", "no model is active, the prior serves already")
            row = self._activation(connection, active)
            target = None if row is None else row.base
            before = None if target is None else self._activation(connection, target)
            self._switch(connection, active, target, change, base=None if before is None else before.base)
            return target or PRIOR

    def deactivate(self, change: Change) -> None:
        """Let the prior serve. Harmless where it does."""
        with self._database.writing() as connection:
            active = self._locked(connection)
            if active is not None:
                self._switch(connection, active, None, change, base=None)

    def put_in_shadow(self, model: str | None, change: Change) -> None:
        """Score a known model beside what serves, without influence; None: none. Raises NotFound MODEL_UNKNOWN."""
        with self._database.writing() as connection:
            if model is not None:
                self._check_known(connection, model)
            self._locked(connection)
            connection.execute(sa.delete(_ACTIVE).where(self._is(_SHADOW)))
            if model is not None:
                row = {"id": model, "activated_at": change.now, "activated_by": change.by}
                connection.execute(sa.insert(_ACTIVE).values(namespace=self._namespace, kind=_SHADOW, **row))
                known = self._state(connection, model)
                said = Change(change.by, change.now, f"in the shadow: {change.reason}")
                if known is not None:
                    self._add(connection, model, known.state, said, base=known.base)

    def shadow(self) -> Active | None:
        """The model that is scored beside what serves; None: there is none."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(_ACTIVE).where(self._is(_SHADOW))).one_or_none()
        return None if row is None else Active(row.id, row.activated_at, row.activated_by)

    def refuse(self, model: str, change: Change) -> None:
        """It cannot serve here, and why. What is active stays so: a worker says for itself what it does without."""
        with self._database.writing() as connection:
            self._check_known(connection, model)
            if self._locked(connection) != model:
                self._add(connection, model, "refused", change)

    def active(self) -> Active | None:
        """None: the prior serves."""
        with self._database.reading() as connection:
            return self.active_in(connection)

    def active_in(self, connection: Connection) -> Active | None:
        """The same within a transaction."""
        row = connection.execute(sa.select(_ACTIVE).where(self._is_active)).one_or_none()
        return None if row is None else Active(row.id, row.activated_at, row.activated_by)

    def states(self) -> tuple[ModelState, ...]:
        """The state of each known model, the latest changed first; at most MAX_LISTED."""
        last = sa.select(sa.func.max(_STATES.c.number)).where(self._here).group_by(_STATES.c.model)
        wanted = sa.select(_STATES).where(_STATES.c.number.in_(last)).order_by(_STATES.c.number.desc())
        with self._database.reading() as connection:
            return tuple(map(_state, connection.execute(wanted.limit(MAX_LISTED))))

    def history(self, model: str) -> tuple[ModelState, ...]:
        """Everything that became of it, the newest first. Raises NotFound MODEL_UNKNOWN."""
        wanted = sa.select(_STATES).where(self._here, _STATES.c.model == model).order_by(_STATES.c.number.desc())
        with self._database.reading() as connection:
            self._check_known(connection, model)
            return tuple(map(_state, connection.execute(wanted.limit(MAX_LISTED))))

    @property
    def _here(self) -> sa.ColumnElement[bool]:
        return _STATES.c.namespace == self._namespace

    @property
    def _is_active(self) -> sa.ColumnElement[bool]:
        return self._is(_KIND)

    def _is(self, kind: str) -> sa.ColumnElement[bool]:
        return (_ACTIVE.c.namespace == self._namespace) & (_ACTIVE.c.kind == kind)

    def _check_known(self, connection: Connection, model: str) -> None:
        known = sa.exists().where(_KNOWN.c.namespace == self._namespace, _KNOWN.c.id == model)
        if not connection.scalar(sa.select(known)):
            message = f"model {model[:60]!r} was never published here; `offing models list` shows those that were"
            raise NotFound("MODEL_UNKNOWN", message)

    def _locked(self, connection: Connection) -> str | None:
        """What is active, which nobody else changes before this transaction has ended."""
        if self._database.engine.dialect.name == "postgresql":  # no row to lock while none is active
            key = sa.func.hashtext(f"offing.models.{self._namespace}")
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))
        return connection.scalar(sa.select(_ACTIVE.c.id).where(self._is_active))

    def _switch(
        self, connection: Connection, active: str | None, to: str | None, change: Change, *, base: str | None
    ) -> None:
        if active is not None:
            self._add(connection, active, "retired", Change(change.by, change.now, f"{to or PRIOR} took over"))
        connection.execute(sa.delete(_ACTIVE).where(self._is_active))
        if to is not None:
            row = {"id": to, "activated_at": change.now, "activated_by": change.by}
            connection.execute(sa.insert(_ACTIVE).values(namespace=self._namespace, kind=_KIND, **row))
            self._add(connection, to, "active", change, base=base)
            connection.execute(sa.delete(_ACTIVE).where(self._is(_SHADOW), _ACTIVE.c.id == to))

    def _add(
        self,
        connection: Connection,
        model: str,
        state: State,
        change: Change,
        *,
        base: str | None = None,
        verdict: str | None = None,
    ) -> None:
        row = {"model": model, "state": state, "base": base, "verdict": verdict, "reason": change.reason[:MAX_REASON]}
        changed = {"changed_at": change.now, "changed_by": change.by}
        connection.execute(sa.insert(_STATES).values(namespace=self._namespace, **row, **changed))

    def _state(self, connection: Connection, model: str) -> ModelState | None:
        return self._newest(connection, _STATES.c.model == model)

    def _activation(self, connection: Connection, model: str) -> ModelState | None:
        return self._newest(connection, (_STATES.c.model == model) & (_STATES.c.state == "active"))

    def _newest(self, connection: Connection, which: sa.ColumnElement[bool]) -> ModelState | None:
        wanted = sa.select(_STATES).where(self._here, which).order_by(_STATES.c.number.desc()).limit(1)
        row = connection.execute(wanted).one_or_none()
        return None if row is None else _state(row)


def _state(row: sa.Row[tuple[object, ...]]) -> ModelState:
    found = row._mapping
    return ModelState(**{name: found[name] for name in ModelState.__dataclass_fields__})


def _moved(model: str, over: str | None, active: str | None) -> InvalidInput:
    message = f"{model} was judged against {over or PRIOR}, but {active or PRIOR} is active now; train again"
    return InvalidInput(ACTIVE_MOVED, message)
