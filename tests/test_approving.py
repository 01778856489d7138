"""Approvals at the command line: what waits for whom, approved, rejected, rolled back; run by no process before."""

from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest

from offers.approval_rules import ApprovalRule
from offers.publications import Draft
from tests.test_cli import logging_as_it_was
from tests.test_following import Publishing, eventually, publishing, running
from tests.test_publishing import CABIN, UPGRADE, Desk, wide

__all__ = ["logging_as_it_was", "publishing", "wide"]
RULE = "approvals: {owners: {marketing: {by: [anna, marco]}}}\n"
WANTED = "waits for anna or marco for owner marketing"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A folder in which what marketing has needs a second person; published, and approved."""
    made = Desk(tmp_path, "desk")
    with (made.campaigns / "policies.yaml").open("a") as file:
        file.write(RULE)
    first = made.publish("--author", "anna")["revision"]
    made.json("campaigns", "approve", str(first), "--author", "marco")
    yield made


def test_a_change_waits_and_is_active_when_a_second_person_agrees(desk: Desk) -> None:
    second = desk.title("A cabin")
    done = desk.run("campaigns", "publish", str(desk.campaigns), "-m", "a title", "--author", "anna")
    assert f": {WANTED}\n`offing campaigns approve {second}` is theirs" in done.stdout
    again = desk.run("campaigns", "publish", str(desk.campaigns), "-m", "again", "--author", "pia").stdout
    assert f"{second} is published already, and {WANTED}; there is nothing new" in again
    (newest, active) = desk.json("campaigns", "history")
    rule = {"subject": "owner", "name": "marketing", "by": ["anna", "marco"], "self_approval": False}
    assert (newest["active"], newest["waits_for"], active["active"], active["waits_for"]) == (False, [rule], True, [])
    assert WANTED in desk.run("campaigns", "history").stdout
    status = desk.json("campaigns", "status", UPGRADE)
    assert status["waits"] == {
        "revision": second, "by": "anna", "message": "a title", "wanted": "anna or marco for owner marketing",
    }  # fmt: skip
    assert f"{second} by anna {WANTED}: a title" in desk.run("campaigns", "status", UPGRADE).stdout
    refused = desk.fails("campaigns", "approve", second, "--author", "anna")
    assert refused.startswith("SELF_APPROVAL anna published this change")
    assert desk.fails("campaigns", "approve", second, "--author", "pia").startswith("NOT_AN_APPROVER")
    agreed = desk.run("campaigns", "approve", second, "--author", "marco", "-m", "as agreed").stdout
    assert agreed.startswith(f"{second} is approved: active now")
    (newest, _) = desk.json("campaigns", "history")
    (said,) = newest["verdicts"]
    assert (newest["active"], said["person"], said["verdict"], said["message"]) == (
        True,
        "marco",
        "approved",
        "as agreed",
    )
    assert "approved by marco" in desk.run("campaigns", "history").stdout
    change = desk.json("campaigns", "status", UPGRADE)
    assert (change["last_change"]["at"], change["waits"]) == (newest["approved_at"], None)


def test_the_rule_is_not_taken_away_with_the_change_nor_by_going_back_before_it(desk: Desk) -> None:
    policies = desk.campaigns / "policies.yaml"
    policies.write_text(policies.read_text().replace(RULE, ""))
    without = desk.publish("--author", "anna")
    assert without["waits_for"] == desk.json("campaigns", "history")[0]["needs"] != []
    desk.json("campaigns", "approve", str(without["revision"]), "--author", "marco")
    desk.title("A cabin")
    assert desk.publish()["waits_for"] == [], "nobody is asked any more"
    back = desk.json("campaigns", "history")[-1]["revision"]
    assert desk.json("campaigns", "rollback", back, "-m", "with the rule", "--author", "anna")["waits_for"] != []


def test_going_back_and_stopping_need_nobody(desk: Desk) -> None:
    second = desk.title("A cabin")
    desk.publish("--author", "anna")
    rejected = desk.run("campaigns", "reject", second, "-m", "4.90 for 49.00", "--author", "marco")
    assert rejected.stdout == f"{second} is rejected; what was active stays\n"
    assert "rejected by marco: 4.90 for 49.00" in desk.run("campaigns", "history").stdout
    assert desk.json("campaigns", "rollback", second, "-m", "after all", "--author", "pia")["waits_for"] != [], (
        "never ran"
    )
    desk.json("campaigns", "approve", second, "--author", "marco")
    back = desk.json("campaigns", "rollback", "-m", "it was wrong", "--author", "anna")
    assert (back["waits_for"], back["needs"]) == ([], [])
    assert [each["active"] for each in desk.json("campaigns", "history")] == [True, False, False, False]
    assert desk.json("campaigns", "stop", UPGRADE, "-r", "wrong price", "--author", "carl")["reason"] == "wrong price"
    assert (desk.campaigns / CABIN).is_file()


def test_no_process_runs_what_waits_for_approval(publishing: Publishing) -> None:
    first, second = publishing.keep(), publishing.keep("A cabin")
    publishing.publish(first)
    active = publishing.process()
    rule = ApprovalRule("everything_else", "", ("marco",))
    publishing.ledger.publications.publish(Draft(second, first, "ada", "a title", needs=(rule,)), publishing.now)
    sleep(0.6)
    assert (running(active), running(publishing.process())) == (first, first)
    publishing.ledger.verdicts.approve(second, "marco", "", publishing.now)
    eventually(lambda: running(active) == second)
