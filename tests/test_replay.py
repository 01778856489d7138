"""A decision replayed from its record is the same decision, byte for byte; what differs is said in words."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers.catalog import Catalog
from offers.condition import Leaf, Op
from offers.decide import ENGINE, decide, digest, record
from offers.engine import Engine
from offers.offer import Placement, Value
from offers.proposition import Code, canonical_bytes
from offers.replay import logged, replay, rescored
from offers.situation import Situation, situate
from streams.ids import DecisionId, OfferId, RevisionId
from streams.record import DecisionInputs, DecisionRecord, decode, encode
from tests.catalogs import HERO, NOW, catalog, inputs, offer, representation
from tests.deciding import declared, opinionated
from tests.geography import PLACES
from tests.test_validity import BOOKS, EVERYTHING, SLOW, situations

MODEL = opinionated()
EXPLORING = Placement(HERO, max_items=60, explore=0.4)
CURIOUS = catalog(EVERYTHING, PLACES, placements={HERO: EXPLORING})
"""Everything that there is, shown in an order that the decision's id draws."""


def check_replayed(book: Catalog, found: Situation, number: int) -> None:
    given_inputs = situate(replace(found, decision_id=DecisionId(f"d-{number}")), book)
    decision = decide(given_inputs, book, MODEL)
    line = encode(record(given_inputs, decision, MODEL.features))
    again = replay(decode(line), Engine(book, MODEL))
    assert canonical_bytes(again.decision) == canonical_bytes(decision)
    assert (again.same_bytes, again.differences) == (True, ())


@given(st.sampled_from([*BOOKS, CURIOUS, CURIOUS, CURIOUS]), situations(), st.integers(0, 10**6))
@settings(max_examples=200, deadline=None, suppress_health_check=SLOW)
def test_200_decisions_replayed_from_their_records_have_the_same_bytes(
    book: Catalog, found: Situation, number: int
) -> None:
    check_replayed(book, found, number)


@pytest.mark.prove
@given(st.sampled_from([*BOOKS, CURIOUS, CURIOUS, CURIOUS]), situations(), st.integers(0, 10**6))
@settings(max_examples=1_000, deadline=None, suppress_health_check=SLOW)
def test_1000_decisions_replayed_from_their_records_have_the_same_bytes(
    book: Catalog, found: Situation, number: int
) -> None:
    check_replayed(book, found, number)


def recorded(book: Catalog, situation: DecisionInputs) -> DecisionRecord:
    return decode(encode(record(situation, decide(situation, book, MODEL), MODEL.features)))


def test_with_more_candidates_than_are_looked_at_the_same_ones_are_drawn_again() -> None:
    shared = representation(("it",))
    book = catalog(offer(f"o{n:04}", representation=shared) for n in range(900))
    line = recorded(book, inputs())
    again = replay(line, Engine(catalog(offer(f"o{n:04}", representation=shared) for n in range(900)), MODEL))
    assert (again.same_bytes, again.differences) == (True, ())
    assert {each.inclusion for each in line.candidates} == {1.0, 128 / 516}


def test_another_engine_is_said() -> None:
    line = msgspec.structs.replace(recorded(CURIOUS, inputs()), engine="offing-0.0.9")
    again = replay(line, Engine(CURIOUS, MODEL))
    assert (again.same_bytes, again.differences) == (True, (f"decided by offing-0.0.9, replayed by {ENGINE}",))


def test_another_model_is_said_and_the_logged_scores_give_the_same_bytes() -> None:
    line = recorded(CURIOUS, inputs())
    again = replay(line, Engine(CURIOUS, opinionated("m-newer")))
    assert again.same_bytes
    assert again.differences == ("decided with model m-opinion; m-newer is active: logged scores were used",)


def test_a_model_of_the_same_name_that_scores_differently_is_said() -> None:
    book = catalog([offer("o", value=Value(4.0))], PLACES)
    line = recorded(book, inputs())
    bent = replace(declared({"o": line.candidates[0].score + 0.125}), model=MODEL.model)
    again = replay(line, Engine(book, bent))
    assert (again.same_bytes, again.differences) == (True, ("model m-opinion scores up to 1.25e-01 differently now",))
    hair = replace(declared({"o": line.candidates[0].score + 1e-10}), model=MODEL.model)
    assert replay(line, Engine(book, hair)).differences == ()
    assert rescored(line, book, hair) == pytest.approx(1e-10, rel=1e-3)


def test_a_catalog_that_allows_others_now_does_not_stop_the_replay() -> None:
    gold = Leaf("customer.tier", Op.IN, ("gold",))
    before = catalog([offer("new", eligibility=gold, value=Value(90.0)), offer("old", value=Value(1.0))], PLACES)
    now = catalog([offer("new", value=Value(90.0)), offer("old", value=Value(1.0))], PLACES)
    line = recorded(before, inputs())
    again = replay(line, Engine(now, MODEL))
    assert not again.same_bytes
    assert again.differences == (
        "the replayed decision has other bytes than the logged one",
        "other candidates are allowed now than were scored",
    )
    names = [each.offer.offer_id for each in again.decision.shown]
    assert names == ["old", "new"], "nobody scored the new one: it is last"
    fewer = replay(recorded(now, inputs()), Engine(before, MODEL))
    assert (fewer.same_bytes, [each.offer.offer_id for each in fewer.decision.shown]) == (False, ["old"])


def test_another_revision_is_said() -> None:
    line = recorded(CURIOUS, inputs())
    moved = msgspec.structs.replace(line, inputs=msgspec.structs.replace(line.inputs, revision=RevisionId("r-old")))
    again = replay(moved, Engine(CURIOUS, MODEL))
    assert "decided under revision r-old, replayed under r-test" in again.differences
    assert not again.same_bytes


def test_a_tampered_record_has_other_bytes() -> None:
    line = recorded(CURIOUS, inputs())
    forged = msgspec.structs.replace(line, inputs=msgspec.structs.replace(line.inputs, now=NOW + 1))
    again = replay(forged, Engine(CURIOUS, MODEL))
    assert not again.same_bytes
    assert digest(again.decision) != line.digest


def test_a_replay_comes_with_every_offers_reasons() -> None:
    gold = Leaf("customer.tier", Op.IN, ("gold",))
    book = catalog([offer("o"), offer("members", eligibility=gold)], PLACES)
    again = replay(recorded(book, inputs()), Engine(book, MODEL))
    assert {each.offer_id: [reason.code for reason in each.reasons] for each in again.verdicts} == {
        "o": [Code.SELECTED], "members": [Code.CONTEXT_MISSING],
    }  # fmt: skip


def test_a_decision_of_nothing_but_a_fallback_replays_too() -> None:
    placements = {HERO: Placement(HERO, fallback=OfferId("letter"))}
    book = catalog([offer("letter", fallback=True)], PLACES, placements=placements)
    line = recorded(book, inputs())
    assert (line.candidates, [each.score for each in line.shown]) == ((), [None])
    assert replay(line, Engine(book, MODEL)).differences == ()
    assert logged(line).features == MODEL.features
