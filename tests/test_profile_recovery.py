"""The profile consumer and what dies, is emptied, goes back or comes twice: the facts are the same afterwards."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from prometheus_client import REGISTRY

from streams.embedded_valkey import EmbeddedValkey
from streams.errors import LogRestarted, Retry
from streams.ids import CustomerId
from streams.log import CUSTOMERS, partition_of
from streams.profile import bucket_of
from streams.profile_consumer import GROUP, ProfileConsumer, rebuild
from streams.profile_store import ProfileStore
from streams.sqlite_log import SqliteLog
from streams.valkey import Client, Keys, connect
from tests.kill_consumer import (
    LEASE_S,
    append_all,
    consume,
    disturbed,
    facts,
    history,
    introductions,
    killed_and_undisturbed,
    make_consumer,
    wait_until_behind,
)
from tests.makers import (
    NOW,
    PATIENCE_S,
    append,
    append_raw,
    customers,
    dead_letters,
    deployment,
    open_log,
)
from tests.profile_stage import (
    ANNA,
    BEN,
    SEEN,
    Interrupted,
    empty,
    exposed,
    friend_records,
    profile,
    tier,
)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = open_log(tmp_path / "log", lease_s=LEASE_S)
    yield log
    log.close()


@pytest.fixture
def store(client: Client, keys: Keys) -> ProfileStore:
    return ProfileStore(client, keys)


def test_duplicates_and_reordering_change_nothing(tmp_path: Path, client: Client, namespace: str) -> None:
    random, people = Random(7), customers(20)
    events = [*introductions(people, random), *history(600, people, random)]
    found = []
    for number, sent in enumerate((events, [*events[:20], *disturbed(events[20:], random)])):
        log = open_log(tmp_path / str(number), lease_s=LEASE_S)
        store = ProfileStore(client, Keys(f"{namespace}-{number}"))
        append_all(log, sent)
        consume(log, store)
        found.append(facts(store, people))
        log.close()
    assert found[0] == found[1]


def test_a_consumer_killed_again_and_again_leaves_the_same_facts(
    tmp_path: Path, valkey_url: str, namespace: str
) -> None:
    killed, undisturbed = killed_and_undisturbed(tmp_path, valkey_url, namespace, count=3_000, kills=4)
    assert killed == undisturbed


@pytest.mark.prove
def test_thirty_kills_in_a_hundred_thousand_events_leave_the_same_facts(
    tmp_path: Path, valkey_url: str, namespace: str
) -> None:
    killed, undisturbed = killed_and_undisturbed(tmp_path, valkey_url, namespace, count=100_000, kills=30)
    assert killed == undisturbed


def test_a_store_emptied_under_a_running_consumer_is_built_again(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    random, people = Random(3), customers(20)
    append_all(log, [*introductions(people, random), *history(300, people, random)])
    consumer = make_consumer(log, store)
    consumer.start()
    wait_until_behind(log, store, 0)
    before, told = facts(store, people), friend_records(log)
    empty(client, keys)
    wait_until_behind(log, store, 0)
    consumer.stop(PATIENCE_S)
    assert facts(store, people) == before
    assert friend_records(log) == told, "nobody is told twice"


def test_a_store_emptied_while_nobody_looked_is_built_again_though_the_log_is_silent(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    random, people = Random(4), customers(20)
    append_all(log, [*introductions(people, random), *history(300, people, random)])
    append_raw(log, CUSTOMERS, "c-1", b"bad")
    consume(log, store)
    before, told = facts(store, people), friend_records(log)
    empty(client, keys)
    consume(log, store)
    assert facts(store, people) == before
    assert friend_records(log) == told
    assert len(dead_letters(log)) == 1, "what was reported is not reported again"


def test_a_fresh_namespace_is_built_from_the_log(log: SqliteLog, client: Client, namespace: str) -> None:
    random, people = Random(5), customers(20)
    append_all(log, [*introductions(people, random), *history(300, people, random)])
    old, new = ProfileStore(client, Keys(namespace)), ProfileStore(client, Keys(f"{namespace}-new"))
    consume(log, old)
    told = friend_records(log)
    rebuild(log, new, deployment)
    assert facts(new, people) == facts(old, people)
    assert friend_records(log) == told
    before = REGISTRY.get_sample_value("offing_reread_records_total", {"group": GROUP})
    consume(log, new)
    assert facts(new, people) == facts(old, people)
    assert before is not None


@pytest.mark.parametrize("signals", [(signal.SIGTERM,), (signal.SIGKILL, signal.SIGKILL)])
def test_a_server_stopped_and_started_under_load_loses_nothing(
    tmp_path: Path, log: SqliteLog, signals: tuple[signal.Signals, ...], namespace: str
) -> None:
    server = EmbeddedValkey(tmp_path / "valkey")
    random, people = Random(6), customers(20)
    events = [*introductions(people, random), *history(900, people, random)]
    with connect(server.start()) as client:
        store, calm = ProfileStore(client, Keys(namespace)), ProfileStore(client, Keys(f"{namespace}-calm"))
        consumer = make_consumer(log, store)
        consumer.start()
        size = len(events) // len(signals) + 1
        for number, how in enumerate(signals):
            append_all(log, events[number * size : (number + 1) * size])
            wait_until_behind(log, store, size // 2)
            os.kill(server.pid, how)
            server.stop()
            server.start()
        wait_until_behind(log, store, 0)
        consumer.stop(PATIENCE_S)
        rebuild(log, calm, deployment)
        assert facts(store, people) == facts(calm, people)
    server.stop()


def test_a_server_that_comes_back_with_an_older_copy_is_brought_up_to_date(
    tmp_path: Path, log: SqliteLog, namespace: str
) -> None:
    folder = tmp_path / "valkey"
    server = EmbeddedValkey(folder)
    random, people = Random(8), customers(20)
    events = [*introductions(people, random), *history(600, people, random)]
    with connect(server.start()) as client:
        store = ProfileStore(client, Keys(namespace))
        consumer = make_consumer(log, store)
        consumer.start()
        append_all(log, events[:300])
        wait_until_behind(log, store, 0)
        server.stop()
        shutil.copytree(folder, tmp_path / "copy")
        server.start()
        append_all(log, events[300:])
        wait_until_behind(log, store, 0)
        newest, told = facts(store, people), friend_records(log)
        server.stop()
        shutil.rmtree(folder)
        shutil.copytree(tmp_path / "copy", folder)
        server.start()
        wait_until_behind(log, store, 0)
        consumer.stop(PATIENCE_S)
        assert facts(store, people) == newest
        assert friend_records(log) == told
    server.stop()


def test_a_shard_that_lost_its_last_seconds_is_brought_up_to_date_after_the_connection_moved(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    append(log, *(exposed(f"e-{number}") for number in range(5)))
    consume(log, store)
    old = client.get(keys.profile(ANNA))
    append(log, *(exposed(f"e-{number}") for number in range(5, 9)))
    consumer = make_consumer(log, store)
    consumer.start()
    wait_until_behind(log, store, 0)
    assert isinstance(old, bytes)
    client.set(keys.profile(ANNA), old)  # the progress, on another shard, is still there
    client.connection_pool.disconnect()
    append(log, exposed("e-9"))
    wait_until_behind(log, store, 0)
    consumer.stop(PATIENCE_S)
    assert profile(store, ANNA).facts.counters == {SEEN: {bucket_of(NOW): 10}}


def test_a_consumer_that_lost_its_partition_unawares_overwrites_nothing(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    append(log, tier("silver"), exposed("e-2"))

    def meanwhile() -> None:
        append(log, tier("gold", NOW + 1, "e-3"), exposed("e-4"))
        consume(log, store)

    conflicts = REGISTRY.get_sample_value("offing_fold_conflicts_total") or 0
    zombie = make_consumer(log, Interrupted(client, keys, meanwhile))
    before = {(CUSTOMERS.name, partition): 0 for partition in range(CUSTOMERS.partitions)}
    records = [record for partition in range(CUSTOMERS.partitions) for record in log.read(CUSTOMERS, partition, 0, 9)]
    zombie.take(records, before)
    assert profile(store, ANNA).facts.cells[1].value == "gold"
    assert profile(store, ANNA).facts.counters == {SEEN: {bucket_of(NOW): 2}}
    assert REGISTRY.get_sample_value("offing_fold_conflicts_total") == conflicts + 1


NEIGHBOUR = next(each for each in customers(100) if partition_of(each, CUSTOMERS) == partition_of(BEN, CUSTOMERS))
"""Shares a partition with ben, so that only the store's own progress can tell that ben is missing."""


@pytest.mark.parametrize("customer", [ANNA, NEIGHBOUR])
def test_a_store_emptied_between_fold_and_save_is_noticed(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys, customer: CustomerId
) -> None:
    append(log, tier("silver", customer="ben"), tier("silver", customer="anna"))
    consume(log, store)
    append(log, tier("gold", NOW + 1, "e-2", customer))
    consume(log, Interrupted(client, keys, lambda: empty(client, keys)))
    assert profile(store, customer).facts.cells[1].value == "gold"
    assert profile(store, BEN).facts.cells[1].value == "silver", "not in the batch, yet built again"


def test_an_older_copy_of_the_log_stops_the_consumer(tmp_path: Path, log: SqliteLog, store: ProfileStore) -> None:
    append(log, tier("silver"))
    with sqlite3.connect(tmp_path / "log") as db, sqlite3.connect(tmp_path / "older") as copy:
        db.backup(copy)
    copy.close()
    db.close()
    append(log, tier("gold", NOW + 1, "e-2"))
    consume(log, store)
    older = open_log(tmp_path / "older")
    assert older.epoch() == log.epoch()
    with pytest.raises(LogRestarted, match="it is an older copy") as caught:
        ProfileConsumer(older, store, deployment).start().result(PATIENCE_S)
    assert caught.value.code == "LOG_RESTARTED"
    older.close()


def test_a_new_log_goes_on_from_the_facts_of_the_old_one(tmp_path: Path, log: SqliteLog, store: ProfileStore) -> None:
    append(log, tier("silver"), exposed("e-2"))
    consume(log, store)
    new = open_log(tmp_path / "new")
    append(new, exposed("e-2"), exposed("e-3"))
    consume(new, store)
    assert profile(store, ANNA).facts.cells[1].value == "silver"
    assert profile(store, ANNA).facts.counters == {SEEN: {bucket_of(NOW): 2}}, "an id counts once in any log"
    new.close()


def test_two_consumers_share_the_work(log: SqliteLog, store: ProfileStore, client: Client, keys: Keys) -> None:
    random, people = Random(9), customers(40)
    consumers = [make_consumer(log, store) for _ in range(2)]
    for consumer in consumers:
        consumer.start()
    events = [*introductions(people, random), *history(400, people, random)]
    append_all(log, events)
    wait_until_behind(log, store, 0)
    for consumer in consumers:
        consumer.stop(PATIENCE_S)
    alone = ProfileStore(client, Keys(f"{keys.namespace}-alone"))
    rebuild(log, alone, deployment)
    assert facts(store, people) == facts(alone, people)


def test_a_store_that_is_down_at_the_start_is_waited_for(log: SqliteLog, keys: Keys) -> None:
    with connect("unix:///tmp/offing-no-such-server") as client:
        consumer = make_consumer(log, ProfileStore(client, keys))
        before = {(CUSTOMERS.name, 0): 0}
        with pytest.raises(Retry, match="Redis does not answer"):
            consumer.take((), before)
