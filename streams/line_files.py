"""lines.csv: the lines of a deployment, one row each, named by any spelling the gazetteer knows.

Raises InvalidInput with file, row (counted as a spreadsheet does: the header is row 1) and the mend.
"""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

from streams.distances import geodesic_m
from streams.gazetteer import Gazetteer, Port
from streams.geojson import invalid
from streams.places import Line, line_id

COLUMNS = ("from", "to", "operator", "kind", "great_circle_km")
"""The others are for people."""
SERVED = "passenger"
LEFT_OUT = ("freight", "unserved")
EARTH_KM = 20_100
"""Half way round: nothing is farther away."""


def load_lines(file: Path, gazetteer: Gazetteer) -> dict[str, Line]:
    """The passenger lines, both directions of each; freight lines and those marked `unserved` are left out."""
    lines: dict[str, Line] = {}
    for where, row in _rows(file):
        if row["kind"] not in (SERVED, *LEFT_OUT):
            raise invalid("LINE_INVALID", where, f"kind '{row['kind']}' is none of {SERVED}, {', '.join(LEFT_OUT)}")
        if row["kind"] == SERVED:
            line = _line(row, gazetteer, where)
            if line.id in lines:
                raise invalid(
                    "DUPLICATE_ID", where, f"{line.id} is there already; a line also runs back: remove one row"
                )
            lines |= {line.id: line, line.back().id: line.back()}
    return lines


def _rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """(file and row, cells by column); rows are counted as a spreadsheet does, the header is row 1."""
    if not file.exists():
        return
    try:
        with file.open(newline="", encoding="utf-8-sig") as text:
            reader = csv.DictReader(text, restval="")
            missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
            if missing:
                raise invalid(
                    "PLACE_FILE_INVALID", file.name, f"has no column {', '.join(missing)}; separate by commas"
                )
            for number, row in enumerate(reader, start=2):
                yield f"{file.name}: row {number}", {column: row[column].strip() for column in COLUMNS}
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise invalid("PLACE_FILE_INVALID", file.name, f"cannot be read: {error}; save it as CSV in UTF-8") from error


def _line(row: dict[str, str], gazetteer: Gazetteer, where: str) -> Line:
    origin, destination = (_served_port(row[end], gazetteer, where) for end in ("from", "to"))
    if origin.id == destination.id:
        raise invalid("LINE_INVALID", where, f"goes from {origin.name} to itself; name two ports")
    given_km = _distance_km(row["great_circle_km"], where)
    return Line(
        id=line_id(origin.id, destination.id),
        origin=origin.id,
        destination=destination.id,
        distance_km=given_km or geodesic_m(origin.position, destination.position) / 1_000,
        operator=row["operator"],
    )


def _served_port(name: str, gazetteer: Gazetteer, where: str) -> Port:
    port = gazetteer.find(name)
    if port is None:
        near = " or ".join(f"'{other}'" for other in gazetteer.suggest(name))
        mend = f"did you mean {near}? Otherwise add" if near else "add"
        raise invalid(
            "UNKNOWN_PLACE", where, f"'{name}' is no port; {mend} it to ports.geojson, or set kind to unserved"
        )
    return port


def _distance_km(cell: str, where: str) -> float:
    """Kilometres; 0 for an empty cell."""
    try:
        distance = float(cell or 0)
    except ValueError:
        distance = math.nan
    if not 0 <= distance < EARTH_KM:
        raise invalid("LINE_INVALID", where, f"great_circle_km '{cell}' is no distance; write kilometres or nothing")
    return distance
