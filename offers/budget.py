"""Budgets: money that the events of a campaign cost, told from how many there were. In whole minor units."""

from dataclasses import dataclass
from decimal import Decimal

from offers.money import digits
from offers.offer import Budget, Limit, Offer
from offers.shared_limits import series_of
from streams.ids import Millis
from streams.totals import Totals


@dataclass(frozen=True, slots=True)
class Money:
    """What became of a budget in its window."""

    limit: Limit
    events: int
    """As far as they were counted when the totals were read."""
    spent: int
    left: int
    """Never below 0, though a soft budget may be passed by a few events."""
    currency: str


def money_left(offer: Offer, totals: Totals, now: Millis) -> tuple[Money, ...]:
    """Of each budget of an offer how much is spent and left at `now`; empty: it has none."""
    limits = (*offer.limits, *offer.shared)
    return tuple(
        _money(limit, limit.budget, totals.of(series_of(limit, offer.facts), now))
        for limit in limits
        if limit.budget is not None
    )


def spent(budget: Budget, events: int) -> str:
    """How much of a budget so many events took.

    >>> spent(Budget(500_000, 490, "EUR"), 1_020)
    '4998.00 EUR of 5000.00 EUR spent, 4.90 EUR each'
    """
    currency = budget.currency
    taken, whole = amount(budget.cost * events, currency), amount(budget.amount, currency)
    return f"{taken} of {whole} spent, {amount(budget.cost, currency)} each"


def amount(minor: int, currency: str) -> str:
    """An amount as campaigns write it.

    >>> amount(490, "EUR"), amount(490, "JPY")
    ('4.90 EUR', '490 JPY')
    """
    return f"{Decimal(minor).scaleb(-digits(currency)):f} {currency}"


def _money(limit: Limit, budget: Budget, events: int) -> Money:
    taken = events * budget.cost
    return Money(limit, events, taken, max(0, budget.amount - taken), budget.currency)
