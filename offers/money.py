"""What a candidate costs, in whole minor units, and how a price is written. No float ever holds money."""

from decimal import Decimal
from functools import lru_cache

import msgspec
from babel.numbers import format_currency, get_currency_precision

from offers.offer import Offer, Price
from streams.attributes import Facts
from streams.ids import Millis

UNPRICED_VALUE = 1.0
"""Worth of an acceptance where the campaign declares neither an amount nor a margin."""


class Quote(msgspec.Struct, frozen=True):
    """A candidate's price at one instant."""

    minor: int
    """What the customer pays, in minor units of `currency`."""
    currency: str
    """ISO 4217."""
    as_of: Millis | None
    """Since when the source said so; None: the campaign names the amount itself."""
    full: int
    """Before discount, floor and rounding."""


def price_of(price: Price, facts: Facts, now: Millis) -> Quote | None:
    """The price of a candidate with these subject facts; None: its source is missing or stale (PRICE_UNKNOWN).

    Discount first, then rounding to the nearest step (half up), then the floor, which is a price by itself and is not
    rounded. So the result is never below `at_least`, and never rises with the discount.

    >>> price_of(Price(amount=6900, discount=0.3, at_least=2500, round_to=50), {}, now=0)
    Quote(minor=4850, currency='EUR', as_of=None, full=6900)
    """
    if price.source is None:
        return Quote(_payable(price, price.amount), price.currency, None, price.amount)
    fact = facts.get(price.source)
    if fact is None:
        return None
    full, as_of = fact
    if isinstance(full, bool) or not isinstance(full, int) or full < 0:
        return None
    if price.fresh_ms is not None and now - as_of > price.fresh_ms:
        return None
    return Quote(_payable(price, full), price.currency, as_of, full)


def _payable(price: Price, full: int) -> int:
    share, whole = _kept(price.discount)
    step = max(price.round_to, 1)
    rounded = (2 * full * share + whole * step) // (2 * whole * step) * step
    return max(rounded, price.at_least)


@lru_cache(maxsize=1_024)
def _kept(discount: float) -> tuple[int, int]:
    """The share that is left after a discount, exactly as it was written: 0.3 -> 7/10."""
    kept = min(max(1 - Decimal(repr(discount)), Decimal(0)), Decimal(1))
    return kept.as_integer_ratio()


def worth(offer: Offer, price_minor: int | None) -> float:
    """Value of an acceptance in major units: the amount plus the margin's share of the price."""
    value = offer.value
    if not value.margin:
        return value.amount or UNPRICED_VALUE
    currency = offer.price.currency if offer.price is not None else "EUR"
    major = (price_minor or 0) / float(10 ** digits(currency))
    return value.amount + value.margin * major


def saved_percent(quote: Quote) -> int | None:
    """The discount that the quote really holds after rounding and floor, in whole percent cut down; None: none.

    >>> saved_percent(Quote(4850, "EUR", None, 6900)), saved_percent(Quote(2500, "EUR", None, 2400))
    (29, None)
    """
    if quote.full <= quote.minor:
        return None
    return (quote.full - quote.minor) * 100 // quote.full or None


@lru_cache(maxsize=512)
def digits(currency: str) -> int:
    """How many decimal places a currency's minor unit stands for: EUR 2, JPY 0, KWD 3."""
    return int(get_currency_precision(currency))


@lru_cache(maxsize=65_536)
def text(minor: int, currency: str, locale: str) -> str:
    """A price as people of a CLDR locale write it, no-break spaces included.

    >>> text(4900, "EUR", "de")
    '49,00\\xa0€'
    """
    amount = Decimal(minor).scaleb(-digits(currency))
    return str(format_currency(amount, currency, locale=locale))
