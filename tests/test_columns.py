"""Columns of candidates: as sequences they are the candidates, and their order is the one that objects would have."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers import capping, eligibility, shortlist
from offers.candidates import Candidates
from offers.columns import Ranked, in_columns
from offers.offer import Price, Selector, Value
from offers.proposition import Candidate
from scoring.features import Scores
from streams.record import NOTHING, Subject
from tests.catalogs import NOW, catalog, inputs, offer
from tests.deciding import candidate

BOOKINGS = Selector("booking")
SUBJECTS = (NOTHING, Subject("booking:b1"), Subject("booking:b2"))


def ranked(candidates: list[Candidate], ranks: list[float]) -> Ranked:
    scores = Scores(np.full(len(ranks), 0.5), np.arange(float(len(ranks))).reshape(-1, 1))
    return Ranked(in_columns(candidates), scores, np.array(ranks))


@given(st.lists(st.tuples(st.sampled_from("abcde"), st.sampled_from(SUBJECTS), st.sampled_from([0.0, 0.5, 1.0, 2.0]))))
def test_the_order_is_that_of_sorting_by_rank_offer_and_subject(drawn: list[tuple[str, Subject, float]]) -> None:
    situation = inputs()
    candidates = [candidate(offer(name), situation, subject) for name, subject, _ in drawn]
    found = ranked(candidates, [rank for _, _, rank in drawn])
    wanted = sorted((-rank, name, subject.key) for name, subject, rank in drawn)
    assert [(-each.rank_score, each.candidate.offer.id, each.candidate.subject.key) for each in found] == wanted
    logged = [(-each.rank_score, each.offer_id, each.about) for each in found.logged()]
    assert logged == wanted


def test_a_scored_candidate_has_its_own_row_and_is_made_once() -> None:
    situation = inputs()
    found = ranked([candidate(offer(name), situation) for name in "abc"], [1.0, 3.0, 2.0])
    assert [(each.candidate.offer.id, each.row) for each in found] == [("b", (1.0,)), ("c", (2.0,)), ("a", (0.0,))]
    assert found[0] is found[0]
    assert found[-1].candidate is found[2].candidate
    assert [each.candidate.offer.id for each in found[:2]] == ["b", "c"]
    with pytest.raises(IndexError):
        found[3]


def test_what_is_kept_as_columns_is_what_objects_would_say() -> None:
    dear = Price(source="market.fare.deck", discount=0.25, round_to=50)
    book = catalog(
        [
            offer("plain", value=Value(3.0)),
            offer("priced", price=Price(amount=4_900), value=Value(1.0, 0.1)),
            offer("fare", about=BOOKINGS, price=dear, value=Value(0, 0.5), lever=2.0),
        ]
    )
    cheap, none = Subject("booking:b1", {"market.fare.deck": (4_000, NOW)}), Subject("booking:b2")
    situation = inputs(subjects={BOOKINGS.key: (cheap, none)})
    rules = (eligibility.rule_out, capping.rule_out)
    kept = in_columns(shortlist.take(Candidates(book, situation), rules, situation).kept)
    told = {(each.offer.id, each.subject.key): kept.values[at] for at, each in enumerate(kept)}
    assert told == {("plain", ""): 3.0, ("priced", ""): pytest.approx(5.9), ("fare", "booking:b1"): 15.0}
    fare = next(each for each in kept if each.offer.id == "fare")
    assert fare.quote is not None and fare.quote.minor == 3_000
    assert kept.levers.tolist() == [each.offer.lever for each in kept]
    assert [(facts.offer_id, subject) for facts, subject in kept.lineup] == [(e.offer.id, e.subject) for e in kept]
    assert len(kept.offers()) == 3


def test_candidates_as_columns_are_themselves() -> None:
    situation = inputs()
    some = [candidate(offer(name), situation, subject) for name in "ab" for subject in SUBJECTS[1:]]
    kept = in_columns(some)
    assert [kept[at] is each for at, each in enumerate(some)] == [True] * 4
    assert in_columns(kept) is kept
    assert kept.lineup.about.tolist() == [0, 1, 0, 1]
