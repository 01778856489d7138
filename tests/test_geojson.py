from pathlib import Path

import msgspec
import pytest

from streams.errors import InvalidInput
from streams.geojson import (
    Collection,
    Feature,
    MultiPolygonShape,
    PointShape,
    PolygonShape,
    area_of,
    checked_id,
    lat_lon,
    load,
)

SQUARE = [[10.0, 43.0], [11.0, 43.0], [11.0, 44.0], [10.0, 44.0], [10.0, 43.0]]


class Row(msgspec.Struct):
    id: str


class Thing(msgspec.Struct):
    id: str
    at: tuple[float, float]


def thing(feature: Feature[Row, PointShape], where: str) -> Thing:
    return Thing(feature.properties.id, lat_lon(feature.geometry.coordinates, where))


def write(folder: Path, *features: str) -> Path:
    file = folder / "things.geojson"
    file.write_text('{"type": "FeatureCollection", "features": [' + ",".join(features) + "]}", encoding="utf-8")
    return file


def feature(name: str = '"a"', geometry: str = '{"type": "Point", "coordinates": [10.3, 43.5]}') -> str:
    return f'{{"type": "Feature", "properties": {{"id": {name}, "colour": "red"}}, "geometry": {geometry}}}'


def test_things_are_read_by_id_in_the_order_of_the_file(tmp_path: Path) -> None:
    file = write(tmp_path, feature('"b"'), feature('"a"', '{"type": "Point", "coordinates": [9.5, 40.9, 12.0]}'))

    things = load(file, Collection[Row, PointShape], thing)

    assert list(things.values()) == [Thing("b", (43.5, 10.3)), Thing("a", (40.9, 9.5))]


def test_a_file_that_is_not_there_holds_nothing(tmp_path: Path) -> None:
    assert load(tmp_path / "things.geojson", Collection[Row, PointShape], thing) == {}


@pytest.mark.parametrize(
    ("features", "code", "message"),
    [
        (
            [feature("7")],
            "PLACE_FILE_INVALID",
            "things.geojson: Expected `str`, got `int` - at `$.features[0].properties",
        ),
        (
            [feature(geometry="null")],
            "PLACE_FILE_INVALID",
            "Expected `object`, got `null` - at `$.features[0].geometry`",
        ),
        (["{"], "PLACE_FILE_INVALID", "things.geojson: JSON is malformed"),
        ([feature(), feature()], "DUPLICATE_ID", "things.geojson: feature 2: 'a' is there twice; give one another id"),
        (
            [feature(geometry='{"type": "Point", "coordinates": [43.5, 103.0]}')],
            "POSITION_INVALID",
            "things.geojson: feature 1: [43.5, 103.0] is no position; GeoJSON writes longitude first, [10.30, 43.55]",
        ),
        (
            [feature(geometry='{"type": "Point", "coordinates": [10.3, 1e999]}')],
            "PLACE_FILE_INVALID",
            "Number out of range",
        ),
        ([feature(geometry='{"type": "Point", "coordinates": [10.3]}')], "POSITION_INVALID", "[10.3] is no position"),
        (
            [feature(geometry='{"type": "LineString", "coordinates": []}')],
            "PLACE_FILE_INVALID",
            "Invalid value 'LineString' - at `$.features[0].geometry.type`; write GeoJSON as RFC 7946 has it",
        ),
    ],
)
def test_a_bad_file_says_where(tmp_path: Path, features: list[str], code: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        load(write(tmp_path, *features), Collection[Row, PointShape], thing)

    assert raised.value.code == code
    assert message in raised.value.message


def test_a_file_that_cannot_be_read_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"things\.geojson: cannot be read: Is a directory") as raised:
        (tmp_path / "things.geojson").mkdir()
        load(tmp_path / "things.geojson", Collection[Row, PointShape], thing)

    assert raised.value.code == "PLACE_FILE_INVALID"


def test_areas_may_have_holes_and_parts() -> None:
    hole = [[10.4, 43.4], [10.6, 43.4], [10.6, 43.6], [10.4, 43.6], [10.4, 43.4]]
    island = [[12.0, 43.0], [12.1, 43.0], [12.1, 43.1], [12.0, 43.0]]

    area = area_of(MultiPolygonShape([[SQUARE, hole], [island]]), "fence")

    assert round(area.area, 6) == round(1 - 0.04 + 0.005, 6)
    assert area_of(PolygonShape([SQUARE]), "fence").geom_type == "Polygon"


@pytest.mark.parametrize(
    ("rings", "message"),
    [
        (
            [[[10.0, 43.0], [11.0, 44.0], [11.0, 43.0], [10.0, 44.0], [10.0, 43.0]]],
            "fence: Self-intersection[10.5 43.5]; draw an edge that neither crosses nor repeats itself",
        ),
        ([], "fence: the area is empty; give it an outer ring of at least three corners"),
        ([[]], "fence: a ring has under four positions; close a ring of at least three corners"),
        ([SQUARE, SQUARE[:3]], "fence: a ring has under four positions"),
        ([[[10.0, 43.0]] * 4], "draw an edge that neither crosses nor repeats itself"),
        ([SQUARE, [[20.0, 43.0], [21.0, 43.0], [21.0, 44.0], [20.0, 43.0]]], "Hole lies outside shell"),
        (
            [[[10 + step / 3_000, 43.0] for step in range(2_000)] + [[10.5, 44.0], [10.0, 43.0]]],
            "fence: 2,002 vertices; simplify the edge to 2,000 at most",
        ),
        ([[[43.0, 100.0], *SQUARE]], "fence: [43.0, 100.0] is no position; GeoJSON writes longitude first"),
        ([[[190.0, 43.0], *SQUARE]], "fence: [190.0, 43.0] is no position"),
    ],
)
def test_an_area_that_cannot_be_a_fence_says_what_to_draw(rings: list[list[list[float]]], message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        area_of(PolygonShape(rings), "fence")

    assert raised.value.code == ("POSITION_INVALID" if "no position" in message else "FENCE_INVALID")
    assert message in raised.value.message


def test_overlapping_parts_are_no_area() -> None:
    with pytest.raises(InvalidInput, match="fence: Self-intersection"):
        area_of(MultiPolygonShape([[SQUARE], [[[lon + 0.5, lat] for lon, lat in SQUARE]]]), "fence")


@pytest.mark.parametrize("name", ["Elba", "el ba", "", "-elba", "elba-", "el_ba", "élba"])
def test_an_id_is_a_slug(name: str) -> None:
    with pytest.raises(InvalidInput, match="is no slug; write small letters, digits and hyphens: 'old-port'") as raised:
        checked_id(name, "fences.geojson: feature 1")

    assert raised.value.code == "ID_INVALID"
    assert checked_id("elba-2", "") == "elba-2"
