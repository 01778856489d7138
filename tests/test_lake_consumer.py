"""LakeConsumer: from the log into files, committed only once they are there."""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from threading import Event as Flag
from time import monotonic

import pytest
from prometheus_client import REGISTRY

from streams.consumer import Intake
from streams.errors import DeadLetterLimit, Retry
from streams.events import Attributes, Event, Outcome, to_bytes
from streams.instant import DAY_MS, moment
from streams.lake import Lake
from streams.lake_consumer import INTAKE, Flush, LakeConsumer
from streams.lake_rows import BUCKETS
from streams.log import CUSTOMERS, DECISIONS, Entry, EventLog, LogRecord
from streams.record import DecisionRecord, encode
from streams.sqlite_log import SqliteLog
from tests.decision_log import HOME, outcome, simple
from tests.makers import NOW, PATIENCE_S, append, append_raw, dead_letters, event, open_log

AT_ONCE = Flush(after_s=0.0)


@dataclass
class Watch:
    """A monotonic clock set by hand, which counts how often it was looked at."""

    now: float = 0.0
    looks: int = 0

    def __call__(self) -> float:
        self.looks += 1
        return self.now


@contextmanager
def a_log(tmp_path: Path) -> Iterator[SqliteLog]:
    with closing(open_log(tmp_path / "log")) as log:
        yield log


def decide(log: EventLog, *records: DecisionRecord) -> None:
    entries = [Entry(record.inputs.request.customer_id, encode(record), record.inputs.now) for record in records]
    log.append(DECISIONS, entries).result(PATIENCE_S)


def clicked(of: DecisionRecord, name: str = "e-1") -> Event:
    made, shown = of.inputs, of.shown[0]
    facts = shown.offer
    data = Outcome(made.decision_id, facts.offer_id, facts.campaign_id, facts.collection, HOME, shown.about, rank=1)
    return event("offer.clicked", made.request.customer_id, data, made.now + 60_000, name)


def polled(log: EventLog, count: int) -> list[LogRecord]:
    with closing(log.subscribe("reader", (DECISIONS, CUSTOMERS))) as subscription:
        found: list[LogRecord] = []
        deadline = monotonic() + PATIENCE_S
        while len(found) < count and monotonic() < deadline:
            found += subscription.poll(100, 0.1)
        return found


def wait_for(lake: Lake, decisions: int) -> list[DecisionRecord]:
    deadline = monotonic() + PATIENCE_S
    while monotonic() < deadline:
        found = list(lake.scan())
        if len(found) >= decisions:
            return sorted(found, key=lambda record: record.inputs.decision_id)
        Flag().wait(0.02)
    raise TimeoutError


def committed(log: EventLog, intake: Intake = INTAKE) -> int:
    """How many records a new member of the group would not see again."""
    with closing(log.subscribe(intake.group, intake.topics)) as subscription:
        deadline = monotonic() + PATIENCE_S
        while not subscription.assigned() and monotonic() < deadline:
            subscription.poll(1, 0.05)
        return sum(subscription.positions().values())


def test_decisions_and_outcomes_come_into_the_lake_and_nothing_else_does(tmp_path: Path) -> None:
    lake, shown = Lake(tmp_path / "lake"), [simple(NOW + number, f"c-{number}", number) for number in range(30)]
    with a_log(tmp_path) as log:
        decide(log, *shown)
        append(log, clicked(shown[3]), event("customer.profile", "c-3", Attributes({"children": 2})), recorded=NOW)
        consumer = LakeConsumer(log, lake, flush=AT_ONCE)
        consumer.start()
        assert wait_for(lake, 30) == shown
        consumer.stop(PATIENCE_S)
        assert committed(log) == 32
        assert dead_letters(log) == []
    [found] = [each for part in lake.parts() for each in lake.outcomes(part)]
    assert found == replace(outcome(shown[3], "clicked", NOW + 3 + 60_000, event_id="e-1"), recorded=NOW)


def test_nothing_is_written_or_committed_before_the_time_or_the_count(tmp_path: Path) -> None:
    lake, watch = Lake(tmp_path / "lake"), Watch()
    with a_log(tmp_path) as log:
        decide(log, *(simple(NOW + number, "c-1", number) for number in range(4)))
        records = polled(log, 4)
        consumer = LakeConsumer(log, lake, flush=Flush(rows=4, after_s=5.0, clock=watch))
        assert consumer.take(records[:2], {}) == {}
        watch.now = 4.9
        assert consumer.take((), {}) == {}
        assert list(lake.scan()) == []
        watch.now = 5.0
        assert sum(consumer.take((), {}).values()) == records[1].position.offset + 1
        assert len(list(lake.scan())) == 2
        assert consumer.take(records[2:3], {}) == {}
        watch.now = 9.0
        assert consumer.take(records[3:], {}) == {}
        assert consumer.take(records[:2], {}) != {}
        assert len(list(lake.scan())) == 4


def test_a_crash_between_the_files_and_the_commit_doubles_nothing(tmp_path: Path) -> None:
    lake, shown = Lake(tmp_path / "lake"), [simple(NOW + number, f"c-{number}", number) for number in range(10)]
    with a_log(tmp_path) as log:
        decide(log, *shown)
        append(log, clicked(shown[0]))
        crashed = LakeConsumer(log, lake, flush=AT_ONCE)
        records = polled(log, 11)
        crashed.take(records[:6], {})  # wrote them, died before the commit
        consumer = LakeConsumer(log, lake, flush=AT_ONCE)
        consumer.start()
        wait_for(lake, 10)
        consumer.stop(PATIENCE_S)
    assert wait_for(lake, 10) == shown
    assert len([each for part in lake.parts() for each in lake.outcomes(part)]) == 1


def test_stopping_writes_what_is_held(tmp_path: Path) -> None:
    lake, shown, watch = Lake(tmp_path / "lake"), simple(), Watch()
    with a_log(tmp_path) as log:
        decide(log, shown)
        consumer = LakeConsumer(log, lake, flush=Flush(clock=watch))
        consumer.start()
        deadline = monotonic() + PATIENCE_S
        while watch.looks < 3 and monotonic() < deadline:  # a look per poll; the first may only join the group
            Flag().wait(0.02)
        assert list(lake.scan()) == []
        consumer.stop(PATIENCE_S)
        assert list(lake.scan()) == [shown]
        assert committed(log) == 1


def test_while_the_folder_cannot_be_written_everything_is_held_and_nothing_committed(tmp_path: Path) -> None:
    lake, shown = Lake(tmp_path / "lake"), simple()
    lake.folder.write_text("a file where the folder should be")
    with a_log(tmp_path) as log:
        decide(log, shown)
        [record] = polled(log, 1)
        consumer = LakeConsumer(log, lake, flush=AT_ONCE)
        for _ in range(3):
            with pytest.raises(Retry) as caught:
                consumer.take([record], {})
            assert caught.value.code == "LAKE_UNAVAILABLE"
        lake.folder.unlink()
        assert consumer.take([record], {}) == {(DECISIONS.name, record.position.partition): 1}
    assert list(lake.scan()) == [shown]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (b"not a record", "DECISION_MALFORMED"),
        (encode(simple())[:-20], "DECISION_MALFORMED"),
        (encode(simple()).replace(simple().inputs.decision_id.encode(), b"x" * 36), "DECISION_ID"),
    ],
)
def test_a_decision_that_cannot_be_kept_is_a_dead_letter_and_the_rest_goes_on(
    tmp_path: Path, value: bytes, code: str
) -> None:
    lake, shown = Lake(tmp_path / "lake"), simple()
    with a_log(tmp_path) as log:
        append_raw(log, DECISIONS, "c-1", value)
        decide(log, shown)
        consumer = LakeConsumer(log, lake, flush=AT_ONCE)
        consumer.take(polled(log, 2), {})
        assert [(letter["topic"], letter["code"]) for letter in dead_letters(log)] == [(DECISIONS.name, code)]
    assert list(lake.scan()) == [shown]


def test_a_malformed_event_is_left_to_the_profile_consumer_and_a_foreign_decision_id_is_not(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    foreign = event("offer.clicked", "c-1", Outcome("d-1", "spa", "campaign-spa", "collection", HOME))
    with a_log(tmp_path) as log:
        append_raw(log, CUSTOMERS, "c-1", b'{"type": "offer.clicked"}')
        of_none = Outcome("", "spa", "campaign-spa", "collection", HOME)
        append(log, foreign, event("offer.redeemed", "c-1", of_none, event_id="e-2"))
        consumer = LakeConsumer(log, lake, flush=AT_ONCE)
        assert consumer.take(polled(log, 3), {}) != {}
        assert [letter["code"] for letter in dead_letters(log)] == ["DECISION_ID"]


def test_outcomes_of_foreign_decisions_stop_nothing_however_many(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    foreign = Outcome("order-1", "spa", "campaign-spa", "collection", HOME)
    with a_log(tmp_path) as log:
        entries = [Entry("c-1", to_bytes(event("offer.redeemed", "c-1", foreign, NOW, f"e-{n}"))) for n in range(150)]
        log.append(CUSTOMERS, entries).result(PATIENCE_S)
        consumer = LakeConsumer(log, lake, flush=AT_ONCE)
        consumer.take(polled(log, 150), {})
        assert [letter["code"] for letter in dead_letters(log)] == ["DECISION_ID"] * 150


def test_the_day_before_the_newest_becomes_few_files_a_bucket_at_each_flush(tmp_path: Path) -> None:
    lake, noon = Lake(tmp_path / "lake"), NOW // DAY_MS * DAY_MS + DAY_MS // 2
    sent = [simple(noon - DAY_MS + number, "c-1", number) for number in range(3)]
    sent += [simple(noon + number, "c-1", number) for number in range(BUCKETS)]
    written = REGISTRY.get_sample_value("offing_lake_rows_total", {"table": "decisions"}) or 0
    with a_log(tmp_path) as log:
        decide(log, *sent)
        consumer = LakeConsumer(log, lake, flush=AT_ONCE)
        records = polled(log, len(sent))
        for record in records[:3]:
            consumer.take([record], {})
        assert files(lake, noon - DAY_MS) == 3
        for record in records[3:]:
            consumer.take([record], {})
    assert (files(lake, noon - DAY_MS), files(lake, noon)) == (1, BUCKETS)
    assert list(lake.scan()) == sent
    assert REGISTRY.get_sample_value("offing_lake_rows_total", {"table": "decisions"}) == written + len(sent)


def files(lake: Lake, at: int) -> int:
    """How many files hold decisions of that day."""
    return len(list(lake.folder.glob(f"decisions/day={moment(at).date().isoformat()}/bucket=*/*.parquet")))


def test_a_stream_of_bad_records_stops_it_with_nothing_committed(tmp_path: Path) -> None:
    with a_log(tmp_path) as log:
        append_raw(log, DECISIONS, "c-1", *(b"bad" for _ in range(8)))
        consumer = LakeConsumer(log, Lake(tmp_path / "lake"), flush=AT_ONCE, in_a_row=5)
        running = consumer.start()
        with pytest.raises(DeadLetterLimit):
            running.result(PATIENCE_S)
        with pytest.raises(DeadLetterLimit):
            consumer.stop(PATIENCE_S)
        assert committed(log) == 0
        assert dead_letters(log) == []


def test_the_same_batch_taken_again_is_held_once(tmp_path: Path) -> None:
    lake, shown = Lake(tmp_path / "lake"), simple()
    with a_log(tmp_path) as log:
        decide(log, shown)
        records: Sequence[LogRecord] = polled(log, 1)
        consumer = LakeConsumer(log, lake, flush=Flush(rows=2, after_s=3_600))
        assert consumer.take(records, {}) == consumer.take(records, {}) == {}
        assert consumer.finish() != {}
    assert list(lake.scan()) == [shown]
