"""The place files of a deployment, read and checked: ports.geojson, lines.csv, fences.geojson, venues.geojson.

Any of them may be absent; a file of another name is an error, since it is likelier a slip than meant.
All errors are InvalidInput with file, feature or row, and the mend.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from streams.errors import InvalidInput
from streams.fence_files import load_fences
from streams.gazetteer import Gazetteer, Port, slug
from streams.geojson import Collection, Feature, PointShape, checked_id, invalid, lat_lon, load
from streams.line_files import load_lines
from streams.places import Line, Places, Venue

PORTS, LINES, FENCES, VENUES = "ports.geojson", "lines.csv", "fences.geojson", "venues.geojson"
DATA = (".geojson", ".json", ".csv")
LOCODE = re.compile(r"[A-Z]{2}[A-Z2-9]{3}")


class PortRow(msgspec.Struct):
    """A port's properties; others, such as where its point is from, are for people."""

    name: str
    country: str
    zone: str
    locode: str | None = None
    aliases: tuple[str, ...] = ()
    max_disagreement_km: float = 0.0
    verified: bool = False


class VenueRow(msgspec.Struct):
    """A venue's properties."""

    id: str
    name: str
    kind: str
    port: str | None = None
    line: str | None = None
    on_board: bool = False


PortFeature: TypeAlias = Feature[PortRow, PointShape]
VenueFeature: TypeAlias = Feature[VenueRow, PointShape | None]


def load_places(folder: Path) -> Places:
    """Every place of a deployment. Reads files; raises InvalidInput at the first thing wrong."""
    _only_known_files(folder)
    ports = load(folder / PORTS, Collection[PortRow, PointShape], _port)
    lines = load_lines(folder / LINES, _gazetteer(ports))
    fences = load_fences(folder / FENCES, ports)
    form = Collection[VenueRow, PointShape | None]
    venues = load(folder / VENUES, form, lambda feature, where: _venue(feature, ports, lines, where))
    return Places(ports, lines, fences, venues)


def _only_known_files(folder: Path) -> None:
    if not folder.is_dir():
        raise invalid("PLACES_MISSING", str(folder), f"is no folder; make it, with {PORTS} in it")
    for file in sorted(folder.iterdir()):
        if file.suffix in DATA and file.name not in (PORTS, LINES, FENCES, VENUES):
            known = ", ".join((PORTS, LINES, FENCES, VENUES))
            raise invalid("PLACE_FILE_UNKNOWN", file.name, f"is none of {known}; rename it, or move it elsewhere")


def _gazetteer(ports: Mapping[str, Port]) -> Gazetteer:
    try:
        return Gazetteer(ports.values())
    except InvalidInput as error:
        raise invalid(error.code, PORTS, error.message) from error


def _port(feature: PortFeature, where: str) -> Port:
    row = feature.properties
    where = f"{where} '{row.name}'"
    lat, lon = lat_lon(feature.geometry.coordinates, where)
    if row.locode is not None and not (LOCODE.fullmatch(row.locode) and row.locode.startswith(row.country)):
        raise invalid(
            "PORT_INVALID", where, f"locode '{row.locode}' is none of {row.country}; write one such as 'ITLIV', or null"
        )
    if not row.max_disagreement_km >= 0:
        raise invalid("PORT_INVALID", where, f"max_disagreement_km is {row.max_disagreement_km:g}; write 0 or more")
    _check_zone(row.zone, where)
    return Port(
        id=row.locode or slug(row.name),
        name=row.name,
        country=row.country,
        zone=row.zone,
        lat=lat,
        lon=lon,
        aliases=row.aliases,
        disagreement_km=row.max_disagreement_km,
        verified=row.verified,
    )


def _check_zone(zone: str, where: str) -> None:
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise invalid("PORT_INVALID", where, f"zone '{zone}' is no IANA zone; write one such as Europe/Rome") from error


def _venue(feature: VenueFeature, ports: Mapping[str, Port], lines: Mapping[str, Line], where: str) -> Venue:
    row, shape = feature.properties, feature.geometry
    where = f"{where} '{row.id}'"
    if row.port is not None and row.port not in ports:
        raise invalid("UNKNOWN_PLACE", where, f"port '{row.port}' is no port's id; write one of {PORTS}")
    if row.line is not None and row.line not in lines:
        raise invalid(
            "UNKNOWN_PLACE", where, f"line '{row.line}' is no line's id; join two port ids of a row of {LINES}"
        )
    if row.on_board is (shape is not None):
        found = "is on board and has a position; a ship moves: set geometry to null"
        raise invalid(
            "VENUE_INVALID", where, found if row.on_board else "has no position; give a Point, or set on_board"
        )
    lat, lon = lat_lon(shape.coordinates, where) if shape is not None else (None, None)
    return Venue(checked_id(row.id, where), row.name, row.kind, row.port, row.line, lat, lon, row.on_board)
