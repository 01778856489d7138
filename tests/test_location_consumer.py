"""The location consumer: presence for 15 minutes, and not a coordinate anywhere else."""

from collections.abc import Iterator
from pathlib import Path
from time import sleep

import pytest
from prometheus_client import REGISTRY

from streams.consumer import by_the_record, wall_clock
from streams.errors import DeadLetterLimit
from streams.events import Event, Location
from streams.ids import CustomerId
from streams.instant import MINUTE_MS
from streams.location_consumer import GROUP, LocationConsumer
from streams.log import DEADLETTERS, LOCATIONS, EventLog
from streams.places import Fix, Whereabouts
from streams.profile_store import ProfileStore, read_presence
from streams.sqlite_log import SqliteLog
from streams.valkey import Client, Keys
from tests.makers import DEPLOYMENT, NOW, PATIENCE_S, append, append_raw, dead_letters, deployment, event, open_log

ANNA = CustomerId("anna")
LIVORNO = Location(43.5558, 10.3019, 20.0)
OLBIA = Location(40.9228, 9.5179, 20.0)


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    log = open_log(tmp_path / "log")
    yield log
    log.close()


@pytest.fixture
def store(client: Client, keys: Keys) -> ProfileStore:
    return ProfileStore(client, keys)


def located(where: Location, at: int = NOW, event_id: str = "e-1") -> Event:
    return event("customer.location", "anna", where, at, event_id)


def whereabouts(where: Location, at: int = NOW) -> Whereabouts:
    return DEPLOYMENT.places.resolve(Fix(where.lat, where.lon, where.accuracy_m, at), where.status)


def consume(log: EventLog, consumer: LocationConsumer) -> None:
    """Everything there is, in this thread."""
    subscription = log.subscribe(GROUP, (LOCATIONS,))
    while sum(subscription.positions().values()) < sum(log.end(LOCATIONS).values()):
        subscription.commit(consumer.take(subscription.poll(500, PATIENCE_S), {}))
    subscription.close()


def presence(client: Client, keys: Keys) -> Whereabouts | None:
    raw = client.get(keys.presence(ANNA))
    assert raw is None or isinstance(raw, bytes)
    return read_presence(raw)


def test_a_fix_becomes_whereabouts_that_expire(log: SqliteLog, store: ProfileStore, client: Client, keys: Keys) -> None:
    at = wall_clock() - 5 * MINUTE_MS
    append(log, located(LIVORNO, at), recorded=at)
    consume(log, LocationConsumer(log, store, deployment))
    assert presence(client, keys) == whereabouts(LIVORNO, at)
    left_ms = int(client.pttl(keys.presence(ANNA)))
    assert 0 < left_ms <= 10 * MINUTE_MS, "15 minutes from the fix, not from its arrival"
    raw = client.get(keys.presence(ANNA))
    assert isinstance(raw, bytes)
    assert b"lat" not in raw


def test_presence_is_gone_when_its_time_is_over(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    append(log, located(LIVORNO), recorded=NOW)
    consume(log, LocationConsumer(log, store, deployment, reckoning=lambda record: NOW + 15 * MINUTE_MS - 1))
    while client.exists(keys.presence(ANNA)):
        sleep(0.001)
    assert presence(client, keys) is None


def test_what_is_too_old_is_not_kept_at_all(log: SqliteLog, store: ProfileStore, client: Client, keys: Keys) -> None:
    before = REGISTRY.get_sample_value("offing_presence_total", {"result": "too_old"}) or 0
    append(log, located(LIVORNO), recorded=NOW)
    consume(log, LocationConsumer(log, store, deployment, reckoning=lambda record: NOW + 15 * MINUTE_MS))
    assert presence(client, keys) is None
    assert REGISTRY.get_sample_value("offing_presence_total", {"result": "too_old"}) == before + 1


def test_the_latest_fix_wins_in_whatever_order_they_arrive(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    append(log, located(OLBIA, NOW), located(LIVORNO, NOW - 1, "e-2"), recorded=NOW)
    consume(log, LocationConsumer(log, store, deployment, reckoning=by_the_record))
    assert presence(client, keys) == whereabouts(OLBIA)


def test_a_fix_from_the_future_counts_as_now(log: SqliteLog, store: ProfileStore, client: Client, keys: Keys) -> None:
    append(log, located(OLBIA, NOW + 60 * MINUTE_MS), recorded=NOW)
    append(log, located(LIVORNO, NOW + 1, "e-2"), recorded=NOW + 1)
    consume(log, LocationConsumer(log, store, deployment, reckoning=by_the_record))
    assert presence(client, keys) == whereabouts(LIVORNO, NOW + 1)


@pytest.mark.parametrize("status", ["denied", "off"])
def test_denied_and_off_forget_where_the_customer_was(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys, status: str
) -> None:
    append(log, located(LIVORNO), located(Location(43.5, 10.3, 20.0, status), NOW + 1, "e-2"), recorded=NOW + 1)
    append(log, located(LIVORNO, NOW, "e-3"), recorded=NOW + 2)  # sent before, arrives after
    consume(log, LocationConsumer(log, store, deployment, reckoning=by_the_record))
    assert presence(client, keys) == Whereabouts(status, at=NOW + 1)


def test_not_determined_and_hopelessly_coarse_fixes_leave_presence_alone(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    append(
        log,
        located(LIVORNO),
        located(Location(0, 0, 0, "not_determined"), NOW + 1, "e-2"),
        located(Location(40.0, 9.0, 60_000.0), NOW + 2, "e-3"),
        recorded=NOW + 2,
    )
    consume(log, LocationConsumer(log, store, deployment, reckoning=by_the_record))
    assert presence(client, keys) == whereabouts(LIVORNO)


def test_a_dead_letter_of_a_location_holds_its_address_and_nothing_of_the_place(
    log: SqliteLog, store: ProfileStore, client: Client, keys: Keys
) -> None:
    append(log, located(Location(943.5558, 10.3019)))
    append(log, located(Location(43.5558, 10.3019, -7.25), event_id="e-2"))
    append(log, located(Location(43.5558, 10.3019, 20.0, "at 43.5558"), event_id="e-3"))
    append_raw(log, LOCATIONS, "anna", b'{"type": "customer.location", "data": {"lat": "43.5558"}}')
    consume(log, LocationConsumer(log, store, deployment))
    letters = dead_letters(log)
    assert [(letter["offset"], letter["code"]) for letter in letters] == [
        (0, "LOCATION_INVALID"),
        (1, "LOCATION_INVALID"),
        (2, "LOCATION_INVALID"),
        (3, "EVENT_MALFORMED"),
    ]
    for record in log.read(DEADLETTERS, 0, 0, 10):
        assert not any(secret in record.value for secret in (b"3.5558", b"10.3019", b"7.25", b"anna"))
    assert presence(client, keys) is None


def test_nothing_but_bad_locations_stops_the_consumer(log: SqliteLog, store: ProfileStore) -> None:
    append_raw(log, LOCATIONS, "anna", *[b"bad"] * 5)
    consumer = LocationConsumer(log, store, deployment, in_a_row=3)
    with pytest.raises(DeadLetterLimit, match=r"4 records in a row of offing\.locations"):
        consumer.start().result(PATIENCE_S)
    assert dead_letters(log) == []
