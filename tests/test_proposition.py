"""The decision's nouns: frozen, their codes stable, their bytes canonical."""

import dataclasses
from itertools import permutations
from typing import Any

import msgspec
import pytest

from offers.proposition import Code, Decision, Item, Offline, Picture, PlacementSlate, Reason, Shown, canonical_bytes
from streams.ids import CampaignId, DecisionId, ModelId, OfferId, PlacementId, RevisionId
from streams.record import Assigned, OfferFacts, ScoredCandidate, ShownItem
from tests.catalogs import HERO, NOW

CODES = """
NOT_STARTED EXPIRED NOT_SCHEDULED PLACEMENT_NOT_ASKED LOCALE_MISSING CONSENT_MISSING NO_SUBJECT ELIGIBILITY_FAILED
APPLICABILITY_FAILED SUITABILITY_FAILED LOCATION_UNKNOWN LOCATION_LOW_CONFIDENCE LOCATION_NOT_MATCHED CONTEXT_MISSING
CONTEXT_STALE PRICE_UNKNOWN CAP_CUSTOMER_REACHED CAP_BOOKING_REACHED SUPPRESSED INDEX_EXCLUDED BEYOND_CANDIDATE_LIMIT
CAP_DEVICE_CLASS_REACHED
OUTRANKED FALLBACK_ONLY DEADLINE_EXCEEDED SELECTED FALLBACK
""".split()


def item(about: dict[str, str]) -> Item:
    shown = Shown(2, "it", "ltr", "t", "b", "k", Picture("a", "#1", ({"w": 1, "url": "u"},)), {"web": "w", "link": "l"},
                  "why", "app://privacy")  # fmt: skip
    return Item("o", "c-o", 1, about, "booking:b1", NOW + 900_000, shown, Offline(True))


def decision(about: dict[str, str], attributes: dict[str, str]) -> Decision:
    facts = OfferFacts(OfferId("o"), CampaignId("c-o"), "fares", dict(attributes))
    return Decision(
        decision_id=DecisionId("d-1"), now=NOW, revision=RevisionId("r-1"), model=ModelId("m-1"), degraded=(),
        placements=(PlacementSlate(HERO, False, 120, (item(about),)), PlacementSlate(PlacementId("p"), False, 1, ())),
        ruled_out=(("OUTRANKED", 3),), candidates=(ScoredCandidate(OfferId("o"), "booking:b1", 0.1, 0.4, 1.0),),
        shown=(ShownItem(facts, "booking:b1", HERO, 1, 0.1, 1.0, 4.0, (0.5, float("nan"))),),
        valid_until=NOW + 1, consulted=("s1",),
    )  # fmt: skip


def test_reasons_are_spelt_as_machines_know_them() -> None:
    assert set(CODES) <= {code.value for code in Code}
    assert all(code.name == code.value for code in Code)


def test_equal_decisions_have_equal_bytes_whatever_order_their_mappings_were_made_in() -> None:
    about = {"booking_id": "b1", "sailing_id": "s1", "venue_id": "v1"}
    made = {
        canonical_bytes(decision(dict(one), {f"offer.{k}": v for k, v in two}))
        for one in permutations(about.items())
        for two in [list(reversed(one))]
    }
    assert len(made) == 1


def test_what_differs_in_anything_has_other_bytes() -> None:
    first = decision({"booking_id": "b1"}, {})
    changes: list[dict[str, Any]] = [
        {"decision_id": "d-2"}, {"now": NOW + 1}, {"revision": "r-2"}, {"model": "m-2"}, {"degraded": ("x",)},
        {"placements": ()}, {"ruled_out": ()}, {"candidates": ()}, {"shown": ()}, {"valid_until": NOW},
        {"consulted": ()}, {"assigned": (Assigned("e", "a", OfferId("o"), ""),)},
    ]  # fmt: skip
    assert {name for change in changes for name in change} == set(Decision.__struct_fields__)
    found = {canonical_bytes(msgspec.structs.replace(first, **change)) for change in changes}
    assert len(found | {canonical_bytes(first)}) == len(changes) + 1


def test_a_decision_comes_back_from_its_bytes() -> None:
    first = decision({"booking_id": "b1"}, {"offer.kind": "cabin"})
    again = msgspec.msgpack.decode(canonical_bytes(first), type=Decision)
    assert canonical_bytes(again) == canonical_bytes(first)
    assert again.placements == first.placements


def test_nothing_can_be_changed() -> None:
    with pytest.raises(AttributeError):
        decision({}, {}).now = 0  # type: ignore[misc]
    with pytest.raises(dataclasses.FrozenInstanceError):
        Reason(Code.EXPIRED).detail = "x"  # type: ignore[misc]
