"""Which conditions can never hold, and which always do: exact for one fact, silent where facts only meet.

What is possible is kept for each fact apart, as points (offers.campaign_points). Of two facts together nothing is
concluded but that each must be possible, so what is found is certain, and what takes both at once is not found.
Places (`location`) are not judged.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from offers.campaign_points import answers
from offers.condition import LOCATION, All, AnyOf, Condition, Leaf, conjuncts, leaves
from streams.attributes import AttributeSet

MAX_CONFLICTS = 8
Possible = dict[str, int]
"""Fact -> the points that are left; a fact that is not in it may be anything."""
Parts = tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Conditions that never hold together, none of them to spare."""

    parts: Parts
    branch: Parts = ()
    """Those of the alternative that is never taken; empty: the whole never holds."""


class Judge:
    """Judges the conditions that were given to it at the start, and what they are made of."""

    def __init__(self, attributes: AttributeSet, conditions: Sequence[Condition]) -> None:
        self._judged = tuple(conditions)
        self._every: Possible = {}
        self._points: dict[int, int] = {}
        """Leaf, by its identity, which `_judged` keeps -> the points where it holds."""
        asked: dict[str, list[Leaf]] = {}
        for condition in conditions:
            for leaf in leaves(condition):
                if leaf.attribute != LOCATION:
                    asked.setdefault(leaf.attribute, []).append(leaf)
        for name, found in asked.items():
            attribute = attributes.of_fact(name)
            judged = answers(attribute, tuple([_bare(leaf) for leaf in found])) if attribute is not None else None
            if judged is not None:
                self._every[name] = judged[0]
                self._points.update(zip(map(id, found), judged[1], strict=True))

    def conflicts(self, conditions: Sequence[Condition]) -> Iterator[Conflict]:
        """What never holds of conditions that should all hold, each as if the one before were mended; else what is

        never taken of the alternatives of an `any`."""
        parts = [part for condition in conditions for part in conjuncts(condition)]
        left = self.possible(parts)
        if left is not None:
            yield from self._untaken(tuple(parts), (), left)
        for _ in range(MAX_CONFLICTS):
            if self.possible(parts) is not None:
                return
            found = self._least(parts, lambda rest: self.possible(rest) is None)
            yield Conflict(found)
            parts.remove(found[-1])

    def always(self, condition: Condition) -> Iterator[Parts]:
        """What holds whatever the facts are: a leaf alone, or alternatives of one `any`."""
        match condition:
            case Leaf():
                if self._narrowed(condition, {}, False) is None:
                    yield (condition,)
            case All(children):
                for child in children:
                    yield from self.always(child)
            case AnyOf(children):
                found = [parts for child in children for parts in self.always(child)]
                yield from found
                if not found and self._narrowed(condition, {}, False) is None:
                    yield self._least(children, lambda rest: self._narrowed(AnyOf(tuple(rest)), {}, False) is None)

    def possible(self, parts: Sequence[Condition]) -> Possible | None:
        """What is left of each fact if all of them hold; None: they never do."""
        return self._narrowed(All(tuple(parts)), {}, True)

    def _untaken(self, parts: Parts, around: Parts, left: Possible) -> Iterator[Conflict]:
        """Alternatives that never hold beside `parts`, which hold within `around`.

        What `none` of an `all` becomes is not written as alternatives: of it, only what is written within is said.
        """
        for at, part in enumerate(parts):
            if not isinstance(part, AnyOf):
                continue
            beside = (*around, *parts[:at], *parts[at + 1 :])
            for child in part.children:
                branch, within = tuple(conjuncts(child)), self._narrowed(child, left, True)
                if within is not None:
                    yield from self._untaken(branch, beside, within)
                if within is not None or not part.where:
                    continue
                least = self._least((*beside, *branch), lambda rest: self.possible(rest) is None)
                yield Conflict(least, tuple(one for one in least if any(one is own for own in branch)))

    def _least(self, parts: Sequence[Condition], told: Callable[[Sequence[Condition]], bool]) -> Parts:
        """The last of them that are enough for the same to be told."""
        kept = list(parts)
        for part in parts:
            rest = [other for other in kept if other is not part]
            if told(rest):
                kept = rest
        return tuple(kept)

    def _narrowed(self, condition: Condition, before: Possible, truth: bool) -> Possible | None:
        """What is left of each fact where the condition holds (`truth`) or fails; None: nowhere."""
        match condition:
            case Leaf():
                return self._at_leaf(condition, before, truth)
            case All(children):
                return self._each(children, before, truth) if truth else self._some(children, before, truth)
            case AnyOf(children):
                return self._some(children, before, truth) if truth else self._each(children, before, truth)

    def _at_leaf(self, leaf: Leaf, before: Possible, truth: bool) -> Possible | None:
        every = self._every.get(leaf.attribute)
        if every is None:
            return before
        points = self._points[id(leaf)]
        left = before.get(leaf.attribute, every) & (points if truth else ~points)
        return {**before, leaf.attribute: left} if left else None

    def _each(self, children: Parts, before: Possible, truth: bool) -> Possible | None:
        """Goes through them until none leaves less to another; there are ever fewer points, so it ends."""
        left = before
        while True:
            begun = left
            for child in children:
                found = self._narrowed(child, left, truth)
                if found is None:
                    return None
                left = found
            if left == begun:
                return left

    def _some(self, children: Parts, before: Possible, truth: bool) -> Possible | None:
        found = [left for child in children if (left := self._narrowed(child, before, truth)) is not None]
        if not found:
            return None
        known = set(found[0]).intersection(*found[1:])
        return {name: self._joined(name, found) for name in sorted(known)}

    def _joined(self, name: str, found: Sequence[Possible]) -> int:
        points = 0
        for left in found:
            points |= left[name]
        return points


def _bare(leaf: Leaf) -> Leaf:
    """Without where it is written: equal ones are answered once."""
    return replace(leaf, where="", text="", via="")
