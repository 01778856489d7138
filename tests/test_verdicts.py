"""Approvals on SQLite and PostgreSQL: what waits is never active by itself, and nobody approves their own change."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from offers.approval_rules import ApprovalRule, Rules
from offers.ledger import Ledger
from offers.ledger_database import LedgerDatabase
from offers.publications import Draft, Publication
from offers.verdicts import Verdict, waits_for
from streams.errors import InvalidInput, OffingError
from streams.ids import Millis, RevisionId

R1, R2, R3, R4 = (RevisionId(f"r-{digit * 12}") for digit in "1234")
CABINS = ApprovalRule("collection", "cabins", ("anna", "marco"))
SPA = ApprovalRule("owner", "onboard.spa", ("lucia",))


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'l'}" if request.param == "sqlite" else request.getfixturevalue("postgres_url")


@pytest.fixture
def ledger(url: str, namespace: str) -> Iterator[Ledger]:
    """R1 is active."""
    opened = Ledger(url, namespace)
    opened.migrate()
    publish(opened, R1, None, "pia", needs=(), now=1)
    yield opened
    opened.close()


def publish(
    ledger: Ledger, revision: RevisionId, base: RevisionId | None, author: str, *,
    needs: Rules = (CABINS,), now: Millis = 2, at: Millis | None = None, against: int | None = None,
) -> Publication:  # fmt: skip
    draft = Draft(revision, base, author, f"{revision} it is", at, rules=(CABINS,), needs=needs, against=against)
    return ledger.publications.publish(draft, now)


def approve(ledger: Ledger, person: str, revision: RevisionId = R2, now: Millis = 10) -> str:
    """The code of the refusal; empty: it counted."""
    try:
        ledger.verdicts.approve(revision, person, "", now)
    except OffingError as error:
        return error.code
    return ""


def running(ledger: Ledger, now: Millis = 1_000) -> RevisionId | None:
    return ledger.wanted(now).revision


def test_what_waits_for_approval_is_active_when_it_is_approved(ledger: Ledger) -> None:
    made = publish(ledger, R2, R1, "anna")
    assert (made.undecided, made.active_from, running(ledger)) == (True, None, R1)
    decided = ledger.verdicts.approve(R2, "marco", "as agreed", 7)
    assert (decided.waits_for, decided.publication.approved_at, decided.publication.active_from) == ((), 7, 7)
    assert running(ledger) == R2
    (found, _) = ledger.publications.history()
    assert (found, found.rules, found.needs) == (decided.publication, (CABINS,), (CABINS,))
    assert ledger.verdicts.of([found]) == {2: (Verdict("marco", "approved", "as agreed", 7),)}


def test_one_that_waits_for_its_time_too_is_active_when_both_have_come(ledger: Ledger) -> None:
    publish(ledger, R2, R1, "anna", at=100)
    assert running(ledger, 200) == R1
    assert approve(ledger, "marco", now=50) == ""
    assert [running(ledger, now) for now in (60, 99, 100)] == [R1, R1, R2]


def test_nobody_approves_their_own_change(ledger: Ledger) -> None:
    publish(ledger, R2, R1, "anna")
    with pytest.raises(OffingError) as caught:
        ledger.verdicts.approve(R2, "anna", "", 3)
    assert (caught.value.code, caught.value.message) == (
        "SELF_APPROVAL",
        "anna published this change, or one below it that nobody approved; it waits for marco",
    )
    publish(ledger, R2, R2, "pia")
    assert approve(ledger, "anna") == "SELF_APPROVAL", "not by having it published a second time"
    publish(ledger, R3, R2, "pia")
    assert approve(ledger, "anna", R3) == "SELF_APPROVAL", "nor below somebody else's"
    assert (approve(ledger, "marco", R3), running(ledger)) == ("", R3)
    publish(ledger, R4, R3, "pia")
    assert approve(ledger, "anna", R4) == "", "what was approved meanwhile is no longer hers"


def test_where_the_rule_allows_it_people_approve_what_they_published(ledger: Ledger) -> None:
    own = ApprovalRule("collection", "fares", ("anna",), self_approval=True)
    publish(ledger, R2, R1, "anna", needs=(own, CABINS))
    decided = ledger.verdicts.approve(R2, "anna", "", 3)
    assert (decided.waits_for, running(ledger)) == ((CABINS,), R1), "it does not count where the rule forbids it"
    assert (approve(ledger, "anna"), approve(ledger, "marco"), running(ledger)) == ("SELF_APPROVAL", "", R2)


def test_every_rule_wants_a_word_and_one_person_may_speak_for_several(ledger: Ledger) -> None:
    both = ApprovalRule("everything_else", "", ("lucia", "marco"))
    made = publish(ledger, R2, R1, "pia", needs=(CABINS, SPA, both))
    assert ledger.verdicts.approve(R2, "marco", "", 3).waits_for == (SPA,)
    assert running(ledger) == R1
    with pytest.raises(InvalidInput, match=r"approved already; r-2+ waits for lucia for owner onboard.spa"):
        ledger.verdicts.approve(R2, "anna", "", 4)
    said = ledger.verdicts.of([made])[2]
    assert waits_for(made, said) == (SPA,)
    assert (approve(ledger, "lucia"), running(ledger)) == ("", R2)


@pytest.mark.parametrize(
    ("person", "revision", "code", "told"),
    [
        ("carl", R2, "NOT_AN_APPROVER", "carl may not approve this change; it waits for " + CABINS.wanted),
        ("anna", R1, "APPROVAL_NOT_NEEDED", f"{R1} needs nobody's approval; nothing waits"),
        ("anna", R4, "REVISION_UNKNOWN", f"'{R4}' was never published here; `offing campaigns history` shows what was"),
        ("two\nlines", R2, "AUTHOR", "'two\\nlines' is no person; expected one line of 1 to 128 printable characters"),
    ],
)  # fmt: skip
def test_a_word_that_does_not_count_says_why(
    ledger: Ledger, person: str, revision: RevisionId, code: str, told: str
) -> None:
    publish(ledger, R2, R1, "pia")
    with pytest.raises(OffingError) as caught:
        ledger.verdicts.approve(revision, person, "", 1_795_284_251_000)
    assert (caught.value.code, caught.value.message) == (code, told)
    assert ledger.verdicts.of(ledger.publications.history()) == {}


def test_what_is_rejected_is_never_active_and_the_next_rests_on_it_or_on_the_one_before(ledger: Ledger) -> None:
    publish(ledger, R2, R1, "anna", at=100)
    with pytest.raises(OffingError, match="carl may not reject this change"):
        ledger.verdicts.reject(R2, "carl", "no", 3)
    with pytest.raises(InvalidInput, match="'' is no message"):
        ledger.verdicts.reject(R2, "marco", "", 3)
    decided = ledger.verdicts.reject(R2, "marco", "4.90 for 49.00", 1_795_284_251_000)
    assert (decided.publication.rejected_at, decided.waits_for, running(ledger)) == (1_795_284_251_000, (), R1)
    with pytest.raises(InvalidInput) as late:
        ledger.verdicts.approve(R2, "marco", "", 4)
    assert (late.value.code, late.value.message) == (
        "ALREADY_DECIDED",
        f"{R2} was rejected by marco at 2026-11-21T18:04:11Z ('4.90 for 49.00')",
    )
    standing = ledger.publications.standing()
    assert standing is not None and standing.revision == R1
    assert publish(ledger, R3, R1, "pia").number == 3
    ledger.verdicts.reject(R3, "pia", "not yet", 5)
    assert publish(ledger, R2, R3, "anna").number == 4, "mended, by who was told no"
    assert [each.canceled_at for each in ledger.publications.history()] == [None] * 4


def test_a_newer_publication_supersedes_what_waits_and_must_know_of_it(ledger: Ledger) -> None:
    publish(ledger, R2, R1, "anna", now=1_795_284_251_000)
    with pytest.raises(InvalidInput) as moved:
        publish(ledger, R3, R1, "pia", needs=())
    assert moved.value.code == "BASE_MOVED"
    assert "('r-222222222222 it is'), which waits for anna or marco for collection cabins; take" in moved.value.message
    publish(ledger, R3, R2, "pia", needs=(), now=1_795_284_252_000)
    with pytest.raises(InvalidInput, match=r"superseded at 2026-11-21T18:04:12Z by a newer publication") as caught:
        ledger.verdicts.approve(R2, "marco", "", 5)
    assert (caught.value.code, running(ledger, 1_795_284_253_000)) == ("SUPERSEDED", R3)


def test_a_change_compared_with_what_is_no_longer_active_is_compared_again(ledger: Ledger) -> None:
    publish(ledger, R2, R1, "anna")
    approve(ledger, "marco")
    with pytest.raises(InvalidInput, match="publish it again") as caught:
        publish(ledger, R3, R2, "pia", needs=(), against=1)
    assert caught.value.code == "ACTIVE_MOVED"
    assert publish(ledger, R3, R2, "pia", needs=(), against=2).number == 3


def test_of_people_who_decide_at_once_one_decides(ledger: Ledger) -> None:
    base = R1
    for turn in range(3):
        revision = RevisionId(f"r-{turn:012}")
        publish(ledger, revision, base, "pia")
        with ThreadPoolExecutor(4) as threads:
            found = threads.map(lambda person: approve(ledger, person, revision), ("anna", "marco", "anna", "marco"))  # noqa: B023
            assert sorted(found) == ["", *["ALREADY_DECIDED"] * 3]
        assert len(ledger.verdicts.of(ledger.publications.history(1))[turn + 2]) == 1
        base = revision


def test_an_approval_and_a_newer_publication_at_once_agree_on_what_was_first(ledger: Ledger) -> None:
    head = R1
    for turn in range(4):
        waits, next_one = RevisionId(f"r-{turn:012}"), RevisionId(f"r-{turn + 100:012}")
        number = publish(ledger, waits, head, "pia").number

        def newer(waits: RevisionId = waits, next_one: RevisionId = next_one, against: int = number - 1) -> str:
            try:
                publish(ledger, next_one, waits, "pia", needs=(), against=against)
            except InvalidInput as error:
                return error.code
            return ""

        with ThreadPoolExecutor(2) as threads:
            approved, published = threads.submit(approve, ledger, "anna", waits), threads.submit(newer)
            assert (approved.result(), published.result()) in {("", "ACTIVE_MOVED"), ("SUPERSEDED", "")}
        newest = ledger.publications.newest()
        assert newest is not None and running(ledger) == newest.revision
        head = newest.revision


def test_a_program_from_before_approvals_does_not_take_what_waits_for_active(url: str, ledger: Ledger) -> None:
    publish(ledger, R2, R1, "anna")
    database = LedgerDatabase(url, ledger.namespace)
    database.downgrade("0003")
    database.migrate()
    database.engine.dispose()
    assert running(ledger) == R1
    assert [each.canceled_at for each in ledger.publications.history()] == [2, None]
