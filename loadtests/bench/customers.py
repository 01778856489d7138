"""The bench's customers and the market they meet, as events; and what their phones ask.

Each has 15 attributes, one booking, three friends and eight counted events: what the memory of a customer is measured
with too. What decides how many offers are left (home port, tier) is fixed per crowd; the rest is drawn, seeded.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from loadtests.bench.campaigns import DENSE, PLACEMENT, RULED_OUT, SCORED, SPARSE
from streams.events import Attributes, Booking, Capacity, Consent, Event, EventData, Fare, Outcome, Schedule, Social
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, format_instant, moment
from streams.places import Places

SOURCE = "bench"
AHEAD_DAYS = 7
"""Sailings are on sale for so many days."""
BOOKED_DAY = 2
PRODUCTS = {"deck": 3_000, "seat": 4_200, "cabin_inside": 7_000, "cabin_outside": 9_500, "suite": 18_000, "car": 6_000}
ROOM = {"inside": 60, "outside": 40, "suite": 6, "car": 150}
PORTS = {SPARSE: (43.5558, 10.3019), DENSE: (44.4147, 8.9153)}
"""Where their phones are, within a kilometre."""
HOME_LINES = {SPARSE: "ITLIV-ITOLB", DENSE: "ITGOA-ITOLB"}
LOCALES = ("it-IT", "it-IT", "it-IT", "en-GB", "de-DE")
INTERESTS = ("wine", "beach", "spa", "culture", "shopping", "family")


@dataclass(frozen=True, slots=True)
class Crowd:
    """Customers who are left with the same number of offers."""

    name: str
    home: str
    tier: str

    def customer(self, number: int) -> str:
        """An id."""
        return f"{self.name}-{number:05d}"


CROWDS = {tier: Crowd(f"c{scored}", SPARSE, tier) for tier, scored in SCORED.items()}
"""At SPARSE, by tier."""
DENSE_CROWD = Crowd("cd", DENSE, "silver")
REFERENCE = CROWDS["silver"]


def biography(crowd: Crowd, number: int, now: Millis) -> Iterator[Event]:
    """Everything that is known of a customer, oldest first."""
    rng = Random(f"bench:{crowd.name}:{number}")
    customer = crowd.customer(number)
    line = HOME_LINES[crowd.home]
    consent = Consent({"personalised_offers": True, "location": True, "social": True}, {"app": True})
    wishes = {"language": "it", "interests": _interests(rng), "newsletter": rng.random() < 0.4}
    seat = {"accommodation": rng.choice(("deck", "seat")), "party": rng.randint(1, 4)}
    said: list[tuple[Millis, str, EventData]] = [
        (now - 90 * DAY_MS, "customer.consent", consent),
        (now - 60 * DAY_MS, "customer.profile", Attributes(_register(rng, crowd, now))),
        (now - 50 * DAY_MS, "customer.preferences", Attributes(wishes)),
        (now - 40 * DAY_MS, "customer.device", Attributes({"devices": ["phone"]})),
        (now - 30 * DAY_MS, "customer.social", Social([crowd.customer(rng.randrange(5_000)) for _ in range(3)])),
        (
            now - 9 * DAY_MS,
            "customer.booking",
            Booking(f"b-{customer}", sailing_id(line, now, BOOKED_DAY), line, "open", seat),
        ),
        *_met(rng, now),
    ]
    for place, (at, kind, data) in enumerate(said):
        yield Event(f"{customer}-{place}", SOURCE, kind, customer, at, data)


def _register(rng: Random, crowd: Crowd, now: Millis) -> dict[str, Any]:
    return {
        "loyalty_tier": crowd.tier,
        "home_port": crowd.home,
        "age_band": rng.choice(("under_26", "from_26", "from_41", "from_61")),
        "children": rng.choice((0, 0, 1, 2)),
        "vehicle": rng.choice(("none", "car", "car", "motorbike")),
        "pet": False,
        "trips_per_year": rng.randint(3, 9),
        "cabin_nights": rng.randint(0, 9),
        "restaurant_visits": rng.randint(0, 9),
        "spa_visits": rng.randint(0, 5),
        "shop_visits": rng.randint(0, 9),
        "excursions": rng.randint(0, 5),
        "average_spend": rng.randint(60, 400) * 100,
        "last_trip_at": format_instant(now - rng.randint(10, 200) * DAY_MS),
        "open_complaint": False,
    }


def _interests(rng: Random) -> list[str]:
    return ["food", *sorted(rng.sample(INTERESTS, rng.randint(0, 3)))]


def _met(rng: Random, now: Millis) -> Iterator[tuple[Millis, str, EventData]]:
    """Eight events that are counted: the caps of two offers are reached, two were dismissed, one was clicked."""
    recently = now - 3 * HOUR_MS
    seen = [*RULED_OUT[:2] * 2, *RULED_OUT[2:4], f"sparse-{rng.randrange(25)}"]
    for place, offer in enumerate(seen):
        kind = "offer.dismissed" if offer in RULED_OUT[2:4] else "offer.exposed"
        yield recently + place * MINUTE_MS, kind, _outcome(offer, place)
    yield recently + 8 * MINUTE_MS, "offer.clicked", _outcome(seen[-1], len(seen))


def _outcome(offer: str, place: int) -> Outcome:
    decision = f"019dd0a1-52cb-7c3e-9d12-6b1f0c3f8{place:03x}"
    return Outcome(decision, offer, offer, f"collection-{place + 1}", PLACEMENT, "", "phone", 1)


def market(places: Places, now: Millis) -> Iterator[Event]:
    """A week of daily sailings on every line, each with its fares and its room."""
    rng = Random("bench:market")
    for line in sorted(places.lines):
        for day in range(AHEAD_DAYS):
            sailing = sailing_id(line, now, day)
            leaves = moment(now + day * DAY_MS).replace(hour=20, minute=30, second=0, microsecond=0)
            departure = int(leaves.timestamp() * 1000)
            times = Schedule(line, format_instant(departure), format_instant(departure + 9 * HOUR_MS))
            news: list[tuple[str, EventData]] = [("sailing.schedule", times)]
            news += [
                ("sailing.fare", Fare(product, minor + 50 * rng.randint(0, 20))) for product, minor in PRODUCTS.items()
            ]
            news += [("sailing.capacity", Capacity(kind, rng.randint(1, free))) for kind, free in ROOM.items()]
            for place, (kind, data) in enumerate(news):
                yield Event(f"{sailing}-{place}", SOURCE, kind, sailing, now - HOUR_MS, data)


def sailing_id(line: str, now: Millis, day: int) -> str:
    """The evening departure of a line, so many days from now."""
    return f"{line}/{moment(now + day * DAY_MS).date().isoformat()}T20:30"


def question(crowd: Crowd, number: int, turn: int) -> dict[str, Any]:
    """What this customer's phone asks: three items of one placement, here, now. `turn` names the request."""
    rng = Random(f"bench:phone:{crowd.name}:{number}")
    lat, lon = PORTS[crowd.home]
    away, direction = rng.uniform(0, 0.009), rng.uniform(0, 2 * math.pi)
    return {
        "request_id": f"r-{number:05d}-{turn:04d}",
        "customer_id": crowd.customer(number),
        "locale": rng.choice(LOCALES),
        "placements": [{"placement": PLACEMENT, "limit": 3}],
        "context": {
            "app": {"platform": rng.choice(("ios", "android")), "version": "7.4.0"},
            "device": {"class": "phone"},
            "weather": rng.choice(("sunny", "cloudy")),
            "location": {
                "status": "precise",
                "lat": round(lat + away * math.cos(direction), 5),
                "lon": round(lon + away * math.sin(direction), 5),
                "accuracy_m": rng.choice((10, 20, 30)),
            },
        },
    }
