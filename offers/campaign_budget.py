"""`budget:` - money that a campaign may cost: `{amount: 5000 EUR, per: redemption, cost: 4.90 EUR, strict: false}`.

It is a limit of events: as many as the amount pays for. No event says what it cost, so each costs the same.
"""

from collections.abc import Mapping

from offers.campaign_draft import Draft
from offers.campaign_limits import COUNTED, MAX_COUNT, read_window
from offers.money import price_of
from offers.offer import VISIT, Budget, Limit, Price
from streams.positioned_yaml import Node
from streams.units import Money, money

KEYS = ("amount", "per", "cost", "window", "strict")
PER = ("redemption", "click", "exposure")
DISCOUNT = "discount"


def read_budget(draft: Draft, node: Node | None, price: Price | None) -> tuple[Limit, ...]:
    """The limit that a budget is; none without one, or after an error."""
    if node is None:
        return ()
    sheet = draft.sheet
    fields = sheet.fields(node, "budget", KEYS, ("amount",))
    strict = sheet.boolean(fields["strict"], "budget.strict") if "strict" in fields else True
    if strict is True:
        message = "a budget is not enforced strictly in this version."
        sheet.error(node, "LIMIT_NOT_ENFORCED", message, "Add 'strict: false' if it may be passed by a few.")
    amount = sheet.parsed(fields["amount"], "budget.amount", money) if "amount" in fields else None
    per = sheet.choice(fields["per"], "budget.per", PER) if "per" in fields else "redemption"
    cost = _cost(draft, node, fields, price)
    window = read_window(draft, fields.get("window"))
    if window.kind in (VISIT, "voyage"):
        message, hint = (
            f"a budget is not one of a {window.kind}.",
            "Write 'window: calendar month', or leave it out: since ever.",
        )
        sheet.error(fields["window"], "WINDOW_INVALID", message, hint)
    if amount is None or per is None or cost is None or not _payable(draft, fields, amount, cost):
        return ()
    budget = Budget(amount.minor, cost.minor, amount.currency)
    at_most = min(amount.minor // cost.minor, MAX_COUNT)
    return (Limit(COUNTED[per], "campaign", "campaign", at_most, window, sheet.where(node), budget),)


def _cost(draft: Draft, node: Node, fields: Mapping[str, Node], price: Price | None) -> Money | None:
    """What one event costs: the amount named, or the discount of a price that the campaign names itself."""
    sheet, told = draft.sheet, fields.get("cost")
    if told is not None and sheet.text(told, "budget.cost") != DISCOUNT:
        return sheet.parsed(told, "budget.cost", money)
    where = node if told is None else told
    if price is None or price.source is not None:
        message = "what an event costs the campaign is not known: no redemption says what its discount was."
        sheet.error(where, "KEY_MISSING", message, "Add 'cost: 4.90 EUR', what each one costs about.")
        return None
    quote = price_of(price, {}, 0)
    given = 0 if quote is None else max(0, quote.full - quote.minor)
    if not given:
        sheet.error(where, "OUT_OF_RANGE", "the price has no discount, so it costs nothing.", "Add 'cost: 4.90 EUR'.")
        return None
    return Money(given, price.currency)


def _payable(draft: Draft, fields: Mapping[str, Node], amount: Money, cost: Money) -> bool:
    """Whether the amount pays for at least one event."""
    where = fields.get("cost", fields["amount"])
    if amount.currency != cost.currency:
        message = f"budget.cost is in {cost.currency}; the budget is in {amount.currency}."
        draft.sheet.error(where, "CURRENCY_MISMATCH", message, f"Write the amount in {amount.currency}.")
        return False
    if not 0 < cost.minor <= amount.minor:
        message = "budget.cost is nothing." if not cost.minor else "the budget does not pay for a single one."
        draft.sheet.error(where, "OUT_OF_RANGE", message, "Write what one costs, such as '4.90 EUR'.")
        return False
    return True
