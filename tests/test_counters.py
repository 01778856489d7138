"""Counters: the same in any order, bounded, and nothing counted is lost."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.counters import MAX_AGE, MAX_ENTRIES, MAX_TOTALS, Counters, settle

Key = tuple[str, ...]
Address = tuple[int, Key]


def _addresses(random: Random, number: int, span: int) -> list[Address]:
    return [(random.randrange(span), (random.choice("abc"), str(random.randrange(40)))) for _ in range(number)]


def _counted(addresses: list[Address]) -> tuple[dict[Key, dict[int, int]], Counter[Key]]:
    counters: Counters[Key] = Counters({})
    lost: Counter[Key] = Counter()
    for bucket, key in addresses:
        for lost_key, number in counters.add(key, bucket):
            lost[lost_key] += number
    return counters.held, lost


def _expected(addresses: list[Address]) -> tuple[dict[Key, dict[int, int]], Counter[Key]]:
    """The same said plainly, over all addresses at once."""
    counts = Counter(addresses)
    newest = max(bucket for bucket, _ in counts)
    kept = sorted(address for address in counts if address[0] >= newest - MAX_AGE)[-MAX_ENTRIES:]
    counters: dict[Key, dict[int, int]] = {}
    for bucket, key in kept:
        counters.setdefault(key, {})[bucket] = counts[bucket, key]
    lost: Counter[Key] = Counter()
    for (bucket, key), number in counts.items():
        if (bucket, key) not in kept:
            lost[key] += number
    return counters, lost


def _agrees(seed: int, number: int, span: int) -> None:
    random = Random(seed)
    addresses = _addresses(random, number, span)
    expected = _expected(addresses)
    assert _counted(addresses) == expected
    random.shuffle(addresses)
    assert _counted(addresses) == expected


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32),
    st.sampled_from((40, 700)),
    st.sampled_from((30, 2_000, MAX_AGE + 50, 3 * MAX_AGE)),
)
def test_counters_are_the_newest_entries_whatever_the_order(seed: int, number: int, span: int) -> None:
    _agrees(seed, number, span)


@pytest.mark.prove
@settings(max_examples=1_000, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 1_500), st.integers(1, 3 * MAX_AGE))
def test_counters_are_the_newest_entries_whatever_the_order_at_length(seed: int, number: int, span: int) -> None:
    _agrees(seed, number, span)


def test_an_event_older_than_what_fell_out_falls_at_once() -> None:
    held, _ = _counted([(bucket, ("a",)) for bucket in range(1, MAX_ENTRIES + 2)])
    assert min(held["a",]) == 2
    counters = Counters(held)
    assert counters.add(("a",), 1) == [(("a",), 1)]
    assert counters.held == held


def test_what_is_400_days_older_than_the_newest_falls_out() -> None:
    counters: Counters[Key] = Counters({("a",): {0: 2, 1: 3}})
    assert counters.add(("b",), MAX_AGE + 1) == [(("a",), 2)]
    assert counters.held == {("a",): {1: 3}, ("b",): {MAX_AGE + 1: 1}}


def test_adding_leaves_its_input_as_it_is() -> None:
    held: dict[Key, dict[int, int]] = {("a",): {bucket: 1 for bucket in range(MAX_ENTRIES)}}
    counters = Counters(held)
    for key, bucket in ((("a",), 3), (("a",), MAX_ENTRIES), (("b",), 2 * MAX_AGE)):
        counters.add(key, bucket)
        assert held == {("a",): {bucket: 1 for bucket in range(MAX_ENTRIES)}}


def _first(key: Key) -> Key:
    return (key[0], "")


def _same(key: Key) -> Key:
    return key


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32))
def test_totals_are_bounded_and_the_same_whatever_the_order(seed: int) -> None:
    random = Random(seed)
    fallen: list[tuple[Key, int]] = [
        ((random.choice("ab"), f"{random.randrange(800):03}"), random.randrange(1, 4)) for _ in range(1_500)
    ]
    totals: dict[Key, int] = {}
    for each in fallen:
        totals = settle(totals, [each], _same, _first)
    random.shuffle(fallen)
    assert settle({}, fallen, _same, _first) == totals
    assert sum(totals.values()) == sum(number for _, number in fallen)
    named = sorted(key for key in totals if key != _first(key))
    assert named == sorted({key for key, _ in fallen})[-MAX_TOTALS:]


def test_totals_are_kept_under_the_coarse_key() -> None:
    fallen: list[tuple[Key, int]] = [(("a", "x"), 2), (("a", "y"), 3)]
    before: dict[Key, int] = {("a", ""): 1}
    assert settle(before, fallen, _first, _first) == {("a", ""): 6}
