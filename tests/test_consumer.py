"""The consumer's loop: commits follow the work, and what does not answer is waited for."""

from collections.abc import Callable, Sequence
from pathlib import Path
from threading import Event as Flag

import pytest
from prometheus_client import REGISTRY

from streams.consumer import Consumer, Intake, Offsets, by_the_clock, by_the_record, following, wall_clock
from streams.errors import Retry, Stop
from streams.log import EventLog, LogRecord, Position, Topic
from tests.makers import NOW, PATIENCE_S, append_raw, open_log

NUMBERS = Topic("test.numbers", 2)
INTAKE = Intake("test", (NUMBERS,), batch=10)


class Collector(Consumer):
    """Collects what it takes; `work` may raise first."""

    def __init__(self, log: EventLog, work: Callable[[Sequence[LogRecord]], None] = lambda records: None) -> None:
        super().__init__(log, INTAKE)
        self._work = work
        self.taken: list[bytes] = []
        self.enough = Flag()
        self.finished = False

    def take(self, records: Sequence[LogRecord], before: Offsets) -> Offsets:
        self._work(records)
        self.taken += [record.value for record in records]
        if b"last" in self.taken:
            self.enough.set()
        return following(records)

    def finish(self) -> Offsets:
        self.finished = True
        return {}


def test_every_record_is_taken_and_committed_and_a_stop_is_graceful(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    append_raw(log, NUMBERS, "k", *(str(number).encode() for number in range(25)), b"last")
    first = Collector(log)
    first.start()
    assert first.enough.wait(PATIENCE_S)
    assert REGISTRY.get_sample_value("offing_consumer_up", {"group": "test"}) == 1
    first.stop(PATIENCE_S)
    assert REGISTRY.get_sample_value("offing_consumer_up", {"group": "test"}) == 0
    assert first.taken == [*(str(number).encode() for number in range(25)), b"last"]
    assert first.finished
    append_raw(log, NUMBERS, "k", b"news", b"last")
    second = Collector(log)
    second.start()
    assert second.enough.wait(PATIENCE_S)
    second.stop(PATIENCE_S)
    assert second.taken == [b"news", b"last"]
    log.close()


def test_a_batch_that_finds_its_store_down_is_tried_again_until_it_succeeds(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    append_raw(log, NUMBERS, "k", b"1", b"last")
    failures = [Retry("STORE_UNAVAILABLE", "down") for _ in range(3)]

    def work(records: Sequence[LogRecord]) -> None:
        if records and failures:
            raise failures.pop()

    labels = {"group": "test", "code": "STORE_UNAVAILABLE"}
    before = REGISTRY.get_sample_value("offing_consumer_retries_total", labels) or 0
    consumer = Collector(log, work)
    consumer.start()
    assert consumer.enough.wait(PATIENCE_S)
    consumer.stop(PATIENCE_S)
    assert consumer.taken == [b"1", b"last"]
    assert REGISTRY.get_sample_value("offing_consumer_retries_total", labels) == before + 3
    log.close()


def test_a_stop_while_waiting_commits_nothing(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    append_raw(log, NUMBERS, "k", b"1", b"last")
    waiting = Flag()

    def work(records: Sequence[LogRecord]) -> None:
        if records:
            waiting.set()
            raise Retry("STORE_UNAVAILABLE", "down")

    stuck = Collector(log, work)
    stuck.start()
    assert waiting.wait(PATIENCE_S)
    stuck.stop(PATIENCE_S)
    assert not stuck.finished
    fresh = Collector(log)
    fresh.start()
    assert fresh.enough.wait(PATIENCE_S)
    fresh.stop(PATIENCE_S)
    assert fresh.taken == [b"1", b"last"]
    log.close()


def test_a_stop_error_ends_the_consumer_and_is_told_to_who_waits(tmp_path: Path) -> None:
    log = open_log(tmp_path / "log")
    append_raw(log, NUMBERS, "k", b"1")

    def work(records: Sequence[LogRecord]) -> None:
        if records:
            raise Stop("PROFILE_FORMAT", "a later version wrote this")

    consumer = Collector(log, work)
    with pytest.raises(Stop, match="a later version"):
        consumer.start().result(PATIENCE_S)
    with pytest.raises(Stop, match="a later version"):
        consumer.stop(PATIENCE_S)
    again = log.subscribe("test", (NUMBERS,))
    assert [record.value for record in again.poll(10, PATIENCE_S)] == [b"1"], "not committed, partition given back"
    again.close()
    log.close()


def test_what_follows_a_batch_is_the_offset_after_the_last_of_each_partition() -> None:
    def record(partition: int, offset: int) -> LogRecord:
        return LogRecord(Position("log-1", "t", partition, offset), "k", b"", NOW)

    assert following([record(0, 4), record(1, 9), record(0, 5)]) == {("t", 0): 6, ("t", 1): 10}


def test_real_traffic_is_judged_now_and_simulated_traffic_when_it_was_recorded() -> None:
    record = LogRecord(Position("log-1", "t", 0, 0), "k", b"", NOW)
    assert by_the_record(record) == NOW
    assert abs(by_the_clock(record) - wall_clock()) < 60_000
