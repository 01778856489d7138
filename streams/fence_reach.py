"""How far inside a fence one can be, and how far it lies from everything else: what a phone or a map tells of it."""

from functools import lru_cache

import numpy as np
import shapely

from streams.distances import geodesic_m, metres_per_degree
from streams.fences import Fence, clearance_m
from streams.places import FenceWarning, Places

APPROXIMATE_M = 1_000.0
"""The best that a phone with approximate location says: Android's is of about 3 km², iOS' is coarser."""
FAR_M = 300_000.0
"""No fence of a ferry operator is meant so far from each of its ports and venues."""
TOLERANCE_M = 10.0


@lru_cache(maxsize=4_096)
def finer_than_approximate(fence: Fence) -> bool:
    """Whether no point of it is APPROXIMATE_M from its edge, so that an approximate fix is never surely inside."""
    if fence.radius_m is not None:
        return fence.radius_m < APPROXIMATE_M
    points = [part.representative_point() for part in shapely.get_parts(fence.area)]
    if any(clearance_m(fence.area, (point.y, point.x)) >= APPROXIMATE_M for point in points):
        return False
    return reach_m(fence) < APPROXIMATE_M


def reach_m(fence: Fence) -> float:
    """Metres from the edge to the point farthest inside, on a flat map around it; to TOLERANCE_M."""
    scale = np.array(metres_per_degree(fence.area.centroid.y))
    flat = shapely.transform(fence.area, lambda points: points * scale)
    return max(float(shapely.length(shapely.maximum_inscribed_circle(p, TOLERANCE_M))) for p in shapely.get_parts(flat))


def far_fences(places: Places) -> list[FenceWarning]:
    """Fences far from every port and every venue ashore, by id; none of kind `sea`, and none without any such place."""
    known = [port.position for port in places.ports.values()]
    known += [venue.position for venue in places.venues.values() if venue.position is not None]
    drawn = [fence for _, fence in sorted(places.fences.items()) if fence.kind != "sea" and fence.seed is None]
    return [FenceWarning(fence.id, said, "FENCE_FAR_AWAY") for fence in drawn if known and (said := _far(fence, known))]


def _far(fence: Fence, known: list[tuple[float, float]]) -> str:
    inside = fence.area.representative_point()
    away_m = min(geodesic_m(_on_earth(inside.y, inside.x), place) for place in known)
    west, south, east, north = fence.area.bounds
    half_m = geodesic_m(_on_earth(south, west), _on_earth(north, east))
    if away_m - half_m < FAR_M:
        return ""
    said = f"'{fence.id}' lies {away_m / 1_000:,.0f} km from the nearest port or venue"
    if abs(inside.x) <= 90 and min(geodesic_m((inside.x, inside.y), place) for place in known) < FAR_M:
        return f"{said}, and would be near one with longitude and latitude swapped; longitude comes first"
    return f"{said}; is it drawn where it is meant?"


def _on_earth(lat: float, lon: float) -> tuple[float, float]:
    return lat, (lon + 180) % 360 - 180
