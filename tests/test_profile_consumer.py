"""The profile consumer: each event once, whatever dies, is emptied, goes back or comes twice."""

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random

import pytest
from prometheus_client import REGISTRY

from streams.attributes import Attribute, Kind, attribute_set
from streams.consumer import Offsets
from streams.deployment import Deployment
from streams.embedded_valkey import EmbeddedValkey
from streams.errors import DeadLetterLimit, LogRestarted, Retry
from streams.events import Attributes, Booking, Consent, Event, Location, Outcome, Social, parse
from streams.ids import CustomerId
from streams.instant import DAY_MS
from streams.log import CUSTOMERS, DEADLETTERS, EventLog, partition_of
from streams.places import Places
from streams.profile import CounterKey, Profile, bucket_of
from streams.profile_consumer import GROUP, WAITS, ProfileConsumer, rebuild
from streams.profile_form import decode
from streams.profile_store import ProfileStore, Stored
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
    DEPLOYMENT,
    NOW,
    PATIENCE_S,
    append,
    append_raw,
    customers,
    dead_letters,
    deployment,
    event,
    open_log,
)

ANNA, BEN, CARLA = CustomerId("anna"), CustomerId("ben"), CustomerId("carla")
SEEN: CounterKey = ("exposed", "o-1", "k-1", "cabins", "app.home.hero", "", "phone")
BOOKED: CounterKey = ("friend_booked", "", "", "ITLIV-ITOLB", "", "s-1", "")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = open_log(tmp_path / "log", lease_s=LEASE_S)
    yield log
    log.close()


@pytest.fixture
def store(client: Client, keys: Keys) -> ProfileStore:
    return ProfileStore(client, keys)


def tier(level: str, at: int = NOW, event_id: str = "e-1", customer: str = "anna") -> Event:
    return event("customer.profile", customer, Attributes({"loyalty_tier": level}), at, event_id)


def exposed(event_id: str, at: int = NOW) -> Event:
    return event(
        "offer.exposed", "anna", Outcome("d-1", "o-1", "k-1", "cabins", "app.home.hero", "", "phone"), at, event_id
    )


def social() -> list[Event]:
    return [
        event("customer.consent", "anna", Consent({"social": True}), event_id="e-1"),
        event("customer.social", "anna", Social(["ben", "carla"]), event_id="e-2"),
    ]


def booking(event_id: str = "e-3", status: str = "open") -> Event:
    return event("customer.booking", "anna", Booking("b-1", "s-1", "ITLIV-ITOLB", status), NOW, event_id)


def profile(store: ProfileStore, customer: CustomerId) -> Profile:
    return store.load_many([customer], "any", [0]).profiles[customer].profile


def step(consumer: ProfileConsumer, log: EventLog) -> None:
    """One poll, take, commit by hand, in this thread."""
    subscription = log.subscribe(GROUP, (CUSTOMERS,))
    before = subscription.positions()
    records = subscription.poll(500, PATIENCE_S)
    try:
        subscription.commit(consumer.take(records, before))
    finally:
        subscription.close()


def friend_records(log: EventLog) -> list[tuple[str, Event]]:
    """Every customer.friend_booked on the log, by friend."""
    told = [
        (record.key, parse(record.value))
        for partition in range(CUSTOMERS.partitions)
        for record in log.read(CUSTOMERS, partition, 0, 10_000)
        if b"friend_booked" in record.value
    ]
    return sorted(told, key=lambda each: (each[0], each[1].id))


def empty(client: Client, keys: Keys) -> None:
    """Forget everything of a namespace at once."""
    found = [*client.scan_iter(f"{{{keys.namespace}:*"), *client.scan_iter(f"{keys.namespace}:*")]
    client.delete(*found)


def test_events_become_facts_and_their_effect_is_measured(log: SqliteLog, store: ProfileStore) -> None:
    labels = {"type": "customer.profile", "status": "applied"}
    before = REGISTRY.get_sample_value("offing_folded_total", labels) or 0
    append(log, tier("silver"), tier("gold", NOW + 1, "e-2"), exposed("e-3"), tier("blue", customer="ben"))
    consume(log, store)
    assert profile(store, ANNA).facts.cells[1].value == "gold"
    assert profile(store, ANNA).facts.counters == {SEEN: {bucket_of(NOW): 1}}
    assert profile(store, BEN).facts.cells[1].value == "blue"
    assert REGISTRY.get_sample_value("offing_folded_total", labels) == before + 3
    assert REGISTRY.get_sample_value("offing_consumer_up", {"group": GROUP}) == 0


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


class Interrupted(ProfileStore):
    """Something happens between the fold and the save of the first batch."""

    def __init__(self, client: Client, keys: Keys, happening: Callable[[], None]) -> None:
        super().__init__(client, keys)
        self._happenings = [happening]

    def save_many(self, changes: Mapping[CustomerId, tuple[Stored, Profile]]) -> tuple[CustomerId, ...]:
        if changes and self._happenings:
            self._happenings.pop()()
        return super().save_many(changes)


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


def test_a_friend_is_told_exactly_once_though_the_booking_is_sent_again_and_the_consumer_dies(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    append(log, *social(), booking(), recorded=NOW)

    def die() -> None:
        raise SystemExit

    with pytest.raises(SystemExit):
        step(make_consumer(log, Interrupted(client, keys, die)), log)
    assert [friend for friend, _ in friend_records(log)] == ["ben", "carla"], "told before the booking was saved"
    append(log, booking(), booking("e-4"), recorded=NOW + 1)
    consume(log, store)
    records = friend_records(log)
    assert {each.id for friend, each in records if friend == "ben"} == {records[0][1].id}
    for friend in (BEN, CARLA):
        assert profile(store, friend).facts.counters == {BOOKED: {bucket_of(NOW): 1}}
    assert profile(store, ANNA).facts.counters == {}


def test_old_bookings_brought_in_later_tell_nobody(log: SqliteLog, store: ProfileStore) -> None:
    append(log, *social(), booking(), recorded=NOW)
    consumer = ProfileConsumer(log, store, deployment, reckoning=lambda record: NOW + 8 * DAY_MS)
    consumer.start()
    wait_until_behind(log, store, 0)
    consumer.stop(PATIENCE_S)
    assert profile(store, ANNA).facts.bookings["b-1"].status == "open"
    assert friend_records(log) == []


def test_a_bad_event_among_good_ones_gets_a_dead_letter_with_its_address(log: SqliteLog, store: ProfileStore) -> None:
    (first,) = append(log, tier("silver"))
    (bad,) = append_raw(log, CUSTOMERS, "anna", b'{"specversion": "1.0"}')
    (strayed,) = append_raw(log, CUSTOMERS, "anna", _located())
    (last,) = append(log, tier("gold", NOW + 1, "e-2"))
    consume(log, store)
    assert profile(store, ANNA).facts.cells[1].value == "gold"
    assert profile(store, ANNA).delivery.watermarks == {log.epoch(): (first.partition, last.offset)}
    letters = dead_letters(log)
    assert [(letter["offset"], letter["code"]) for letter in letters] == [
        (bad.offset, "EVENT_MALFORMED"),
        (strayed.offset, "EVENT_MISPLACED"),
    ]
    assert letters[0]["payload"] == '{"specversion": "1.0"}'
    assert all(b"43.5558" not in record.value for record in log.read(DEADLETTERS, 0, 0, 10))


def _located() -> bytes:
    return (
        b'{"specversion": "1.0", "id": "e-9", "source": "test", "type": "customer.location", "subject": "anna",'
        b' "time": "2026-11-21T18:04:11Z", "data": {"lat": 43.5558, "lon": 10.3019}}'
    )


def test_counted_events_that_come_too_late_or_too_many_get_dead_letters(log: SqliteLog, store: ProfileStore) -> None:
    append(log, exposed("e-0", NOW - 8 * DAY_MS), recorded=NOW)
    append_all(log, [exposed(f"e-{number}") for number in range(1, 2_003)])
    consume(log, store)
    assert profile(store, ANNA).facts.counters == {SEEN: {bucket_of(NOW): 2_000}}
    assert [letter["code"] for letter in dead_letters(log)] == [
        "COUNTED_TOO_LATE", "TOO_MANY_COUNTED", "TOO_MANY_COUNTED"
    ]  # fmt: skip


BRIEF = Deployment(
    attribute_set(
        (
            Attribute("customer", "note", 1, Kind.STRING, retention_ms=DAY_MS),
            Attribute("customer", "children", 2, Kind.INTEGER),
        )
    ),
    Places(),
)


def consume_brief(log: EventLog, store: ProfileStore) -> None:
    consumer = make_consumer(log, store, active=lambda: BRIEF)
    consumer.start()
    wait_until_behind(log, store, 0)
    consumer.stop(PATIENCE_S)


def stored(client: Client, keys: Keys) -> bytes:
    raw = client.get(keys.profile(ANNA))
    return raw if isinstance(raw, bytes) else b""


def noted(number: int, at: int, **attributes: str | int) -> Event:
    return event("customer.profile", "anna", Attributes({**attributes}), at, f"e-{number}")


def test_a_value_past_its_retention_leaves_the_store_with_the_customers_next_event(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    late = NOW + DAY_MS + 1
    append(log, noted(1, NOW, note="<private>", children=2), recorded=NOW)
    consume_brief(log, store)
    assert b"<private>" in stored(client, keys)
    append(log, noted(2, NOW - 1, note="<older>"), noted(3, late, children=3), recorded=late)
    consume_brief(log, store)
    raw = stored(client, keys)
    assert (b"<private>" in raw, b"<older>" in raw) == (False, False)
    assert {number: cell.value for number, cell in decode(raw).facts.cells.items()} == {2: 3}


def test_what_is_purged_is_the_same_however_the_log_is_cut_into_batches(
    log: SqliteLog, client: Client, namespace: str
) -> None:
    random = Random(5)
    for number in range(60):  # recorded by several doors, whose clocks differ
        recorded = NOW + number * DAY_MS // 10 - random.randrange(DAY_MS // 2)
        sent = noted(number, recorded - random.randrange(2 * DAY_MS), note=f"n-{number}")
        append(log, sent, recorded=recorded)
    partition, found = partition_of(ANNA, CUSTOMERS), []
    for batch in (1, 7, 60):
        store = ProfileStore(client, Keys(f"{namespace}-{batch}"))
        for first in range(0, 60, batch):
            again = max(0, first - 3)  # what a crash before the commit repeats
            records = log.read(CUSTOMERS, partition, again, first - again + batch)
            taker = make_consumer(log, store, active=lambda: BRIEF)
            taker.take(records, {(CUSTOMERS.name, partition): again})
        found.append(profile(store, ANNA).facts)
    assert found[0] == found[1] == found[2]
    assert 0 < len(found[0].cells)


def test_a_value_accepted_by_a_door_that_has_reloaded_is_not_lost_on_a_consumer_that_has_not(
    log: SqliteLog, store: ProfileStore
) -> None:
    active, looks = DEPLOYMENT, 0

    def reloading() -> Deployment:
        nonlocal active, looks
        looks += 1
        active = BRIEF if looks == 6 else active
        return active

    append(log, noted(1, NOW, note="new", shoe_size=42))
    consumer = make_consumer(log, store, active=reloading)
    consumer.start()
    wait_until_behind(log, store, 0)
    consumer.stop(PATIENCE_S)
    assert profile(store, ANNA).facts.cells[1].value == "new"


def test_a_name_nobody_declares_is_waited_for_a_few_times_and_then_never_again(
    log: SqliteLog, store: ProfileStore
) -> None:
    append(log, noted(1, NOW, shoe_size=42), noted(2, NOW, shoe_size=43, children=1))
    first, second = log.read(CUSTOMERS, partition_of(ANNA, CUSTOMERS), 0, 2)
    consumer, pair = make_consumer(log, store), (CUSTOMERS.name, first.position.partition)
    for _ in range(WAITS):
        with pytest.raises(Retry, match="1 attributes accepted at the doors"):
            consumer.take([first], {pair: 0})
    assert consumer.take([first], {pair: 0}) == {pair: 1}
    assert consumer.take([second], {pair: 1}) == {pair: 2}
    assert profile(store, ANNA).facts.cells[2].value == 1


def test_one_phone_that_counts_without_end_stops_nobody(log: SqliteLog, store: ProfileStore) -> None:
    append_all(log, [exposed(f"e-{number}") for number in range(2_150)])
    append(log, tier("gold", customer="ben"))
    consume(log, store)
    assert {letter["code"] for letter in dead_letters(log)} == {"TOO_MANY_COUNTED"}
    assert len(dead_letters(log)) == 150
    assert profile(store, BEN).facts.cells[1].value == "gold"


def test_a_stream_of_nothing_but_bad_events_stops_the_consumer(log: SqliteLog, store: ProfileStore) -> None:
    append_raw(log, CUSTOMERS, "anna", *[b"bad"] * 30)
    consumer = ProfileConsumer(log, store, deployment, in_a_row=10)
    with pytest.raises(DeadLetterLimit, match="11 records in a row"):
        consumer.start().result(PATIENCE_S)
    assert dead_letters(log) == []
    mended = ProfileConsumer(log, store, deployment, in_a_row=50)
    mended.start()
    wait_until_behind(log, store, 0)
    mended.stop(PATIENCE_S)
    assert len(dead_letters(log)) == 30, "nothing was committed, so all of them came again"


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


def test_nothing_owned_is_nothing_done(log: SqliteLog, store: ProfileStore) -> None:
    nothing: Offsets = {}
    assert make_consumer(log, store).take((), nothing) == {}


def test_a_location_never_becomes_a_fact(log: SqliteLog, store: ProfileStore, client: Client, keys: Keys) -> None:
    append_raw(log, CUSTOMERS, "anna", _located())
    append(log, event("customer.location", "anna", Location(43.5558, 10.3019)))
    consume(log, store)
    assert profile(store, ANNA).facts == Profile().facts
    raw = client.get(keys.profile(ANNA))
    assert raw is None or decode(raw if isinstance(raw, bytes) else b"").facts == Profile().facts


def test_a_store_that_is_down_at_the_start_is_waited_for(log: SqliteLog, keys: Keys) -> None:
    with connect("unix:///tmp/offing-no-such-server") as client:
        consumer = make_consumer(log, ProfileStore(client, keys))
        before = {(CUSTOMERS.name, 0): 0}
        with pytest.raises(Retry, match="Redis does not answer"):
            consumer.take((), before)
