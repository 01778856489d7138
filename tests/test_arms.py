"""Decisions with experiments: who is held out, who sees which arm, what is logged, and that it costs others nothing."""

from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offers import bits, explain
from offers.apart import apart
from offers.candidates import Candidates
from offers.changes import needs
from offers.condition import Leaf, Op
from offers.condition_words import Words
from offers.decide import RULES, decide, digest, record
from offers.experiment import AS_WRITTEN, HOLDOUT, OTHERS, Arm, Experiment, Holdout, Step, arm_of
from offers.offer import Limit, Look, Offer, Placement, Price, Value
from offers.proposition import Code, Decision
from offers.shortlist import take
from streams.ids import CustomerId, OfferId
from streams.profile import MaskedProfile
from streams.record import Assigned, DecisionInputs, decode, encode
from tests.catalogs import ATTRIBUTES, HERO, NOW, catalog, inputs, offer, representation
from tests.deciding import counters, declared, happened
from tests.geography import PLACES
from tests.test_index import offers as random_offers
from tests.test_index import situations

HALVES = (Arm("control", 0.5), Arm("deeper", 0.5))
PRIOR = declared()
CUSTOMERS = [CustomerId(f"c-{number}") for number in range(60)]
ENGLISH = representation(("en", "it"))


def looking(written: Offer, minor: int, lever: float = 1.0) -> Look:
    """The offer at another price."""
    facts = msgspec.structs.replace(written.facts, attributes={"offer.price": minor})
    return Look(facts, written.representation, Price(amount=minor), Value(margin=0.5), lever)


def tried(name: str, experiment: Experiment, minor: int = 4_000, **more: Any) -> Offer:
    """An offer of 49 EUR that costs otherwise in the arm `deeper`."""
    written = offer(name, price=Price(amount=4_900), value=Value(margin=0.5), **more)
    arms = {arm.name for arm in experiment.arms}
    looks = (("deeper", looking(written, minor)),) if "deeper" in arms else ()
    return replace(written, experiment=experiment, looks=looks)


def asked(customer: CustomerId, **more: Any) -> DecisionInputs:
    """A customer asks for the hero placement."""
    made = inputs(**more)
    return msgspec.structs.replace(made, request=msgspec.structs.replace(made.request, customer_id=customer))


def prices(decision: Decision) -> list[int | None]:
    return [item.price.minor if item.price else None for slate in decision.placements for item in slate.items]


# What a customer sees


def test_every_customer_sees_the_price_of_their_arm_and_once() -> None:
    trial = Experiment("price", HALVES)
    book = catalog([tried("cabin", trial)])
    seen = {customer: prices(decide(asked(customer), book, PRIOR)) for customer in CUSTOMERS}
    assert seen == {
        customer: [4_000] if arm_of(trial, customer, NOW) == "deeper" else [4_900] for customer in CUSTOMERS
    }
    assert [4_000] in seen.values() and [4_900] in seen.values()


def test_an_arm_with_a_lever_ranks_the_offer_otherwise() -> None:
    written = offer("cabin", value=Value(10.0))
    pushed = Look(written.facts, ENGLISH, None, Value(10.0), lever=3.0)
    trial = Experiment("push", (Arm("pushed", 1.0),))
    book = catalog([replace(written, experiment=trial, looks=(("pushed", pushed),)), offer("spa", value=Value(20.0))])
    for forced, first in (("pushed", "cabin"), (AS_WRITTEN, "spa")):
        decision = decide(asked(CUSTOMERS[0], arms={"push": forced}), book, PRIOR)
        assert decision.placements[0].items[0].offer_id == first
    assert [candidate.rank_score for candidate in decide(asked(CUSTOMERS[0]), book, PRIOR).candidates] == [
        pytest.approx(0.05 * 30.0), pytest.approx(0.05 * 20.0)
    ]  # fmt: skip


def test_features_are_computed_from_what_the_arm_shows() -> None:
    book = catalog([tried("cabin", Experiment("price", HALVES))])
    shown = decide(asked(CUSTOMERS[0], arms={"price": "deeper"}), book, PRIOR).shown[0]
    assert shown.offer.attributes == {"offer.price": 4_000}


def test_the_held_out_see_the_next_offer_and_the_offer_is_counted_as_held_out() -> None:
    book = catalog([tried("cabin", Experiment("price", HALVES, holdout=0.1)), offer("spa", value=Value(1.0))])
    decision = decide(asked(CUSTOMERS[0], arms={"price": HOLDOUT}), book, PRIOR)
    assert [item.offer_id for item in decision.placements[0].items] == ["spa"]
    assert decision.ruled_out == ((Code.HELD_OUT, 1),)
    assert decision.assigned == (Assigned("price", HOLDOUT, OfferId("cabin"), ""),)


def test_nothing_is_logged_of_who_could_not_have_the_offer_anyway() -> None:
    gold = Leaf("customer.tier", Op.IN, ("gold",))
    book = catalog([tried("cabin", Experiment("price", HALVES, holdout=0.5), eligibility=gold)])
    for customer in CUSTOMERS[:10]:
        decision = decide(asked(customer, facts={"customer.tier": ("blue", NOW)}), book, PRIOR)
        assert decision.assigned == ()
        assert decision.ruled_out == ((Code.INDEX_EXCLUDED, 1),)


def test_a_capped_customer_is_capped_whatever_their_arm() -> None:
    trial = Experiment("price", HALVES, holdout=0.2)
    cabin = tried("cabin", trial, limits=(Limit("exposed", "customer", "offer", 1),))
    book = catalog([cabin])
    profile = MaskedProfile(counters=counters((happened("exposed", cabin), NOW)))
    for arm in ("control", "deeper", HOLDOUT, OTHERS):
        decision = decide(asked(CUSTOMERS[0], profile=profile, arms={"price": arm}), book, PRIOR)
        assert (decision.ruled_out, decision.assigned) == (((Code.CAP_CUSTOMER_REACHED, 1),), ())


def test_who_is_in_no_arm_sees_the_offer_as_written_or_nothing() -> None:
    for others_see, found in ((True, [4_900]), (False, [])):
        book = catalog([tried("cabin", Experiment("price", HALVES, others_see=others_see))])
        decision = decide(asked(CUSTOMERS[0], arms={"price": OTHERS}), book, PRIOR)
        assert prices(decision) == found
        assert [each.arm for each in decision.assigned] == [OTHERS]
    assert decision.ruled_out == ((Code.NOT_IN_EXPERIMENT, 1),)


def test_a_ramp_opens_on_its_date_and_no_cached_answer_outlives_it() -> None:
    trial = Experiment("price", (Arm("deeper", 1.0),), ramp=(Step(NOW + 60_000, 1.0),))
    book = catalog([tried("cabin", trial)])
    before = decide(asked(CUSTOMERS[0]), book, PRIOR)
    after = decide(asked(CUSTOMERS[0], now=NOW + 60_000), book, PRIOR)
    assert (prices(before), prices(after)) == ([4_900], [4_000])
    assert before.valid_until == NOW + 60_000


# The holdout of all campaigns


def test_a_holdout_of_everything_leaves_fallbacks_alone() -> None:
    plain, fallback = offer("spa"), offer("news", fallback=True)
    placements = {HERO: Placement(HERO, max_items=3, fallback=fallback.id)}
    book = catalog([plain, fallback], placements=placements, holdout=Holdout("global", 0.3, "policies.yaml:2:10"))
    seen = {}
    for customer in CUSTOMERS:
        decision = decide(asked(customer), book, PRIOR)
        seen[customer] = decision.placements[0].items[0].offer_id
        held = seen[customer] == "news"
        assert decision.assigned == ((Assigned("global", HOLDOUT, plain.id, ""),) if held else ())
        assert dict(decision.ruled_out).get(Code.HELD_OUT, 0) == int(held)
        assert decision.candidates == () if held else len(decision.candidates) == 1
    assert set(seen.values()) == {"spa", "news"}
    forced = decide(asked(CUSTOMERS[0], arms={"global": HOLDOUT}), book, PRIOR)
    assert forced.placements[0].fallback
    verdicts = explain.verdicts(asked(CUSTOMERS[0], arms={"global": HOLDOUT}), book)
    reasons = {each.offer_id: each.reasons for each in verdicts}
    assert [(reason.code, reason.where) for reason in reasons[plain.id]] == [(Code.HELD_OUT, "policies.yaml:2:10")]


# Explained, replayed, logged


def test_the_explanation_says_which_arm_keeps_the_offer_away() -> None:
    book = catalog([tried("cabin", Experiment("price", HALVES, others_see=False))])
    told = {}
    for arm in (HOLDOUT, OTHERS, "deeper"):
        given = asked(CUSTOMERS[0], arms={"price": arm})
        verdict = explain.explain(given, book, decide(given, book, PRIOR))[0]
        told[arm] = [(reason.code, reason.detail) for reason in verdict.reasons]
        if arm == HOLDOUT:
            assert needs(verdict, given, book, Words(ATTRIBUTES)).changes[0].words == "not in the holdout of price"
    assert told == {
        HOLDOUT: [(Code.HELD_OUT, "in the holdout of price")],
        OTHERS: [(Code.NOT_IN_EXPERIMENT, "in no arm of price")],
        "deeper": [(Code.SELECTED, "")],
    }


def test_a_record_has_the_arms_and_replays_to_the_same_bytes() -> None:
    book = catalog([tried("cabin", Experiment("price", HALVES, holdout=0.3)), offer("spa", value=Value(1.0))])
    for customer in CUSTOMERS[:20]:
        given = asked(customer)
        decision = decide(given, book, PRIOR)
        line = encode(record(given, decision, PRIOR.features))
        logged = decode(line)
        assert logged.assigned == decision.assigned
        assert len(logged.assigned) == 1
        assert digest(decide(logged.inputs, book, PRIOR)) == logged.digest


def test_without_experiments_records_and_digests_have_no_word_of_them() -> None:
    book = catalog([offer("spa")])
    given = asked(CUSTOMERS[0])
    decision = decide(given, book, PRIOR)
    assert not book.arms.any
    assert "assigned" not in msgspec.msgpack.decode(msgspec.msgpack.encode(decision))
    assert "assigned" not in msgspec.msgpack.decode(encode(record(given, decision, PRIOR.features)))


# The index


@given(random_offers(), situations(), st.integers(0, 2**30))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_index_and_arms_equal_the_plain_evaluator(found: list[Offer], situation: DecisionInputs, seed: int) -> None:
    check_arms_equal_plain(found, situation, seed)


@pytest.mark.prove
@given(random_offers(), situations(), st.integers(0, 2**30))
@settings(max_examples=3_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_index_and_arms_equal_the_plain_evaluator_in_3000_cases(
    found: list[Offer], situation: DecisionInputs, seed: int
) -> None:
    check_arms_equal_plain(found, situation, seed)


def check_arms_equal_plain(found: list[Offer], situation: DecisionInputs, seed: int) -> None:
    trials = [Experiment(f"e{number}", HALVES, holdout=0.3, others_see=bool(number % 2)) for number in range(3)]
    dressed = [
        each if (seed >> at) % 2 else replace(each, experiment=trials[at % 3], looks=(("deeper", looking(each, 900)),))
        for at, each in enumerate(found)
    ]
    book = catalog(dressed, PLACES)
    unhurried = msgspec.structs.replace(
        situation,
        candidate_limit=4_000,
        request=msgspec.structs.replace(situation.request, customer_id=CustomerId(f"c-{seed}")),
    )
    fitting = take(Candidates(book, unhurried), RULES, unhurried)
    kept = apart(fitting, book.arms, unhurried).kept
    by_index = {(each.offer.id, each.offer.arm, each.subject.key) for each in kept}
    plainly = {
        (each.id, each.arm, about)
        for each in book.offers(unhurried)
        for about in explain.allowed(each, unhurried, book)
    }
    assert by_index == plainly
    assert {each.offer_id for each in explain.verdicts(unhurried, book)} == {each.id for each in found}
    assert bits.count(book.survivors(unhurried)) + Candidates(book, unhurried).index_excluded == len(
        [each for each in found if each.schedule.starts is None or each.schedule.starts <= NOW]
    )
