"""Slips of the hand in campaign files, made one at a time from every place of a file where the hand can slip.

A mutation knows its line. What is by nature still valid is not made: another name for an arm, a purpose, a collection
or a campaign, another text in words, another number, an optional key taken out.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from streams.attributes import AttributeSet, Kind
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode, read_yaml

LAYERS = ("eligibility", "applicability", "suitability")
FREE = ("text", "attributes", "description", "owner", "because")
"""Under these, or as these, words are free, or the keys are somebody's own."""
NAMES = {
    "group",
    "placements",
    "image",
    "season",
    "days",
    "channels",
    "sailing",
    "event",
    "after",
    "count",
    "per",
    "of",
}
"""Keys whose values are names that must be known."""
UNITS = re.compile(r"(?P<number>-?[0-9.]+) ?(?P<unit>s|min|h|d|w|y|km|m|nmi|EUR|%)(?P<rest> .*)?")
WRONG_UNITS = {"%": ("percent", "EUR"), "EUR": ("euros", "%"), "km": ("kms", "min"), "m": ("metre", "d")}
OTHER_UNITS = ("hourz", "km", "")


@dataclass(frozen=True, slots=True)
class Mutation:
    """One slip."""

    kind: str
    where: str
    """The path of keys to it."""
    line: int
    """Where the check must find an error."""
    text: str
    """The whole file with the slip in it."""


@dataclass(frozen=True, slots=True)
class Place:
    """A key with its value, and the keys above it."""

    word: TextNode
    value: Node
    above: tuple[str, ...]
    parent: MapNode
    parent_word: TextNode | None

    @property
    def path(self) -> str:
        return ".".join((*self.above, self.word.text))


def mutations(text: str, attributes: AttributeSet) -> Iterator[Mutation]:
    """Every slip that this module knows in one campaign file."""
    root, findings = read_yaml(text.encode(), "campaign.yaml")
    assert isinstance(root, MapNode) and not findings
    lines = text.splitlines()
    for place in places(root):
        yield from _misspelt(lines, place)
        yield from _twice(lines, place)
        yield from _units(lines, place)
        yield from _levels(lines, place, attributes)
        yield from _nesting(lines, place)
    yield from _tabs(lines)


def places(node: Node, above: tuple[str, ...] = (), parent_word: TextNode | None = None) -> Iterator[Place]:
    """Every key below a node."""
    if isinstance(node, ListNode):
        for item in node.items:
            yield from places(item, above, parent_word)
    elif isinstance(node, MapNode):
        for word, value in node.entries.values():
            yield Place(word, value, above, node, parent_word)
            yield from places(value, (*above, word.text), word)


def _with(lines: list[str], number: int, line: str) -> str:
    """The file with another line at a number, which counts from 1."""
    return "\n".join([*lines[: number - 1], line, *lines[number:]]) + "\n"


def _put(lines: list[str], node: TextNode, old: str, new: str) -> str:
    """The file with another text where a node begins."""
    line, at = lines[node.line - 1], node.column - 1
    assert line.startswith(old, at), (line, old)
    return _with(lines, node.line, line[:at] + new + line[at + len(old) :])


def _misspelt(lines: list[str], place: Place) -> Iterator[Mutation]:
    """A letter too many, two letters in the wrong order; an arm may have any name."""
    key = place.word.text
    if not place.word.plain or place.above[-1:] == ("arms",):
        return
    swapped = key[:-2] + key[-1] + key[-2] if len(key) > 2 and key[-1] != key[-2] else ""
    for slip in (f"{key[:-1]}q{key[-1]}", swapped):
        if slip and slip not in place.parent.entries and not (place.above[-1:] == ("text",) and slip == swapped):
            yield Mutation("misspelt key", place.path, place.word.line, _put(lines, place.word, key, slip))


def _twice(lines: list[str], place: Place) -> Iterator[Mutation]:
    """The key once more: before itself in braces, on the line above in a block."""
    word, line = place.word, lines[place.word.line - 1]
    if not word.plain:
        return
    if _in_braces(place):
        at = word.column - 1
        text = _with(lines, word.line, f"{line[:at]}{word.text}: 1, {line[at:]}")
        yield Mutation("duplicate key", place.path, word.line, text)
        return
    head = line[: word.column - 1]
    text = "\n".join([*lines[: word.line - 1], f"{head}{word.text}: 1", head.replace("-", " ") + line[len(head) :]])
    text += "\n" + "\n".join(lines[word.line :]) + "\n"
    yield Mutation("duplicate key", place.path, word.line + 1, text)


def _in_braces(place: Place) -> bool:
    """Whether the key stands in `{ }`: those begin a column before their first key."""
    first = next(iter(place.parent.entries.values()))[0]
    return (place.parent.line, place.parent.column) != (first.line, first.column)


def _units(lines: list[str], place: Place) -> Iterator[Mutation]:
    """A unit that is none, one of another kind, none at all."""
    value = place.value
    if not isinstance(value, TextNode) or not value.plain or set(FREE) & {*place.above, place.word.text}:
        return
    match = UNITS.fullmatch(value.text)
    if match is None:
        return
    for unit in (*WRONG_UNITS.get(match["unit"], ()), *OTHER_UNITS):
        if unit != match["unit"]:
            slip = f"{match['number']} {unit}".strip() + (match["rest"] or "")
            if not (unit == "km" and match["unit"] in ("m", "nmi")):
                yield Mutation("wrong unit", place.path, value.line, _put(lines, value, value.text, slip))


def _levels(lines: list[str], place: Place, attributes: AttributeSet) -> Iterator[Mutation]:
    """A level or a name with a letter too many."""
    value = place.value
    found = value.items if isinstance(value, ListNode) else (value,)
    if not _named(place, attributes):
        return
    for node in found:
        if isinstance(node, TextNode) and node.plain and node.text not in ("true", "false"):
            slip = f"{node.text[:-1]}q{node.text[-1]}"
            yield Mutation("wrong level", place.path, node.line, _put(lines, node, node.text, slip))


def _named(place: Place, attributes: AttributeSet) -> bool:
    """Whether the value is one of a list of known words."""
    path = (*place.above, place.word.text)
    if path[0] in LAYERS:
        if path[-1] == "because":
            return False
        names = {".".join(path[start:end]) for start in range(1, len(path)) for end in range(start + 1, len(path) + 1)}
        asked = [
            attributes.of_fact(name.removeprefix("booking.") if name.startswith("booking.sailing.") else name)
            for name in names
        ]
        levelled = any(found is not None and found.kind is Kind.ENUM for found in asked)
        keyed = any(found is not None and found.by == path[-1] for found in asked)
        return (
            (levelled and path[-1] not in ("on_missing", "fresh_within", "exists")) or keyed or path[-1] == "on_missing"
        )
    return path[-1] in NAMES and not set(FREE) & set(path) and "experiment" not in path


def _nesting(lines: list[str], place: Place) -> Iterator[Mutation]:
    """A key outside of what it belongs to, and inside of what it does not belong to."""
    word, line = place.word, lines[place.word.line - 1]
    alone = isinstance(place.value, TextNode) and line.strip().startswith(f"{word.text}:")
    if _in_braces(place) or not alone or "-" in line[: word.column - 1]:
        swapped = _swapped(lines, place)
        if swapped is not None:
            yield swapped
        return
    last = list(place.parent.entries.values())[-1][0] is word
    if place.parent_word is not None and last and len(place.parent.entries) > 1:
        above = " " * (place.parent_word.column - 1)
        yield Mutation("swapped nesting", place.path, word.line, _with(lines, word.line, above + line.lstrip()))
    if place.parent_word is None:
        before = [other for other, _ in place.parent.entries.values() if other.line < word.line]
        inner = before and isinstance(place.parent.entries[before[-1].text][1], MapNode)
        if inner and lines[before[-1].line - 1].rstrip().endswith(":"):
            yield Mutation("swapped nesting", place.path, word.line, _with(lines, word.line, f"  {line}"))


def _swapped(lines: list[str], place: Place) -> Mutation | None:
    """`location: {within: ...}` as `within: {location: ...}`."""
    outer, inner = place.parent_word, place.word
    if (
        outer is None
        or outer.line != inner.line
        or not (outer.plain and inner.plain)
        or place.above[-2:-1] == ("arms",)
    ):
        return None
    line = lines[inner.line - 1]
    first, second = outer.column - 1, inner.column - 1
    changed = (
        line[:first]
        + inner.text
        + line[first + len(outer.text) : second]
        + outer.text
        + line[second + len(inner.text) :]
    )
    return Mutation("swapped nesting", place.path, inner.line, _with(lines, inner.line, changed))


def _tabs(lines: list[str]) -> Iterator[Mutation]:
    """A tab for the indentation, and one behind a colon."""
    for number, line in enumerate(lines, 1):
        bare = line.lstrip(" ")
        if line != bare and bare:
            yield Mutation("tab", line.strip()[:20], number, _with(lines, number, "\t" + bare))
        if ": " in line and not bare.startswith("#"):
            yield Mutation("tab", line.strip()[:20], number, _with(lines, number, line.replace(": ", ":\t", 1)))
