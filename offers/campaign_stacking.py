"""`exclusive`, `tags` and `not_with` of an offer: what may not stand beside it, and what is odd about all of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from offers.campaign_draft import Draft
from offers.campaign_offer import ID
from offers.offer import Offer, Stacking
from streams.findings import did_you_mean, shown
from streams.positioned_yaml import MapNode, Node, TextNode

KEYS = ("exclusive", "tags", "not_with")
MAX_TAGS = 20
_EXAMPLE = "small letters, digits and hyphens: 'discount'"


@dataclass(frozen=True, slots=True)
class Odd:
    """A warning about one offer beside the others."""

    node: Node
    code: str
    message: str
    hint: str


def read_stacking(draft: Draft, offer: Node | None, fallback: bool) -> Stacking | None:
    """What the keys of `offer:` say of others; None: nothing."""
    fields = {key: node for key, (_, node) in offer.entries.items()} if isinstance(offer, MapNode) else {}
    said = [key for key in KEYS if key in fields]
    if not said:
        return None
    exclusive = (
        draft.sheet.matching(fields["exclusive"], "offer.exclusive", ID, _EXAMPLE) if "exclusive" in fields else ""
    )
    found = Stacking(
        exclusive or "",
        _tags(draft, fields.get("tags"), "offer.tags"),
        _tags(draft, fields.get("not_with"), "offer.not_with"),
        draft.sheet.where(fields[next((key for key in ("exclusive", "not_with") if key in fields), "tags")]),
    )
    for key in ("exclusive", "not_with"):
        if fallback and key in fields:
            draft.sheet.warn(fields[key], "FALLBACK_IGNORES", f"a fallback ignores '{key}'.", "Remove it.")
    return found


def odd(offers: Iterable[Offer]) -> Iterator[tuple[Offer, Odd]]:
    """A group with one offer in it, and tags that nobody else has: most likely a misspelt name."""
    known = [(offer, offer.stacking) for offer in offers if offer.stacking is not None]
    groups: dict[str, int] = defaultdict(int)
    tagged: dict[str, int] = defaultdict(int)
    for _, stacking in known:
        groups[stacking.exclusive] += 1
        for tag in stacking.tags:
            tagged[tag] += 1
    for offer, stacking in known:
        node = _node(stacking)
        if stacking.exclusive and groups[stacking.exclusive] == 1:
            others = [name for name in groups if name not in ("", stacking.exclusive)]
            message = f"no other offer is in the exclusivity group {shown(stacking.exclusive)}."
            hint = did_you_mean(stacking.exclusive, others) or "Add another to it, or remove it."
            yield offer, Odd(node, "EXCLUSIVE_ALONE", message, hint)
        for tag in stacking.not_with:
            if tagged[tag] == (tag in stacking.tags):
                hint = (
                    did_you_mean(tag, [name for name in tagged if name != tag]) or "Give it to one, or remove it here."
                )
                yield offer, Odd(node, "UNKNOWN_TAG", f"no other offer has the tag {shown(tag)}.", hint)


def _tags(draft: Draft, node: Node | None, name: str) -> tuple[str, ...]:
    if node is None:
        return ()
    items = draft.sheet.one_or_more(node, name)
    if len(items) > MAX_TAGS:
        draft.sheet.error(node, "OUT_OF_RANGE", f"{name} has {len(items)} tags.", f"Write at most {MAX_TAGS}.")
        return ()
    found: list[str] = []
    for item in items:
        tag = draft.sheet.matching(item, name, ID, _EXAMPLE)
        if tag in found:
            draft.sheet.error(item, "LISTED_TWICE", f"{name} lists {shown(tag)} twice.", "Remove one.")
        elif tag is not None:
            found.append(tag)
    return tuple(found)


def _node(stacking: Stacking) -> Node:
    _, line, column = stacking.where.rsplit(":", 2)
    return TextNode("", True, int(line), int(column))
