"""Vocabulary: which strings of a log get a code. Bounded, ordered, and blind to what only few customers hold."""

from dataclasses import dataclass, field

from scoring.features import MAX_CODES, MAX_MEMBERS, Scorable, Vocabulary
from streams.attributes import AttributeSet, Facts, Kind
from streams.ids import CustomerId
from streams.record import DecisionInputs

LEAST_CUSTOMERS = 10
"""A value held by fewer customers gets no code: a model folder must not name what could name a person."""
MOST_VALUES = 4_096
"""Distinct values followed per fact; those first seen later are unseen."""

Holders = dict[str, set[CustomerId]]


@dataclass(frozen=True, slots=True)
class Counting:
    """Counts, over a log, who holds what. Bounded: LEAST_CUSTOMERS ids per value, MOST_VALUES values per fact."""

    attributes: AttributeSet
    least: int = LEAST_CUSTOMERS
    holders: dict[str, Holders] = field(default_factory=dict)
    times: dict[str, dict[str, int]] = field(default_factory=dict)

    def see(self, inputs: DecisionInputs, items: tuple[Scorable, ...]) -> None:
        """One decision with what it showed."""
        customer = inputs.request.customer_id
        self._see_facts(inputs.profile.facts, customer)
        self._see_facts(inputs.request.context, customer)
        for fence, _ in inputs.whereabouts.fences:
            self._see("place.fence", fence, customer)
        for facts, subject in items:
            self._see("offer.id", facts.offer_id, customer)
            self._see("offer.collection", facts.collection, customer)
            self._see_facts({name: (value, 0) for name, value in facts.attributes.items()}, customer)
            self._see_facts(subject.facts, customer)

    def vocabulary(self) -> Vocabulary:
        """The values held by enough customers, the most frequent first, ties in order of the text."""
        known: dict[str, tuple[str, ...]] = {}
        for name, times in sorted(self.times.items()):
            held = [value for value in times if len(self.holders[name][value]) >= self.least]
            known[name] = tuple(sorted(held, key=lambda value: (-times[value], value))[: self._most(name)])
        return known

    def _most(self, name: str) -> int:
        attribute = self.attributes.of_fact(name)
        members = name == "place.fence" or (attribute is not None and attribute.kind is Kind.SET)
        return MAX_MEMBERS if members else MAX_CODES

    def _see_facts(self, facts: Facts, customer: CustomerId) -> None:
        for name, (value, _) in facts.items():
            if isinstance(value, str | tuple) and self._open(name):
                for each in (value,) if isinstance(value, str) else value:
                    self._see(name, each, customer)

    def _open(self, name: str) -> bool:
        """Whether the fact's values are not declared: a feature that is a string or a set without levels."""
        attribute = self.attributes.of_fact(name)
        return attribute is not None and attribute.feature and not attribute.protected and not attribute.levels

    def _see(self, name: str, value: str, customer: CustomerId) -> None:
        times = self.times.setdefault(name, {})
        if value not in times and len(times) >= MOST_VALUES:
            return
        times[value] = times.get(value, 0) + 1
        holders = self.holders.setdefault(name, {}).setdefault(value, set())
        if len(holders) < self.least:
            holders.add(customer)
