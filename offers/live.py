"""What is stored now, only read: profiles, whereabouts and the market, for commands that look and count nothing."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from offers import reading, revisions, runtime
from offers.answer_store import Found
from offers.catalog import Catalog
from offers.consuming import store_url
from offers.shared_limits import NONE_REACHED, Reached
from offers.situation import Situation
from streams.attributes import AttributeSet
from streams.ids import DecisionId, Millis
from streams.market import EMPTY, Market
from streams.market_store import MarketStore
from streams.places import NOWHERE, Whereabouts
from streams.profile_scan import Held
from streams.record import Request
from streams.settings import Settings
from streams.total_store import TotalReader
from streams.totals import Totals
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

    def totals(self) -> Totals:
        """What all customers did together. Raises Retry STORE_UNAVAILABLE, Stop TOTALS_FORMAT."""
        return TotalReader(self.client, self.keys).read()

    def around(self, catalog: Catalog, now: Millis) -> "Around":
        """What is the same for every customer at `now`."""
        asked = catalog.shared_limits
        reached = asked.reached(self.totals(), now) if asked else NONE_REACHED
        return Around(now, self.market(), catalog.attributes, reached)


@contextmanager
def opened(settings: Settings, name: str) -> Iterator[Live]:
    """The store that `settings` name, or the embedded one that runs. Raises Stop STORE_STOPPED."""
    client = connect(settings.store(store_url(settings)), name)
    try:
        yield Live(client, Keys(settings.namespace))
    finally:
        client.close()


def folder(settings: Settings) -> Path:
    """The campaigns that run: the folder that is followed, or that of the publication which is active.

    Raises NotFound REVISION_UNKNOWN, Retry LEDGER_UNAVAILABLE.
    """
    if not settings.published:
        return settings.campaigns
    with closing(runtime.ledger(settings)) as book:
        active = book.publications.active(runtime.wall_clock())
    return settings.campaigns if active is None else revisions.find(active.revision, settings.artifacts)


@dataclass(frozen=True, slots=True)
class Around:
    """What is the same for every customer looked at."""

    now: Millis
    market: Market
    attributes: AttributeSet
    reached: Reached = NONE_REACHED
    """Limits above one customer."""


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
        degraded=read.degraded, origin="simulation", reached=around.reached,
    )  # fmt: skip
