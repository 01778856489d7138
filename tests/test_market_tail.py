"""The market tail: a worker's market, complete before it is ready, and never going back."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic, sleep

import pytest
from prometheus_client import REGISTRY

from streams.consumer import wall_clock
from streams.errors import LogRestarted
from streams.events import Event, Fare
from streams.log import MARKET
from streams.market import EMPTY, Market, fold
from streams.market_store import MarketStore
from streams.market_tail import MarketTail
from streams.sqlite_log import SqliteLog
from streams.valkey import Client, Keys, connect
from tests.makers import NOW, PATIENCE_S, append, append_raw, event, open_log


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = open_log(tmp_path / "log")
    yield log
    log.close()


@pytest.fixture
def store(client: Client, keys: Keys) -> MarketStore:
    return MarketStore(client, keys)


def fare(minor: int, at: int = NOW, sailing: str = "s-1") -> Event:
    return event("sailing.fare", sailing, Fare("deck", minor), at, f"e-{minor}")


def price(market: Market, sailing: str = "s-1") -> int:
    return market.sailings[sailing].fares["deck"][0]


def wait_for(condition: Callable[[], bool]) -> None:
    deadline = monotonic() + PATIENCE_S
    while not condition():
        assert monotonic() < deadline
        sleep(0.001)


def test_it_is_ready_with_everything_that_was_there_and_follows_what_comes(log: SqliteLog, store: MarketStore) -> None:
    append(log, *(fare(100 + number, NOW + number) for number in range(50)))
    tail = MarketTail(log, store)
    assert (tail.market, tail.ready.is_set()) == (EMPTY, False)
    tail.start()
    assert tail.ready.wait(PATIENCE_S)
    assert (tail.market.version, price(tail.market)) == (49, 149)
    before = tail.market
    append(log, fare(900, NOW + 100))
    wait_for(lambda: tail.market.version == 50)
    assert (price(tail.market), price(before)) == (900, 149), "a market in use does not change"
    tail.measure()
    assert REGISTRY.get_sample_value("offing_market_version", {"role": "tail"}) == 50
    assert 0 <= tail.age_s() < PATIENCE_S
    tail.stop(PATIENCE_S)


def test_with_a_clock_it_measures_how_late_what_comes_is_and_not_what_was_there(
    log: SqliteLog, store: MarketStore
) -> None:
    append(log, fare(100))
    counted = {"group": "market-tail"}
    before = REGISTRY.get_sample_value("offing_event_to_effect_seconds_count", counted)
    tail = MarketTail(log, store, wall_clock)
    tail.start()
    assert tail.ready.wait(PATIENCE_S)
    assert REGISTRY.get_sample_value("offing_event_to_effect_seconds_count", counted) == before
    append(log, fare(900, NOW + 100))
    wait_for(lambda: REGISTRY.get_sample_value("offing_event_to_effect_seconds_count", counted) == (before or 0) + 1)
    tail.stop(PATIENCE_S)


def test_an_empty_market_is_ready_at_once(log: SqliteLog, store: MarketStore) -> None:
    tail = MarketTail(log, store)
    tail.start()
    assert tail.ready.wait(PATIENCE_S)
    assert tail.market == EMPTY
    tail.stop(PATIENCE_S)


def test_it_goes_on_from_the_snapshot_and_reads_only_what_is_behind_it(log: SqliteLog, store: MarketStore) -> None:
    append(log, fare(4900), fare(3900, NOW + 1))
    snapshot = fold(EMPTY, [(0, NOW, fare(1, sailing="only-in-the-snapshot"))], log.epoch())
    store.save(snapshot)
    tail = MarketTail(log, store)
    tail.start()
    assert tail.ready.wait(PATIENCE_S)
    tail.stop(PATIENCE_S)
    assert tail.market.version == 1
    assert price(tail.market) == 3900
    assert price(tail.market, "only-in-the-snapshot") == 1


def test_a_snapshot_of_another_log_is_not_used(log: SqliteLog, store: MarketStore) -> None:
    store.save(fold(EMPTY, [(9, NOW, fare(1))], "another"))
    append(log, fare(4900))
    tail = MarketTail(log, store)
    tail.start()
    assert tail.ready.wait(PATIENCE_S)
    tail.stop(PATIENCE_S)
    assert (tail.market.epoch, price(tail.market)) == (log.epoch(), 4900)


def test_without_a_store_the_log_alone_will_do(log: SqliteLog, keys: Keys) -> None:
    append(log, fare(4900))
    with connect("unix:///tmp/offing-no-such-server") as client:
        tail = MarketTail(log, MarketStore(client, keys))
        tail.start()
        assert tail.ready.wait(PATIENCE_S)
        tail.stop(PATIENCE_S)
    assert price(tail.market) == 4900


def test_records_that_nobody_can_read_are_passed_over(log: SqliteLog, store: MarketStore) -> None:
    append(log, fare(4900))
    append_raw(log, MARKET, "s-1", b"bad", b"worse")
    tail = MarketTail(log, store)
    tail.start()
    assert tail.ready.wait(PATIENCE_S)
    append(log, fare(3900, NOW + 1))
    wait_for(lambda: tail.market.version == 3)
    tail.stop(PATIENCE_S)
    assert price(tail.market) == 3900


def test_an_older_copy_of_the_log_stops_it_before_it_is_ready(
    tmp_path: Path, log: SqliteLog, store: MarketStore
) -> None:
    append(log, fare(4900))
    with sqlite3.connect(tmp_path / "log") as db, sqlite3.connect(tmp_path / "older") as copy:
        db.backup(copy)
    copy.close()
    db.close()
    store.save(fold(EMPTY, [(1, NOW, fare(3900))], log.epoch()))
    older = open_log(tmp_path / "older")
    tail = MarketTail(older, store)
    with pytest.raises(LogRestarted):
        tail.start().result(PATIENCE_S)
    assert not tail.ready.is_set()
    older.close()
