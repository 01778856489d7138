"""Conditions compiled to closures: what the hot path runs on what the index could not answer exactly."""

from collections.abc import Callable
from dataclasses import replace

from offers.condition import (
    LOCATION,
    All,
    AnyOf,
    Condition,
    Leaf,
    Op,
    View,
    compare,
    confidence,
    fact_of,
    holds,
    known,
    leaves,
)
from offers.proposition import Check, Code, Reason
from streams.attributes import SUBJECT_SCOPES, Value

Test = Callable[[View], bool]

LAYERS = (Code.ELIGIBILITY_FAILED, Code.APPLICABILITY_FAILED, Code.SUITABILITY_FAILED, Code.STOCK)


def compile_condition(condition: Condition) -> Test:
    """A closure equal to holds(condition, view)."""
    match condition:
        case Leaf():
            return _compile_leaf(condition)
        case All(children):
            return _every(tuple(compile_condition(child) for child in children))
        case AnyOf(children):
            return _some(tuple(compile_condition(child) for child in children))


def _every(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda view: first(view) and second(view)

    def every(view: View) -> bool:
        for test in tests:  # a plain loop: all() with a generator costs as much as three of the tests
            if not test(view):
                return False
        return True

    return every


def _some(tests: tuple[Test, ...]) -> Test:
    if len(tests) == 1:
        return tests[0]
    if len(tests) == 2:
        first, second = tests
        return lambda view: first(view) or second(view)

    def some(view: View) -> bool:
        for test in tests:
            if test(view):
                return True
        return False

    return some


def _compile_leaf(leaf: Leaf) -> Test:
    if leaf.attribute == LOCATION or leaf.op is Op.EXISTS:
        return lambda view: holds(leaf, view)
    compared = _comparison(leaf)
    name, missing, fresh, negated = leaf.attribute, leaf.on_missing, leaf.fresh_ms, leaf.negated
    of_subject = name.split(".")[0] in SUBJECT_SCOPES

    def test(view: View) -> bool:
        fact = (view.subject if of_subject else view.facts).get(name)
        if fact is None or (fresh is not None and view.now - fact[1] > fresh):
            return missing
        return compared(fact[0]) is not negated

    return test


def _comparison(leaf: Leaf) -> Callable[[Value], bool]:
    """compare() with the operand prepared."""
    if leaf.op is Op.IN:
        if len(leaf.operand) == 1:
            only = leaf.operand[0]
            return lambda value: value == only
        return frozenset(leaf.operand).__contains__
    if leaf.op is Op.RANGE:
        low, high = leaf.low, leaf.high
        return lambda value: isinstance(value, int | float) and low <= value <= high
    return lambda value: compare(leaf, value)


def check(condition: Condition, layer: Code, test: Test | None = None) -> Check:
    """A compiled check of one conjunct that names its reason when it fails. `test`: it was compiled before."""
    compiled = compile_condition(condition) if test is None else test
    return Check(compiled, lambda view: reason(condition, layer, view))


def reason(condition: Condition, layer: Code, view: View) -> Reason:
    """Why a condition that does not hold does not hold: the leaf at fault and what was found there."""
    if isinstance(condition, All):
        failing = next(child for child in condition.children if not holds(child, view))
        return reason(failing, layer, view)
    if isinstance(condition, AnyOf):
        where = condition.where or next((leaf.where for leaf in leaves(condition)), "")
        return _told(Reason(layer, where, "no alternative holds"), condition)
    return _told(_of_leaf(condition, layer, view), condition)


def _told(found: Reason, condition: AnyOf | Leaf) -> Reason:
    """With the place where the campaign takes the condition over from another file."""
    return replace(found, detail=f"{found.detail}; used at {condition.via}") if condition.via else found


def _of_leaf(condition: Leaf, layer: Code, view: View) -> Reason:
    if condition.attribute == LOCATION:
        return _location_reason(condition, view)
    if condition.op is not Op.EXISTS and known(condition, view) is None:
        stale = condition.attribute in view.facts or condition.attribute in view.subject
        code = Code.CONTEXT_STALE if stale else Code.CONTEXT_MISSING
        return Reason(code, condition.where, f"{condition.attribute} is {'too old' if stale else 'not known'}")
    found = fact_of(condition, view)
    return Reason(layer, condition.where, f"{condition.attribute} is {found!r}; wanted: {condition.text}")


def _location_reason(leaf: Leaf, view: View) -> Reason:
    sure = confidence(leaf, view)
    if sure is None:
        return Reason(Code.LOCATION_UNKNOWN, leaf.where, f"no whereabouts (status {view.whereabouts.status})")
    if 0 < sure < leaf.min_confidence:
        detail = f"confidence {sure} of at least {leaf.min_confidence}"
        return Reason(Code.LOCATION_LOW_CONFIDENCE, leaf.where, detail)
    return Reason(Code.LOCATION_NOT_MATCHED, leaf.where, f"wanted: {leaf.text}")
