"""The market snapshot in Redis."""

import pytest

from streams.errors import LogRestarted, Retry, Stop
from streams.events import Fare
from streams.market import EMPTY, Market, fold
from streams.market_store import MarketStore, check_end
from streams.valkey import Client, Keys, connect
from tests.makers import NOW, event


def market(version: int, minor: int = 4900, epoch: str = "log-1") -> Market:
    return fold(EMPTY, [(version, NOW, event("sailing.fare", "s-1", Fare("deck", minor)))], epoch)


@pytest.fixture
def client(store_client: Client) -> Client:
    """Of one server and of a cluster: what is here holds on both."""
    return store_client


def test_a_snapshot_is_loaded_as_it_was_saved(client: Client, keys: Keys) -> None:
    store = MarketStore(client, keys)
    assert store.load("log-1") is None
    assert store.version("log-1") == -1
    assert store.save(market(7))
    assert store.load("log-1") == market(7)
    assert store.version("log-1") == 7


def test_a_snapshot_never_goes_back(client: Client, keys: Keys) -> None:
    store = MarketStore(client, keys)
    store.save(market(7, 3900))
    assert not store.save(market(6, 4900))
    loaded = store.load("log-1")
    assert loaded is not None
    assert loaded.sailings["s-1"].fares["deck"][0] == 3900


def test_a_market_of_another_log_says_nothing_here(client: Client, keys: Keys) -> None:
    store = MarketStore(client, keys)
    store.save(market(7))
    assert store.load("log-2") is None
    assert store.version("log-2") == -1
    assert store.save(market(2, epoch="log-2"))
    assert store.version("log-2") == 2


def test_a_later_format_stops_instead_of_being_overwritten(client: Client, keys: Keys) -> None:
    store = MarketStore(client, keys)
    store.save(market(7))
    client.hset(keys.market, "v", "2")
    with pytest.raises(Stop, match="expected b'1'"):
        store.load("log-1")


def test_a_server_that_is_not_there_is_retry(keys: Keys) -> None:
    with connect("unix:///tmp/offing-no-such-server") as client:
        store = MarketStore(client, keys)
        for ask in (lambda: store.load("log-1"), lambda: store.version("log-1"), lambda: store.save(market(7))):
            with pytest.raises(Retry):
                ask()


def test_a_market_beyond_the_end_of_its_log_is_refused() -> None:
    check_end(market(7), 8)
    with pytest.raises(LogRestarted, match=r"stands at offset 7.*ends at 7"):
        check_end(market(7), 7)
