"""What differs between two versions of a YAML file, key by key, in the words it is written in, with both places."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from streams.positioned_yaml import ListNode, MapNode, Node, TextNode

Kind = Literal["added", "removed", "changed", "reordered"]
MOST_PAIRS = 10_000
"""Of items held against each other in one list."""


class SourceChange(msgspec.Struct, frozen=True):
    """One thing that was written otherwise before."""

    key: str
    """The path of keys: `price.discount`, `text.it.title`, `eligibility.all`."""
    kind: Kind
    before: str
    """As written, in one line; empty: it was not there."""
    after: str
    before_at: str
    """`file:line:column`; empty: it was not there."""
    after_at: str

    def __str__(self) -> str:
        """`price.discount 30 % -> 40 %`, `limits added {count: click, at_most: 3}`."""
        if self.kind == "changed":
            return f"{self.key} {self.before} -> {self.after}"
        if self.kind == "reordered":
            return f"{self.key} in another order"
        return f"{self.key} {self.kind} {self.after or self.before}"


def changes(before: tuple[str, Node], after: tuple[str, Node]) -> tuple[SourceChange, ...]:
    """Of two files, each (path, root). What is only laid out or quoted otherwise is no change, nor is a comment."""
    return tuple(_Differ(before[0], after[0]).between("", before[1], after[1]))


def written(node: Node) -> str:
    """A node in one line, as a person would write it in braces."""
    if isinstance(node, TextNode):
        return node.text if node.plain else '"' + " ".join(node.text.split()) + '"'
    if isinstance(node, ListNode):
        return f"[{', '.join(written(item) for item in node.items)}]"
    return f"{{{', '.join(f'{key}: {written(value)}' for key, (_, value) in node.entries.items())}}}"


class _Differ:
    """Compares trees; knows what the files are called."""

    def __init__(self, before: str, after: str) -> None:
        self.before = before
        self.after = after

    def between(self, key: str, before: Node, after: Node) -> Iterator[SourceChange]:
        if isinstance(before, MapNode) and isinstance(after, MapNode):
            yield from self._maps(key, before, after)
        elif isinstance(before, ListNode) and isinstance(after, ListNode):
            yield from self._lists(key, before, after)
        elif _bare(before) != _bare(after):
            yield SourceChange(
                key, "changed", written(before), written(after), _at(self.before, before), _at(self.after, after)
            )

    def _maps(self, key: str, before: MapNode, after: MapNode) -> Iterator[SourceChange]:
        for name, (word, value) in before.entries.items():
            if name in after.entries:
                yield from self.between(_joined(key, name), value, after.entries[name][1])
            else:
                yield self._removed(_joined(key, name), value, word)
        for name, (word, value) in after.entries.items():
            if name not in before.entries:
                yield self._added(_joined(key, name), value, word)

    def _lists(self, key: str, before: ListNode, after: ListNode) -> Iterator[SourceChange]:
        """Items that are the same are set aside; of the others, those of the same keys are held against each other."""
        gone, new = _without_common(before.items, after.items), _without_common(after.items, before.items)
        if not gone and not new:
            if [_bare(item) for item in before.items] != [_bare(item) for item in after.items]:
                places = _at(self.before, before), _at(self.after, after)
                yield SourceChange(key, "reordered", written(before), written(after), *places)
            return
        became = _paired(gone, new)
        for at, item in enumerate(gone):
            if at in became:
                yield from self.between(key, item, new[became[at]])
            else:
                yield self._removed(key, item, item)
        for at, item in enumerate(new):
            if at not in became.values():
                yield self._added(key, item, item)

    def _added(self, key: str, value: Node, place: Node) -> SourceChange:
        return SourceChange(key, "added", "", written(value), "", _at(self.after, place))

    def _removed(self, key: str, value: Node, place: Node) -> SourceChange:
        return SourceChange(key, "removed", written(value), "", _at(self.before, place), "")


def _without_common(items: Sequence[Node], others: Sequence[Node]) -> list[Node]:
    left = Counter(_bare(item) for item in others)
    found = []
    for item in items:
        same = _bare(item)
        if left[same]:
            left[same] -= 1
        else:
            found.append(item)
    return found


def _paired(gone: Sequence[Node], new: Sequence[Node]) -> dict[int, int]:
    """Which item became which, the likest first. Of very many nothing is guessed: they come and go."""
    if len(gone) * len(new) > MOST_PAIRS:
        return {}
    likeness = {(at, to): _likeness(one, other) for at, one in enumerate(gone) for to, other in enumerate(new)}
    became: dict[int, int] = {}
    for at, to in sorted(likeness, key=lambda pair: (-likeness[pair], pair)):
        if likeness[at, to] and at not in became and to not in became.values():
            became[at] = to
    return became


def _likeness(one: Node, other: Node) -> int:
    """How far an item may have become the other: mappings of the same first key, such as conditions on one fact."""
    if not isinstance(one, MapNode) or not isinstance(other, MapNode):
        return 0
    if next(iter(one.entries), None) != next(iter(other.entries), None):
        return 0
    common = one.entries.keys() & other.entries.keys()
    return 1 + sum(_bare(one.entries[name][1]) == _bare(other.entries[name][1]) for name in common)


def _bare(node: Node) -> object:
    """What is said, wherever and however it is laid out. The order of keys says nothing."""
    if isinstance(node, TextNode):
        return node.text
    if isinstance(node, ListNode):
        return ("list", *(_bare(item) for item in node.items))
    return frozenset((name, _bare(value)) for name, (_, value) in node.entries.items())


def _joined(key: str, name: str) -> str:
    return f"{key}.{name}" if key else name


def _at(path: str, node: Node) -> str:
    return f"{path}:{node.line}:{node.column}"
