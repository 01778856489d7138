"""A value of a declared attribute as campaigns write it: levels, numbers with units, ports by name, days, times."""

from collections.abc import Callable, Mapping

from offers.campaign_draft import Draft, no_effect, port_id, venue_id
from streams.attributes import MAX_INTEGER, Attribute, Kind, Value
from streams.findings import did_you_mean, listed, shown
from streams.places import Places
from streams.positioned_yaml import Node
from streams.units import day, distance_m, duration_ms, money

NUMERIC = frozenset({Kind.INTEGER, Kind.NUMBER, Kind.DURATION, Kind.DISTANCE, Kind.MONEY})
BOUNDS = {"context.local_hour": (0, 23), "context.weekday": (1, 7), "context.month": (1, 12)}
"""Numbers of Offing's own that end somewhere."""


LATER_LEVELS: Mapping[str, Mapping[str, str]] = {"booking.phase": {"approaching": "on_board"}}
"""Levels of the language that nothing brings about yet -> the level they follow."""


def _line(places: Places, text: str) -> str:
    return places.line(text).id


def _day(places: Places, text: str) -> str:
    return day(text).isoformat()


_MEANINGS: Mapping[str, Callable[[Places, str], str]] = {
    "sailing.line": _line,
    "sailing.origin": port_id,
    "sailing.destination": port_id,
    "sailing.departs_on": _day,
    "context.nearest_port": port_id,
    "venue.id": venue_id,
}
"""Texts that name something: what they name is checked, and its id is what is compared."""


def read_value(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    """One value (of a set: one member), or None after a finding."""
    return _READERS[attribute.kind](draft, attribute, node)


def level(draft: Draft, attribute: Attribute, node: Node) -> str | None:
    """A level; UNKNOWN_LEVEL with all there are."""
    name = attribute.qualified
    text = draft.sheet.text(node, name)
    if text is None or text in attribute.levels:
        return text
    if text in LATER_LEVELS.get(name, {}):
        no_effect(draft.sheet, node, f"{name} {text}", "no trip is said to be in it")
        return text
    every = f"{'Lowest first' if attribute.ordered else 'Levels'}: {listed(attribute.levels, 20)}."
    hint = f"{every} {did_you_mean(text, attribute.levels)}".strip()
    draft.sheet.error(node, "UNKNOWN_LEVEL", f"{name} has no level {shown(text)}.", hint)
    return None


def _boolean(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    return draft.sheet.boolean(node, attribute.qualified)


def _integer(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    low, high = BOUNDS.get(attribute.qualified, (-MAX_INTEGER, MAX_INTEGER))
    return draft.sheet.integer(node, attribute.qualified, low, high)


def _number(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    return draft.sheet.number(node, attribute.qualified, -MAX_INTEGER, MAX_INTEGER)


def _duration(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    return draft.sheet.parsed(node, attribute.qualified, duration_ms)


def _distance(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    return draft.sheet.parsed(node, attribute.qualified, distance_m)


def _money(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    found = draft.sheet.parsed(node, attribute.qualified, money)
    if found is None:
        return None
    if attribute.unit is not None and found.currency != attribute.unit:
        message = f"{attribute.qualified} is in {attribute.unit}, not {found.currency}."
        draft.sheet.error(node, "CURRENCY_MISMATCH", message, f"Write the amount in {attribute.unit}.")
    return found.minor


def _string(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    meaning = _MEANINGS.get(attribute.qualified)
    if meaning is None:
        return draft.sheet.text(node, attribute.qualified)
    return draft.sheet.parsed(node, attribute.qualified, lambda text: meaning(draft.words.places, text))


def _member(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    if attribute.qualified == "context.season":
        return draft.reference(node, "UNKNOWN_SEASON", "season", draft.words.seasons)
    return level(draft, attribute, node) if attribute.levels else draft.sheet.text(node, attribute.qualified)


def _datetime(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    found = draft.instant(node, attribute.qualified)
    return None if found is None else found.at


_READERS: Mapping[Kind, Callable[[Draft, Attribute, Node], Value | None]] = {
    Kind.ENUM: level,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.STRING: _string,
    Kind.SET: _member,
    Kind.DURATION: _duration,
    Kind.DISTANCE: _distance,
    Kind.MONEY: _money,
    Kind.DATETIME: _datetime,
}


def whole(value: Value | None) -> float | None:
    """A numeric value as the bound of a range."""
    return float(value) if isinstance(value, int | float) else None
