"""A cell of a table -> the JSON value that an event would carry: text from CSV, typed from Parquet."""

import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal

from offers.import_map import Layout, Source
from offers.import_table import encoding_told, undecodable
from streams.attributes import MAX_TEXT, Attribute, Kind
from streams.errors import InvalidInput
from streams.findings import shown
from streams.instant import format_instant, millis, parse_instant

WHOLE = re.compile(r"[+-]?[0-9]{1,16}")
MAX_CELL = 500
TRUE, FALSE = ("true", "1", "yes"), ("false", "0", "no")


class BadCell(InvalidInput):
    """A cell that is not what its column says: what was found, and what was expected."""

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(code, message)
        self.hint = hint


def missing(cell: object) -> bool:
    """Whether a cell says nothing: null, empty, or not a number."""
    return cell is None or cell == "" or (isinstance(cell, float) and math.isnan(cell))


def value_of(source: Source, cell: object, layout: Layout) -> object:
    """The cell as its attribute's event has it. Raises BadCell."""
    attribute = source.attribute
    if attribute is None:
        return text_of(source, cell)
    raw = _RAW[attribute.kind](cell, layout)
    try:
        attribute.parse(raw)
    except InvalidInput as error:
        found = shown(cell) if isinstance(cell, str) else shown(repr(cell))
        raise BadCell(
            error.code, f"{attribute.qualified} is {found}.", f"Write {_expected(attribute, layout)}."
        ) from error
    return raw


def _expected(attribute: Attribute, layout: Layout) -> str:
    levels = ", ".join(attribute.levels)
    if attribute.kind is Kind.ENUM:
        return f"one of {levels}"
    if attribute.kind is Kind.SET:
        return f"members with {layout.list!r} between them" + (f", of {levels}" if levels else "")
    return _EXPECTED[attribute.kind].replace("1.5", f"1{layout.decimal}5")


def text_of(source: Source, cell: object) -> str:
    """An id or a name; a whole number from Parquet is one too. Raises BadCell."""
    if isinstance(cell, str):
        if undecodable(cell):
            raise BadCell("ENCODING_INVALID", *encoding_told(cell))
        if len(cell) <= MAX_CELL:
            return cell
        raise BadCell("CELL_VALUE", f"{source.target} has {len(cell):,} characters.", "Shorten it.")
    whole = _whole(cell, _ANY)
    if isinstance(whole, int) and not isinstance(whole, bool):
        return str(whole)
    raise BadCell("CELL_VALUE", f"{source.target} is {shown(repr(cell))}.", "Write a text.")


def instant_of(source: Source, cell: object) -> int:
    """When it was so. Raises BadCell."""
    try:
        return parse_instant(str(_moment(cell, _ANY)))
    except InvalidInput as error:
        found = shown(str(cell))
        message, mend = (
            f"{source.target} is {found}, no time with a zone.",
            "Write 2026-11-21T18:04:11Z or with +01:00.",
        )
        raise BadCell("TIME_INVALID", message, mend) from error


def said_of(source: Source, cell: object) -> bool:
    """Granted or withdrawn. Raises BadCell."""
    raw = _boolean(cell, _ANY)
    if isinstance(raw, bool):
        return raw
    raise BadCell("CELL_VALUE", f"{source.target} is {shown(str(cell))}.", "Write true or false.")


def whole_of(source: Source, cell: object) -> int:
    """A whole number. Raises BadCell."""
    raw = _whole(cell, _ANY)
    if isinstance(raw, int) and not isinstance(raw, bool):
        return raw
    raise BadCell("CELL_VALUE", f"{source.target} is {shown(str(cell))}.", "Write a whole number.")


_ANY = Layout()


def _text(cell: object, layout: Layout) -> object:
    if isinstance(cell, str) and undecodable(cell):
        raise BadCell("ENCODING_INVALID", *encoding_told(cell))
    return cell


def _whole(cell: object, layout: Layout) -> object:
    if isinstance(cell, str):
        return int(cell) if WHOLE.fullmatch(cell) else cell
    if isinstance(cell, Decimal):
        return int(cell) if cell.is_finite() and cell == int(cell) else cell
    return int(cell) if isinstance(cell, float) and cell.is_integer() else cell  # a column with nulls is of floats


def _number(cell: object, layout: Layout) -> object:
    """A number with this file's decimal sign; a sign for thousands is no number."""
    if isinstance(cell, Decimal):
        return float(cell)
    if not isinstance(cell, str):
        return cell
    sign = re.escape(layout.decimal)
    if not re.fullmatch(rf"[+-]?[0-9]{{1,16}}(?:{sign}[0-9]{{1,16}})?", cell):
        return cell
    return float(cell.replace(layout.decimal, "."))


def _boolean(cell: object, layout: Layout) -> object:
    word = str(cell).lower() if isinstance(cell, str | int) else ""
    return True if word in TRUE else False if word in FALSE else cell


def _set(cell: object, layout: Layout) -> object:
    members = cell.split(layout.list) if isinstance(cell, str) else cell
    return [_text(member, layout) for member in members] if isinstance(members, list) else cell


def _moment(cell: object, layout: Layout) -> object:
    """A time of Parquet as text; without a zone it is nobody's."""
    if isinstance(cell, datetime):
        return cell.isoformat() if cell.tzinfo is None else format_instant(millis(cell))
    return _text(cell, layout)


_EXPECTED: Mapping[Kind, str] = {
    Kind.STRING: f"a text of at most {MAX_TEXT} characters",
    Kind.INTEGER: "a whole number",
    Kind.MONEY: "whole minor units, 1250 for 12.50",
    Kind.DURATION: "whole milliseconds",
    Kind.NUMBER: "a number such as 1.5, without a sign for thousands",
    Kind.DISTANCE: "metres such as 1.5, without a sign for thousands",
    Kind.BOOLEAN: "true or false",
    Kind.DATETIME: "2026-11-21T18:04:11Z or with +01:00",
}
_RAW: Mapping[Kind, Callable[[object, Layout], object]] = {
    Kind.ENUM: _text,
    Kind.STRING: _text,
    Kind.INTEGER: _whole,
    Kind.MONEY: _whole,
    Kind.DURATION: _whole,
    Kind.NUMBER: _number,
    Kind.DISTANCE: _number,
    Kind.BOOLEAN: _boolean,
    Kind.SET: _set,
    Kind.DATETIME: _moment,
}
