import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers import bits


@st.composite
def bitmaps(draw: st.DrawFn) -> tuple[int, list[int]]:
    """A size and some positions below it, ascending."""
    size = draw(st.integers(1, 400))
    return size, sorted(draw(st.sets(st.integers(0, size - 1))))


@given(bitmaps())
def test_what_was_set_is_counted_walked_and_selected(made: tuple[int, list[int]]) -> None:
    size, positions = made
    words = bits.of_positions(positions, size)
    assert len(words) == (size + 63) // 64
    assert bits.count(words) == len(positions)
    assert list(bits.every(words)) == positions
    assert bits.select(words, list(range(len(positions)))) == positions
    assert [int(words[p // 64]) >> (p % 64) & 1 for p in range(size)] == [int(p in set(positions)) for p in range(size)]


@given(bitmaps())
def test_flags_and_positions_make_the_same_bitmap(made: tuple[int, list[int]]) -> None:
    size, positions = made
    flags = np.isin(np.arange(size), positions).astype(np.uint8)
    assert bits.of_flags(flags, size).tolist() == bits.of_positions(positions, size).tolist()


def test_flags_beyond_the_size_set_no_padding_bit() -> None:
    words = bits.of_flags(np.ones(200, dtype=np.uint8), 70)
    assert list(bits.every(words)) == list(range(70))


def test_a_position_beyond_the_size_is_refused() -> None:
    with pytest.raises(IndexError):
        bits.of_positions([70], 70)


@given(bitmaps(), st.integers(1, 200))
def test_the_first_are_those_of_them_all(made: tuple[int, list[int]], most: int) -> None:
    size, positions = made
    assert bits.first(bits.of_positions(positions, size), most).tolist() == positions[:most]


@pytest.mark.parametrize("most", [1, 63, 64, 65, 2_048])
def test_the_first_of_many_are_found_whether_dense_or_sparse(most: int) -> None:
    size = 64 * 1_000
    for step in (1, 7, 63, 640):
        positions = list(range(5, size, step))
        assert bits.first(bits.of_positions(positions, size), most).tolist() == positions[:most]


@given(bitmaps())
def test_flags_say_which_bits_are_set(made: tuple[int, list[int]]) -> None:
    size, positions = made
    asked = np.arange(size)
    assert np.flatnonzero(bits.flags(bits.of_positions(positions, size), asked)).tolist() == positions


def test_selecting_by_rank_skips_empty_words() -> None:
    words = bits.of_positions([0, 63, 64, 640, 10_000], 10_001)
    assert bits.select(words, [4, 0, 3]) == [10_000, 0, 640]


def test_nothing_is_a_bitmap_too() -> None:
    assert bits.of_positions([], 0).tolist() == []
    assert bits.count(bits.empty(0)) == 0
    assert list(bits.every(bits.empty(130))) == []
    assert len(bits.empty(64)) == 1
    assert len(bits.empty(65)) == 2
