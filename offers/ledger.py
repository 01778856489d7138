"""The ledger: API keys, models and which is active, publications and stops. Everything SQL; one transaction per call.

Models are in offers.models, publications of revisions in offers.publications, what people say of those that wait for
approval in offers.verdicts, stops in offers.stops, turns in offers.turns.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from offers.caller import parse_scopes
from offers.ledger_database import LedgerDatabase
from offers.models import Active, Change, Models
from offers.publications import Publications
from offers.stops import Stops
from offers.turns import Turns
from offers.verdicts import Verdicts
from streams.errors import InvalidInput, NotFound
from streams.ids import CampaignId, Millis, RevisionId

Kind = Literal["model"]
KEY_PREFIX = "ok_"
MAX_NAME = 64

_METADATA = sa.MetaData()
_KEYS = sa.Table(
    "api_keys",
    _METADATA,
    sa.Column("namespace", sa.String, primary_key=True),
    sa.Column("name", sa.String, primary_key=True),
    sa.Column("key_hash", sa.String),
    sa.Column("scopes", sa.String),
    sa.Column("created_at", sa.BigInteger),
    sa.Column("revoked_at", sa.BigInteger),
)


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as the ledger knows it: never the secret."""

    name: str
    key_hash: str
    """SHA-256 of the secret, in hex. The secret has 256 random bits, so a plain hash is enough."""
    scopes: tuple[str, ...]
    created_at: Millis
    revoked_at: Millis | None = None


@dataclass(frozen=True, slots=True)
class Wanted:
    """What every process is to run now."""

    model: str | None
    """None: none is active."""
    revision: RevisionId | None
    """The newest publication whose time has come; None: there is none."""
    stopped: frozenset[CampaignId] = frozenset()


def key_hash(secret: str) -> str:
    """What is stored of a key."""
    return sha256(secret.encode()).hexdigest()


class Ledger:
    """Thread-safe; blocking. Every call may raise Retry LEDGER_UNAVAILABLE, and then nothing was done."""

    def __init__(self, url: str, namespace: str) -> None:
        self._database = LedgerDatabase(url, namespace)
        self.namespace = namespace
        self.models = Models(self._database, namespace)
        self.publications = Publications(self._database, namespace)
        self.stops = Stops(self._database, namespace)
        self.turns = Turns(self._database, namespace)
        self.verdicts = Verdicts(self._database, namespace)

    def migrate(self) -> None:
        """Bring the schema to this program's version; safe to call from many processes at once."""
        self._database.migrate()

    def check(self) -> None:
        """Raises Stop LEDGER_SCHEMA if the schema is not of this program's version."""
        self._database.check()

    def now_s(self) -> float | None:
        """The database's clock; None: it has none but this host's."""
        if self._database.engine.dialect.name == "sqlite":
            return None
        with self._database.reading() as connection:
            return float(connection.execute(sa.select(sa.extract("epoch", sa.func.clock_timestamp()))).scalar_one())

    def create_key(self, name: str, scopes: Iterable[str], now: Millis) -> str:
        """The new key's secret, shown this once. Raises InvalidInput KEY_NAME, KEY_NAME_TAKEN or SCOPE_UNKNOWN."""
        if not 1 <= len(name) <= MAX_NAME or not name.isprintable() or name != name.strip():
            raise InvalidInput("KEY_NAME", f"{name[:60]!r} is not a key's name; 1 to {MAX_NAME} printable characters")
        wanted = " ".join(parse_scopes(scopes))
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        row = {"namespace": self.namespace, "name": name, "key_hash": key_hash(secret), "scopes": wanted}
        try:
            with self._database.writing() as connection:
                connection.execute(sa.insert(_KEYS).values(**row, created_at=now))
        except IntegrityError as error:
            message = f"a key named {name!r} exists or did; names are not used again: take another, such as '{name}-2'"
            raise InvalidInput("KEY_NAME_TAKEN", message) from error
        return secret

    def list_keys(self) -> tuple[ApiKey, ...]:
        """All keys, revoked ones too, by name."""
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(_KEYS).where(_KEYS.c.namespace == self.namespace)).all()
        keys = (
            ApiKey(row.name, row.key_hash, tuple(row.scopes.split()), row.created_at, row.revoked_at) for row in rows
        )
        return tuple(sorted(keys, key=lambda key: key.name))

    def revoke_key(self, name: str, now: Millis) -> None:
        """From at most 5 s later on no process takes the key. Repeating is harmless. Raises NotFound KEY_UNKNOWN."""
        named = (_KEYS.c.namespace == self.namespace) & (_KEYS.c.name == name)
        revoked_at = sa.func.coalesce(_KEYS.c.revoked_at, now)
        with self._database.writing() as connection:
            if connection.execute(sa.update(_KEYS).where(named).values(revoked_at=revoked_at)).rowcount == 0:
                raise NotFound("KEY_UNKNOWN", f"no key is named {name[:60]!r}; `offing keys list` shows the names")

    def publish(self, kind: Kind, artifact: str, by: str, now: Millis) -> None:
        """Make a model known; repeating is harmless, the first time stays."""
        self.models.publish(artifact, Change(by, now))

    def published(self, kind: Kind) -> tuple[str, ...]:
        """Ids of every known one, the newest first."""
        return self.models.published()

    def activate(self, kind: Kind, artifact: str, by: str, now: Millis) -> None:
        """Make a known model the active one, whatever is. Raises NotFound MODEL_UNKNOWN."""
        self.models.activate(artifact, Change(by, now))

    def active(self, kind: Kind) -> Active | None:
        """What is active of this kind; None: nothing yet."""
        return self.models.active()

    def wanted(self, now: Millis) -> Wanted:
        """Everything that a process follows, in one transaction: it asks four times a second."""
        with self._database.reading() as connection:
            model = self.models.active_in(connection)
            published = self.publications.active_in(connection, now)
            stopped = self.stops.campaigns_in(connection)
        return Wanted(
            model=None if model is None else model.id,
            revision=None if published is None else published.revision,
            stopped=stopped,
        )

    def close(self) -> None:
        """Give every connection back. Idempotent."""
        self._database.engine.dispose()
