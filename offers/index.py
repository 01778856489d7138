"""The index over the whole layout: which offers a customer and a context do not exclude (idea 4)."""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from offers import bits
from offers.attribute_index import DiscreteIndex, NumberIndex, SetIndex
from offers.bits import Words
from offers.compiled import LAYERS, Test, check, compile_condition
from offers.condition import LOCATION, AnyOf, Condition, Leaf, Op, View, asks, conjuncts, leaves
from offers.offer import Offer
from offers.proposition import Check, Code
from streams.attributes import SUBJECT_SCOPES
from streams.ids import Millis
from streams.places import Places, Whereabouts

NUMERIC = (int, float)
WHEREABOUTS_MEMO = 4096
LEAST_SHARED = 8
MOST_SHARED = 16
"""Each costs every decision a question, whether its offers are still in or not."""


def layers(offer: Offer) -> Iterable[tuple[Code, Condition]]:
    """The offer's top-level conjuncts with the code of their layer, in the order in which they explain."""
    written = offer.eligibility, offer.applicability, offer.suitability, offer.stock
    for code, condition in zip(LAYERS, written, strict=True):
        for conjunct in conjuncts(condition):
            yield code, conjunct


def indexable(condition: Condition) -> bool:
    """Whether a conjunct is one question about one customer, context or location fact."""
    if not isinstance(condition, Leaf) or condition.attribute.split(".")[0] in SUBJECT_SCOPES:
        return False
    if condition.op in (Op.WITHIN, Op.INSIDE, Op.HAS_ANY):
        return not condition.negated
    if condition.op is Op.IN and isinstance(next(iter(condition.operand), None), NUMERIC):
        return len(condition.operand) == 1 or isinstance(condition.operand[0], bool)
    return condition.op in (Op.IN, Op.RANGE, Op.EXISTS)


Question = tuple[str, Millis | None]
"""What a leaf asks: (attribute, how old its fact may be)."""


def _question(leaf: Leaf) -> Question:
    return leaf.attribute, leaf.fresh_ms


@dataclass(slots=True)
class AttributeIndex:
    """All indexes over one attribute asked within one age: it may be asked in several shapes."""

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


@dataclass(frozen=True, slots=True)
class Alternatives:
    """An `any` that many offers share: asked once a decision instead of once an offer."""

    test: Test
    others: Words
    """The offers that do not stand under it."""
    exact: frozenset[tuple[int, int]]
    """(position, number of the conjunct)"""


Layers = tuple[tuple[Code, Condition], ...]
"""All layers() of an offer."""


def shared(layout: Sequence[Layers]) -> tuple[Alternatives, ...]:
    """Those that most offers stand under, at most MOST_SHARED; each of at least LEAST_SHARED offers."""
    asking: dict[Hashable, tuple[Condition, list[tuple[int, int]]]] = {}
    for position, conjuncts_of in enumerate(layout):
        for number, (_, conjunct) in enumerate(conjuncts_of):
            if isinstance(conjunct, AnyOf) and not _of_subject(conjunct):
                asking.setdefault(asks(conjunct), (conjunct, []))[1].append((position, number))
    often = [found for found in asking.values() if len(found[1]) >= LEAST_SHARED]
    often.sort(key=lambda found: -len(found[1]))
    return tuple(_alternatives(condition, found, len(layout)) for condition, found in often[:MOST_SHARED])


def _alternatives(condition: Condition, asking: list[tuple[int, int]], size: int) -> Alternatives:
    members = bits.of_positions([position for position, _ in asking], size)
    return Alternatives(compile_condition(condition), ~members, frozenset(asking))


def _of_subject(condition: Condition) -> bool:
    return any(leaf.attribute.split(".")[0] in SUBJECT_SCOPES for leaf in leaves(condition))


class ConditionIndex:
    """Built once per catalog from the offers in layout order; read by every decision."""

    def __init__(self, layout: Sequence[Offer], places: Places) -> None:
        self.size = len(layout)
        self.places = places
        self._layers: list[Layers] = [tuple(layers(offer)) for offer in layout]
        asked: dict[Question, dict[int, list[tuple[int, Leaf]]]] = {}
        for position, conjuncts_of in enumerate(self._layers):
            for number, (_, conjunct) in enumerate(conjuncts_of):
                if isinstance(conjunct, Leaf) and indexable(conjunct):
                    asked.setdefault(_question(conjunct), {}).setdefault(position, []).append((number, conjunct))
        self.predicates: set[Predicate] = set()
        self.questions: dict[Question, AttributeIndex] = {}
        self.places_asked: dict[Millis | None, AttributeIndex] = {}
        for question, found in asked.items():
            if question[0] == LOCATION:
                self.places_asked[question[1]] = self._sets(found)
            else:
                self.questions[question] = self._attribute(found)
        self.shared = shared(self._layers)
        self._tests: dict[Hashable, Test] = {}
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

    def masks(self, view: View) -> Iterable[Words]:
        """One bitmap per indexed question: the offers it does not exclude. A superset, whatever the facts."""
        facts, now = view.facts, view.now
        for (name, fresh_ms), index in self.questions.items():
            fact = facts.get(name)
            if fact is not None and fresh_ms is not None and now - fact[1] > fresh_ms:
                fact = None
            if index.values is not None:
                yield index.values.missing if fact is None else index.values.words(fact[0])
            if index.members is not None:
                held = fact[0] if fact is not None and isinstance(fact[0], tuple) else ()
                yield index.members.missing if fact is None else index.members.words(held)
        yield from self._of_place(view)
        for alternatives in self.shared:
            if not alternatives.test(view):
                yield alternatives.others

    def _of_place(self, view: View) -> Iterable[Words]:
        for fresh_ms, index in self.places_asked.items():
            held = self._places_held(view.whereabouts, fresh_ms, view.now)
            if index.members is not None:
                yield index.members.missing if held is None else index.members.words(held)

    def _places_held(
        self, whereabouts: Whereabouts, fresh_ms: Millis | None, now: Millis
    ) -> tuple[Hashable, ...] | None:
        if whereabouts.cell is None or (fresh_ms is not None and now - whereabouts.at > fresh_ms):
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

    def asked(self) -> tuple[Leaf, ...]:
        """Every leaf of every offer."""
        return tuple(leaf for conjuncts_of in self._layers for _, part in conjuncts_of for leaf in leaves(part))

    def residual(self, position: int) -> tuple[Check, ...]:
        """Checks for the conjuncts of an offer that the index does not answer exactly, in explaining order."""
        return tuple(
            check(conjunct, code, self._test(conjunct))
            for number, (code, conjunct) in enumerate(self._layers[position])
            if not self._answered(position, number, conjunct)
        )

    def _test(self, condition: Condition) -> Test:
        """One closure for all conditions that ask the same: a decision answers it once."""
        asked = asks(condition)
        test = self._tests.get(asked)
        if test is None:
            test = self._tests[asked] = compile_condition(condition)
        return test

    def _answered(self, position: int, number: int, conjunct: Condition) -> bool:
        if not isinstance(conjunct, Leaf):
            return any((position, number) in each.exact for each in self.shared)
        places = conjunct.attribute == LOCATION
        index = self.places_asked.get(conjunct.fresh_ms) if places else self.questions.get(_question(conjunct))
        return index is not None and (position, number) in index.exact


def _exact(asked: Mapping[int, list[tuple[int, Leaf]]], positions: frozenset[int]) -> set[tuple[int, int]]:
    return {(position, number) for position in positions for number, _ in asked[position]}
