"""Each index equals the plain evaluator: exhaustively over small universes, for values of many offers and of few."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product

import pytest

from offers import bits
from offers.attribute_index import MAX_CUTS, DiscreteIndex, NumberIndex, SetIndex
from offers.bits import Words
from offers.condition import Leaf, Op, View, holds
from streams.attributes import Value
from streams.places import NOWHERE, Places

NAME = "customer.x"
INF = float("inf")
Conjuncts = Mapping[int, Sequence[Leaf]]
PADDINGS = (0, 40_000)
"""Offers without a condition behind the others: with many of them every value is used by fewer than 1 %."""


def view(value: Value | None) -> View:
    facts = {} if value is None else {NAME: (value, 0)}
    return View(facts, {}, NOWHERE, Places(), 0)


def passing(words: Words, size: int) -> set[int]:
    """Positions let through, without the padding bits that only a complement sets."""
    return set(bits.every(words & bits.of_positions(list(range(size)), size)))


def plainly(conjuncts: Conjuncts, size: int, value: Value | None) -> set[int]:
    asked = view(value)
    return {p for p in range(size) if all(holds(leaf, asked) for leaf in conjuncts.get(p, ()))}


def leaves(operands: Sequence[Leaf]) -> Iterator[Leaf]:
    for leaf, negated, on_missing in product(operands, (False, True), (False, True)):
        yield Leaf(NAME, leaf.op, leaf.operand, leaf.low, leaf.high, negated=negated, on_missing=on_missing)


def every_pair(operands: Sequence[Leaf]) -> dict[int, list[Leaf]]:
    """Offers that ask one of these questions, and offers that ask two."""
    single = [[leaf] for leaf in leaves(operands)]
    double = [list(pair) for pair in product(leaves(operands), repeat=2)]
    return dict(enumerate([*single, *double]))


def values_words(index: DiscreteIndex | NumberIndex) -> Callable[[Value | None], Words]:
    return lambda value: index.missing if value is None else index.words(value)


@pytest.mark.parametrize("padding", PADDINGS)
def test_discrete_values_are_exact_for_every_value_mentioned_or_not(padding: int) -> None:
    questions = [Leaf(NAME, Op.IN, ("a",)), Leaf(NAME, Op.IN, ("a", "b")), Leaf(NAME, Op.IN, ()), Leaf(NAME, Op.EXISTS)]
    conjuncts = every_pair(questions)
    size = len(conjuncts) + padding
    index = DiscreteIndex(conjuncts, size)
    assert bool(index.sparse) is bool(padding)
    assert bool(index.dense) is not bool(padding)
    assert index.exact == frozenset(conjuncts)
    for value in ("a", "b", "c", None):
        assert passing(values_words(index)(value), size) == plainly(conjuncts, size, value), value


def test_booleans_and_numbers_are_compared_as_values() -> None:
    conjuncts = every_pair([Leaf(NAME, Op.IN, (True,)), Leaf(NAME, Op.IN, (False, True)), Leaf(NAME, Op.IN, (3,))])
    index = DiscreteIndex(conjuncts, len(conjuncts))
    for value in (True, False, 3, 3.0, 1, 0.0, 4, None):
        words = values_words(index)(value)
        assert passing(words, len(conjuncts)) == plainly(conjuncts, len(conjuncts), value), value


@pytest.mark.parametrize("padding", PADDINGS)
def test_numbers_are_exact_on_below_between_and_above_every_cut(padding: int) -> None:
    questions = [
        Leaf(NAME, Op.RANGE, low=2, high=4),
        Leaf(NAME, Op.RANGE, low=4),
        Leaf(NAME, Op.RANGE, high=2),
        Leaf(NAME, Op.RANGE),
        Leaf(NAME, Op.RANGE, low=5, high=3),
        Leaf(NAME, Op.IN, (3,)),
    ]
    conjuncts = every_pair(questions)
    size = len(conjuncts) + padding
    index = NumberIndex(conjuncts, size)
    assert index.exact == frozenset(conjuncts)
    for value in (-1e9, 1, 2, 2.5, 3, 3.5, 4, 4.5, 5, 6, 1e9, None):
        assert passing(values_words(index)(value), size) == plainly(conjuncts, size, value), value


def test_a_value_that_is_no_number_is_in_no_range() -> None:
    conjuncts = every_pair([Leaf(NAME, Op.RANGE, low=2), Leaf(NAME, Op.IN, (3,))])
    index = NumberIndex(conjuncts, len(conjuncts))
    for value in ("3", ("a",)):
        assert passing(index.words(value), len(conjuncts)) == plainly(conjuncts, len(conjuncts), value)
        assert len(passing(index.words(value), len(conjuncts))) == 4 + 16, "only those that are negated throughout"


def test_beyond_the_most_cuts_it_is_a_superset_and_says_what_is_exact() -> None:
    conjuncts = {p: [Leaf(NAME, Op.RANGE, low=p, high=p + 5, negated=p % 3 == 0)] for p in range(600)}
    index = NumberIndex(conjuncts, 600)
    assert len(index.cuts) == MAX_CUTS
    assert 0 < len(index.exact) < 600
    for value in (-1, 0, 0.5, 7, 299, 300.5, 604, 605, 606):
        passed, plain = passing(index.words(value), 600), plainly(conjuncts, 600, value)
        assert passed >= plain
        assert {p for p in passed if p in index.exact} == {p for p in plain if p in index.exact}
        assert len(passed - plain) < 25


@pytest.mark.parametrize("padding", PADDINGS)
def test_sets_are_exact_for_every_set_held(padding: int) -> None:
    questions = [
        Leaf(NAME, Op.HAS_ANY, members, on_missing=on_missing)
        for members in (("a",), ("a", "b"), ("c",), ("a", "b", "c", "d"))
        for on_missing in (False, True)
    ]
    size = len(questions) + padding
    index = SetIndex(
        {p: leaf.operand for p, leaf in enumerate(questions)},
        {p: leaf.on_missing for p, leaf in enumerate(questions)},
        size,
    )
    conjuncts = {p: [leaf] for p, leaf in enumerate(questions)}
    assert bool(index.sparse) is bool(padding)
    for held in ((), ("a",), ("b",), ("a", "c"), ("z",), ("a", "b", "c", "d"), None):
        words = index.missing if held is None else index.words(held)
        assert passing(words, size) == plainly(conjuncts, size, held), held


def test_looking_a_value_up_changes_nothing() -> None:
    conjuncts = {0: [Leaf(NAME, Op.IN, ("a",))], 1: [Leaf(NAME, Op.IN, ("b",))]}
    index = DiscreteIndex(conjuncts, 40_000)
    members = SetIndex({0: ("a",), 1: ("b",)}, {0: False, 1: False}, 40_000)
    before = [index.base.copy(), index.missing.copy(), members.base.copy()]
    first = [index.words("a").tolist(), members.words(("a", "b")).tolist()]
    assert [index.words("a").tolist(), members.words(("a", "b")).tolist()] == first
    assert [w.tolist() for w in (index.base, index.missing, members.base)] == [w.tolist() for w in before]
