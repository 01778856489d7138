"""Whom the caps are asked for: every offer that a cap or suppression holds back is among them."""

from hypothesis import given
from hypothesis import strategies as st

from offers.candidates import Candidates
from offers.cap_index import NONE_TOUCHED, CapIndex
from offers.capping import limit_reached, reached
from offers.offer import VISIT, Limit, Offer, RelativeTime, Suppression, Window
from streams.instant import DAY_MS, HOUR_MS
from streams.profile import MaskedProfile
from streams.record import Subject
from tests.catalogs import NOW, catalog, inputs, offer
from tests.deciding import candidate, counters, happened

DAILY = Window("rolling", DAY_MS)
SUBJECTS = (Subject(""), Subject("booking:b1"))
limits = st.builds(
    Limit,
    st.sampled_from(["exposed", "clicked"]),
    st.sampled_from(["customer", "booking", "device_class"]),
    st.sampled_from(["offer", "campaign", "collection", "all"]),
    st.integers(1, 3),
    st.sampled_from([Window(), DAILY, Window("calendar", unit="day", zone="Europe/Rome"), Window(VISIT)]),
)
suppressions = st.sampled_from(
    [Suppression("dismissed", for_ms=DAY_MS), Suppression("clicked", until=RelativeTime("sailing.departure", 0))]
)
happenings = st.tuples(
    st.sampled_from(["exposed", "clicked", "dismissed"]),
    st.integers(0, 5),
    st.sampled_from(["", "booking:b1"]),
    st.integers(0, 60),
)


@given(
    st.lists(st.tuples(st.lists(limits, max_size=2), st.lists(suppressions, max_size=1)), min_size=6, max_size=6),
    st.lists(happenings, max_size=12),
    st.booleans(),
)
def test_an_offer_that_was_not_touched_is_held_back_by_nothing(
    rules: list[tuple[list[Limit], list[Suppression]]], events: list[tuple[str, int, str, int]], old: bool
) -> None:
    offers = [
        offer(f"o{n}", limits=tuple(caps), suppress=tuple(suppress), collection="" if n == 5 else f"k{n % 2}")
        for n, (caps, suppress) in enumerate(rules)
    ]
    known = [(happened(event, offers[number], about), NOW - ago * HOUR_MS) for event, number, about, ago in events]
    profile = MaskedProfile(counters=counters(*known), lifetime={known[0][0]: 4} if old and known else {})
    situation = inputs(profile=profile)
    touched = CapIndex(offers).touched(profile, NOW, limit_reached)
    for position, each in enumerate(offers):
        held = [list(reached(candidate(each, situation, subject), situation)) for subject in SUBJECTS]
        assert position in touched or not any(held)


def test_of_many_offers_only_those_that_the_customer_met_are_asked() -> None:
    cap = Limit("exposed", "customer", "offer", 2, DAILY)
    shared = Limit("exposed", "customer", "collection", 2, DAILY)
    offers = [offer(f"o{n:03}", limits=(cap, shared), collection=f"k{n % 10}") for n in range(100)]
    once = MaskedProfile(counters=counters((happened("exposed", offers[7]), NOW)))
    twice = MaskedProfile(counters=counters(*[(happened("exposed", offers[7]), NOW)] * 2))
    index = CapIndex(offers)
    assert [n for n in range(100) if n in index.touched(once, NOW, limit_reached)] == [7]
    assert [n for n in range(100) if n in index.touched(twice, NOW, limit_reached)] == list(range(7, 100, 10))
    assert index.touched(MaskedProfile(), NOW, limit_reached) is NONE_TOUCHED


def test_a_catalog_marks_the_candidates_that_nothing_counts_against() -> None:
    capped: list[Offer] = [offer(name, limits=(Limit("exposed", "customer", "offer", 1, DAILY),)) for name in "ab"]
    book = catalog(capped)
    situation = inputs(profile=MaskedProfile(counters=counters((happened("exposed", capped[0]), NOW))))
    found = Candidates(book, situation)
    [a], [b] = (found.of_offer(position) for position in found.positions())
    assert (a.offer.id, a.uncapped, b.offer.id, b.uncapped) == ("a", False, "b", True)
    assert found.settled(found.positions()).tolist() == [False, True]
