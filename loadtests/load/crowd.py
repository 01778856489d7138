"""The customers of a load run: people of the world, with the trips they have now, where they are and what they ask.

The same (seed, number, instant) gives the same crowd in every process, so only these three are passed on.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from loadtests.load.traffic import eagerness
from loadtests.world import ASKED, PLACES, TRIP_CARD
from loadtests.world_clock import DAY_MS, HOUR_MS
from loadtests.world_geography import Geography, LatLon, between, load
from loadtests.world_lives import AT_HOME, AT_PORT, ON_BOARD, Booking, Session, Span, trip
from loadtests.world_market import SailingMarket, Told
from loadtests.world_people import Person, population
from loadtests.world_teller import Teller

PREFIX = "load."
"""Of every customer's id. The dot is in no base64url text, so an id found in an answer is never part of a token."""
BEFORE_MS, AHEAD_MS = 21 * DAY_MS, 10 * DAY_MS
"""Trips booked within these times around now."""
AT_PORT_MS = 4 * HOUR_MS
SOON_MS = 2 * DAY_MS
TRAVELLING = 6.0
"""Somebody whose ship leaves within two days, or who is aboard, asks so many times as often."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Somebody with a phone."""

    person: Person
    bookings: tuple[Booking, ...]
    """The open ones, the next departure first."""
    device: str
    eagerness: float

    def session(self, now: int) -> Session:
        """Where they are when they look at the app at this instant, and the trip on the screen."""
        where, position = AT_HOME, self.person.at_home
        if not self.bookings:
            return Session(now, self.person.id, where, position, self.device)
        where, position = _whereabouts(self.bookings[0], now, self.person.at_home)
        return Session(now, self.person.id, where, position, self.device, self.bookings[0].id)


@dataclass(frozen=True, slots=True)
class Crowd:
    """Everybody, and what is on sale."""

    seed: int
    now: int
    geography: Geography
    customers: tuple[Customer, ...]

    @property
    def weights(self) -> list[float]:
        """How often each of them comes."""
        return [customer.eagerness for customer in self.customers]

    def introductions(self, run: str) -> Iterator[Told]:
        """Events that tell a service of all of them, their bookings, and every sailing on sale. `run` names this run,

        whose events must not be taken for those of another one.
        """
        teller = Teller()
        for customer in self.customers:
            yield from _named(run, teller.hello(customer.person, self.now))
            for booking in customer.bookings:
                yield from _named(run, [teller.booking(booking, "open", self.now)])
            yield from _named(run, [teller.trips(customer.person.id, len(customer.bookings), self.now)])
        yield from _named(run, SailingMarket(self.seed, self.geography).news(self.now, whole=True))


def crowd(seed: int, number: int, now: int, places: Path = PLACES) -> Crowd:
    """So many customers as they are at this instant."""
    geography = load(places)
    people = [_renamed(person) for person in population(seed, number, geography).values()]
    ranks = Random(f"{seed}:ranks").sample(range(number), number)
    span = Span(now - BEFORE_MS, now + AHEAD_MS)
    customers = [
        _customer(seed, person, trip(seed, person, geography, span), eagerness(rank), now)
        for person, rank in zip(people, ranks, strict=True)
    ]
    return Crowd(seed, now, geography, tuple(customers))


def context(customer: Customer, session: Session) -> dict[str, Any]:
    """The `context` of a decision request."""
    person = customer.person
    said: dict[str, Any] = {
        "device": {"class": session.device},
        "app": {"platform": "ios" if len(person.friends) % 2 else "android", "version": "7.4.0"},
        "location": fix(person, session),
    }
    if session.booking is not None:
        said["trip"] = {"booking_id": session.booking}
    return said


def fix(person: Person, session: Session) -> dict[str, Any]:
    """The location as the phone gives it; without a time, so of the moment it is sent."""
    status = person.location_status if "location" in person.consents else "denied"
    if status not in ("precise", "approximate"):
        return {"status": status}
    lat, lon = session.position
    accuracy_m = 20 if status == "precise" else 3_000
    return {"status": status, "lat": round(lat, 5), "lon": round(lon, 5), "accuracy_m": accuracy_m}


def placements(session: Session) -> list[dict[str, Any]]:
    """What the app has room for on that device, the card beside the trip if one is on the screen."""
    asked: Sequence[tuple[str, int]] = ASKED[session.device]
    if session.booking is not None:
        asked = (asked[0], TRIP_CARD, *asked[1:])
    return [{"placement": name, "limit": limit} for name, limit in asked]


def _renamed(person: Person) -> Person:
    friends = tuple(f"{PREFIX}{friend}" for friend in person.friends)
    return replace(person, id=f"{PREFIX}{person.id}", friends=friends)


def _customer(seed: int, person: Person, trips: Sequence[Booking], eager: float, now: int) -> Customer:
    booked = (booking for booking in trips if booking.booked_at <= now < booking.sailing.arrival)
    bookings = tuple(sorted(booked, key=lambda booking: (booking.sailing.departure, booking.id)))
    device = Random(f"{seed}:device:{person.id}").choice(person.devices)
    travelling = bookings and bookings[0].sailing.departure - now <= SOON_MS
    return Customer(person, bookings, device, eager * (TRAVELLING if travelling else 1.0))


def _whereabouts(booking: Booking, now: int, home: LatLon) -> tuple[str, LatLon]:
    sailing = booking.sailing
    port, there = sailing.line.origin.at, sailing.line.destination.at
    if now >= sailing.departure:
        gone = (now - sailing.departure) / (sailing.arrival - sailing.departure)
        return ON_BOARD, between(port, there, gone)
    return (AT_PORT, port) if sailing.departure - now <= AT_PORT_MS else (AT_HOME, home)


def _named(run: str, events: Iterable[Told]) -> Iterator[Told]:
    for event in events:
        yield {**event, "id": f"{run}-{event['id']}"}
