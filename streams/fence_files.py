"""fences.geojson: areas (Polygon, MultiPolygon) and circles (a Point and `radius_m`, or just `seed` and `radius_m`).

Raises InvalidInput with file, feature (counted from 1) and the mend.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

import msgspec

from streams.distances import LatLon
from streams.fences import Area, Fence, circle, clearance_m
from streams.gazetteer import Port
from streams.geojson import (
    Collection,
    Feature,
    MultiPolygonShape,
    PointShape,
    PolygonShape,
    area_of,
    checked_id,
    invalid,
    lat_lon,
    load,
)

MAX_RADIUS_M = 200_000
METRES_PER_DEGREE = 111_000


class FenceRow(msgspec.Struct):
    """A fence's properties; others are for people."""

    id: str
    name: str
    kind: str = "area"
    seed: str | None = None
    """The port it was drawn around, from the gazetteer's point."""
    radius_m: float | None = None


FenceShape: TypeAlias = PointShape | PolygonShape | MultiPolygonShape | None
FenceFeature: TypeAlias = Feature[FenceRow, FenceShape]


def load_fences(file: Path, ports: Mapping[str, Port]) -> dict[str, Fence]:
    """The fences by id; none if there is no such file."""
    return load(file, Collection[FenceRow, FenceShape], lambda feature, where: _fence(feature, ports, where))


def _fence(feature: FenceFeature, ports: Mapping[str, Port], where: str) -> Fence:
    row = feature.properties
    where = f"{where} '{row.id}'"
    checked_id(row.id, where)
    seed = _seed(row, ports, where)
    area = _area(feature, seed, where)
    if seed is not None and not clearance_m(area, seed.position):
        raise invalid(
            "FENCE_INVALID",
            where,
            f"its seed {row.seed} lies outside it; are longitude and latitude swapped? Longitude comes first",
        )
    return Fence(row.id, row.name, area, row.kind, row.seed, row.radius_m)


def _seed(row: FenceRow, ports: Mapping[str, Port], where: str) -> Port | None:
    if row.seed is not None and row.seed not in ports:
        raise invalid("UNKNOWN_PLACE", where, f"seed '{row.seed}' is no port's id; write one of ports.geojson")
    return None if row.seed is None else ports[row.seed]


def _area(feature: FenceFeature, seed: Port | None, where: str) -> Area:
    row, shape = feature.properties, feature.geometry
    if isinstance(shape, PolygonShape | MultiPolygonShape):
        if row.radius_m is not None:
            raise invalid("FENCE_INVALID", where, "has an area and radius_m; a radius goes with a Point, remove one")
        return area_of(shape, where)
    if shape is not None:
        centre = lat_lon(shape.coordinates, where)
    elif seed is not None:
        centre = seed.position
    else:
        raise invalid("FENCE_INVALID", where, "has no geometry; draw one, or give a seed port and radius_m")
    return circle(centre, _radius_m(row.radius_m, centre, where))


def _radius_m(radius_m: float | None, centre: LatLon, where: str) -> float:
    if radius_m is None or not 0 < radius_m <= MAX_RADIUS_M:
        found = "has no radius_m" if radius_m is None else f"radius_m is {radius_m:g}"
        raise invalid("FENCE_INVALID", where, f"{found}; write metres, over 0 and at most {MAX_RADIUS_M:,}")
    if abs(centre[0]) + radius_m / METRES_PER_DEGREE >= 90:
        raise invalid("FENCE_INVALID", where, "a circle over a pole is no area in degrees; draw a polygon beside it")
    return radius_m
