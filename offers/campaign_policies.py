"""policies.yaml beyond limits and what campaigns inherit: quiet hours of channels, and who may raise which budget."""

from collections.abc import Mapping
from dataclasses import dataclass

from offers.approval_rules import owner_and_above
from offers.campaign import OWNER, OWNER_EXAMPLE
from offers.campaign_draft import Vocabulary
from offers.campaign_schedule import DAYS, hours
from offers.offer import QuietHours, Schedule
from streams.errors import InvalidInput
from streams.findings import shown
from streams.positioned_yaml import MapNode, Node, TextNode
from streams.sheet import Sheet
from streams.units import Money, money, zone

QUIET_KEYS = ("hours", "days", "zone", "channels")


@dataclass(frozen=True, slots=True)
class BudgetPolicy:
    """How much a campaign of an owner may spend."""

    at_most: Money
    written: str
    where: str
    """`file:line:column`."""


def read_quiet_hours(sheet: Sheet, words: Vocabulary, node: Node | None) -> tuple[QuietHours, ...]:
    """`{hours: "22:00-08:00", zone: Europe/Rome, channels: [sms]}`; one or a list."""
    if node is None:
        return ()
    found = [_quiet(sheet, words, item) for item in sheet.one_or_more(node, "quiet_hours")]
    return tuple(rule for rule in found if rule is not None)


def read_budgets(sheet: Sheet, node: Node | None) -> dict[str, BudgetPolicy]:
    """Owner, or the beginning of owners (`marketing` for `marketing.sardinia`) -> what a campaign of it may spend."""
    found: dict[str, BudgetPolicy] = {}
    for owner, (word, value) in (
        sheet.entries(node, "budgets", "owners and what they may spend") if node else {}
    ).items():
        sheet.matching(word, "the owner", OWNER, OWNER_EXAMPLE)
        fields = sheet.fields(value, f"the budget of {owner}", ("at_most",), ("at_most",))
        amount = sheet.parsed(fields["at_most"], "at_most", money) if "at_most" in fields else None
        if amount is not None:
            found[owner] = BudgetPolicy(amount, _text(fields["at_most"]), sheet.where(value))
    return found


def check_budget(sheet: Sheet, policies: Mapping[str, BudgetPolicy], root: Node) -> None:
    """BUDGET_ABOVE_POLICY, CURRENCY_MISMATCH: what `budget.amount` says against the policy nearest to the owner."""
    node = _inner(_inner(root, "budget"), "amount") if policies else None
    owner = next((name for name in owner_and_above(_text(_inner(root, "owner"))) if name in policies), None)
    if node is None or owner is None:
        return
    policy = policies[owner]
    try:
        amount = money(_text(node))
    except InvalidInput:  # told where the budget is read
        return
    allowed = f"{owner} may spend {policy.written} a campaign ({policy.where})"
    if amount.currency != policy.at_most.currency:
        message = f"budget.amount is in {amount.currency}; {allowed}."
        sheet.error(node, "CURRENCY_MISMATCH", message, f"Write it in {policy.at_most.currency}.")
    elif amount.minor > policy.at_most.minor:
        message = f"budget.amount is {shown(_text(node))}; {allowed}."
        sheet.error(node, "BUDGET_ABOVE_POLICY", message, f"Write at most '{policy.written}', or have it raised there.")


def _quiet(sheet: Sheet, words: Vocabulary, node: Node) -> QuietHours | None:
    fields = sheet.fields(node, "quiet_hours", QUIET_KEYS, ("hours", "channels"))
    span = sheet.parsed(fields["hours"], "hours", hours) if "hours" in fields else None
    where = sheet.parsed(fields["zone"], "zone", zone) if "zone" in fields else None
    if "zone" not in fields and span is not None:
        sheet.warn(node, "ZONE_MISSING", "quiet hours are read as UTC.", "Give them a zone: Europe/Rome.")
    days = sheet.words(fields["days"], "days", DAYS) if "days" in fields else ()
    known = tuple(sorted({placement.channel for placement in words.placements.values()}))
    channels = sheet.words(fields["channels"], "channels", known, "UNKNOWN_CHANNEL") if "channels" in fields else ()
    if span is None or not channels:
        return None
    numbers = tuple(sorted(DAYS.index(day) + 1 for day in days))
    return QuietHours(Schedule(str(where or "UTC"), days=numbers, hours=span), channels, sheet.where(node))


def _inner(node: Node | None, key: str) -> Node | None:
    found = node.entries.get(key) if isinstance(node, MapNode) else None
    return None if found is None else found[1]


def _text(node: Node | None) -> str:
    return node.text.strip() if isinstance(node, TextNode) else ""
