"""The lake: everything appended is read once, whatever crashed, was compacted or is corrupt."""

import warnings
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams.errors import InvalidInput
from streams.ids import DecisionId
from streams.instant import DAY_MS, HOUR_MS
from streams.lake import Lake
from streams.lake_file import LakeFileUnreadable, span
from streams.lake_rows import Part, part_of, time_of
from streams.record import DecisionRecord, encode
from tests.decision_log import decision_id, outcome, simple
from tests.makers import NOW

DAY = "2026-11-21"


def lines(records: Iterable[DecisionRecord]) -> list[tuple[DecisionRecord, bytes]]:
    return [(record, encode(record)) for record in records]


def some(count: int, *, start: int = 0) -> list[DecisionRecord]:
    return [simple(NOW + number, f"c-{number % 20}", number) for number in range(start, start + count)]


def by_id(records: Iterable[DecisionRecord]) -> list[DecisionRecord]:
    return sorted(records, key=lambda record: record.inputs.decision_id)


def files(lake: Lake) -> list[Path]:
    return sorted(lake.folder.rglob("*.parquet"))


def test_what_was_appended_is_scanned_back_whole(tmp_path: Path) -> None:
    lake, records = Lake(tmp_path / "lake"), some(100)
    paths = lake.append_decisions(lines(records))
    assert by_id(lake.scan()) == records
    assert {part.day for part in lake.parts()} == {DAY}
    assert 2 <= len(paths) == len(lake.parts()) <= 8


def test_outcomes_are_kept_on_the_day_of_their_decision_beside_it(tmp_path: Path) -> None:
    lake, shown = Lake(tmp_path), simple()
    clicked = outcome(shown, "clicked", NOW + 3 * DAY_MS)
    lake.append_decisions(lines([shown]))
    lake.append_outcomes([outcome(shown, "exposed"), clicked])
    [part] = lake.parts()
    assert part == part_of(shown.inputs.decision_id, shown.inputs.request.customer_id)
    assert {found.event: found for found in lake.outcomes(part)}["clicked"] == clicked
    assert lake.newest() == NOW + 3 * DAY_MS


def test_rows_written_twice_are_read_once_and_the_same_rows_are_the_same_file(tmp_path: Path) -> None:
    lake, records = Lake(tmp_path), some(40)
    lake.append_decisions(lines(records))
    once = files(lake)
    lake.append_decisions(lines(records))
    assert files(lake) == once
    lake.append_decisions(lines(records[10:]))
    lake.append_outcomes([outcome(records[0], "exposed")])
    lake.append_outcomes([outcome(records[0], "exposed"), outcome(records[0], "clicked")])
    assert len(files(lake)) > len(once) + 2
    assert by_id(lake.scan()) == records
    part = part_of(records[0].inputs.decision_id, records[0].inputs.request.customer_id)
    assert sorted(found.event for found in lake.outcomes(part)) == ["clicked", "exposed"]


def test_a_scan_takes_the_decisions_from_an_instant_to_before_another(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    records = [simple(NOW + day * DAY_MS, number=day) for day in range(5)]
    lake.append_decisions(lines(records))
    assert by_id(lake.scan(NOW + DAY_MS, NOW + 3 * DAY_MS)) == records[1:3]
    assert by_id(lake.scan(until=NOW + 1)) == records[:1]
    assert [part.day for part in lake.parts(since=NOW + 4 * DAY_MS)] == ["2026-11-25"]


def test_lines_after_an_instant_come_once_and_from_no_file_that_ends_before(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for start in (0, 20, 40):
        lake.append_decisions(lines(some(20, start=start)))
    lake.append_decisions(lines(some(20, start=40)[:5]))
    found = list(lake.lines_after(NOW + 29))
    assert sorted(found) == sorted((each.inputs.decision_id, line) for each, line in lines(some(30, start=30)))
    for path in (path for path in files(lake) if time_of(span(path)[1]) <= NOW + 19):
        path.write_bytes(b"not opened")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(lake.lines_after(NOW + 29))) == 30
    assert list(lake.lines_after(NOW + 59)) == []


def test_a_decision_is_found_by_its_id_among_many_files(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for start in range(0, 120, 40):
        lake.append_decisions(lines(some(40, start=start)))
    wanted = simple(NOW + 77, "c-17", 77)
    assert lake.find(wanted.inputs.decision_id) == wanted
    assert lake.find(decision_id(NOW + 77, 99_999)) is None
    assert lake.find(decision_id(NOW - 400 * DAY_MS)) is None


@pytest.mark.parametrize("bad", ["d-1", "", "../../etc", "0b54f9a2-1111-4111-8111-000000000000", "X" * 200])
def test_an_id_that_is_no_uuid7_is_refused_with_what_was_found(tmp_path: Path, bad: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        Lake(tmp_path).find(DecisionId(bad))
    assert caught.value.code == "DECISION_ID"


def test_an_empty_lake_has_nothing_and_needs_no_folder(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "nowhere")
    assert (list(lake.scan()), lake.parts(), lake.newest(), lake.find(decision_id())) == ([], [], None, None)
    assert lake.compact(DAY) == 0


def test_compaction_makes_one_file_per_part_and_changes_no_answer(tmp_path: Path) -> None:
    lake, records = Lake(tmp_path), some(90)
    for start in range(0, 90, 30):
        lake.append_decisions(lines(records[max(0, start - 5) : start + 30]))
        lake.append_outcomes([outcome(record, "exposed") for record in records[start : start + 30]])
    parts = lake.parts()
    outcomes = {part: sorted(o.event_id for o in lake.outcomes(part)) for part in parts}
    assert lake.compact(DAY) == len(lake.parts()) * 4
    assert len(files(lake)) == 2 * len(parts)
    assert by_id(lake.scan()) == records
    assert {part: sorted(o.event_id for o in lake.outcomes(part)) for part in parts} == outcomes
    assert lake.compact(DAY) == 0


def test_a_scan_goes_on_when_its_files_are_compacted_away(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    records = [simple(NOW + number, "c-1", number) for number in range(30)]
    for start in range(0, 30, 10):
        lake.append_decisions(lines(records[start : start + 10]))
    reading = lake.scan()
    first = next(reading)
    assert lake.compact(DAY) == 2
    assert by_id([first, *reading]) == records


def test_a_crash_in_the_middle_of_compaction_loses_and_doubles_nothing(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    records = [simple(NOW + number, "c-1", number) for number in range(20)]
    before = [path for start in (0, 10) for path in lake.append_decisions(lines(records[start : start + 10]))]
    kept = before[0].read_bytes()
    lake.compact(DAY)
    before[0].write_bytes(kept)  # as if the process had died before it could remove the second one
    assert by_id(lake.scan()) == records


def test_half_written_and_corrupt_files_are_left_out_by_name_and_the_rest_is_read(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    good, bad = simple(NOW, "c-1", 1), simple(NOW + HOUR_MS, "c-1", 2)
    lake.append_decisions(lines([good]))
    [broken] = lake.append_decisions(lines([bad]))
    body = broken.read_bytes()
    broken.with_name(f".{broken.name}.123").write_bytes(body[:100])  # a crash before the rename
    assert by_id(lake.scan()) == [good, bad]
    flipped = bytes(byte ^ (number < len(body) // 2 and number % 40 == 20) for number, byte in enumerate(body))
    for damaged in (body[:-200], b"", b"not parquet at all" * 20, flipped):
        broken.write_bytes(damaged)
        with pytest.warns(LakeFileUnreadable, match=broken.name):
            assert by_id(lake.scan()) == [good]
        with pytest.warns(LakeFileUnreadable, match=broken.name):
            assert lake.find(bad.inputs.decision_id) is None
        assert lake.compact(DAY) == 0
        assert broken.exists()


def test_a_decision_whose_line_cannot_be_read_is_left_out_by_id(tmp_path: Path) -> None:
    lake, records = Lake(tmp_path), some(2)
    lake.append_decisions([(records[0], b"\xc1"), (records[1], encode(records[1]))])
    with pytest.warns(LakeFileUnreadable, match=records[0].inputs.decision_id):
        assert list(lake.scan()) == records[1:]


def test_a_file_of_another_format_is_left_out(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    [path] = lake.append_decisions(lines(some(1)))
    table = pq.ParquetFile(path).read()
    pq.write_table(table.replace_schema_metadata({"offing.lake": "2"}), path)
    with pytest.warns(LakeFileUnreadable, match="its format is b'2'"):
        assert list(lake.scan()) == []


def test_sql_sees_the_same_rows_without_this_module(tmp_path: Path) -> None:
    lake, records = Lake(tmp_path), some(50)
    lake.append_decisions(lines(records))
    lake.append_outcomes([outcome(record, "clicked") for record in records[:10]])
    query = f"""
        select count(distinct d.decision_id), count(o.event), min(d.day)::varchar
        from (select decision_id, day, unnest(shown) as s
              from read_parquet('{tmp_path}/decisions/*/*/*.parquet', hive_partitioning = true)) d
        left join read_parquet('{tmp_path}/outcomes/*/*/*.parquet') o
          on o.decision_id = d.decision_id and o.offer_id = s.offer_id and o.about = s.about
             and o.placement = s.placement
    """
    with duckdb.connect() as database:
        assert database.execute(query).fetchall() == [(50, 10, DAY)]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["append", "again", "compact"]), max_size=8), st.data())
def test_any_sequence_of_appends_repeats_and_compactions_reads_each_row_once(
    tmp_path_factory: pytest.TempPathFactory, steps: list[str], data: st.DataObject
) -> None:
    lake = Lake(tmp_path_factory.mktemp("lake"))
    written: list[DecisionRecord] = []
    for step in steps:
        if step == "compact":
            lake.compact(DAY)
        elif step == "again" and written:
            start = data.draw(st.integers(0, len(written) - 1))
            lake.append_decisions(lines(written[start : start + 3]))
        else:
            more = some(data.draw(st.integers(1, 5)), start=len(written))
            lake.append_decisions(lines(more))
            written += more
    assert by_id(lake.scan()) == written
    assert all(lake.find(record.inputs.decision_id) == record for record in written[:3])


def test_no_warning_is_given_for_a_healthy_lake(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    lake.append_decisions(lines(some(3)))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert len(list(lake.scan())) == 3
    assert lake.parts() == sorted({Part(DAY, part.bucket) for part in lake.parts()})
