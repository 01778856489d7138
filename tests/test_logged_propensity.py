"""The logged propensity, by simulation: every whole answer comes as often as its logged probabilities say.

The product of what one answer logs, over its items in order, is the probability of that answer. On a fixed situation
the answers are counted over many decisions and compared by a chi-square; cells below 5 expected are pooled. With S
slates each is tested at LEVEL / S (Bonferroni), so that all of them together fail by chance once in a million runs.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache
from math import prod, sqrt
from random import Random

import numpy as np
import pytest
from scipy.stats import chi2

from offers.arbitration import fill
from offers.catalog import Catalog
from offers.decide import choose, decide, record
from offers.offer import Limit, Offer, Placement, Selector, Stacking, Window
from offers.proposition import Scored, Slate
from scoring.features import Propensity
from streams.ids import DecisionId, PlacementId
from streams.instant import DAY_MS
from streams.record import DecisionInputs, PlacementRequest, Subject, decode, encode
from tests.catalogs import HERO, catalog, inputs, offer, representation
from tests.deciding import candidate, declared

CARD = PlacementId("app.trip.card")
SUBJECTS = [Subject(f"booking:b{number}", about={"booking_id": f"b{number}"}) for number in range(3)]
LIMITS = [
    Limit("exposed", "customer", "all", 3, Window("rolling", DAY_MS)),
    Limit("exposed", "customer", "collection", 1, Window("rolling", DAY_MS)),
    Limit("exposed", "booking", "all", 1, Window("rolling", DAY_MS)),
]
STACKINGS = [None, None, Stacking("cabins"), Stacking(tags=("discount",)), Stacking(not_with=("discount",))]
LEVEL = 1e-6
Answer = tuple[tuple[str, ...], ...]
"""Of each placement the items in order, `offer about`."""
Decide = Callable[[DecisionId], tuple[Slate, ...]]


def random_pool(random: Random) -> list[Scored]:
    """Two to five offers about one to three bookings, many with the same score, with caps, groups and tags."""
    pool = []
    for number in range(random.randint(2, 5)):
        each = offer(
            f"o{number}",
            placements=random.choice([(HERO,), (HERO, CARD), (HERO, CARD)]),
            collection=random.choice(["fares", "spa"]),
            limits=tuple(random.sample(LIMITS, random.randint(0, 2))),
            stacking=random.choice(STACKINGS),
        )
        for subject in random.sample(SUBJECTS, random.randint(1, 2)):
            score = random.choice([0.0, 1.0, 2.0, 2.0, random.uniform(-1, 5)])
            pool.append(Scored(candidate(each, inputs(), subject), score, 1.0, score, np.empty((1, 0)), 0))
    return sorted(pool, key=lambda each: (-each.rank_score, each.candidate.offer.id, each.candidate.subject.key))


def random_slates(random: Random) -> Decide:
    """One or two placements, exploring or not, capped or not, over a random pool."""
    pool, asked = random_pool(random), []
    for name in random.choice([(HERO,), (HERO, CARD), (CARD, HERO)]):
        strength, costs = random.choice([0.0, 0.3, 0.7, 1.0]), random.choice([1.0, 1.0, 0.05])
        asked.append((name, Placement(name, explore=strength, explore_costs_at_most=costs), random.randint(1, 2)))
    return lambda decision_id: fill(asked, pool, inputs(decision_id=decision_id))


def counted(decided: Decide, rounds: int) -> tuple[Counter[Answer], Mapping[Answer, float]]:
    """How often each answer came, and its logged probability, the same every time."""
    times: Counter[Answer] = Counter()
    chances: dict[Answer, float] = {}
    for number in range(rounds):
        slates = decided(DecisionId(f"d-{number}"))
        answer = tuple(
            tuple(f"{slot.candidate.offer.id} {slot.candidate.subject.key}" for slot in slate.slots) for slate in slates
        )
        chance = prod(slot.propensity or 0.0 for slate in slates for slot in slate.slots)
        assert chances.setdefault(answer, chance) == chance, "the same answer always has the same probability"
        times[answer] += 1
    return times, chances


def surprise(times: Counter[Answer], chances: Mapping[Answer, float], rounds: int) -> float:
    """The p-value of the counts: chi-square over the answers; those expected less than 5 times are one cell."""
    cells = [(times[answer], rounds * chance) for answer, chance in chances.items()]
    large = [cell for cell in cells if cell[1] >= 5]
    came, expected = rounds - sum(cell[0] for cell in large), rounds - sum(cell[1] for cell in large)
    assert expected > -1e-6 * rounds, "probabilities of different answers add up to no more than 1"
    if expected >= 5:
        large.append((came, expected))
    elif came:  # Markov's bound where a chi-square does not hold
        assert came <= 50 + 20 * expected
    statistic = sum((found - wanted) ** 2 / wanted for found, wanted in large)
    return float(chi2.sf(statistic, len(large) - 1)) if len(large) > 1 else 1.0


def check_slates(slates: int, rounds: int) -> tuple[int, float]:
    """(different answers over all slates, the smallest p-value)"""
    answers, least = 0, 1.0
    for number in range(slates):
        times, chances = counted(random_slates(Random(number)), rounds)
        answers += len(times)
        least = min(least, surprise(times, chances, rounds))
    assert least > LEVEL / slates
    return answers, least


def test_every_answer_of_random_slates_comes_as_often_as_is_logged() -> None:
    answers, _ = check_slates(slates=20, rounds=600)
    assert answers > 100, "something was explored"


@pytest.mark.prove
def test_every_answer_of_many_random_slates_comes_as_often_as_is_logged(
    record_property: Callable[[str, object], None],
) -> None:
    slates, rounds = 250, 4_000
    answers, least = check_slates(slates, rounds)
    record_property("with", f"{slates} slates x {rounds:,} decisions, {answers:,} answers, least p {least:.1e}")


MEANS = {f"o{number}": 0.05 + 0.01 * (number * 7 % 10) for number in range(10)}


@cache
def beyond() -> tuple[Catalog, Propensity, Propensity]:
    """Ten offers of which six are looked at in order and two of the others by chance; alike, and not alike."""
    shared = representation(("it",))
    offers = [offer(f"o{number}", representation=shared) for number in range(10)]
    placements = {HERO: Placement(HERO, max_items=3, explore=1.0)}
    return catalog(offers, placements=placements), declared(), declared(MEANS)


def asked(decision_id: DecisionId, items: int) -> DecisionInputs:
    request = inputs(asked=(PlacementRequest(HERO, items),)).request
    return inputs(decision_id=decision_id, candidate_limit=6, request=request)


def check_beyond(rounds: int) -> float:
    """The p-value over pairs of two ranks, of offers alike: then an answer's probability is the same in every draw."""
    book, alike, _ = beyond()
    times, chances = counted(lambda name: choose(asked(name, 2), book, alike)[2], rounds)
    drawn = {f"o{number} " for number in range(6, 10)}
    both = [answer for answer in chances if set(answer[0]) <= drawn]
    assert len(both) == 12, "every order of two that were both drawn"
    assert sum(chances[answer] for answer in both) == pytest.approx(2 / 56), "both drawn ones of eight, in either order"
    assert len(chances) == 90
    assert sum(chances.values()) == pytest.approx(1.0)
    least = surprise(times, chances, rounds)
    assert least > LEVEL
    return least


def test_two_that_were_both_looked_at_by_chance_are_logged_with_the_chance_of_both() -> None:
    check_beyond(3_000)


@pytest.mark.prove
def test_two_that_were_both_looked_at_by_chance_come_as_often_as_is_logged(
    record_property: Callable[[str, object], None],
) -> None:
    rounds = 40_000
    record_property(
        "with", f"{rounds:,} decisions over 10 offers of which 8 are looked at, p {check_beyond(rounds):.2f}"
    )


def check_weights(rounds: int) -> float:
    """The largest z of the means of 1 / probability, over every pair of two ranks, of offers that are not alike.

    What else was drawn changes the chances then, so an answer has a probability of its own in every draw. What
    off-policy estimates rest on is that the weights of every answer are 1 on average.
    """
    book, _, unlike = beyond()
    sums: dict[tuple[str, ...], tuple[float, float]] = {}
    for number in range(rounds):
        slots = choose(asked(DecisionId(f"d-{number}"), 2), book, unlike)[2][0].slots
        weight = 1 / prod(slot.propensity or 0.0 for slot in slots)
        names = tuple(slot.candidate.offer.id for slot in slots)
        for key in (names, names[:1]):
            mine = 1 / (slots[0].propensity or 0.0) if len(key) == 1 else weight
            first, second = sums.get(key, (0.0, 0.0))
            sums[key] = first + mine, second + mine * mine
    assert len(sums) == 90 + 10
    worst = max(
        abs(first / rounds - 1) / sqrt((second / rounds - (first / rounds) ** 2) / rounds)
        for first, second in sums.values()
    )
    assert worst < 5.7, "a normal deviate of 100 cells at a level of 1e-6 together"
    return worst


@pytest.mark.prove
def test_weights_made_of_what_is_logged_are_one_on_average_for_every_answer(
    record_property: Callable[[str, object], None],
) -> None:
    rounds = 60_000
    record_property("with", f"{rounds:,} decisions, 100 answers, largest z {check_weights(rounds):.1f} of 5.7")


def test_the_record_logs_what_was_chosen_by() -> None:
    book, _, unlike = beyond()
    for number in range(40):
        given = asked(DecisionId(f"d-{number}"), 3)
        slots = choose(given, book, unlike)[2][0].slots
        shown = decode(encode(record(given, decide(given, book, unlike), unlike.features))).shown
        assert [item.propensity for item in shown] == [slot.propensity for slot in slots]


def alike(offers: int) -> list[Offer]:
    return [offer(f"o{number}", about=Selector("booking")) for number in range(offers)]


def test_an_offer_about_two_things_is_logged_with_the_chance_of_the_pair() -> None:
    pool = [
        Scored(candidate(each, inputs(), subject), 1.0, 1.0, 1.0, np.empty((1, 0)), 0)
        for each in alike(2)
        for subject in SUBJECTS[:2]
    ]
    asked_of = [(HERO, Placement(HERO, explore=1.0), 2)]
    times, chances = counted(lambda name: fill(asked_of, pool, inputs(decision_id=name)), 2_000)
    assert len(chances) == 8, "four pairs, then the two of the other offer"
    assert set(chances.values()) == {0.25 * 0.5}
    assert surprise(times, chances, 2_000) > LEVEL
