"""Where the world takes place: ports, lines and venues, read from a deployment's places folder."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LatLon = tuple[float, float]
SERVED = "passenger"
"""The `kind` of the lines in lines.csv that carry passengers."""


@dataclass(frozen=True, slots=True)
class Port:
    """A port."""

    id: str
    name: str
    at: LatLon
    zone: str


@dataclass(frozen=True, slots=True)
class Line:
    """A line in one direction."""

    id: str
    origin: Port
    destination: Port
    km: float


@dataclass(frozen=True, slots=True)
class Venue:
    """A place to spend money; on board it has no position."""

    id: str
    port: str | None
    at: LatLon | None


@dataclass(frozen=True, slots=True)
class Geography:
    """All of it, in the order of the files."""

    ports: Mapping[str, Port]
    lines: Mapping[str, Line]
    """Both directions."""
    venues: Mapping[str, Venue]

    def lines_from(self, port: str) -> list[Line]:
        """The lines that leave from a port."""
        return [line for line in self.lines.values() if line.origin.id == port]

    def back(self, line: Line) -> Line:
        """The same line the other way."""
        return next(
            other
            for other in self.lines.values()
            if other.origin is line.destination and other.destination is line.origin
        )


def load(folder: Path) -> Geography:
    """ports.geojson, lines.csv and venues.geojson of a `places` folder."""
    ports = {port.id: port for port in _ports(folder / "ports.geojson")}
    names = {port.name: port for port in ports.values()}
    there = list(_lines(folder / "lines.csv", names))
    lines = {line.id: line for way in there for line in (way, _line(way.destination, way.origin, way.km))}
    venues = {venue.id: venue for venue in _venues(folder / "venues.geojson")}
    return Geography(ports, lines, venues)


def between(start: LatLon, end: LatLon, share: float) -> LatLon:
    """The point `share` of the way; straight on the chart, which is near enough at sea."""
    return start[0] + (end[0] - start[0]) * share, start[1] + (end[1] - start[1]) * share


def _ports(file: Path) -> Iterator[Port]:
    for properties, at in _features(file):
        name = str(properties["name"])
        ident = properties["locode"] or name.lower().replace(" ", "-")
        if at is not None:
            yield Port(str(ident), name, at, str(properties["zone"]))


def _lines(file: Path, names: Mapping[str, Port]) -> Iterator[Line]:
    with file.open(encoding="utf-8", newline="") as rows:
        for row in csv.DictReader(rows):
            if row["kind"] == SERVED:
                yield _line(names[row["from"]], names[row["to"]], float(row["great_circle_km"]))


def _line(origin: Port, destination: Port, km: float) -> Line:
    return Line(f"{origin.id}-{destination.id}", origin, destination, km)


def _venues(file: Path) -> Iterator[Venue]:
    for properties, at in _features(file):
        yield Venue(str(properties["id"]), properties.get("port"), at)


def _features(file: Path) -> Iterator[tuple[Mapping[str, Any], LatLon | None]]:
    for feature in json.loads(file.read_text(encoding="utf-8"))["features"]:
        geometry = feature["geometry"]
        point = geometry["coordinates"] if geometry is not None and geometry["type"] == "Point" else None
        yield feature["properties"], None if point is None else (float(point[1]), float(point[0]))
