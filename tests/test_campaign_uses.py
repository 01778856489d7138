"""What an offer uses up: ruled out where the market says too little is left, kept where it says nothing."""

from pathlib import Path

import pytest

from offers.condition import All, Leaf, Op, leaves
from offers.explain import verdicts
from offers.folder import LoadedFolder
from offers.offer import Selector
from offers.proposition import Code
from streams.instant import HOUR_MS, MINUTE_MS
from streams.record import FactDict, Subject
from tests.catalogs import NOW, catalog, inputs, offer
from tests.test_campaign import MINIMAL, deployment, folder, offer_of

__all__ = ["deployment", "folder"]
BOOKINGS = Selector("booking")
TWO = Leaf(
    "market.cabins_free.inside", Op.RANGE, low=2, on_missing=True, fresh_ms=HOUR_MS, where="o.yaml:5:8",
    text="uses.cabins: 2 inside",
)  # fmt: skip


def test_uses_is_read_as_enough_being_left(folder: Path, deployment: LoadedFolder) -> None:
    about = MINIMAL.replace("offer: {", "offer: {about: booking, ")
    uses = "uses: {cabins: {kind: inside, quantity: 2, fresh_within: 15 min, strict: false}}\n"
    found = offer_of(folder, deployment, uses + about)
    assert found.stock == All(
        (
            Leaf(
                "market.cabins_free.inside", Op.RANGE, low=2, on_missing=True, fresh_ms=15 * MINUTE_MS,
                where="spa.yaml:1:16", text="uses.cabins: 2 inside",
            ),
        )
    )  # fmt: skip
    whole = "uses: {strict: false, cabins: {kind: inside}}\n"
    read = offer_of(folder, deployment, whole + about).stock
    assert [(leaf.low, leaf.text) for leaf in leaves(read)] == [(1, "uses.cabins: 1 inside")]


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        ({"market.cabins_free.inside": (2, NOW)}, Code.SELECTED),
        ({"market.cabins_free.inside": (1, NOW)}, Code.STOCK),
        ({"market.cabins_free.inside": (0, NOW - HOUR_MS)}, Code.STOCK),
        ({"market.cabins_free.inside": (0, NOW - HOUR_MS - 1)}, Code.SELECTED),
        ({}, Code.SELECTED),
    ],
)
def test_too_little_left_rules_out_and_what_is_not_known_or_old_does_not(facts: FactDict, code: Code) -> None:
    situation = inputs(subjects={BOOKINGS.key: (Subject("booking:b1", facts),)})
    (verdict,) = verdicts(situation, catalog([offer("o", about=BOOKINGS, stock=TWO)]))
    found = [reason.code for reason in verdict.reasons] or [Code.SELECTED]
    assert found == [code]
    if code is Code.STOCK:
        assert verdict.reasons[0].where == "o.yaml:5:8"
        assert verdict.reasons[0].detail.endswith("wanted: uses.cabins: 2 inside")
