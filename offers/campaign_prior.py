"""`price.prior:` - the price that is crossed out: `lowest_30_days` of the market's history, or an amount."""

from dataclasses import replace

from offers.campaign_draft import Draft
from offers.campaign_price import read_amount
from offers.market_names import market_names
from offers.money import price_of
from offers.offer import Price, Prior, Schedule
from offers.prior_price import LOWEST
from streams.fare_history import day_of
from streams.positioned_yaml import Node, TextNode
from streams.sheet import written

CODE = "PRIOR_PRICE"


def read_prior(draft: Draft, node: Node | None, price: Price | None, schedule: Schedule) -> Price | None:
    """The price with what may be crossed out beside it."""
    if node is None or price is None:
        return price
    if isinstance(node, TextNode) and node.text.strip()[:1].isdigit():
        prior = _declared(draft, node, price)
    else:
        prior = _lowest(draft, node, price)
    if prior is None:
        return price
    return replace(price, prior=replace(prior, began=_began(draft, node, price, schedule)))


def _lowest(draft: Draft, node: Node, price: Price) -> Prior | None:
    if draft.sheet.choice(node, "price.prior", (LOWEST,)) is None:
        return None
    if not _is_fare(draft, price):
        hint = "Write 'from: market.fare.<product>', or the price itself: 'prior: 79 EUR'."
        draft.sheet.error(node, "KEYS_TOGETHER", "the market keeps no history of what this price is from.", hint)
        return None
    if not price.discount:
        hint = "Add 'discount:', or remove 'prior'."
        draft.sheet.warn(node, CODE, "nothing is taken off this price, so nothing is crossed out.", hint)
    return Prior()


def _declared(draft: Draft, node: Node, price: Price) -> Prior | None:
    found = read_amount(draft, node, "price.prior", price.currency)
    if found is None or found.currency != price.currency:
        return None
    amount, hint = written(node), f"Write '{LOWEST}', or check with --market."
    if not _is_fare(draft, price):
        hint = f"Write 'from: market.fare.<product>' and '{LOWEST}', or keep the proof."
    message = f"whether {amount} may be crossed out cannot be known without the market's history."
    quote = price_of(price, {}, 0)
    if quote is not None and found.minor <= quote.minor:
        message, hint = f"{amount} is not above the price, so nothing is crossed out.", "Write more, or remove it."
    if price.source is None or draft.words.market is None:  # else campaign_market knows better
        draft.sheet.warn(node, CODE, message, hint)
    return Prior(found.minor)


def _is_fare(draft: Draft, price: Price) -> bool:
    """Whether the price follows a fare of the market, which alone has a history."""
    fares = market_names(draft.words.attributes).fares.values()
    return any(price.source == name for named in fares for name, _ in named)


def _began(draft: Draft, node: Node, price: Price, schedule: Schedule) -> int | None:
    """The UTC day from which on the price is reduced; None: nobody knows."""
    if schedule.starts is not None:
        return day_of(schedule.starts)
    if price.source is not None:
        message = "without schedule.from nobody knows when the reduction began, so nothing is crossed out."
        draft.sheet.warn(node, CODE, message, "Add 'from:' to the schedule.")
    return None
