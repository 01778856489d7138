"""What a campaign has from its group and from policies.yaml: campaign < group < defaults, the same for every key.

A value of the campaign wins over the group's, the group's over the defaults'. Lists of conditions, limits,
suppressions, purposes and channels are added together: nobody takes away what others ask for. It is done to nodes, and
each knows the file it stands in, so whatever is said of an inherited value points there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.findings import Finding, did_you_mean, listed, shown
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode
from streams.sheet import Sheet

LAYERS = ("eligibility", "applicability", "suitability")
VALUES = ("owner", "placements", "experiment")
ADDED = (*LAYERS, "limits", "suppress")
MERGED = ("schedule", "languages", "consent")
"""Mappings, of which each key is inherited by itself."""
INHERITED = (*VALUES, *MERGED, *ADDED)
OF_FALLBACKS = ("owner", "placements", "languages")
"""A fallback is for everyone: it takes over nothing that would rule somebody out."""


_LACKING = frozenset(f"the campaign has no '{key}'." for key in INHERITED)
_FOLLOW_UPS = frozenset({"PURPOSE_MISSING", "ZONE_MISSING"})


@dataclass(frozen=True, slots=True)
class Duty:
    """What the law asks of every offer in a collection."""

    require: Node | None
    """Conditions that each has beside its own, in eligibility."""
    disclosures: tuple[str, ...]
    """Codes that each answer carries."""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """What the files of a folder have for its campaigns; every node knows its file."""

    groups: Mapping[str, Node | None] = field(default_factory=dict)
    """None: its file cannot be read, which is told there."""
    defaults: Node | None = None
    duties: Mapping[str, Duty] = field(default_factory=dict)
    """By collection."""

    @property
    def nothing(self) -> bool:
        """Whether no campaign inherits anything."""
        return not (self.groups or self.duties) and self.defaults is None


def inherit(sheet: Sheet, known: Inheritance, root: Node) -> Node:
    """The campaign with what it inherits; UNKNOWN_GROUP. The sheet then tells of inherited nodes who has them."""
    if not isinstance(root, MapNode) or (known.nothing and "group" not in root.entries):
        return root
    group = _group(sheet, known, root)
    entries = dict(root.entries)
    keys = OF_FALLBACKS if _is_fallback(root) else INHERITED
    for base in (group, known.defaults):
        given = base.entries if isinstance(base, MapNode) else {}
        for key in keys:
            if key in given:
                word, node = given[key]
                entries[key] = (entries[key][0], _over(key, node, entries[key][1])) if key in entries else (word, node)
    _keep_duty(sheet, known.duties.get(_text(root, "offer", "collection")), root, entries)
    return MapNode(entries, root.line, root.column, root.path)


def _keep_duty(sheet: Sheet, duty: Duty | None, root: MapNode, entries: dict[str, tuple[TextNode, Node]]) -> None:
    """The conditions of a duty go into eligibility; a fallback, which asks none, cannot be in such a collection."""
    if duty is None or duty.require is None:
        return
    node = duty.require
    if _is_fallback(root):
        at = root.entries["offer"][1]
        message = f"a fallback asks no conditions, and its collection requires some (policies.yaml:{node.line})."
        sheet.error(at, "FALLBACK_UNFIT", message, "Take it out of the collection, or mark another offer.")
    elif "eligibility" in entries:
        word, own = entries["eligibility"]
        entries["eligibility"] = word, _over("eligibility", node, own)
    else:
        entries["eligibility"] = TextNode("eligibility", True, node.line, node.column, node.path), node


def is_whole(known: Inheritance, root: Node) -> bool:
    """Whether everything a campaign inherits is known: not where its group is unknown, or cannot be read."""
    return (
        not isinstance(root, MapNode)
        or "group" not in root.entries
        or known.groups.get(_text(root, "group")) is not None
    )


def follows(finding: Finding) -> bool:
    """Whether a finding may be for want of what an unknown group says."""
    return finding.code in _FOLLOW_UPS or (finding.code == "KEY_MISSING" and finding.message in _LACKING)


def _group(sheet: Sheet, known: Inheritance, root: MapNode) -> Node | None:
    if "group" not in root.entries:
        return None
    node = root.entries["group"][1]
    name = sheet.text(node, "group")
    if name is None:
        return None
    if name not in known.groups:
        hint = did_you_mean(name, known.groups) or (
            f"There are: {listed(sorted(known.groups))}." if known.groups else f"Add groups/{name}.yaml."
        )
        sheet.error(node, "UNKNOWN_GROUP", f"there is no group {shown(name)}.", hint)
        return None
    group = known.groups[name]
    if group is not None:
        sheet.taken[group.path] = sheet.where(node)
    return group


def _over(key: str, base: Node, own: Node) -> Node:
    """What a campaign says over what it inherits. What it says wrongly stays as it is, to be told."""
    if key in MERGED and isinstance(base, MapNode) and isinstance(own, MapNode):
        entries = dict(own.entries)
        for name, (word, node) in base.entries.items():
            both = name in entries and name in ("purposes", "channels")
            entries.setdefault(name, (word, node))
            if both:
                entries[name] = own.entries[name][0], _joined(node, own.entries[name][1], once=True)
        return MapNode(entries, own.line, own.column, own.path)
    if key in ADDED and not isinstance(own, TextNode) and (key != "limits" or isinstance(own, ListNode)):
        return _joined(base, own)
    return own


def _joined(base: Node, own: Node, once: bool = False) -> Node:
    """The items of both, the inherited ones first; `once`: words that both have are taken from the campaign."""
    items = own.items if isinstance(own, ListNode) else (own,)
    if not items:
        return own
    said = {item.text for item in items if isinstance(item, TextNode)} if once else set()
    inherited = base.items if isinstance(base, ListNode) else (base,)
    kept = tuple(item for item in inherited if not (isinstance(item, TextNode) and item.text in said))
    return ListNode((*kept, *items), own.line, own.column, own.path)


def _is_fallback(root: MapNode) -> bool:
    return _text(root, "offer", "fallback") == "true"


def _text(node: Node, *keys: str) -> str:
    """The text under a path of keys; empty if there is none."""
    for key in keys:
        if not isinstance(node, MapNode) or key not in node.entries:
            return ""
        node = node.entries[key][1]
    return node.text if isinstance(node, TextNode) else ""
