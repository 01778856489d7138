"""Where a phone is: the ports around its cell and the fences it stands in."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import h3
import numpy as np
import shapely
from geopy.distance import geodesic
from shapely.geometry import shape

CELL = 6


class Places:
    """Ports and fences of a deployment."""

    def __init__(self, folder: Path) -> None:
        ports = json.loads((folder / "ports.geojson").read_text())["features"]
        self.ports = {_id(port["properties"]): port["geometry"]["coordinates"][::-1] for port in ports}
        drawn = json.loads((folder / "fences.geojson").read_text())["features"]
        areas = [fence for fence in drawn if fence["geometry"]["type"].endswith("Polygon")]
        self.names = [fence["properties"]["id"] for fence in areas]
        self.tree = shapely.STRtree([shape(fence["geometry"]) for fence in areas])
        self.around = lru_cache(maxsize=4_096)(self._around)

    def of(self, location: dict[str, Any] | None) -> tuple[dict[str, float], frozenset[str]]:
        """(km to each port, fences the phone is in); empty without a fix."""
        if location is None or location["status"] not in ("precise", "approximate"):
            return {}, frozenset()
        lat, lon = location["lat"], location["lon"]
        inside = self.tree.query(shapely.points(lon, lat), predicate="intersects")
        return self.around(h3.latlng_to_cell(lat, lon, CELL)), frozenset(self.names[at] for at in inside)

    def _around(self, cell: str) -> dict[str, float]:
        centre = h3.cell_to_latlng(cell)
        return {port: float(geodesic(centre, at).km) for port, at in self.ports.items()}


def nearest(port_km: dict[str, float]) -> tuple[str, float] | None:
    """The nearest port and how far it is, in metres."""
    if not port_km:
        return None
    names = list(port_km)
    at = int(np.argmin(np.fromiter(port_km.values(), dtype=float)))
    return names[at], port_km[names[at]] * 1000


def _id(properties: dict[str, Any]) -> str:
    return str(properties.get("locode") or properties["name"].lower().replace(" ", "-"))
