"""Publications on SQLite and PostgreSQL: each rests on the newest, some wait for their time, nobody is overwritten."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from offers.ledger import Ledger
from offers.publications import Draft, Publication
from streams.errors import InvalidInput
from streams.ids import Millis, RevisionId

R1, R2, R3 = (RevisionId(f"r-{digit * 12}") for digit in "123")


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(request: pytest.FixtureRequest, tmp_path: Path, namespace: str) -> Iterator[Ledger]:
    embedded = request.param == "sqlite"
    url = f"sqlite:///{tmp_path / 'ledger.sqlite'}" if embedded else str(request.getfixturevalue("postgres_url"))
    opened = Ledger(url, namespace)
    opened.migrate()
    yield opened
    opened.close()


def publish(
    ledger: Ledger,
    revision: RevisionId,
    base: RevisionId | None,
    now: Millis,
    at: Millis | None = None,
    author: str = "ada",
) -> Publication:
    return ledger.publications.publish(Draft(revision, base, author, f"{revision} it is", at), now)


def running(ledger: Ledger, now: Millis) -> RevisionId | None:
    return ledger.wanted(now).revision


def test_each_publication_rests_on_the_newest_and_the_history_has_them_all(ledger: Ledger) -> None:
    assert (ledger.publications.newest(), running(ledger, 1), ledger.publications.history()) == (None, None, ())
    first = publish(ledger, R1, None, now=1_000)
    second = publish(ledger, R2, R1, now=2_000, author="bob")
    assert second == Publication(2, R2, R1, "bob", f"{R2} it is", 2_000)
    assert ledger.publications.history() == (second, first)
    assert ledger.publications.history(1) == (second,)
    assert ledger.publications.newest() == ledger.publications.active(2_000) == second


def test_a_colleague_s_change_is_not_overwritten_and_is_named(ledger: Ledger) -> None:
    publish(ledger, R1, None, now=0)
    publish(ledger, R2, R1, now=1_795_284_251_000, author="bob")
    with pytest.raises(InvalidInput) as caught:
        publish(ledger, R3, R1, now=1_795_284_252_000)
    assert caught.value.code == "BASE_MOVED"
    assert caught.value.message == (
        f"this change rests on {R1}, but bob published {R2} at 2026-11-21T18:04:11Z ('{R2} it is'); take that change "
        f"into your folder, check it, and publish with --base {R2}"
    )
    assert running(ledger, 1_795_284_253_000) == R2
    with pytest.raises(InvalidInput, match="rests on nothing published, but bob published"):
        publish(ledger, R3, None, now=3)


def test_a_base_where_nothing_was_published_is_refused(ledger: Ledger) -> None:
    with pytest.raises(InvalidInput, match="nothing was published here yet; leave --base out"):
        publish(ledger, R2, R1, now=1)


def test_a_rollback_is_a_publication_that_must_be_known_to_go_on(ledger: Ledger) -> None:
    publish(ledger, R1, None, now=1)
    publish(ledger, R2, R1, now=2)
    publish(ledger, R1, R2, now=3)
    assert running(ledger, 3) == R1
    with pytest.raises(InvalidInput, match=f"published {R1}"):
        publish(ledger, R3, R2, now=4)


def test_of_publishers_at_once_one_is_first_and_the_others_are_told_so(ledger: Ledger) -> None:
    publish(ledger, R1, None, now=1)
    for turn in range(5):
        head = ledger.publications.newest()
        assert head is not None

        def attempt(number: int, base: RevisionId = head.revision, turn: int = turn) -> str:
            try:
                publish(ledger, RevisionId(f"r-{turn:06}{number:06}"), base, now=2, author=f"author-{number}")
            except InvalidInput as error:
                return error.code
            return "published"

        with ThreadPoolExecutor(4) as threads:
            results = sorted(threads.map(attempt, range(4)))
        assert results == ["BASE_MOVED"] * 3 + ["published"]
        newest = ledger.publications.newest()
        assert newest is not None
        assert (newest.number, newest.base) == (turn + 2, head.revision)


def test_a_publication_waits_for_its_time(ledger: Ledger) -> None:
    publish(ledger, R1, None, now=100)
    later = publish(ledger, R2, R1, now=200, at=500)
    assert [running(ledger, now) for now in (200, 499, 500, 900)] == [R1, R1, R2, R2]
    assert (later.waits(499), later.waits(500)) == (True, False)
    with pytest.raises(InvalidInput, match="is past; name a later time") as past:
        publish(ledger, R3, R2, now=500, at=500)
    assert past.value.code == "AT_PAST"


def test_the_first_publication_may_wait_too(ledger: Ledger) -> None:
    publish(ledger, R1, None, now=1, at=10)
    assert [running(ledger, now) for now in (9, 10)] == [None, R1]


def test_a_newer_publication_cancels_the_one_that_waits_and_must_know_of_it(ledger: Ledger) -> None:
    publish(ledger, R1, None, now=100)
    publish(ledger, R2, R1, now=200, at=500)
    with pytest.raises(InvalidInput) as caught:
        publish(ledger, R3, R1, now=300)
    assert caught.value.code == "BASE_MOVED"
    publish(ledger, R3, R2, now=300)
    assert [running(ledger, now) for now in (300, 500, 900)] == [R3, R3, R3]
    assert [(each.revision, each.canceled_at) for each in ledger.publications.history()] == [
        (R3, None), (R2, 300), (R1, None),
    ]  # fmt: skip


def test_one_that_came_in_time_is_not_canceled_by_a_newer_one_that_waits(ledger: Ledger) -> None:
    publish(ledger, R1, None, now=100, at=200)
    publish(ledger, R2, R1, now=300, at=600)
    assert [running(ledger, now) for now in (300, 599, 600)] == [R1, R1, R2]


@pytest.mark.parametrize("message", ["", " ", "two\nlines", "a" * 501])
def test_a_publication_says_in_one_line_what_it_is(ledger: Ledger, message: str) -> None:
    with pytest.raises(InvalidInput, match="expected one line of 1 to 500 printable characters") as caught:
        ledger.publications.publish(Draft(R1, None, "ada", message), 1)
    assert caught.value.code == "MESSAGE"
    with pytest.raises(InvalidInput) as nobody:
        ledger.publications.publish(Draft(R1, None, "", "mended"), 1)
    assert nobody.value.code == "AUTHOR"
    assert ledger.publications.history() == ()
