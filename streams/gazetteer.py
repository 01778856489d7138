"""Ports by name, code and alias, behind geopy's geocoder interface. Nothing here reaches a network."""

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from geopy.adapters import BaseSyncAdapter
from geopy.exc import GeocoderServiceError
from geopy.geocoders.base import DEFAULT_SENTINEL, Geocoder
from geopy.location import Location
from geopy.point import Point

from streams.distances import LatLon, geodesic_m, great_circle_m
from streams.errors import InvalidInput

SPHERE_SLACK = 1.012
"""The great circle is within .56 % of the geodesic, so the nearest port is within twice that of the shortest one."""


@dataclass(frozen=True, slots=True)
class Port:
    """A ferry port as the gazetteer has it."""

    id: str
    """Its UN/LOCODE (`ITLIV`); without one its name as a slug (`santa-teresa-gallura`)."""
    name: str
    country: str
    """ISO 3166-1, two letters."""
    zone: str
    """IANA time zone."""
    lat: float
    lon: float
    aliases: tuple[str, ...] = ()
    """Names in other languages."""
    disagreement_km: float = 0.0
    """How far apart the sources put it; 0 may also mean that there is one source only."""
    verified: bool = False
    """Whether more than one source, or a person, confirmed the position."""

    @property
    def position(self) -> LatLon:
        return self.lat, self.lon


def folded(name: str) -> str:
    """A name without case, accents and punctuation: what two spellings of one name have in common.

    >>> folded("L’Île-Rousse") == folded("l'ile rousse")
    True
    """
    letters = unicodedata.normalize("NFKD", name.casefold())
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return " ".join(re.findall(r"[^\W_]+", plain))


def slug(name: str) -> str:
    """A name as an id.

    >>> slug("Santa Teresa Gallura")
    'santa-teresa-gallura'
    """
    return folded(name).replace(" ", "-")


class NoNetwork(BaseSyncAdapter):  # type: ignore[misc]
    """The transport geopy asks for; this geocoder has no use for one."""

    def get_json(self, url: str, *, timeout: object, headers: object) -> None:
        raise GeocoderServiceError(f"the gazetteer asks no server, and was told to ask {url}")

    get_text = get_json


class Gazetteer(Geocoder):  # type: ignore[misc]
    """Finds ports by name, id or alias, whatever the case and accents; and the nearest to a point.

    Raises InvalidInput AMBIGUOUS_NAME if two ports share a spelling.
    """

    def __init__(self, ports: Iterable[Port]) -> None:
        super().__init__(adapter_factory=NoNetwork)
        self._ports = tuple(sorted(ports, key=lambda port: port.id))
        self._by_name: dict[str, Port] = {}
        for port in self._ports:
            for name in (port.id, port.name, *port.aliases):
                self._learn(folded(name), port)

    def geocode(self, query: str, *, exactly_one: bool = True, timeout: object = DEFAULT_SENTINEL) -> Any:
        """geopy's interface: the port of that name as a Location with the Port in `raw`, or a list of it; None if there
        is none. Never waits, so the timeout does not matter.
        """
        port = self.find(query)
        if port is None:
            return None
        return _location(port) if exactly_one else [_location(port)]

    def reverse(
        self, query: Point | LatLon | str, *, exactly_one: bool = True, timeout: object = DEFAULT_SENTINEL
    ) -> Any:
        """geopy's interface: the port nearest to a point as a Location, or a list of all, nearest first; None if there
        is none. Raises InvalidInput LOCATION_INVALID for what is not a point.
        """
        point = _point(query)
        if not self._ports:
            return None
        if exactly_one:
            return _location(self.nearest(point)[0])
        return [_location(port) for port in sorted(self._ports, key=lambda port: geodesic_m(point, port.position))]

    def find(self, name: str) -> Port | None:
        """The port of that name, id or alias."""
        return self._by_name.get(folded(name))

    def nearest(self, point: LatLon) -> tuple[Port, float]:
        """The nearest port and its geodesic distance in metres. Raises InvalidInput UNKNOWN_PLACE without any port."""
        rough = {port.id: great_circle_m(point, port.position) for port in self._ports}
        limit = min(rough.values(), default=0.0) * SPHERE_SLACK
        exact = [(geodesic_m(point, port.position), port.id, port) for port in self._ports if rough[port.id] <= limit]
        if not exact:
            raise InvalidInput("UNKNOWN_PLACE", "the gazetteer has no ports; add them to ports.geojson")
        distance, _, port = min(exact)
        return port, distance

    def similar(self, name: str) -> list[Port]:
        """Up to three ports with the nearest spellings, best first."""
        spellings = get_close_matches(folded(name), self._by_name, n=6, cutoff=0.6)
        return list({self._by_name[spelling].id: self._by_name[spelling] for spelling in spellings}.values())[:3]

    def suggest(self, name: str) -> list[str]:
        """The names of up to three ports with the nearest spellings, best first."""
        return [port.name for port in self.similar(name)]

    def __iter__(self) -> Iterator[Port]:
        return iter(self._ports)

    def _learn(self, name: str, port: Port) -> None:
        known = self._by_name.setdefault(name, port)
        if known.id != port.id:
            raise InvalidInput(
                "AMBIGUOUS_NAME",
                f"{name!r} names both {known.id} and {port.id}; take that alias off one, or rename it",
            )


def _location(port: Port) -> Location:
    return Location(f"{port.name}, {port.country}", Point(port.lat, port.lon), port)


def _point(query: Point | LatLon | str) -> LatLon:
    """Checked here, since geopy's Point warns about a latitude out of range and takes () for (0, 0)."""
    if isinstance(query, Point):
        return query.latitude, query.longitude
    try:
        lat, lon = (float(part) for part in (query.split(",") if isinstance(query, str) else query))
    except (ValueError, TypeError):
        lat = lon = math.nan
    if not (abs(lat) <= 90 and abs(lon) <= 180):
        raise InvalidInput("LOCATION_INVALID", "not a point; give (lat, lon) in degrees, or '43.55, 10.30'")
    return lat, lon
