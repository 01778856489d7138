"""The shadow's log: whole files or none, the newest first, and how far it has come by their names."""

from pathlib import Path

import pytest

from offers import shadow_log
from offers.shadow_log import FORMAT, ShadowDecision, ShadowLog
from streams.errors import InvalidInput
from streams.ids import DecisionId, ModelId, OfferId
from streams.record import ScoredCandidate
from tests.decision_log import decision_id
from tests.makers import NOW


def made(number: int) -> ShadowDecision:
    best = ScoredCandidate(OfferId("spa"), "", 0.25, 1.5, 1.0)
    return ShadowDecision(FORMAT, decision_id(NOW + number, number), ModelId("m-old"), (best,), 0.002, None)


def ids(first: int, last: int) -> tuple[DecisionId, DecisionId]:
    return decision_id(NOW + first, first), decision_id(NOW + last, last)


def test_what_was_appended_is_read_back_the_newest_files_first(tmp_path: Path) -> None:
    log = ShadowLog.of(tmp_path, "m-new")
    assert (log.until(), list(log.newest(10))) == (None, [])
    log.append(*ids(0, 9), [made(3), made(5)])
    log.append(*ids(10, 19), [])
    log.append(*ids(20, 29), [made(25)])
    assert log.until() == NOW + 29, "not the last that was scored: the last that was looked at"
    assert list(log.newest(10)) == [made(25), made(3), made(5)]
    assert list(log.newest(2)) == [made(25), made(3)]
    assert list(ShadowLog.of(tmp_path, "../m-other").newest(1)) == []


def test_what_was_being_written_when_the_host_fell_is_no_file(tmp_path: Path) -> None:
    log = ShadowLog.of(tmp_path, "m-new")
    log.append(*ids(0, 9), [made(3)])
    (log.folder / f".{'_'.join(ids(10, 19))}.jsonl").write_text('{"v": 1, "deci')
    assert (log.until(), list(log.newest(9))) == (NOW + 9, [made(3)])


def test_only_so_many_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadow_log, "KEPT", 2)
    log = ShadowLog.of(tmp_path, "m-new")
    for number in range(4):
        log.append(*ids(number * 10, number * 10 + 9), [made(number * 10)])
    assert list(log.newest(9)) == [made(30), made(20)]


@pytest.mark.parametrize("text", ["{", '{"v": 2}'], ids=["broken", "other fields"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    log = ShadowLog.of(tmp_path, "m-new")
    log.append(*ids(0, 9), [made(3)])
    (path,) = log.folder.glob("*.jsonl")
    path.write_text(text)
    with pytest.raises(InvalidInput, match=path.name) as caught:
        list(log.newest(1))
    assert caught.value.code == "SHADOW_LOG"
