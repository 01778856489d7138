"""Stops: campaigns that somebody took out of every decision, without a new revision, until they are lifted."""

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from offers.ledger_database import LedgerDatabase
from offers.publications import INSERT
from streams.errors import InvalidInput, NotFound, Retry
from streams.ids import CampaignId, Millis

MAX_REASON = 500
MAX_LISTED = 1_000
_TABLE = sa.Table(
    "stops",
    sa.MetaData(),
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("namespace", sa.String),
    sa.Column("campaign_id", sa.String),
    sa.Column("reason", sa.String),
    sa.Column("stopped_by", sa.String),
    sa.Column("stopped_at", sa.BigInteger),
    sa.Column("lifted_by", sa.String),
    sa.Column("lifted_at", sa.BigInteger),
)


@dataclass(frozen=True, slots=True)
class CampaignStop:
    """One stop of one campaign; it is in force until it is lifted."""

    campaign_id: CampaignId
    reason: str
    stopped_by: str
    stopped_at: Millis
    lifted_by: str | None = None
    lifted_at: Millis | None = None


class Stops:
    """Thread-safe; blocking. Every call is one transaction and may raise Retry LEDGER_UNAVAILABLE."""

    def __init__(self, database: LedgerDatabase, namespace: str) -> None:
        self._database = database
        self._namespace = namespace
        self._insert = INSERT[database.engine.dialect.name]

    def stop(self, campaign: CampaignId, reason: str, by: str, now: Millis) -> CampaignStop:
        """The stop in force: this one, or one from before, whose reason stays. Raises InvalidInput REASON."""
        if not 1 <= len(reason) <= MAX_REASON or not reason.isprintable() or reason != reason.strip():
            message = f"{reason[:60]!r} is no reason; expected one line of 1 to {MAX_REASON} printable characters"
            raise InvalidInput("REASON", message)
        row = {"campaign_id": campaign, "reason": reason, "stopped_by": by, "stopped_at": now}
        made = self._insert(_TABLE).values(namespace=self._namespace, **row).on_conflict_do_nothing()
        with self._database.writing() as connection:
            connection.execute(made)
            found = next((stop for stop in self._standing(connection) if stop.campaign_id == campaign), None)
        if found is None:
            raise Retry(
                "STOP_LIFTED", f"somebody lifted the stop of {campaign!r} at this moment; stop it again", after_s=0
            )
        return found

    def lift(self, campaign: CampaignId, by: str, now: Millis) -> None:
        """The campaign may be shown again. Raises NotFound STOP_UNKNOWN."""
        lifted = sa.update(_TABLE).where(self._in_force, _TABLE.c.campaign_id == campaign)
        with self._database.writing() as connection:
            if connection.execute(lifted.values(lifted_by=by, lifted_at=now)).rowcount == 0:
                message = f"campaign {campaign[:60]!r} is not stopped; `offing campaigns stops` lists those that are"
                raise NotFound("STOP_UNKNOWN", message)

    def in_force(self) -> tuple[CampaignStop, ...]:
        """Those not lifted, by campaign."""
        with self._database.reading() as connection:
            return self._standing(connection)

    def campaigns_in(self, connection: Connection) -> frozenset[CampaignId]:
        """The campaigns stopped now, within a transaction."""
        return frozenset(connection.scalars(sa.select(_TABLE.c.campaign_id).where(self._in_force)))

    def history(self) -> tuple[CampaignStop, ...]:
        """Lifted ones too, the newest first; at most MAX_LISTED."""
        here = sa.select(_TABLE).where(_TABLE.c.namespace == self._namespace)
        newest = here.order_by(_TABLE.c.number.desc()).limit(MAX_LISTED)
        with self._database.reading() as connection:
            return tuple(_stop(row) for row in connection.execute(newest))

    def _standing(self, connection: Connection) -> tuple[CampaignStop, ...]:
        wanted = sa.select(_TABLE).where(self._in_force).order_by(_TABLE.c.campaign_id)
        return tuple(_stop(row) for row in connection.execute(wanted))

    @property
    def _in_force(self) -> sa.ColumnElement[bool]:
        return (_TABLE.c.namespace == self._namespace) & _TABLE.c.lifted_at.is_(None)


def _stop(row: sa.Row[tuple[object, ...]]) -> CampaignStop:
    found = row._mapping
    return CampaignStop(**{name: found[name] for name in CampaignStop.__dataclass_fields__})
