"""Verdicts: what people say of a publication that waits for approval. The last one needed makes it active.

Nobody approves what they published themselves, unless the rule says `self: true`: neither by publishing it a second
time, nor after somebody else published on top of it before anything of it was approved.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from offers.approval_rules import ApprovalRule, Rules, told
from offers.ledger_database import LedgerDatabase
from offers.publications import NOT_APPROVED, Publication, check_line, publication_of
from offers.publications import TABLE as PUBLICATIONS
from streams.errors import InvalidInput, NotAllowed, NotFound
from streams.ids import Millis
from streams.instant import format_instant

Kind = Literal["approved", "rejected"]
ALREADY_DECIDED = "ALREADY_DECIDED"
_TABLE = sa.Table(
    "verdicts",
    sa.MetaData(),
    sa.Column("namespace", sa.String, primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("person", sa.String, primary_key=True),
    sa.Column("verdict", sa.String),
    sa.Column("message", sa.String),
    sa.Column("at", sa.BigInteger),
    sa.Column("own", sa.Boolean),
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one person said of one publication."""

    person: str
    verdict: Kind
    message: str
    """Empty: nothing more; a rejection says why."""
    at: Millis
    own: bool = False
    """Of a change they published themselves: it counts where the rule says `self: true`."""


Said = tuple[Verdict, ...]


@dataclass(frozen=True, slots=True)
class Decided:
    """A publication after a verdict."""

    publication: Publication
    said: Said

    @property
    def waits_for(self) -> Rules:
        """The rules of which nobody approved yet."""
        return waits_for(self.publication, self.said)


def waits_for(publication: Publication, said: Said) -> Rules:
    """The rules of which somebody must still approve it; none: it is decided, or needs nobody."""
    if not publication.undecided:
        return ()
    return tuple(rule for rule in publication.needs if not any(_counts(each, rule) for each in said))


def _counts(verdict: Verdict, rule: ApprovalRule) -> bool:
    return verdict.person in rule.by and (rule.self_approval or not verdict.own)


class Verdicts:
    """Thread-safe; blocking. Every call is one transaction and may raise Retry LEDGER_UNAVAILABLE."""

    def __init__(self, database: LedgerDatabase, namespace: str) -> None:
        self._database = database
        self._namespace = namespace

    def approve(self, revision: str, person: str, message: str, now: Millis) -> Decided:
        """Count the word of this person for every rule that names them. `message` may be empty.

        Raises NotFound REVISION_UNKNOWN, NotAllowed NOT_AN_APPROVER, SELF_APPROVAL, InvalidInput APPROVAL_NOT_NEEDED,
        ALREADY_DECIDED, SUPERSEDED, MESSAGE, AUTHOR.
        """
        check_line("AUTHOR", "person", person)
        if message:
            check_line("MESSAGE", "message", message)
        with self._database.writing() as connection:
            found = self._waiting(connection, revision)
            said = self._of(connection, [found.number]).get(found.number, ())
            verdict = Verdict(person, "approved", message, now, own=person in self._authors(connection, found))
            _check_approver(found, said, verdict)
            return self._add(connection, found, said, verdict)

    def reject(self, revision: str, person: str, message: str, now: Millis) -> Decided:
        """Whoever may approve ends it with one word, and so may who published it. Raises as approve() does."""
        check_line("AUTHOR", "person", person)
        check_line("MESSAGE", "message", message)
        with self._database.writing() as connection:
            found = self._waiting(connection, revision)
            if person != found.author and not any(person in rule.by for rule in found.needs):
                raise _no_approver(person, found.needs, "reject")
            said = self._of(connection, [found.number]).get(found.number, ())
            return self._add(connection, found, said, Verdict(person, "rejected", message, now, person == found.author))

    def of(self, publications: Iterable[Publication]) -> Mapping[int, Said]:
        """What was said, by the number of the publication, the first to speak first."""
        numbers = [each.number for each in publications if each.needs]
        if not numbers:
            return {}
        with self._database.reading() as connection:
            return self._of(connection, numbers)

    def _of(self, connection: Connection, numbers: list[int]) -> dict[int, Said]:
        wanted = sa.select(_TABLE).where(_TABLE.c.namespace == self._namespace, _TABLE.c.number.in_(numbers))
        found: dict[int, Said] = {}
        for row in connection.execute(wanted.order_by(_TABLE.c.at, _TABLE.c.verdict, _TABLE.c.person)):
            verdict = Verdict(row.person, row.verdict, row.message, row.at, row.own)
            found[row.number] = (*found.get(row.number, ()), verdict)
        return found

    def _waiting(self, connection: Connection, revision: str) -> Publication:
        """The newest publication of it, locked: of two who decide at once the second sees what the first decided."""
        here = (PUBLICATIONS.c.namespace == self._namespace) & (PUBLICATIONS.c.revision == revision)
        newest = sa.select(PUBLICATIONS).where(here).order_by(PUBLICATIONS.c.number.desc()).limit(1)
        row = connection.execute(newest.with_for_update()).one_or_none()
        if row is None:
            message = f"{revision[:40]!r} was never published here; `offing campaigns history` shows what was"
            raise NotFound("REVISION_UNKNOWN", message)
        found = publication_of(row)
        if not found.needs:
            raise InvalidInput("APPROVAL_NOT_NEEDED", f"{found.revision} needs nobody's approval; nothing waits")
        if found.canceled_at is not None:
            message = (
                f"{found.revision} was superseded at {format_instant(found.canceled_at)} by a newer publication; "
                f"publish it again on that one if it is still wanted"
            )
            raise InvalidInput("SUPERSEDED", message)
        if not found.undecided:
            end = self._of(connection, [found.number])[found.number][-1]
            why = f" ({end.message!r})" if end.message else ""
            message = f"{found.revision} was {end.verdict} by {end.person} at {format_instant(end.at)}{why}"
            raise InvalidInput(ALREADY_DECIDED, message)
        return found

    def _authors(self, connection: Connection, found: Publication) -> frozenset[str]:
        """Who published this revision at any time, and who published since what is active: theirs may be in it."""
        here = PUBLICATIONS.c.namespace == self._namespace
        ran = PUBLICATIONS.c.canceled_at.is_(None) & ~NOT_APPROVED
        before = sa.select(sa.func.max(PUBLICATIONS.c.number)).where(here, ran, PUBLICATIONS.c.number < found.number)
        since = PUBLICATIONS.c.number > (connection.scalar(before) or 0)
        among = sa.select(PUBLICATIONS.c.author).where(here, since | (PUBLICATIONS.c.revision == found.revision))
        return frozenset(connection.scalars(among))

    def _add(self, connection: Connection, found: Publication, said: Said, verdict: Verdict) -> Decided:
        """Who approved for one rule may still reject while another is open: their last word stays."""
        row = {"namespace": self._namespace, "number": found.number, **asdict(verdict)}
        before = (_TABLE.c[name] == row[name] for name in ("namespace", "number", "person"))
        connection.execute(sa.delete(_TABLE).where(*before))
        connection.execute(sa.insert(_TABLE).values(**row))
        said = (*(each for each in said if each.person != verdict.person), verdict)
        change: dict[str, Any] = {}
        if verdict.verdict == "rejected":
            change = {"rejected_at": verdict.at}
        elif not waits_for(found, said):
            change = {"approved_at": verdict.at}
        if change:
            this = (PUBLICATIONS.c.namespace == self._namespace) & (PUBLICATIONS.c.number == found.number)
            connection.execute(sa.update(PUBLICATIONS).where(this).values(**change))
        return Decided(replace(found, **change), said)


def _check_approver(found: Publication, said: Said, verdict: Verdict) -> None:
    person = verdict.person
    named = [rule for rule in found.needs if person in rule.by]
    if not named:
        raise _no_approver(person, found.needs, "approve")
    wanted = waits_for(found, said)
    mine = [rule for rule in wanted if rule in named]
    if not mine:
        raise InvalidInput(ALREADY_DECIDED, f"that is approved already; {found.revision} waits for {told(wanted)}")
    if not any(_counts(verdict, rule) for rule in mine):
        others = sorted({name for rule in mine for name in rule.by} - {person})
        mend = f"it waits for {' or '.join(others)}" if others else "nobody else may: let somebody else publish it"
        message = f"{person} published this change, or one below it that nobody approved; {mend}"
        raise NotAllowed("SELF_APPROVAL", message)


def _no_approver(person: str, needs: Rules, what: str) -> NotAllowed:
    return NotAllowed("NOT_AN_APPROVER", f"{person} may not {what} this change; it waits for {told(needs)}")
