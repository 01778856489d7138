"""The profile consumer: what becomes of each event, and who is told."""

from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from prometheus_client import REGISTRY

from streams.attributes import Attribute, Kind, attribute_set
from streams.consumer import Offsets
from streams.deployment import Deployment
from streams.errors import DeadLetterLimit, Retry
from streams.events import Attributes, Event, Location
from streams.instant import DAY_MS
from streams.log import CUSTOMERS, DEADLETTERS, EventLog, partition_of
from streams.places import Places
from streams.profile import Profile, bucket_of, mark_of_epoch
from streams.profile_consumer import GROUP, WAITS, ProfileConsumer
from streams.profile_form import decode
from streams.profile_store import ProfileStore
from streams.sqlite_log import SqliteLog
from streams.valkey import Client, Keys
from tests.kill_consumer import (
    LEASE_S,
    append_all,
    consume,
    make_consumer,
    wait_until_behind,
)
from tests.makers import (
    DEPLOYMENT,
    NOW,
    PATIENCE_S,
    append,
    append_raw,
    dead_letters,
    deployment,
    event,
    open_log,
)
from tests.profile_stage import (
    ANNA,
    BEN,
    BOOKED,
    CARLA,
    SEEN,
    Interrupted,
    booking,
    exposed,
    friend_records,
    profile,
    social,
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


def step(consumer: ProfileConsumer, log: EventLog) -> None:
    """One poll, take, commit by hand, in this thread."""
    subscription = log.subscribe(GROUP, (CUSTOMERS,))
    before = subscription.positions()
    records = subscription.poll(500, PATIENCE_S)
    try:
        subscription.commit(consumer.take(records, before))
    finally:
        subscription.close()


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
    assert profile(store, ANNA).delivery.watermarks == {mark_of_epoch(log.epoch()): (first.partition, last.offset)}
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
    assert "<private>" in repr(decode(stored(client, keys)))
    append(log, noted(2, NOW - 1, note="<older>"), noted(3, late, children=3), recorded=late)
    consume_brief(log, store)
    found = decode(stored(client, keys))
    assert ("<private>" in repr(found), "<older>" in repr(found)) == (False, False)
    assert {number: cell.value for number, cell in found.facts.cells.items()} == {2: 3}


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
