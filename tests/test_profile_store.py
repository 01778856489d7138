"""Profiles, presence and pending events in Redis."""

from collections.abc import Iterator, Mapping
from typing import cast

import anyio
import msgspec
import pytest

from offers.answer_store import AnswerStore
from streams.address import Address
from streams.attributes import Value
from streams.errors import Retry, Stop
from streams.events import Attributes, Event, Location
from streams.fold import fold
from streams.ids import CustomerId
from streams.log import CUSTOMERS, LOCATIONS, Position
from streams.places import Whereabouts
from streams.profile import EMPTY, Opened, Profile
from streams.profile_form import encode
from streams.profile_store import (
    PENDING_ENTRIES,
    ProfileStore,
    Stored,
    is_behind,
    pending_line,
    presence_bytes,
    read_pending,
    read_presence,
    read_profile,
)
from streams.reached import NOTHING, Reached
from streams.valkey import Client, Keys, connect, connect_async
from tests.makers import ATTRIBUTES, NOW, event

ANNA, BEN, CARLA = CustomerId("anna"), CustomerId("ben"), CustomerId("carla")
HERE = Whereabouts("precise", "861ea0797ffffff", 50, (("fence:port", 3),), NOW)


def said(subject: str, event_id: str = "e-1", **attributes: Value) -> Event:
    return event("customer.profile", subject, Attributes(dict(attributes)), event_id=event_id)


def at(offset: int) -> Position:
    return Position("log-1", CUSTOMERS.name, 3, offset)


def profile_of(customer: str, offset: int, tier: str) -> Profile:
    return fold(EMPTY, said(customer, loyalty_tier=tier), at(offset), NOW, ATTRIBUTES).profile


def reads_so_far(client: Client) -> int:
    """How often the server read from a socket: once for each small round trip."""
    return int(client.info("stats")["total_reads_processed"])


def values(found: Mapping[CustomerId, Stored]) -> dict[CustomerId, Profile]:
    return {customer: stored.profile for customer, stored in found.items()}


@pytest.fixture
def client(store_client: Client) -> Client:
    """Of one server and of a cluster: what is here holds on both."""
    return store_client


@pytest.fixture
def one_client(valkey_url: str) -> Iterator[Client]:
    """Of one server: what is counted on it."""
    with connect(valkey_url) as client:
        yield client


def test_many_profiles_are_saved_and_loaded_in_one_round_trip_each(one_client: Client, keys: Keys) -> None:
    client = one_client
    store = ProfileStore(client, keys)
    unknown = store.load_many([ANNA, BEN], "log-1", [3])
    assert values(unknown.profiles) == {ANNA: EMPTY, BEN: EMPTY}
    assert unknown.reached == {3: NOTHING}
    anna, ben = profile_of("anna", 4, "gold"), profile_of("ben", 5, "blue")
    store.save_many({CARLA: (Stored(), Opened.of(anna))})
    client.delete(keys.profile(CARLA))
    reads = reads_so_far(client)
    refused = store.save_many(
        {ANNA: (unknown.profiles[ANNA], Opened.of(anna)), BEN: (unknown.profiles[BEN], Opened.of(ben))}
    )
    assert refused == ()
    assert reads_so_far(client) == reads + 2, "one for the save, one for asking"
    assert values(store.load_many([ANNA, BEN, CARLA], "log-1", [3]).profiles) == {ANNA: anna, BEN: ben, CARLA: EMPTY}
    assert reads_so_far(client) == reads + 4
    assert client.get(keys.profile(ANNA)) == encode(anna)
    assert read_profile(encode(anna)) == anna
    assert read_profile(None) == EMPTY


def test_a_consumer_that_lost_its_partition_overwrites_nothing(client: Client, keys: Keys) -> None:
    store = ProfileStore(client, keys)
    zombie = store.load_many([ANNA, BEN], "log-1", [3]).profiles
    newer = profile_of("anna", 9, "gold")
    store.save_many({ANNA: (zombie[ANNA], Opened.of(newer))})
    stale = {
        ANNA: (zombie[ANNA], Opened.of(profile_of("anna", 4, "blue"))),
        BEN: (zombie[BEN], Opened.of(profile_of("ben", 5, "blue"))),
    }
    assert store.save_many(stale) == (ANNA,)
    assert values(store.load_many([ANNA], "log-1", [3]).profiles) == {ANNA: newer}


def test_a_server_that_forgot_the_scripts_is_told_them_again(client: Client, keys: Keys) -> None:
    store = ProfileStore(client, keys)
    for offset in range(2):
        client.script_flush()
        found = store.load_many([ANNA], "log-1", [3]).profiles[ANNA]
        assert store.save_many({ANNA: (found, Opened.of(profile_of("anna", offset, "gold")))}) == ()
        client.script_flush()
        store.keep_presence([(ANNA, HERE, 60_000)])
    assert values(store.load_many([ANNA], "log-1", [3]).profiles) == {ANNA: profile_of("anna", 1, "gold")}
    assert client.exists(keys.presence(ANNA))


def test_progress_moves_only_from_what_was_loaded(client: Client, keys: Keys) -> None:
    store = ProfileStore(client, keys)
    first, second = Reached(10, 0, 10, NOW), Reached(20, 0, 10, NOW)
    assert store.advance("log-1", {3: (NOTHING, first), 4: (NOTHING, first)})
    assert not store.advance("log-1", {3: (first, second), 4: (NOTHING, second)})
    assert store.load_many([], "log-1", [3, 4, 5]).reached == {3: first, 4: first, 5: NOTHING}
    assert store.load_many([], "log-2", [3]).reached == {3: NOTHING}, "another log has another progress"


def test_a_profile_of_a_later_version_stops_instead_of_being_overwritten(client: Client, keys: Keys) -> None:
    client.set(keys.profile(ANNA), b"\x63whatever")
    with pytest.raises(Stop, match="format 99"):
        ProfileStore(client, keys).load_many([ANNA], "log-1", [3])


def test_a_server_that_is_not_there_is_retry(keys: Keys) -> None:
    with connect("unix:///tmp/offing-no-such-server") as client:
        store = ProfileStore(client, keys)
        with pytest.raises(Retry):
            store.load_many([ANNA], "log-1", [3])
        with pytest.raises(Retry):
            store.save_many({ANNA: (Stored(), Opened.of(EMPTY))})
        with pytest.raises(Retry):
            store.advance("log-1", {3: (NOTHING, Reached(1))})
        with pytest.raises(Retry):
            store.keep_presence([(ANNA, HERE, 1)])


def test_presence_is_kept_for_its_time_and_the_newest_wins(client: Client, keys: Keys) -> None:
    store = ProfileStore(client, keys)
    older = msgspec.structs.replace(HERE, cell=None, at=NOW - 1)
    store.keep_presence([(ANNA, HERE, 60_000), (ANNA, older, 60_000), (BEN, HERE, 1)])
    raw = client.get(keys.presence(ANNA))
    assert isinstance(raw, bytes)
    assert read_presence(raw) == HERE
    assert 0 < client.pttl(keys.presence(ANNA)) <= 60_000
    assert read_presence(None) is None


def test_presence_of_version_1_is_read_for_ever() -> None:
    sample = bytes.fromhex(
        "01000001a1ff47b178"
        "85a6737461747573a770726563697365a463656c6caf383631656130373937666666666666aa61636375726163795f6d32a6"
        "66656e6365739192aa66656e63653a706f727403a26174cf000001a1ff47b178"
    )
    assert presence_bytes(HERE) == sample
    assert read_presence(sample) == HERE
    with pytest.raises(Stop, match="format"):
        read_presence(b"\x02" + sample[1:])


def test_pending_events_are_pushed_bounded_and_read_back(client: Client, keys: Keys, store_address: Address) -> None:
    sent = [said("anna", f"e-{number}", children=number % 9) for number in range(PENDING_ENTRIES + 20)]
    lines = [pending_line(at(number), NOW, each) for number, each in enumerate(sent)]

    async def push() -> None:
        async with connect_async(store_address) as doors:
            await AnswerStore(doors, keys).push_many({ANNA: [line for line in lines if line is not None]})

    anyio.run(push)
    held = cast(list[bytes], client.lrange(keys.pending(ANNA), 0, -1))
    pending = read_pending(held)
    assert len(pending) == PENDING_ENTRIES
    assert pending[0] == (at(20), NOW, sent[20])
    assert pending[-1] == (at(119), NOW, sent[119])
    assert 0 < client.pttl(keys.pending(ANNA)) <= 600_000
    assert read_pending([b"\x93\x02", b"", held[0]]) == pending[:1], "no decision fails over another version's line"


def test_a_location_never_enters_the_pending_list() -> None:
    where = event("customer.location", "anna", Location(43.5558, 10.3019))
    assert pending_line(Position("log-1", LOCATIONS.name, 3, 7), NOW, where) is None


@pytest.mark.parametrize(
    ("first", "count", "watermark", "behind"),
    [(20, PENDING_ENTRIES, 5, True), (20, PENDING_ENTRIES, 19, False), (20, 99, 5, False), (1, 100, None, True),
     (0, 100, None, False)],
)  # fmt: skip
def test_a_full_list_beyond_the_watermark_may_have_lost_events(
    first: int, count: int, watermark: int | None, behind: bool
) -> None:
    profile = EMPTY if watermark is None else profile_of("anna", watermark, "gold")
    lines = [pending_line(at(first + number), NOW, said("anna", f"e-{number}")) for number in range(count)]
    assert is_behind(read_pending([line for line in lines if line is not None]), profile) is behind
