"""What decisions read stands still: said, before anything is forgotten."""

from pathlib import Path
from time import monotonic, sleep

from offers.lag import Lag, Patience
from streams.events import Attributes
from streams.market_store import MarketStore
from streams.market_tail import MarketTail
from streams.profile_consumer import ProfileConsumer
from streams.profile_store import ProfileStore
from streams.valkey import Client, Keys
from tests.makers import append, deployment, event, open_log

PATIENCE_S = 15.0


def test_a_consumer_that_does_not_come_along_is_said_until_it_does(tmp_path: Path, client: Client, keys: Keys) -> None:
    log = open_log(tmp_path / "log.sqlite")
    store, tail = ProfileStore(client, keys), MarketTail(log, MarketStore(client, keys))
    lag = Lag(log, store, tail, Patience(profile_s=1.5, market_s=60.0))
    tail.start()
    lag.start()
    sleep(2.5)
    assert lag.late() == (), "an empty log is level"
    append(log, event("customer.profile", "c-1", Attributes({"children": 2})))
    wait_for(lag, ("profile_behind",))
    consumer = ProfileConsumer(log, store, deployment)
    consumer.start()
    wait_for(lag, ())
    consumer.stop()
    lag.stop()
    tail.stop()
    log.close()


def test_a_market_tail_that_ended_is_said(tmp_path: Path, client: Client, keys: Keys) -> None:
    log = open_log(tmp_path / "log.sqlite")
    tail = MarketTail(log, MarketStore(client, keys))
    lag = Lag(log, ProfileStore(client, keys), tail, Patience(profile_s=60.0, market_s=0.5))
    tail.start()
    lag.start()
    wait_for(lag, ())
    tail.stop()
    wait_for(lag, ("market_behind",))
    lag.stop()
    log.close()


def wait_for(lag: Lag, wanted: tuple[str, ...]) -> None:
    """Until that is what is late."""
    until = monotonic() + PATIENCE_S
    while lag.late() != wanted and monotonic() < until:
        sleep(0.05)
    assert lag.late() == wanted
