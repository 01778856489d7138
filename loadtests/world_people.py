"""Who travels: a seeded population. What shows in their attributes is a shadow of hidden tastes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random

from loadtests.world_geography import Geography, LatLon

TASTES = ("cabin", "fare", "vehicle", "restaurant", "spa", "shop", "island", "lounge")
HOMES: Mapping[str, float] = {
    "ITLIV": 18, "ITGOA": 16, "ITCVV": 13, "ITPIO": 5, "ITNAP": 10, "ITPMO": 8, "ITOLB": 8, "ITCAG": 7,
    "ITPTO": 3, "ITPFE": 2, "santa-teresa-gallura": 2, "FRNCE": 4, "FRBIA": 3, "FRBON": 1,
}  # fmt: skip
"""Where people live, or where they start from if they live inland."""
FRENCH = frozenset({"FRNCE", "FRBIA", "FRBON"})
FOREIGN: Mapping[str, float] = {"de-DE": 40, "de-AT": 8, "de-CH": 8, "en-GB": 22, "fr-FR": 12, "zh-TW": 6, "en-US": 4}
TIERS: Mapping[str, float] = {"blue": 52, "silver": 27, "gold": 16, "platinum": 5}
AGES: Mapping[str, float] = {"under_26": 15, "from_26": 30, "from_41": 35, "from_61": 20}
VEHICLES: Mapping[str, float] = {"none": 38, "motorbike": 6, "car": 48, "camper": 8}
STATUSES: Mapping[str, float] = {"precise": 58, "approximate": 20, "not_determined": 6, "denied": 9, "off": 7}
MOST_FRIENDS = 8


@dataclass(frozen=True, slots=True)
class Person:
    """A customer, the hidden part included."""

    id: str
    home: str
    """Port id."""
    at_home: LatLon
    locale: str
    tier: str
    age: str
    children: int
    vehicle: str
    pet: bool
    devices: tuple[str, ...]
    location_status: str
    consents: tuple[str, ...]
    tastes: Mapping[str, float]
    """Hidden: about N(0, 1) each."""
    thrift: float
    """Hidden: how much a price matters, about 1."""
    attributes: Mapping[str, object]
    preferences: Mapping[str, object]
    friends: tuple[str, ...] = ()


def population(seed: int, number: int, geography: Geography) -> dict[str, Person]:
    """`number` people. The first n of a larger population of the same seed are the same but for their friends."""
    people = [_person(Random(f"{seed}:person:{index}"), f"c-{index:05d}", geography) for index in range(number)]
    return {person.id: person for person in _befriended(Random(f"{seed}:friends"), people)}


def _person(rng: Random, ident: str, geography: Geography) -> Person:
    home = _pick(rng, HOMES)
    inland = rng.random() < 0.3
    locale = _pick(rng, FOREIGN) if inland else "fr-FR" if home in FRENCH else "it-IT"
    tastes = {name: rng.gauss(0, 1) for name in TASTES}
    children = rng.choice((0, 0, 0, 1, 2, 2, 3)) if rng.random() < 0.6 else 0
    vehicle = _pick(rng, VEHICLES)
    tier = _pick(rng, TIERS)
    purposes = (("personalised_offers", 0.9), ("location", 0.8), ("social", 0.5))
    consents = tuple(name for name, share in purposes if rng.random() < share)
    attributes = _attributes(rng, tastes, {"loyalty_tier": tier, "vehicle": vehicle, "children": children})
    return Person(
        id=ident,
        home=home,
        at_home=_near(rng, geography.ports[home].at, inland),
        locale=locale,
        tier=tier,
        age=_pick(rng, AGES),
        children=children,
        vehicle=vehicle,
        pet=rng.random() < 0.12,
        devices=("phone", "tablet") if rng.random() < 0.25 else ("phone",),
        location_status=_pick(rng, STATUSES),
        consents=consents,
        tastes=tastes,
        thrift=rng.lognormvariate(0, 0.4),
        attributes={**attributes, "home_port": home},
        preferences={"language": locale[:2], "interests": _interests(rng, tastes), "newsletter": rng.random() < 0.4},
    )


def _attributes(rng: Random, tastes: Mapping[str, float], known: Mapping[str, object]) -> dict[str, object]:
    """What the register knows: counts that follow the tastes, with noise."""
    trips = _poisson(rng, math.exp(0.7 + 0.3 * tastes["fare"] + (0.6 if known["loyalty_tier"] != "blue" else 0)))
    cabin = tastes["cabin"] + rng.gauss(0, 0.6)
    preferred = "none" if cabin < -0.3 else "inside" if cabin < 0.6 else "outside" if cabin < 1.7 else "suite"
    spend = 60 + 25 * trips * math.exp(0.25 * rng.gauss(0, 1)) + 60 * max(0.0, tastes["restaurant"] + tastes["cabin"])
    counted = {"cabin_nights": "cabin", "restaurant_visits": "restaurant", "spa_visits": "spa", "shop_visits": "shop"}
    visits = {name: _poisson(rng, math.exp(0.3 + 0.9 * tastes[taste])) for name, taste in counted.items()}
    excursions = _poisson(rng, math.exp(0.2 + 0.9 * tastes["island"]))
    return {
        **known,
        **visits,
        "excursions": excursions,
        "trips_per_year": trips,
        "preferred_cabin": preferred,
        "average_spend": int(spend * 100),
        "open_trips": 0,
        "open_complaint": rng.random() < 0.02,
    }


def _interests(rng: Random, tastes: Mapping[str, float]) -> list[str]:
    """What they say they like: mostly true."""
    of_taste = {
        "food": "restaurant", "wine": "restaurant", "spa": "spa", "shopping": "shop", "beach": "island",
        "culture": "island", "theatre": "island", "diving": "island", "family": "fare",
    }  # fmt: skip
    return sorted(interest for interest, taste in of_taste.items() if rng.random() < 0.1 + 0.5 * (tastes[taste] > 0.2))


def _befriended(rng: Random, people: Sequence[Person]) -> list[Person]:
    """Friends live near the same port, and friendship goes both ways."""
    by_home: dict[str, list[str]] = {}
    for person in people:
        by_home.setdefault(person.home, []).append(person.id)
    friends: dict[str, set[str]] = {person.id: set() for person in people}
    for person in people:
        near = by_home[person.home]
        for friend in rng.sample(near, min(len(near), _poisson(rng, 1.6))):
            if friend != person.id and max(len(friends[friend]), len(friends[person.id])) < MOST_FRIENDS:
                friends[person.id].add(friend)
                friends[friend].add(person.id)
    return [replace(person, friends=tuple(sorted(friends[person.id]))) for person in people]


def _near(rng: Random, port: LatLon, inland: bool) -> LatLon:
    """Some 10 km around the port, or some 150 km away; never mind whether that is in the sea."""
    spread = 1.4 if inland else 0.09
    return port[0] + rng.gauss(0.05, spread / 2), port[1] + rng.gauss(0, spread / 2)


def _pick(rng: Random, weights: Mapping[str, float]) -> str:
    return rng.choices(list(weights), list(weights.values()))[0]


def _poisson(rng: Random, mean: float) -> int:
    """By Knuth's product of uniforms: the means here are below 20."""
    limit, product, count = math.exp(-min(mean, 20.0)), rng.random(), 0
    while product > limit:
        product *= rng.random()
        count += 1
    return count
