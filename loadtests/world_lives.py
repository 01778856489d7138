"""What people do: trips booked and made, and the moments at which they look at the app."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from random import Random

from loadtests.world_clock import DAY_MS, HOUR_MS, MINUTE_MS, draw, local
from loadtests.world_geography import Geography, LatLon, between
from loadtests.world_market import Sailing, sailings_on
from loadtests.world_people import Person

AT_HOME, AT_PORT, ON_BOARD, ASHORE = "at_home", "at_port", "on_board", "ashore"
TRAVELLERS = 0.5
"""Share of the people who make a return trip in the world's three weeks."""
AFTER_MS = 12 * HOUR_MS
"""So long after arrival a booking is completed."""
BERTHS: Mapping[str, str] = {
    "cabin-upgrade-inside": "cabin_inside",
    "night-cabin": "cabin_inside",
    "pet-cabin": "cabin_inside",
    "sea-view-cabin": "cabin_outside",
    "family-cabin": "cabin_outside",
    "panorama-suite": "suite",
}
"""What an offer makes of a booking's accommodation."""


@dataclass(frozen=True, slots=True)
class Booking:
    """A booking as it stands."""

    id: str
    person: str
    sailing: Sailing
    booked_at: int
    accommodation: str
    vehicle: str
    party: int
    children: int
    pets: int

    @property
    def over_at(self) -> int:
        """When it is completed."""
        return self.sailing.arrival + AFTER_MS

    def upgraded(self, offer: str) -> "Booking":
        """The booking after an offer about it was paid for; the same if the offer changes nothing in it."""
        if offer in BERTHS:
            return replace(self, accommodation=BERTHS[offer])
        return replace(self, vehicle="car") if offer == "add-your-car" else self


@dataclass(frozen=True, slots=True)
class Session:
    """Someone opens the app."""

    at: int
    person: str
    where: str
    position: LatLon
    device: str
    booking: str | None = None
    """The booking whose trip is on the screen."""


@dataclass(frozen=True, slots=True)
class Span:
    """The world's time."""

    start: int
    end: int

    def holds(self, at: int) -> bool:
        return self.start <= at < self.end


def trip(seed: int, person: Person, geography: Geography, span: Span) -> list[Booking]:
    """Out and back again, or nothing. Departures reach a week beyond the span; bookings are made within it."""
    rng = Random(f"{seed}:trip:{person.id}")
    lines = geography.lines_from(person.home)
    if rng.random() >= TRAVELLERS or not lines:
        return []
    line = rng.choice(lines)
    first = local(span.start + DAY_MS, line.origin.zone).date()
    wanted = first + timedelta(days=rng.randrange((span.end - span.start) // DAY_MS + 5))
    stay = rng.choice((1, 2, 2, 3, 4, 5, 7))
    out = _first_sailing(geography, line.id, wanted.toordinal())
    if out is None:
        return []
    back = _first_sailing(geography, geography.back(line).id, wanted.toordinal() + stay)
    lead = int(rng.expovariate(1 / (4 * DAY_MS)))
    booked_at = max(span.start + HOUR_MS, out.departure - 4 * HOUR_MS - lead)
    party = _party(rng, person)
    ways = [way for way in (out, back) if way is not None]
    bookings = [
        Booking(f"b-{person.id}-{number}", person.id, way, booked_at, _berth(rng, person, way), *party)
        for number, way in enumerate(ways)
    ]
    return bookings if booked_at < span.end else []


def visits_at_home(seed: int, person: Person, span: Span) -> Iterator[Session]:
    """Looking at the app for no particular reason: about twice in three weeks, in waking hours."""
    rng = Random(f"{seed}:visits:{person.id}")
    days = (span.end - span.start) // DAY_MS
    for day in range(days):
        if rng.random() < 0.1:
            at = span.start + day * DAY_MS + int(rng.triangular(6, 23, 19) * HOUR_MS)
            yield Session(at, person.id, AT_HOME, person.at_home, _device(rng, person, 0.5))


def visits_of(seed: int, person: Person, booking: Booking) -> Iterator[Session]:
    """Looking at the app because of a trip: after booking, on the days before, at the port, at sea, ashore."""
    rng = Random(f"{seed}:visits:{booking.id}")
    sailing = booking.sailing
    port, there = sailing.line.origin.at, sailing.line.destination.at
    moments = [
        (booking.booked_at + 20 * MINUTE_MS, AT_HOME, person.at_home, 0.9),
        (sailing.departure - int(rng.uniform(20, 44) * HOUR_MS), AT_HOME, person.at_home, 0.8),
        (sailing.departure - int(rng.uniform(95, 240) * MINUTE_MS), AT_PORT, _around(rng, port, 0.02), 0.95),
        (sailing.arrival + int(rng.uniform(10, 90) * MINUTE_MS), ASHORE, _around(rng, there, 0.015), 0.8),
        (sailing.arrival + int(rng.uniform(3, 11) * HOUR_MS), ASHORE, _around(rng, there, 0.05), 0.6),
    ]
    for _ in range(2):
        share = rng.uniform(0.05, 0.9)
        at = sailing.departure + int((sailing.arrival - sailing.departure) * share)
        moments.append((at, ON_BOARD, between(port, there, share), 0.75))
    for at, where, position, likely in moments:
        if rng.random() < likely and at >= booking.booked_at:
            yield Session(at, person.id, where, position, _device(rng, person, 0.3), booking.id)


def sessions_of(seed: int, person: Person, bookings: Sequence[Booking], span: Span) -> list[Session]:
    """All of a person's sessions in the span."""
    every = [*visits_at_home(seed, person, span)]
    for booking in bookings:
        every += visits_of(seed, person, booking)
    return sorted((session for session in every if span.holds(session.at)), key=lambda session: session.at)


def sailing_booking(seed: int, person: Person, sailing: Sailing, now: int) -> Booking:
    """What someone books who took up a fare in the app: for themselves, on deck, on the spot."""
    number = int(1e6 * draw(seed, person.id, sailing.id, now))
    return Booking(f"b-{person.id}-x{number}", person.id, sailing, now, "deck", "none", 1, 0, 0)


def _first_sailing(geography: Geography, line_id: str, ordinal: int) -> Sailing | None:
    """The first sailing of a line within a week from a day."""
    line = geography.lines[line_id]
    for ahead in range(7):
        found = sailings_on(line, date.fromordinal(ordinal + ahead))
        if found:
            return found[0]
    return None


def _party(rng: Random, person: Person) -> tuple[str, int, int, int]:
    """(vehicle, party, children, pets)."""
    children = person.children if rng.random() < 0.7 else 0
    vehicle = person.vehicle if rng.random() < 0.55 else "none"
    return vehicle, 1 + (rng.random() < 0.6) + children, children, int(person.pet and rng.random() < 0.6)


def _berth(rng: Random, person: Person, sailing: Sailing) -> str:
    if not sailing.overnight:
        return "deck"
    likes = person.tastes["cabin"] + rng.gauss(0, 0.8)
    return "cabin_outside" if likes > 1.6 else "cabin_inside" if likes > 0.7 else "seat" if likes > -0.5 else "deck"


def _device(rng: Random, person: Person, share: float) -> str:
    return "tablet" if "tablet" in person.devices and rng.random() < share else "phone"


def _around(rng: Random, centre: LatLon, spread: float) -> LatLon:
    return centre[0] + rng.gauss(0, spread), centre[1] + rng.gauss(0, spread)
