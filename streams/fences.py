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
from streams.memo import Memo

Area: TypeAlias = Polygon | MultiPolygon

CIRCLE_POINTS = 96
"""The polygon inside a circle keeps within .054 % of its radius: 1.6 m of 3 km."""
FEW = 512
"""Up to so many fences a comparison of all bounds is quicker than the tree: 5 µs against 30."""
ORIGIN = shapely.Point(0, 0)
SQUARE = 1 / 256
"""Degrees; 434 m from south to north."""
SQUARES = 16_384
"""Remembered; about 5 MB."""
SLACK = 1.01
"""The map is flat around the square's centre and not around the point: that is off by less than this."""
SURE_WITHIN_M = 1_000.0
"""A worse accuracy is measured each time."""
FAR_NORTH, FAR_EAST = 80.0, 179.0
"""Beyond, squares are thin or cut."""
_Sure = tuple[str, bool, float]
"""(fence id, whether it holds the square's centre, metres to its edge that every point of the square has at least)"""


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
        self._squares: Memo[tuple[int, int], tuple[_Sure, ...]] = Memo(SQUARES)

    def hits(self, point: LatLon, accuracy_m: float) -> tuple[tuple[str, int], ...]:
        """(fence id, confidence) by id. 3: inside, the edge farther than the accuracy. 2: inside. 1: outside, the edge
        no farther than the accuracy."""
        lat, lon = point
        if 0 <= accuracy_m <= SURE_WITHIN_M and not self._wraps and abs(lat) < FAR_NORTH and abs(lon) < FAR_EAST:
            surely = self._surely(lon, lat, accuracy_m)
            if surely is not None:
                return surely
        return self.measured(point, accuracy_m)

    def measured(self, point: LatLon, accuracy_m: float) -> tuple[tuple[str, int], ...]:
        """hits(), every edge that may matter measured from the point itself."""
        lat, lon = point
        best: dict[str, int] = {}
        for turned in self._turns(lon, lat, accuracy_m):
            for fence, confidence in self._hits_at(turned, lat, accuracy_m):
                best[fence] = max(confidence, best.get(fence, 0))
        return tuple(sorted(best.items()))

    def _surely(self, lon: float, lat: float, accuracy_m: float) -> tuple[tuple[str, int], ...] | None:
        """hits() where no edge is so near that it matters where in its square the point is; None: it may matter."""
        square = int(lon // SQUARE), int(lat // SQUARE)
        inside = []
        for fence, within, clear_m in self._squares.get(square, lambda: self._square(square)):
            if clear_m <= accuracy_m:
                return None
            if within:
                inside.append((fence, 3))
        return tuple(inside)

    def _square(self, square: tuple[int, int]) -> tuple[_Sure, ...]:
        """Of a square of the map: each fence that holds it or has an edge near, as seen from its centre."""
        lon, lat = ((number + 0.5) * SQUARE for number in square)
        east_m, north_m = metres_per_degree(lat)
        half_m = np.hypot(east_m, north_m) * SQUARE / 2 * SLACK
        reach_m = (SURE_WITHIN_M + half_m) * SLACK
        near = self._near(lon, lat, reach_m / east_m, reach_m / north_m)
        if not len(near):
            return ()
        within = shapely.intersects_xy(self._areas[near], lon, lat)
        clear_m = edge_distances_m(self._edges[near], lon, lat) / SLACK - half_m
        found = zip([self._ids[at] for at in near.tolist()], within.tolist(), clear_m.tolist(), strict=True)
        return tuple(sorted(each for each in found if each[1] or each[2] <= SURE_WITHIN_M))

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
