import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from streams.distances import geodesic_m
from streams.errors import InvalidInput
from streams.place_files import load_places
from streams.places import Fix, Port, Venue

EXAMPLE = Path(__file__).parents[1] / "deploy/campaigns/places"
LIVORNO = {"name": "Livorno", "country": "IT", "locode": "ITLIV", "zone": "Europe/Rome"}


def write(folder: Path, name: str, properties: Mapping[str, object], lon_lat: list[float] | None = None) -> Path:
    geometry = None if lon_lat is None else {"type": "Point", "coordinates": lon_lat}
    feature = {"type": "Feature", "properties": properties, "geometry": geometry}
    (folder / name).write_text(json.dumps({"type": "FeatureCollection", "features": [feature]}), encoding="utf-8")
    return folder


def test_a_port_is_read_with_its_doubts(tmp_path: Path) -> None:
    row = LIVORNO | {"aliases": ["Leghorn"], "max_disagreement_km": 1.35, "verified": True, "coord_source": "ne"}

    places = load_places(write(tmp_path, "ports.geojson", row, [10.3019, 43.5558]))

    assert places.ports["ITLIV"] == Port(
        id="ITLIV",
        name="Livorno",
        country="IT",
        zone="Europe/Rome",
        lat=43.5558,
        lon=10.3019,
        aliases=("Leghorn",),
        disagreement_km=1.35,
        verified=True,
    )


def test_a_port_without_a_code_is_called_by_its_name_and_not_verified_unless_said(tmp_path: Path) -> None:
    row = LIVORNO | {"name": "Santa Teresa Gallura", "locode": None}

    places = load_places(write(tmp_path, "ports.geojson", row, [9.1908, 41.242]))

    assert [(port.id, port.verified) for port in places.ports.values()] == [("santa-teresa-gallura", False)]


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        ({"locode": "LIV"}, "PORT_INVALID", "locode 'LIV' is none of IT; write one such as 'ITLIV', or null"),
        ({"country": "FR"}, "PORT_INVALID", "locode 'ITLIV' is none of FR; write one such as 'ITLIV', or null"),
        (
            {"zone": "Europe/Livorno"},
            "PORT_INVALID",
            "zone 'Europe/Livorno' is no IANA zone; write one such as Europe/Rome",
        ),
        ({"zone": "Europe"}, "PORT_INVALID", "zone 'Europe' is no IANA zone"),
        ({"zone": "../etc"}, "PORT_INVALID", "zone '../etc' is no IANA zone"),
        ({"max_disagreement_km": -1}, "PORT_INVALID", "max_disagreement_km is -1; write 0 or more"),
    ],
)
def test_a_bad_port_says_which_and_what_to_write(
    tmp_path: Path, change: dict[str, object], code: str, message: str
) -> None:
    with pytest.raises(InvalidInput) as raised:
        load_places(write(tmp_path, "ports.geojson", LIVORNO | change, [10.3019, 43.5558]))

    assert raised.value.code == code
    assert raised.value.message.startswith(f"ports.geojson: feature 1 'Livorno': {message}")


def test_two_ports_with_one_spelling_say_so_with_the_file(tmp_path: Path) -> None:
    rows = [LIVORNO, {"name": "Leghorn", "country": "IT", "zone": "Europe/Rome", "aliases": ["Livorno"]}]
    point = {"type": "Point", "coordinates": [10.3, 43.5]}
    features = [{"type": "Feature", "properties": row, "geometry": point} for row in rows]
    (tmp_path / "ports.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))

    with pytest.raises(InvalidInput, match=r"ports\.geojson: 'livorno' names both ITLIV and leghorn") as raised:
        load_places(tmp_path)

    assert raised.value.code == "AMBIGUOUS_NAME"


@pytest.mark.parametrize(
    ("row", "lon_lat", "code", "message"),
    [
        ({"port": "ITLVI"}, [10.3, 43.5], "UNKNOWN_PLACE", "port 'ITLVI' is no port's id; write one of ports.geojson"),
        ({"line": "ITLIV-ITOLB", "on_board": True}, None, "UNKNOWN_PLACE", "line 'ITLIV-ITOLB' is no line's id; join"),
        ({}, None, "VENUE_INVALID", "has no position; give a Point, or set on_board"),
        (
            {"on_board": True},
            [10.3, 43.5],
            "VENUE_INVALID",
            "is on board and has a position; a ship moves: set geometry",
        ),
        ({"id": "Lido!"}, [10.3, 43.5], "ID_INVALID", "id 'Lido!' is no slug"),
        ({}, [10.3, 91.0], "POSITION_INVALID", "[10.3, 91.0] is no position"),
    ],
)
def test_a_bad_venue_says_which_and_what_to_write(
    tmp_path: Path, row: dict[str, object], lon_lat: list[float] | None, code: str, message: str
) -> None:
    venue: dict[str, object] = {"id": "lido", "name": "Lido", "kind": "beach_club"}

    with pytest.raises(InvalidInput) as raised:
        load_places(write(tmp_path, "venues.geojson", venue | row, lon_lat))

    assert raised.value.code == code
    assert raised.value.message.startswith(f"venues.geojson: feature 1 '{row.get('id', 'lido')}': {message}")


def test_an_empty_folder_is_a_deployment_without_places(tmp_path: Path) -> None:
    places = load_places(tmp_path)

    assert (places.ports, places.lines, places.fences, places.venues) == ({}, {}, {}, {})


def test_a_folder_that_is_not_there_or_a_misnamed_file_is_no_quiet_nothing(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"nowhere: is no folder; make it, with ports\.geojson in it"):
        load_places(tmp_path / "nowhere")
    (tmp_path / "LICENCES.md").write_text("for people")
    (tmp_path / "fence.geojson").write_text("{}")
    with pytest.raises(
        InvalidInput, match=r"fence\.geojson: is none of ports\.geojson, lines\.csv, .* rename"
    ) as raised:
        load_places(tmp_path)
    assert raised.value.code == "PLACE_FILE_UNKNOWN"


def test_the_example_operator_sails_fourteen_lines_both_ways_between_fourteen_of_34_ports() -> None:
    places = load_places(EXAMPLE)

    served = {line.origin for line in places.lines.values()}
    assert (len(places.ports), len(places.lines), len(served)) == (34, 28, 14)
    assert {f"terminal-{port.lower()}" for port in served} == {
        fence.id for fence in places.fences.values() if fence.kind == "terminal"
    }
    for line in places.lines.values():
        ends = places.ports[line.origin].position, places.ports[line.destination].position
        assert abs(line.distance_km - geodesic_m(*ends) / 1_000) < 0.06


@pytest.mark.parametrize(("country", "zone"), [("IT", "Europe/Rome"), ("FR", "Europe/Paris"), ("ES", "Europe/Madrid")])
def test_the_example_operators_ports_keep_their_countrys_time(country: str, zone: str) -> None:
    zones = {port.zone for port in load_places(EXAMPLE).ports.values() if port.country == country}

    assert zones == {zone}


@pytest.mark.parametrize(
    ("fence", "ports"),
    [
        ("elba", {"ITPFE", "ITRMA"}),
        ("sardinia-north-east", {"ITOLB", "ITGAI", "ITMDA", "ITPAU", "santa-teresa-gallura"}),
        ("corsica", {"FRBIA", "FRAJA", "FRBON", "FRILR", "FRCLY", "FRPVO", "FRPRP"}),
        ("sicily", {"ITPMO", "ITTPS", "ITCTA", "ITMSN", "ITPEM"}),
        ("strait-of-bonifacio", set()),
    ],
)
def test_the_example_operators_islands_hold_their_ports_and_no_others(fence: str, ports: set[str]) -> None:
    places = load_places(EXAMPLE)

    held = {
        port.id
        for port in places.ports.values()
        if (fence, 3) in places.resolve(Fix(port.lat, port.lon, accuracy_m=20, at=0), "precise").fences
    }
    assert held == ports


def test_the_example_operator_has_venues_on_board_and_ashore_near_their_ports() -> None:
    places = load_places(EXAMPLE)

    assert places.venues["bar-vesuvio"] == Venue("bar-vesuvio", "Bar Vesuvio", "bar", line="ITNAP-ITPMO", on_board=True)
    ashore = [venue for venue in places.venues.values() if not venue.on_board]
    assert (len(places.venues), len(ashore)) == (13, 9)
    for venue in ashore:
        assert venue.port is not None and venue.position is not None
        assert geodesic_m(venue.position, places.ports[venue.port].position) < 6_000
