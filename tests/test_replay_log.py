"""Many decisions replayed: how many are the same, and what differs where they are not."""

from dataclasses import replace

import msgspec
import pytest

from offers.engine import Engine
from offers.replay_log import EXAMPLES, ReplayedLog, page, replay_log
from streams.errors import NotFound
from streams.ids import ModelId, RevisionId
from streams.record import DecisionRecord, decode, encode
from tests.deciding import declared
from tests.shop_log import GUESSED, KNOWING, RATES, decided, shop

SHOP = shop()
ENGINE = Engine(SHOP, GUESSED)
RECORDS = [decode(encode(decided(SHOP, number))) for number in range(30)]


def replayed(engine: Engine = ENGINE, records: list[DecisionRecord] = RECORDS) -> ReplayedLog:
    return replay_log(records, lambda *_: engine)


def test_what_was_decided_here_has_the_same_bytes_and_scores() -> None:
    done: list[int] = []
    found = replay_log(RECORDS, lambda *_: ENGINE, done.append)
    assert (found.decisions, found.same_bytes, found.rescored, found.scores, found.scores_within) == (
        30, 30, 30, 30 * len(RATES), 30 * len(RATES),
    )  # fmt: skip
    assert (found.differences, found.not_replayed, found.examples, found.same) == ({}, {}, (), True)
    assert (found.since, found.until) == (RECORDS[0].inputs.now, RECORDS[-1].inputs.now)
    assert len(done) == 30
    assert "30 have the same bytes from their logged scores" in page(found)


def test_another_engine_is_counted_and_is_no_fault_if_the_bytes_are_the_same() -> None:
    older = [msgspec.structs.replace(each, engine="offing-0.0.9") for each in RECORDS]
    found = replayed(records=older)
    assert (found.differences, found.same) == ({"other_engine": 30}, True)
    assert "30 other_engine: another version of Offing decided" in page(found)


def test_another_model_uses_the_logged_scores_and_says_how_many_would_see_something_else() -> None:
    found = replayed(Engine(SHOP, replace(KNOWING, model=ModelId("m-newer"))))
    assert (found.same_bytes, found.scores, found.rescored) == (30, 0, 0)
    assert found.differences["other_model"] == 30
    assert 0 < found.differences["other_shown"] < 30
    assert found.same


def test_a_model_of_the_same_name_that_scores_differently_is_found() -> None:
    bent = declared({**{name: 0.2 for name in RATES}, "bar": 0.3 + 1e-6})
    found = replayed(Engine(SHOP, bent))
    assert found.differences == {"other_scores": 30}
    assert found.largest_difference == pytest.approx(0.1, abs=1e-9)
    assert (found.same_bytes, found.same) == (30, False)
    assert len(found.examples) == EXAMPLES


def test_another_revision_is_said_with_what_it_changes() -> None:
    narrow = Engine(shop(names=("bar", "spa")), GUESSED)
    found = replayed(narrow)
    assert found.differences["other_candidates"] == 30
    assert 0 < found.differences["other_bytes"] <= 30
    assert not found.same
    moved = [
        msgspec.structs.replace(each, inputs=msgspec.structs.replace(each.inputs, revision=RevisionId("r-old")))
        for each in RECORDS
    ]
    assert replayed(records=moved).differences["other_revision"] == 30


def test_a_revision_that_is_not_kept_is_counted() -> None:
    def gone(revision: RevisionId, model: str) -> Engine:
        raise NotFound("REVISION_UNKNOWN", f"no revision {revision}")

    found = replay_log(RECORDS, gone)
    assert (found.decisions, found.not_replayed, found.same) == (0, {"REVISION_UNKNOWN": 30}, False)
    assert "30 not replayed: REVISION_UNKNOWN" in page(found)


def test_a_tampered_record_is_named() -> None:
    forged = msgspec.structs.replace(
        RECORDS[3], inputs=msgspec.structs.replace(RECORDS[3].inputs, now=RECORDS[3].inputs.now + 1)
    )
    found = replayed(records=[*RECORDS[:3], forged, *RECORDS[4:]])
    assert found.same_bytes == 29
    assert [(each.decision_id, each.differences) for each in found.examples] == [
        (forged.inputs.decision_id, ("other_bytes",))
    ]
    assert str(forged.inputs.decision_id) in page(found)


def test_an_empty_lake_is_the_same() -> None:
    found = replayed(records=[])
    assert (found.decisions, found.same, found.since) == (0, True, None)
    assert page(found) == "no decision is in the lake for this time"
