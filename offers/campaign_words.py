"""What a campaign's words promise and how long they are, judged in every language they are written in."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offers.campaign_draft import Vocabulary
from offers.campaign_scarcity import SCARCE
from offers.campaign_segments import Filled, currency_of, link_width
from offers.campaign_text import AT
from offers.condition import All, AnyOf, Condition, Leaf, Op
from offers.offer import SEGMENTS, SMS, Offer, Placement
from offers.plurals import NUMBER
from offers.template import Hole, Template, compiled
from offers.text_widths import length_of
from streams.attributes import AttributeSet
from streams.positioned_yaml import MapNode, Node
from streams.sheet import Sheet

PROMISING = ("title", "body", "button", "why", "sms")
"""Texts whose words promise something; `alt` tells of a picture."""
STOCK = frozenset({"sailing.capacity", "venue.free"})
"""The event that tells how many are free, and the fact that does."""


@dataclass(frozen=True, slots=True)
class Words:
    """One text of a campaign."""

    name: str
    """`text.it.title`"""
    key: str
    locale: str
    template: Template
    node: Node
    placements: tuple[Placement, ...]
    """Where it is shown."""


def check_words(sheet: Sheet, words: Vocabulary, offer: Offer, root: Node) -> None:
    """TEXT_TOO_LONG for a placement's limits; SCARCITY_WITHOUT_STOCK."""
    assured = _assures(All((offer.eligibility, offer.applicability, offer.suitability)), words.attributes)
    for text in _texts(offer, root, words):
        for placement in text.placements:
            if placement.channel == SMS:
                _check_segments(sheet, text, placement, offer)
            elif placement.limits:
                _check_length(sheet, text, placement.id, dict(placement.limits))
        if text.key in PROMISING and not assured:
            _check_scarcity(sheet, text)


def _texts(offer: Offer, root: Node, words: Vocabulary) -> Iterator[Words]:
    stands = tuple(words.placements[name] for name in offer.placements)
    for locale, text in offer.representation.texts.items():
        parts = _inner(_inner(root, "text"), locale)
        apart = {placement: _inner(_inner(parts, AT), placement.id) for placement in stands}
        for key, node in _entries(parts):
            same = tuple(each for each in stands if _inner(apart[each], key) is None)
            yield Words(f"text.{locale}.{key}", key, locale, compiled(getattr(text, key)), node, same)
        for placement, differs in apart.items():
            for key, node in _entries(differs):
                name = f"text.{locale}.{AT}.{placement.id}.{key}"
                own = getattr(offer.representation.at[placement.id].texts[locale], key)
                yield Words(name, key, locale, compiled(own), node, (placement,))


def _entries(node: Node | None) -> Iterator[tuple[str, Node]]:
    """Texts by key."""
    if isinstance(node, MapNode):
        yield from ((key, value) for key, (_, value) in node.entries.items() if key != AT)


def _check_length(sheet: Sheet, text: Words, placement: str, most: Mapping[str, int]) -> None:
    length = length_of(text.template)
    if length <= most.get(text.key, length):
        return
    about = "about " if text.template.holes else ""
    filled = " with its placeholders filled" if text.template.holes else ""
    message = f"{text.name} has {about}{length} characters{filled}; {placement} shows {most[text.key]}."
    sheet.warn(text.node, "TEXT_TOO_LONG", message, "Shorten it.")


def _check_segments(sheet: Sheet, text: Words, placement: Placement, offer: Offer) -> None:
    """TEXT_TOO_LONG for what a message would take more segments than its placement sends."""
    most = dict(placement.limits).get(SEGMENTS)
    if text.key != SMS or most is None:
        return
    content = offer.representation.at.get(placement.id, offer.representation)
    filled = Filled(text.template, text.locale, link_width(content.web, offer, placement.id), currency_of(offer))
    if filled.message.segments > most:
        message, hint = filled.told(most)
        sheet.warn(text.node, "TEXT_TOO_LONG", f"{text.name} {message}; {placement.id} sends {most}.", hint)


def _check_scarcity(sheet: Sheet, text: Words) -> None:
    """SCARCITY_WITHOUT_STOCK: `only a few left` where nobody asks how many there are."""
    scarce = SCARCE.get(text.locale.partition("-")[0])
    found = scarce.search(_said(text.template)) if scarce is not None else None
    if found is None:
        return
    message = f"{text.name} says '{found[0].strip()}', and no condition asks for stock that is fresh."
    hint = "Ask for it, such as venue.free or rooms of the market, with 'fresh_within'; or leave the words out."
    sheet.warn(text.node, "SCARCITY_WITHOUT_STOCK", message, hint)


def _said(template: Template) -> str:
    """The words in small letters, with a number for each placeholder, and all forms of a plural."""
    text = "".join(_number(part) if isinstance(part, Hole) else part for part in template.parts)
    return re.sub(r"\s+", " ", text).casefold()


def _number(hole: Hole) -> str:
    return "; ".join(words.replace(NUMBER, "9") for _, words in hole.forms) if hole.forms else "9"


def _assures(condition: Condition, attributes: AttributeSet) -> bool:
    """Whether it holds only for a stock that is known and fresh."""
    match condition:
        case Leaf():
            attribute = attributes.of_fact(condition.attribute)
            counted = attribute is not None and not STOCK.isdisjoint((attribute.event, attribute.qualified))
            known = not condition.on_missing and not (condition.op is Op.EXISTS and condition.negated)
            return counted and known and condition.fresh_ms is not None
        case All(children):
            return any(_assures(child, attributes) for child in children)
        case AnyOf(children):
            return bool(children) and all(_assures(child, attributes) for child in children)


def _inner(node: Node | None, key: str) -> Node | None:
    found = node.entries.get(key) if isinstance(node, MapNode) else None
    return None if found is None else found[1]
