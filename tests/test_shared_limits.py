"""Limits above one customer: what a decision is given of the totals, what it rules out, and what it leaves alone."""

from collections import Counter
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers import capping
from offers.candidates import Candidates
from offers.decide import decide, record
from offers.engine import Engine
from offers.explain import explain, verdicts
from offers.offer import Budget, Limit, Offer, Window
from offers.proposition import Code, Reason
from offers.replay import replay
from offers.shared_limits import NONE_REACHED, SharedLimits, series_of, split
from offers.situation import Situation, situate
from streams.ids import DecisionId
from streams.instant import DAY_MS, HOUR_MS
from streams.market import EMPTY
from streams.places import NOWHERE
from streams.profile import MaskedProfile
from streams.record import DecisionInputs, decode, encode
from streams.totals import Series, Totals
from tests.catalogs import NOW, catalog, inputs, offer
from tests.deciding import declared, opinionated

TOGETHER = Limit("redeemed", "campaign", "campaign", 3, where="spa.yaml:9:5")
SHOWN = Limit("exposed", "campaign", "campaign", 2, Window("calendar", unit="day", zone="Europe/Rome"), "spa.yaml:10:5")
HOMES = Limit("exposed", "customer.home", "all", 2, Window("rolling", DAY_MS), "spa.yaml:11:5")
SPENT = Limit("redeemed", "campaign", "campaign", 2, where="spa.yaml:12:5", budget=Budget(1_000, 490, "EUR"))
EVER = "redeemed|campaign|c-spa|ever|"


def limited(*limits: Limit, name: str = "spa") -> Offer:
    return offer(name, limits=limits)


def together(**counts: int) -> Totals:
    """Redemptions since ever by campaign."""
    return Totals({f"redeemed|campaign|c-{name}|ever|||": number for name, number in counts.items()})


def reasons(each: Offer, situation: DecisionInputs) -> list[Reason]:
    (verdict,) = verdicts(situation, catalog([each]))
    return list(verdict.reasons)


def allowed(situation: DecisionInputs, *offers: Offer) -> set[str]:
    book = catalog(offers)
    candidates = Candidates(book, situation)
    looked = [candidate for position in candidates.positions() for candidate in candidates.of_offer(int(position))]
    return {each.offer.id for each in looked if capping.rule_out(each, situation) is None}


@pytest.mark.parametrize(
    ("limit", "counters", "reason"),
    [
        (TOGETHER, {EVER: 3}, Reason(Code.USED_UP, "spa.yaml:9:5", "redeemed 3 of at most 3 by everybody")),
        (
            SHOWN, {"exposed|campaign|c-spa|day Europe/Rome|": 5},
            Reason(Code.CAP_SHARED_REACHED, "spa.yaml:10:5", "exposed 5 of at most 2 by everybody"),
        ),
        (
            HOMES, {f"exposed|all||rolling {DAY_MS}|customer.home": 2},
            Reason(
                Code.CAP_SHARED_REACHED, "spa.yaml:11:5",
                "exposed 2 of at most 2 by everybody of the same customer.home",
            ),
        ),
        (
            SPENT, {EVER: 2},
            Reason(Code.BUDGET_SPENT, "spa.yaml:12:5", "9.80 EUR of 10.00 EUR spent, 4.90 EUR each"),
        ),
    ],
)  # fmt: skip
def test_a_total_that_has_reached_a_limit_rules_the_offer_out_and_says_so(
    limit: Limit, counters: dict[str, int], reason: Reason
) -> None:
    spa, bar = limited(limit), offer("bar")
    assert reasons(spa, inputs(counters=counters)) == [reason]
    assert allowed(inputs(counters=counters), spa, bar) == {"bar"}
    one_less = {key: limit.at_most - 1 for key in counters}
    assert allowed(inputs(counters=one_less), spa, bar) == {"spa", "bar"}
    assert allowed(inputs(), spa, bar) == {"spa", "bar"}


def test_a_decision_is_given_what_reached_a_limit_and_nothing_else() -> None:
    asked = catalog([limited(TOGETHER), limited(TOGETHER, name="bar"), offer("deck")]).shared_limits
    reached = asked.reached(together(spa=3, bar=2, deck=99), NOW)
    assert reached.of({}) == {EVER: 3}
    assert asked.reached(together(spa=2, bar=2), NOW) is NONE_REACHED


def test_a_catalog_without_such_limits_asks_for_nothing() -> None:
    asked = catalog([offer("spa", limits=(Limit("exposed", "customer", "offer", 1),))]).shared_limits
    assert not asked
    assert asked.series == ()
    assert asked.reached(together(spa=9), NOW) is NONE_REACHED


def test_a_window_that_ends_gives_the_offer_back() -> None:
    asked = catalog([limited(SHOWN)]).shared_limits
    shown = Totals({"exposed|campaign|c-spa|day Europe/Rome||2026-11-21|": 2})
    assert asked.reached(shown, NOW).of({}) == {"exposed|campaign|c-spa|day Europe/Rome|": 2}
    assert asked.reached(shown, NOW + 5 * HOUR_MS - 1).counters, "23:59:59.999 in Rome"
    assert not asked.reached(shown, NOW + 5 * HOUR_MS).counters


def test_who_shares_a_value_shares_a_limit_and_nobody_else() -> None:
    asked = catalog([limited(HOMES)]).shared_limits
    name = f"exposed|all||rolling {DAY_MS}|customer.home|{NOW // 900_000 // 4}"
    reached = asked.reached(Totals({f"{name}|ITLIV": 2, f"{name}|ITOLB": 1}), NOW)
    assert reached.of({"customer.home": ("ITLIV", NOW)}) == {f"exposed|all||rolling {DAY_MS}|customer.home": 2}
    assert reached.of({"customer.home": ("ITOLB", NOW)}) == {}
    assert reached.of({}) == {}, "of whom nothing is known"


def test_the_mark_changes_when_another_limit_is_reached_and_not_with_every_event() -> None:
    asked = catalog([limited(TOGETHER, replace(TOGETHER, at_most=5)), limited(SHOWN, name="bar")]).shared_limits
    marks = [asked.reached(together(spa=number), NOW).mark for number in range(8)]
    assert len(set(marks)) == 3
    assert marks == [marks[0]] * 3 + [marks[3]] * 2 + [marks[5]] * 3
    assert marks[0] == ""


@given(st.dictionaries(st.sampled_from(["spa", "bar", "deck"]), st.integers(0, 6)), st.integers(1, 5))
def test_what_is_given_decides_as_all_totals_would(counts: dict[str, int], at_most: int) -> None:
    offers = [limited(replace(TOGETHER, at_most=at_most), name=name) for name in ("spa", "bar", "deck")]
    reached = catalog(offers).shared_limits.reached(together(**counts), NOW)
    everything = {f"redeemed|campaign|c-{name}|ever|": number for name, number in counts.items()}
    expected = {each.id for each in offers if counts.get(each.id, 0) < at_most}
    assert allowed(inputs(counters=reached.of({})), *offers) == expected
    assert allowed(inputs(counters=everything), *offers) == expected


def test_limits_of_all_campaigns_are_those_of_each() -> None:
    assert series_of(replace(TOGETHER, of="offer"), offer("spa").facts).key == EVER
    assert series_of(Limit("exposed", "customer.home", "collection", 1), offer("spa").facts) == Series(
        "exposed", "collection", "fares", by="customer.home"
    )
    own, spa = Limit("exposed", "customer", "offer", 1), limited(TOGETHER)
    both = split(replace(spa, limits=(own, TOGETHER)))
    assert (both.limits, both.shared) == ((own,), (TOGETHER,))
    assert SharedLimits((both,)).series == (Series("redeemed", "campaign", "c-spa"),)


def test_a_decision_and_its_replay_know_what_was_reached_then() -> None:
    book, model = catalog([limited(TOGETHER), offer("bar")]), opinionated()
    asked = inputs().request
    found = Situation(
        DecisionId("d-1"), NOW, asked, NOWHERE, MaskedProfile(), EMPTY, 384,
        reached=book.shared_limits.reached(together(spa=7), NOW),
    )  # fmt: skip
    given_inputs = situate(found, book)
    decision = decide(given_inputs, book, model)
    assert dict(decision.ruled_out)[Code.USED_UP] == 1
    line = decode(encode(record(given_inputs, decision, model.features)))
    assert line.inputs.counters == {EVER: 7}
    again = replay(line, Engine(book, model))
    assert again.same_bytes
    told = {verdict.offer_id: [reason.code for reason in verdict.reasons] for verdict in again.verdicts}
    assert told == {"spa": [Code.USED_UP], "bar": [Code.SELECTED]}


def test_a_record_from_before_totals_is_read_as_one_without() -> None:
    book = catalog([limited(TOGETHER)])
    decision = decide(inputs(), book, declared())
    line = msgspec.msgpack.decode(encode(record(inputs(), decision, ("a",))))
    del line["inputs"]["counters"]
    assert decode(msgspec.msgpack.encode(line)).inputs.counters == {}


def test_a_fallback_is_shown_whatever_all_customers_did() -> None:
    fallback = offer("spa", fallback=True, limits=(TOGETHER,))
    (verdict,) = explain(inputs(), catalog([fallback]), decide(inputs(), catalog([fallback]), declared()))
    assert [reason.code for reason in verdict.reasons] == [Code.FALLBACK_ONLY]


def test_a_thousand_limits_are_looked_up_once_for_all_decisions_of_a_quarter_of_an_hour() -> None:
    offers = [limited(TOGETHER, name=f"o{number}") for number in range(1_000)]
    asked, totals = catalog(offers).shared_limits, together(**{f"o{number}": 3 for number in range(0, 1_000, 2)})
    first = asked.reached(totals, NOW)
    assert Counter(first.counters.values()) == {3: 500}
    assert asked.reached(totals, NOW + 1) is first
    assert asked.reached(Totals(totals.counts), NOW) is not first
