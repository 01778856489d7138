"""A small world with hidden tastes: decisions about one or two of three offers, and what became of them."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from scoring.examples import Example, Examples
from scoring.features import Scorable
from scoring.fit import Recipe, Run
from scoring.train import train_from_examples
from streams.attributes import Attribute, AttributeSet, Kind, attribute_set
from streams.ids import CampaignId, CustomerId, Millis, OfferId
from streams.instant import DAY_MS, HOUR_MS
from streams.profile import CounterKey, MaskedProfile, bucket_of
from streams.record import DecisionInputs, FactDict, OfferFacts, Request, Subject
from streams.whereabouts import Whereabouts
from tests.decision_log import REVISION, decision_id
from tests.makers import NOW

VISITS = ("never", "seldom", "often")
ATTRIBUTES: AttributeSet = attribute_set(
    (
        Attribute("customer", "bar_visits", 1, Kind.ENUM, VISITS, ordered=True),
        Attribute("customer", "spa_visits", 2, Kind.ENUM, VISITS, ordered=True),
        Attribute("customer", "interests", 3, Kind.SET),
        Attribute("customer", "town", 4, Kind.STRING),
        Attribute("customer", "member_since", 5, Kind.DATETIME),
        Attribute("customer", "newsletter", 6, Kind.BOOLEAN),
        Attribute("customer", "gender", 7, Kind.ENUM, ("f", "m"), protected=True),
        Attribute("customer", "note", 8, Kind.STRING, feature=False),
        Attribute("customer", "mood", 9, Kind.NUMBER, fresh_ms=DAY_MS),
        Attribute("booking", "accommodation", 40, Kind.ENUM, ("deck", "seat", "cabin")),
        Attribute("market", "cabins_free", 60, Kind.INTEGER, by="kind", keys=("inside", "suite")),
        Attribute("market", "fare", 61, Kind.MONEY, by="product", keys=("deck", "cabin")),
        Attribute("context", "weather", 80, Kind.STRING),
        Attribute("offer", "affinity", 90, Kind.STRING),
        Attribute("offer", "price_source", 91, Kind.STRING),
        Attribute("offer", "until", 92, Kind.DATETIME),
        Attribute("offer", "kind", 93, Kind.STRING),
    )
)
QUICK = Recipe(rounds=(5, 20), leaves=7, learning_rate=0.08)


def facts(name: str, affinity: str, discount: float, mean: float = 0.3) -> OfferFacts:
    """One of the world's offers."""
    attributes: dict[str, str | int | float | bool | tuple[str, ...]] = {
        "offer.affinity": f"customer.{affinity}",
        "offer.price_source": "market.fare.cabin",
        "offer.discount": discount,
        "offer.kind": name,
        "offer.until": NOW + DAY_MS,
    }
    return OfferFacts(OfferId(name), CampaignId(f"campaign-{name}"), "onboard", attributes, mean, 20.0)


BAR, SPA, QUIZ = facts("bar", "bar_visits", 10.0), facts("spa", "spa_visits", 30.0), facts("quiz", "nothing", 0.0)


def subject(fare: int, at: Millis = NOW) -> Subject:
    """A booking of a sailing with this cabin fare."""
    known: FactDict = {
        "booking.accommodation": ("deck", at),
        "market.fare.cabin": (fare, at),
        "market.cabins_free.inside": (fare // 100, at),
        "sailing.departs_in": (6 * HOUR_MS, at),
        "sailing.friends_booked": (2, at),
    }
    return Subject(f"booking:b-{fare}", known)


@dataclass(frozen=True, slots=True)
class Passenger:
    """Someone with tastes."""

    id: CustomerId
    facts: FactDict

    def appetite(self, offer: OfferFacts) -> float:
        """The hidden truth: the probability of a click."""
        kind = str(offer.attributes["offer.affinity"])
        visits = self.facts.get(kind, ("seldom", 0))[0]
        return (0.08, 0.3, 0.75)[VISITS.index(str(visits))]


def passenger(number: int) -> Passenger:
    """The same one for the same number."""
    draw = random.Random(number)
    since = NOW - 30 * DAY_MS
    known: FactDict = {
        "customer.bar_visits": (draw.choice(VISITS), since),
        "customer.spa_visits": (draw.choice(VISITS), since),
        "customer.interests": (tuple(sorted(draw.sample(["kids", "spa", "wine"], draw.randrange(3)))), since),
        "customer.town": (draw.choice(["Livorno", "Olbia", "Pisa"]), since),
        "customer.member_since": (NOW - draw.randrange(4_000) * DAY_MS, since),
        "customer.newsletter": (draw.random() < 0.5, since),
        "customer.gender": (draw.choice("fm"), since),
        "customer.note": (f"call {number}", since),
        "customer.mood": (draw.random(), since),
    }
    if draw.random() < 0.2:
        del known["customer.bar_visits"]
    return Passenger(CustomerId(f"c-{number}"), known)


def decided(who: Passenger, at: Millis, number: int, seen: dict[CounterKey, dict[int, int]]) -> DecisionInputs:
    """What a decision about this passenger would read."""
    hour, weekday = at // HOUR_MS % 24, at // DAY_MS % 7 + 1
    context: FactDict = {
        "context.local_hour": (hour, at),
        "context.weekday": (weekday, at),
        "context.month": (11, at),
        "context.season": (("winter",), at),
        "context.weather": ("rain" if number % 3 else "sun", at),
        "context.nearest_port_distance": (2_000.0 + number, at),
    }
    mood = who.facts["customer.mood"][0]
    counters = {key: dict(buckets) for key, buckets in seen.items()}
    return DecisionInputs(
        decision_id=decision_id(at, number),
        now=at,
        revision=REVISION,
        request=Request(who.id, (), "it", context),
        whereabouts=Whereabouts("precise", "861ea0797ffffff", 50, (("livorno-terminal", 3), ("old-town", 1)), at),
        profile=MaskedProfile({**who.facts, "customer.mood": (mood, at - HOUR_MS)}, counters=counters),
        subjects={"booking:each": (subject(5_000 + number % 7 * 100, at),)},
    )


def examples(people: int = 60, each: int = 12, *, history: bool = True) -> Iterator[Example]:
    """Everyone decides `each` times, 5 hours apart, about one offer; history as the profile would hold it."""
    draw = random.Random(7)
    for number in range(people):
        who = passenger(number)
        seen: dict[CounterKey, dict[int, int]] = {}
        for turn in range(each):
            at = NOW - 3 * DAY_MS + turn * 5 * HOUR_MS + number * 1_000
            made = decided(who, at, number * each + turn, seen if history else {})
            offer = draw.choice([BAR, SPA, QUIZ])
            item: Scorable = (offer, made.subjects["booking:each"][0])
            outcome = int(draw.random() < who.appetite(offer))
            yield Example(made, "prior", (item,), (outcome,), (offer.starting_mean,), (1 / 3,))
            for event in ("exposed", "clicked")[: 1 + outcome]:
                key = (event, offer.offer_id, offer.campaign_id, offer.collection, "home", "", "phone")
                buckets = seen.setdefault(key, {})
                buckets[bucket_of(at)] = buckets.get(bucket_of(at), 0) + 1


def world(people: int = 60, each: int = 12) -> Examples:
    """The examples, as often as one likes."""
    return partial(examples, people, each)


def trained(models: Path, *, seed: int = 0, people: int = 60) -> Path:
    """A small model of the world, in a second."""
    return train_from_examples(world(people), models, ATTRIBUTES, Run(seed, 1, QUICK))
