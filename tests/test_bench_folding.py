"""The bench of the fold: the world's mix as a service gets it, and what one process makes of it."""

from collections import Counter

import pytest

from loadtests.bench.folding import STAGES, measure_folding
from loadtests.bench.stand_in import Kept, multiplied, told_by_the_world
from streams.events import parse
from tests.makers import NOW

DEMO = {
    "offer.exposed": 0.532, "customer.location": 0.122, "customer.profile": 0.090, "customer.booking": 0.060,
    "offer.clicked": 0.037, "customer.preferences": 0.033, "customer.consent": 0.033, "customer.device": 0.033,
    "customer.social": 0.031, "offer.dismissed": 0.015, "offer.redeemed": 0.014,
}  # fmt: skip
"""Shares in the log of a demo of 2,000 people, without what the consumer appends to it."""


@pytest.fixture(scope="module")
def told() -> Kept:
    return told_by_the_world(3, 120, NOW)


def test_the_world_s_events_are_in_the_demo_s_proportions(told: Kept) -> None:
    found = Counter(parse(entry.value).type for entry in (*told.customers, *told.locations))
    assert found.keys() == DEMO.keys()
    for kind, share in DEMO.items():
        assert found[kind] / found.total() == pytest.approx(share, abs=0.03), kind


def test_a_crowd_s_events_stay_in_order_and_are_nobody_else_s(told: Kept) -> None:
    crowds = multiplied(told.customers, 3)
    assert len(crowds) == 3 * len(told.customers)
    recorded = [entry.recorded or 0 for entry in crowds]
    assert recorded == sorted(recorded)
    first = [entry for entry in crowds if entry.key == "c-100007"]
    same = [entry for entry in told.customers if entry.key == "c-00007"]
    assert [entry.value.replace(b"c-1", b"c-") for entry in first] == [entry.value for entry in same]
    assert {parse(entry.value).subject for entry in crowds} == {entry.key for entry in crowds}


def test_one_process_folds_everything_and_says_what_it_cost() -> None:
    found = measure_folding(people=40, crowds=2, log="sqlite")
    kept = told_by_the_world(3, 40, 1_795_284_251_000)
    assert found.log == "SQLite"
    assert found.locations == 2 * len(kept.locations)
    assert found.events >= 2 * (len(kept.customers) + len(kept.locations)), "friends are told besides"
    assert tuple(found.stages) == STAGES
    assert all(cpu_us > 0 for cpu_us in found.stages.values())
    assert sum(found.stages.values()) <= found.cpu_us * 1.05
