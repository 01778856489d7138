"""What the hot path runs is the plain evaluator, and its reasons name the leaf at fault."""

from dataclasses import replace
from itertools import count

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from offers.compiled import LAYERS, check, compile_condition, reason
from offers.condition import LOCATION, All, AnyOf, Condition, Leaf, Op, View, holds, leaves
from offers.proposition import Check, Code, Reason
from streams.places import Fix, Whereabouts
from streams.record import FactDict
from tests.catalogs import NOW
from tests.geography import LIVORNO, PLACES
from tests.test_index import SHARED, SUBJECT, conditions, facts, whereabouts

HOUR = 3_600_000
ELIGIBILITY = LAYERS[0]
GOLD = Leaf("customer.tier", Op.IN, ("gold",), where="c.yaml:10:7", text="customer.tier: gold")
SEAT = Leaf("booking.accommodation", Op.IN, ("seat",), where="c.yaml:11:7", text="booking.accommodation: seat")


@st.composite
def views(draw: st.DrawFn) -> View:
    """Any customer about any subject anywhere."""
    return View(draw(facts(SHARED)), draw(facts(SUBJECT)), draw(whereabouts()), PLACES, NOW)


def seen(customer: FactDict | None = None, subject: FactDict | None = None, where: Whereabouts | None = None) -> View:
    return View(customer or {}, subject or {}, where or Whereabouts("off"), PLACES, NOW)


def said(compiled: Check, view: View) -> Reason | None:
    """What a check has against a view."""
    return None if compiled.holds(view) else compiled.why(view)


@given(conditions((*SHARED, *SUBJECT)), st.lists(views(), min_size=1, max_size=4))
@settings(max_examples=80, deadline=None)
def test_a_compiled_condition_is_the_plain_one(condition: Condition, seen_by: list[View]) -> None:
    test = compile_condition(condition)
    assert [test(view) for view in seen_by] == [holds(condition, view) for view in seen_by]


def numbered(condition: Condition) -> Condition:
    """The same with a place of its own for every leaf."""
    places = count(1)

    def placed(part: Condition) -> Condition:
        if isinstance(part, Leaf):
            return replace(part, where=f"c.yaml:{next(places)}:1")
        return replace(part, children=tuple(placed(child) for child in part.children))

    return placed(condition)


@given(conditions((*SHARED, *SUBJECT)).map(numbered), views())
@settings(max_examples=80, deadline=None)
def test_a_reason_stands_at_a_leaf_that_does_not_hold(condition: Condition, view: View) -> None:
    assume(not holds(condition, view) and any(True for _ in leaves(condition)))
    failing = {leaf.where for leaf in leaves(condition) if not holds(leaf, view)}
    found = said(check(condition, ELIGIBILITY), view)
    assert found is not None
    assert found.where in failing or found.detail == "no alternative holds"
    assert found == reason(condition, ELIGIBILITY, view)


def test_a_condition_that_holds_gives_no_reason() -> None:
    assert said(check(All((GOLD, SEAT)), ELIGIBILITY), 
        seen({"customer.tier": ("gold", NOW)}, {"booking.accommodation": ("seat", NOW)})
    ) is None  # fmt: skip


def test_the_first_leaf_at_fault_is_named_with_what_was_found_and_wanted() -> None:
    view = seen({"customer.tier": ("blue", NOW)}, {"booking.accommodation": ("cabin", NOW)})
    told = "customer.tier is 'blue'; wanted: customer.tier: gold"
    assert said(check(All((All((GOLD,)), SEAT)), ELIGIBILITY), view) == Reason(ELIGIBILITY, "c.yaml:10:7", told)
    assert said(check(SEAT, Code.SUITABILITY_FAILED), view) == Reason(
        Code.SUITABILITY_FAILED, "c.yaml:11:7", "booking.accommodation is 'cabin'; wanted: booking.accommodation: seat"
    )


def test_what_is_not_known_and_what_is_too_old_are_reasons_of_their_own() -> None:
    fresh = replace(GOLD, fresh_ms=HOUR)
    assert said(check(fresh, ELIGIBILITY), seen()) == Reason(
        Code.CONTEXT_MISSING, "c.yaml:10:7", "customer.tier is not known"
    )
    assert said(check(fresh, ELIGIBILITY), seen({"customer.tier": ("gold", NOW - HOUR - 1)})) == Reason(
        Code.CONTEXT_STALE, "c.yaml:10:7", "customer.tier is too old"
    )


def test_an_any_that_fails_stands_where_it_is_written_else_at_its_first_leaf() -> None:
    view = seen({"customer.tier": ("blue", NOW)})
    assert reason(AnyOf((GOLD, SEAT), "c.yaml:9:3"), ELIGIBILITY, view).where == "c.yaml:9:3"
    assert reason(AnyOf((All((GOLD,)), SEAT)), ELIGIBILITY, view) == Reason(
        ELIGIBILITY, "c.yaml:10:7", "no alternative holds"
    )
    assert reason(AnyOf(), ELIGIBILITY, view) == Reason(ELIGIBILITY, "", "no alternative holds")


def test_where_somebody_is_has_three_ways_to_fail() -> None:
    near = Leaf(
        LOCATION, Op.WITHIN, ("port:ITLIV",), radius_m=12_000, min_confidence=3, fresh_ms=HOUR, where="c.yaml:12:7",
        text="location: within 12 km of port:ITLIV",
    )  # fmt: skip
    elsewhere = PLACES.resolve(Fix(40.9, 9.5, 20, NOW), "precise")
    vague = PLACES.resolve(Fix(LIVORNO.lat, LIVORNO.lon, 6_000, NOW), "approximate")
    found = [reason(near, Code.APPLICABILITY_FAILED, seen(where=where)) for where in (None, elsewhere, vague)]
    assert found == [
        Reason(Code.LOCATION_UNKNOWN, "c.yaml:12:7", "no whereabouts (status off)"),
        Reason(Code.LOCATION_NOT_MATCHED, "c.yaml:12:7", "wanted: location: within 12 km of port:ITLIV"),
        Reason(Code.LOCATION_LOW_CONFIDENCE, "c.yaml:12:7", "confidence 2 of at least 3"),
    ]
