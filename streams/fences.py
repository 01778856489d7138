"""Geofences: areas on the map, and which of them a point may be in, how surely.

Edges are straight in degrees, as GeoJSON has it. A point on an edge is inside. Distances to edges are measured on a
flat map around the point (`distances.metres_per_degree` states the error), and so are as good as the fix itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import MultiPolygon, Polygon, STRtree

from streams.distances import Floats, LatLon, metres_per_degree, ring

Area: TypeAlias = Polygon | MultiPolygon

CIRCLE_POINTS = 96
"""The polygon inside a circle keeps within .054 % of its radius: 1.6 m of 3 km."""
FEW = 512
"""Up to so many fences a comparison of all bounds is quicker than the tree: 5 µs against 30."""
ORIGIN = shapely.Point(0, 0)


@dataclass(frozen=True, slots=True, eq=False)
class Fence:
    """A named area. Its longitudes may run past 180 where a circle crosses the antimeridian."""

    id: str
    name: str
    area: Area
    kind: str = "area"
    """What it outlines: terminal, town, island, sea, ... free, for people."""
    seed: str | None = None
    """The port whose gazetteer position it was drawn around; None: drawn from a map or a survey."""
    radius_m: float | None = None
    """Of a circle."""


def circle(centre: LatLon, radius_m: float) -> Polygon:
    """The polygon inscribed in a geodesic circle. No use around a pole, which no polygon in degrees can hold."""
    points = ring(centre, radius_m, CIRCLE_POINTS)
    if points[:, 0].min() < -180:
        points[:, 0] += 360
    return Polygon(points)


def edge_distances_m(edges: NDArray[np.object_], lon: float, lat: float) -> Floats:
    """Metres from a point to each of some lines, on a flat map around the point."""
    scale = np.array(metres_per_degree(lat))
    here = np.array((lon, lat))
    flat = shapely.transform(edges, lambda points: (points - here) * scale)
    distances: Floats = shapely.distance(flat, ORIGIN)
    return distances


def clearance_m(area: Area, point: LatLon) -> float:
    """How far inside an area a point is: metres to the nearest edge, 0 if it is outside."""
    lat, lon = point
    if not shapely.intersects_xy(area, lon, lat):
        return 0.0
    return float(edge_distances_m(np.array([area.boundary], dtype=object), lon, lat)[0])


class FenceIndex:
    """Which fences a point may be in. Immutable; about 15 µs a point among 25,000 small fences."""

    def __init__(self, fences: Mapping[str, Fence]) -> None:
        self._ids = tuple(sorted(fences))
        self._areas = np.array([fences[fence].area for fence in self._ids], dtype=object)
        self._edges: NDArray[np.object_] = shapely.boundary(self._areas)
        self._tree = STRtree(self._areas)
        self._bounds = shapely.bounds(self._areas).T if self._ids else np.empty((4, 0))
        """(4, fences): least longitude and latitude, greatest longitude and latitude."""
        self._wraps = bool(self._ids) and float(shapely.bounds(self._areas)[:, 2].max()) > 180

    def hits(self, point: LatLon, accuracy_m: float) -> tuple[tuple[str, int], ...]:
        """(fence id, confidence) by id. 3: inside, the edge farther than the accuracy. 2: inside. 1: outside, the edge
        no farther than the accuracy."""
        lat, lon = point
        best: dict[str, int] = {}
        for turned in self._turns(lon, lat, accuracy_m):
            for fence, confidence in self._hits_at(turned, lat, accuracy_m):
                best[fence] = max(confidence, best.get(fence, 0))
        return tuple(sorted(best.items()))

    def _turns(self, lon: float, lat: float, accuracy_m: float) -> Iterator[float]:
        """The longitude, and the same place a turn further on where fences or the accuracy reach across 180."""
        reach = accuracy_m / metres_per_degree(lat)[0]
        yield lon
        if self._wraps or lon - reach <= -180:
            yield lon + 360
        if lon + reach >= 180:
            yield lon - 360

    def _hits_at(self, lon: float, lat: float, accuracy_m: float) -> Iterator[tuple[str, int]]:
        east_m, north_m = metres_per_degree(lat)
        # A hair more than the accuracy: rounding must not cost a fence whose edge is exactly that far.
        wide, high = (accuracy_m * (1 + 1e-9) / metres + 1e-9 for metres in (east_m, north_m))
        near = self._near(lon, lat, wide, high)
        if not len(near):
            return
        inside = shapely.intersects_xy(self._areas[near], lon, lat)
        blurred = edge_distances_m(self._edges[near], lon, lat) <= accuracy_m
        confidence = np.where(inside, np.where(blurred, 2, 3), blurred)
        for position, sure in zip(near.tolist(), confidence.tolist(), strict=True):
            if sure:
                yield self._ids[position], sure

    def _near(self, lon: float, lat: float, wide: float, high: float) -> NDArray[np.intp]:
        """Fences whose bounds the point may touch. A few are compared at once, many are looked up in the tree."""
        if len(self._ids) > FEW:
            found: NDArray[np.intp] = self._tree.query(shapely.box(lon - wide, lat - high, lon + wide, lat + high))
            return found
        west, south, east, north = self._bounds
        touched = (west <= lon + wide) & (east >= lon - wide) & (south <= lat + high) & (north >= lat - high)
        return np.flatnonzero(touched)
