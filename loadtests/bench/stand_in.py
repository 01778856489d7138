"""Offing's doors with nothing behind them: the world is shown offers drawn by lot, and what it told is kept as a log.

So three weeks of the world's events are there in seconds, in the proportions in which a service gets them: the demo's
own log has 51 % exposures, 12 % locations, 9 % profiles, 6 % bookings, 4 % clicks; test_bench_folding compares.
"""

import asyncio
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from hashlib import blake2b
from heapq import merge, nlargest
from pathlib import Path
from random import Random
from typing import Any

import httpx
import orjson

from loadtests.world import World
from loadtests.world_clock import draw, local
from loadtests.world_geography import load
from loadtests.world_market import SailingMarket, Told, sailings_on
from offers.folder import load_folder
from offers.offer import Offer
from streams.events import Event, Location, Outcome, parse, to_bytes
from streams.ids import CustomerId, Millis
from streams.instant import DAY_MS, parse_instant
from streams.log import CUSTOMERS, LOCATIONS, Entry, topic_of

CAMPAIGNS = Path(__file__).parents[2] / "deploy" / "campaigns"
FILLED: Mapping[str, tuple[int, ...]] = {
    "app.home.hero": (1,),
    "app.home.list": (1, 1, 2),
    "app.trip.card": (1, 2, 2, 2),
    "app.home.tablet": (1, 2),
}
"""How many items a placement shows, each as often as it stands here: what the example operator has for a customer."""
LIKELY: Mapping[str, float] = {"": 5.0, "booking": 2.0, "sailing": 0.7, "venue": 0.5}
"""How readily an offer is shown, by what it is about."""
WEEK_MS = 7 * DAY_MS
CUSTOMER = re.compile(rb"\bc-(\d{5})\b")


class Shelf:
    """What can be shown, and about what."""

    def __init__(self, campaigns: Path = CAMPAIGNS) -> None:
        """Raises ValueError if the folder has errors."""
        found = load_folder(campaigns).campaigns
        if found is None:
            raise ValueError(f"{campaigns} has errors; see `offing campaigns check {campaigns}`")
        self._offers = [(campaign.offer, _weight(campaign.offer)) for campaign in found.campaigns]
        geography = load(campaigns / "places")
        self._lines, self._venues = geography.lines, sorted(geography.venues)
        self._departing = sorted(self._lines)

    def shown(self, person: str, placement: str, trip: str | None, at: Millis) -> list[dict[str, Any]]:
        """Items of one placement, as an answer has them. A person is shown much the same all week."""
        liking = Random(f"{person}:{placement}:{at // WEEK_MS}").random
        fits = [
            (liking() ** (1 / weight), offer.id, offer)
            for offer, weight in self._offers
            if placement in offer.placements and (trip is not None or _kind(offer) != "booking")
        ]
        numbers = FILLED[placement]
        best = nlargest(numbers[int(draw(person, placement, at) * len(numbers))], fits)
        return [_item(offer, rank, self._about(offer, person, trip, at)) for rank, (_, _, offer) in enumerate(best, 1)]

    def _about(self, offer: Offer, person: str, trip: str | None, at: Millis) -> dict[str, str]:
        """As `about` of an answer says it."""
        if offer.about is None:
            return {}
        if offer.about.kind == "booking":
            return {"booking_id": trip or ""}
        if offer.about.kind == "venue":
            return {"venue_id": offer.about.venue or self._venues[int(draw(offer.id, person) * len(self._venues))]}
        line = self._lines[offer.about.line or self._departing[int(draw(person) * len(self._departing))]]
        today = local(at, line.origin.zone).date()
        ahead = (sailings_on(line, today + timedelta(days=days)) for days in range(1, 8))
        return {"sailing_id": next((sailings[0].id for sailings in ahead if sailings), "")}


class SilentMarket(SailingMarket):
    """Knows what is on sale and tells nobody: half of the world's events are the market's, and no customer's."""

    def news(self, now: Millis, *, whole: bool) -> Iterator[Told]:
        """Nothing."""
        if whole:
            self._sailings.update((sailing.id, sailing) for sailing in self._on_sale(now))
        return iter(())


@dataclass(slots=True)
class Kept:
    """What was told, in the order of its doors."""

    customers: list[Entry] = field(default_factory=list)
    locations: list[Entry] = field(default_factory=list)


class StandIn(httpx.AsyncBaseTransport):
    """The doors the world uses, for its httpx client. Nothing is checked and nothing refused."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._located: set[str] = set()
        self.kept = Kept()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(await request.aread())
        now = parse_instant(request.headers["Offing-Now"])
        answer = getattr(self, request.url.path.rpartition("/")[2])(body, now)
        return httpx.Response(200, content=orjson.dumps(answer))

    def events(self, body: Sequence[Mapping[str, Any]], now: Millis) -> Mapping[str, Any]:
        """POST /v1/events; a redeemed offer comes with its token."""
        for sent in body:
            if sent["type"] == "offer.redeemed":
                self._keep(_outcome(orjson.loads(sent["data"]["token"]), "redeemed", now), now)
            elif topic_of(sent["type"]) is CUSTOMERS:
                event = parse(orjson.dumps(sent))
                if sent["type"] == "customer.consent" and sent["data"]["purposes"]["location"]:
                    self._located.add(event.subject)
                self._keep(event, now)
        return {"results": [{"status": "accepted"}] * len(body)}

    def outcomes(self, body: Sequence[Mapping[str, Any]], now: Millis) -> Mapping[str, Any]:
        """POST /v1/outcomes."""
        for sent in body:
            self._keep(_outcome(orjson.loads(sent["token"]), sent["outcome"], parse_instant(sent["at"])), now)
        return {"results": [{"status": "accepted"}] * len(body)}

    def decisions(self, body: Mapping[str, Any], now: Millis) -> Mapping[str, Any]:
        """POST /v1/decisions."""
        person, context = body["customer_id"], body["context"]
        decision = _ident(body["request_id"])
        where = context["location"]
        if "lat" in where and person in self._located:
            data = Location(where["lat"], where["lon"], where["accuracy_m"], where["status"])
            self._keep(Event(decision, "offing/decisions", "customer.location", person, now, data), now)
        trip = context.get("trip", {}).get("booking_id")
        placements = []
        for asked in body["placements"]:
            items = self._shelf.shown(person, asked["placement"], trip, now)
            for item in items:
                said = {**item, "decision": decision, "placement": asked["placement"], "person": person}
                item["token"] = orjson.dumps({**said, "device": context["device"]["class"]}).decode()
            placements.append({"placement": asked["placement"], "items": items})
        return {"decision_id": decision, "degraded": [], "placements": placements}

    def _keep(self, event: Event, now: Millis) -> None:
        into = self.kept.locations if topic_of(event.type) is LOCATIONS else self.kept.customers
        into.append(Entry(CustomerId(event.subject), to_bytes(event), now))


def told_by_the_world(seed: int, customers: int, end: Millis) -> Kept:
    """Everything that three weeks of `customers` people bring to offing.customers and offing.locations."""
    doors = StandIn(Shelf())

    async def live() -> None:
        async with httpx.AsyncClient(transport=doors, base_url="http://stand-in") as client:
            world = World(seed, customers, end=end)
            world.market = SilentMarket(seed, world.geography)
            await world.run(client, lambda progress: None)

    asyncio.run(live())
    return doors.kept


def multiplied(told: Sequence[Entry], times: int) -> list[Entry]:
    """The same again under other customers, at the same instants: c-00042 becomes c-100042, c-200042, ...

    A larger world than one has the patience to live: what follows on one customer is as far apart as it is there.
    """
    crowds = ([_renamed(entry, crowd) for entry in told] for crowd in range(1, times + 1))
    return list(merge(*crowds, key=lambda entry: entry.recorded or 0))


def _renamed(entry: Entry, crowd: int) -> Entry:
    number = b"c-%d\\1" % crowd
    key = CUSTOMER.sub(number, entry.key.encode()).decode()
    return Entry(key, CUSTOMER.sub(number, entry.value), entry.recorded)


def _kind(offer: Offer) -> str:
    return "" if offer.about is None else offer.about.kind


def _weight(offer: Offer) -> float:
    return LIKELY[_kind(offer)] * (0.4 + draw(offer.id))


def _item(offer: Offer, rank: int, about: Mapping[str, str]) -> dict[str, Any]:
    facts = offer.facts
    said = {"offer_id": facts.offer_id, "campaign_id": facts.campaign_id, "collection": facts.collection}
    return {**said, "rank": rank, "about": dict(about), "price": None}


def _outcome(token: Mapping[str, Any], what: str, at: Millis) -> Event:
    data = Outcome(
        decision_id=token["decision"],
        offer_id=token["offer_id"],
        campaign_id=token["campaign_id"],
        collection=token["collection"],
        placement=token["placement"],
        about=next((f"{name.removesuffix('_id')}:{ident}" for name, ident in token["about"].items()), ""),
        device_class=token["device"],
        rank=token["rank"],
    )
    ident = _ident(token["decision"], token["offer_id"], what)
    return Event(ident.replace("-", ""), "offing/outcomes", f"offer.{what}", token["person"], at, data)


def _ident(*of: str) -> str:
    """Made of what it names, in the form of a UUID."""
    digest = blake2b("\x1f".join(of).encode(), digest_size=16).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:]))
