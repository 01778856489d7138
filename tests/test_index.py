"""The index is a sound superset and with the residual equals the plain evaluator (idea 4)."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offers import bits, capping, explain
from offers.candidates import Candidates
from offers.catalog import Catalog
from offers.condition import ALWAYS, LOCATION, All, AnyOf, Condition, Leaf, Op, negate
from offers.eligibility import rule_out
from offers.index import LEAST_SHARED
from offers.offer import Limit, Offer, RelativeTime, Schedule, Selector, Window
from offers.shortlist import take
from streams.attributes import Value
from streams.places import Fix, Places, Whereabouts
from streams.record import DecisionInputs, FactDict, Subject
from tests.catalogs import NOW, TIERS, catalog, inputs, offer, representation
from tests.geography import FENCES, PLACES

HOUR = 3_600_000
BOOKINGS = Selector("booking")
WRITTEN = representation(("it", "en"))
ENOUGH = Leaf("market.cabins_free.inside", Op.RANGE, low=2, on_missing=True, fresh_ms=HOUR)
TOGETHER = (Limit("redeemed", "campaign", "campaign", 3, where="o.yaml:9:5"),)
ALL_OF_THEM = (*TOGETHER, Limit("exposed", "customer.home", "all", 2, Window("rolling", HOUR)))
TOTALS = (
    "redeemed|campaign|c-o0|ever|", "redeemed|campaign|c-o3|ever|", f"exposed|all||rolling {HOUR}|customer.home",
)  # fmt: skip


def values_of(attribute: str) -> st.SearchStrategy[Value]:
    """Values a fact of this attribute may have."""
    match attribute.split(".")[1]:
        case "tier":
            return st.sampled_from(TIERS)
        case "age" | "cabins_free":
            return st.one_of(st.integers(0, 12), st.just(float("nan")))
        case "tastes":
            return st.sets(st.sampled_from("abcde"), max_size=3).map(lambda s: tuple(sorted(s)))
        case "home":
            return st.sampled_from(["ITLIV", "ITOLB", "FRBIA"])
        case "newsletter":
            return st.booleans()
        case "accommodation":
            return st.sampled_from(["deck", "seat", "cabin"])
        case _:
            return st.sampled_from(["sunny", "rainy"])


SHARED = ("customer.tier", "customer.age", "customer.tastes", "customer.home", "customer.newsletter", "context.weather")
VOYAGES: list[FactDict] = [
    {},
    {"sailing.departure": (NOW, NOW), "sailing.origin": ("ITLIV", NOW)},
    {"sailing.departure": (NOW + HOUR, NOW), "sailing.origin": ("ITOLB", NOW)},
    {"sailing.departure": (NOW - HOUR, NOW)},
]
CLOCKS: list[FactDict] = [{"context.zone": (zone, NOW)} for zone in ("Europe/Rome", "Asia/Tokyo", "Nowhere")]
SUBJECT = ("booking.accommodation", "market.cabins_free.inside")


@st.composite
def leaf(draw: st.DrawFn, attributes: tuple[str, ...]) -> Leaf:
    """Any question about any of these attributes, or about places."""
    common: dict[str, Any] = {
        "on_missing": draw(st.booleans()),
        "fresh_ms": draw(st.sampled_from([None, None, HOUR, 24 * HOUR])),
        "negated": draw(st.booleans()),
    }
    name = draw(st.sampled_from((*attributes, LOCATION)))
    if name == LOCATION:
        sure = draw(st.integers(1, 3))
        if draw(st.booleans()):
            fences = draw(st.lists(st.sampled_from(FENCES), min_size=1, max_size=2, unique=True))
            return Leaf(name, Op.INSIDE, tuple(fences), min_confidence=sure, **common)
        place = draw(st.sampled_from(sorted(PLACES.ports)))
        radius = draw(st.sampled_from([10_000.0, 30_000.0, 100_000.0]))
        return Leaf(name, Op.WITHIN, (f"port:{place}",), radius_m=radius, min_confidence=sure, **common)
    if draw(st.integers(0, 9)) == 0:
        return Leaf(name, Op.EXISTS, **common)
    short = name.split(".")[1]
    if short == "tastes":
        members = tuple(draw(st.sets(st.sampled_from("abcde"), min_size=1, max_size=2)))
        return Leaf(name, draw(st.sampled_from([Op.HAS_ANY, Op.HAS_ALL])), members, **common)
    if short in ("age", "cabins_free") and draw(st.booleans()):
        low = draw(st.one_of(st.just(float("-inf")), st.integers(0, 12)))
        high = draw(st.one_of(st.just(float("inf")), st.integers(0, 12)))
        return Leaf(name, Op.RANGE, low=low, high=high, **common)
    operand = draw(st.lists(values_of(name), min_size=1, max_size=3, unique=True))
    return Leaf(name, Op.IN, tuple(operand), **common)


def conditions(attributes: tuple[str, ...]) -> st.SearchStrategy[Condition]:
    """Trees of leaves, negated anywhere."""
    return st.recursive(
        leaf(attributes),
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda c: All(tuple(c))),
            st.lists(inner, max_size=3).map(lambda c: AnyOf(tuple(c))),
            inner.map(negate),
        ),
        max_leaves=5,
    )


DEPARTURES = [RelativeTime("sailing.departure", ms) for ms in (-HOUR, 0, HOUR)]
PLANS = [
    *[Schedule()] * 6,
    *(Schedule(starts=NOW + ms) for ms in (-HOUR, HOUR)),
    *(Schedule(starts_relative=start) for start in DEPARTURES),
    *(Schedule(starts_relative=start, ends_relative=end) for start, end in pairwise(DEPARTURES)),
    *(Schedule(days=(6,), hours=(18 * 60, 19 * 60), local=local) for local in ("", "customer", "port")),
    *(Schedule(days=(7,), ends_relative=DEPARTURES[2], local=local) for local in ("customer", "port")),
]
"""Schedules of every kind: instants, relative to the subject, on a clock of its own."""


@st.composite
def offers(draw: st.DrawFn) -> list[Offer]:
    """Up to a dozen offers, about nothing or about bookings."""
    found = []
    for number in range(draw(st.integers(1, 12))):
        about = draw(st.sampled_from([None, BOOKINGS]))
        names = (*SHARED, *SUBJECT) if about else SHARED
        known = conditions(names)
        locales = draw(st.sampled_from([("it", "en"), ("de",), ("fr", "it")]))
        found.append(
            offer(
                f"o{number}",
                eligibility=draw(st.one_of(leaf(names), known)),
                applicability=draw(st.one_of(st.just(ALWAYS), st.just(ALWAYS), known)),
                suitability=draw(st.one_of(st.just(ALWAYS), st.just(ALWAYS), leaf(names))),
                stock=draw(st.sampled_from([ALWAYS, ENOUGH])) if about else ALWAYS,
                limits=draw(st.sampled_from([(), (), TOGETHER, ALL_OF_THEM])),
                about=about,
                schedule=draw(st.sampled_from(PLANS)),
                representation=representation(locales, draw(st.sampled_from([None, locales[0]]))),
            )
        )
    return found


@st.composite
def facts(draw: st.DrawFn, attributes: tuple[str, ...]) -> FactDict:
    """Some of the attributes, with values of any age."""
    chosen = set(attributes) - draw(st.sets(st.sampled_from(attributes), max_size=2))
    ages = st.sampled_from([0, HOUR, 2 * HOUR, 48 * HOUR])
    return {name: (draw(values_of(name)), NOW - draw(ages)) for name in sorted(chosen)}


@st.composite
def whereabouts(draw: st.DrawFn) -> Whereabouts:
    """Somewhere near the ports, or nowhere."""
    status = draw(st.sampled_from(["precise", "approximate", "denied", "off"]))
    age = draw(st.sampled_from([0, 2 * HOUR]))
    fix = Fix(draw(st.floats(41, 45)), draw(st.floats(8, 12)), draw(st.sampled_from([20.0, 800.0, 6000.0])), NOW - age)
    return PLACES.resolve(fix, status)


@st.composite
def situations(draw: st.DrawFn) -> DecisionInputs:
    """A customer with up to three bookings, somewhere."""
    sails = st.sampled_from(VOYAGES)
    bookings = tuple(
        Subject(f"booking:b{number}", draw(facts(SUBJECT)) | draw(sails), {"booking_id": f"b{number}"})
        for number in range(draw(st.integers(0, 3)))
    )
    return inputs(
        draw(facts(tuple(name for name in SHARED if name.startswith("customer")))),
        context=draw(facts(("context.weather",))) | draw(st.sampled_from([{}, *CLOCKS])),
        subjects={BOOKINGS.key: bookings},
        whereabouts=draw(whereabouts()),
        locale=draw(st.sampled_from(["it", "de-AT", "fr-CA", "ja"])),
        counters=draw(st.dictionaries(st.sampled_from(TOTALS), st.integers(1, 4), max_size=3)),
    )


def allowed_by_index(book: Catalog, situation: DecisionInputs) -> set[tuple[str, str]]:
    """What the hot path allows: survivors of the index against which nothing else speaks."""
    unhurried = msgspec.structs.replace(situation, candidate_limit=4_000)
    kept = take(Candidates(book, unhurried), (rule_out, capping.rule_out), unhurried).kept
    return {(candidate.offer.id, candidate.subject.key) for candidate in kept}


def allowed_plainly(book: Catalog, situation: DecisionInputs) -> set[tuple[str, str]]:
    """What the plain evaluator allows."""
    return {(each.id, about) for each in book.layout for about in explain.allowed(each, situation, book)}


def check_index_equals_plain(found: list[Offer], situation: DecisionInputs) -> None:
    book = catalog(found, PLACES)
    assert allowed_by_index(book, situation) == allowed_plainly(book, situation)


@given(offers(), situations())
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_index_and_residual_equal_the_plain_evaluator(found: list[Offer], situation: DecisionInputs) -> None:
    check_index_equals_plain(found, situation)


@pytest.mark.prove
@given(offers(), situations())
@settings(max_examples=10_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_index_and_residual_equal_the_plain_evaluator_in_10000_cases(
    found: list[Offer], situation: DecisionInputs
) -> None:
    check_index_equals_plain(found, situation)


ALTERNATIVES = (
    AnyOf((Leaf("customer.newsletter", Op.IN, (True,)), Leaf("customer.age", Op.RANGE, low=4))),
    AnyOf((Leaf("customer.tier", Op.IN, ("gold",), on_missing=True), Leaf("customer.tastes", Op.HAS_ALL, ("a", "b")))),
    AnyOf((Leaf("customer.age", Op.EXISTS, negated=True), Leaf("context.weather", Op.IN, ("sunny",), fresh_ms=HOUR))),
    AnyOf(()),
)


@given(st.lists(st.tuples(st.sampled_from(ALTERNATIVES), leaf(SHARED)), min_size=20, max_size=40), situations())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_alternatives_that_many_offers_share_are_answered_as_for_each_alone(
    drawn: list[tuple[Condition, Leaf]], situation: DecisionInputs
) -> None:
    found = [offer(f"o{n}", eligibility=All(parts), representation=WRITTEN) for n, parts in enumerate(drawn)]
    check_index_equals_plain(found, situation)


def test_alternatives_that_many_offers_share_leave_nothing_to_be_asked() -> None:
    either = AnyOf((Leaf("customer.age", Op.RANGE, low=4, where="a"), Leaf("customer.home", Op.IN, ("ITLIV",))))
    often = [offer(f"o{n}", eligibility=replace(either, where=f"o{n}.yaml:3")) for n in range(LEAST_SHARED)]
    rare = [offer("r", eligibility=AnyOf((*either.children, Leaf("customer.home", Op.IN, ("FRBIA",)))))]
    book = catalog([*often, *rare])
    assert [len(each.residual) for each in sorted(book.standing, key=lambda each: each.offer.id)] == [0] * 8 + [1]
    assert Candidates(book, inputs({"customer.age": (5, NOW)})).count == 9
    assert Candidates(book, inputs({"customer.age": (3, NOW)})).count == 1, "the rare one is asked"


def test_an_age_that_is_asked_for_is_answered_by_the_index() -> None:
    fresh = Leaf("customer.home", Op.IN, ("ITLIV",), fresh_ms=HOUR)
    near = Leaf(LOCATION, Op.WITHIN, ("port:ITLIV",), radius_m=30_000.0, fresh_ms=HOUR)
    book = catalog([offer("home", eligibility=fresh), offer("near", eligibility=near)], PLACES)
    assert [each.residual for each in book.standing] == [(), ()]
    here = PLACES.resolve(Fix(43.55, 10.30, 20.0, NOW - HOUR), "precise")
    late = PLACES.resolve(Fix(43.55, 10.30, 20.0, NOW - HOUR - 1), "precise")
    known = inputs({"customer.home": ("ITLIV", NOW - HOUR)}, whereabouts=here)
    assert allowed_by_index(book, known) == {("home", ""), ("near", "")}
    stale = inputs({"customer.home": ("ITLIV", NOW - HOUR - 1)}, whereabouts=late)
    assert Candidates(book, stale).count == 0


def test_with_62_survivors_among_100000_offers_all_are_found() -> None:
    rare = set(range(0, 100_000, 1613))
    wanted = Leaf("customer.home", Op.IN, ("ITLIV",))
    others = Leaf("customer.home", Op.IN, ("ITOLB",))
    shared = representation()
    book = catalog(
        offer(f"o{n:06}", eligibility=wanted if n in rare else others, representation=shared) for n in range(100_000)
    )
    candidates = Candidates(book, inputs({"customer.home": ("ITLIV", NOW)}))
    assert len(rare) == 62
    assert candidates.count == 62
    assert candidates.index_excluded == 100_000 - 62
    assert {book.layout[position].id for position in candidates.positions()} == {f"o{n:06}" for n in rare}


def test_more_cut_points_than_regions_stay_a_sound_superset() -> None:
    book = catalog(
        offer(f"o{n:04}", eligibility=Leaf("customer.age", Op.RANGE, low=n, high=n + 3)) for n in range(1_000)
    )
    for age in (0, 1, 500, 501.5, 999, 1002, 1003):
        situation = inputs({"customer.age": (age, NOW)})
        found = allowed_by_index(book, situation)
        assert found == allowed_plainly(book, situation)
        assert found == {(f"o{n:04}", "") for n in range(1_000) if n <= age <= n + 3}
        assert bits.count(book.survivors(situation)) < 30, "boundary regions pass a few more, not all"


def test_negated_ranges_with_more_cut_points_than_regions_exclude_only_what_they_fill() -> None:
    book = catalog(
        offer(f"o{n:04}", eligibility=Leaf("customer.age", Op.RANGE, low=n, high=n + 30, negated=True))
        for n in range(1_000)
    )
    for age in (0, 31, 500, 501.5, 1029, 1030.5):
        situation = inputs({"customer.age": (age, NOW)})
        assert allowed_by_index(book, situation) == {(f"o{n:04}", "") for n in range(1_000) if not n <= age <= n + 30}


def test_conditions_never_mix_two_subjects() -> None:
    both = All(
        (
            Leaf("booking.accommodation", Op.IN, ("seat",)),
            Leaf("market.cabins_free.inside", Op.RANGE, low=1),
        )
    )
    book = catalog([offer("upgrade", eligibility=both, about=BOOKINGS)])
    seat_on_a_full_ship = Subject(
        "booking:b1", {"booking.accommodation": ("seat", NOW), "market.cabins_free.inside": (0, NOW)}
    )
    cabin_on_an_empty_ship = Subject(
        "booking:b2", {"booking.accommodation": ("cabin", NOW), "market.cabins_free.inside": (40, NOW)}
    )
    situation = inputs(subjects={BOOKINGS.key: (seat_on_a_full_ship, cabin_on_an_empty_ship)})
    assert allowed_by_index(book, situation) == set()
    assert allowed_plainly(book, situation) == set()


def test_an_old_value_that_may_pass_when_missing_is_not_excluded_by_the_index() -> None:
    lenient = Leaf("customer.tier", Op.IN, ("gold",), on_missing=True, fresh_ms=HOUR)
    book = catalog([offer("o", eligibility=lenient)])
    stale = inputs({"customer.tier": ("blue", NOW - 2 * HOUR)})
    fresh = inputs({"customer.tier": ("blue", NOW)})
    assert allowed_by_index(book, stale) == {("o", "")}
    assert allowed_by_index(book, fresh) == set()


def test_places_are_empty_without_any() -> None:
    book = catalog([offer("o", eligibility=Leaf(LOCATION, Op.INSIDE, ("nowhere",)))], Places())
    assert allowed_by_index(book, inputs()) == set()
