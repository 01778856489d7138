"""The decision as a whole: golden decisions of the example operator, and what must hold for every decision."""

import copy
from collections import Counter

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers.case_run import lines, run
from offers.catalog import Catalog
from offers.decide import DEADLINE_SHORT, ENGINE, decide, digest, record
from offers.offer import Placement, Selector, Value
from offers.proposition import Code, canonical_bytes
from offers.situation import Situation, situate
from streams.ids import DecisionId, OfferId, PlacementId
from streams.record import PlacementRequest, Subject
from tests import golden_case
from tests.catalogs import HERO, NOW, catalog, inputs, offer, representation
from tests.deciding import declared, opinionated
from tests.geography import PLACES
from tests.test_validity import BOOKS, SLOW, situations

PRIOR, MODEL = declared(), opinionated()
CARD = PlacementId("app.trip.card")


@pytest.mark.parametrize("name", golden_case.names())
def test_golden(name: str) -> None:
    golden, book = golden_case.load(name), golden_case.example()
    outcome = run(golden.case, book, PRIOR)
    assert outcome.good, "\n".join(lines(outcome))
    decision, expect = outcome.simulation.decision, golden.case.expect
    assert [slate.placement for slate in decision.placements] == list(expect.placements), "every placement is expected"
    assert [slate.placement for slate in decision.placements if slate.fallback] == list(expect.fallback or ())
    assert list(decision.degraded) == list(expect.degraded or ())
    assert decide(situate(golden.situation, book), book, PRIOR).placements == decision.placements, "bound lazily too"


def test_there_are_golden_decisions_of_every_status_of_location() -> None:
    statuses = Counter(golden_case.load(name).situation.whereabouts.status for name in golden_case.names())
    assert set(statuses) == {"precise", "approximate", "denied", "off", "not_determined"}
    assert statuses.total() >= 15


@given(st.sampled_from(BOOKS), situations())
@settings(max_examples=60, deadline=None, suppress_health_check=SLOW)
def test_the_same_inputs_give_the_same_bytes_and_stay_as_they_were(book: Catalog, found: Situation) -> None:
    given_inputs = situate(found, book)
    before = copy.deepcopy(given_inputs)
    first = decide(given_inputs, book, MODEL)
    assert canonical_bytes(decide(given_inputs, book, MODEL)) == canonical_bytes(first)
    assert canonical_bytes(decide(before, book, MODEL)) == canonical_bytes(first)
    assert given_inputs == before


def test_a_decision_has_everything_that_was_decided_in_order() -> None:
    offers = [offer("a", value=Value(2.0)), offer("b", value=Value(9.0)), offer("c", value=Value(5.0))]
    given_inputs = inputs(asked=(PlacementRequest(HERO, 2),), consulted=("s1",), market_version=7)
    found = decide(given_inputs, catalog(offers, PLACES), declared({"a": 0.5, "b": 0.1, "c": 0.3}))
    assert (found.decision_id, found.now, found.revision, found.model, found.consulted) == (
        given_inputs.decision_id, NOW, "r-test", "m-test", ("s1",),
    )  # fmt: skip
    assert [(each.offer_id, each.rank_score, each.inclusion) for each in found.candidates] == [
        ("c", 1.5, 1.0), ("a", 1.0, 1.0), ("b", 0.9, 1.0),
    ]  # fmt: skip
    shown = [(each.offer.offer_id, each.rank, each.score, each.propensity, each.value, each.row[0])
             for each in found.shown]  # fmt: skip
    assert shown == [("c", 1, 0.3, 1.0, 5.0, 0.3), ("a", 2, 0.5, 1.0, 2.0, 0.5)]
    assert {each.placement for each in found.shown} == {HERO}
    assert [(item.offer_id, item.rank) for item in found.placements[0].items] == [("c", 1), ("a", 2)]
    assert found.ruled_out == (("OUTRANKED", 1),)


def test_an_offer_that_lost_about_one_subject_and_is_shown_about_another_is_shown() -> None:
    bookings = Selector("booking")
    mine = (Subject("booking:b1"), Subject("booking:b2", about={"booking_id": "b2"}))
    found = decide(inputs(subjects={bookings.key: mine}), catalog([offer("upgrade", about=bookings)]), PRIOR)
    assert [(each.offer_id, each.about) for each in found.candidates] == [
        ("upgrade", "booking:b1"), ("upgrade", "booking:b2"),
    ]  # fmt: skip
    assert [(item.offer_id, item.subject, item.about) for item in found.placements[0].items] == [
        ("upgrade", "booking:b1", {})
    ]
    assert found.ruled_out == ()


def test_nothing_at_all_is_a_decision_too() -> None:
    found = decide(inputs(), catalog([]), PRIOR)
    assert ([slate.items for slate in found.placements], found.ruled_out, found.shown) == ([()], (), ())
    assert found.valid_until > NOW


def test_what_was_degraded_stays_said() -> None:
    found = decide(inputs(degraded=("model_unavailable",)), catalog([offer("a")]), PRIOR)
    assert found.degraded == ("model_unavailable",)


SHARED = representation(("it",))


@pytest.mark.parametrize(
    ("size", "limit", "said"),
    [
        (5, 0, True), (0, 0, False), (5, 3, True), (4, 3, False), (30, 10, True), (700, 384, False), (700, 100, True),
        (512, 384, False),
    ],
)  # fmt: skip
def test_a_deadline_that_cost_candidates_is_said(size: int, limit: int, said: bool) -> None:
    book = catalog(offer(f"o{n:04}", representation=SHARED) for n in range(size))
    found = decide(inputs(candidate_limit=limit, degraded=("behind",)), book, PRIOR)
    assert found.degraded == (("behind", DEADLINE_SHORT) if said else ("behind",))


def test_a_decision_that_had_no_time_shows_fallbacks_only() -> None:
    placements = {HERO: Placement(HERO, fallback=OfferId("letter"))}
    book = catalog([offer("a"), offer("letter", fallback=True)], placements=placements)
    found = decide(inputs(candidate_limit=0), book, PRIOR)
    assert (found.ruled_out, found.candidates) == ((("DEADLINE_EXCEEDED", 1),), ())
    assert [(each.offer.offer_id, each.score, each.propensity, each.value) for each in found.shown] == [
        ("letter", None, None, 0.0)
    ]
    assert found.placements[0].fallback


def test_a_record_is_the_inputs_and_what_a_replay_must_find() -> None:
    given_inputs = inputs({"customer.age": (40, NOW)})
    decision = decide(given_inputs, catalog([offer("a")]), MODEL)
    line = record(given_inputs, decision, MODEL.features)
    assert (line.v, line.engine, line.model, line.features) == (1, ENGINE, "m-opinion", ("a", "b"))
    assert line.inputs is given_inputs
    assert (line.candidates, line.shown, line.digest) == (decision.candidates, decision.shown, digest(decision))
    other = decide(msgspec.structs.replace(given_inputs, decision_id=DecisionId("d-2")), catalog([offer("a")]), MODEL)
    assert digest(other) != line.digest


def test_two_placements_share_no_offer_and_keep_the_order_asked() -> None:
    offers = [offer(name, placements=(HERO, CARD), value=Value(9.0 - n)) for n, name in enumerate("abcd")]
    book = catalog(offers, placements={HERO: Placement(HERO), CARD: Placement(CARD)})
    asked = (PlacementRequest(CARD, 2), PlacementRequest(PlacementId("app.gone"), 1), PlacementRequest(HERO, 3))
    found = decide(inputs(asked=asked), book, PRIOR)
    assert [[item.offer_id for item in slate.items] for slate in found.placements] == [["a", "b"], [], ["c", "d"]]
    assert [slate.problem for slate in found.placements] == [None, "UNKNOWN_PLACEMENT", None]
    assert Code.OUTRANKED not in dict(found.ruled_out)
