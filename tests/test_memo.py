"""A memo is bounded, and an object that has one is freed as soon as it is let go of."""

import gc
import weakref

from offers.candidates import Candidates
from offers.catalog import Catalog
from streams.memo import Memo
from tests.catalogs import NOW, catalog, inputs, offer
from tests.geography import PLACES


def test_a_full_memo_starts_again() -> None:
    memo: Memo[int, str] = Memo(2)
    made: list[int] = []

    def make(key: int) -> str:
        made.append(key)
        return str(key)

    assert [memo.get(key, lambda key=key: make(key)) for key in (1, 2, 1, 2, 3, 1)] == list("121231")  # type: ignore[misc]
    assert made == [1, 2, 3, 1]


def test_a_catalog_that_answered_is_gone_once_it_is_let_go_of() -> None:
    def answered() -> "weakref.ref[Catalog]":
        book = catalog([offer("a"), offer("b")], PLACES)
        found = Candidates(book, inputs())
        assert [found.of_offer(position)[0].offer.id for position in found.positions()] == ["a", "b"]
        assert book.active_seasons({}, NOW)[0] == ()
        return weakref.ref(book)

    gc.collect()
    gc.disable()
    try:
        assert answered()() is None, "without the collector's help"
    finally:
        gc.enable()
