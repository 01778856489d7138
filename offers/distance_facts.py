"""How far it is from the customer to what an offer is about: facts that features.yaml may list, and only then."""

from dataclasses import dataclass

from streams.declared_features import ORIGIN_DISTANCE, VENUE_DISTANCE, DeclaredFeatures
from streams.ids import Millis
from streams.places import Places, Venue
from streams.record import FactDict
from streams.whereabouts import Whereabouts


@dataclass(frozen=True, slots=True)
class Distances:
    """From the centre of the cell that the customer is in, in metres, as exact as that is (streams.whereabouts)."""

    places: Places
    whereabouts: Whereabouts
    declared: DeclaredFeatures

    def of_origin(self, facts: FactDict, now: Millis) -> FactDict:
        """Of a sailing with these facts: how far the port is that it leaves from."""
        origin = facts.get("sailing.origin")
        return {} if origin is None else self._to(ORIGIN_DISTANCE, f"port:{origin[0]}", now)

    def of_venue(self, venue: Venue, now: Millis) -> FactDict:
        """Of a venue; none on board, which moves."""
        return {} if venue.position is None else self._to(VENUE_DISTANCE, f"venue:{venue.id}", now)

    def _to(self, name: str, place: str, now: Millis) -> FactDict:
        cell = self.whereabouts.cell
        if cell is None or self.declared.asked_for(name) is None:
            return {}
        return {name: (self.places.distance_m(cell, place), now)}
