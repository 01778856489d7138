"""The market consumer: snapshots with their offset, from whatever it finds at the start."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest

from streams.consumer import Offsets
from streams.errors import DeadLetterLimit, LogRestarted
from streams.events import Event, Fare
from streams.log import MARKET, EventLog
from streams.market_consumer import PAIR, MarketConsumer
from streams.market_store import MarketStore
from streams.sqlite_log import SqliteLog
from streams.valkey import Client, Keys
from tests.makers import NOW, PATIENCE_S, append, append_raw, dead_letters, event, open_log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = open_log(tmp_path / "log", lease_s=0.5)
    yield log
    log.close()


@pytest.fixture
def store(client: Client, keys: Keys) -> MarketStore:
    return MarketStore(client, keys)


def fare(minor: int, at: int = NOW) -> Event:
    return event("sailing.fare", "s-1", Fare("deck", minor), at, f"e-{minor}")


def price(store: MarketStore, log: EventLog) -> int | None:
    market = store.load(log.epoch())
    return None if market is None else market.sailings["s-1"].fares["deck"][0]


def take(consumer: MarketConsumer, log: EventLog, start: int) -> Offsets:
    """What a poll from `start` would bring."""
    return consumer.take(log.read(MARKET, 0, start, 500), {PAIR: start})


def consume(log: EventLog, store: MarketStore) -> None:
    """Run until the snapshot has everything."""
    consumer = MarketConsumer(log, store, every_s=0.0)
    consumer.start()
    deadline = monotonic() + PATIENCE_S
    while store.version(log.epoch()) < log.end(MARKET)[0] - 1:
        assert monotonic() < deadline
        sleep(0.002)
    consumer.stop(PATIENCE_S)


def test_a_snapshot_holds_the_market_and_its_offset(log: SqliteLog, store: MarketStore) -> None:
    append(log, fare(4900), fare(3900, NOW + 1))
    consume(log, store)
    assert price(store, log) == 3900
    assert store.version(log.epoch()) == 1
    append(log, fare(2900, NOW + 2))
    consume(log, store)
    assert price(store, log) == 2900


def test_snapshots_are_put_off_and_only_what_one_holds_is_committed(log: SqliteLog, store: MarketStore) -> None:
    clock = [100.0]
    consumer = MarketConsumer(log, store, every_s=1.0, clock=lambda: clock[0])
    append(log, fare(4900))
    assert take(consumer, log, 0) == {PAIR: 1}
    append(log, fare(3900, NOW + 1))
    assert take(consumer, log, 1) == {}
    assert price(store, log) == 4900
    clock[0] += 1.0
    assert take(consumer, log, 2) == {PAIR: 2}
    assert price(store, log) == 3900
    append(log, fare(2900, NOW + 2))
    assert take(consumer, log, 2) == {}
    assert consumer.finish() == {PAIR: 3}
    assert price(store, log) == 2900


def test_a_lost_snapshot_is_written_again_without_news(
    log: SqliteLog, store: MarketStore, client: Client, keys: Keys
) -> None:
    consumer = MarketConsumer(log, store, every_s=0.0)
    append(log, fare(4900))
    take(consumer, log, 0)
    client.delete(keys.market)
    assert take(consumer, log, 1) == {}
    assert price(store, log) == 4900


def test_a_new_consumer_without_a_snapshot_reads_what_was_committed_before_it(
    log: SqliteLog, store: MarketStore, client: Client, keys: Keys
) -> None:
    append(log, fare(4900))
    append_raw(log, MARKET, "s-1", b"bad")
    append(log, event("sailing.fare", "s-2", Fare("deck", 100), NOW, "e-9"))
    consume(log, store)
    client.delete(keys.market)
    append(log, fare(3900, NOW + 1))
    consume(log, store)
    market = store.load(log.epoch())
    assert market is not None
    assert sorted(market.sailings) == ["s-1", "s-2"]
    assert price(store, log) == 3900
    assert len(dead_letters(log)) == 1, "reported when it was new, not when it was read again"


def test_a_consumer_that_is_behind_another_one_begins_again_from_its_snapshot(
    log: SqliteLog, store: MarketStore
) -> None:
    zombie, other = (MarketConsumer(log, store, every_s=0.0) for _ in range(2))
    append(log, fare(4900))
    take(zombie, log, 0)
    append(log, fare(3900, NOW + 1), fare(2900, NOW + 2))
    take(other, log, 1)
    records = log.read(MARKET, 0, 1, 1)
    assert zombie.take(records, {PAIR: 1}) == {PAIR: 2}, "its snapshot is in the stored one"
    assert store.version(log.epoch()) == 2
    assert take(zombie, log, 2) == {PAIR: 3}
    assert price(store, log) == 2900


def test_losing_the_partition_forgets_the_market_in_hand(log: SqliteLog, store: MarketStore) -> None:
    consumer = MarketConsumer(log, store, every_s=0.0)
    append(log, fare(4900))
    take(consumer, log, 0)
    assert consumer.take((), {}) == {}
    assert consumer.finish() == {}


def test_a_bad_record_gets_a_dead_letter_and_the_next_is_folded(log: SqliteLog, store: MarketStore) -> None:
    (bad,) = append_raw(log, MARKET, "s-1", b'{"type": "sailing.fare"}')
    append(log, fare(4900))
    consume(log, store)
    assert price(store, log) == 4900
    assert [(letter["offset"], letter["topic"]) for letter in dead_letters(log)] == [(bad.offset, MARKET.name)]


def test_a_stream_of_nothing_but_bad_records_stops_the_consumer(log: SqliteLog, store: MarketStore) -> None:
    append_raw(log, MARKET, "s-1", *[b"bad"] * 12)
    with pytest.raises(DeadLetterLimit):
        MarketConsumer(log, store, in_a_row=10).start().result(PATIENCE_S)


def test_an_older_copy_of_the_log_stops_the_consumer(tmp_path: Path, log: SqliteLog, store: MarketStore) -> None:
    append(log, fare(4900))
    with sqlite3.connect(tmp_path / "log") as db, sqlite3.connect(tmp_path / "older") as copy:
        db.backup(copy)
    copy.close()
    db.close()
    append(log, fare(3900, NOW + 1))
    consume(log, store)
    older = open_log(tmp_path / "older")
    with pytest.raises(LogRestarted, match="it is an older copy"):
        MarketConsumer(older, store).start().result(PATIENCE_S)
    older.close()
