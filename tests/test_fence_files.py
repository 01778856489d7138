import json
from pathlib import Path

import pytest

from streams.distances import geodesic_m
from streams.errors import InvalidInput
from streams.fence_files import load_fences
from streams.gazetteer import Port

LIVORNO = Port("ITLIV", "Livorno", "IT", "Europe/Rome", 43.5558, 10.3019, verified=True)
SQUARE = {
    "type": "Polygon",
    "coordinates": [[[10.2, 43.5], [10.4, 43.5], [10.4, 43.6], [10.2, 43.6], [10.2, 43.5]]],
}
POINT = {"type": "Point", "coordinates": [10.3019, 43.5558]}
SWAPPED = {"type": "Polygon", "coordinates": [[[43.5, 10.2], [43.5, 10.4], [43.6, 10.4], [43.6, 10.2], [43.5, 10.2]]]}


def write(folder: Path, geometry: object, **properties: object) -> Path:
    file = folder / "fences.geojson"
    feature = {"type": "Feature", "properties": {"id": "quay", "name": "Quay"} | properties, "geometry": geometry}
    file.write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    return file


def test_a_polygon_keeps_its_name_kind_and_seed(tmp_path: Path) -> None:
    fence = load_fences(write(tmp_path, SQUARE, kind="terminal", seed="ITLIV"), {"ITLIV": LIVORNO})["quay"]

    assert (fence.id, fence.name, fence.kind, fence.seed, fence.radius_m) == ("quay", "Quay", "terminal", "ITLIV", None)
    assert fence.area.bounds == (10.2, 43.5, 10.4, 43.6)


@pytest.mark.parametrize("geometry", [POINT, None])
def test_a_circle_goes_around_its_point_or_its_seed(tmp_path: Path, geometry: object) -> None:
    fence = load_fences(write(tmp_path, geometry, seed="ITLIV", radius_m=3_000), {"ITLIV": LIVORNO})["quay"]

    corners = [geodesic_m(LIVORNO.position, (lat, lon)) for lon, lat in fence.area.exterior.coords]
    assert fence.radius_m == 3_000
    assert max(abs(corner - 3_000) for corner in corners) < 0.001


@pytest.mark.parametrize(
    ("geometry", "properties", "code", "message"),
    [
        (POINT, {}, "FENCE_INVALID", "has no radius_m; write metres, over 0 and at most 200,000"),
        (POINT, {"radius_m": 0}, "FENCE_INVALID", "radius_m is 0; write metres, over 0 and at most 200,000"),
        (POINT, {"radius_m": -5}, "FENCE_INVALID", "radius_m is -5; write metres"),
        (POINT, {"radius_m": 3e6}, "FENCE_INVALID", "radius_m is 3e+06; write metres"),
        (None, {"radius_m": 3_000}, "FENCE_INVALID", "has no geometry; draw one, or give a seed port and radius_m"),
        (SQUARE, {"radius_m": 3_000}, "FENCE_INVALID", "has an area and radius_m; a radius goes with a Point"),
        (SQUARE, {"seed": "ITLVI"}, "UNKNOWN_PLACE", "seed 'ITLVI' is no port's id; write one of ports.geojson"),
        (SQUARE, {"id": "The Quay"}, "ID_INVALID", "id 'The Quay' is no slug"),
        (
            SWAPPED,
            {"seed": "ITLIV"},
            "FENCE_INVALID",
            "its seed ITLIV lies outside it; are longitude and latitude swapped? Longitude comes first",
        ),
        (
            {"type": "Point", "coordinates": [0, 89.99]},
            {"radius_m": 3_000},
            "FENCE_INVALID",
            "a circle over a pole is no area in degrees; draw a polygon beside it",
        ),
    ],
)
def test_a_bad_fence_says_which_and_what_to_write(
    tmp_path: Path, geometry: object, properties: dict[str, object], code: str, message: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        load_fences(write(tmp_path, geometry, **properties), {"ITLIV": LIVORNO})

    assert raised.value.code == code
    assert raised.value.message.startswith(f"fences.geojson: feature 1 '{properties.get('id', 'quay')}': ")
    assert message in raised.value.message
