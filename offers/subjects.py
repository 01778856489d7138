"""bind(): the subjects a decision is about - bookings, sailings, venues - with their facts (idea 2)."""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from offers.catalog import FOREVER, Catalog
from offers.distance_facts import Distances
from offers.layout_facts import FRIENDS_BOOKED
from offers.market_names import MarketNames, against_recent
from offers.market_view import departs_on
from offers.offer import Selector
from offers.prior_price import prior_facts
from streams.attributes import PHASES
from streams.ids import Millis
from streams.instant import HOUR_MS, MINUTE_MS
from streams.market import Market, Sailing, departures
from streams.places import Places, Whereabouts
from streams.profile import BookingFact, MaskedProfile
from streams.record import FactDict, Subject

MAX_SUBJECTS = 8
CANCELLED = "cancelled"
NEAR_PORT_M = 50_000.0
"""`from_here`: sailings from ports at most this far from the whereabouts."""
NEAR_VENUE_M = 15_000.0
CHECK_IN_MS = 3 * HOUR_MS
BOARDING_MS = 90 * MINUTE_MS
ARRIVED_MS = 12 * HOUR_MS
"""For so long after arrival a booking is still worth a subject (onward offers); then it is history."""
SALES_HORIZON_MS = 30 * 24 * HOUR_MS
FRIENDS_WINDOW_MS = 30 * 24 * HOUR_MS


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What binding reads besides the catalog."""

    profile: MaskedProfile
    whereabouts: Whereabouts
    market: Market
    now: Millis
    trip: str | None = None


@dataclass(frozen=True, slots=True)
class Bound:
    """The subjects of a decision, and what of the market they came from."""

    subjects: dict[str, tuple[Subject, ...]]
    """Selector key -> at most 8 subjects, in a total order."""
    consulted: tuple[str, ...]
    """Sailing ids, `line:<id>` and `venue:<id>` whose change outdates the subjects; sorted. Lines without a

    sailing are here too: one may be added. So are the sailings of bookings that are no subject: they may become one.
    """
    changes_at: Millis = 0
    """When time alone next brings or takes a subject; 0: never. What changes in one is its own `changes_at`."""


def bind(catalog: Catalog, keys: Iterable[str], around: Surroundings) -> Bound:
    """The subjects of the selectors asked for."""
    binder = _Binder(catalog, around)
    subjects = {key: binder.subjects(catalog.selectors[key])[:MAX_SUBJECTS] for key in keys}
    names = {name for found in subjects.values() for subject in found for name in subject.consulted}
    return Bound(subjects, tuple(sorted(names | binder.consulted)), min(binder.changes, default=0))


class _Binder:
    """Binds the selectors of one decision; sailings met twice are made once."""

    def __init__(self, catalog: Catalog, around: Surroundings) -> None:
        self.attributes = catalog.attributes
        self.places = catalog.places
        self.around = around
        self.names = catalog.market_names
        self.prior_prices = catalog.prior_prices
        self.distances = Distances(catalog.places, around.whereabouts, catalog.attributes.features)
        self.consulted: set[str] = set()
        self.changes: set[Millis] = set()
        self._sailings: dict[str, FactDict] = {}

    def subjects(self, selector: Selector) -> tuple[Subject, ...]:
        if selector.kind == "booking":
            return tuple(self._booking(key, booking) for key, booking in self._open_bookings())
        if selector.kind == "sailing":
            return tuple(self._sailing(sailing) for sailing in self._chosen_sailings(selector))
        return tuple(self._venue(venue) for venue in self._chosen_venues(selector))

    def _open_bookings(self) -> list[tuple[str, BookingFact]]:
        """Open bookings not long past, the app's trip first, then by departure; those without a timetable last."""
        around = self.around
        found = []
        for key, booking in around.profile.bookings.items():
            if booking.status != "open":
                continue
            self.consulted.add(booking.sailing_id)
            sailing = around.market.sailings.get(booking.sailing_id)
            over = sailing.arrival + ARRIVED_MS if sailing is not None and sailing.arrival else FOREVER
            if around.now < over:
                self._changing(over)
                departure = sailing.departure if sailing is not None and sailing.departure else FOREVER
                found.append((key != around.trip, departure, key, booking))
        return [(key, booking) for _, _, key, booking in sorted(found, key=lambda entry: entry[:3])]

    def _changing(self, at: Millis) -> None:
        """Note an instant at which the subjects change."""
        if self.around.now < at < FOREVER:
            self.changes.add(at)

    def _booking(self, key: str, booking: BookingFact) -> Subject:
        sailing = self.around.market.sailings.get(booking.sailing_id) or Sailing(booking.sailing_id)
        if not sailing.line:  # fares or rooms came before the timetable: the booking knows its line
            sailing = msgspec.structs.replace(sailing, line=booking.line)
        facts: FactDict = {"booking.id": (key, booking.at), "booking.status": (booking.status, booking.at)}
        for number, value in booking.values.items():
            attribute = self.attributes.by_number.get(number)
            if attribute is not None:
                facts[attribute.qualified] = (value, booking.at)
        facts.update(self._sailing_facts(sailing))
        changes = 0
        if sailing.departure and sailing.status != CANCELLED:
            phase, changes = phase_of(sailing, self.around.now)
            facts["booking.phase"] = (phase, self.around.now)
        about = {"booking_id": key, "sailing_id": booking.sailing_id}
        return Subject(f"booking:{key}", facts, about, (booking.sailing_id,), changes)

    def _chosen_sailings(self, selector: Selector) -> list[Sailing]:
        around = self.around
        if selector.mode == "next":
            booked = [around.market.sailings.get(booking.sailing_id) for _, booking in self._open_bookings()]
            ahead = [sailing for sailing in booked if sailing is not None and sailing.departure > around.now]
            return sorted(ahead, key=_departure)[:1]
        within_ms = selector.within_ms or SALES_HORIZON_MS
        found, later = [], []
        for line in self._lines(selector):
            self.consulted.add(f"line:{line}")
            found += self._departing(line, (around.now + 1, around.now + within_ms), MAX_SUBJECTS)
            later += self._departing(line, (around.now + within_ms, FOREVER), 1)
        if len(found) < MAX_SUBJECTS:
            for sailing in later:
                self._changing(sailing.departure - within_ms + 1)
        return sorted(found, key=_departure)[:MAX_SUBJECTS]

    def _departing(self, line: str, span: tuple[Millis, Millis], limit: int) -> list[Sailing]:
        market = self.around.market
        return [market.sailings[found] for found in departures(market, line, span[0], span[1], limit)]

    def _lines(self, selector: Selector) -> list[str]:
        if selector.mode == "line":
            return [selector.line] if selector.line else []
        if selector.mode == "any":
            return sorted(self.places.lines)
        nearest = self.places.nearest_port(self.around.whereabouts)
        if nearest is None or nearest[1] > NEAR_PORT_M:
            return []
        return sorted(line.id for line in self.places.lines.values() if line.origin == nearest[0])

    def _sailing(self, sailing: Sailing) -> Subject:
        about = {"sailing_id": sailing.id}
        consulted = (sailing.id, f"line:{sailing.line}")
        return Subject(f"sailing:{sailing.id}", self._sailing_facts(sailing), about, consulted, sailing.departure)

    def _sailing_facts(self, sailing: Sailing) -> FactDict:
        facts = self._sailings.get(sailing.id)
        if facts is None:
            facts = sailing_facts(sailing, self.names, self.places, self.around.now)
            friends = friends_booked(self.around.profile, sailing.id, self.around.now)
            if friends is not None:
                facts[FRIENDS_BOOKED] = (friends, self.around.now)
            facts.update(self.distances.of_origin(facts, self.around.now))
            if self.names.recent:
                facts.update(against_recent(facts, sailing, self.names, self.around.now))
            if self.prior_prices:
                facts.update(prior_facts(self.prior_prices, sailing, self.names, self.around.now))
            self._sailings[sailing.id] = facts
        return facts

    def _chosen_venues(self, selector: Selector) -> list[str]:
        venues = self.places.venues
        if selector.mode == "id":
            return [selector.venue] if selector.venue is not None and selector.venue in venues else []
        if selector.mode == "on_board":
            lines = self._lines_aboard()
            aboard = [v for v in venues.values() if v.on_board and (v.line in lines if v.line else lines)]
            return sorted(venue.id for venue in aboard)
        cell = self.around.whereabouts.cell
        if cell is None:
            return []
        near = [(self.places.distance_m(cell, f"venue:{v.id}"), v.id) for v in venues.values() if v.position]
        return [venue for distance, venue in sorted(near) if distance <= NEAR_VENUE_M]

    def _lines_aboard(self) -> set[str]:
        """The lines that the customer is on right now, each with its way back: a ship sails both. Empty: ashore."""
        found: set[str] = set()
        for booking in self.subjects(BOOKINGS):
            self._changing(booking.changes_at)
            if booking.facts.get("booking.phase", ("",))[0] == "on_board":
                line = str(booking.facts.get("sailing.line", ("",))[0])
                known = self.places.lines.get(line)
                found |= {line, known.back().id if known is not None else line}
        return found

    def _venue(self, key: str) -> Subject:
        venue, now = self.places.venues[key], self.around.now
        facts: FactDict = {"venue.id": (key, now), "venue.kind": (venue.kind, now)}
        facts["venue.on_board"] = (venue.on_board, now)
        state = self.around.market.venues.get(key)
        if state is not None:
            facts["venue.free"] = (state.free, state.as_of)
        facts.update(self.distances.of_venue(venue, now))
        return Subject(f"venue:{key}", facts, {"venue_id": key}, (f"venue:{key}",))


BOOKINGS = Selector("booking")


def _departure(sailing: Sailing) -> tuple[Millis, str]:
    return sailing.departure, sailing.id


def sailing_facts(sailing: Sailing, names: MarketNames, places: Places, now: Millis) -> FactDict:
    """sailing.* and market.* facts of one sailing; what the market has not said is absent.

    So is a fare in another currency than its attribute is declared in: nobody may take it for that.
    """
    facts = _timetable(sailing, places, now)
    for product, (minor, currency, as_of) in sailing.fares.items():
        for name, unit in names.fares.get(product, ()):
            if unit is None or unit == currency:
                facts[name] = (minor, as_of)
    for kind, (free, as_of) in sailing.free.items():
        for name, _ in names.rooms.get(kind, ()):
            facts[name] = (free, as_of)
    return facts


def _timetable(sailing: Sailing, places: Places, now: Millis) -> FactDict:
    at = sailing.as_of
    facts: FactDict = {"sailing.id": (sailing.id, at)}
    if sailing.line:
        facts["sailing.line"] = (sailing.line, at)
    line = places.lines.get(sailing.line)
    if line is not None:
        facts["sailing.origin"] = (line.origin, at)
        facts["sailing.destination"] = (line.destination, at)
    if sailing.departure:
        facts["sailing.departure"] = (sailing.departure, at)
        facts["sailing.arrival"] = (sailing.arrival, at)
        facts["sailing.departs_in"] = (sailing.departure - now, now)
        facts["sailing.departs_on"] = (departs_on(sailing, places), at)
        facts["sailing.status"] = (sailing.status, at)
    return facts


def phase_of(sailing: Sailing, now: Millis) -> tuple[str, Millis]:
    """(phase of the trip at `now`, when it changes next; 0: never)."""
    starts = (
        sailing.departure - CHECK_IN_MS,
        sailing.departure - BOARDING_MS,
        sailing.departure,
        max(sailing.arrival, sailing.departure),
    )
    passed = sum(now >= start for start in starts)
    return PHASES[passed], starts[passed] if passed < len(starts) else 0


def friends_booked(profile: MaskedProfile, sailing_id: str, now: Millis) -> int | None:
    """How many friends booked this sailing within 30 days; None: the customer does not share friends."""
    if "social" not in profile.purposes:
        return None
    first = (now - FRIENDS_WINDOW_MS) // (15 * MINUTE_MS)
    return sum(
        number
        for key, buckets in profile.counters.items()
        if key[0] == "friend_booked" and key[5] == sailing_id
        for bucket, number in buckets.items()
        if bucket >= first
    )
