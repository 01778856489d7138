"""`offer:` - its id, what it is about, and the numbers behind it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from offers.campaign_draft import Draft, Vocabulary, venue_id
from offers.campaign_values import read_value
from offers.offer import Goal, Selector
from streams.attribute_file import unknown_attribute
from streams.attributes import BUILT_IN, Kind, Value
from streams.ids import Millis, OfferId
from streams.instant import DAY_MS, MINUTE_MS, SECOND_MS
from streams.positioned_yaml import MapNode, Node
from streams.sheet import Sheet
from streams.units import share

KEYS = (
    "id", "about", "collection", "starting_propensity", "value", "lever", "ttl", "goal", "attributes", "fallback",
    "exclusive", "tags", "not_with",
)  # fmt: skip
ID = re.compile(r"(?=.{1,64}$)[a-z0-9]+(-[a-z0-9]+)*")
ID_EXAMPLE = "small letters, digits and hyphens: 'cabin-upgrade'"
SAILINGS = ("next", "from_here", "line", "any")
VENUES = ("here", "on_board")
GOALS = ("clicked", "redeemed")
USUAL_TTL_MS = 15 * MINUTE_MS
MAX_WITHIN_MS = 400 * DAY_MS
_EXAMPLE = "'booking', {sailing: next} or {venue: here}"
_OWN = frozenset(attribute.qualified for attribute in BUILT_IN if attribute.scope == "offer")


@dataclass(frozen=True, slots=True)
class OfferPart:
    """What `offer:` says, the value apart, which needs the price."""

    id: OfferId
    collection: str
    mean: float
    evidence: float
    lever: float
    ttl_s: int
    goal: Goal
    attributes: Mapping[str, Value]
    fallback: bool


def read_about(sheet: Sheet, words: Vocabulary, node: Node | None) -> Selector | None:
    """`about: booking`, `{sailing: next}`, `{sailing: line, line: ..., within: 72 h}`, `{venue: <id>}`."""
    if node is None:
        return None
    if not isinstance(node, MapNode):
        kind = sheet.choice(node, "offer.about", ("booking",))
        return Selector("booking") if kind is not None else None
    fields = sheet.fields(node, "offer.about", ("sailing", "venue", "line", "within"))
    if ("sailing" in fields) == ("venue" in fields):
        sheet.error(node, "KEYS_TOGETHER", "an offer is about one kind of thing.", f"Write {_EXAMPLE}.")
        return None
    return _sailing(sheet, words, node, fields) if "sailing" in fields else _venue(sheet, words, fields)


def read_offer(draft: Draft, node: Node | None) -> OfferPart:
    """The offer's own keys; what is missing or wrong stands as its usual value."""
    fields = draft.sheet.fields(node, "offer", KEYS, ("id",)) if node is not None else {}
    offer_id = draft.sheet.matching(fields["id"], "offer.id", ID, ID_EXAMPLE) if "id" in fields else None
    mean, evidence = _propensity(draft, fields.get("starting_propensity"))
    return OfferPart(
        id=OfferId(offer_id or ""),
        collection=_collection(draft, fields.get("collection")),
        mean=mean,
        evidence=evidence,
        lever=read_lever(draft, fields.get("lever")),
        ttl_s=(_duration(draft, fields.get("ttl"), "offer.ttl", 7 * DAY_MS) or USUAL_TTL_MS) // SECOND_MS,
        goal=_goal(draft, fields.get("goal")),
        attributes=_attributes(draft, fields.get("attributes")),
        fallback=bool(draft.sheet.boolean(fields["fallback"], "offer.fallback")) if "fallback" in fields else False,
    )


def read_lever(draft: Draft, node: Node | None) -> float:
    """How much an offer is pushed by hand; 1 where nothing is said."""
    return _number(draft, node, "offer.lever", (0.01, 100)) or 1.0


def _sailing(sheet: Sheet, words: Vocabulary, node: Node, fields: Mapping[str, Node]) -> Selector | None:
    mode = sheet.choice(fields["sailing"], "offer.about.sailing", SAILINGS)
    line = None
    if "line" in fields:
        line = sheet.parsed(fields["line"], "offer.about.line", lambda text: words.places.line(text).id)
        if mode not in (None, "line"):
            hint = f"Write 'sailing: line', or ask for sailing.line in a condition and keep {mode}."
            sheet.error(fields["line"], "KEYS_TOGETHER", f"'sailing: {mode}' is of any line.", hint)
    elif mode == "line":
        sheet.error(node, "KEY_MISSING", "'sailing: line' names no line.", "Add 'line: ITLIV-ITOLB'.")
    within_ms = _span(sheet, words, fields.get("within"))
    return None if mode is None else Selector("sailing", mode, line=line, within_ms=within_ms)


def _venue(sheet: Sheet, words: Vocabulary, fields: Mapping[str, Node]) -> Selector | None:
    for key in ("line", "within"):
        if key in fields:
            sheet.error(fields[key], "KEYS_TOGETHER", f"'{key}' goes with a sailing, not with a venue.", "Remove it.")
    text = sheet.text(fields["venue"], "offer.about.venue")
    if text in VENUES:
        return Selector("venue", text)
    venue = sheet.parsed(fields["venue"], "offer.about.venue", lambda name: venue_id(words.places, name))
    return None if venue is None else Selector("venue", "id", venue=venue)


def _span(sheet: Sheet, words: Vocabulary, node: Node | None) -> Millis | None:
    return (
        Draft(sheet, words).duration(node, "offer.about.within", MINUTE_MS, MAX_WITHIN_MS) if node is not None else None
    )


def _collection(draft: Draft, node: Node | None) -> str:
    return (draft.sheet.matching(node, "offer.collection", ID, ID_EXAMPLE) or "") if node is not None else ""


def _propensity(draft: Draft, node: Node | None) -> tuple[float, float]:
    """(mean, evidence): the chance of the goal before anything is known, and how many exposures that is worth."""
    usual = (0.05, 50.0)
    if node is None:
        return usual
    if not isinstance(node, MapNode):
        return _mean(draft, node, "offer.starting_propensity"), usual[1]
    fields = draft.sheet.fields(node, "offer.starting_propensity", ("mean", "evidence"), ("mean",))
    mean = _mean(draft, fields["mean"], "offer.starting_propensity.mean") if "mean" in fields else usual[0]
    evidence = _number(draft, fields.get("evidence"), "offer.starting_propensity.evidence", (1, 1_000_000))
    return mean, evidence or usual[1]


def _mean(draft: Draft, node: Node, name: str) -> float:
    mean = draft.sheet.parsed(node, name, share)
    if mean is not None and not 0 < mean < 1:
        hint = "Write something between, such as '5 %'."
        draft.sheet.error(node, "OUT_OF_RANGE", f"{name} is {mean * 100:g} %: nobody, or everybody.", hint)
    return mean if mean is not None else 0.05


def _goal(draft: Draft, node: Node | None) -> Goal:
    if node is None:
        return Goal()
    fields = draft.sheet.fields(node, "offer.goal", ("event", "within"))
    event = draft.sheet.choice(fields["event"], "offer.goal.event", GOALS) if "event" in fields else None
    within_ms = _duration(draft, fields.get("within"), "offer.goal.within", 30 * DAY_MS)
    usual = Goal()
    return Goal(event or usual.event, within_ms or usual.within_ms)


def _attributes(draft: Draft, node: Node | None) -> dict[str, Value]:
    """What the offer says of itself, by qualified name: model features."""
    found: dict[str, Value] = {}
    if node is None:
        return found
    for short, (word, value) in draft.sheet.entries(node, "offer.attributes", "{kind: cabin}").items():
        name = f"offer.{short}"
        attribute = draft.words.attributes.by_name.get(name)
        if name in _OWN:
            hint = "Remove it."
            draft.sheet.error(word, "UNKNOWN_ATTRIBUTE", f"{name} follows from the rest of the file.", hint)
        elif attribute is None:
            hint = unknown_attribute(name, draft.words.attributes)
            draft.sheet.error(word, "UNKNOWN_ATTRIBUTE", f"no attribute is called '{name}'.", hint)
        elif attribute.kind is Kind.SET:
            members = [read_value(draft, attribute, item) for item in draft.sheet.one_or_more(value, name)]
            found[name] = tuple(sorted({str(member) for member in members if member is not None}))
        elif (single := read_value(draft, attribute, value)) is not None:
            found[name] = single
    return found


def _number(draft: Draft, node: Node | None, name: str, bounds: tuple[float, float]) -> float | None:
    return draft.sheet.number(node, name, *bounds) if node is not None else None


def _duration(draft: Draft, node: Node | None, name: str, most: Millis) -> Millis | None:
    return draft.duration(node, name, 10 * SECOND_MS, most) if node is not None else None
