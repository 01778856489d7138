"""Segments: the labelled items of a log by what their customers or situations have in common, for judging a model."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from scoring.examples import Example, Examples
from streams.attributes import Attribute, AttributeSet, Kind
from streams.errors import InvalidInput
from streams.profile import bucket_of
from streams.record import DecisionInputs

HISTORY = "history"
NEW, RETURNING = "new", "returning"
"""Whether the customer's profile had seen any exposure when the decision was made."""
MISSING = "missing"
LEAST = 5
"""Customers of a segment that is told."""
MOST = 20
"""Segments of one attribute that are told: those with the most rows."""
NONE_OF_THEM = "none"


@dataclass(frozen=True, slots=True)
class Segmenting:
    """Notes the segments of a log while somebody else reads it: what was noted is that of the last whole reading."""

    attributes: tuple[Attribute, ...] = ()
    _noted: list[tuple[int, str, tuple[str, ...]]] = field(default_factory=list)
    """(instant, decision id, a segment per attribute, history first) of each item."""

    @property
    def names(self) -> tuple[str, ...]:
        """What segments are told of."""
        return (HISTORY, *(attribute.qualified for attribute in self.attributes))

    def noting(self, examples: Examples) -> Examples:
        """The same examples."""
        return lambda: self._noting(examples())

    def _noting(self, examples: Iterable[Example]) -> Iterator[Example]:
        self._noted.clear()
        for example in examples:
            made = example.inputs
            found = (history(made), *(value(made, attribute) for attribute in self.attributes))
            self._noted.extend([(made.now, made.decision_id, found)] * len(example.items))
            yield example

    def columns(self) -> list[NDArray[np.str_]]:
        """(n items) per name, in the order of `scoring.dataset`: by time, then decision."""
        ordered = sorted(self._noted, key=lambda each: each[:2])
        return [np.array([found[at] for _, _, found in ordered]) for at in range(len(self.names))]


def segmenting(by: Sequence[str], attributes: AttributeSet) -> Segmenting:
    """By new and returning customers, and by these attributes. Raises InvalidInput UNKNOWN_ATTRIBUTE."""
    return Segmenting(tuple(_declared(name, attributes) for name in by))


def _declared(name: str, attributes: AttributeSet) -> Attribute:
    known = {each.qualified: each for each in attributes.by_name.values() if _tells_apart(each)}
    if name not in known:
        listed = ", ".join(sorted(known)) or "none"
        message = (
            f"{name[:60]!r} is no attribute of the customer or the context with declared levels; there are: {listed}"
        )
        protected = attributes.by_name.get(name)
        hint = ". Protected ones are told by `offing groups`" if protected is not None and protected.protected else ""
        raise InvalidInput("UNKNOWN_ATTRIBUTE", message + hint)
    return known[name]


def _tells_apart(attribute: Attribute) -> bool:
    """Groups are told, never people: what is free to take any value tells nobody apart."""
    few = attribute.kind is Kind.BOOLEAN or bool(attribute.levels)
    return attribute.scope in ("customer", "context") and few and not attribute.protected


def history(inputs: DecisionInputs) -> str:
    """Whether the decision could know of anything shown to this customer before."""
    profile, current = inputs.profile, bucket_of(inputs.now)
    seen = any(key[0] == "exposed" and number > 0 for key, number in profile.lifetime.items()) or any(
        key[0] == "exposed" and any(bucket <= current for bucket in buckets)
        for key, buckets in profile.counters.items()
    )
    return RETURNING if seen else NEW


def value(inputs: DecisionInputs, attribute: Attribute) -> str:
    """What the decision saw of the attribute, as the consent mask let it; of a set, all that is in it."""
    facts = inputs.profile.facts if attribute.scope == "customer" else inputs.request.context
    found = facts.get(attribute.qualified)
    if found is None:
        return MISSING
    if isinstance(found[0], tuple):
        return " + ".join(sorted(map(str, found[0]))) or NONE_OF_THEM
    return str(found[0]).lower() if isinstance(found[0], bool) else str(found[0])


def told(column: NDArray[np.str_], customer: NDArray[np.intp]) -> Iterator[tuple[str, NDArray[np.bool_], int]]:
    """(segment, its rows, its customers) of those that may be told, the most rows first.

    Where those left out are fewer than LEAST customers together, one more is left out: else the rows of all less those
    told would tell of them.
    """
    names, counts = np.unique(column, return_counts=True)
    every = [column == names[at] for at in np.lexsort((names, -counts)).tolist()]
    found = [(rows, len(np.unique(customer[rows]))) for rows in every]
    kept = [each for each in found if each[1] >= LEAST][:MOST]
    left_out = np.ones(len(column), dtype=np.bool_)
    for rows, _ in kept:
        left_out &= ~rows
    if kept and 0 < len(np.unique(customer[left_out])) < LEAST:
        kept.pop()
    for rows, customers in kept:
        yield str(column[np.argmax(rows)]), rows, customers
