from pathlib import Path

import pytest

from streams.errors import InvalidInput
from streams.gazetteer import Gazetteer, Port
from streams.line_files import load_lines
from streams.places import Line

GAZETTEER = Gazetteer(
    [
        Port("ITLIV", "Livorno", "IT", "Europe/Rome", 43.5558, 10.3019, aliases=("Leghorn",)),
        Port("ITOLB", "Olbia", "IT", "Europe/Rome", 40.9228, 9.5179),
        Port("FRBIA", "Bastia", "FR", "Europe/Paris", 42.7, 9.4519),
    ]
)
HEADER = "from,to,operator,kind,season_note,great_circle_km"


def write(folder: Path, *rows: str, header: str = HEADER) -> Path:
    file = folder / "lines.csv"
    file.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return file


def test_a_passenger_line_runs_both_ways(tmp_path: Path) -> None:
    lines = load_lines(write(tmp_path, 'Livorno,Olbia,Moby,passenger,"all year, daily",299.5'), GAZETTEER)

    assert lines == {
        "ITLIV-ITOLB": Line("ITLIV-ITOLB", "ITLIV", "ITOLB", 299.5, "Moby"),
        "ITOLB-ITLIV": Line("ITOLB-ITLIV", "ITOLB", "ITLIV", 299.5, "Moby"),
    }


def test_a_missing_distance_is_the_geodesic_between_the_ports(tmp_path: Path) -> None:
    lines = load_lines(write(tmp_path, "Leghorn,FRBIA,Moby,passenger,,"), GAZETTEER)

    assert round(lines["ITLIV-FRBIA"].distance_km, 1) == 117.6


def test_freight_and_unserved_lines_are_left_out_whatever_their_ports(tmp_path: Path) -> None:
    rows = ["Livorno,Olbia,Moby,freight,,", "Termoli,Isole Tremiti,Tirrenia,unserved,,"]

    assert load_lines(write(tmp_path, *rows), GAZETTEER) == {}


def test_a_spreadsheets_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    file = write(tmp_path, "Livorno,Olbia,Moby,passenger,,299.5", header="\ufeff" + HEADER)

    assert list(load_lines(file, GAZETTEER)) == ["ITLIV-ITOLB", "ITOLB-ITLIV"]


def test_no_file_no_lines(tmp_path: Path) -> None:
    assert load_lines(tmp_path / "lines.csv", GAZETTEER) == {}


@pytest.mark.parametrize(
    ("rows", "code", "message"),
    [
        (
            ["Livrono,Olbia,Moby,passenger,,"],
            "UNKNOWN_PLACE",
            "row 2: 'Livrono' is no port; did you mean 'Livorno'? Otherwise add it to ports.geojson, or set kind",
        ),
        (
            ["Livorno,Zzzz,Moby,passenger,,"],
            "UNKNOWN_PLACE",
            "row 2: 'Zzzz' is no port; add it to ports.geojson, or set",
        ),
        (["Livorno,Olbia,Moby,car,,"], "LINE_INVALID", "row 2: kind 'car' is none of passenger, freight, unserved"),
        (["Livorno,Leghorn,Moby,passenger,,"], "LINE_INVALID", "row 2: goes from Livorno to itself; name two ports"),
        (["Livorno,Olbia,Moby,passenger,,far"], "LINE_INVALID", "row 2: great_circle_km 'far' is no distance; write"),
        (["Livorno,Olbia,Moby,passenger,,nan"], "LINE_INVALID", "row 2: great_circle_km 'nan' is no distance; write"),
        (["Livorno,Olbia,Moby,passenger,,-1"], "LINE_INVALID", "row 2: great_circle_km '-1' is no distance; write"),
        (
            ["Livorno,Olbia,Moby,passenger,,299", "Olbia,Livorno,Moby,passenger,,299"],
            "DUPLICATE_ID",
            "row 3: ITOLB-ITLIV is there already; a line also runs back: remove one row",
        ),
        (["Livorno,Olbia"], "LINE_INVALID", "row 2: kind '' is none of passenger"),
    ],
)
def test_a_bad_row_says_which_and_what_to_write(tmp_path: Path, rows: list[str], code: str, message: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        load_lines(write(tmp_path, *rows), GAZETTEER)

    assert raised.value.code == code
    assert raised.value.message.startswith(f"lines.csv: {message}")


def test_a_file_without_the_columns_or_in_another_encoding_says_so(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"lines\.csv: has no column from, to, operator, kind, great_circle_km; sep"):
        load_lines(write(tmp_path, header="from;to;operator;kind;great_circle_km"), GAZETTEER)
    (tmp_path / "lines.csv").write_bytes(HEADER.encode() + b"\nG\xeanes,Olbia,Moby,passenger,,391\n")
    with pytest.raises(InvalidInput, match=r"lines\.csv: cannot be read: .* save it as CSV in UTF-8"):
        load_lines(tmp_path / "lines.csv", GAZETTEER)
