"""Places: ports, lines, fences and venues joined, and the only door from a raw fix to Whereabouts. Pure.

The names of its parts (Fix, Whereabouts, Port, Fence) are importable from here.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import TypeVar

from streams.distances import LatLon
from streams.errors import InvalidInput
from streams.fences import Fence, FenceIndex, clearance_m
from streams.gazetteer import Gazetteer, Port, slug
from streams.memo import Memo
from streams.whereabouts import (
    CELL_ERROR_M,
    LOCATED,
    MIN_WITHIN_M,
    NOWHERE,
    STATUSES,
    Fix,
    Whereabouts,
    cell_centre,
    cell_distance_m,
    cell_of,
    confidence_within,
    rung,
)

__all__ = [
    "MIN_WITHIN_M",
    "NOWHERE",
    "STATUSES",
    "Fence",
    "FenceWarning",
    "Fix",
    "Gazetteer",
    "Line",
    "Places",
    "Port",
    "Venue",
    "Whereabouts",
    "fence_warnings",
    "line_id",
]

MIN_SEEDED_M = 2_000
"""Gazetteers place one port 1 to 4 km apart: a fence drawn around one of their points must reach at least this far."""

_Thing = TypeVar("_Thing")


def line_id(origin: str, destination: str) -> str:
    """Two port ids in sailing order. Look a line up by it, never split it: `santa-teresa-gallura-FRBON`."""
    return f"{origin}-{destination}"


@dataclass(frozen=True, slots=True)
class Line:
    """A ferry line in one direction."""

    id: str
    origin: str
    """Port id."""
    destination: str
    """Port id."""
    distance_km: float
    """Along the great circle."""
    operator: str = ""

    def back(self) -> "Line":
        """The same line the other way."""
        there = line_id(self.destination, self.origin)
        return Line(there, self.destination, self.origin, self.distance_km, self.operator)


@dataclass(frozen=True, slots=True)
class Venue:
    """Somewhere an offer can be used: ashore with a position, or on board with none."""

    id: str
    name: str
    kind: str
    """restaurant, spa, shop, beach_club, museum, winery, ..."""
    port: str | None = None
    """The port it belongs to."""
    line: str | None = None
    """On board: the only line it sails on; None for every ship."""
    lat: float | None = None
    lon: float | None = None
    on_board: bool = False

    @property
    def position(self) -> LatLon | None:
        return None if self.lat is None or self.lon is None else (self.lat, self.lon)


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Every place of one deployment revision: immutable, compared by identity, safe to share between threads.

    Raises InvalidInput AMBIGUOUS_NAME if two ports share a spelling.
    """

    ports: Mapping[str, Port] = field(default_factory=dict)
    lines: Mapping[str, Line] = field(default_factory=dict)
    """Both directions of every line given, by id."""
    fences: Mapping[str, Fence] = field(default_factory=dict)
    venues: Mapping[str, Venue] = field(default_factory=dict)
    gazetteer: Gazetteer = field(init=False, repr=False)
    _index: FenceIndex = field(init=False, repr=False)
    _by_ref: Mapping[str, Port | Venue] = field(init=False, repr=False)
    _nearest: Memo[str, tuple[str, float]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        both_ways = {line.id: line for given in self.lines.values() for line in (given.back(), given)}
        derived = {
            "lines": dict(sorted(both_ways.items())),
            "gazetteer": Gazetteer(self.ports.values()),
            "_index": FenceIndex(self.fences),
            "_by_ref": dict(self._refs()),
            "_nearest": Memo(4_096),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)

    def resolve(self, fix: Fix | None, status: str) -> Whereabouts:
        """A raw fix -> Whereabouts: the cell and the fences it may be in. Fences are resolved from the raw fix.

        Any status but precise and approximate uses no fix at all. A fix coarser than 50 km keeps its time only.
        Raises InvalidInput LOCATION_INVALID for an unknown status.
        """
        if status not in STATUSES:
            raise InvalidInput("LOCATION_INVALID", f"location status {status!r} is none of {', '.join(STATUSES)}")
        if fix is None or status not in LOCATED:
            return Whereabouts(status)
        accuracy_m = rung(fix.accuracy_m)
        if accuracy_m is None:
            return Whereabouts(status, at=fix.at)
        fences = self._index.hits((fix.lat, fix.lon), fix.accuracy_m)
        return Whereabouts(status, cell_of(fix), accuracy_m, fences, fix.at)

    def within(self, whereabouts: Whereabouts, place: str, radius_m: float) -> int:
        """How sure it is that someone is within `radius_m` of a place: 3 surely, 2 probably, 1 possibly, 0 no.

        0 without a cell and for a venue on board. Geodesic from the centre of the cell, so no radius under
        MIN_WITHIN_M means much. Under a microsecond once the (cell, place) is known. Raises InvalidInput UNKNOWN_PLACE.
        """
        position = self.place(place).position
        if whereabouts.cell is None or position is None:
            return 0
        distance_m = cell_distance_m(whereabouts.cell, *position)
        return confidence_within(distance_m, CELL_ERROR_M + whereabouts.accuracy_m, radius_m)

    def distance_m(self, cell: str, place: str) -> float:
        """Geodesic metres from the centre of a cell to a place.

        Raises InvalidInput UNKNOWN_PLACE, or PLACE_MOVES for a venue on board.
        """
        position = self.place(place).position
        if position is None:
            raise InvalidInput("PLACE_MOVES", f"'{place}' is on board and has no position; name a port")
        return cell_distance_m(cell, *position)

    def nearest_port(self, whereabouts: Whereabouts) -> tuple[str, float] | None:
        """The port nearest to the centre of the cell and its distance in metres; None without a cell or ports."""
        if whereabouts.cell is None or not self.ports:
            return None
        cell = whereabouts.cell
        return self._nearest.get(cell, lambda: self._nearest_to(cell))

    def place(self, ref: str) -> Port | Venue:
        """`port:ITLIV`, `port:livorno`, `port:Leghorn`, `venue:<id>` -> the place.

        Raises InvalidInput UNKNOWN_PLACE with the nearest spellings.
        """
        found = self._by_ref.get(ref)
        if found is not None:
            return found
        kind, _, name = ref.partition(":")
        if kind == "venue":
            return _known("venue", name, self.venues)
        if kind != "port" or not name:
            raise InvalidInput(
                "UNKNOWN_PLACE", f"'{ref}' is no place; write 'port:ITLIV', 'port:livorno', 'venue:<id>'"
            )
        port = self.gazetteer.find(name)
        if port is None:
            raise _unknown("port", name, [f"'port:{port.id}' ({port.name})" for port in self.gazetteer.similar(name)])
        return port

    def fence(self, name: str) -> Fence:
        """The fence of that id. Raises InvalidInput UNKNOWN_PLACE with the nearest spellings."""
        return _known("fence", name, self.fences)

    def line(self, name: str) -> Line:
        """The line of that id. Raises InvalidInput UNKNOWN_PLACE with the nearest spellings."""
        return _known("line", name, self.lines)

    def _refs(self) -> Iterator[tuple[str, Port | Venue]]:
        yield from ((f"port:{port.id}", port) for port in self.ports.values())
        yield from ((f"port:{slug(port.name)}", port) for port in self.ports.values())
        yield from ((f"venue:{venue.id}", venue) for venue in self.venues.values())

    def _nearest_to(self, cell: str) -> tuple[str, float]:
        port, distance_m = self.gazetteer.nearest(cell_centre(cell))
        return port.id, distance_m


@dataclass(frozen=True, slots=True)
class FenceWarning:
    """A fence that is finer than the gazetteer it was drawn from. Not an error: someone may know better."""

    fence: str
    message: str
    code: str = "FENCE_FINER_THAN_GAZETTEER"


def fence_warnings(places: Places) -> list[FenceWarning]:
    """Fences whose edge is nearer to their seed port than 2 km or than the sources disagree on it, and fences around
    a port that nobody verified; by fence id. A fence without `seed` was drawn from a better source than a gazetteer.
    """
    seeded = ((fence, places.ports[fence.seed]) for _, fence in sorted(places.fences.items()) if fence.seed is not None)
    return [FenceWarning(fence.id, message) for fence, port in seeded if (message := _too_fine(fence, port))]


def _too_fine(fence: Fence, port: Port) -> str:
    reach_m = clearance_m(fence.area, port.position) if fence.radius_m is None else fence.radius_m
    needed_m = max(MIN_SEEDED_M, port.disagreement_km * 1_000)
    if reach_m < needed_m:
        return (
            f"the edge of '{fence.id}' is {reach_m / 1_000:.2f} km from the gazetteer's point for {port.name}, "
            f"whose sources disagree by {port.disagreement_km:.2f} km; draw it {needed_m / 1_000:.2f} km away or more, "
            "or draw it from a map and drop 'seed'"
        )
    if not port.verified:
        return (
            f"'{fence.id}' is drawn around {port.name}, whose position nobody verified; check it on a map, "
            "then set 'verified': true in ports.geojson"
        )
    return ""


def _known(kind: str, name: str, things: Mapping[str, _Thing]) -> _Thing:
    found = things.get(name)
    if found is None:
        raise _unknown(kind, name, [f"'{near}'" for near in get_close_matches(name, things, n=3, cutoff=0.6)])
    return found


def _unknown(kind: str, name: str, near: list[str]) -> InvalidInput:
    mend = f"Did you mean {' or '.join(near)}?" if near else f"None is spelt like it; look at the deployment's {kind}s."
    return InvalidInput("UNKNOWN_PLACE", f"there is no {kind} '{name}'. {mend}")
