"""Customers in a store, for commands that look at what is stored: gold members on tonight's crossing, and others."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from offers.revision_changes import load
from streams.attributes import Value
from streams.events import Capacity, Event, EventData, Fare, Schedule
from streams.ids import CustomerId, Millis
from streams.instant import HOUR_MS, MINUTE_MS, format_instant, parse_instant
from streams.market import EMPTY, Market, fold
from streams.market_store import MarketStore
from streams.places import Fix, Whereabouts
from streams.profile import BookingFact, Cell, CounterKey, Profile, ProfileFacts, bucket_of
from streams.profile_form import encode
from streams.profile_store import presence_bytes
from streams.valkey import Client, Keys
from tests.golden_case import DEPLOYMENT

NOW = parse_instant("2026-11-21T17:00:00Z")
"""18:00 in Rome, three and a half hours before departure."""
SAILING = "s-tonight"
PORT = (43.5558, 10.3019)
CATALOG = load(str(DEPLOYMENT), Path()).catalog
EXPOSED: CounterKey = (
    "exposed", "cabin-upgrade-inside", "cabin-upgrade-livorno-olbia", "cabins", "app.home.hero", "booking:b-1", "phone",
)  # fmt: skip


@dataclass(frozen=True)
class Somebody:
    """What is stored of a customer."""

    facts: dict[str, Value] = field(default_factory=dict)
    purposes: Sequence[str] = ("personalised_offers", "location")
    accommodation: str | None = None
    """Of their booking on tonight's sailing; None: no booking."""
    seen_ago_ms: Millis | None = None
    """How long ago they were at the port; None: nothing is known."""
    exposed: int = 0

    def profile(self, now: Millis = NOW) -> Profile:
        """As stored."""
        known = CATALOG.attributes.by_name
        heard = now - HOUR_MS
        cells = {known[f"customer.{name}"].number: Cell(value, heard, 0) for name, value in self.facts.items()}
        consent = {f"purpose:{name}": Cell(True, heard, 0) for name in self.purposes} | {
            "channel:app": Cell(True, heard, 0)
        }
        bookings = {}
        if self.accommodation is not None:
            values: dict[int, Value] = {known["booking.accommodation"].number: self.accommodation}
            bookings["b-1"] = BookingFact(SAILING, "ITLIV-ITOLB", "open", values, heard, 0)
        counters = {EXPOSED: {bucket_of(now - HOUR_MS): self.exposed}} if self.exposed else {}
        return Profile(ProfileFacts(cells, consent, bookings, counters=counters))


def presence(ago_ms: Millis, now: Millis = NOW) -> Whereabouts:
    """At the port, so long ago."""
    return CATALOG.places.resolve(Fix(*PORT, 20.0, now - ago_ms), "precise")


def market(now: Millis = NOW) -> Market:
    """Tonight's sailing, three and a half hours from now, with 37 inside cabins at 70 EUR."""
    departure = parse_instant("2026-11-21T20:30:00Z") - NOW + now
    times = Schedule("ITLIV-ITOLB", format_instant(departure), format_instant(departure + 9 * HOUR_MS))
    said: list[tuple[str, EventData]] = [
        ("sailing.schedule", times),
        ("sailing.fare", Fare("cabin_inside", 7_000)),
        ("sailing.capacity", Capacity("inside", 37)),
    ]
    heard = now - 5 * MINUTE_MS
    events = [
        (offset, now, Event("e", "tests", kind, SAILING, heard, data)) for offset, (kind, data) in enumerate(said)
    ]
    return fold(EMPTY, events, "log-1")


def store(client: Client, keys: Keys, people: Iterable[tuple[str, Somebody]]) -> None:
    """Put them there, with tonight's market."""
    pipeline = client.pipeline(transaction=False)
    for name, somebody in people:
        customer = CustomerId(name)
        pipeline.set(keys.profile(customer), encode(somebody.profile()))
        if somebody.seen_ago_ms is not None:
            pipeline.set(keys.presence(customer), presence_bytes(presence(somebody.seen_ago_ms)))
    pipeline.execute()
    MarketStore(client, keys).save(market())
