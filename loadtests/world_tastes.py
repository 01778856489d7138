"""The hidden truth: with what probability this person sees, takes up, dismisses and pays for a shown offer."""

from collections.abc import Mapping
from dataclasses import dataclass

from loadtests.world_clock import chance, draw
from loadtests.world_lives import AT_HOME, Session
from loadtests.world_people import Person

OFFERS: Mapping[str, tuple[str, float, float]] = {
    "cabin-upgrade-inside": ("cabin", -1.9, 4500),
    "night-cabin": ("cabin", -2.3, 5500),
    "sea-view-cabin": ("cabin", -2.1, 2400),
    "family-cabin": ("cabin", -2.2, 6500),
    "pet-cabin": ("cabin", -1.7, 5500),
    "panorama-suite": ("cabin", -3.2, 12000),
    "from-here-deck": ("fare", -2.9, 3000),
    "young-on-deck": ("fare", -2.4, 2500),
    "winter-escape": ("fare", -3.1, 4800),
    "summer-elba": ("fare", -2.3, 1000),
    "sail-together": ("fare", -2.6, 3000),
    "kids-sail-free": ("fare", -2.5, 3000),
    "bring-the-car": ("vehicle", -2.9, 6000),
    "add-your-car": ("vehicle", -2.6, 6000),
    "camper-summer": ("vehicle", -2.3, 9000),
    "dinner-on-board": ("restaurant", -1.9, 2600),
    "trattoria-cagliari": ("restaurant", -2.0, 2200),
    "spa-on-board": ("spa", -2.4, 3200),
    "bottega-on-board": ("shop", -2.2, 0),
    "terminal-emporio": ("shop", -2.0, 0),
    "lido-lunch": ("island", -2.1, 2900),
    "olbia-tasting-walk": ("island", -2.4, 2400),
    "archipelago-boat": ("island", -2.3, 4500),
    "winery-elba": ("island", -2.1, 1800),
    "museum-bastia": ("island", -2.5, 600),
    "puppets-palermo": ("island", -2.4, 1200),
    "diving-gallura": ("island", -2.6, 5500),
    "gold-lounge": ("lounge", -2.2, 1500),
    "breakfast-box": ("restaurant", -2.3, 850),
    "olbia-from-livorno": ("fare", -2.9, 3600),
    "porto-torres-from-genova": ("fare", -2.9, 4400),
    "olbia-from-civitavecchia": ("fare", -2.9, 3100),
    "palermo-from-napoli": ("fare", -2.9, 3700),
}
"""Offer -> (the taste it meets, logit of taking it up for the average person, the price in cents that seems fair)."""
UNKNOWN = ("fare", -4.3, 0.0)
"""Any other offer, the fallbacks among them: a kind word, rarely followed."""
TASTE = 1.1
THRIFT = 1.6
TABLET = 0.2
"""Twenty per cent more on a tablet, roughly."""
FRIENDS = 0.9
AWAY = 0.35
"""On the way, people decide more quickly than at home."""
FATIGUE = 0.3
"""Every time the same offer was seen before, up to five times."""
SEEN: Mapping[str, float] = {
    "app.home.hero": 0.97,
    "app.trip.card": 0.9,
    "app.home.list": 0.85,
    "app.home.tablet": 0.92,
}
SEEN_LOWER = 0.8
"""Of those who saw a rank, so many see the next one."""
PAYS = 0.45
"""Of those who open an offer, so many take it up for good."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An item as a person meets it."""

    offer: str
    placement: str
    rank: int
    price: int | None
    """In cents."""
    friends_on_board: bool
    seen_before: int


def accepts(person: Person, session: Session, shown: Shown) -> float:
    """The hidden probability that someone who sees this item opens it."""
    taste, base, fair = OFFERS.get(shown.offer, UNKNOWN)
    logit = base + TASTE * person.tastes[taste]
    if shown.price is not None and fair:
        logit -= THRIFT * person.thrift * max(-1.0, min(1.0, shown.price / fair - 1))
    logit += (
        TABLET * (session.device == "tablet") + FRIENDS * shown.friends_on_board + AWAY * (session.where != AT_HOME)
    )
    return chance(logit - FATIGUE * min(shown.seen_before, 5))


def sees(shown: Shown) -> float:
    """The probability that an item comes into view for a second."""
    return SEEN.get(shown.placement, 0.8) * SEEN_LOWER ** (shown.rank - 1)


def response(seed: int, person: Person, session: Session, shown: Shown) -> tuple[str, ...]:
    """What became of an item: some of exposed, clicked, dismissed, redeemed, in the order in which they happen."""
    name = (seed, person.id, session.at, shown.placement, shown.offer)
    if draw(*name, "sees") >= sees(shown):
        return ()
    if draw(*name, "opens") < accepts(person, session, shown):
        pays = shown.offer in OFFERS and draw(*name, "pays") < PAYS
        return ("exposed", "clicked", "redeemed") if pays else ("exposed", "clicked")
    taste = OFFERS.get(shown.offer, UNKNOWN)[0]
    annoyed = 0.02 + 0.05 * (person.tastes[taste] < -0.8)
    return ("exposed", "dismissed") if draw(*name, "dismisses") < annoyed else ("exposed",)
