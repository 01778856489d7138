"""A budget: how it is read, what it pays for, and what is left of it."""

from pathlib import Path

import pytest

from offers.budget import Money, money_left
from offers.folder import LoadedFolder
from offers.offer import Budget, Limit, Window
from streams.totals import NONE, Totals
from tests.catalogs import NOW, catalog, offer
from tests.test_campaign import MINIMAL, deployment, folder, offer_of

__all__ = ["deployment", "folder"]
PAID = Limit("redeemed", "campaign", "campaign", 1_020, where="o.yaml:1:9", budget=Budget(500_000, 490, "EUR"))


@pytest.mark.parametrize(
    ("written", "at_most", "budget"),
    [
        ("{amount: 5000 EUR, per: redemption, cost: 4.90 EUR, strict: false}", 1_020, Budget(500_000, 490, "EUR")),
        ("{amount: 5000 EUR, cost: 5000 EUR, strict: false}", 1, Budget(500_000, 500_000, "EUR")),
        ("{amount: 100 JPY, cost: 7 JPY, strict: false}", 14, Budget(100, 7, "JPY")),
    ],
)
def test_a_budget_is_a_limit_of_as_many_as_it_pays_for(
    folder: Path, deployment: LoadedFolder, written: str, at_most: int, budget: Budget
) -> None:
    (limit,) = offer_of(folder, deployment, f"budget: {written}\n{MINIMAL}").limits
    assert limit == Limit("redeemed", "campaign", "campaign", at_most, Window(), "spa.yaml:1:9", budget)


def test_without_a_cost_each_costs_the_discount_of_the_price(folder: Path, deployment: LoadedFolder) -> None:
    price = "price: {amount: 49 EUR, discount: 30 %}\n"
    window = "window: calendar month in Europe/Rome"
    budget = f"budget: {{amount: 500 EUR, per: click, {window}, strict: false}}\n"
    (limit,) = offer_of(folder, deployment, price + budget + MINIMAL).limits
    assert limit == Limit(
        "clicked", "campaign", "campaign", 34, Window("calendar", unit="month", zone="Europe/Rome"), "spa.yaml:2:9",
        Budget(50_000, 1_470, "EUR"),
    )  # fmt: skip


def test_what_is_left_is_told_from_the_events_there_were() -> None:
    spa = offer("spa", limits=(PAID, Limit("exposed", "customer", "offer", 1)))
    redeemed = Totals({"redeemed|campaign|c-spa|ever|||": 20, "redeemed|campaign|c-bar|ever|||": 9})
    (compiled,) = catalog([spa]).layout
    assert money_left(spa, redeemed, NOW) == (Money(PAID, 20, 9_800, 490_200, "EUR"),)
    assert money_left(compiled, redeemed, NOW) == money_left(spa, redeemed, NOW), "in a folder and in a catalog"
    assert money_left(spa, NONE, NOW) == (Money(PAID, 0, 0, 500_000, "EUR"),)
    assert money_left(offer("bar"), redeemed, NOW) == ()


def test_a_soft_budget_that_was_passed_has_nothing_left() -> None:
    passed = Totals({"redeemed|campaign|c-spa|ever|||": 1_030})
    (money,) = money_left(offer("spa", limits=(PAID,)), passed, NOW)
    assert (money.spent, money.left) == (504_700, 0)
