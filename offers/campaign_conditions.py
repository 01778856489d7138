"""Conditions: the three layers of a campaign file -> offers.condition, with negation at the leaves.

A mapping or a list is a conjunction; `any` and `none` take lists. `x` stands for what `{is: x}` says. `use: name` is
what conditions.yaml has under that name.
"""

from collections.abc import Mapping
from dataclasses import replace

from offers.campaign_draft import Draft, NamedCondition, unaliased
from offers.campaign_leaves import Asked, as_written, read_tests
from offers.campaign_location import read_location
from offers.condition import ALWAYS, All, AnyOf, Condition, Leaf, negate
from streams.attributes import SCOPES
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode

MAX_GROUPS = 8
GROUPS = ("all", "any", "none")
USE = "use"
NAMED_FILE = "conditions.yaml"
MAX_WEIGHT = 10_000
"""Words of one layer with all that it uses: names that use names twice would grow without end."""


def read_layer(draft: Draft, node: Node | None, name: str) -> Condition:
    """`eligibility`, `applicability` or `suitability`; ALWAYS if there is none."""
    if node is None:
        return ALWAYS
    weighed = weight(node, draft.words.conditions) if draft.words.conditions else 0
    if weighed > MAX_WEIGHT:
        message = f"{name} has {weighed:,} words with all that it uses."
        draft.sheet.error(node, "CONDITION_TOO_BIG", message, f"Keep it under {MAX_WEIGHT:,}.")
        return ALWAYS
    return _conjunction(_parts(draft, node, name, 0))


def weight(node: Node, named: Mapping[str, NamedCondition]) -> int:
    """Words in a node, with those of the named conditions that it uses."""
    if isinstance(node, TextNode):
        return 1
    if isinstance(node, ListNode):
        return sum(weight(item, named) for item in node.items)
    used = node.entries.get(USE)
    return sum(weight(value, named) for _, value in node.entries.values()) + sum(
        named[name].weight for name in (uses(used[1]) if used is not None else ()) if name in named
    )


def uses(node: Node) -> tuple[str, ...]:
    """The names at a `use:`."""
    items = node.items if isinstance(node, ListNode) else (node,)
    return tuple(item.text.strip() for item in items if isinstance(item, TextNode))


def _parts(draft: Draft, node: Node, name: str, depth: int) -> list[Condition]:
    """The conjuncts of a mapping or a list."""
    if depth > MAX_GROUPS:
        hint = "Split the campaign, or name the combination in an attribute."
        draft.sheet.error(node, "TOO_DEEP", f"conditions are nested deeper than {MAX_GROUPS} groups.", hint)
        return []
    if isinstance(node, ListNode):
        items = draft.sheet.items(node, name)
        return [part for item in items for part in _parts(draft, item, name, depth + 1)]
    parts: list[Condition] = []
    for key, (word, value) in _entries(draft, node, name, "conditions, such as customer.loyalty_tier: gold").items():
        if key in GROUPS:
            parts += _group(draft, key, value, depth + 1)
        elif key == USE:
            parts += _used(draft, value, depth + 1)
        else:
            parts += _entry(draft, word, key, value)
    return parts


def _entries(draft: Draft, node: Node, name: str, expected: str) -> Mapping[str, tuple[TextNode, Node]]:
    entries = draft.sheet.entries(node, name, expected)
    if isinstance(node, MapNode) and not entries:
        draft.sheet.error(node, "EMPTY_VALUE", f"{name} has no condition.", "Write one, or remove the key.")
    return entries


def _group(draft: Draft, key: str, node: Node, depth: int) -> list[Condition]:
    if not isinstance(node, ListNode):
        draft.sheet.wrong(node, f"'{key}'", "a list of conditions, one behind each '-'")
        return []
    items = [_conjunction(_parts(draft, item, key, depth)) for item in draft.sheet.items(node, f"'{key}'")]
    if key == "any":
        return [AnyOf(tuple(items), draft.sheet.where(node), draft.sheet.via(node))] if len(items) != 1 else items
    return [_refused(item) for item in items] if key == "none" else items


def _used(draft: Draft, node: Node, depth: int) -> list[Condition]:
    """The conjuncts of named conditions, one or several; their leaves tell where they stand and where they are used."""
    parts: list[Condition] = []
    for item in draft.sheet.one_or_more(node, f"'{USE}'"):
        name = draft.reference(item, "UNKNOWN_CONDITION", f"condition in {NAMED_FILE} called", draft.words.conditions)
        named = draft.words.conditions.get(name or "")
        if named is None or named.broken:
            continue
        within = item.path == NAMED_FILE  # used by a named condition that is used: the first use is told
        taking = draft if within else replace(draft, sheet=draft.sheet.taking(draft.sheet.where(item)))
        parts += _parts(taking, named.node, f"condition {name}", depth)
    return parts


def _entry(draft: Draft, word: TextNode, key: str, node: Node) -> list[Condition]:
    """One key that is no group: `location`, a subject with conditions on its facts, or an attribute."""
    text = as_written(key, node)
    if key == "location":
        leaf = read_location(draft, word, node, text)
        return [] if leaf is None else [leaf]
    if key in SCOPES or key == "booking.sailing":
        return _facts_of(draft, key, node)
    name = unaliased(key)
    attribute = draft.attribute(word, name)
    return [] if attribute is None else list(read_tests(Asked(draft, word, attribute, name, text), node))


def _facts_of(draft: Draft, scope: str, node: Node) -> list[Condition]:
    """`sailing: {line: ..., status: ...}`: conditions on sailing.line and sailing.status."""
    parts: list[Condition] = []
    for short, (inner, value) in _entries(draft, node, scope, "conditions on its facts").items():
        if short in GROUPS:
            hint = f"Write '{short}:' around '{scope}:'."
            draft.sheet.error(inner, "UNKNOWN_KEY", f"'{short}' groups conditions; {scope} holds facts.", hint)
        else:
            parts += _entry(draft, inner, f"{scope}.{short}", value)
    return parts


def _refused(condition: Condition) -> Condition:
    """The opposite, its leaves saying so in their text."""
    return _said(negate(condition))


def _said(condition: Condition) -> Condition:
    match condition:
        case Leaf():
            doubled = condition.text.startswith("not ")
            return replace(condition, text=condition.text[4:] if doubled else f"not {condition.text}")
        case All(children):
            return All(tuple(_said(child) for child in children))
        case AnyOf(children, where, via):
            return AnyOf(tuple(_said(child) for child in children), where, via)


def _conjunction(parts: list[Condition]) -> Condition:
    return parts[0] if len(parts) == 1 else All(tuple(parts))
