"""Coverage: which conditions were seen to hold and to fail, and which never."""

from offers.condition import All, AnyOf, Leaf, Op
from offers.coverage import Covered, coverage, page
from offers.offer import Selector
from streams.record import FactDict, Subject
from tests.catalogs import NOW, catalog, inputs, offer
from tests.geography import PLACES

BOOKINGS = Selector("booking")
GOLD = Leaf("customer.tier", Op.IN, ("gold",), where="o.yaml:4:5")
YOUNG = Leaf("customer.age", Op.RANGE, high=26.0, where="o.yaml:12:5")
SEAT = Leaf("booking.accommodation", Op.IN, ("seat",), where="o.yaml:13:5")
BOOK = catalog([offer("o", about=BOOKINGS, eligibility=All((YOUNG, AnyOf((GOLD, SEAT)))))], PLACES)
GOLD_MEMBER: FactDict = {"customer.tier": ("gold", NOW), "customer.age": (20, NOW)}


def seen(*words: tuple[str, str, bool, bool]) -> tuple[Covered, ...]:
    return tuple(Covered(BOOK.layout[0].id, f"o.yaml:{at}:5", text, held, failed) for at, text, held, failed in words)


def test_without_any_test_nothing_was_seen() -> None:
    found = coverage(BOOK, [])
    assert (found.percent, len(found.never_true), len(found.never_false)) == (0.0, 3, 3)


def test_a_condition_on_a_subject_is_not_seen_where_there_is_none() -> None:
    found = coverage(BOOK, [inputs(GOLD_MEMBER, subjects={BOOKINGS.key: ()})])
    assert found.conditions == seen(
        ("4", "customer.tier gold", True, False),
        ("12", "customer.age at most 26", True, False),
        ("13", "booking.accommodation seat", False, False),
    )


def test_every_subject_counts_and_alternatives_count_each() -> None:
    both = {
        BOOKINGS.key: tuple(
            Subject(f"booking:{kind}", {"booking.accommodation": (kind, NOW)}) for kind in ("seat", "deck")
        )
    }
    old: FactDict = {"customer.tier": ("blue", NOW), "customer.age": (60, NOW)}
    found = coverage(BOOK, [inputs(GOLD_MEMBER, subjects=both), inputs(old, subjects=both)])
    assert found.percent == 100.0
    assert list(page(found)) == ["100.0 % of what 3 conditions can do was seen"]
    half = coverage(BOOK, [inputs(GOLD_MEMBER, subjects=both)])
    assert list(page(half)) == [
        "o.yaml:4:5: never false: customer.tier gold",
        "o.yaml:12:5: never false: customer.age at most 26",
        "66.7 % of what 3 conditions can do was seen",
    ]
