"""The price that is crossed out: the lowest of the 30 days before the reduction (Directive 98/6/EC, article 6a).

What the market charged for the same product of the same sailing, from 30 days before the campaign's `from` until now;
bound to the subject as a fact, so that a record holds what an answer crossed out. What other campaigns took off is
not in it.
"""

from collections.abc import Iterable
from datetime import date, timedelta

import msgspec

from offers.market_names import MarketNames
from offers.money import Quote
from offers.offer import Offer, Price
from streams.attributes import Facts
from streams.fare_history import PRIOR_DAYS, REDUCED_DAYS, day_of, lowest_since
from streams.ids import Millis
from streams.instant import DAY_MS
from streams.market import Sailing
from streams.record import FactDict

LOWEST, DECLARED = "lowest_30_days", "declared"
"""The basis of a prior price: the market's history, or what the campaign says of a price of its own."""
_DAY_ZERO = date(1970, 1, 1)


class PriorPrice(msgspec.Struct, frozen=True):
    """What is crossed out beside a price."""

    minor: int
    basis: str


Asked = tuple[str, str, int]
"""(name of the fact, the fare it is of, the UTC day on which the reduction began)"""


def asked(layout: Iterable[Offer]) -> tuple[Asked, ...]:
    """What the prior prices of a layout read, sorted; empty: no offer crosses anything out."""
    found = set()
    for offer in layout:
        price = offer.price
        if price is not None and price.source is not None and price.prior is not None and price.prior.began is not None:
            found.add((fact_name(price.source, price.prior.began), price.source, price.prior.began))
    return tuple(sorted(found))


def fact_name(source: str, began: int) -> str:
    """The fact that holds the lowest fare since 30 days before a day.

    >>> fact_name("market.fare.deck", 20_778)
    'market.fare.deck.lowest_30_days.2026-11-21'
    """
    return f"{source}.{LOWEST}.{(_DAY_ZERO + timedelta(days=began)).isoformat()}"


def prior_facts(wanted: Iterable[Asked], sailing: Sailing, names: MarketNames, now: Millis) -> FactDict:
    """The facts asked for: the lowest fare and when it fell to that; none where the market does not know that far back,

    nor of a reduction that began more than 30 days ago.
    """
    product_of = {name: product for product in sailing.fares for name, _ in names.fares.get(product, ())}
    found: FactDict = {}
    for fact, source, began in wanted:
        if began <= day_of(now) < began + REDUCED_DAYS and source in product_of:
            lowest = lowest_since(sailing.fare_days.get(product_of[source], ()), began - PRIOR_DAYS)
            if lowest is not None:
                found[fact] = (lowest[0], lowest[1] * DAY_MS)
    return found


def prior_of(price: Price, facts: Facts, quote: Quote) -> PriorPrice | None:
    """What is crossed out beside a quote; None: nothing, since it is not known, not allowed, or not higher."""
    prior = price.prior
    if prior is None:
        return None
    if price.source is None:
        return _higher(prior.minor, DECLARED, quote)
    lowest = None if prior.began is None else facts.get(fact_name(price.source, prior.began))
    if lowest is None or not isinstance(lowest[0], int):
        return None
    if prior.minor is None:
        return _higher(lowest[0], LOWEST, quote)
    return _higher(prior.minor, LOWEST, quote) if prior.minor <= lowest[0] else None


def _higher(minor: int | None, basis: str, quote: Quote) -> PriorPrice | None:
    return None if minor is None or minor <= quote.minor else PriorPrice(minor, basis)
