"""GeoJSON as place files use it: typed features, areas checked before they are trusted, every error with its feature.

Raises InvalidInput with the file, the feature (counted from 1) and the mend.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

import msgspec
import shapely
from shapely import MultiPolygon, Polygon

from streams.distances import LatLon
from streams.errors import InvalidInput
from streams.fences import Area

MAX_VERTICES = 2_000
Row = TypeVar("Row")
Shape = TypeVar("Shape")
ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
Position: TypeAlias = list[float]
"""[longitude, latitude], perhaps an altitude, which is left out."""
Rings: TypeAlias = list[list[Position]]
"""An outer ring, then holes."""


class PointShape(msgspec.Struct, tag_field="type", tag="Point"):
    coordinates: Position


class PolygonShape(msgspec.Struct, tag_field="type", tag="Polygon"):
    coordinates: Rings


class MultiPolygonShape(msgspec.Struct, tag_field="type", tag="MultiPolygon"):
    coordinates: list[Rings]


class Feature(msgspec.Struct, Generic[Row, Shape]):
    properties: Row
    geometry: Shape


class Collection(msgspec.Struct, Generic[Row, Shape]):
    type: Literal["FeatureCollection"]
    features: list[Feature[Row, Shape]]


class HasId(Protocol):
    """What a file holds: ports, fences, venues."""

    @property
    def id(self) -> str: ...


_Thing = TypeVar("_Thing", bound=HasId)


def invalid(code: str, where: str, problem: str) -> InvalidInput:
    """`fences.geojson: feature 3 'elba': what is wrong; what to write instead`."""
    return InvalidInput(code, f"{where}: {problem}")


def load(
    file: Path, form: type[Collection[Row, Shape]], build: Callable[[Feature[Row, Shape], str], _Thing]
) -> dict[str, _Thing]:
    """The things of a file by id, in its order; none if there is no such file. `build` gets a feature and where it is.

    Raises InvalidInput PLACE_FILE_INVALID with the path of the bad node, DUPLICATE_ID, and whatever `build` raises.
    """
    things: dict[str, _Thing] = {}
    for number, feature in enumerate(_features(file, form), start=1):
        where = f"{file.name}: feature {number}"
        thing = build(feature, where)
        if thing.id in things:
            raise invalid("DUPLICATE_ID", where, f"'{thing.id}' is there twice; give one another id, or remove it")
        things[thing.id] = thing
    return things


def _features(file: Path, form: type[Collection[Row, Shape]]) -> list[Feature[Row, Shape]]:
    if not file.exists():
        return []
    try:
        return msgspec.json.decode(file.read_bytes(), type=form).features
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid("PLACE_FILE_INVALID", file.name, f"{error}; write GeoJSON as RFC 7946 has it") from error
    except OSError as error:
        raise invalid("PLACE_FILE_INVALID", file.name, f"cannot be read: {error.strerror}") from error


def checked_id(name: str, where: str) -> str:
    """Raises InvalidInput ID_INVALID: campaigns, links and cache keys carry ids."""
    if not ID.fullmatch(name):
        raise invalid(
            "ID_INVALID", where, f"id '{name}' is no slug; write small letters, digits and hyphens: 'old-port'"
        )
    return name


def lat_lon(position: Position, where: str) -> LatLon:
    """A checked (lat, lon). Raises InvalidInput POSITION_INVALID."""
    if len(position) not in (2, 3) or abs(position[0]) > 180 or abs(position[1]) > 90:
        raise invalid(
            "POSITION_INVALID",
            where,
            f"{position} is no position; GeoJSON writes longitude first, [10.30, 43.55], in degrees within 180 and 90",
        )
    return position[1], position[0]


def area_of(shape: PolygonShape | MultiPolygonShape, where: str) -> Area:
    """A valid, non-empty area of at most 2,000 vertices. Raises InvalidInput FENCE_INVALID or POSITION_INVALID."""
    parts = shape.coordinates if isinstance(shape, MultiPolygonShape) else [shape.coordinates]
    polygons = [_polygon(rings, where) for rings in parts]
    area = polygons[0] if len(polygons) == 1 else MultiPolygon(polygons)
    if area.is_empty:
        raise invalid("FENCE_INVALID", where, "the area is empty; give it an outer ring of at least three corners")
    vertices = int(shapely.get_num_coordinates(area))
    if vertices > MAX_VERTICES:
        raise invalid("FENCE_INVALID", where, f"{vertices:,} vertices; simplify the edge to {MAX_VERTICES:,} at most")
    if not area.is_valid:
        reason = shapely.is_valid_reason(area)
        raise invalid(
            "FENCE_INVALID",
            where,
            f"{reason}; draw an edge that neither crosses nor repeats itself, and separate areas as a MultiPolygon",
        )
    return area


def _polygon(rings: Rings, where: str) -> Polygon:
    outlines = [[_lon_lat(position, where) for position in outline] for outline in rings]
    if not outlines:
        return Polygon()
    if min(map(len, outlines)) < 4:
        raise invalid("FENCE_INVALID", where, "a ring has under four positions; close a ring of at least three corners")
    return Polygon(outlines[0], outlines[1:])


def _lon_lat(position: Position, where: str) -> tuple[float, float]:
    lat, lon = lat_lon(position, where)
    return lon, lat
