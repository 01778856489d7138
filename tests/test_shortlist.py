"""Which candidates are looked at: all while there are few, then a share that gives every one its chance (idea 10)."""

from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest

from offers.candidates import Candidates
from offers.catalog import Catalog
from offers.condition import Leaf, Op
from offers.offer import Limit, Selector, Value, Window
from offers.proposition import Candidate, Code, Reason, Screening
from offers.shortlist import draw, take
from streams.ids import DecisionId
from streams.profile import MaskedProfile
from streams.record import DecisionInputs, Subject
from tests.catalogs import NOW, catalog, inputs, offer, representation
from tests.deciding import counters, happened

Rule = Callable[[Candidate, DecisionInputs], Reason | None]
SHARED = representation(("it",))
ELSEWHERE = Leaf("customer.home", Op.IN, ("ITOLB",))
LOOSE = Limit("exposed", "booking", "all", 9, Window())
"""Counts apart for each booking, so whoever stands under it has to be asked once the customer has seen anything."""
SEEN = MaskedProfile(counters=counters((happened("exposed", offer("seen")), NOW)))


@cache
def book(size: int) -> Catalog:
    """Offers o00000, o00001, ... in this layout, all alike."""
    return catalog(offer(f"o{n:05}", representation=SHARED, limits=(LOOSE,)) for n in range(size))


def number(candidate: Candidate) -> int:
    return int(candidate.offer.id[1:])


def anyone(candidate: Candidate, given: DecisionInputs) -> Reason | None:
    return None


def one_in(share: int) -> Rule:
    """A rule that allows every `share`-th offer."""
    return lambda candidate, given: None if number(candidate) % share == 0 else Reason(Code.ELIGIBILITY_FAILED)


def looked(size: int, rule: Rule = anyone, limit: int = 384, seed: str = "d-1") -> tuple[Screening, list[int]]:
    """The screening, and the offers that were looked at in their order."""
    seen: list[int] = []

    def watching(candidate: Candidate, given: DecisionInputs) -> Reason | None:
        seen.append(number(candidate))
        return rule(candidate, given)

    asked = inputs(decision_id=DecisionId(seed), candidate_limit=limit, profile=SEEN)
    return take(Candidates(book(size), asked), (watching,), asked), seen


@pytest.mark.parametrize("size", [0, 1, 511, 512])
def test_while_there_are_few_every_one_is_looked_at(size: int) -> None:
    found, seen = looked(size)
    assert seen == list(range(size))
    assert [number(each) for each in found.kept] == seen
    assert {each.inclusion for each in found.kept} <= {1.0}
    assert found.ruled_out == ()


def test_with_one_more_the_first_384_and_a_draw_of_the_rest_are_looked_at() -> None:
    found, seen = looked(513)
    assert seen[:384] == list(range(384))
    assert len(seen) == 384 + 128
    assert len(set(seen)) == len(seen), "nothing twice"
    assert all(number >= 384 for number in seen[384:])
    assert [each.inclusion for each in found.kept] == [1.0] * 384 + [128 / 129] * 128
    assert dict(found.ruled_out) == {Code.BEYOND_CANDIDATE_LIMIT: 1}


def test_looking_goes_on_until_384_are_allowed() -> None:
    found, seen = looked(3_000, one_in(3))
    in_order = 383 * 3 + 1
    assert seen[:in_order] == list(range(in_order)), "the 384th that is allowed is the last in order"
    drawn = seen[in_order:]
    assert len(drawn) == 128
    kept = 384 + sum(number % 3 == 0 for number in drawn)
    assert len(found.kept) == kept
    assert dict(found.ruled_out) == {
        Code.ELIGIBILITY_FAILED: in_order + 128 - kept,
        Code.BEYOND_CANDIDATE_LIMIT: 3_000 - in_order - 128,
    }
    assert found.kept[-1].inclusion == 128 / (3_000 - in_order)


def test_after_2048_looking_in_order_ends() -> None:
    found, seen = looked(3_000, one_in(10))
    assert seen[:2_048] == list(range(2_048))
    assert len(seen) == 2_048 + 128
    assert dict(found.ruled_out)[Code.BEYOND_CANDIDATE_LIMIT] == 3_000 - 2_048 - 128
    assert {each.inclusion for each in found.kept} == {1.0, 128 / (3_000 - 2_048)}


def test_a_rest_of_at_most_128_is_looked_at_whole() -> None:
    found, seen = looked(2_048 + 100, one_in(100))
    assert seen == list(range(2_148))
    assert {each.inclusion for each in found.kept} == {1.0}
    assert Code.BEYOND_CANDIDATE_LIMIT not in dict(found.ruled_out)


def test_a_short_deadline_looks_at_fewer() -> None:
    found, seen = looked(100, limit=10)
    assert seen[:10] == list(range(10))
    assert len(seen) == 13
    assert dict(found.ruled_out) == {Code.BEYOND_CANDIDATE_LIMIT: 87}
    assert [each.inclusion for each in found.kept[10:]] == [3 / 90] * 3


@pytest.mark.parametrize(("limit", "scored"), [(3, 4), (75, 100), (384, 512), (1_536, 2_048)])
def test_a_quarter_of_what_is_scored_is_drawn(limit: int, scored: int) -> None:
    assert len(looked(scored, limit=limit)[0].kept) == scored, "all of so many"
    found, seen = looked(3_000, limit=limit)
    assert len(seen) == len(set(seen)) == len(found.kept) == scored
    assert sum(each.inclusion == 1.0 for each in found.kept) == limit


def test_without_any_time_nothing_is_looked_at() -> None:
    found, seen = looked(700, limit=0)
    assert (found.kept, seen) == ((), [])
    assert found.ruled_out == ((Code.DEADLINE_EXCEEDED, 700),)


def test_what_the_index_excluded_is_counted_and_not_looked_at() -> None:
    offers = [offer(f"o{n:05}", eligibility=ELSEWHERE, representation=SHARED) for n in range(30)]
    mixed = catalog([*offers, offer("o99999", representation=SHARED)])
    asked = inputs({"customer.home": ("ITLIV", NOW)})
    found = take(Candidates(mixed, asked), (anyone,), asked)
    assert [each.offer.id for each in found.kept] == ["o99999"]
    assert found.ruled_out == ((Code.INDEX_EXCLUDED, 30),)


def test_an_offer_counts_once_however_many_subjects_it_has() -> None:
    bookings = Selector("booking")
    upgrade = offer("upgrade", about=bookings, limits=(LOOSE,))
    none = offer("none", about=Selector("venue", "here"))
    subjects = {bookings.key: tuple(Subject(f"booking:b{n}") for n in range(3))}
    asked = inputs(subjects=subjects, profile=SEEN)
    codes = {"booking:b0": Code.CAP_BOOKING_REACHED, "booking:b1": Code.SUPPRESSED, "booking:b2": None}

    def per_subject(candidate: Candidate, given: DecisionInputs) -> Reason | None:
        code = codes[candidate.subject.key]
        return None if code is None else Reason(code)

    some = take(Candidates(catalog([upgrade, none]), asked), (per_subject,), asked)
    assert [each.subject.key for each in some.kept] == ["booking:b2"]
    assert some.ruled_out == ((Code.NO_SUBJECT, 1),)
    codes["booking:b2"] = Code.PRICE_UNKNOWN
    nothing = take(Candidates(catalog([upgrade, none]), asked), (per_subject,), asked)
    assert nothing.ruled_out == ((Code.CAP_BOOKING_REACHED, 1), (Code.NO_SUBJECT, 1)), "the first subject's reason"


def test_the_first_rule_against_it_gives_the_reason() -> None:
    asked = inputs(profile=SEEN)
    calls: list[str] = []

    def first(candidate: Candidate, given: DecisionInputs) -> Reason | None:
        calls.append("first")
        return Reason(Code.SUITABILITY_FAILED)

    def second(candidate: Candidate, given: DecisionInputs) -> Reason | None:
        calls.append("second")
        return Reason(Code.SUPPRESSED)

    found = take(Candidates(book(1), asked), (first, second), asked)
    assert (found.ruled_out, calls) == (((Code.SUITABILITY_FAILED, 1),), ["first"])


def test_looking_follows_the_layout_by_worth() -> None:
    worths = [3.0, 9.0, 1.0]
    ranked = catalog(offer(f"o{n}", value=Value(worth), representation=SHARED) for n, worth in enumerate(worths))
    asked = inputs()
    assert [each.offer.id for each in take(Candidates(ranked, asked), (anyone,), asked).kept] == ["o1", "o0", "o2"]


def test_a_draw_is_distinct_ascending_and_repeatable() -> None:
    for among, most in ((129, 128), (1_000, 128), (100_000, 128), (7, 3)):
        found = draw("d-7", among, most)
        assert found == sorted(set(found)) == draw("d-7", among, most)
        assert len(found) == most
        assert 0 <= found[0] and found[-1] < among
    assert draw("d-7", 1_000, 128) != draw("d-8", 1_000, 128)
    assert draw("d-7", 5, 128) == [0, 1, 2, 3, 4]
    assert draw("d-7", 0, 128) == []


def test_every_rank_is_drawn_as_often_as_it_says() -> None:
    among, most, rounds = 40, 9, 6_000
    drawn = Counter(rank for seed in range(rounds) for rank in draw(f"d-{seed}", among, most))
    expected = rounds * most / among
    sigma = (rounds * (most / among) * (1 - most / among)) ** 0.5
    assert set(drawn) == set(range(among))
    assert max(abs(times - expected) for times in drawn.values()) < 4.5 * sigma
    pairs = Counter(pair for seed in range(rounds) for pair in _neighbours(draw(f"d-{seed}", among, most)))
    both = rounds * most * (most - 1) / (among * (among - 1))
    assert max(abs(pairs[n] - both) for n in range(among - 1)) < 4.5 * both**0.5, "and no pair is favoured"


def _neighbours(ranks: list[int]) -> list[int]:
    return [rank for rank in ranks if rank + 1 in ranks]


def test_what_was_included_by_chance_says_with_which() -> None:
    times: Counter[int] = Counter()
    rounds = 150
    for seed in range(rounds):
        found, _ = looked(700, seed=f"d-{seed}")
        times.update(number(each) for each in found.kept)
        assert {each.inclusion for each in found.kept if number(each) >= 384} == {128 / 316}
    assert all(times[n] == rounds for n in range(384))
    share = sum(times[n] for n in range(384, 700)) / (316 * rounds)
    assert share == pytest.approx(128 / 316)
