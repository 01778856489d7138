from pathlib import Path

import pytest
from geopy.distance import geodesic

from streams.distances import geodesic_m, great_circle_m, metres_per_degree, ring

VECTORS = Path(__file__).parent / "vectors"
LIVORNO, OLBIA, GENOVA, CAGLIARI = (43.5558, 10.3019), (40.9228, 9.5179), (44.4147, 8.9153), (39.2042, 9.1076)


def test_geodesics_agree_with_the_published_ones_to_a_micrometre() -> None:
    rows = [[float(cell) for cell in row.split()] for row in (VECTORS / "GeodTest-100.dat").read_text().splitlines()]

    errors = [abs(geodesic_m((lat1, lon1), (lat2, lon2)) - s12) for lat1, lon1, _, lat2, lon2, _, s12, *_ in rows]

    assert len(errors) == 100
    assert max(errors) < 1e-6


@pytest.mark.parametrize(("a", "b"), [(LIVORNO, OLBIA), (GENOVA, CAGLIARI), (LIVORNO, GENOVA)])
def test_the_great_circle_is_off_by_up_to_28_hundredths_of_a_percent_in_these_waters(
    a: tuple[float, float], b: tuple[float, float]
) -> None:
    off = abs(great_circle_m(a, b) / geodesic_m(a, b) - 1)

    assert 0 < off < 0.0028


def test_the_great_circle_stays_within_the_slack_that_shortlists_allow() -> None:
    along_a_meridian = great_circle_m((-1, 0), (1, 0)) / geodesic_m((-1, 0), (1, 0))
    over_the_pole = great_circle_m((89, 0), (89, 180)) / geodesic_m((89, 0), (89, 180))

    assert 1.0055 < along_a_meridian < 1.0057
    assert 0.9954 < over_the_pole < 0.9956


@pytest.mark.parametrize(("metres", "stated"), [(5_000, 0.0004), (50_000, 0.004)])
def test_the_flat_map_is_as_wrong_as_it_says(metres: float, stated: float) -> None:
    lat, lon = 45.0, 10.0
    east, north = metres_per_degree(lat)

    for bearing in range(0, 360, 15):
        there = geodesic(meters=metres).destination((lat, lon), bearing)
        flat = (((there.longitude - lon) * east) ** 2 + ((there.latitude - lat) * north) ** 2) ** 0.5
        assert abs(flat / metres - 1) < stated


@pytest.mark.parametrize("lat", [-90.0, 90.0])
def test_the_flat_map_at_a_pole_has_no_width_but_is_not_zero(lat: float) -> None:
    east, north = metres_per_degree(lat)

    assert 0 < east < 0.001
    assert round(north) == 111_694


@pytest.mark.parametrize("lat", [-89.0, -41.2, 0.0, 43.5558, 75.0])
@pytest.mark.parametrize("radius_m", [50, 3_000, 200_000])
def test_a_ring_agrees_with_geopys_destinations_to_a_tenth_of_a_millimetre(lat: float, radius_m: float) -> None:
    points = ring((lat, 10.3), radius_m, 12).tolist()

    for number, (lon, ringed) in enumerate(points):
        there = geodesic(meters=radius_m).destination((lat, 10.3), number * 30)
        assert geodesic_m((ringed, (lon + 180) % 360 - 180), (there.latitude, there.longitude)) < 1e-4


def test_a_ring_runs_on_past_the_antimeridian() -> None:
    longitudes = ring((0, 179.99), 5_000, 4)[:, 0].tolist()

    assert [round(lon, 3) for lon in longitudes] == [179.99, 180.035, 179.99, 179.945]
