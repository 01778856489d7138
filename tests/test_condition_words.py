"""Conditions in words: what is wanted, and what was found instead."""

from dataclasses import replace

import pytest

from offers.condition import LOCATION, All, AnyOf, Leaf, Op, View
from offers.condition_words import Words, instant, length, metres, unmet_leaves, ways
from streams.attributes import Attribute, Facts, Kind, Value, attribute_set
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS
from streams.places import NOWHERE, Fix
from tests.catalogs import NOW
from tests.geography import LIVORNO, PLACES

LEVELS = ("blue", "silver", "gold", "platinum")
DECLARED = attribute_set(
    (
        Attribute("customer", "tier", 1, Kind.ENUM, LEVELS, ordered=True),
        Attribute("customer", "spend", 2, Kind.MONEY, unit="EUR"),
        Attribute("customer", "interests", 3, Kind.SET),
        Attribute("customer", "since", 4, Kind.DATETIME),
        Attribute("customer", "pet", 5, Kind.BOOLEAN),
        Attribute("customer", "children", 6, Kind.INTEGER),
    )
)
WORDS = Words(DECLARED, "Europe/Rome")


def view(**facts: Value) -> View:
    known: Facts = {f"customer.{name}": (value, NOW) for name, value in facts.items()}
    return View(known, {}, NOWHERE, PLACES, NOW)


TIER = Leaf("customer.tier", Op.IN, ("gold", "platinum"))
SPEND = Leaf("customer.spend", Op.RANGE, low=4_000.0)
CASES: dict[str, tuple[Leaf, dict[str, Value]]] = {
    "customer.tier gold or higher (is silver)": (TIER, {"tier": "silver"}),
    "customer.tier gold or higher (not known)": (TIER, {}),
    "customer.tier silver or lower (is gold)": (replace(TIER, negated=True), {"tier": "gold"}),
    "customer.tier blue (is gold)": (Leaf("customer.tier", Op.IN, ("blue",)), {"tier": "gold"}),
    "customer.tier not silver (is silver)": (
        Leaf("customer.tier", Op.IN, ("silver",), negated=True), {"tier": "silver"},
    ),
    "customer.spend at least 40.00 EUR (is 12.50 EUR)": (SPEND, {"spend": 1_250}),
    "customer.spend below 40.00 EUR (is 40.00 EUR)": (replace(SPEND, negated=True), {"spend": 4_000}),
    "customer.children at most 2 (is 3)": (Leaf("customer.children", Op.RANGE, high=2.0), {"children": 3}),
    "customer.children above 2 (is 1)": (Leaf("customer.children", Op.RANGE, high=2.0, negated=True), {"children": 1}),
    "customer.interests with spa or wine (is food)": (
        Leaf("customer.interests", Op.HAS_ANY, ("spa", "wine")), {"interests": ("food",)},
    ),
    "customer.interests with spa and wine (is nothing)": (
        Leaf("customer.interests", Op.HAS_ALL, ("spa", "wine")), {"interests": ()},
    ),
    "customer.interests without spa (is spa)": (
        Leaf("customer.interests", Op.HAS_ANY, ("spa",), negated=True), {"interests": ("spa",)},
    ),
    "customer.pet true (is false)": (Leaf("customer.pet", Op.IN, (True,)), {"pet": False}),
    "customer.pet known (not known)": (Leaf("customer.pet", Op.EXISTS), {}),
    "customer.pet not known (is true)": (Leaf("customer.pet", Op.EXISTS, negated=True), {"pet": True}),
    "customer.since before Sat 21 Nov 2026 21:30 (is Sun 22 Nov 2026 21:30)": (
        Leaf("customer.since", Op.RANGE, low=1795293000000.0, negated=True), {"since": 1795293000000 + DAY_MS},
    ),
}  # fmt: skip


@pytest.mark.parametrize("said", CASES)
def test_a_condition_that_does_not_hold_is_told_with_what_was_found(said: str) -> None:
    leaf, facts = CASES[said]
    here = view(**facts)
    assert unmet_leaves(leaf, here) == (leaf,)
    assert WORDS.unmet(leaf, here) == said


def test_a_fact_that_is_too_old_says_by_how_much() -> None:
    leaf = replace(TIER, fresh_ms=HOUR_MS)
    old = View({"customer.tier": ("gold", NOW - 26 * HOUR_MS)}, {}, NOWHERE, PLACES, NOW)
    assert WORDS.found(leaf, old) == "known for 1 d 2 h, which may be 1 h at most"


def test_a_place_says_how_far_away_or_how_unsure_it_is() -> None:
    leaf = Leaf(LOCATION, Op.WITHIN, ("port:ITLIV",), radius_m=30_000.0)
    there = PLACES.resolve(Fix(42.7, 9.45, 20, NOW - MINUTE_MS), "precise")
    near = PLACES.resolve(Fix(LIVORNO.lat, LIVORNO.lon, 50_000, NOW), "approximate")
    base = view()
    assert WORDS.unmet(leaf, base) == ("probably within 30 km of port:ITLIV (whereabouts not known: not_determined)")
    assert WORDS.unmet(leaf, replace(base, whereabouts=there)).startswith(
        "probably within 30 km of port:ITLIV (about 1"
    )
    assert WORDS.found(replace(leaf, fresh_ms=1), replace(base, whereabouts=there)) == "last known 1 min ago"
    assert WORDS.found(replace(leaf, min_confidence=3), replace(base, whereabouts=near)).startswith("only p")
    fence = Leaf(LOCATION, Op.INSIDE, ("livorno-terminal",), min_confidence=3)
    assert WORDS.unmet(fence, replace(base, whereabouts=there)) == (
        "surely inside fence:livorno-terminal (in no fence)"
    )


def test_of_alternatives_the_nearest_ways_are_told() -> None:
    both = All((TIER, SPEND))
    pet = Leaf("customer.pet", Op.IN, (True,))
    here = view(tier="blue", spend=0, pet=False)
    assert unmet_leaves(AnyOf((both, pet)), here) == (pet,)
    assert ways(AnyOf((both, pet)), here) == ((pet,),)
    assert ways(AnyOf((TIER, pet)), here) == ((TIER,), (pet,))
    assert ways(AnyOf((both, All((SPEND, pet)))), here) == ((TIER, SPEND), (SPEND, pet))
    assert unmet_leaves(AnyOf((both, pet)), view(pet=True)) == ()


def test_lengths_distances_and_instants() -> None:
    assert [length(ms) for ms in (57_600_000, 95_400_000, -60_000, 0, 5_000)] == [
        "16 h", "1 d 2 h 30 min", "1 min ago", "0 min", "5 s",
    ]  # fmt: skip
    assert (metres(30_000.0), metres(250.0)) == ("30 km", "250 m")
    assert instant(1795293000000, "Europe/Rome") == "Sat 21 Nov 2026 21:30"
