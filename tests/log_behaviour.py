"""What any EventLog must do. A log's test file subclasses LogBehaviour and has a fixture `make_log`."""

import subprocess
import sys
from random import randbytes
from textwrap import dedent
from threading import Thread, Timer
from time import monotonic, sleep

import pytest

from streams.consumer import wall_clock
from streams.errors import OffingError, Retry
from streams.instant import HOUR_MS
from streams.log import Entry, LogRecord, partition_of
from tests.log_makers import (
    EVENTS,
    KEYS,
    MARKET,
    PATIENCE_S,
    SHORT_LEASE_S,
    START,
    LogMaker,
    after,
    appended_until_killed,
    assert_gapless,
    by_key,
    drain,
    entries,
    everything,
    fill,
    run,
    settle,
    settle_by_assignment,
    values,
)


class LogBehaviour:
    # what comes out is what went in

    def test_a_record_has_its_position_key_value_and_recorded_time(self, make_log: LogMaker) -> None:
        log = make_log()
        sent = [Entry("c-1", b"\x00\xff{}", START - 5), Entry("häfen/🚢", b"", None)]
        positions = log.append(EVENTS, sent).result(PATIENCE_S)
        records = drain(log.subscribe("g", [EVENTS]), 2)
        first, second = sorted(records, key=lambda record: positions.index(record.position))
        assert first == LogRecord(positions[0], "c-1", b"\x00\xff{}", START - 5)
        assert second == LogRecord(positions[1], "häfen/🚢", b"", second.recorded)
        assert abs(second.recorded - wall_clock()) < HOUR_MS, "the log's own clock, which is near ours"

    def test_a_key_keeps_its_partition_and_its_order(self, make_log: LogMaker) -> None:
        log = make_log()
        for turn in range(5):
            positions = fill(log, text=f"{turn}-")
            assert [position.partition for position in positions] == [partition_of(key, EVENTS) for key in KEYS]
        found = by_key(drain(log.subscribe("g", [EVENTS]), 200))
        assert found == {key: [f"{turn}-{number}".encode() for turn in range(5)] for number, key in enumerate(KEYS)}

    def test_offsets_of_a_partition_start_at_0_and_have_no_gaps(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log)
        fill(log)
        records = drain(log.subscribe("g", [EVENTS]), 80)
        assert_gapless(records)
        assert {record.position.partition for record in records} == {0, 1, 2, 3}

    def test_one_partition_orders_all_keys(self, make_log: LogMaker) -> None:
        log = make_log()
        assert [position.offset for position in fill(log, topic=MARKET)] == list(range(40))
        records = drain(log.subscribe("g", [MARKET]), 40)
        assert [record.key for record in records] == KEYS

    def test_an_empty_append_resolves_to_no_positions(self, make_log: LogMaker) -> None:
        log = make_log()
        assert list(log.append(EVENTS, []).result(PATIENCE_S)) == []
        assert set(log.end(EVENTS).values()) == {0}

    def test_a_value_may_have_a_megabyte(self, make_log: LogMaker) -> None:
        log = make_log()
        large = [bytes([number]) * 1_000_000 for number in range(3)]
        log.append(MARKET, [Entry("m", value) for value in large]).result(PATIENCE_S)
        assert values(everything(log, MARKET)) == large

    def test_concurrent_appends_are_all_there_once_and_in_order_per_key(self, make_log: LogMaker) -> None:
        log = make_log()

        def write(key: str) -> None:
            for turn in range(25):
                log.append(EVENTS, [Entry(key, b"%d" % (2 * turn)), Entry(key, b"%d" % (2 * turn + 1))]).result(
                    PATIENCE_S
                )

        threads = [Thread(target=write, args=(key,)) for key in KEYS[:16]]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        records = everything(log)
        assert by_key(records) == {key: [b"%d" % turn for turn in range(50)] for key in KEYS[:16]}
        assert_gapless(records)

    # groups: progress

    def test_a_group_goes_on_after_its_commit(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log, text="old-")
        first = log.subscribe("g", [EVENTS])
        first.commit(after(drain(first, 40)))
        first.close()
        fill(log, text="new-")
        second = log.subscribe("g", [EVENTS])
        assert sorted(values(drain(second, 40))) == sorted(f"new-{number}".encode() for number in range(40))

    def test_what_was_not_committed_is_delivered_again(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log, topic=MARKET)
        first = log.subscribe("g", [MARKET])
        drain(first, 40)
        first.commit({(MARKET.name, 0): 30})
        first.close()
        assert [record.key for record in drain(log.subscribe("g", [MARKET]), 10)] == KEYS[30:]

    def test_groups_do_not_see_each_others_progress(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log)
        one, other = log.subscribe("one", [EVENTS]), log.subscribe("other", [EVENTS])
        one.commit(after(drain(one, 40)))
        assert len(drain(other, 40)) == 40

    def test_a_member_reads_several_topics(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log)
        fill(log, topic=MARKET)
        records = drain(log.subscribe("g", [EVENTS, MARKET]), 80)
        assert {record.position.topic for record in records} == {EVENTS.name, MARKET.name}

    def test_a_waiting_poll_returns_when_something_arrives(self, make_log: LogMaker) -> None:
        log = make_log()
        member = log.subscribe("g", [EVENTS])
        settle(member)
        timer = Timer(0.1, fill, (log, ["c-1"]))
        timer.start()
        assert values(member.poll(10, PATIENCE_S)) == [b"0"]
        timer.join()

    def test_a_poll_without_records_ends_after_its_timeout(self, make_log: LogMaker) -> None:
        member = make_log().subscribe("g", [EVENTS])
        settle(member)
        assert list(member.poll(10, 0.05)) == []
        assert list(member.poll(10, 0)) == []

    def test_a_poll_takes_no_more_than_it_may_and_misses_nothing(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log)
        member = log.subscribe("g", [EVENTS])
        found: list[LogRecord] = []
        while len(found) < 40:
            some = member.poll(3, PATIENCE_S)
            assert len(some) <= 3
            found += some
        assert sorted(record.key for record in found) == sorted(KEYS)

    def test_a_busy_partition_does_not_starve_the_others(self, make_log: LogMaker) -> None:
        log = make_log()
        busy = next(key for key in KEYS if partition_of(key, EVENTS) == 0)
        log.append(EVENTS, [Entry(busy, randbytes(2_000)) for _ in range(3_000)]).result(PATIENCE_S)
        fill(log)
        member = log.subscribe("g", [EVENTS])
        seen: set[int] = set()
        polled = 0
        while len(seen) < 4:
            records = member.poll(50, PATIENCE_S)
            polled += len(records)
            seen |= {record.position.partition for record in records}
        assert polled < 3_000

    # groups: members

    def test_members_share_the_partitions_and_a_leaver_gives_its_own_back(self, make_log: LogMaker) -> None:
        log = make_log()
        one = log.subscribe("g", [EVENTS])
        settle(one)
        other = log.subscribe("g", [EVENTS])
        settle(one, other)
        other.close()
        settle(one)
        fill(log)
        assert len(drain(one, 40)) == 40

    def test_each_record_goes_to_one_member_of_a_group(self, make_log: LogMaker) -> None:
        log = make_log()
        one, other = log.subscribe("g", [EVENTS]), log.subscribe("g", [EVENTS])
        settle(one, other)
        fill(log)
        found: list[LogRecord] = []
        while len(found) < 40:
            for member in (one, other):
                records = member.poll(100, 0.05)
                assert {(r.position.topic, r.position.partition) for r in records} <= member.assigned()
                found += records
        assert sorted(record.key for record in found) == sorted(KEYS)

    def test_a_member_that_stops_polling_loses_its_partitions(self, make_log: LogMaker) -> None:
        log = make_log(lease_s=SHORT_LEASE_S)
        silent, other = log.subscribe("g", [EVENTS]), log.subscribe("g", [EVENTS])
        settle(silent, other)
        fill(log)
        assert len(drain(other, 40)) == 40
        assert silent.assigned() == frozenset()

    def test_a_commit_after_losing_the_partition_is_skipped(self, make_log: LogMaker) -> None:
        log = make_log(lease_s=SHORT_LEASE_S)
        fill(log, topic=MARKET)
        slow = log.subscribe("g", [MARKET])
        reached = after(drain(slow, 40))
        heir = log.subscribe("g", [MARKET])
        again = drain(heir, 40)
        slow.commit(reached)
        heir.commit(after(again[:5]))
        heir.close()
        slow.close()
        assert [record.key for record in drain(log.subscribe("g", [MARKET]), 35)] == KEYS[5:]

    def test_a_member_that_lost_its_partitions_joins_again_by_polling(self, make_log: LogMaker) -> None:
        log = make_log(lease_s=SHORT_LEASE_S)
        late, other = log.subscribe("g", [EVENTS]), log.subscribe("g", [EVENTS])
        settle(late, other)
        deadline = monotonic() + PATIENCE_S
        while len(other.assigned()) < 4 and monotonic() < deadline:
            other.poll(1, 0.05)
        assert len(other.assigned()) == 4
        settle(late, other)

    # time

    def test_positions_are_where_the_next_poll_reads_on(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log, ["a", "b"], topic=MARKET)
        member = log.subscribe("g", [MARKET])
        settle_by_assignment(member)
        assert member.positions() == {(MARKET.name, 0): 0}
        records = drain(member, 2)
        assert member.positions() == {(MARKET.name, 0): 2}
        member.commit({(MARKET.name, 0): records[0].position.offset + 1})
        member.close()
        heir = log.subscribe("g", [MARKET])
        settle_by_assignment(heir)
        assert heir.positions() == {(MARKET.name, 0): 1}

    def test_rewind_reads_again_from_an_instant_of_the_append_clock(self, make_log: LogMaker) -> None:
        log = make_log()
        for number in range(10):
            for entry in (Entry("m", b"%d" % number, recorded=5), Entry("mark", b"mark %d" % number)):
                log.append(MARKET, [entry]).result(PATIENCE_S)
                sleep(0.003)  # in a millisecond of its own
        member = log.subscribe("g", [MARKET])
        marks = [record.recorded for record in drain(member, 20) if record.key == "mark"]
        member.rewind(marks[7])
        assert values(drain(member, 5)) == [b"mark 7", b"8", b"mark 8", b"9", b"mark 9"]
        member.rewind(marks[8] + 1)
        assert values(drain(member, 2)) == [b"9", b"mark 9"]
        member.rewind(6)
        assert len(drain(member, 20)) == 20

    def test_rewind_never_skips_what_was_not_read(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log, topic=MARKET)
        later = wall_clock() + HOUR_MS
        member = log.subscribe("g", [MARKET])
        settle_by_assignment(member)
        member.rewind(later)
        assert len(drain(member, 40)) == 40
        member.rewind(later)
        assert list(member.poll(10, 0.05)) == []

    # outside groups

    def test_a_waiting_read_returns_when_something_arrives(self, make_log: LogMaker) -> None:
        log = make_log()
        timer = Timer(0.1, fill, (log, ["c-1"]), {"topic": MARKET})
        timer.start()
        assert values(log.read(MARKET, 0, 0, 10, PATIENCE_S)) == [b"0"]
        timer.join()
        assert list(log.read(MARKET, 0, 1, 10, 0.05)) == []

    def test_read_starts_at_any_offset(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log, topic=MARKET)
        assert [record.key for record in log.read(MARKET, 0, 12, 5)] == KEYS[12:17]
        assert [record.key for record in log.read(MARKET, 0, 38, 5)] == KEYS[38:]
        assert list(log.read(MARKET, 0, 40, 5)) == []
        assert list(log.read(EVENTS, 3, 0, 5)) == []

    def test_end_is_the_next_offset_of_every_partition(self, make_log: LogMaker) -> None:
        log = make_log()
        assert log.end(EVENTS) == {0: 0, 1: 0, 2: 0, 3: 0}
        fill(log)
        counts = [partition_of(key, EVENTS) for key in KEYS]
        assert log.end(EVENTS) == {number: counts.count(number) for number in range(4)}

    def test_the_epoch_lasts_as_long_as_the_log(self, make_log: LogMaker) -> None:
        log = make_log("one")
        epoch = log.epoch()
        assert {position.epoch for position in fill(log)} == {epoch}
        log.close()
        assert make_log("one").epoch() == epoch
        assert make_log("another").epoch() != epoch

    # endings

    def test_close_finishes_what_is_queued(self, make_log: LogMaker) -> None:
        log = make_log()
        futures = [log.append(EVENTS, entries(KEYS)) for _ in range(50)]
        log.close()
        log.close()
        assert all(len(future.result(0)) == 40 for future in futures)
        assert len(everything(make_log())) == 2_000

    def test_append_to_a_closed_log_fails_with_retry(self, make_log: LogMaker) -> None:
        log = make_log()
        log.close()
        with pytest.raises(Retry) as failure:
            log.append(EVENTS, entries(KEYS)).result(PATIENCE_S)
        assert failure.value.code == "LOG_UNAVAILABLE"

    def test_processes_see_each_others_records(self, make_log: LogMaker) -> None:
        log = make_log()
        fill(log, text="here-")
        body = """
            from streams.log import Entry, Topic
            events = Topic("test.events", 4)
            seen = sum(len(log.read(events, number, 0, 100)) for number in range(4))
            log.append(events, [Entry("c-1", b"there-%d" % seen)]).result()
            log.close()
        """
        run(make_log.program() + dedent(body))
        assert b"there-40" in values(drain(log.subscribe("g", [EVENTS]), 41))

    def test_processes_append_at_the_same_time(self, make_log: LogMaker) -> None:
        log = make_log()
        body = """
            import sys
            from streams.log import Entry, Topic
            for turn in range(100):
                log.append(Topic("test.events", 4), [Entry(sys.argv[1], b"%d" % turn), Entry("all", b"")]).result()
            log.close()
        """
        program = make_log.program() + dedent(body)
        children = [subprocess.Popen([sys.executable, "-c", program, key]) for key in KEYS[:3]]
        assert [child.wait(PATIENCE_S) for child in children] == [0, 0, 0]
        records = everything(log)
        assert_gapless(records)
        found = by_key(records)
        assert len(found["all"]) == 300
        assert [found[key] for key in KEYS[:3]] == [[b"%d" % turn for turn in range(100)]] * 3

    def test_a_killed_process_loses_nothing_it_acknowledged(self, make_log: LogMaker) -> None:
        acknowledged, found = appended_until_killed(make_log)
        assert {turn: found[turn] for turn in range(acknowledged + 1)} == dict.fromkeys(range(acknowledged + 1), 3)
        assert max(found.values()) == 3

    def test_a_refused_append_leaves_nothing_behind(self, make_log: LogMaker) -> None:
        log = make_log(largest=100_000)
        refused = log.append(EVENTS, [*entries(KEYS), Entry("c-1", randbytes(900_000))])
        with pytest.raises(OffingError):
            refused.result(PATIENCE_S)
        assert everything(log) == []

    def test_a_killed_member_s_partitions_move_on(self, make_log: LogMaker) -> None:
        log = make_log(lease_s=SHORT_LEASE_S)
        fill(log)
        body = """
            from streams.log import Topic
            member = log.subscribe("g", [Topic("test.events", 4)])
            count = 0
            while count < 40:
                count += len(member.poll(100, 1))
            print("read", flush=True)
            import time
            time.sleep(60)
        """
        child = subprocess.Popen(
            [sys.executable, "-c", make_log.program() + dedent(body)], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        with child.stdout as told:
            assert told.readline() == "read\n"
        child.kill()
        child.wait(PATIENCE_S)
        assert len(drain(log.subscribe("g", [EVENTS]), 40)) == 40
