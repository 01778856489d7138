from pathlib import Path

import pytest
from geopy.exc import GeocoderServiceError
from geopy.geocoders.base import Geocoder
from geopy.point import Point
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.distances import geodesic_m
from streams.errors import InvalidInput
from streams.gazetteer import Gazetteer, Port, folded, slug
from streams.place_files import load_places

EXAMPLE = load_places(Path(__file__).parents[1] / "deploy/campaigns/places")


def port(name: str, lat: float = 43.0, lon: float = 10.0, *, code: str = "", aliases: tuple[str, ...] = ()) -> Port:
    return Port(id=code or slug(name), name=name, country="IT", zone="Europe/Rome", lat=lat, lon=lon, aliases=aliases)


@pytest.mark.parametrize(
    ("port_id", "spellings"),
    [
        ("ITLIV", ["Livorno", "LIVORNO", "Leghorn", "Livourne", "ITLIV", "itliv", "  livorno "]),
        ("ITGOA", ["Genova", "Genoa", "Genua", "Gênes", "genes", "GÊNES"]),
        ("ITNAP", ["Napoli", "Naples", "Neapel"]),
        ("FRNCE", ["Nice", "Nizza"]),
        ("FRILR", ["L'Ile-Rousse", "L’Île Rousse", "l ile rousse", "Isola Rossa"]),
        ("FRMRS", ["Marseille", "Marseilles", "Marsiglia"]),
        ("santa-teresa-gallura", ["Santa Teresa Gallura", "santa-teresa-gallura", "Santa Teresa di Gallura"]),
    ],
)
def test_a_port_is_found_by_name_code_and_alias_in_four_languages(port_id: str, spellings: list[str]) -> None:
    found = [EXAMPLE.gazetteer.geocode(spelling) for spelling in spellings]

    assert [location.raw.id for location in found] == [port_id] * len(spellings)


def test_a_location_is_geopys_and_holds_the_port() -> None:
    livorno = port("Livorno", 43.5558, 10.3019, code="ITLIV")

    location = Gazetteer([livorno]).geocode("livorno")

    assert isinstance(Gazetteer([]), Geocoder)
    assert (location.address, location.latitude, location.longitude) == ("Livorno, IT", 43.5558, 10.3019)
    assert location.raw is livorno


def test_exactly_one_or_a_list_as_geopy_has_it() -> None:
    gazetteer = Gazetteer([port("Livorno", code="ITLIV")])

    assert [location.raw.id for location in gazetteer.geocode("livorno", exactly_one=False)] == ["ITLIV"]
    assert gazetteer.geocode("Atlantis", exactly_one=False) is None
    assert gazetteer.geocode("Atlantis", timeout=1) is None


def test_reverse_finds_the_nearest_port_in_every_form_of_a_point() -> None:
    points = [(43.55, 10.3), "43.55, 10.3", Point(43.55, 10.3)]

    assert [EXAMPLE.gazetteer.reverse(point).raw.id for point in points] == ["ITLIV"] * 3


def test_reverse_lists_all_ports_nearest_first() -> None:
    gazetteer = Gazetteer([port("South", 40.0), port("North", 44.0), port("Middle", 42.0)])

    listed = gazetteer.reverse((41.8, 10.0), exactly_one=False)

    assert [location.raw.id for location in listed] == ["middle", "south", "north"]


@pytest.mark.parametrize("no_point", ["near the harbour", (91, 10), (float("nan"), 10), ()])
def test_reverse_of_what_is_no_point_says_so_without_repeating_it(no_point: object) -> None:
    with pytest.raises(InvalidInput, match=r"not a point; give \(lat, lon\) in degrees, or '43.55, 10.30'") as raised:
        EXAMPLE.gazetteer.reverse(no_point)

    assert raised.value.code == "LOCATION_INVALID"


@settings(deadline=None)
@given(lat=st.floats(-89, 89), lon=st.floats(-180, 180))
def test_the_nearest_port_is_the_nearest_by_the_geodesic(lat: float, lon: float) -> None:
    found, distance_m = EXAMPLE.gazetteer.nearest((lat, lon))

    assert distance_m == min(geodesic_m((lat, lon), one.position) for one in EXAMPLE.ports.values())
    assert distance_m == geodesic_m((lat, lon), found.position)


def test_without_ports_nothing_is_near() -> None:
    assert Gazetteer([]).reverse((43, 10)) is None
    with pytest.raises(InvalidInput, match=r"the gazetteer has no ports; add them to ports\.geojson"):
        Gazetteer([]).nearest((43, 10))


@pytest.mark.parametrize(
    ("slip", "meant"),
    [("Livrono", "Livorno"), ("Genovva", "Genova"), ("portoferaio", "Portoferraio"), ("nizz", "Nice")],
)
def test_the_nearest_spelling_comes_first(slip: str, meant: str) -> None:
    assert EXAMPLE.gazetteer.suggest(slip)[0] == meant


def test_a_port_is_suggested_once_however_many_of_its_names_are_near() -> None:
    gazetteer = Gazetteer([port("Marseille", code="FRMRS", aliases=("Marseilles", "Marsiglia")), port("Marsala")])

    assert gazetteer.suggest("Marseile") == ["Marseille", "Marsala"]
    assert gazetteer.suggest("Qwxyz") == []


def test_two_ports_may_not_share_a_spelling() -> None:
    with pytest.raises(InvalidInput, match=r"'nizza' names both FRNCE and ITNIZ; take that alias off one") as raised:
        Gazetteer([port("Nice", code="FRNCE", aliases=("Nizza",)), port("Nizza", code="ITNIZ")])

    assert raised.value.code == "AMBIGUOUS_NAME"


def test_the_ports_come_by_id() -> None:
    assert [one.id for one in Gazetteer([port("B"), port("C"), port("A")])] == ["a", "b", "c"]


def test_no_call_can_reach_a_server() -> None:
    with pytest.raises(GeocoderServiceError, match="asks no server"):
        EXAMPLE.gazetteer.adapter.get_json("https://geocoder.example", timeout=1, headers={})


@pytest.mark.parametrize("name", ["Gênes", "GENES", "gênes", "ge\u0302nes", " genes "])
def test_spellings_that_differ_in_case_accent_and_space_fold_to_one(name: str) -> None:
    assert folded(name) == "genes"
