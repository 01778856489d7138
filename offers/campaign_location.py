"""`location:` - within a radius of a place, by the coarse cell; or inside a fence, by the raw fix (idea 5)."""

import re

from offers.campaign_draft import Draft, fence_id, span
from offers.condition import LOCATION, Leaf, Op
from streams.errors import InvalidInput
from streams.fence_reach import APPROXIMATE_M, finer_than_approximate
from streams.findings import listed, shown
from streams.ids import Millis
from streams.instant import MINUTE_MS, SECOND_MS
from streams.places import MIN_WITHIN_M
from streams.positioned_yaml import Node, TextNode
from streams.units import DISTANCES, distance_m

KEYS = ("within", "inside", "min_confidence", "fresh_within", "on_missing", "because")
KEPT_MS = 15 * MINUTE_MS
"""For how long whereabouts are kept at all."""
SURELY = 3
"""The confidence that a fix has only if its accuracy leaves no doubt."""
_WITHIN = re.compile(r"(?P<radius>.*?) of (?P<place>\S+)")
_EXAMPLE = "30 km of port:ITLIV"


def read_location(draft: Draft, word: TextNode, node: Node, text: str) -> Leaf | None:
    """{within: 30 km of port:ITLIV} or {inside: fence:elba}, with how sure and how fresh."""
    sheet = draft.sheet
    fields = sheet.fields(node, LOCATION, KEYS)
    if not fields:
        return None
    if ("within" in fields) == ("inside" in fields):
        hint = f"Write 'within: {_EXAMPLE}' or 'inside: fence:<id>'."
        sheet.error(node, "KEYS_TOGETHER", "location asks for either 'within' or 'inside'.", hint)
        return None
    if "because" in fields:
        sheet.sentence(fields["because"], "because")
    confidence = sheet.integer(fields["min_confidence"], "min_confidence", 1, 3) if "min_confidence" in fields else 2
    on_missing = "on_missing" in fields and sheet.choice(fields["on_missing"], "on_missing", ("fail", "pass")) == "pass"
    op, operand, radius_m = _within(draft, fields["within"]) if "within" in fields else _inside(draft, fields["inside"])
    if "inside" in fields and confidence is not None and confidence < SURELY:
        _check_fine(draft, fields["inside"], operand)
    return Leaf(
        LOCATION,
        op,
        operand,
        radius_m=radius_m,
        min_confidence=confidence or 2,
        on_missing=on_missing,
        fresh_ms=_fresh_ms(draft, fields.get("fresh_within")),
        where=sheet.where(word),
        text=text,
        via=sheet.via(word),
    )


def _within(draft: Draft, node: Node) -> tuple[Op, tuple[str, ...], float]:
    found = draft.sheet.parsed(node, "within", lambda text: _area(draft, text))
    return (Op.WITHIN, (), 0.0) if found is None else (Op.WITHIN, (found[0],), found[1])


def _area(draft: Draft, text: str) -> tuple[str, float]:
    """`30 km of port:ITLIV` -> (place, metres)."""
    match = _WITHIN.fullmatch(text)
    if match is None:
        raise InvalidInput("UNIT_MISSING", f"{shown(text)} is not a distance from a place. Write '{_EXAMPLE}'.")
    name = match["place"]
    try:
        radius_m = distance_m(match["radius"])
    except InvalidInput as error:
        mend = re.sub(r"Write '([^']*)'", rf"Write '\1 of {name}'", error.message.partition(". ")[2])
        units = "" if "(" in mend else f" ({listed(DISTANCES)})"
        raise InvalidInput(error.code, f"{shown(text)} is not a distance. {mend}{units}") from error
    place = draft.words.places.place(name)
    if place.position is None:
        raise InvalidInput("PLACE_MOVES", f"'{name}' is on board and has no position. Name a port or another venue.")
    if radius_m < MIN_WITHIN_M:
        reason = f"whereabouts are known to a cell of about 4 km, so {shown(match['radius'])} would be a guess"
        mend = f"Write {MIN_WITHIN_M / 1_000:g} km or more, or draw a fence in places/fences.geojson and use 'inside:'."
        raise InvalidInput("WITHIN_TOO_SMALL", f"{reason}. {mend}")
    return f"{name.partition(':')[0]}:{place.id}", radius_m


def _inside(draft: Draft, node: Node) -> tuple[Op, tuple[str, ...], float]:
    fences = [
        draft.sheet.parsed(item, "inside", lambda text: fence_id(draft.words.places, text))
        for item in draft.sheet.one_or_more(node, "inside")
    ]
    return Op.INSIDE, tuple(sorted({fence for fence in fences if fence is not None})), 0.0


def _check_fine(draft: Draft, node: Node, fences: tuple[str, ...]) -> None:
    """FENCE_TOO_FINE where even the best approximate fix is never surely inside any of the fences."""
    known = draft.words.places.fences
    if not fences or not all(finer_than_approximate(known[fence]) for fence in fences):
        return
    best = f"{APPROXIMATE_M / 1_000:g} km"
    message = f"no point of {listed(fences)} lies {best} inside, and a phone with approximate location knows no better."
    draft.sheet.warn(node, "FENCE_TOO_FINE", message, f"Write 'min_confidence: {SURELY}', or draw a larger fence.")


def _fresh_ms(draft: Draft, node: Node | None) -> Millis | None:
    if node is None:
        return None
    found = draft.duration(node, "fresh_within", SECOND_MS, 100 * 365 * 24 * 60 * MINUTE_MS)
    if found is not None and found > KEPT_MS:
        message = f"whereabouts are kept for {span(KEPT_MS)}, so they are never older than that."
        draft.sheet.error(node, "FRESH_BEYOND_RETENTION", message, f"Write at most {span(KEPT_MS)}.")
    return found
