import math
import re

import h3
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.distances import geodesic_m
from streams.errors import InvalidInput
from streams.whereabouts import (
    ACCURACY_LADDER_M,
    CELL_ERROR_M,
    NOWHERE,
    Fix,
    Whereabouts,
    cell_centre,
    cell_distance_m,
    cell_of,
    confidence_within,
    rung,
)

NOT_NUMBERS = [math.nan, math.inf, -math.inf, "43.5558", None, True, 10**400]


@pytest.mark.parametrize("bad", [90.0000001, -91, 1e308, *NOT_NUMBERS])
def test_a_latitude_that_is_none_is_refused_without_repeating_it(bad: object) -> None:
    with pytest.raises(InvalidInput, match=r"lat is .* \(its value is not repeated\); send WGS84 degrees") as raised:
        Fix(lat=bad, lon=10.3019, accuracy_m=20, at=0)  # type: ignore[arg-type]

    assert raised.value.code == "LOCATION_INVALID"
    assert "10.3019" not in raised.value.message
    assert str(bad) not in raised.value.message


@pytest.mark.parametrize("bad", [180.0000001, -181, *NOT_NUMBERS])
def test_a_longitude_that_is_none_is_refused(bad: object) -> None:
    with pytest.raises(InvalidInput, match=r"lon is ") as raised:
        Fix(lat=43.5558, lon=bad, accuracy_m=20, at=0)  # type: ignore[arg-type]

    assert raised.value.code == "LOCATION_INVALID"
    assert "43.5558" not in raised.value.message


@pytest.mark.parametrize(("lat", "lon"), [(90, 180), (-90, -180), (0, 0), (90.0, -0.0)])
def test_the_ends_of_the_range_are_places(lat: float, lon: float) -> None:
    assert h3.is_valid_cell(cell_of(Fix(lat=lat, lon=lon, accuracy_m=0, at=0)))


@pytest.mark.parametrize(
    ("accuracy_m", "message"),
    [
        (None, "accuracy_m is missing; send the radius in metres that the phone gives"),
        (-1.0, "accuracy_m is -1: phones say so when they have no position; send status 'not_determined' instead"),
        (math.nan, "accuracy_m is nan, not a finite number; send the radius in metres that the phone gives"),
        (math.inf, "accuracy_m is inf, not a finite number; send the radius in metres that the phone gives"),
    ],
)
def test_an_accuracy_that_is_none_is_refused_with_its_mend(accuracy_m: object, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        Fix(lat=43.5558, lon=10.3019, accuracy_m=accuracy_m, at=0)  # type: ignore[arg-type]

    assert (raised.value.code, raised.value.message) == ("LOCATION_INVALID", message)


def test_a_fix_shows_no_coordinates() -> None:
    fix = Fix(lat=43.5558, lon=10.3019, accuracy_m=20, at=1_795_284_251_000)

    assert repr(fix) == "Fix(accuracy_m=20, at=1795284251000)"
    assert str(fix) == repr(fix)


def test_whereabouts_are_hashable_and_survive_the_wire() -> None:
    seen = Whereabouts("precise", "861eb5217ffffff", 50, (("elba", 3), ("terminal-itpfe", 1)), 5)

    assert msgspec.msgpack.decode(msgspec.msgpack.encode(seen), type=Whereabouts) == seen
    assert len({seen, msgspec.json.decode(msgspec.json.encode(seen), type=Whereabouts)}) == 1
    assert NOWHERE == Whereabouts(status="not_determined", cell=None, accuracy_m=0, fences=(), at=0)


@settings(deadline=None)
@given(st.floats(0, 50_000))
def test_accuracy_is_rounded_up_to_the_next_rung(accuracy_m: float) -> None:
    rounded = rung(accuracy_m)

    assert rounded == min(step for step in ACCURACY_LADDER_M if step >= accuracy_m)


def test_an_accuracy_beyond_the_ladder_has_no_rung() -> None:
    assert rung(50_000.1) is None


def test_a_cell_is_as_coarse_as_its_error_says() -> None:
    """Corners reach 62 m further than CELL_ERROR_M around here, which its documentation admits."""
    reached = []
    for lat, lon in [(lat / 4, lon / 4) for lat in range(148, 180) for lon in range(8, 64)]:
        cell = cell_of(Fix(lat=lat, lon=lon, accuracy_m=20, at=0))
        corner = max(geodesic_m(cell_centre(cell), corner) for corner in h3.cell_to_boundary(cell)[:3])
        reached.append(corner)

    assert 3_500 < min(reached)
    assert max(reached) < CELL_ERROR_M + 65


def test_the_distance_from_a_cell_is_the_geodesic_from_its_centre() -> None:
    cell = cell_of(Fix(lat=43.5558, lon=10.3019, accuracy_m=20, at=0))

    assert cell_distance_m(cell, 40.9228, 9.5179) == geodesic_m(h3.cell_to_latlng(cell), (40.9228, 9.5179))


@settings(deadline=None)
@given(distance_m=st.floats(0, 1e6), error_m=st.floats(0, 6e4), radii=st.tuples(st.floats(0, 1e6), st.floats(0, 1e6)))
def test_confidence_never_falls_as_the_radius_grows(
    distance_m: float, error_m: float, radii: tuple[float, float]
) -> None:
    small, large = sorted(radii)

    assert confidence_within(distance_m, error_m, small) <= confidence_within(distance_m, error_m, large)


@pytest.mark.parametrize(
    ("radius_m", "confidence"), [(24_049, 0), (24_050, 1), (28_099, 1), (28_100, 2), (32_149, 2), (32_150, 3)]
)
def test_confidence_steps_where_the_error_says(radius_m: float, confidence: int) -> None:
    assert confidence_within(28_100, CELL_ERROR_M + 50, radius_m) == confidence


@settings(deadline=None)
@given(lat=st.floats(-89, 89), lon=st.floats(-180, 180))
def test_nothing_written_about_a_fix_has_a_decimal_degree_in_it(lat: float, lon: float) -> None:
    fix = Fix(lat=lat, lon=lon, accuracy_m=20, at=7)

    assert not re.search(r"\d\.\d", repr(fix))
