import json
from pathlib import Path
from random import Random

import numpy as np
import pytest
import shapely
from geopy.distance import geodesic
from hypothesis import given, settings
from hypothesis import strategies as st
from shapely import MultiPolygon, Polygon
from shapely.geometry import shape

from streams import fences
from streams.distances import metres_per_degree
from streams.fences import Area, Fence, FenceIndex, circle, clearance_m

VECTORS = Path(__file__).parent / "vectors"
CASES = json.loads((VECTORS / "point_in_polygon.json").read_text())
ON_AN_EDGE_THAT_COUNTS_AS_OUTSIDE = frozenset({25, 26, 32, 33, 37, 38, 39, 40, 41, 42})
LIVORNO = (43.5558, 10.3019)


def fenced(**areas: Area) -> FenceIndex:
    return FenceIndex({name: Fence(name, name, area) for name, area in areas.items()})


def square(lon: float, lat: float, size: float) -> Polygon:
    return shapely.box(lon, lat, lon + size, lat + size)


@pytest.mark.parametrize("number", range(97))
def test_every_published_point_in_polygon_case(number: int) -> None:
    """An edge is inside: `boundary` counts as inside, and so do the 10 cases asked under the rule `outside`."""
    case = CASES[number]
    lon, lat = case["point"]

    hits = fenced(it=shape(case["geometry"])).hits((lat, lon), 0)

    inside = case["expected"] in (True, "boundary") or number in ON_AN_EDGE_THAT_COUNTS_AS_OUTSIDE
    assert [sure >= 2 for _, sure in hits] == ([True] if inside else [])


def test_the_cases_counted_otherwise_ask_for_another_rule_on_an_edge() -> None:
    for number in ON_AN_EDGE_THAT_COUNTS_AS_OUTSIDE:
        case = CASES[number]
        assert (case["boundary"], case["expected"]) == ("outside", False)
        assert shape(case["geometry"]).boundary.distance(shapely.Point(case["point"])) == 0


@pytest.mark.parametrize(
    ("accuracy_m", "metres_east_of_the_edge", "confidence"),
    [(20, -21, 3), (20, -19, 2), (20, 0, 2), (20, 19, 1), (20, 21, None), (0, -1, 3), (0, 1, None), (5_000, -4_900, 2)],
)
def test_confidence_weighs_the_edge_against_the_accuracy(
    accuracy_m: float, metres_east_of_the_edge: float, confidence: int | None
) -> None:
    index = fenced(west=shapely.box(9, 42, 11, 44))
    lon = 11 + metres_east_of_the_edge / metres_per_degree(43)[0]

    assert dict(index.hits((43, lon), accuracy_m)).get("west") == confidence


def test_the_edge_of_a_hole_counts_as_an_edge() -> None:
    ring_fence = fenced(ring=Polygon(square(10, 43, 1).exterior, [square(10.4, 43.4, 0.2).exterior]))

    assert ring_fence.hits((43.5, 10.5), 20) == ()
    assert ring_fence.hits((43.5, 10.5), 10_000) == (("ring", 1),)
    assert ring_fence.hits((43.5, 10.399), 1_000) == (("ring", 2),)
    assert ring_fence.hits((43.5, 10.2), 1_000) == (("ring", 3),)


def test_a_multipolygon_is_one_fence() -> None:
    index = fenced(isles=MultiPolygon([square(10, 42, 0.1), square(9, 43, 0.1)]))

    assert index.hits((42.05, 10.05), 20) == (("isles", 3),)
    assert index.hits((43.05, 9.05), 20) == (("isles", 3),)
    assert index.hits((42.5, 9.5), 20) == ()


def test_hits_come_by_id_whatever_the_order_of_the_fences() -> None:
    areas = {"c": square(9, 42, 3), "a": square(9, 42, 2), "b": square(9, 42, 1)}

    forward = fenced(**areas).hits((42.5, 9.5), 20)
    backward = fenced(**dict(reversed(areas.items()))).hits((42.5, 9.5), 20)

    assert forward == backward == (("a", 3), ("b", 3), ("c", 3))


def test_no_fences_no_hits() -> None:
    assert fenced().hits(LIVORNO, 50_000) == ()


@pytest.mark.parametrize("radius_m", [100, 3_000, 200_000])
def test_a_circle_holds_what_is_nearer_than_its_radius(radius_m: float) -> None:
    index = fenced(round=circle(LIVORNO, radius_m))

    for bearing in range(0, 360, 7):
        inside = geodesic(meters=radius_m * 0.9994).destination(LIVORNO, bearing)
        outside = geodesic(meters=radius_m * 1.0001).destination(LIVORNO, bearing)
        assert index.hits((inside.latitude, inside.longitude), 0) != ()
        assert index.hits((outside.latitude, outside.longitude), 0) == ()


@pytest.mark.parametrize("centre", [179.99, -179.99, 180.0, -180.0])
def test_a_circle_across_the_antimeridian_is_one_circle(centre: float) -> None:
    index = fenced(taveuni=circle((-16.8, centre), 20_000))

    seen = {lon: index.hits((-16.8, lon), 50) for lon in (179.7, 179.9, 180, -180, -179.9, -179.7)}

    assert {lon: bool(hits) for lon, hits in seen.items()} == {
        179.7: False, 179.9: True, 180: True, -180: True, -179.9: True, -179.7: False
    }  # fmt: skip
    assert seen[180] == seen[-180] == (("taveuni", 3),)


def test_the_accuracy_reaches_across_the_antimeridian() -> None:
    index = fenced(east=shapely.box(-179.99, -17, -179, -16), west=shapely.box(179, -17, 179.99, -16))

    assert index.hits((-16.5, 179.999), 500) == ()
    assert index.hits((-16.5, 179.999), 1_100) == (("west", 1),)
    assert index.hits((-16.5, 179.999), 1_300) == (("east", 1), ("west", 1))
    assert index.hits((-16.5, -179.999), 1_300) == (("east", 1), ("west", 1))


@pytest.mark.parametrize("lat", [-90.0, 90.0, 89.9999])
@pytest.mark.parametrize("lon", [-180.0, 0.0, 180.0])
def test_a_fix_at_a_pole_is_answered(lat: float, lon: float) -> None:
    index = fenced(cap=shapely.box(-180, 80, 180, 90), belt=shapely.box(-180, -1, 180, 1))

    assert [name for name, _ in index.hits((lat, lon), 50_000)] == (["cap"] if lat > 0 else [])


def test_clearance_is_the_way_to_the_nearest_edge_and_nothing_outside() -> None:
    area = circle(LIVORNO, 3_000)

    assert 2_998 < clearance_m(area, LIVORNO) <= 3_000
    assert clearance_m(area, (43.6, 10.4)) == 0


def plain_confidence(area: Area, lon: float, lat: float, accuracy_m: float) -> int:
    """The rule as it is written, on one fence, without a tree."""
    best = 0
    for turned in (lon - 360, lon, lon + 360):
        inside = area.covers(shapely.Point(turned, lat))
        flat = shapely.transform(
            area.boundary, lambda points, turned=turned: (points - (turned, lat)) * metres_per_degree(lat)
        )
        near = flat.distance(shapely.Point(0, 0)) <= accuracy_m
        best = max(best, (2 if near else 3) if inside else int(near))
    return best


@st.composite
def areas(draw: st.DrawFn) -> Area:
    """Circles and many-cornered stars between 100 m and 80 km, clustered so that many overlap."""
    lat, lon = draw(st.floats(-85, 85)), draw(st.sampled_from([-179.9, 10.0, 179.9])) + draw(st.floats(-0.1, 0.1))
    radius_m = draw(st.floats(100, 80_000))
    if draw(st.booleans()):
        return circle((lat, min(max(lon, -180), 180)), radius_m)
    reach = np.array(draw(st.lists(st.floats(0.2, 1), min_size=5, max_size=9))) * radius_m / 111_000
    turn = np.linspace(0, 2 * np.pi, len(reach), endpoint=False)
    corners = np.column_stack((lon + reach * np.cos(turn), np.clip(lat + reach * np.sin(turn), -90, 90)))
    return Polygon(np.clip(corners, (-180, -90), (180, 90)))


@settings(deadline=None)
@given(st.lists(areas(), min_size=1, max_size=12), st.data())
def test_the_tree_finds_what_looking_at_every_fence_finds(drawn: list[Area], data: st.DataObject) -> None:
    around = data.draw(st.sampled_from(drawn)).centroid
    lat = min(max(around.y + data.draw(st.floats(-0.8, 0.8)), -90), 90)
    lon = (around.x + data.draw(st.floats(-0.8, 0.8)) + 180) % 360 - 180
    accuracy_m = data.draw(st.sampled_from([0, 5, 50, 1_000, 50_000]))
    named = {f"f{number:02}": area for number, area in enumerate(drawn)}

    hits = fenced(**named).hits((lat, lon), accuracy_m)

    plainly = {name: plain_confidence(area, lon, lat, accuracy_m) for name, area in named.items()}
    assert hits == tuple((name, sure) for name, sure in plainly.items() if sure)


def test_twenty_five_thousand_fences_answer_as_one_would() -> None:
    lats, lons = np.meshgrid(np.linspace(37, 45, 100), np.linspace(5, 16, 250))
    named = {
        f"shop-{number:05}": square(lon, lat, 0.02)
        for number, (lat, lon) in enumerate(zip(lats.ravel().tolist(), lons.ravel().tolist(), strict=True))
    }

    index = fenced(**named)

    assert len(named) == 25_000
    for name in ("shop-00000", "shop-12345", "shop-24999"):
        middle = named[name].centroid
        assert index.hits((middle.y, middle.x), 20) == ((name, 3),)


def test_few_and_many_fences_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    random = Random(7)

    def somewhere() -> tuple[float, float]:
        return random.uniform(40, 44), random.uniform(8, 12)

    index = FenceIndex({f"f{n}": Fence(f"f{n}", "", circle(somewhere(), 20_000)) for n in range(60)})
    fixes = [(somewhere(), random.choice([5.0, 3_000.0, 40_000.0])) for _ in range(300)]
    few = [index.hits(point, accuracy_m) for point, accuracy_m in fixes]
    monkeypatch.setattr(fences, "FEW", 0)
    assert [index.hits(point, accuracy_m) for point, accuracy_m in fixes] == few
    assert any(few) and not all(few)


@given(
    st.lists(st.tuples(st.floats(9.9, 10.1), st.floats(43.4, 43.6), st.floats(20, 6_000)), min_size=1, max_size=4),
    st.lists(st.tuples(st.floats(9.85, 10.15), st.floats(43.35, 43.65), st.floats(0, 1_200)), min_size=1, max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_what_is_known_of_a_square_is_what_is_measured_from_the_point(
    circles: list[tuple[float, float, float]], points: list[tuple[float, float, float]]
) -> None:
    index = fenced(**{f"f{n}": circle((lat, lon), radius_m) for n, (lon, lat, radius_m) in enumerate(circles)})
    for lon, lat, accuracy_m in points:
        assert index.hits((lat, lon), accuracy_m) == index.measured((lat, lon), accuracy_m)


@pytest.mark.parametrize("lat", [-79.99, 0.0, 43.5558, 79.99])
def test_at_an_edge_and_at_the_corners_of_a_square_it_is_measured(lat: float) -> None:
    lon = 1_234 * fences.SQUARE
    index = fenced(here=circle((lat, lon), 700.0), hole=circle((lat, lon + 0.01), 90.0))
    east_m, _ = metres_per_degree(lat)
    told = 0
    for step in range(-60, 61):
        for up in (0.0, 1e-9, fences.SQUARE - 1e-9, fences.SQUARE / 2):
            point = (lat + up, lon + step * 30 / east_m)
            assert index.hits(point, 25.0) == index.measured(point, 25.0), point
            told += index._surely(point[1], point[0], 25.0) is not None
    assert 0 < told < 484, "some are known, some are measured"
