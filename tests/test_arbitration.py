"""Choosing: the product it orders by, the slates filled from that order, and exact probabilities where it explores."""

from collections import Counter
from dataclasses import replace
from itertools import permutations

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers.arbitration import Asked, fill, score
from offers.decide import decide
from offers.explain import explain
from offers.money import worth
from offers.offer import Limit, Offer, Placement, Price, Selector, Value, Window
from offers.proposition import Code, Scored, Screening, Slate
from scoring.features import Scores
from streams.ids import CampaignId, DecisionId, OfferId, PlacementId
from streams.instant import HOUR_MS
from streams.profile import MaskedProfile
from streams.record import DecisionInputs, OfferFacts, Subject
from tests.catalogs import HERO, NOW, catalog, inputs, offer
from tests.deciding import candidate, counters, declared, happened

CARD = PlacementId("app.trip.card")
B1 = Subject("booking:b1", about={"booking_id": "b1"})
B2 = Subject("booking:b2", about={"booking_id": "b2"})
BOTH = (HERO, CARD)
NO_ROWS = np.empty((1, 0))


def scored(name: str, rank_score: float, placements: tuple[PlacementId, ...] = (HERO,), about: Subject = B1) -> Scored:
    each = offer(name, placements=placements)
    return Scored(candidate(each, inputs(), about), rank_score, 1.0, rank_score, NO_ROWS, 0)


def asked(*names: PlacementId, limit: int = 3, explore: float = 0.0, most: int = 3) -> list[Asked]:
    return [(name, Placement(name, max_items=most, explore=explore), limit) for name in names]


def shown(slates: tuple[Slate, ...]) -> list[list[str]]:
    return [[slot.candidate.offer.id for slot in slate.slots] for slate in slates]


def ranked(offers: list[Offer], means: dict[str, float], situation: DecisionInputs) -> list[Scored]:
    screening = Screening(tuple(candidate(each, situation, B1) for each in offers))
    return list(score(screening, declared(means), situation))


def test_the_order_is_that_of_chance_times_value_times_weight_times_lever() -> None:
    offers = [
        offer("likely", value=Value(2.0)), offer("dear", value=Value(30.0)), offer("pushed", value=Value(2.0), lever=4),
    ]  # fmt: skip
    found = ranked(offers, {"likely": 0.5, "dear": 0.1, "pushed": 0.2}, inputs())
    assert [(each.candidate.offer.id, round(each.rank_score, 9)) for each in found] == [
        ("dear", 3.0), ("pushed", 1.6), ("likely", 1.0),
    ]  # fmt: skip
    assert [each.score for each in found] == [0.1, 0.2, 0.5]
    assert found[0].row[0] == 0.1


def test_the_trip_that_the_app_shows_weighs_more() -> None:
    upgrade = offer("upgrade", about=Selector("booking"), value=Value(4.0))
    situation = inputs()
    on_trip = inputs(request=msgspec.structs.replace(situation.request, trip="b2"))
    pairs = tuple(candidate(upgrade, situation, subject) for subject in (B1, B2))
    plain = score(Screening(pairs), declared({"upgrade": 0.1}), situation)
    weighed = score(Screening(pairs), declared({"upgrade": 0.1}), on_trip)
    assert [(each.candidate.subject.key, round(each.rank_score, 9)) for each in plain] == [
        ("booking:b1", 0.4), ("booking:b2", 0.4),
    ]  # fmt: skip
    assert [(each.candidate.subject.key, round(each.rank_score, 9)) for each in weighed] == [
        ("booking:b2", 0.5), ("booking:b1", 0.4),
    ]  # fmt: skip


def test_the_order_is_total_whatever_order_candidates_come_in() -> None:
    situation = inputs()
    pairs = [candidate(offer(name), situation, subject) for name in "ab" for subject in (B1, B2)]
    orders = {
        tuple((each.candidate.offer.id, each.candidate.subject.key) for each in found)
        for some in permutations(pairs)
        for found in [score(Screening(some), declared(), situation)]
    }
    assert orders == {(("a", "booking:b1"), ("a", "booking:b2"), ("b", "booking:b1"), ("b", "booking:b2"))}


def test_nothing_allowed_is_nothing_scored() -> None:
    assert list(score(Screening(()), declared(), inputs())) == []


def test_no_model_is_asked_about_nothing() -> None:
    def broken(given: DecisionInputs, items: object) -> Scores:
        raise ValueError("a model with a fault")

    propensity = replace(declared(), score=broken)
    assert list(score(Screening(()), propensity, inputs())) == []
    found = decide(inputs(candidate_limit=0), catalog([offer("a")]), propensity)
    assert found.candidates == ()


def test_an_acceptance_is_worth_its_amount_and_the_margins_share_of_the_price() -> None:
    euros, yen = Price("EUR", "market.fare.deck"), Price("JPY", "market.fare.deck")
    assert worth(offer("amount", value=Value(12.5)), None) == 12.5
    assert worth(offer("margin", value=Value(0, 0.62), price=euros), 4_900) == pytest.approx(0.62 * 49)
    assert worth(offer("both", value=Value(3, 0.1), price=euros), 4_900) == pytest.approx(7.9)
    assert worth(offer("yen", value=Value(0, 0.5), price=yen), 4_900) == pytest.approx(2_450)
    assert worth(offer("neither"), 4_900) == 1.0


def test_the_price_is_that_of_the_subject() -> None:
    fare = offer("fare", value=Value(0, 0.5), price=Price("EUR", "market.fare.deck", discount=0.5))
    dear, cheap = (Subject(f"s{fare}", {"market.fare.deck": (fare, NOW)}) for fare in (8_000, 4_000))
    situation = inputs()
    found = score(Screening((candidate(fare, situation, cheap), candidate(fare, situation, dear))),
                  declared({"fare": 0.5}), situation)  # fmt: skip
    assert [(each.candidate.quote and each.candidate.quote.minor, each.value, each.rank_score) for each in found] == [
        (4_000, 20.0, 10.0), (2_000, 10.0, 5.0),
    ]  # fmt: skip


def test_a_placement_shows_at_most_what_it_has_room_for_and_what_was_asked() -> None:
    pool = [scored(name, 9.0 - n) for n, name in enumerate("abcde")]
    counts = {(limit, most): shown(fill(asked(HERO, limit=limit, most=most), pool, inputs()))[0]
              for limit, most in ((1, 3), (3, 1), (3, 2), (9, 9))}  # fmt: skip
    assert counts == {(1, 3): ["a"], (3, 1): ["a"], (3, 2): ["a", "b"], (9, 9): ["a", "b", "c", "d", "e"]}


def test_no_offer_stands_twice_in_an_answer_whatever_it_is_about() -> None:
    pool = [
        scored("a", 9, BOTH, B1), scored("a", 8, BOTH, B2), scored("b", 7, BOTH), scored("c", 6), scored("d", 5, BOTH),
    ]  # fmt: skip
    found = fill(asked(HERO, CARD, limit=2), pool, inputs())
    assert shown(found) == [["a", "b"], ["d"]]
    assert found[0].slots[0].candidate.subject == B1, "about the better of its subjects"
    assert shown(fill(asked(CARD, HERO, limit=2), pool, inputs())) == [["a", "b"], ["c", "d"]], "in the order asked"


def test_an_unknown_placement_comes_back_empty_and_says_so() -> None:
    gone = PlacementId("app.gone")
    found = fill([(gone, None, 3), *asked(HERO)], [scored("a", 1, (HERO, gone))], inputs())
    assert found[0] == Slate(gone, (), problem="UNKNOWN_PLACEMENT")
    assert shown(found) == [[], ["a"]]


def test_without_exploring_a_shown_item_was_certain_but_for_its_inclusion() -> None:
    drawn = scored("drawn", 5)
    lucky = Scored(msgspec.structs.replace(drawn.candidate, inclusion=0.25), 5, 1.0, 5, NO_ROWS, 0)
    found = fill(asked(HERO), [scored("a", 9), lucky], inputs())
    assert [slot.propensity for slot in found[0].slots] == [1.0, 0.25]


DAILY = Window("rolling", 24 * HOUR_MS)


def capped(name: str, rank_score: float, *limits: Limit, about: Subject = B1, collection: str = "fares") -> Scored:
    each = offer(name, placements=BOTH, limits=limits, collection=collection)
    return Scored(candidate(each, inputs(), about), rank_score, 1.0, rank_score, NO_ROWS, 0)


def test_an_answer_shows_no_more_than_a_cap_on_all_offers_leaves_room_for() -> None:
    policy = Limit("exposed", "customer", "all", 3, DAILY)
    pool = [capped(name, 9 - n, policy) for n, name in enumerate("abcd")] + [capped("free", 1)]
    assert shown(fill(asked(HERO, CARD, limit=2), pool, inputs())) == [["a", "b"], ["c", "free"]]
    met = inputs(profile=MaskedProfile(counters=counters(*[(happened("exposed", offer("x")), NOW)] * 2)))
    assert shown(fill(asked(HERO, CARD, limit=2), pool, met)) == [["a", "free"], []], "two were shown before"
    clicks = [capped(name, 1, Limit("clicked", "customer", "all", 1, DAILY)) for name in "ab"]
    assert shown(fill(asked(HERO), clicks, inputs())) == [["a", "b"]], "showing clicks nothing"


def test_within_an_answer_a_cap_counts_what_it_counts_on_the_log() -> None:
    once = Limit("exposed", "customer", "collection", 1, DAILY)
    pool = [
        capped("a", 9, once), capped("b", 8, once), capped("spa", 7, once, collection="spa"),
        capped("c", 6, once, collection=""), capped("d", 5, once, collection=""),
    ]  # fmt: skip
    assert shown(fill(asked(HERO, limit=5, most=5), pool, inputs())) == [["a", "spa", "c", "d"]], (
        "no collection, no cap"
    )
    booking = Limit("exposed", "booking", "all", 1, DAILY)
    about = [capped("a", 9, booking), capped("b", 8, booking), capped("b", 7, booking, about=B2)]
    found = fill(asked(HERO), about, inputs())
    assert [(slot.candidate.offer.id, slot.candidate.subject) for slot in found[0].slots] == [("a", B1), ("b", B2)]
    campaign = Limit("exposed", "customer", "campaign", 1, DAILY)
    facts = [OfferFacts(OfferId(name), CampaignId("summer"), "") for name in "ab"]
    one = [replace(offer("x", limits=(campaign,)), facts=each) for each in facts]
    sisters = [Scored(candidate(each, inputs(), B1), 1.0, 1.0, 1.0, NO_ROWS, 0) for each in one]
    assert shown(fill(asked(HERO), sisters, inputs())) == [["a"]]


def test_exploring_draws_among_those_the_caps_leave_room_for() -> None:
    policy = Limit("exposed", "customer", "all", 1, DAILY)
    pool = [capped("a", 2.0, policy), capped("b", 2.0, policy), capped("free", 2.0)]
    for seed in range(50):
        (slate,) = fill(asked(HERO, explore=1.0), pool, inputs(decision_id=DecisionId(f"d-{seed}")))
        names = [slot.candidate.offer.id for slot in slate.slots]
        assert names in (["a", "free"], ["b", "free"], ["free"]), "the free one is shown, and counts, too"
        assert [slot.propensity for slot in slate.slots] == pytest.approx([1 / 3, 1.0][: len(names)])


def test_a_capped_answer_says_that_the_others_were_outranked() -> None:
    policy = Limit("exposed", "customer", "all", 1, DAILY)
    world = catalog([offer(name, limits=(policy,)) for name in "abc"])
    decision = decide(inputs(), world, declared({"b": 0.9}))
    assert [item.offer_id for item in decision.placements[0].items] == ["b"]
    assert decision.ruled_out == (("OUTRANKED", 2),)
    reasons = {each.offer_id: [reason.code for reason in each.reasons] for each in explain(inputs(), world, decision)}
    assert reasons == {"a": [Code.OUTRANKED], "b": [Code.SELECTED], "c": [Code.OUTRANKED]}


POOL = [scored("a", 4.0), scored("b", 3.0), scored("c", 1.0)]
ROUNDS = 8_000


def test_exploring_logs_the_very_probability_with_which_it_chooses() -> None:
    times: Counter[tuple[str, ...]] = Counter()
    chances: dict[tuple[str, ...], float] = {}
    steps: dict[tuple[str, ...], list[float]] = {}
    for seed in range(ROUNDS):
        given = inputs(decision_id=DecisionId(f"d-{seed}"))
        (slate,) = fill(asked(HERO, limit=2, explore=0.6), POOL, given)
        order = tuple(str(slot.candidate.offer.id) for slot in slate.slots)
        logged = [slot.propensity or 0.0 for slot in slate.slots]
        assert steps.setdefault(order, logged) == logged, "the same choice always has the same probability"
        times[order] += 1
        chances[order] = logged[0] * logged[1]
    assert sum(chances.values()) == pytest.approx(1.0), "every order of two of three, and nothing besides"
    assert len(chances) == 6
    for order, chance in chances.items():
        sigma = (ROUNDS * chance * (1 - chance)) ** 0.5
        assert abs(times[order] - ROUNDS * chance) < 4.5 * sigma, order


def test_two_placements_of_one_answer_explore_on_their_own() -> None:
    pool = [scored(name, 2.0, BOTH) for name in "abcdef"]
    firsts: Counter[tuple[str, str]] = Counter()
    for seed in range(300):
        found = shown(fill(asked(HERO, CARD, limit=1, explore=1.0), pool, inputs(decision_id=DecisionId(f"d-{seed}"))))
        assert found[0] != found[1]
        firsts[found[0][0], found[1][0]] += 1
    assert len(firsts) > 20, "of 30 pairs"


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8), st.floats(0, 1), st.integers(0, 10_000))
@settings(max_examples=100, deadline=None)
def test_a_slate_is_never_longer_nor_repeated_and_its_propensities_are_probabilities(
    scores: list[float], explore: float, seed: int
) -> None:
    pool = [scored(f"o{n}", value) for n, value in enumerate(sorted(scores, reverse=True))]
    (slate,) = fill(asked(HERO, limit=3, explore=explore), pool, inputs(decision_id=DecisionId(f"d-{seed}")))
    names = [slot.candidate.offer.id for slot in slate.slots]
    assert len(names) == min(3, len(pool)) == len(set(names))
    assert all(slot.propensity is not None and 0 < slot.propensity <= 1 for slot in slate.slots)
