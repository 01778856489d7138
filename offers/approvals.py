"""Which approvals a change needs: what differs between what is active and what is published, under the rules of both.

A campaign counts as changed if it means something else, also by its group, a named condition or a duty. What stands
beside the campaigns (placements, places, seasons, images, limits for all) is everything else.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from offers import revisions
from offers.approval_rules import ApprovalRule, Rules, owner_and_above
from offers.offer import Campaign, CampaignFolder
from offers.revision_changes import meaning
from streams.errors import OffingError
from streams.ids import CampaignId, RevisionId


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two revisions."""

    rules: Rules
    campaigns: Mapping[CampaignId, Campaign]
    beside: Mapping[str, bytes]
    """Content of every file that is no campaign."""


NOTHING = Side((), {}, {})


def side(kept: Path, folder: CampaignFolder) -> Side:
    """A kept revision that was checked."""
    campaigns = {campaign.id: campaign for campaign in folder.campaigns}
    own = {campaign.path for campaign in folder.campaigns}
    files = ((path.relative_to(kept).as_posix(), path) for path in revisions.files(kept))
    return Side(folder.approvals, campaigns, {name: path.read_bytes() for name, path in files if name not in own})


def active_side(revision: RevisionId | None, rules: Rules, artifacts: Path) -> Side:
    """What is active, under the rules that the ledger knows of it; if its files are gone, everything counts as new."""
    if revision is None:
        return NOTHING
    try:
        kept = revisions.whole(revision, artifacts)
        folder = revisions.loaded_of(kept).campaigns
    except OffingError:
        folder = None
    return Side(rules, {}, {}) if folder is None else replace(side(kept, folder), rules=rules)


def needed(active: Side, head: Side) -> Rules:
    """The rules of which somebody must approve; each once. The rules of both sides hold.

    Where the rules differ, those of both must approve: nobody takes a rule away alone, now or for the next time.
    """
    found = {rule: None for rules in (active.rules, head.rules) for rule in _asked(rules, active, head)}
    return (*found, *(rule for rule in rules_changed(active.rules, head.rules) if rule not in found))


def rules_changed(before: Rules, after: Rules) -> Rules:
    """The rules that one side has and the other has not, or has otherwise."""
    return (*(rule for rule in before if rule not in after), *(rule for rule in after if rule not in before))


def _asked(rules: Rules, active: Side, head: Side) -> Iterator[ApprovalRule]:
    if not rules:
        return
    other = next((rule for rule in rules if rule.subject == "everything_else"), None)
    for campaign in _changed(active, head):
        found = tuple(_of_campaign(rules, campaign))
        yield from found
        if not found and other is not None:
            yield other
    if other is not None and active.beside != head.beside:
        yield other


def _changed(active: Side, head: Side) -> Iterator[Campaign]:
    """Every campaign that means something else, as it was and as it is to be: it may leave a collection."""
    for name in sorted(active.campaigns.keys() | head.campaigns.keys()):
        before, after = active.campaigns.get(name), head.campaigns.get(name)
        if before != after and (before is None or after is None or meaning(before) != meaning(after)):
            yield from (each for each in (before, after) if each is not None)


def _of_campaign(rules: Iterable[ApprovalRule], campaign: Campaign) -> Iterator[ApprovalRule]:
    """The rule of its collection, and that of its owner with the longest name."""
    known = {(rule.subject, rule.name): rule for rule in rules}
    collection = known.get(("collection", campaign.offer.facts.collection))
    if collection is not None:
        yield collection
    above = (known.get(("owner", name)) for name in owner_and_above(campaign.owner))
    yield from islice((rule for rule in above if rule is not None), 1)
