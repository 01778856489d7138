"""`experiment.arms:` - what each arm shows otherwise: price, words, picture, lever; never who may see the offer.

An arm is the campaign read again, with what the arm says in place of what the campaign says.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from offers.campaign_draft import Draft
from offers.campaign_offer import KEYS as OFFER_KEYS
from offers.campaign_offer import read_lever
from offers.campaign_price import price_facts, read_price, read_value
from offers.campaign_prior import read_prior
from offers.campaign_representation import REPRESENTATION_KEYS, read_representation
from offers.campaign_text import AT, Written, read_languages, read_texts
from offers.offer import Look, Offer, Price, Schedule
from streams.findings import listed, shown
from streams.ids import PlacementId
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode
from streams.record import OfferFacts
from streams.sheet import Sheet

ARM_KEYS = ("share", "price", "text", "offer", "representation")
_OF_OFFER, _OF_REPRESENTATION = ("lever",), ("image",)
_MAY = "Write price, text, offer.lever or representation.image; for other customers, a campaign of its own."
_START = {"from": ("amount",), "amount": ("from", "fresh_within")}
"""Where an arm's price starts elsewhere, what no longer holds of the campaign's."""


@dataclass(frozen=True, slots=True)
class Around:
    """The campaign that the arms belong to."""

    draft: Draft
    fields: Mapping[str, Node]
    keys: Collection[str]
    """What a campaign has, and an arm may try to change."""
    offer: Offer | None
    """As written; None with mistakes: the arms are read all the same, for theirs."""
    placements: tuple[PlacementId, ...] = ()


def read_looks(around: Around) -> tuple[tuple[str, Look], ...]:
    """(arm, what it shows) of the arms that say more than a share."""
    arms = inner(around.fields.get("experiment"), "arms")
    found = []
    for name, (word, node) in arms.entries.items() if isinstance(arms, MapNode) else ():
        if isinstance(node, MapNode):
            _check_keys(around, name, node)
            look = _look(around, name, word, node) if set(ARM_KEYS[1:]) & set(node.entries) else None
            found += [(name, look)] if look is not None else []
    return tuple(found)


def inner(node: Node | None, key: str) -> Node | None:
    """The value of a key of a mapping, where both are there."""
    found = node.entries.get(key) if isinstance(node, MapNode) else None
    return None if found is None else found[1]


def _check_keys(around: Around, name: str, node: MapNode) -> None:
    sheet = around.draft.sheet
    _only(sheet, node, f"arm {name}", ARM_KEYS, around.keys)
    _only(sheet, inner(node, "offer"), f"arm {name}.offer", _OF_OFFER, OFFER_KEYS)
    _only(
        sheet,
        inner(node, "representation"),
        f"arm {name}.representation",
        _OF_REPRESENTATION,
        (*REPRESENTATION_KEYS, AT),
    )
    written, said = around.fields.get("text"), inner(node, "text")
    for locale, (word, _) in said.entries.items() if isinstance(said, MapNode) else ():
        if isinstance(written, MapNode) and locale not in written.entries:
            message = f"arm {name} has words in {shown(locale)}, which the campaign is not written in."
            sheet.error(word, "LOCALE_UNDECLARED", message, "Add them to the campaign first, or remove them.")


def _only(sheet: Sheet, node: Node | None, name: str, may: Collection[str], known: Collection[str]) -> None:
    """ARM_OVERRIDES for keys of a campaign that every arm shares; UNKNOWN_KEY for what is no key."""
    if node is None:
        return
    for key, (word, value) in sheet.entries(node, name, f"keys of it ({listed(may)})").items():
        if key in known and key not in may:
            message = f"{name} cannot change {shown(key)}: arms differ in what is shown, never in who may see it."
            sheet.error(word, "ARM_OVERRIDES", message, _MAY)
        elif key not in may:
            sheet.unknown_key(word, value, name, may)


def _look(around: Around, name: str, word: TextNode, node: MapNode) -> Look | None:
    """What an arm shows. What it makes wrong outside itself is told at its name."""
    sheet, scratch = around.draft.sheet, Sheet(around.draft.sheet.path)
    look = _read(replace(around, draft=replace(around.draft, sheet=scratch)), node)
    inside, said = set(_places(node, sheet.path)), set(sheet.findings)
    for finding in scratch.findings:
        if (finding.path, finding.line, finding.column) in inside:
            sheet.findings.append(finding)
        elif finding not in said:
            message = f"with arm {name}, line {finding.line}: {finding.message}"
            at = replace(finding, path=word.path or sheet.path, line=word.line, column=word.column, message=message)
            sheet.findings.append(at)
    return look


def _read(around: Around, node: MapNode) -> Look | None:
    draft, fields, offer = around.draft, around.fields, around.offer
    price_node = _price(fields.get("price"), inner(node, "price"))
    schedule = Schedule() if offer is None else offer.schedule
    price = read_prior(draft, inner(price_node, "prior"), read_price(draft, price_node), schedule)
    value = read_value(draft, inner(fields.get("offer"), "value"), price_node, price)
    lever_node = inner(inner(node, "offer"), "lever")
    lever = read_lever(draft, lever_node)
    written = Written(draft, price, price_node is not None, around.placements)
    languages = read_languages(draft, fields.get("languages"), fields.get("text"))
    texts = read_texts(written, _texts(fields.get("text"), inner(node, "text")), languages)
    shows = _over(fields.get("representation"), _part(inner(node, "representation"), _OF_REPRESENTATION))
    representation = read_representation(written, shows, texts, languages.others)
    if offer is None or representation is None:
        return None
    lever = offer.lever if lever_node is None else lever
    return Look(_facts(offer, price), representation, price, value, lever)


def _facts(offer: Offer, price: Price | None) -> OfferFacts:
    """What scoring may know of the offer at this price."""
    own = {name: value for name, value in offer.facts.attributes.items() if name not in price_facts(offer.price)}
    return msgspec.structs.replace(offer.facts, attributes={**price_facts(price), **own})


def _price(written: Node | None, said: Node | None) -> Node | None:
    """The campaign's price with the arm's keys; one that starts elsewhere leaves the campaign's start out."""
    if isinstance(written, MapNode) and isinstance(said, MapNode):
        gone = {key for start, keys in _START.items() if start in said.entries for key in keys}
        kept = {key: entry for key, entry in written.entries.items() if key not in gone}
        written = MapNode(kept, written.line, written.column)
    return _over(written, said)


def _texts(written: Node | None, said: Node | None) -> Node | None:
    """The campaign's words with the arm's, in the languages of the campaign."""
    if not isinstance(written, MapNode) or not isinstance(said, MapNode):
        return said if isinstance(written, MapNode) and said is not None else written
    entries = dict(written.entries)
    for locale, (word, node) in said.entries.items():
        if locale in entries:
            entries[locale] = word, _over(entries[locale][1], node) or node
    return MapNode(entries, said.line, said.column)


def _part(node: Node | None, keys: Collection[str]) -> Node | None:
    """A mapping with these of its keys."""
    if not isinstance(node, MapNode):
        return node
    return MapNode({key: entry for key, entry in node.entries.items() if key in keys}, node.line, node.column)


def _over(written: Node | None, said: Node | None) -> Node | None:
    """A mapping with the entries of another in place of its own."""
    if isinstance(written, MapNode) and isinstance(said, MapNode):
        return MapNode({**written.entries, **said.entries}, said.line, said.column)
    return said if said is not None else written


def _places(node: Node, path: str) -> Iterator[tuple[str, int, int]]:
    """File, line and column of a node and of everything in it."""
    yield node.path or path, node.line, node.column
    if isinstance(node, ListNode):
        for item in node.items:
            yield from _places(item, path)
    elif isinstance(node, MapNode):
        for word, value in node.entries.values():
            yield from _places(word, path)
            yield from _places(value, path)
