"""What a fence is too fine, or too far away, for: said only where it is certain."""

import math
import shutil
from pathlib import Path

import pytest
import shapely

from offers.folder import load_folder
from streams.fence_reach import far_fences, finer_than_approximate, reach_m
from streams.fences import Area, Fence, circle
from streams.places import Places, Port, Venue
from tests.golden_case import DEPLOYMENT, example

LIVORNO = (43.5558, 10.3019)


PORTS = {"ITLIV": Port("ITLIV", "Livorno", "IT", "Europe/Rome", *LIVORNO)}


def square(metres: float, lat: float = 43.5558, lon: float = 10.3019) -> Area:
    """Of so many metres a side, nearly."""
    high, wide = metres / 111_104, metres / 80_802
    return shapely.box(lon - wide / 2, lat - high / 2, lon + wide / 2, lat + high / 2)


@pytest.mark.parametrize(("side_m", "fine"), [(1_950, True), (2_100, False), (40_000, False)])
def test_a_square_is_as_fine_as_half_its_side(side_m: float, fine: bool) -> None:
    fence = Fence("f", "F", square(side_m))
    assert math.isclose(reach_m(fence), side_m / 2, abs_tol=25)
    assert finer_than_approximate(fence) is fine


def test_a_long_quay_is_fine_however_long_it_is() -> None:
    quay = shapely.box(10.20, 43.55, 10.40, 43.56)
    assert finer_than_approximate(Fence("quay", "Quay", quay))
    assert not finer_than_approximate(Fence("both", "Both", shapely.MultiPolygon([quay, square(5_000, 43.0)])))


@pytest.mark.parametrize(("radius_m", "fine"), [(999.0, True), (1_000.0, False)])
def test_a_circle_is_as_fine_as_its_radius(radius_m: float, fine: bool) -> None:
    assert finer_than_approximate(Fence("c", "C", circle(LIVORNO, radius_m), radius_m=radius_m)) is fine


def test_a_fence_with_its_axes_swapped_is_said_to_be() -> None:
    swapped = Fence("spa", "Spa", shapely.box(43.5, 10.2, 43.6, 10.3))
    (warning,) = far_fences(Places(ports=PORTS, fences={"spa": swapped}))
    assert (warning.code, warning.fence) == ("FENCE_FAR_AWAY", "spa")
    assert warning.message == (
        "'spa' lies 4,890 km from the nearest port or venue, and would be near one with longitude and latitude "
        "swapped; longitude comes first"
    )


def test_a_fence_in_another_sea_is_asked_about() -> None:
    oslo = Fence("oslo", "Oslo", square(3_000, 59.9, 10.7))
    (warning,) = far_fences(Places(ports=PORTS, fences={"oslo": oslo}))
    assert warning.message.startswith("'oslo' lies 1,8") and warning.message.endswith("is it drawn where it is meant?")


@pytest.mark.parametrize(
    "fence",
    [
        Fence("near", "Near", square(3_000, 43.9, 11.2)),
        Fence("wide", "As wide as a continent", shapely.box(-20, 35, 60, 60)),
        Fence("sea", "A sea", square(3_000, 59.9, 10.7), kind="sea"),
    ],
    ids=lambda fence: fence.id,
)
def test_what_may_be_meant_is_not_asked_about(fence: Fence) -> None:
    assert far_fences(Places(ports=PORTS, fences={fence.id: fence})) == []


def test_without_a_place_there_is_nothing_to_be_far_from() -> None:
    far = Fence("oslo", "Oslo", square(3_000, 59.9, 10.7))
    assert far_fences(Places(fences={"oslo": far})) == []
    aboard = Venue("spa", "Spa", "spa", on_board=True)
    assert far_fences(Places(fences={"oslo": far}, venues={"spa": aboard})) == []


def test_the_example_operators_fences_are_where_they_are_meant() -> None:
    places = example().places
    assert far_fences(places) == []
    assert [fence for fence in places.fences if finer_than_approximate(places.fences[fence])] == ["town-bastia"]


def test_a_condition_that_guesses_is_told_and_one_that_asks_for_certainty_is_not(tmp_path: Path) -> None:
    campaigns = tmp_path / "campaigns"
    shutil.copytree(DEPLOYMENT, campaigns)
    file = campaigns / "islands" / "museum-bastia.yaml"
    text = file.read_text()
    both = "inside: [fence:town-bastia, fence:terminal-frbia], min_confidence: 2"
    assert both in text
    quiet = load_folder(campaigns).findings

    def said(asked: str) -> list[str]:
        file.write_text(text.replace(both, asked))
        return [str(found) for found in load_folder(campaigns).findings if found not in quiet]

    assert said("inside: fence:town-bastia") == [
        "islands/museum-bastia.yaml:7:26: FENCE_TOO_FINE warning: no point of town-bastia lies 1 km inside, and a "
        "phone with approximate location knows no better. Write 'min_confidence: 3', or draw a larger fence."
    ]
    assert said("inside: fence:town-bastia, min_confidence: 3") == []
