"""Contexts of the simulated world's people: who looks at the app, where, with which trips, under which market."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random

import msgspec

from loadtests.world_clock import DAY_MS, HOUR_MS
from loadtests.world_geography import Geography
from loadtests.world_geography import load as load_geography
from loadtests.world_lives import Booking, Span, trip
from loadtests.world_market import SailingMarket
from loadtests.world_people import Person, population
from offers import contexts
from offers.catalog import Catalog
from offers.situation import Situation, situate
from streams import events, market
from streams.attributes import Value
from streams.ids import CustomerId, DecisionId, Millis
from streams.instant import parse_instant
from streams.market import EMPTY, Market
from streams.places import Fix
from streams.profile import BookingFact, Cell, CounterKey, MaskedProfile, ProfileFacts, bucket_of
from streams.profile_mask import mask
from streams.record import PlacementRequest, Request
from tests.golden_case import DEPLOYMENT

START = parse_instant("2026-11-14T00:00:00Z")
SPAN = Span(START, START + 21 * DAY_MS)
EVERY_MS = 5 * HOUR_MS
EACH = 5
"""Times that everybody looks."""
AT_PORT_MS = 5 * HOUR_MS
SEED = 1


@dataclass(frozen=True, slots=True)
class Look:
    """Somebody looks at the app."""

    now: Millis
    person: Person
    bookings: tuple[Booking, ...]
    market: Market
    number: int


def lines(number: int, catalog: Catalog) -> Iterator[bytes]:
    """So many lines of a file of contexts."""
    for look in islice(_looks(number), number):
        yield contexts.line(situate(_situation(look, catalog), catalog)) + b"\n"


def _looks(number: int) -> Iterator[Look]:
    geography = load_geography(DEPLOYMENT / "places")
    people = list(population(SEED, max(1, -(-number // EACH)), geography).values())
    trips = {person.id: tuple(trip(SEED, person, geography, SPAN)) for person in people}
    for turn in range(EACH):
        now = START + 7 * DAY_MS + 7 * HOUR_MS + turn * EVERY_MS
        heard = _market(geography, now)
        for at, person in enumerate(people):
            yield Look(now, person, trips[person.id], heard, turn * len(people) + at)


def _market(geography: Geography, now: Millis) -> Market:
    told = (events.parse(msgspec.json.encode(each)) for each in SailingMarket(SEED, geography).news(now, whole=True))
    return market.fold(EMPTY, [(offset, now, event) for offset, event in enumerate(told)], "world")


def _situation(look: Look, catalog: Catalog) -> Situation:
    rng = Random(f"{SEED}:look:{look.number}")
    next_one = next((each for each in look.bookings if look.now < each.sailing.departure), None)
    waits = next_one is not None and next_one.sailing.departure - look.now <= AT_PORT_MS
    point = next_one.sailing.line.origin.at if waits and next_one is not None else look.person.at_home
    status = look.person.location_status
    fix = (
        Fix(*point, 30.0 if status == "precise" else 3_000.0, look.now)
        if status in ("precise", "approximate")
        else None
    )
    placements = [
        each for each in catalog.placements.values() if ("tablet" in each.id) == ("tablet" in look.person.devices)
    ]
    asked = tuple(PlacementRequest(each.id, each.max_items) for each in placements)
    return Situation(
        decision_id=DecisionId(str(uuid.UUID(int=look.now << 80 | 7 << 76 | 2 << 62 | look.number))),
        now=look.now,
        request=Request(
            CustomerId(look.person.id), asked, look.person.locale, {}, None if next_one is None else next_one.id
        ),
        whereabouts=catalog.places.resolve(fix, status),
        profile=_profile(look, catalog, rng),
        market=look.market,
        candidate_limit=384,
    )


def _profile(look: Look, catalog: Catalog, rng: Random) -> MaskedProfile:
    said = {f"customer.{name}": value for name, value in {**look.person.attributes, **look.person.preferences}.items()}
    known = catalog.attributes.by_name
    heard = look.now - DAY_MS
    cells = {known[name].number: Cell(_value(value), heard, 0) for name, value in said.items() if name in known}
    consent = {f"purpose:{name}": Cell(True, heard, 0) for name in look.person.consents}
    consent |= {f"channel:{name}": Cell(True, heard, 0) for name in ("app",)}
    bookings = {
        each.id: BookingFact(
            each.sailing.id, each.sailing.line.id, "open" if look.now < each.over_at else "completed",
            _booked(each, catalog), heard, 0,
        )
        for each in look.bookings
        if each.booked_at <= look.now
    }  # fmt: skip
    return mask(
        ProfileFacts(cells, consent, bookings, counters=_met(look, catalog, rng)), catalog.attributes, now=look.now
    )


def _booked(booking: Booking, catalog: Catalog) -> dict[int, Value]:
    said: dict[str, Value] = {
        "accommodation": booking.accommodation, "vehicle": booking.vehicle, "party": booking.party,
        "children": booking.children, "pets": booking.pets,
    }  # fmt: skip
    known = catalog.attributes.by_name
    return {known[f"booking.{name}"].number: value for name, value in said.items()}


def _met(look: Look, catalog: Catalog, rng: Random) -> dict[CounterKey, dict[int, int]]:
    counters: dict[CounterKey, dict[int, int]] = {}
    for _ in range(rng.randrange(5)):
        facts = rng.choice(catalog.layout).facts
        event = rng.choice(("exposed", "exposed", "exposed", "clicked", "dismissed"))
        key = event, facts.offer_id, facts.campaign_id, facts.collection, "app.home.hero", "", "phone"
        counters.setdefault(key, {})[bucket_of(look.now - rng.randrange(20) * HOUR_MS)] = rng.randint(1, 4)
    return counters


def _value(value: object) -> Value:
    assert isinstance(value, bool | int | float | str | list)
    return tuple(value) if isinstance(value, list) else value
