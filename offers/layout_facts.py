"""What a catalog knows of its whole layout: what is read, when it may change, and who shares what."""

from collections.abc import Hashable, Iterable, Iterator, Sequence
from typing import TypeVar

from offers import bits
from offers.bits import Words
from offers.condition import Leaf
from offers.local_zone import CUSTOMER, CUSTOMER_ZONES
from offers.offer import Offer, RelativeTime, Representation, Schedule
from streams.ids import Millis

Shared = TypeVar("Shared", bound=Hashable)
COUNTDOWN = "sailing.departs_in"
FRIENDS_BOOKED = "sailing.friends_booked"


def weekly(plan: Schedule) -> Schedule:
    """What of a schedule many share. The rest is two instants, which a catalog of 20,000 took .6 s to go through one by

    one, at every boundary of any of them."""
    if plan.local:
        return Schedule(seasons=plan.seasons)
    return Schedule(zone=plan.zone, days=plan.days, hours=plan.hours, seasons=plan.seasons)


def written(representation: Representation) -> tuple[tuple[str, ...], str | None]:
    """All that decides which locale a customer gets."""
    return tuple(representation.texts), representation.others


def grouped(keys: Iterable[Shared], size: int) -> dict[Shared, Words]:
    members: dict[Shared, list[int]] = {}
    for position, key in enumerate(keys):
        members.setdefault(key, []).append(position)
    return {key: bits.of_positions(found, size) for key, found in members.items()}


def reads(asked: Iterable[Leaf], layout: Sequence[Offer]) -> frozenset[str]:
    names = {leaf.attribute for leaf in asked}
    if any(offer.schedule.local == CUSTOMER for offer in layout):
        names.update(CUSTOMER_ZONES)
    return frozenset(names | {FRIENDS_BOOKED} if _tells(layout, FRIENDS_BOOKED) else names)


def _tells(layout: Sequence[Offer], name: str) -> bool:
    """Whether any words or links name a fact."""
    said = {id(offer.representation): offer.representation for offer in layout}.values()
    return any(name in part for content in said for each in content.every for part in _parts(each))


def _parts(content: Representation) -> Iterator[str]:
    yield from (content.link, content.web)
    for text in content.texts.values():
        yield from (text.title, text.body, text.button, text.alt, text.why, text.sms)


def freshness(asked: Iterable[Leaf], layout: Sequence[Offer]) -> tuple[tuple[str, Millis], ...]:
    ages = {(leaf.attribute, leaf.fresh_ms) for leaf in asked if leaf.fresh_ms is not None}
    prices = (offer.price for offer in layout if offer.price is not None)
    ages |= {(price.source, price.fresh_ms) for price in prices if price.source and price.fresh_ms is not None}
    return tuple(sorted(ages))


def countdowns(asked: Iterable[Leaf]) -> tuple[Millis, ...]:
    counted = [leaf for leaf in asked if leaf.attribute == COUNTDOWN]
    ends = {end for leaf in counted for end in (leaf.low, leaf.high, *leaf.operand)}
    return tuple(sorted(int(end) for end in ends if isinstance(end, int | float) and abs(end) != float("inf")))


def relative_ends(layout: Sequence[Offer]) -> frozenset[RelativeTime]:
    ends = {end for offer in layout for end in (offer.schedule.starts_relative, offer.schedule.ends_relative)}
    ends |= {rule.until for offer in layout for rule in offer.suppress}
    return frozenset(end for end in ends if end is not None)


def local_plans(layout: Sequence[Offer]) -> tuple[Schedule, ...]:
    """Days and hours that are read on the clock of whoever is asked."""
    found = dict.fromkeys(offer.schedule for offer in layout if offer.schedule.local)
    return tuple(dict.fromkeys(Schedule(days=plan.days, hours=plan.hours, local=plan.local) for plan in found))


def spans(layout: Sequence[Offer]) -> tuple[Millis, ...]:
    rolling = {cap.window.length_ms for offer in layout for cap in offer.limits if cap.window.kind == "rolling"}
    rolling |= {rule.for_ms for offer in layout for rule in offer.suppress if rule.for_ms is not None}
    return tuple(sorted(rolling))
