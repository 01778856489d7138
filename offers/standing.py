"""What is known of each offer of a layout before any customer is: its open checks, its price, its worth."""

from collections.abc import Callable, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from offers import bits
from offers.bits import Words
from offers.money import Quote, price_of, worth
from offers.offer import Offer, Price
from offers.proposition import Check
from offers.wording import always_complete
from scoring.features import Book
from streams.ids import OfferId


class Standing(msgspec.Struct, frozen=True, eq=False):
    """One offer of the layout."""

    offer: Offer
    residual: tuple[Check, ...]
    """Checks of the conditions that the index does not answer exactly."""
    quote: Quote | None
    """A price that the campaign names itself."""
    presentable: bool
    """See Candidate."""
    value: float | None
    """What an acceptance is worth; None: its price, and so its worth, is the market's."""
    about: str | None
    """The key of its selector; None: it is about nothing."""
    price: int
    """Equal numbers of one layout are equal prices."""


def standings(layout: Sequence[Offer], residual: Callable[[int], tuple[Check, ...]]) -> tuple[Standing, ...]:
    """What is known of each offer. `residual`: the open checks of the offer at a position."""
    prices: dict[Price | None, int] = {}
    return tuple(
        _standing(offer, residual(position), prices.setdefault(offer.price, len(prices)))
        for position, offer in enumerate(layout)
    )


def _standing(offer: Offer, residual: tuple[Check, ...], price: int) -> Standing:
    by_market = offer.price is not None and offer.price.source is not None
    quote = None if offer.price is None or by_market else price_of(offer.price, {}, 0)
    lasting = not offer.schedule.own and not by_market
    presentable = lasting and always_complete(offer.representation, quote)
    value = None if by_market and offer.value.margin else worth(offer, None if quote is None else quote.minor)
    about = None if offer.about is None else offer.about.key
    return Standing(offer, residual, quote, presentable, value, about, price)


class LayoutColumns(msgspec.Struct, frozen=True, eq=False):
    """The layout by position: arrays (n,) in its order."""

    book: Book
    ids: tuple[OfferId, ...]
    values: NDArray[np.float64]
    """What an acceptance is worth; NaN where Standing.value is None."""
    levers: NDArray[np.float64]
    plain: Words
    """Offers about nothing that the index answers whole: of its survivors, only caps can speak against these."""


def columns(known: Sequence[Standing]) -> LayoutColumns:
    """The columns of a layout."""
    plain = [
        position for position, each in enumerate(known) if each.about is None and not each.residual and each.presentable
    ]
    return LayoutColumns(
        book=Book(tuple(each.offer.facts for each in known)),
        ids=tuple(each.offer.id for each in known),
        values=np.array([np.nan if each.value is None else each.value for each in known], dtype=np.float64),
        levers=np.array([each.offer.lever for each in known], dtype=np.float64),
        plain=bits.of_positions(plain, len(known)),
    )
