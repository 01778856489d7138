"""What is stored now, only read: profiles, whereabouts and the market, for commands that look and count nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from offers import reading
from offers.answer_store import Found
from offers.consuming import store_url
from offers.situation import Situation
from streams.attributes import AttributeSet
from streams.ids import DecisionId, Millis
from streams.market import EMPTY, Market
from streams.market_store import MarketStore
from streams.places import NOWHERE, Whereabouts
from streams.profile_scan import Held
from streams.record import Request
from streams.settings import Settings
from streams.valkey import Client, Keys, connect

LOOKED_AT = DecisionId("00000000-0000-7000-8000-000000000000")
"""The decision id of what nobody asked for: every draw follows from it."""
EVERY_CANDIDATE = 384


@dataclass(frozen=True, slots=True)
class Live:
    """The store of a running Offing."""

    client: Client
    keys: Keys

    def market(self) -> Market:
        """As its consumer last wrote it down; empty if it never did. Raises Retry STORE_UNAVAILABLE."""
        return MarketStore(self.client, self.keys).latest() or EMPTY


@contextmanager
def opened(settings: Settings, name: str) -> Iterator[Live]:
    """The store that `settings` name, or the embedded one that runs. Raises Stop STORE_STOPPED."""
    client = connect(settings.store(store_url(settings)), name)
    try:
        yield Live(client, Keys(settings.namespace))
    finally:
        client.close()


@dataclass(frozen=True, slots=True)
class Around:
    """What is the same for every customer looked at."""

    now: Millis
    market: Market
    attributes: AttributeSet


def situation(
    held: Held, around: Around, request: Request, resolved: Whereabouts = NOWHERE, decision_id: DecisionId = LOOKED_AT
) -> Situation:
    """What a decision about this customer would be made from: behind the consent mask, with what is pending.

    `resolved`: where they are said to be; if nothing is said of it, their last known place with their consent.
    """
    found = Found(held.profile, held.presence, held.pending)
    read = reading.read(found, (), resolved, around.attributes, around.now)
    return Situation(
        decision_id, around.now, request, read.whereabouts, read.profile, around.market, EVERY_CANDIDATE,
        degraded=read.degraded, origin="simulation",
    )  # fmt: skip
