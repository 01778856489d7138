import csv
import re
from pathlib import Path

import msgspec
import pytest
import shapely
from geopy.distance import geodesic
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.distances import geodesic_m
from streams.errors import InvalidInput
from streams.fences import circle
from streams.place_files import load_places
from streams.places import (
    MIN_WITHIN_M,
    NOWHERE,
    STATUSES,
    Fence,
    Fix,
    Line,
    Places,
    Port,
    Venue,
    Whereabouts,
    fence_warnings,
    line_id,
)
from streams.whereabouts import cell_centre

EXAMPLE = load_places(Path(__file__).parents[1] / "deploy/campaigns/places")
VECTORS = Path(__file__).parent / "vectors"
QUEEN_SQUARE = (53.4084, -2.9830)


def livorno(*, disagreement_km: float = 1.35, verified: bool = True) -> Port:
    return Port(
        id="ITLIV",
        name="Livorno",
        country="IT",
        zone="Europe/Rome",
        lat=43.5558,
        lon=10.3019,
        aliases=("Leghorn",),
        disagreement_km=disagreement_km,
        verified=verified,
    )


def only(fence: Fence, port: Port) -> Places:
    return Places(ports={port.id: port}, fences={fence.id: fence})


def fix_at(lat: float, lon: float, accuracy_m: float = 20) -> Fix:
    return Fix(lat=lat, lon=lon, accuracy_m=accuracy_m, at=1_795_284_251_000)


def test_a_precise_fix_becomes_a_cell_and_its_fences() -> None:
    seen = EXAMPLE.resolve(fix_at(42.8152, 10.3258, 12), "precise")

    assert seen == Whereabouts(
        status="precise",
        cell="861eb11b7ffffff",
        accuracy_m=50,
        fences=(("elba", 3), ("terminal-itpfe", 3), ("tuscan-archipelago", 3)),
        at=1_795_284_251_000,
    )


def test_an_approximate_fix_is_less_sure_of_its_fences() -> None:
    seen = EXAMPLE.resolve(fix_at(42.8152, 10.3258, 4_000), "approximate")

    assert (seen.accuracy_m, seen.fences) == (5_000, (("elba", 3), ("terminal-itpfe", 2), ("tuscan-archipelago", 3)))


@pytest.mark.parametrize("status", ["denied", "off", "not_determined"])
def test_without_permission_no_fix_is_used_even_if_one_was_sent(status: str) -> None:
    assert EXAMPLE.resolve(fix_at(42.8152, 10.3258), status) == Whereabouts(status)


def test_no_fix_leaves_the_status_only() -> None:
    assert EXAMPLE.resolve(None, "precise") == Whereabouts("precise")


def test_a_fix_coarser_than_fifty_kilometres_places_nobody() -> None:
    seen = EXAMPLE.resolve(fix_at(42.8152, 10.3258, 50_001), "approximate")

    assert seen == Whereabouts("approximate", at=1_795_284_251_000)


def test_an_unknown_status_is_refused() -> None:
    with pytest.raises(InvalidInput, match="location status 'exact' is none of precise, approximate, denied") as raised:
        EXAMPLE.resolve(None, "exact")

    assert raised.value.code == "LOCATION_INVALID"


def test_whereabouts_repeat_while_a_customer_walks_about_a_harbour() -> None:
    walked = {EXAMPLE.resolve(fix_at(43.5558 + step / 10_000, 10.3019, 8 + step), "precise") for step in range(20)}

    assert len(walked) == 1


@settings(deadline=None)
@given(
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    accuracy_m=st.floats(0, 100_000),
    status=st.sampled_from(STATUSES),
)
def test_whereabouts_never_reveal_the_coordinates(lat: float, lon: float, accuracy_m: float, status: str) -> None:
    seen = EXAMPLE.resolve(Fix(lat=lat, lon=lon, accuracy_m=accuracy_m, at=7), status)

    written = msgspec.json.encode(seen).decode() + repr(seen)
    assert not re.search(r"\d\.\d", written)
    assert set(msgspec.structs.asdict(seen)) == {"status", "cell", "accuracy_m", "fences", "at"}
    assert (seen.cell is None) == (status not in ("precise", "approximate") or accuracy_m > 50_000)


def test_within_is_measured_from_the_centre_of_the_cell() -> None:
    seen = EXAMPLE.resolve(fix_at(43.70, 10.40), "precise")
    assert seen.cell is not None
    distance_m = geodesic_m(cell_centre(seen.cell), (43.5558, 10.3019))

    assert EXAMPLE.distance_m(seen.cell, "port:ITLIV") == distance_m
    assert [
        EXAMPLE.within(seen, "port:ITLIV", distance_m + more) for more in (-4_051, -4_049, -1, 0, 4_049, 4_051)
    ] == [0, 1, 1, 2, 2, 3]


@settings(deadline=None)
@given(
    bearing=st.floats(0, 360),
    metres=st.floats(0, 80_000),
    accuracy_m=st.floats(0, 25_000),
    radius_m=st.floats(MIN_WITHIN_M, 80_000),
)
def test_within_is_right_when_it_is_sure(bearing: float, metres: float, accuracy_m: float, radius_m: float) -> None:
    """Sure is sure but for the corners of a cell, which reach 62 m further than the error allows."""
    there = geodesic(meters=metres).destination((43.5558, 10.3019), bearing)
    seen = EXAMPLE.resolve(fix_at(there.latitude, there.longitude, accuracy_m), "precise")

    sure = EXAMPLE.within(seen, "port:ITLIV", radius_m)

    if sure == 3:
        assert metres <= radius_m + 65
    if sure == 0:
        assert metres > radius_m - 65


@settings(deadline=None)
@given(lat=st.floats(-90, 90), lon=st.floats(-180, 180), radii=st.tuples(st.floats(0, 2e7), st.floats(0, 2e7)))
def test_within_never_grows_less_sure_with_the_radius(lat: float, lon: float, radii: tuple[float, float]) -> None:
    seen = EXAMPLE.resolve(fix_at(lat, lon), "precise")
    small, large = sorted(radii)

    assert EXAMPLE.within(seen, "venue:lido-corallo", small) <= EXAMPLE.within(seen, "venue:lido-corallo", large)


def test_nobody_is_within_anything_without_a_cell_or_of_a_ship() -> None:
    ashore = EXAMPLE.resolve(fix_at(43.5558, 10.3019), "precise")

    assert EXAMPLE.within(NOWHERE, "port:ITLIV", 1e9) == 0
    assert EXAMPLE.within(ashore, "venue:spa-onda", 1e9) == 0
    with pytest.raises(InvalidInput, match="'venue:spa-onda' is on board and has no position; name a port") as raised:
        EXAMPLE.distance_m(str(ashore.cell), "venue:spa-onda")
    assert raised.value.code == "PLACE_MOVES"


@pytest.mark.parametrize(
    ("ref", "found"),
    [
        ("port:ITLIV", "ITLIV"),
        ("port:livorno", "ITLIV"),
        ("port:Leghorn", "ITLIV"),
        ("port:porto-torres", "ITPTO"),
        ("port:santa-teresa-gallura", "santa-teresa-gallura"),
        ("venue:lido-corallo", "lido-corallo"),
    ],
)
def test_a_place_has_a_reference(ref: str, found: str) -> None:
    assert EXAMPLE.place(ref).id == found


@pytest.mark.parametrize(
    ("ref", "message"),
    [
        ("port:livrono", "there is no port 'livrono'. Did you mean 'port:ITLIV' (Livorno)?"),
        ("venue:lido-coralo", "there is no venue 'lido-coralo'. Did you mean 'lido-corallo'?"),
        ("venue:", "there is no venue ''. None is spelt like it; look at the deployment's venues."),
        ("port:", "'port:' is no place; write 'port:ITLIV', 'port:livorno', 'venue:<id>'"),
        ("ITLIV", "'ITLIV' is no place; write 'port:ITLIV', 'port:livorno', 'venue:<id>'"),
        ("fence:elba", "'fence:elba' is no place; write 'port:ITLIV', 'port:livorno', 'venue:<id>'"),
    ],
)
def test_an_unknown_place_is_answered_with_the_nearest_spelling(ref: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        EXAMPLE.place(ref)

    assert (raised.value.code, raised.value.message) == ("UNKNOWN_PLACE", message)


def test_unknown_fences_and_lines_are_answered_with_the_nearest_spelling() -> None:
    assert EXAMPLE.fence("elba").name == "Isola d'Elba"
    assert EXAMPLE.line("ITOLB-ITLIV").origin == "ITOLB"
    with pytest.raises(InvalidInput, match=r"there is no fence 'elbe'\. Did you mean 'elba'"):
        EXAMPLE.fence("elbe")
    with pytest.raises(InvalidInput, match=r"there is no line 'ITLIV-ITOBL'\. Did you mean 'ITLIV-ITOLB'"):
        EXAMPLE.line("ITLIV-ITOBL")


def test_every_line_also_runs_back() -> None:
    there = Line("santa-teresa-gallura-FRBON", "santa-teresa-gallura", "FRBON", 15.8, "Moby")

    places = Places(lines={there.id: there})

    back = Line("FRBON-santa-teresa-gallura", "FRBON", "santa-teresa-gallura", 15.8, "Moby")
    assert places.lines == {"FRBON-santa-teresa-gallura": back, "santa-teresa-gallura-FRBON": there}
    assert Places(lines=places.lines).lines == places.lines
    assert line_id("santa-teresa-gallura", "FRBON") == there.id


def test_the_nearest_port_of_a_cell() -> None:
    seen = EXAMPLE.resolve(fix_at(43.60, 10.32), "precise")
    assert seen.cell is not None

    assert EXAMPLE.nearest_port(seen) == ("ITLIV", EXAMPLE.distance_m(seen.cell, "port:ITLIV"))
    assert EXAMPLE.nearest_port(NOWHERE) is None
    assert Places().nearest_port(seen) is None


def test_a_ship_or_a_place_without_one_coordinate_has_no_position() -> None:
    assert Venue("spa", "Spa", "spa", on_board=True).position is None
    assert Venue("lido", "Lido", "beach_club", lat=40.95, lon=9.565).position == (40.95, 9.565)


def test_sixteen_bus_trips_enter_and_leave_a_fence_in_their_city() -> None:
    places = Places(fences={"queen-square": Fence("queen-square", "Queen Square", circle(QUEEN_SQUARE, 500))})
    with (VECTORS / "route14_outbound.csv").open(newline="") as trace:
        fixes = [fix_at(float(row["latitude"]), float(row["longitude"])) for row in csv.DictReader(trace)]

    seen = [places.resolve(fix, "precise") for fix in fixes]

    assert len(seen) == 1_533
    assert {one.cell for one in seen} == {"861951077ffffff", "86195115fffffff"}
    sure = [dict(one.fences).get("queen-square", 0) for one in seen]
    assert {confidence: sure.count(confidence) for confidence in range(4)} == {0: 1_234, 1: 14, 2: 5, 3: 280}
    assert [one >= 2 for one in sure] == [geodesic_m(QUEEN_SQUARE, (fix.lat, fix.lon)) < 500 for fix in fixes]


@pytest.mark.parametrize(("lat", "lon"), [(90, 0), (-90, 180), (0, 180), (0, -180), (-16.8, 180)])
def test_poles_and_the_antimeridian_are_places_like_others(lat: float, lon: float) -> None:
    taveuni = Fence("taveuni", "Taveuni", circle((-16.8, -179.99), 20_000))
    places = only(taveuni, livorno())

    seen = places.resolve(fix_at(lat, lon, 50_000), "precise")

    assert [name for name, _ in seen.fences] == (["taveuni"] if lat == -16.8 else [])
    assert places.within(seen, "port:ITLIV", 21_000_000) == 3
    assert places.nearest_port(seen) == ("ITLIV", places.distance_m(str(seen.cell), "port:ITLIV"))


@pytest.mark.parametrize(
    ("radius_m", "disagreement_km", "verified", "message"),
    [
        (1_999, 0, True, "is 2.00 km from the gazetteer's point for Livorno, whose sources disagree by 0.00 km"),
        (3_000, 4.15, True, "disagree by 4.15 km; draw it 4.15 km away or more, or draw it from a map and drop 'seed'"),
        (3_000, 0, False, "is drawn around Livorno, whose position nobody verified"),
        (2_000, 1.35, True, ""),
        (4_150, 4.15, True, ""),
    ],
)
def test_a_circle_finer_than_the_gazetteer_is_warned_about(
    radius_m: float, disagreement_km: float, verified: bool, message: str
) -> None:
    port = livorno(disagreement_km=disagreement_km, verified=verified)
    fence = Fence("quay", "Quay", circle(port.position, radius_m), seed="ITLIV", radius_m=radius_m)

    warnings = fence_warnings(only(fence, port))

    assert [(warning.code, warning.fence) for warning in warnings] == (
        [("FENCE_FINER_THAN_GAZETTEER", "quay")] if message else []
    )
    assert message in "".join(warning.message for warning in warnings)


def test_a_polygon_around_a_port_is_measured_to_its_nearest_edge() -> None:
    port = livorno()
    near = Fence("quay", "Quay", shapely.box(10.29, 43.0, 11.0, 44.0), seed="ITLIV")
    drawn = Fence("drawn", "Drawn from a map", shapely.box(10.29, 43.0, 11.0, 44.0))

    warnings = fence_warnings(Places(ports={"ITLIV": port}, fences={"quay": near, "drawn": drawn}))

    assert [warning.fence for warning in warnings] == ["quay"]
    assert "the edge of 'quay' is 0.96 km from the gazetteer's point for Livorno" in warnings[0].message


def test_the_example_operators_only_doubtful_fence_is_the_port_nobody_verified() -> None:
    assert [warning.fence for warning in fence_warnings(EXAMPLE)] == ["terminal-santa-teresa-gallura"]
