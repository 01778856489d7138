"""Makers of markets, folded from what was said as the consumer does it."""

from streams import market
from streams.attributes import Value
from streams.events import Capacity, Event, EventData, Fare, Schedule, SeasonOverride, VenueCapacity
from streams.ids import Millis
from streams.instant import HOUR_MS, format_instant
from streams.market import EMPTY, Market
from streams.profile import BookingFact
from tests.catalogs import NOW

OUTWARD, BACK, CORSICA = "ITLIV-ITOLB", "ITOLB-ITLIV", "ITLIV-FRBIA"
TYPES: dict[type, str] = {
    Schedule: "sailing.schedule",
    Fare: "sailing.fare",
    Capacity: "sailing.capacity",
    VenueCapacity: "venue.capacity",
    SeasonOverride: "season.override",
}
Said = tuple[str, EventData] | tuple[str, EventData, Millis]
"""(sailing, venue or season; what was said of it; when, else now)"""


def told(*said: Said, base: Market = EMPTY) -> Market:
    """The market after this was said, one record after the other."""
    records = [(base.version + 1 + number, NOW, _event(*each)) for number, each in enumerate(said)]
    return market.fold(base, records, "log-1")


def _event(subject: str, data: EventData, at: Millis = NOW - HOUR_MS) -> Event:
    return Event("e-1", "booking", TYPES[type(data)], subject, at, data)


def sails(in_h: float, line: str = OUTWARD, status: str = "scheduled", takes_h: float = 9) -> Schedule:
    """Departs so many hours from NOW."""
    departure = NOW + int(in_h * HOUR_MS)
    return Schedule(line, format_instant(departure), format_instant(departure + int(takes_h * HOUR_MS)), status)


def booking(sailing: str, line: str = OUTWARD, status: str = "open", seat: str | None = None) -> BookingFact:
    """One booking; `seat` is its accommodation."""
    values: dict[int, Value] = {} if seat is None else {40: seat}
    return BookingFact(sailing, line, status, values, NOW - HOUR_MS, 0)
