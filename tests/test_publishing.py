"""Publishing at the command line: checked, kept, resting on what was known; rolled back; stopped."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from time import monotonic

import pytest

from offers import commands, publishing, revisions
from offers.ledger import Ledger
from streams.ids import RevisionId
from tests.service import CAMPAIGNS
from tests.test_cli import Shell, logging_as_it_was

__all__ = ["logging_as_it_was"]
CABIN = Path("campaigns/cabin-upgrade.yaml")
UPGRADE = "cabin-upgrade-livorno-olbia"


class Desk(Shell):
    """A campaign manager's folder beside the artifacts that everybody shares."""

    def __init__(self, root: Path, name: str) -> None:
        super().__init__(root / "artifacts")
        self.campaigns = Path(shutil.copytree(CAMPAIGNS, root / name))
        self.set = {"CAMPAIGNS_FROM": "ledger", "CAMPAIGNS": str(self.campaigns)}

    def title(self, words: str) -> RevisionId:
        """Change the cabin's title; the revision that this makes."""
        (self.campaigns / CABIN).write_text((CAMPAIGNS / CABIN).read_text().replace("Your cabin for tonight", words))
        return revisions.fingerprint(self.campaigns)

    def publish(self, *more: str, message: str = "a title") -> dict[str, object]:
        found: dict[str, object] = self.json("campaigns", "publish", str(self.campaigns), "-m", message, *more)
        return found

    def refused(self, *more: str) -> str:
        return self.fails("campaigns", "publish", str(self.campaigns), "-m", "a title", *more)


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal on which no table is cut."""
    monkeypatch.setattr(commands.console, "_width", 200)  # read when it was made, so the variable would come too late


@pytest.fixture
def ada(tmp_path: Path) -> Iterator[Desk]:
    yield Desk(tmp_path, "ada")


@pytest.fixture
def bob(tmp_path: Path) -> Iterator[Desk]:
    yield Desk(tmp_path, "bob")


def test_a_folder_is_published_and_the_next_change_rests_on_it(ada: Desk) -> None:
    first = ada.publish("--author", "ada", message="the first")
    assert first == {
        "published": True, "number": 1, "revision": revisions.fingerprint(ada.campaigns), "base": None,
        "author": "ada", "message": "the first", "published_at": first["published_at"], "activate_at": None,
        "canceled_at": None, "approved_at": None, "rejected_at": None, "needs": [], "waits_for": [], "verdicts": [],
        "warnings": first["warnings"],
    }  # fmt: skip
    assert ada.publish()["published"] is False, "there is nothing new"
    second = ada.title("A cabin")
    done = ada.run("campaigns", "publish", str(ada.campaigns), "-m", "a title")
    assert f"{second} is published, number 2, rests on {first['revision']}: active now" in done.stdout
    assert (ada.campaigns / publishing.BASE_FILE).read_text() == f"offing {second}\n"
    assert revisions.fingerprint(ada.campaigns) == second, "the file is no part of a revision"
    listed = ada.json("campaigns", "history")
    assert [(each["number"], each["active"]) for each in listed] == [(2, True), (1, False)]
    shown = ada.run("campaigns", "history").stdout
    assert "active" in shown and "the first" in shown


def test_a_colleague_s_change_is_named_and_not_overwritten(ada: Desk, bob: Desk) -> None:
    first = ada.publish()["revision"]
    bob.title("Bob's cabin")
    refused = bob.refused()
    assert refused.startswith(f"BASE_UNKNOWN {bob.campaigns} was never published from here, and {first} is published")
    assert refused.endswith(f"publish with --base {first}")
    second = bob.publish("--base", str(first), "--author", "bob", message="bob's words")["revision"]
    ada.title("Ada's cabin")
    refused = ada.refused()
    assert refused.startswith(f"BASE_MOVED this change rests on {first}, but bob published {second} at 20")
    assert refused.endswith(
        f'("bob\'s words"); take that change into your folder, check it, and publish with --base {second}'
    )
    assert ada.publish("--base", str(second))["number"] == 3


def test_a_folder_with_an_error_is_not_published(ada: Desk) -> None:
    first = ada.publish()["revision"]
    (ada.campaigns / CABIN).write_text((CAMPAIGNS / CABIN).read_text().replace("at_least: gold", "at_least: oro"))
    assert ada.refused().startswith("CAMPAIGNS_INVALID campaigns/cabin-upgrade.yaml:9:41: UNKNOWN_LEVEL")
    assert ada.json("campaigns", "history")[0]["revision"] == first
    assert ada.fails("campaigns", "publish", str(ada.campaigns / "none"), "-m", "x").startswith("FOLDER_MISSING")


def test_one_that_was_published_but_not_noted_in_the_folder_is_noted_by_the_next_try(ada: Desk) -> None:
    first = ada.publish()["revision"]
    (ada.campaigns / publishing.BASE_FILE).unlink()
    assert ada.publish()["published"] is False
    assert (ada.campaigns / publishing.BASE_FILE).read_text() == f"offing {first}\n"
    (ada.campaigns / publishing.BASE_FILE).write_bytes(b"\xff\x00 not ours\noffing r-zz\n\n")
    ada.title("A cabin")
    assert ada.refused().startswith("BASE_UNKNOWN")


def test_each_namespace_has_its_own_base(ada: Desk) -> None:
    ada.publish()
    assert ada.json("campaigns", "publish", str(ada.campaigns), "-m", "x", NAMESPACE="trial")["number"] == 1
    ada.title("A cabin")
    second = ada.publish()["revision"]
    bases = dict(line.split() for line in (ada.campaigns / publishing.BASE_FILE).read_text().splitlines())
    assert bases["offing"] == second != bases["trial"]


def test_a_publication_may_wait_for_its_time_and_says_so(ada: Desk) -> None:
    first = ada.publish()["revision"]
    second = ada.title("A cabin")
    done = ada.run("campaigns", "publish", str(ada.campaigns), "-m", "later", "--at", "2099-01-02T15:00+01:00")
    assert f"{second} is published, number 2, rests on {first}: active from 2099-01-02T14:00:00Z on" in done.stdout
    assert "from 2099-01-02T14:00:00Z" in ada.run("campaigns", "history").stdout
    assert [each["active"] for each in ada.json("campaigns", "history")] == [False, True]
    assert ada.publish(message="now after all")["number"] == 3
    (newest, waited, _) = ada.json("campaigns", "history")
    assert newest["active"] and waited["canceled_at"] is not None
    past = ada.run("campaigns", "publish", str(ada.campaigns), "-m", "x", "--at", "2020-01-01T00:00:00Z")
    assert (past.exit_code, past.stderr.split()[0]) == (1, "AT_PAST")
    wrong = ada.run("campaigns", "publish", str(ada.campaigns), "-m", "x", "--at", "2026-11-21 15:00")
    assert (wrong.exit_code, "has no zone" in wrong.stderr) == (2, True)
    assert ada.run("campaigns", "publish", str(ada.campaigns)).exit_code == 2, "a message is asked for"


def test_a_rollback_publishes_what_was_before_and_once_more_undoes_it(ada: Desk) -> None:
    assert ada.fails("campaigns", "rollback", "-m", "x").startswith("NOTHING_BEFORE nothing was published before")
    first = ada.publish()["revision"]
    assert ada.fails("campaigns", "rollback", "-m", "x").startswith("NOTHING_BEFORE")
    ada.title("A cabin")
    second = ada.publish()["revision"]
    back = ada.json("campaigns", "rollback", "-m", "4.90 for 49.00")
    assert (back["revision"], back["base"], back["message"]) == (first, second, "4.90 for 49.00")
    assert ada.json("campaigns", "rollback", "-m", "it was right")["revision"] == second
    assert ada.json("campaigns", "rollback", str(first), "-m", "by name")["number"] == 5
    assert ada.fails("campaigns", "rollback", "r-000000000000", "-m", "x").startswith("REVISION_UNKNOWN")
    ada.title("My cabin")
    assert ada.refused().startswith("BASE_MOVED"), "what was rolled back is not published again by accident"


def test_a_rollback_of_what_waits_for_its_time_leaves_what_runs(ada: Desk) -> None:
    first = ada.publish()["revision"]
    ada.title("A cabin")
    ada.publish("--at", "2099-01-02T15:00:00Z")
    assert ada.json("campaigns", "rollback", "-m", "not in January")["revision"] == first
    assert [each["active"] for each in ada.json("campaigns", "history")] == [True, False, False]


def test_a_stop_needs_a_campaign_that_is_active_and_a_reason(ada: Desk) -> None:
    ada.publish()
    wrong = ada.fails("campaigns", "stop", "cabin-upgrade-livorno", "-r", "4.90 for 49.00")
    assert wrong == f"CAMPAIGN_UNKNOWN no campaign 'cabin-upgrade-livorno' is active; did you mean '{UPGRADE}'?"
    assert ada.run("campaigns", "stop", UPGRADE).exit_code == 2, "a reason is asked for"
    done = ada.run("campaigns", "stop", UPGRADE, "-r", "4.90 for 49.00", "--author", "ada")
    assert f"{UPGRADE} is stopped since 20" in done.stdout
    assert f"by ada: 4.90 for 49.00\n`offing campaigns lift {UPGRADE}` shows it again" in done.stdout
    (stop,) = ada.json("campaigns", "stops")
    assert (stop["campaign_id"], stop["reason"], stop["lifted_at"]) == (UPGRADE, "4.90 for 49.00", None)
    assert "4.90 for 49.00" in ada.run("campaigns", "stops").stdout
    assert ada.run("campaigns", "lift", UPGRADE, "--author", "bob").exit_code == 0
    assert ada.json("campaigns", "stops") == []
    assert "by bob" in ada.run("campaigns", "stops", "--all").stdout
    assert ada.fails("campaigns", "lift", UPGRADE).startswith("STOP_UNKNOWN")


def test_a_stop_is_possible_where_no_files_are(ada: Desk, tmp_path: Path) -> None:
    ada.set = {"CAMPAIGNS": str(tmp_path / "none")}
    stopped = ada.json("campaigns", "stop", UPGRADE, "-r", "wrong price")
    assert (stopped["campaign_id"], stopped["reason"]) == (UPGRADE, "wrong price")


def test_the_ids_of_many_files_are_known_before_anybody_is_impatient(tmp_path: Path) -> None:
    for number in range(2_000):
        head = f"# a comment\ncampaign: 'c-{number}'   # its id\n" if number % 2 else f'campaign: "c-{number}"\r\n'
        (tmp_path / f"{number}.yaml").write_bytes(f"{head}owner: x\n".encode())
    (tmp_path / "other.yaml").write_text("text: {it: {title: 'campaign: no'}}\n")
    begun = monotonic()
    assert len(set(publishing.campaigns_of(tmp_path))) == 2_000
    assert monotonic() - begun < 60
    assert list(publishing.campaigns_of(tmp_path / "none")) == []


def test_watching_a_folder_is_serving_it_whatever_was_published(ada: Desk, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    said = ada.run("serve", "--watch", str(tmp_path / "none")).stderr
    assert "CAMPAIGNS_INVALID" in said and "attributes.yaml:1:1: UNREADABLE" in said
    assert "NOTHING_PUBLISHED no revision was published here" in ada.run("serve").stderr


def test_a_ledger_that_is_away_publishes_nothing(ada: Desk) -> None:
    ada.publish()
    book = Ledger(f"sqlite:///{ada.folder / 'ledger.sqlite'}", "offing")
    before = book.publications.history()
    book.close()
    ada.title("A cabin")
    refused = ada.fails(
        "campaigns", "publish", str(ada.campaigns), "-m", "x", LEDGER_URL="sqlite:////no/such/folder/ledger.sqlite"
    )
    assert refused.startswith("LEDGER_UNAVAILABLE")
    assert (ada.campaigns / publishing.BASE_FILE).read_text() == f"offing {before[0].revision}\n"
