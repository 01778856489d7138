"""What would have to change: every code has words, and the single change is one that does it."""

from typing import Any

import pytest

from offers.changes import ALLOWED, ASIDE, DONE, Needs, needs
from offers.condition import All, AnyOf, Leaf, Op
from offers.condition_words import Words
from offers.decide import decide
from offers.explain import explain
from offers.offer import Limit, Offer, Placement, RelativeTime, Schedule, Selector, Suppression, Window
from offers.proposition import Code
from streams.ids import OfferId, PlacementId
from streams.instant import DAY_MS, HOUR_MS
from streams.profile import MaskedProfile
from streams.record import Subject
from tests.catalogs import HERO, NOW, catalog, inputs, offer
from tests.deciding import counters, declared, happened
from tests.geography import PLACES
from tests.test_explain import CASES, explained

CARD = PlacementId("app.trip.card")
BOOKINGS = Selector("booking")
DEPARTURE = "sailing.departure"
GOLD, YOUNG = Leaf("customer.tier", Op.IN, ("gold",)), Leaf("customer.age", Op.RANGE, high=26.0)
NO_ONE_CHANGE = {"PLACEMENT_NOT_ASKED", "NO_SUBJECT"}


def needed(each: Offer, **situation: Any) -> Needs:
    """What one offer alone needs."""
    book = catalog([each], PLACES, placements={HERO: Placement(HERO), CARD: Placement(CARD)})
    given = inputs(**situation)
    (verdict,) = explain(given, book, decide(given, book, declared()))
    return needs(verdict, given, book, Words(book.attributes))


@pytest.mark.parametrize("code", CASES)
def test_every_code_has_words_and_one_reason_is_one_change(code: str) -> None:
    made, before, after = CASES[code]
    found = needed(offer("o", **made), **before)
    (change,) = found.changes
    assert (change.code, bool(change.words), change.words != code) == (code, True, True)
    assert (found.single is None) == (code in NO_ONE_CHANGE)
    changed = needed(offer("o", **made), **after)
    assert (changed.shown, changed.changes) == (True, ())


def test_codes_are_told_as_what_would_have_to_be() -> None:
    exposed = Limit("exposed", "customer", "offer", 1, Window("rolling", DAY_MS), where="o.yaml:9:5")
    met = MaskedProfile(counters=counters((happened("exposed", offer("o")), NOW)))
    gone = MaskedProfile(counters=counters((happened("dismissed", offer("o")), NOW - HOUR_MS)))
    told: dict[str, tuple[Offer, dict[str, Any]]] = {
        "exposed fewer than 1 times in 1 d (exposed 1 of at most 1)": (offer("o", limits=(exposed,)), {"profile": met}),
        "not dismissed before": (offer("o", suppress=(Suppression("dismissed", DAY_MS),)), {"profile": gone}),
        "an open booking": (offer("o", about=BOOKINGS), {"subjects": {BOOKINGS.key: ()}}),
        "in summer or winter on Sat, Sun 09:00 to 18:30 Europe/Rome": (
            offer("o", schedule=Schedule("Europe/Rome", days=(6, 7), hours=(540, 1110), seasons=("summer", "winter"))),
            {},
        ),
        "18:00 to 20:00 (it is Sun 22 Nov 2026 03:00 in Asia/Tokyo)": (
            offer("o", schedule=Schedule(hours=(1080, 1200), local="customer")),
            {"context": {"context.zone": ("Asia/Tokyo", NOW)}},
        ),
        "all it needs to be told (context.zone or customer.zone is not known)": (
            offer("o", schedule=Schedule(hours=(1080, 1200), local="customer")),
            {},
        ),
        "from Sat 21 Nov 2026 18:30, 2 d before sailing.departure": (
            offer("o", about=BOOKINGS, schedule=Schedule(starts_relative=RelativeTime(DEPARTURE, -2 * DAY_MS))),
            {"subjects": {BOOKINGS.key: (Subject("booking:b", {DEPARTURE: (NOW + 2 * DAY_MS + HOUR_MS // 2, NOW)}),)}},
        ),
    }
    assert {
        words: [change.words for change in needed(each, **given).changes] for words, (each, given) in told.items()
    } == {words: [words] for words in told}


def test_two_changes_are_no_single_one_and_neither_is_a_choice_of_pairs() -> None:
    facts = {"customer.tier": ("blue", NOW), "customer.age": (40, NOW)}
    two = needed(offer("o", eligibility=All((GOLD, YOUNG))), facts=facts)
    assert ([change.words for change in two.changes], two.single) == (
        ["customer.tier gold (is blue)", "customer.age at most 26 (is 40)"], None,
    )  # fmt: skip
    either = needed(offer("o", eligibility=AnyOf((GOLD, YOUNG))), facts=facts)
    assert either.single is not None
    assert either.single.words == "customer.tier gold (is blue), or customer.age at most 26 (is 40)"
    pairs = needed(offer("o", eligibility=AnyOf((All((GOLD, YOUNG)),))), facts=facts)
    assert ([change.alone for change in pairs.changes], pairs.single) == ([False], None)


def test_of_several_bookings_the_nearest_is_told() -> None:
    seat = Leaf("booking.accommodation", Op.IN, ("seat",))
    subjects = {
        BOOKINGS.key: (
            Subject("booking:b1", {"booking.accommodation": ("deck", NOW)}),
            Subject("booking:b2", {"booking.accommodation": ("suite", NOW)}),
        )
    }
    found = needed(offer("o", about=BOOKINGS, eligibility=seat), subjects=subjects)
    assert (found.verdict.about, found.changes[0].words) == ("booking:b1", "booking.accommodation seat (is deck)")


def test_what_is_shown_and_what_came_second_need_nothing() -> None:
    book = catalog([offer("a"), offer("b")], PLACES, placements={HERO: Placement(HERO, max_items=1)})
    given = inputs()
    decision = decide(given, book, declared())
    found = {
        verdict.offer_id: needs(verdict, given, book, Words(book.attributes))
        for verdict in explain(given, book, decision)
    }
    assert [(each.shown, each.outranked, each.changes) for each in found.values()] == [
        (True, False, ()), (False, True, ()),
    ]  # fmt: skip
    assert explained(book, given) == {OfferId("a"): [Code.SELECTED], OfferId("b"): [Code.OUTRANKED]}


def test_the_groups_of_codes_do_not_overlap() -> None:
    assert not DONE & ALLOWED and not DONE & ASIDE and not ALLOWED & ASIDE
