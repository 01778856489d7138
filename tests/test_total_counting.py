"""The profile consumer counts over all customers: each event once, whatever comes twice, dies or is emptied."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from random import Random

import pytest

from streams.deployment import Deployment
from streams.events import Attributes, Consent, Event, Outcome
from streams.instant import DAY_MS
from streams.log import CUSTOMERS, partition_of
from streams.places import Places
from streams.profile_store import ProfileStore
from streams.sqlite_log import SqliteLog
from streams.total_store import TotalReader
from streams.totals import Series
from streams.valkey import Client, Keys
from tests.kill_consumer import (
    LEASE_S,
    append_all,
    consume,
    disturbed,
    kill,
    make_consumer,
    spawn,
    wait_until_behind,
)
from tests.makers import ATTRIBUTES, NOW, PATIENCE_S, append, customers, event, open_log
from tests.profile_stage import Interrupted, empty, exposed

BY_CHILDREN = Series("redeemed", "campaign", "k-0", by="customer.children")
SINCE_EVER = Series("redeemed", "campaign", "k-0")


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = open_log(tmp_path / "log", lease_s=LEASE_S)
    yield log
    log.close()


@pytest.fixture
def store(client: Client, keys: Keys) -> ProfileStore:
    return ProfileStore(client, keys)


def outcome(number: int, customer: str, kind: str = "redeemed", campaign: str = "k-0") -> Event:
    data = Outcome(f"d-{number}", f"o-{campaign}", campaign, "cabins", "app.home.hero", "", "phone")
    return event(f"offer.{kind}", customer, data, NOW + number, f"e-{number}")


def outcomes(count: int, random: Random) -> list[Event]:
    people = customers(30)
    return [
        outcome(number, random.choice(people), random.choice(("redeemed", "exposed")), f"k-{random.randrange(3)}")
        for number in range(count)
    ]


def expected(events: list[Event]) -> Mapping[str, int]:
    """What plain counting makes of them, each once."""
    once = {each.id: each for each in events}.values()
    named = ((each.type.split(".")[1], each.data) for each in once)
    return Counter(f"{kind}|campaign|{data.campaign_id}|ever|||" for kind, data in named if isinstance(data, Outcome))


def totals(client: Client, keys: Keys) -> Mapping[str, int]:
    return TotalReader(client, keys).read().counts


def test_duplicates_and_reordering_are_counted_once(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    random = Random(11)
    events = outcomes(400, random)
    append_all(log, disturbed(events, random))
    consume(log, store)
    assert totals(client, keys) == expected(events)


def test_a_killed_consumer_may_miss_some_and_doubles_none(
    tmp_path: Path, valkey_url: str, namespace: str, log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    random = Random(12)
    events = outcomes(800, random)
    for start in range(0, 800, 400):
        append_all(log, disturbed(events[start : start + 400], random))
        process = spawn(tmp_path / "log", valkey_url, namespace)
        wait_until_behind(log, store, most=random.randrange(100, 300))
        kill(process)
    consume(log, store)
    found, all_of_it = totals(client, keys), expected(events)
    assert found.keys() == all_of_it.keys()
    assert all(found[field] <= number for field, number in all_of_it.items()), "never doubled"
    assert sum(found.values()) >= 800 - 2 * 50, "a kill costs one batch at most"


def test_a_store_emptied_is_counted_again_from_the_log(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    events = outcomes(200, Random(13))
    append_all(log, events)
    consumer = make_consumer(log, store)
    consumer.start()
    wait_until_behind(log, store, 0)
    empty(client, keys)
    wait_until_behind(log, store, 0)
    consumer.stop(PATIENCE_S)
    assert totals(client, keys) == expected(events)


def test_a_profile_that_somebody_else_saved_meanwhile_is_counted_once(
    log: SqliteLog, client: Client, keys: Keys
) -> None:
    others, partition = make_consumer(log, ProfileStore(client, keys)), partition_of("anna", CUSTOMERS)

    def somebody_else() -> None:
        records = log.read(CUSTOMERS, partition, 0, 100)
        others.take(records, {(CUSTOMERS.name, partition): 0})

    append(log, exposed("e-1"), exposed("e-2"), recorded=NOW)
    consume(log, Interrupted(client, keys, somebody_else))
    assert totals(client, keys) == {"exposed|campaign|k-1|ever|||": 2}


def test_only_live_events_in_time_are_counted(log: SqliteLog, store: ProfileStore, client: Client, keys: Keys) -> None:
    rehearsed = Event("e-9", "test", "offer.exposed", "anna", NOW, exposed("e-9").data, "test")
    append(log, exposed("e-1"), exposed("e-2", NOW - 9 * DAY_MS), rehearsed, recorded=NOW)
    consume(log, store)
    assert totals(client, keys) == {"exposed|campaign|k-1|ever|||": 1}


def test_who_has_the_same_value_shares_a_total_and_who_withholds_it_has_none(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    for number, (customer, children, agreed) in enumerate(
        (("anna", 2, True), ("ben", 2, True), ("carla", 1, True), ("dora", 2, False))
    ):
        said = event("customer.profile", customer, Attributes({"children": children}), event_id=f"p-{number}")
        consent = event("customer.consent", customer, Consent({"personalised_offers": agreed}), event_id=f"c-{number}")
        append(log, said, consent, outcome(number, customer), recorded=NOW)
    active = Deployment(ATTRIBUTES, Places(), (BY_CHILDREN,))
    consumer = make_consumer(log, store, active=lambda: active)
    consumer.start()
    wait_until_behind(log, store, 0)
    consumer.stop(PATIENCE_S)
    found = TotalReader(client, keys).read()
    assert [found.of(BY_CHILDREN, NOW, value) for value in ("2", "1", "0")] == [2, 1, 0]
    assert found.of(SINCE_EVER, NOW) == 4
