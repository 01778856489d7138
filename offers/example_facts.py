"""Example facts of an offer that nobody has data for yet: plausible values of the declared types, told to be examples.

What the campaign's own conditions say comes first: an offer for the line from Livorno to Olbia leaves from Livorno.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from offers.condition import All, Condition, Leaf, Op
from offers.money import digits
from offers.offer import Offer
from offers.template import Hole
from streams.attributes import Attribute, AttributeSet, Kind, Value
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, millis, moment
from streams.places import Places
from streams.record import FactDict

DEPARTS = (21, 30)
"""Local time of an example departure."""
TAKES_MS = 9 * HOUR_MS
COSTS = 79
"""In major units of the currency."""
COUNT, RATING, WAY_M = 12, 4.5, 12_000.0
DISTANCE = "context.nearest_port_distance"
ENDS = ("sailing.origin", "sailing.destination")
NAMES: Mapping[str, str] = {"booking.id": "b-771", "sailing.id": "s-tonight"}


@dataclass(frozen=True, slots=True)
class Example:
    """Makes example facts for one offer at one instant."""

    offer: Offer
    attributes: AttributeSet
    places: Places
    now: Millis

    def facts(self, holes: Collection[Hole], known: Collection[str] = ()) -> FactDict:
        """A value for each fact that the words, the price or the end of the offer need and that is not `known`."""
        ports = {hole.name for hole in holes if hole.filter == "port"}
        wanted = {_fact_of(hole.name) for hole in holes} | {*self._needed()}
        if any(name.startswith("sailing.") for name in wanted):
            wanted |= {*ENDS}
        found = {name: self._value(name, name in ports) for name in sorted(wanted - {*known})}
        return {name: (value, self.now) for name, value in found.items() if value is not None}

    def _needed(self) -> list[str]:
        price, ends = self.offer.price, self.offer.schedule.ends_relative
        return [name for name in (price and price.source, ends and ends.attribute) if name]

    def _value(self, name: str, port: bool) -> Value | None:
        pinned = _pinned(name, self.offer)
        if pinned is not None:
            return pinned
        if name in ENDS or port:
            return self._port(name)
        if name == "venue.id":
            about = self.offer.about
            return about.venue if about is not None and about.venue else min(self.places.venues, default=None)
        attribute = self.attributes.of_fact(name)
        return NAMES.get(name) or (None if attribute is None else self._typed(name, attribute))

    def _typed(self, name: str, attribute: Attribute) -> Value:
        if attribute.kind is Kind.DATETIME:
            departs = self._departs()
            return {"sailing.departure": departs, "sailing.arrival": departs + TAKES_MS}.get(name, departs + DAY_MS)
        if attribute.kind in (Kind.ENUM, Kind.SET) and attribute.levels:
            return attribute.levels[0]
        values: dict[Kind, Value] = {
            Kind.MONEY: COSTS * 10 ** digits(attribute.unit or "EUR"),
            Kind.INTEGER: COUNT,
            Kind.NUMBER: RATING,
            Kind.DISTANCE: WAY_M,
            Kind.DURATION: HOUR_MS,
        }
        return values.get(attribute.kind, attribute.name.replace("_", " "))

    def _port(self, name: str) -> str | None:
        """An end of the line that the campaign is about, else of the first line there is."""
        about = self.offer.about
        line = _pinned("sailing.line", self.offer) or (about.line if about is not None else None)
        sails = self.places.lines.get(str(line or min(self.places.lines, default="")))
        if sails is None:
            return min(self.places.ports, default=None)
        return sails.destination if name == "sailing.destination" else sails.origin

    def _departs(self) -> Millis:
        """The next half past nine in the evening at the port of origin."""
        port = self.places.ports.get(str(_pinned("sailing.origin", self.offer) or self._port("sailing.origin")))
        local = moment(self.now).astimezone(ZoneInfo(self.offer.schedule.zone if port is None else port.zone))
        tonight = datetime(local.year, local.month, local.day, *DEPARTS, tzinfo=local.tzinfo)
        return millis(tonight if tonight > local else tonight + timedelta(days=1))


def _fact_of(name: str) -> str:
    return {"distance": DISTANCE, "venue.name": "venue.id"}.get(name, name)


def _pinned(name: str, offer: Offer) -> Value | None:
    """A value that the campaign's conditions ask for, without alternatives."""
    layers = All((offer.eligibility, offer.applicability, offer.suitability))
    for leaf in _demands(layers):
        if leaf.attribute == name and leaf.op is Op.IN and leaf.operand:
            return leaf.operand[0]
    return None


def _demands(condition: Condition) -> list[Leaf]:
    """The leaves that must hold, whatever else does."""
    if isinstance(condition, Leaf):
        return [] if condition.negated or condition.on_missing else [condition]
    return [leaf for child in condition.children for leaf in _demands(child)] if isinstance(condition, All) else []
