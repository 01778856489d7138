"""Where a persona stands, as people write it: `port:ITLIV`, `fence:terminal-itliv`, `43.556,10.302 +-20 m`."""

import re

from streams.distances import LatLon
from streams.errors import InvalidInput
from streams.findings import shown
from streams.places import Places
from streams.units import distance_m

PHONE_M = 20.0
"""How exactly a phone outdoors knows where it is, where nothing else is said."""
EXAMPLE = "'port:ITLIV', 'fence:<id>', 'venue:<id>' or '43.556,10.302 +-20 m'"
_PLACE = re.compile(r"(?P<place>.*?)(?: ?(?:\+-|±|\+/-) ?(?P<accuracy>.+))?")
_POINT = re.compile(r"(?P<lat>-?[0-9]{1,2}(?:\.[0-9]{1,12})?), ?(?P<lon>-?[0-9]{1,3}(?:\.[0-9]{1,12})?)")


def spot(text: str, places: Places) -> tuple[LatLon, float]:
    """(the point, how exactly it is known in metres); of a fence a point inside it, as far from its edge as may be.

    Raises InvalidInput PLACE_INVALID, UNKNOWN_PLACE, PLACE_MOVES, LOCATION_INVALID or of the distance.
    """
    match = _PLACE.fullmatch(text.strip())
    name = "" if match is None else match["place"].strip()
    accuracy = None if match is None else match["accuracy"]
    return _point(name, places), PHONE_M if accuracy is None else distance_m(accuracy.strip())


def _point(name: str, places: Places) -> LatLon:
    found = _POINT.fullmatch(name)
    if found is not None:
        lat, lon = float(found["lat"]), float(found["lon"])
        if abs(lat) > 90 or abs(lon) > 180:
            raise InvalidInput("LOCATION_INVALID", f"{shown(name)} is not on the map. Write latitude, then longitude.")
        return lat, lon
    kind, _, known = name.partition(":")
    if kind == "fence":
        inner = places.fence(known).area.representative_point()
        return inner.y, inner.x
    if kind not in ("port", "venue"):
        raise InvalidInput("PLACE_INVALID", f"{shown(name)} is no place. Write {EXAMPLE}.")
    position = places.place(name).position
    if position is None:
        raise InvalidInput("PLACE_MOVES", f"'{name}' is on board and has no position. Name a port or a point.")
    return position
