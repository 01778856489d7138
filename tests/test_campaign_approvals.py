"""`approvals:` in policies.yaml: read, checked, and held against what differs between two revisions."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers.approval_rules import ApprovalRule, Rules
from offers.approvals import NOTHING, Side, active_side, needed, side
from offers.folder import LoadedFolder
from offers.offer import Campaign
from offers.revisions import keep, loaded_of
from streams.ids import RevisionId
from tests.catalogs import offer
from tests.test_policies import CAMPAIGN, check, deployment, folder

__all__ = ["deployment", "folder"]
CABINS = ApprovalRule("collection", "cabins", ("anna", "marco"))
MARKETING = ApprovalRule("owner", "marketing", ("lucia", "marco"))
ELBA = ApprovalRule("owner", "marketing.elba", ("carl", "marco"))
OTHERS = ApprovalRule("everything_else", "", ("pia", "marco"))
RULES = (CABINS, MARKETING, ELBA, OTHERS)
APPROVALS = """approvals:
  collections: {cabins: {by: [anna, marco]}}
  owners:
    marketing: {by: [lucia, marco]}
    marketing.elba: {by: anna, self: true}
  everything_else: nobody
"""


def test_the_rules_are_read(folder: Path, deployment: LoadedFolder) -> None:
    found, findings = check(folder, deployment, APPROVALS, "marketing.elba")
    assert findings == [
        "policies.yaml:2:17: APPROVAL_OF_NOTHING warning: no campaign is in collection 'cabins'. "
        "Correct it, or remove it until there is one."
    ]
    alone = ApprovalRule("owner", "marketing.elba", ("anna",), self_approval=True)
    assert found is not None and found.approvals == (CABINS, MARKETING, alone)
    found, _ = check(folder, deployment, "approvals: {everything_else: {by: [pia, marco]}}")
    assert found is not None and found.approvals == (OTHERS,)


@pytest.mark.parametrize(
    ("approvals", "said"),
    [
        ("{collection: {}}", "1:13: UNKNOWN_KEY approvals has no key 'collection'. Did you mean 'collections'?"),
        (
            "{owners: {marketin: {by: [anna, marco]}}}",
            "1:22: APPROVAL_OF_NOTHING warning: no campaign has the owner 'marketin'. Did you mean 'marketing'?",
        ),
        (
            "{owners: {marketing: {by: [anna]}}}",
            "1:38: APPROVER_ALONE warning: anna alone may approve owner marketing, and never what anna published. "
            "Name a second person.",
        ),
        (
            "{owners: {marketing: [anna, marco]}}",
            "1:33: WRONG_TYPE the approval of owner marketing is a list. Write keys of it (by, self).",
        ),
        (
            "{owners: {marketing: {self: true}}}",
            "1:33: KEY_MISSING the approval of owner marketing has no 'by'. Add 'by:'.",
        ),
        (
            "{owners: {marketing: {by: [], self: no}}}",
            "1:38: EMPTY_LIST by is an empty list. Name something, or remove the key.\n"
            "1:48: NOT_BOOLEAN self is 'no', neither true nor false. Write false.",
        ),
        (
            "{owners: {marketing: {by: [anna, marco, anna]}}}",
            "1:52: LISTED_TWICE by lists 'anna' twice. Remove one.",
        ),
        (
            "{owners: {marketing: {by: nobody}}}",
            "1:38: UNKNOWN_CHOICE by cannot be 'nobody'. Name people, or remove the rule.",
        ),
        (
            "{everything_else: anna}",
            "1:30: UNKNOWN_CHOICE everything_else cannot be 'anna'. Write nobody, or {by: [anna, SOMEBODY ELSE]}.",
        ),
        (
            "{owners: {Marketing: {by: [anna, marco]}}}",
            "1:22: NAME_INVALID a name in owners 'Marketing' has the wrong form. Write 'marketing'.",
        ),
    ],
)
def test_a_slip_in_approvals_is_told(folder: Path, deployment: LoadedFolder, approvals: str, said: str) -> None:
    _, findings = check(folder, deployment, f"approvals: {approvals}", "marketing")
    assert findings == [f"policies.yaml:{line}" for line in said.splitlines()]


def campaign(name: str, collection: str = "", owner: str = "onboard", **more: Any) -> Campaign:
    made = offer(name, collection=collection, **more)
    return Campaign(made.campaign_id, owner, made, f"{name}.yaml")


def world(*campaigns: Campaign, rules: Rules = RULES, beside: str = "") -> Side:
    return Side(rules, {each.id: each for each in campaigns}, {"placements.yaml": beside.encode()})


CABIN, SPA = campaign("cabin", "cabins"), campaign("spa")


@pytest.mark.parametrize(
    ("after", "wanted"),
    [
        (campaign("cabin", "cabins"), ()),
        (campaign("cabin", "cabins", lever="price"), (CABINS,)),
        (campaign("cabin", "fares"), (CABINS, OTHERS)),
        (campaign("cabin", "cabins", owner="marketing.elba.sea"), (CABINS, ELBA)),
        (campaign("cabin", "cabins", owner="marketing"), (CABINS, MARKETING)),
        (campaign("cabin", "", owner="marketings"), (CABINS, OTHERS)),
    ],
)
def test_a_changed_campaign_needs_the_rule_of_its_collection_and_the_nearest_of_its_owner(
    after: Campaign, wanted: Rules
) -> None:
    assert needed(world(CABIN, SPA), world(after, SPA)) == wanted
    assert set(needed(world(after, SPA), world(CABIN, SPA))) == set(wanted), "also on the way back"


def test_what_is_added_removed_or_beside_the_campaigns_needs_approval_too() -> None:
    assert needed(world(SPA), world(SPA, CABIN)) == needed(world(SPA, CABIN), world(SPA)) == (CABINS,)
    assert needed(world(CABIN), world(CABIN, SPA)) == (OTHERS,)
    assert needed(world(CABIN), world(CABIN, beside="more")) == (OTHERS,)
    assert needed(world(CABIN, rules=(CABINS,)), world(CABIN, SPA, rules=(CABINS,), beside="more")) == ()
    assert needed(NOTHING, world(CABIN)) == (CABINS, OTHERS, MARKETING, ELBA), "the first of all: everybody named"


def test_nobody_takes_a_rule_away_neither_with_the_change_nor_before_it() -> None:
    """The rules of both sides hold, and where they differ, the people of both must approve."""
    dearer, eased = campaign("cabin", "cabins", lever="price"), ApprovalRule("collection", "cabins", ("lucia",), True)
    assert needed(world(CABIN, rules=(CABINS,)), world(dearer, rules=())) == (CABINS,)
    assert needed(world(CABIN, rules=(CABINS,)), world(CABIN, rules=())) == (CABINS,)
    assert needed(world(CABIN, rules=(CABINS,)), world(CABIN, rules=(eased,))) == (CABINS, eased)
    assert needed(world(CABIN, rules=()), world(CABIN, rules=(CABINS,))) == (CABINS,)


@given(st.lists(st.sampled_from(RULES), unique=True), st.lists(st.sampled_from(RULES), unique=True), st.booleans())
@settings(max_examples=40)
def test_two_sides_need_at_least_what_either_asks(
    before: list[ApprovalRule], after: list[ApprovalRule], dearer: bool
) -> None:
    there = campaign("cabin", "cabins", lever="price") if dearer else CABIN
    both = set(needed(world(CABIN, rules=tuple(before)), world(there, rules=tuple(after))))
    for rules in (tuple(before), tuple(after)):
        assert both >= set(needed(world(CABIN, rules=rules), world(there, rules=rules)))
    assert both >= set(before) ^ set(after)


def test_kept_folders_are_compared_by_what_they_mean(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """A comment is no change; where the active files are gone, everything counts as new."""
    artifacts, source = tmp_path_factory.mktemp("artifacts"), Path(__file__).parent / "deployment"
    (folder / "attributes.yaml").write_bytes((source / "attributes.yaml").read_bytes())
    shutil.copytree(source / "places", folder / "places")
    (folder / "policies.yaml").write_text("approvals: {owners: {onboard: {by: [anna, marco]}}}")
    said = CAMPAIGN.format(owner="onboard.spa")
    sides = []
    for text in (said, f"# mended\n{said}", said.replace("A day in", "A night in")):
        (folder / "spa.yaml").write_text(text)
        kept = keep(folder, artifacts)
        found = loaded_of(kept).campaigns
        assert found is not None
        sides.append(side(kept, found))
    active, commented, other = sides
    assert needed(active, commented) == ()
    assert needed(commented, other) == other.rules == (ApprovalRule("owner", "onboard", ("anna", "marco")),)
    assert active_side(RevisionId(kept.name), other.rules, artifacts).campaigns == other.campaigns
    gone = active_side(RevisionId("r-000000000000"), other.rules, artifacts)
    assert (gone.campaigns, needed(gone, other)) == ({}, other.rules)
