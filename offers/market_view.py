"""The market as a check of campaigns sees it, and which of its sailings an offer can mean."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from offers.condition import Leaf, Op, conjuncts, leaves
from offers.market_names import MarketNames
from offers.offer import Offer
from streams.ids import Millis
from streams.instant import moment
from streams.market import LISTED, Market, Sailing
from streams.places import Places

LINE, DAY = "sailing.line", "sailing.departs_on"


@dataclass(frozen=True, slots=True)
class MarketView:
    """A market, and the instant at which it is looked at."""

    market: Market
    now: Millis


@dataclass(frozen=True, slots=True)
class Meant:
    """The sailings still to depart that an offer can be about, by departure."""

    sailings: tuple[Sailing, ...]
    lines: bool
    """Whether the offer names its lines."""
    certain: bool
    """Whether the offer names a line and a day, so that no sailing of a later timetable is meant too."""


def departs_on(sailing: Sailing, places: Places) -> str:
    """The date of departure at the port of origin, YYYY-MM-DD."""
    line = places.lines.get(sailing.line)
    zone = places.ports[line.origin].zone if line is not None else "UTC"
    return moment(sailing.departure).astimezone(ZoneInfo(zone)).date().isoformat()


def meant(offer: Offer, view: MarketView, places: Places) -> Meant:
    """By the line and the day that every customer's sailing must have; other conditions leave all of them in."""
    lines, days = named(offer, LINE), named(offer, DAY)
    if offer.about is not None and offer.about.line is not None:
        lines = (lines or frozenset((offer.about.line,))) & {offer.about.line}
    found = [
        sailing
        for sailing in view.market.sailings.values()
        if sailing.departure > view.now
        and sailing.status in LISTED
        and (lines is None or sailing.line in lines)
        and (days is None or departs_on(sailing, places) in days)
    ]
    ordered = tuple(sorted(found, key=lambda sailing: (sailing.departure, sailing.id)))
    return Meant(ordered, lines is not None, lines is not None and days is not None)


def named(offer: Offer, attribute: str) -> frozenset[str] | None:
    """The values that a fact may have where the offer's conditions hold; None: they leave it open."""
    allowed: frozenset[str] | None = None
    for leaf in required(offer):
        if leaf.attribute == attribute and leaf.op is Op.IN:
            values = frozenset(str(value) for value in leaf.operand)
            allowed = values if allowed is None else allowed & values
    return allowed


def required(offer: Offer) -> Iterator[Leaf]:
    """The conditions that hold of every customer who gets the offer, a known fact each."""
    for layer in (offer.eligibility, offer.applicability, offer.suitability):
        for part in conjuncts(layer):
            if isinstance(part, Leaf) and not part.negated and not part.on_missing:
                yield part


def stock_of(offer: Offer, names: MarketNames) -> dict[str, tuple[str, int]]:
    """Fact -> (kind of room, how many each acceptance takes): what the offer `uses`; else, one of each, the rooms that

    every customer's sailing must have.
    """
    kinds = {fact: kind for kind, named in names.rooms.items() for fact, _ in named}
    used = {leaf.attribute: max(int(leaf.low), 1) for leaf in leaves(offer.stock)}
    needed = used or {leaf.attribute: 1 for leaf in required(offer)}
    return {fact: (kinds[fact], quantity) for fact, quantity in needed.items() if fact in kinds}


def room(sailings: Sequence[Sailing], kind: str) -> tuple[int, Millis] | None:
    """(how many are free on all of them, since when at least); None: it is not known of each."""
    found = [sailing.free[kind] for sailing in sailings if kind in sailing.free]
    if not found or len(found) < len(sailings):
        return None
    return sum(free for free, _ in found), min(at for _, at in found)


def named_room(fact: str, kind: str) -> str:
    """`market.cabins_free.inside` -> 'inside cabins'."""
    name = fact.removesuffix(f".{kind}").partition(".")[2]
    return f"{kind} {name.removesuffix('_free').replace('_', ' ')}" if name.endswith("_free") else f"of {fact}"


def day_month(at: datetime) -> str:
    """`2 Nov`, as every message has it, whatever the process' locale."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    return f"{at.day} {months[at.month - 1]}"
