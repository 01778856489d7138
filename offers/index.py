"""The index over the whole layout: which offers a customer and a context do not exclude (idea 4)."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from offers.attribute_index import DiscreteIndex, NumberIndex, SetIndex
from offers.bits import Words
from offers.compiled import LAYERS, check
from offers.condition import LOCATION, Condition, Leaf, Op, conjuncts
from offers.offer import Offer
from offers.proposition import Check, Code
from streams.attributes import SUBJECT_SCOPES, Facts
from streams.places import Places, Whereabouts

NUMERIC = (int, float)
WHEREABOUTS_MEMO = 4096


def layers(offer: Offer) -> Iterable[tuple[Code, Condition]]:
    """The offer's top-level conjuncts with the code of their layer, in the order in which they explain."""
    for code, condition in zip(LAYERS, (offer.eligibility, offer.applicability, offer.suitability), strict=True):
        for conjunct in conjuncts(condition):
            yield code, conjunct


def indexable(condition: Condition) -> bool:
    """Whether a conjunct is one question about one customer, context or location fact."""
    if not isinstance(condition, Leaf) or condition.attribute.split(".")[0] in SUBJECT_SCOPES:
        return False
    if condition.fresh_ms is not None and (condition.on_missing or condition.op is Op.EXISTS):
        return False  # when too old it may hold although the value says no: the index sees no ages
    if condition.op in (Op.WITHIN, Op.INSIDE, Op.HAS_ANY):
        return not condition.negated
    if condition.op is Op.IN and isinstance(next(iter(condition.operand), None), NUMERIC):
        return len(condition.operand) == 1 or isinstance(condition.operand[0], bool)
    return condition.op in (Op.IN, Op.RANGE, Op.EXISTS)


@dataclass(slots=True)
class AttributeIndex:
    """All indexes over one attribute: an attribute may be asked in several shapes."""

    values: DiscreteIndex | NumberIndex | None = None
    members: SetIndex | None = None
    exact: set[tuple[int, int]] = field(default_factory=set)
    """(position, number of the conjunct) answered exactly."""


@dataclass(frozen=True, slots=True)
class Predicate:
    """`within R of X` with its confidence, as a member of the set of places held."""

    place: str
    radius_m: float
    min_confidence: int


class ConditionIndex:
    """Built once per catalog from the offers in layout order; read by every decision."""

    def __init__(self, layout: Sequence[Offer], places: Places) -> None:
        self.size = len(layout)
        self.places = places
        asked: dict[str, dict[int, list[tuple[int, Leaf]]]] = {}
        for position, offer in enumerate(layout):
            for number, (_, conjunct) in enumerate(layers(offer)):
                if isinstance(conjunct, Leaf) and indexable(conjunct):
                    asked.setdefault(conjunct.attribute, {}).setdefault(position, []).append((number, conjunct))
        self.predicates: set[Predicate] = set()
        self.location = self._sets(asked.pop(LOCATION, {}))
        self.attributes = {name: self._attribute(found) for name, found in asked.items()}
        self.reads = frozenset(self.attributes)
        self._held: dict[tuple[str | None, int], tuple[Predicate, ...]] = {}

    def _attribute(self, asked: Mapping[int, list[tuple[int, Leaf]]]) -> AttributeIndex:
        sets = {p: [a for a in found if a[1].op is Op.HAS_ANY] for p, found in asked.items()}
        plain = {p: [a for a in found if a[1].op is not Op.HAS_ANY] for p, found in asked.items()}
        index = self._sets({p: found for p, found in sets.items() if found})
        plain = {p: found for p, found in plain.items() if found}
        every = [leaf for found in plain.values() for _, leaf in found]
        if any(leaf.op is Op.RANGE for leaf in every):
            plain = {p: [a for a in found if a[1].op is not Op.EXISTS] for p, found in plain.items()}
            plain = {p: found for p, found in plain.items() if found}
            index.values = NumberIndex({p: [leaf for _, leaf in found] for p, found in plain.items()}, self.size)
        elif every:
            index.values = DiscreteIndex({p: [leaf for _, leaf in found] for p, found in plain.items()}, self.size)
        if index.values is not None:
            index.exact |= _exact(plain, index.values.exact)
        return index

    def _sets(self, asked: Mapping[int, list[tuple[int, Leaf]]]) -> AttributeIndex:
        """Only an offer's first set question is indexed; the others stay residual."""
        if not asked:
            return AttributeIndex()
        first = {position: found[:1] for position, found in asked.items()}
        members = {position: self._members(found[0][1]) for position, found in first.items()}
        passes = {position: found[0][1].on_missing for position, found in first.items()}
        index = SetIndex(members, passes, self.size)
        return AttributeIndex(members=index, exact=_exact(first, index.exact))

    def _members(self, leaf: Leaf) -> tuple[Hashable, ...]:
        if leaf.op is Op.WITHIN:
            predicate = Predicate(str(leaf.operand[0]), leaf.radius_m, leaf.min_confidence)
            self.predicates.add(predicate)
            return (predicate,)
        if leaf.op is Op.INSIDE:
            return tuple((fence, leaf.min_confidence) for fence in leaf.operand)
        return leaf.operand

    def masks(self, facts: Facts, whereabouts: Whereabouts) -> Iterable[Words]:
        """One bitmap per indexed attribute: the offers it does not exclude. A superset, whatever the facts' age."""
        for name, index in self.attributes.items():
            fact = facts.get(name)
            if index.values is not None:
                yield index.values.missing if fact is None else index.values.words(fact[0])
            if index.members is not None:
                held = fact[0] if fact is not None and isinstance(fact[0], tuple) else ()
                yield index.members.missing if fact is None else index.members.words(held)
        if self.location.members is not None:
            held_places = self._places_held(whereabouts)
            members = self.location.members
            yield members.missing if held_places is None else members.words(held_places)

    def _places_held(self, whereabouts: Whereabouts) -> tuple[Hashable, ...] | None:
        if whereabouts.cell is None:
            return None
        key = (whereabouts.cell, whereabouts.accuracy_m)
        near = self._held.get(key)
        if near is None:
            near = tuple(
                predicate
                for predicate in self.predicates
                if self.places.within(whereabouts, predicate.place, predicate.radius_m) >= predicate.min_confidence
            )
            if len(self._held) >= WHEREABOUTS_MEMO:
                self._held.clear()
            self._held[key] = near
        fences = tuple((fence, least) for fence, sure in whereabouts.fences for least in range(1, sure + 1))
        return (*near, *fences)

    def residual(self, position: int, offer: Offer) -> tuple[Check, ...]:
        """Checks for the conjuncts of this offer that the index does not answer exactly, in explaining order."""
        return tuple(
            check(conjunct, code)
            for number, (code, conjunct) in enumerate(layers(offer))
            if not self._answered(position, number, conjunct)
        )

    def _answered(self, position: int, number: int, conjunct: Condition) -> bool:
        if not isinstance(conjunct, Leaf) or conjunct.fresh_ms is not None:
            return False
        index = self.location if conjunct.attribute == LOCATION else self.attributes.get(conjunct.attribute)
        return index is not None and (position, number) in index.exact


def _exact(asked: Mapping[int, list[tuple[int, Leaf]]], positions: frozenset[int]) -> set[tuple[int, int]]:
    return {(position, number) for position in positions for number, _ in asked[position]}
