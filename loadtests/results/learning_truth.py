"""The hidden truth of a learning world: who accepts what, where and when, with which probability. Seeded; pure."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from loadtests.results.learning_campaigns import AGES, DEVICES, KINDS, OFFERS, PORTS, VISITS, WEATHER

Numbers = NDArray[np.float64]
VALUES: Numbers = np.array([offer.value for offer in OFFERS])
"""(offers,) what an acceptance is worth."""
_KIND = np.array([KINDS.index(offer.kind) for offer in OFFERS])
_MORNING, _EVENING = 6, 18


@dataclass(frozen=True, slots=True)
class Customers:
    """n people; arrays (n,), codes into the levels of the campaigns' attributes. `liking` is known to nobody."""

    age: NDArray[np.intp]
    port: NDArray[np.intp]
    children: NDArray[np.intp]
    trips: NDArray[np.intp]
    visits: NDArray[np.intp]
    """(n, kinds) how often they go to a kind of venue."""
    liking: Numbers
    """(n, kinds) log odds that no attribute tells."""

    def __len__(self) -> int:
        return len(self.age)


@dataclass(frozen=True, slots=True)
class Visit:
    """Somebody opens the app."""

    customer: int
    hour: int
    weather: int
    device: int
    friends: int


def customers(seed: int, count: int) -> Customers:
    """The same people for the same seed."""
    draw = np.random.default_rng([seed, 1])
    return Customers(
        age=draw.integers(0, len(AGES), count),
        port=draw.integers(0, len(PORTS), count),
        children=(draw.random(count) < 0.35).astype(np.intp),
        trips=draw.poisson(3.0, count),
        visits=draw.integers(0, len(VISITS), (count, len(KINDS))),
        liking=draw.normal(0.0, 0.5, (count, len(KINDS))),
    )


def visits(seed: int, day: int, count: int, people: int) -> list[Visit]:
    """Who opens the app on a day, in order of the hour; the same for the same seed, whatever is shown to them."""
    draw = np.random.default_rng([seed, 2, day])
    columns = (
        draw.integers(0, people, count),
        np.sort(draw.integers(_MORNING, 24, count)),
        draw.integers(0, len(WEATHER), count),
        (draw.random(count) < 0.3).astype(np.intp),
        (draw.random(count) < 0.25).astype(np.intp),
    )
    return [Visit(*row) for row in np.column_stack(columns).tolist()]


@dataclass(frozen=True, slots=True)
class Tastes:
    """Log odds of accepting each offer, by what they depend on; the first axis is the level, the last the offer."""

    base: Numbers
    age: Numbers
    port: Numbers
    children: Numbers
    visits: Numbers
    weather: Numbers
    device: Numbers
    friends: Numbers
    evening: Numbers

    def probabilities(self, people: Customers, visit: Visit) -> Numbers:
        """(offers,) that this person accepts it now, once it is seen."""
        who = visit.customer
        logit = (
            self.base
            + self.age[people.age[who]]
            + self.port[people.port[who]]
            + self.children[people.children[who]]
            + self.visits[people.visits[who][_KIND], np.arange(len(OFFERS))]
            + people.liking[who][_KIND]
            + self.weather[visit.weather]
            + self.device[visit.device]
            + self.friends[visit.friends]
            + self.evening[int(visit.hour >= _EVENING)]
        )
        return np.asarray(1.0 / (1.0 + np.exp(-logit)))


def tastes(seed: int) -> Tastes:
    """What people of this seed like. Mean acceptance of an offer shown to anybody is about a tenth."""
    draw = np.random.default_rng([seed, 3])
    count = len(OFFERS)

    def by_offer(levels: int, spread: float) -> Numbers:
        return draw.normal(0.0, spread, (levels, count))

    def by_kind(levels: int, spread: float) -> Numbers:
        return draw.normal(0.0, spread, (levels, len(KINDS)))[:, _KIND]

    slope = draw.uniform(0.5, 1.1, len(KINDS))[_KIND]
    return Tastes(
        base=draw.normal(-2.7, 0.5, count),
        age=by_offer(len(AGES), 0.4),
        port=by_offer(len(PORTS), 0.3),
        children=by_kind(2, 0.3),
        visits=np.linspace(-1.0, 1.0, len(VISITS))[:, None] * slope,
        weather=by_kind(len(WEATHER), 0.4),
        device=by_offer(len(DEVICES), 0.2),
        friends=np.stack([np.zeros(count), draw.uniform(0.0, 0.8, len(KINDS))[_KIND]]),
        evening=by_kind(2, 0.4),
    )


def drifted(before: Tastes, seed: int) -> Tastes:
    """Other tastes of the same people: what was liked is liked by others, and half of the kinds go out of fashion."""
    after = tastes(seed + 1_000_003)
    fashion = np.where(np.random.default_rng([seed, 4]).permutation(len(KINDS)) < 2, -1.0, 1.0)[_KIND]
    return Tastes(
        base=after.base,
        age=after.age,
        port=before.port,
        children=before.children,
        visits=before.visits * fashion,
        weather=after.weather,
        device=before.device,
        friends=before.friends,
        evening=before.evening,
    )
