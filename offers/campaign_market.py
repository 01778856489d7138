"""What a campaign says that the market belies: ends after sale, more than there is, a price that was lower.

Asked only where `campaigns check` is given a market. Nothing is said that the market does not know.
"""

from collections.abc import Mapping
from zoneinfo import ZoneInfo

from offers.campaign_draft import Draft, span
from offers.campaign_prior import CODE as PRIOR_PRICE
from offers.market_names import market_names
from offers.market_view import MarketView, Meant, day_month, meant, named_room, room, stock_of
from offers.money import digits
from offers.offer import Offer, Price
from offers.prior_price import LOWEST
from streams.fare_history import PRIOR_DAYS, REDUCED_DAYS, day_of, lowest_since
from streams.ids import Millis
from streams.instant import DAY_MS, moment
from streams.market import Sailing
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode
from streams.sheet import written

DEPARTURE = "sailing.departure"
EVENING = 18
"""From this hour on a departure of today is tonight's."""


def check_market(draft: Draft, fields: Mapping[str, Node], offer: Offer | None) -> None:
    """Adds ENDS_AFTER_SALE, LIMIT_ABOVE_STOCK and PRIOR_PRICE to the sheet."""
    view = draft.words.market
    if view is None or offer is None:
        return
    checker = _Checker(draft, view, offer)
    checker.ends(_inner(fields.get("schedule"), "until"))
    checker.limits(fields.get("limits"))
    checker.prior(_inner(fields.get("price"), "prior"))


class _Checker:
    """One campaign beside the market."""

    def __init__(self, draft: Draft, view: MarketView, offer: Offer) -> None:
        self.draft = draft
        self.sheet = draft.sheet
        self.view = view
        self.offer = offer
        self.zone = ZoneInfo(draft.zone or "UTC")
        self.names = market_names(draft.words.attributes)
        self.meant: Meant = meant(offer, view, draft.words.places)

    def ends(self, node: Node | None) -> None:
        """ENDS_AFTER_SALE where all sailings meant stop selling before the campaign ends.

        A warning where it names no day: sailings that the market has not heard of yet may sell for longer.
        """
        sailings = self.meant.sailings
        if node is None or not self._sells() or not sailings or not all(each.sales_end for each in sailings):
            return
        plan = self.offer.schedule
        if plan.ends is not None and self.meant.certain:
            last = max(sailings, key=lambda each: each.sales_end)
            if plan.ends > last.sales_end:
                self._say_end(node, plan.ends, last, _beside(plan.ends, last.departure))
        elif plan.ends_relative is not None and plan.ends_relative.attribute == DEPARTURE and self.meant.lines:
            offset = plan.ends_relative.offset_ms
            if all(each.departure + offset > each.sales_end for each in sailings):
                first = sailings[0]
                self._say_end(node, first.departure + offset, first, "")

    def _say_end(self, node: Node, ends: Millis, sailing: Sailing, beside: str) -> None:
        found = f"'{written(node)}' " + (f"{self.zone} is {beside}" if beside else f"is {self._clock(ends, ends)}")
        until, collection = self._clock(sailing.sales_end, ends), self.offer.facts.collection
        sold = f"{collection} on {sailing.line} sell" if collection else f"{sailing.line} sells"
        alias = "booking." if self.offer.about is not None and self.offer.about.kind == "booking" else ""
        hint = f"Write '{span(sailing.departure - sailing.sales_end)} before {alias}{DEPARTURE}'."
        if sailing.departure <= sailing.sales_end:
            hint = f"Write '{alias}{DEPARTURE}'."
        say = self.sheet.error if self.meant.certain else self.sheet.warn
        say(node, "ENDS_AFTER_SALE", f"{found}; {sold} until {until}.", hint)

    def limits(self, node: Node | None) -> None:
        """LIMIT_ABOVE_STOCK for limits of all redemptions of the campaign together."""
        stock = stock_of(self.offer, self.names)
        if not isinstance(node, ListNode) or len(stock) != 1 or not self.meant.certain:
            return
        ((fact, (kind, quantity)),) = stock.items()
        free = room(self.meant.sailings, kind)
        for item in node.items:
            at_most = _inner(item, "at_most")
            if free is None or at_most is None or not _of_all(item):
                continue
            if _number(at_most) > free[0] // quantity:
                self._say_stock(at_most, free, named_room(fact, kind), quantity)

    def _say_stock(self, node: Node, free: tuple[int, Millis], rooms: str, quantity: int) -> None:
        number, as_of = free
        days = sorted({self._day(sailing.departure) for sailing in self.meant.sailings}, key=len)
        message = (
            f"{written(node)} redemptions, but {number} {rooms} are free {' and '.join(days)} "
            f"(as of {self._clock(as_of, self.view.now)}): at most {number // quantity} can be sold."
        )
        self.sheet.warn(node, "LIMIT_ABOVE_STOCK", message, "If that is meant, add 'above_stock: true'.")

    def prior(self, node: Node | None) -> None:
        """PRIOR_PRICE: an error where the history shows a lower price, a warning where it cannot tell."""
        price = self.offer.price
        prior = None if price is None else price.prior
        if node is None or price is None or price.source is None or prior is None or prior.minor is None:
            return
        today = day_of(self.view.now)
        if prior.began is not None and prior.began <= today - REDUCED_DAYS:
            message = "the reduction began over 30 days ago, so nothing is crossed out."
            self.sheet.warn(node, PRIOR_PRICE, message, "Remove it.")
            return
        first = (today if prior.began is None else min(prior.began, today)) - PRIOR_DAYS
        found = [lowest for each in self.meant.sailings if (lowest := self._lowest(price, each, first)) is not None]
        lower = min(found, default=(prior.minor, first))
        if lower[0] < prior.minor:
            amount = f"{lower[0] / 10 ** digits(price.currency):g} {price.currency}"
            since = day_month(moment(lower[1] * DAY_MS))
            message = (
                f"{written(node)} may not be crossed out: the lowest price of the last 30 days was {amount} ({since})."
            )
            self.sheet.error(node, PRIOR_PRICE, message, f"Write '{LOWEST}'.")
        elif not found or len(found) < len(self.meant.sailings):
            message = f"whether {written(node)} may be crossed out is not known: the market has no 30 days of history."
            self.sheet.warn(node, PRIOR_PRICE, message, f"Write '{LOWEST}', which crosses nothing out until it has.")

    def _lowest(self, price: Price, sailing: Sailing, first: int) -> tuple[int, int] | None:
        """The lowest fare that the price follows, and the day it fell to that; None: not known since day `first`."""
        products = [name for name, facts in self.names.fares.items() if any(fact == price.source for fact, _ in facts)]
        found = (lowest_since(sailing.fare_days.get(product, ()), first) for product in products)
        return next((lowest for lowest in found if lowest is not None), None)

    def _sells(self) -> bool:
        """Whether it sells what the market has of a sailing: a fare, or a room."""
        price = self.offer.price
        fares = {name for named in self.names.fares.values() for name, _ in named}
        return (price is not None and price.source in fares) or bool(stock_of(self.offer, self.names))

    def _clock(self, at: Millis, beside: Millis) -> str:
        """`20:00`, with its day where that is not the day of another instant."""
        there, other = (moment(each).astimezone(self.zone) for each in (at, beside))
        return there.strftime("%H:%M") if there.date() == other.date() else f"{day_month(there)} {there:%H:%M}"

    def _day(self, departure: Millis) -> str:
        there, today = (moment(each).astimezone(self.zone) for each in (departure, self.view.now))
        if there.date() == today.date():
            return "tonight" if there.hour >= EVENING else "today"
        return f"on {day_month(there)}"


def _beside(ends: Millis, departure: Millis) -> str:
    if ends == departure:
        return "the departure itself"
    return f"{span(abs(departure - ends))} {'after' if ends > departure else 'before'} the departure"


def _of_all(limit: Node) -> bool:
    """A limit of the campaign's redemptions together, over which nobody wrote `above_stock: true`."""
    told = {key: _text(_inner(limit, key)) for key in ("count", "per", "above_stock")}
    return told["count"] == "redemption" and told["per"] == "campaign" and told["above_stock"] != "true"


def _number(node: Node) -> int:
    text = _text(node)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else 0


def _text(node: Node | None) -> str:
    return node.text if isinstance(node, TextNode) else ""


def _inner(node: Node | None, key: str) -> Node | None:
    found = node.entries.get(key) if isinstance(node, MapNode) else None
    return None if found is None else found[1]
