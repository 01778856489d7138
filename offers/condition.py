"""Conditions: three-valued, negation at the leaves (idea 3). This module is the plain evaluator: the reference.

`all` and `any` are trees of children; `none` is `all` over the negated children. A leaf whose fact is missing, stale
or unknown resolves to its own `on_missing`, whatever its polarity, so nothing fails open by accident.
"""

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from streams.attributes import Facts, Value
from streams.ids import Millis
from streams.places import Places, Whereabouts


class Op(StrEnum):
    """What a leaf asks. Everything the language can say is compiled to these."""

    IN = "in"
    """The value is one of `operand`; `is`, `at_least` on ordered levels and booleans become this."""
    RANGE = "range"
    """low <= value <= high; `below x` is the negated RANGE (x, inf)."""
    HAS_ANY = "has_any"
    """The set shares a member with `operand`."""
    HAS_ALL = "has_all"
    """The set has every member of `operand`."""
    EXISTS = "exists"
    """The fact is known (and fresh). Never missing itself."""
    WITHIN = "within"
    """Location: within `radius_m` of the place `operand[0]`."""
    INSIDE = "inside"
    """Location: inside any of the fences `operand`."""


LOCATION = "location"
"""The attribute name of WITHIN and INSIDE leaves."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One question about one fact."""

    attribute: str
    """Fact name, for example customer.loyalty_tier or market.cabins_free.inside; `location` for places."""
    op: Op
    operand: tuple[Value, ...] = ()
    low: float = float("-inf")
    high: float = float("inf")
    radius_m: float = 0.0
    min_confidence: int = 2
    on_missing: bool = False
    """What a missing fact resolves to: True is `pass`."""
    fresh_ms: Millis | None = None
    """Facts older than this are missing."""
    negated: bool = False
    where: str = ""
    """`file:line:column` of the condition."""
    text: str = ""
    """The condition as written, for explanations."""
    via: str = ""
    """`file:line:column` where the campaign takes it over, if it stands in another file."""


@dataclass(frozen=True, slots=True)
class All:
    """Every child holds; holds when empty."""

    children: tuple["Condition", ...] = ()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Some child holds; fails when empty."""

    children: tuple["Condition", ...] = ()
    where: str = ""
    via: str = ""


Condition = All | AnyOf | Leaf
ALWAYS = All()


@dataclass(frozen=True, slots=True)
class View:
    """What one candidate's conditions may see."""

    facts: Facts
    """customer.* and context.* facts, already behind the consent mask."""
    subject: Facts
    """booking.*, sailing.*, venue.*, market.* facts of the one subject."""
    whereabouts: Whereabouts
    places: Places
    now: Millis


def negate(condition: Condition) -> Condition:
    """The opposite, with the negation pushed to the leaves; on_missing stays as it is."""
    match condition:
        case Leaf():
            return replace(condition, negated=not condition.negated)
        case All(children):
            return AnyOf(tuple(negate(child) for child in children))
        case AnyOf(children):
            return All(tuple(negate(child) for child in children))


def fact_of(leaf: Leaf, view: View) -> Value | None:
    """The fresh value a leaf asks for, or None: missing or stale."""
    fact = view.subject.get(leaf.attribute) or view.facts.get(leaf.attribute)
    if fact is None or (leaf.fresh_ms is not None and view.now - fact[1] > leaf.fresh_ms):
        return None
    return fact[0]


def confidence(leaf: Leaf, view: View) -> int | None:
    """How sure it is that a location leaf holds: 0 to 3; None: whereabouts unknown or too old."""
    whereabouts = view.whereabouts
    if whereabouts.cell is None or (leaf.fresh_ms is not None and view.now - whereabouts.at > leaf.fresh_ms):
        return None
    if leaf.op is Op.WITHIN:
        return view.places.within(whereabouts, str(leaf.operand[0]), leaf.radius_m)
    return max((sure for fence, sure in whereabouts.fences if fence in leaf.operand), default=0)


def known(leaf: Leaf, view: View) -> bool | None:
    """The leaf's answer before negation; None: missing."""
    if leaf.op is Op.EXISTS:
        return fact_of(leaf, view) is not None
    if leaf.attribute == LOCATION:
        sure = confidence(leaf, view)
        return None if sure is None else sure >= leaf.min_confidence
    value = fact_of(leaf, view)
    return None if value is None else compare(leaf, value)


def compare(leaf: Leaf, value: Value) -> bool:
    """A known value against the operand, before negation. A value of another type than declared fails."""
    match leaf.op:
        case Op.IN:
            return value in leaf.operand
        case Op.RANGE:
            return isinstance(value, int | float) and leaf.low <= value <= leaf.high
        case Op.HAS_ANY:
            return isinstance(value, tuple) and not set(value).isdisjoint(leaf.operand)
        case Op.HAS_ALL:
            return isinstance(value, tuple) and set(value).issuperset(leaf.operand)
        case _:
            return False


def holds(condition: Condition, view: View) -> bool:
    """Whether the condition holds, each missing leaf resolved by its own on_missing."""
    match condition:
        case Leaf():
            answer = known(condition, view)
            return condition.on_missing if answer is None else answer is not condition.negated
        case All(children):
            return all(holds(child, view) for child in children)
        case AnyOf(children):
            return any(holds(child, view) for child in children)


def conjuncts(condition: Condition) -> Iterator[Condition]:
    """The top-level conjuncts: what must each hold."""
    if isinstance(condition, All):
        for child in condition.children:
            yield from conjuncts(child)
    else:
        yield condition


def asks(condition: Condition) -> Hashable:
    """What is asked, without where it is written: conditions with equal ones are answered alike."""
    match condition:
        case Leaf():
            return (
                condition.attribute,
                condition.op,
                condition.operand,
                condition.low,
                condition.high,
                condition.radius_m,
                condition.min_confidence,
                condition.on_missing,
                condition.fresh_ms,
                condition.negated,
            )
        case All(children):
            return ("all", *map(asks, children))
        case AnyOf(children):
            return ("any", *map(asks, children))


def leaves(condition: Condition) -> Iterator[Leaf]:
    """Every leaf, in the order written."""
    if isinstance(condition, Leaf):
        yield condition
    else:
        for child in condition.children:
            yield from leaves(child)
