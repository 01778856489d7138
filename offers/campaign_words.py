"""What a campaign's words promise and how long they are, judged in every language they are written in."""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offers.campaign_draft import Vocabulary
from offers.campaign_scarcity import SCARCE
from offers.condition import All, AnyOf, Condition, Leaf, Op
from offers.offer import Offer
from offers.plurals import NUMBER
from offers.template import Hole, Template, compiled
from streams.attributes import AttributeSet
from streams.positioned_yaml import MapNode, Node
from streams.sheet import Sheet

WIDTHS: Mapping[str, int] = {
    "price": 10, "money": 10, "time": 5, "date": 12, "number": 3, "discount": 2, "distance": 6, "port": 12,
}  # fmt: skip
"""Characters a placeholder counts for, by its filter or its name."""
USUAL_WIDTH = 20
"""Of any other placeholder: a name, a level."""
PROMISING = ("title", "body", "button", "why")
"""Texts whose words promise something; `alt` tells of a picture."""
STOCK = frozenset({"sailing.capacity", "venue.free"})
"""The event that tells how many are free, and the fact that does."""
_UNSEEN = ("Mn", "Me", "Cf")


@dataclass(frozen=True, slots=True)
class Words:
    """One text of a campaign."""

    name: str
    """`text.it.title`"""
    key: str
    locale: str
    template: Template
    node: Node


def check_words(sheet: Sheet, words: Vocabulary, offer: Offer, root: Node) -> None:
    """TEXT_TOO_LONG for a placement's limits; SCARCITY_WITHOUT_STOCK."""
    limits = [(name, words.placements[name].limits) for name in offer.placements if words.placements[name].limits]
    assured = _assures(All((offer.eligibility, offer.applicability, offer.suitability)), words.attributes)
    for text in _texts(offer, root):
        for placement, most in limits:
            _check_length(sheet, text, placement, dict(most))
        if text.key in PROMISING and not assured:
            _check_scarcity(sheet, text)


def _texts(offer: Offer, root: Node) -> Iterator[Words]:
    for locale in offer.representation.texts:
        parts = _inner(_inner(root, "text"), locale)
        for key, (_, node) in parts.entries.items() if isinstance(parts, MapNode) else ():
            text = getattr(offer.representation.texts[locale], key)
            yield Words(f"text.{locale}.{key}", key, locale, compiled(text), node)


def _check_length(sheet: Sheet, text: Words, placement: str, most: Mapping[str, int]) -> None:
    length = length_of(text.template)
    if length <= most.get(text.key, length):
        return
    about = "about " if text.template.holes else ""
    filled = " with its placeholders filled" if text.template.holes else ""
    message = f"{text.name} has {about}{length} characters{filled}; {placement} shows {most[text.key]}."
    sheet.warn(text.node, "TEXT_TOO_LONG", message, "Shorten it.")


def length_of(template: Template) -> int:
    """Characters as a reader counts them, placeholders at their stated widths.

    >>> length_of(compiled("Partenza {sailing.departure|time}"))
    14
    """
    return sum(_width(part) if isinstance(part, Hole) else seen(part) for part in template.parts)


def seen(text: str) -> int:
    """Characters as a reader counts them: an accent or a variation sign of its own is part of the letter before it."""
    return sum(unicodedata.category(sign) not in _UNSEEN for sign in text)


def _width(hole: Hole) -> int:
    if hole.forms:
        return max(seen(words.replace(NUMBER, "9" * WIDTHS["number"])) for _, words in hole.forms)
    return WIDTHS.get(hole.filter or hole.name, USUAL_WIDTH)


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
