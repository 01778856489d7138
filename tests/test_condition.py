"""The plain evaluator, which everything else is measured by."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings

from offers.condition import (
    ALWAYS,
    LOCATION,
    All,
    AnyOf,
    Condition,
    Leaf,
    Op,
    View,
    confidence,
    conjuncts,
    holds,
    known,
    leaves,
    negate,
)
from streams.attributes import Value
from streams.places import Fix, Whereabouts
from streams.record import FactDict
from tests.catalogs import NOW
from tests.geography import LIVORNO, PLACES
from tests.test_index import SHARED, conditions

HOUR = 3_600_000
GOLD = Leaf("customer.tier", Op.IN, ("gold", "platinum"))


def seen(customer: FactDict | None = None, subject: FactDict | None = None, where: Whereabouts | None = None) -> View:
    return View(customer or {}, subject or {}, where or Whereabouts("off"), PLACES, NOW)


def asked(leaf: Leaf, value: Value | None) -> bool:
    return holds(leaf, seen({} if value is None else {leaf.attribute: (value, NOW)}))


@pytest.mark.parametrize(("negated", "on_missing"), list(product((False, True), repeat=2)))
def test_a_missing_or_stale_fact_resolves_to_on_missing_whatever_the_polarity(negated: bool, on_missing: bool) -> None:
    leaf = replace(GOLD, negated=negated, on_missing=on_missing, fresh_ms=HOUR)
    missing, stale = seen(), seen({"customer.tier": ("gold", NOW - HOUR - 1)})
    assert (known(leaf, missing), known(leaf, stale)) == (None, None)
    assert (holds(leaf, missing), holds(leaf, stale)) == (on_missing, on_missing)
    assert holds(leaf, seen({"customer.tier": ("gold", NOW - HOUR)})) is not negated
    assert holds(leaf, seen({"customer.tier": ("blue", NOW)})) is negated


QUESTIONS: list[tuple[Leaf, dict[Value, bool]]] = [
    (GOLD, {"gold": True, "platinum": True, "blue": False}),
    (Leaf("customer.newsletter", Op.IN, (True,)), {True: True, False: False}),
    (
        Leaf("customer.age", Op.RANGE, low=18, high=30),
        {17: False, 18: True, 24.5: True, 30: True, 31: False, "x": False},
    ),
    (Leaf("customer.age", Op.RANGE, low=18), {17: False, 18: True, 10**9: True}),
    (Leaf("customer.tastes", Op.HAS_ANY, ("a", "b")), {("a", "z"): True, ("z",): False, (): False, "a": False}),
    (Leaf("customer.tastes", Op.HAS_ALL, ("a", "b")), {("a", "b", "z"): True, ("a",): False, (): False, "ab": False}),
    (Leaf("customer.tastes", Op.WITHIN, ("port:ITLIV",)), {("a",): False}),
]


@pytest.mark.parametrize(("leaf", "answers"), QUESTIONS, ids=lambda part: part.op if isinstance(part, Leaf) else "")
def test_what_each_question_answers(leaf: Leaf, answers: dict[Value, bool]) -> None:
    assert {value: asked(leaf, value) for value in answers} == answers
    assert {value: asked(negate_leaf(leaf), value) for value in answers} == {v: not a for v, a in answers.items()}


def negate_leaf(leaf: Leaf) -> Leaf:
    return replace(leaf, negated=not leaf.negated)


def test_existing_is_never_missing_and_a_stale_fact_does_not_exist() -> None:
    exists = Leaf("customer.tier", Op.EXISTS, fresh_ms=HOUR, on_missing=True)
    assert not holds(exists, seen())
    assert holds(exists, seen({"customer.tier": ("blue", NOW)}))
    assert not holds(exists, seen({"customer.tier": ("blue", NOW - 2 * HOUR)}))
    assert holds(negate(exists), seen())


def test_places_are_as_sure_as_the_whereabouts() -> None:
    near = Fix(LIVORNO.lat, LIVORNO.lon, 20, NOW - HOUR)
    within = Leaf(LOCATION, Op.WITHIN, ("port:ITLIV",), radius_m=30_000, min_confidence=3)
    inside = Leaf(LOCATION, Op.INSIDE, ("livorno-terminal", "elba"), min_confidence=2)
    precise, denied = PLACES.resolve(near, "precise"), PLACES.resolve(near, "denied")
    assert (confidence(within, seen(where=precise)), confidence(inside, seen(where=precise))) == (3, 3)
    assert confidence(Leaf(LOCATION, Op.INSIDE, ("elba",)), seen(where=precise)) == 0
    for leaf in (within, inside):
        assert (known(leaf, seen(where=precise)), known(leaf, seen(where=denied))) == (True, None)
        assert known(replace(leaf, fresh_ms=HOUR - 1), seen(where=precise)) is None
        assert known(replace(leaf, fresh_ms=HOUR), seen(where=precise)) is True


def test_too_little_confidence_is_a_no_and_not_a_gap() -> None:
    coarse = PLACES.resolve(Fix(LIVORNO.lat, LIVORNO.lon, 25_000, NOW), "approximate")
    leaf = Leaf(LOCATION, Op.WITHIN, ("port:ITLIV",), radius_m=12_000, min_confidence=3, on_missing=True)
    assert confidence(leaf, seen(where=coarse)) == 2
    assert not holds(leaf, seen(where=coarse))
    assert holds(negate(leaf), seen(where=coarse))


def test_groups_of_nothing() -> None:
    assert holds(ALWAYS, seen())
    assert not holds(AnyOf(), seen())
    assert holds(negate(AnyOf()), seen())
    assert not holds(negate(ALWAYS), seen())


def test_conditions_see_the_subject_and_the_customer() -> None:
    both = All((GOLD, Leaf("booking.accommodation", Op.IN, ("seat",))))
    assert holds(both, seen({"customer.tier": ("gold", NOW)}, {"booking.accommodation": ("seat", NOW)}))
    assert not holds(both, seen({"customer.tier": ("gold", NOW)}, {"booking.accommodation": ("cabin", NOW)}))


def test_conjuncts_are_flat_and_leaves_stand_in_the_order_written() -> None:
    a, b, c, d = (Leaf(f"customer.{name}", Op.EXISTS) for name in "abcd")
    tree = All((a, All((b, AnyOf((c, All((d,))))))))
    assert list(conjuncts(tree)) == [a, b, AnyOf((c, All((d,))))]
    assert list(conjuncts(a)) == [a]
    assert list(leaves(tree)) == [a, b, c, d]


@given(conditions(SHARED))
@settings(max_examples=100, deadline=None)
def test_negation_is_the_opposite_wherever_everything_is_known(condition: Condition) -> None:
    facts: FactDict = {
        "customer.tier": ("gold", NOW), "customer.age": (7, NOW), "customer.tastes": (("a", "c"), NOW),
        "customer.home": ("ITLIV", NOW), "customer.newsletter": (True, NOW), "context.weather": ("rainy", NOW),
    }  # fmt: skip
    view = seen(facts, where=PLACES.resolve(Fix(43.6, 10.3, 20, NOW), "precise"))
    assert holds(negate(condition), view) is not holds(condition, view)
    assert negate(negate(condition)) == without_places(condition)


def without_places(condition: Condition) -> Condition:
    """Negating twice keeps everything but where an `any` stands."""
    match condition:
        case Leaf():
            return condition
        case All(children):
            return All(tuple(without_places(child) for child in children))
        case AnyOf(children):
            return AnyOf(tuple(without_places(child) for child in children))


@given(conditions(SHARED))
@settings(max_examples=100, deadline=None)
def test_of_nobody_known_only_what_says_so_holds(condition: Condition) -> None:
    resolved = {leaf: leaf.negated if leaf.op is Op.EXISTS else leaf.on_missing for leaf in leaves(condition)}

    def expected(part: Condition) -> bool:
        if isinstance(part, Leaf):
            return resolved[part]
        return (all if isinstance(part, All) else any)(expected(child) for child in part.children)

    assert holds(condition, seen()) is expected(condition)
    assert holds(negate(condition), seen()) is expected_negated(condition)


def expected_negated(part: Condition) -> bool:
    """Missing leaves resolve alike on both sides of a negation; only `all` and `any` change places."""
    if isinstance(part, Leaf):
        return not part.negated if part.op is Op.EXISTS else part.on_missing
    return (any if isinstance(part, All) else all)(expected_negated(child) for child in part.children)
