"""Every offer's reasons: they agree with what the decision counted, and one alone is the one to change."""

from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from offers import bits
from offers.catalog import Catalog
from offers.condition import LOCATION, All, AnyOf, Leaf, Op
from offers.decide import decide
from offers.explain import Verdict, against, allowed, explain, judge, verdicts
from offers.offer import (
    Consent,
    Limit,
    Offer,
    Placement,
    Price,
    RelativeTime,
    Schedule,
    Selector,
    Suppression,
    Value,
    Window,
)
from offers.proposition import Code, Reason
from streams.ids import OfferId, PlacementId
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS
from streams.places import Fix
from streams.profile import MaskedProfile
from streams.record import DecisionInputs, PlacementRequest, Subject
from tests.catalogs import HERO, NOW, catalog, inputs, offer, representation
from tests.deciding import counters, declared, happened
from tests.geography import LIVORNO, PLACES
from tests.test_index import offers, situations

BOOKINGS = Selector("booking")
PRIOR = declared()
NEVER = Leaf("customer.home", Op.IN, ("nowhere",))
AT_LIVORNO = PLACES.resolve(Fix(LIVORNO.lat, LIVORNO.lon, 20, NOW), "precise")


def explained(book: Catalog, situation: DecisionInputs) -> dict[str, list[Code]]:
    decision = decide(situation, book, PRIOR)
    return {each.offer_id: [reason.code for reason in each.reasons] for each in explain(situation, book, decision)}


@given(offers(), situations())
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_the_decision_counted_is_what_the_verdicts_say(found: list[Offer], situation: DecisionInputs) -> None:
    book = catalog(found, PLACES)
    one_each = {key: subjects[:1] for key, subjects in situation.subjects.items()}
    situation = msgspec.structs.replace(situation, subjects=one_each)
    decision = decide(situation, book, PRIOR)
    judged = {each.offer_id: each for each in explain(situation, book, decision)}
    live = {book.layout[p].id for p in bits.every(book.live(book.interval(situation.now), situation.seasons)[0])}
    survived = {book.layout[p].id for p in bits.every(book.survivors(situation))}
    counted = Counter(_told(judged[name]) for name in survived)
    counted[Code.INDEX_EXCLUDED] = len(live - survived)
    del counted[Code.SELECTED]
    assert dict(decision.ruled_out) == {code: number for code, number in counted.items() if number}
    assert {each.offer_id for each in judged.values() if each.allowed} == {c.offer_id for c in decision.candidates}


def _told(verdict: Verdict) -> Code:
    """The first reason; of an offer that could be about nothing, that."""
    codes = [reason.code for reason in verdict.reasons]
    return Code.NO_SUBJECT if Code.NO_SUBJECT in codes else codes[0]


CASES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    "ELIGIBILITY_FAILED": (
        {"eligibility": Leaf("customer.tier", Op.IN, ("gold",))},
        {"facts": {"customer.tier": ("blue", NOW)}}, {"facts": {"customer.tier": ("gold", NOW)}},
    ),
    "APPLICABILITY_FAILED": (
        {"applicability": All((Leaf("context.weather", Op.IN, ("sunny",)), Leaf("customer.age", Op.RANGE, low=1)))},
        {"facts": {"customer.age": (0, NOW)}, "context": {"context.weather": ("sunny", NOW)}},
        {"facts": {"customer.age": (1, NOW)}, "context": {"context.weather": ("sunny", NOW)}},
    ),
    "SUITABILITY_FAILED": (
        {"suitability": AnyOf((Leaf("customer.age", Op.RANGE, low=18), NEVER))},
        {"facts": {"customer.age": (17, NOW)}}, {"facts": {"customer.age": (18, NOW)}},
    ),
    "CONTEXT_MISSING": (
        {"eligibility": Leaf("customer.tier", Op.IN, ("gold",))}, {}, {"facts": {"customer.tier": ("gold", NOW)}},
    ),
    "CONTEXT_STALE": (
        {"eligibility": Leaf("customer.tier", Op.IN, ("gold",), fresh_ms=HOUR_MS)},
        {"facts": {"customer.tier": ("gold", NOW - DAY_MS)}}, {"facts": {"customer.tier": ("gold", NOW)}},
    ),
    "LOCATION_UNKNOWN": (
        {"eligibility": Leaf(LOCATION, Op.INSIDE, ("livorno-terminal",))}, {}, {"whereabouts": AT_LIVORNO},
    ),
    "LOCATION_NOT_MATCHED": (
        {"eligibility": Leaf(LOCATION, Op.INSIDE, ("livorno-terminal",))},
        {"whereabouts": PLACES.resolve(Fix(42.7, 9.45, 20, NOW), "precise")}, {"whereabouts": AT_LIVORNO},
    ),
    "LOCATION_LOW_CONFIDENCE": (
        {"eligibility": Leaf(LOCATION, Op.WITHIN, ("port:ITLIV",), radius_m=12_000, min_confidence=3)},
        {"whereabouts": PLACES.resolve(Fix(LIVORNO.lat, LIVORNO.lon, 25_000, NOW), "approximate")},
        {"whereabouts": AT_LIVORNO},
    ),
    "NOT_STARTED": ({"schedule": Schedule(starts=NOW + 1)}, {}, {"now": NOW + 1}),
    "EXPIRED": ({"schedule": Schedule(ends=NOW)}, {}, {"now": NOW - 1}),
    "NOT_SCHEDULED": ({"schedule": Schedule(seasons=("summer",))}, {}, {"seasons": ("summer",)}),
    "PLACEMENT_NOT_ASKED": (
        {"placements": (PlacementId("app.trip.card"),)}, {},
        {"asked": (PlacementRequest(PlacementId("app.trip.card"), 1),)},
    ),
    "LOCALE_MISSING": ({"representation": representation(("de",), None)}, {}, {"locale": "de-CH"}),
    "CONSENT_MISSING": (
        {"consent": Consent(("location",), ("app",))}, {"profile": MaskedProfile(purposes=("location",))},
        {"profile": MaskedProfile(purposes=("location",), channels=("app",))},
    ),
    "NO_SUBJECT": (
        {"about": BOOKINGS}, {"subjects": {BOOKINGS.key: ()}}, {"subjects": {BOOKINGS.key: (Subject("booking:b1"),)}},
    ),
    "PRICE_UNKNOWN": (
        {"about": BOOKINGS, "price": Price(source="market.fare.deck")},
        {"subjects": {BOOKINGS.key: (Subject("booking:b1"),)}},
        {"subjects": {BOOKINGS.key: (Subject("booking:b1", {"market.fare.deck": (900, NOW)}),)}},
    ),
    "CAP_CUSTOMER_REACHED": (
        {"limits": (Limit("exposed", "customer", "offer", 1, Window("rolling", DAY_MS)),)},
        {"profile": MaskedProfile(counters=counters((happened("exposed", offer("o")), NOW)))}, {},
    ),
    "CAP_BOOKING_REACHED": (
        {"about": BOOKINGS, "limits": (Limit("exposed", "booking", "offer", 1),)},
        {"subjects": {BOOKINGS.key: (Subject("booking:b1"),)},
         "profile": MaskedProfile(counters=counters((happened("exposed", offer("o"), "booking:b1"), NOW)))},
        {"subjects": {BOOKINGS.key: (Subject("booking:b1"),)}},
    ),
    "CAP_DEVICE_CLASS_REACHED": (
        {"limits": (Limit("exposed", "device_class", "offer", 1),)},
        {"profile": MaskedProfile(counters=counters((happened("exposed", offer("o")), NOW))),
         "context": {"context.device_class": ("phone", NOW)}},
        {"profile": MaskedProfile(counters=counters((happened("exposed", offer("o")), NOW))),
         "context": {"context.device_class": ("tablet", NOW)}},
    ),
    "SUPPRESSED": (
        {"suppress": (Suppression("dismissed", DAY_MS),)},
        {"profile": MaskedProfile(counters=counters((happened("dismissed", offer("o")), NOW - HOUR_MS)))}, {},
    ),
}  # fmt: skip
"""Code -> (the offer, the customer and the time it is ruled out in, the same with that one thing changed)"""


@pytest.mark.parametrize("code", CASES)
def test_one_reason_alone_is_the_one_to_change(code: str) -> None:
    made, before, after = CASES[code]
    other = PlacementId("app.trip.card")
    book = catalog([offer("o", **made)], PLACES, placements={HERO: Placement(HERO), other: Placement(other)})
    assert explained(book, inputs(**before)) == {"o": [Code(code)]}
    assert explained(book, inputs(**after)) == {"o": [Code.SELECTED]}


def test_everything_against_an_offer_is_told_in_the_order_it_is_asked() -> None:
    gold = Leaf("customer.tier", Op.IN, ("gold",), where="o.yaml:9:5", text="customer.tier: gold")
    each = offer(
        "o",
        about=BOOKINGS,
        eligibility=gold,
        suitability=All((NEVER, Leaf("booking.accommodation", Op.IN, ("seat",)))),
        consent=Consent(("location",)),
        schedule=Schedule(ends=NOW, ends_relative=RelativeTime("sailing.departure", 0)),
        price=Price(source="market.fare.deck"),
        limits=(Limit("exposed", "customer", "all", 1), Limit("clicked", "customer", "all", 1)),
        suppress=(Suppression("clicked", HOUR_MS),),
    )
    events = [(happened(event, each), NOW) for event in ("exposed", "clicked")]
    situation = inputs(
        profile=MaskedProfile({"customer.tier": ("blue", NOW)}, counters=counters(*events)),
        subjects={BOOKINGS.key: (Subject("booking:b1", {"booking.accommodation": ("deck", NOW)}),)},
    )
    (verdict,) = verdicts(situation, catalog([each], PLACES))
    assert [reason.code for reason in verdict.reasons] == [
        "EXPIRED", "CONSENT_MISSING", "ELIGIBILITY_FAILED", "CONTEXT_MISSING", "SUITABILITY_FAILED", "CONTEXT_MISSING",
        "PRICE_UNKNOWN", "SUPPRESSED", "CAP_CUSTOMER_REACHED", "CAP_CUSTOMER_REACHED",
    ]  # fmt: skip
    assert verdict.reasons[2] == Reason(
        Code.ELIGIBILITY_FAILED, "o.yaml:9:5", "customer.tier is 'blue'; wanted: customer.tier: gold"
    )
    assert (verdict.about, verdict.allowed, verdict.where) == ("booking:b1", False, "o.yaml:1")


def test_of_several_subjects_the_one_nearest_to_being_allowed_is_told() -> None:
    seat = Leaf("booking.accommodation", Op.IN, ("seat",))
    each = offer("o", about=BOOKINGS, eligibility=seat, price=Price(source="market.fare.deck"))
    far = Subject("booking:b1", {"booking.accommodation": ("deck", NOW)})
    near = Subject("booking:b2", {"booking.accommodation": ("deck", NOW), "market.fare.deck": (900, NOW)})
    good = Subject("booking:b3", {"booking.accommodation": ("seat", NOW), "market.fare.deck": (900, NOW)})
    book = catalog([each], PLACES)
    two, three = inputs(subjects={BOOKINGS.key: (far, near)}), inputs(subjects={BOOKINGS.key: (far, good, near)})
    assert (judge(each, two, book).about, [r.code for r in judge(each, two, book).reasons]) == (
        "booking:b2", [Code.ELIGIBILITY_FAILED],
    )  # fmt: skip
    assert judge(each, three, book) == Verdict(OfferId("o"), "o.yaml:1", "booking:b3", True, ())
    assert (allowed(each, two, book), allowed(each, three, book)) == ((), ("booking:b3",))
    assert [reason.code for reason in against(each, "booking:b1", three, book)] == [
        Code.ELIGIBILITY_FAILED, Code.PRICE_UNKNOWN,
    ]  # fmt: skip
    assert [reason.code for reason in against(each, "booking:b9", three, book)] == [Code.NO_SUBJECT]


def test_of_equals_the_subject_that_came_furthest_is_told() -> None:
    aboard = Selector("venue", "on_board")
    kind = Leaf("venue.kind", Op.IN, ("spa",))
    each = offer("o", about=aboard, applicability=All((kind, Leaf("venue.free", Op.RANGE, low=1))))
    grill = Subject("venue:grill", {"venue.kind": ("restaurant", NOW), "venue.free": (14, NOW)})
    full = Subject("venue:spa", {"venue.kind": ("spa", NOW), "venue.free": (0, NOW)})
    situation = inputs(subjects={aboard.key: (grill, full)})
    verdict = judge(each, situation, catalog([each], PLACES))
    assert (verdict.about, len(verdict.reasons)) == ("venue:spa", 1), "there is a spa, and it is full"


def test_a_shown_offer_is_told_about_what_it_was_shown_for() -> None:
    each = offer("o", about=BOOKINGS)
    first, trip = Subject("booking:b1"), Subject("booking:b2", about={"booking_id": "b2"})
    situation = inputs(subjects={BOOKINGS.key: (first, trip)})
    on_trip = msgspec.structs.replace(situation, request=msgspec.structs.replace(situation.request, trip="b2"))
    book = catalog([each], PLACES)
    (verdict,) = explain(on_trip, book, decide(on_trip, book, PRIOR))
    assert (verdict.about, [reason.code for reason in verdict.reasons]) == ("booking:b2", [Code.SELECTED])


def test_whoever_lost_was_outranked_and_a_fallback_waits() -> None:
    best, worse = offer("best", value=Value(9.0)), offer("worse", value=Value(1.0))
    fallback = offer("fallback", fallback=True)
    placements = {HERO: Placement(HERO, max_items=1, fallback=OfferId("fallback"))}
    book = catalog([best, worse, fallback], PLACES, placements=placements)
    assert explained(book, inputs()) == {
        "best": [Code.SELECTED], "worse": [Code.OUTRANKED], "fallback": [Code.FALLBACK_ONLY],
    }  # fmt: skip
    late = inputs(candidate_limit=0)
    assert explained(book, late) == {
        "best": [Code.DEADLINE_EXCEEDED], "worse": [Code.DEADLINE_EXCEEDED], "fallback": [Code.FALLBACK],
    }  # fmt: skip


def test_what_was_not_looked_at_lies_beyond_the_limit() -> None:
    shared = representation(("it",))
    book = catalog(offer(f"o{n:04}", representation=shared) for n in range(700))
    found = Counter(code for codes in explained(book, inputs()).values() for code in codes)
    assert found == {Code.SELECTED: 3, Code.OUTRANKED: 384 + 128 - 3, Code.BEYOND_CANDIDATE_LIMIT: 700 - 384 - 128}


def test_an_offer_whose_subjects_were_not_looked_for_is_not_said_to_have_none() -> None:
    gold = Leaf("customer.tier", Op.IN, ("gold",))
    each = offer("o", about=BOOKINGS, eligibility=gold, applicability=Leaf("booking.accommodation", Op.IN, ("seat",)))
    book = catalog([each], PLACES)
    blue = inputs({"customer.tier": ("blue", NOW)})
    assert explained(book, blue) == {"o": [Code.ELIGIBILITY_FAILED]}, "the index ruled it out before"
    looked = msgspec.structs.replace(blue, subjects={BOOKINGS.key: ()})
    assert explained(book, looked) == {"o": [Code.ELIGIBILITY_FAILED, Code.NO_SUBJECT]}
    golden = inputs({"customer.tier": ("gold", NOW)})
    assert explained(book, golden) == {"o": [Code.NO_SUBJECT]}


def test_a_price_too_old_is_told_once() -> None:
    fare = Price(source="market.fare.deck", fresh_ms=10 * MINUTE_MS)
    book = catalog([offer("o", about=BOOKINGS, price=fare)], PLACES)
    stale = Subject("booking:b1", {"market.fare.deck": (900, NOW - HOUR_MS)})
    assert explained(book, inputs(subjects={BOOKINGS.key: (stale,)})) == {"o": [Code.PRICE_UNKNOWN]}
