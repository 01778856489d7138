"""What the hand-rolled service reads: the customers as JSON in Redis, the market as a JSON file."""

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from loadtests.bench.customers import Crowd, biography, market
from loadtests.bench.stage import AT_ONCE, Stage, now
from streams.attributes import AttributeSet
from streams.events import Attributes, Booking, Capacity, Consent, Event, Fare, Outcome, Schedule
from streams.ids import Millis
from streams.instant import parse_instant
from streams.place_files import load_places
from streams.places import Places
from streams.valkey import connect

ROOMS = {"inside": "cabins_free", "outside": "cabins_free", "suite": "cabins_free", "car": "vehicle_space"}


def profile(crowd: Crowd, number: int, at: Millis, attributes: AttributeSet) -> dict[str, Any]:
    """A customer as the service keeps one: what the same events say, the newest values only."""
    made: dict[str, Any] = {"attributes": {}, "purposes": [], "channels": [], "bookings": [], "events": []}
    for event in biography(crowd, number, at):
        data = event.data
        if isinstance(data, Attributes):
            for name, value in data.attributes.items():
                parsed = attributes.by_name[f"customer.{name}"].parse(value)
                made["attributes"][f"customer.{name}"] = parsed
        elif isinstance(data, Consent):
            made["purposes"] = [purpose for purpose, granted in data.purposes.items() if granted]
            made["channels"] = [channel for channel, granted in data.channels.items() if granted]
        elif isinstance(data, Booking):
            made["bookings"].append({"id": data.booking_id, "sailing_id": data.sailing_id, **data.attributes})
        elif isinstance(data, Outcome):
            made["events"].append(_met(event, data))
    return made


def _met(event: Event, data: Outcome) -> dict[str, Any]:
    named = {"offer": data.offer_id, "campaign": data.campaign_id, "collection": data.collection}
    return {"event": event.type.removeprefix("offer."), **named, "at": event.time / 1000}


def sailings(places: Places, at: Millis) -> Mapping[str, dict[str, Any]]:
    """Sailing -> its facts, by the names that campaigns and features use."""
    found: dict[str, dict[str, Any]] = {}
    for event in market(places, at):
        facts = found.setdefault(event.subject, {"sailing.id": event.subject})
        data = event.data
        if isinstance(data, Schedule):
            line = places.lines[data.line]
            facts |= {"sailing.line": data.line, "sailing.status": data.status}
            facts |= {"sailing.origin": line.origin, "sailing.destination": line.destination}
            facts |= {
                "sailing.departure": parse_instant(data.departure),
                "sailing.arrival": parse_instant(data.arrival),
            }
        elif isinstance(data, Fare):
            facts[f"market.fare.{data.product}"] = data.minor
        elif isinstance(data, Capacity):
            facts[f"market.{ROOMS[data.kind]}.{data.kind}"] = data.free
    return found


def store(stage: Stage, attributes: AttributeSet, wanted: Iterable[tuple[Crowd, int]]) -> None:
    """The customers of each crowd, as the service reads them."""
    at = now()
    every = [(crowd, number) for crowd, most in wanted for number in range(most)]
    with connect(stage.settings.redis_url, "bench") as client:
        for start in range(0, len(every), AT_ONCE):
            pipeline = client.pipeline(transaction=False)
            for crowd, number in every[start : start + AT_ONCE]:
                made = msgspec.json.encode(profile(crowd, number, at, attributes))
                pipeline.set(f"hand:profile:{crowd.customer(number)}", made)
            pipeline.execute()


def arguments(stage: Stage, folder: Path) -> list[str]:
    """The service's own, after its port; writes the market's file."""
    settings = stage.settings
    (found,) = (settings.artifacts / "models").glob("m-*")
    told = folder / f"market-{settings.namespace}.json"
    told.write_bytes(msgspec.json.encode(sailings(load_places(settings.campaigns / "places"), now())))
    key = hashlib.sha256(stage.secret.encode()).hexdigest()
    return [str(settings.campaigns), str(found), str(told), settings.redis_url, key]
