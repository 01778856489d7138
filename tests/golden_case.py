"""Golden decisions: YAML files named by what they show -> a situation of the example operator, and what is expected.

now: "2026-11-21T18:04:11+01:00"
customer: {facts: {loyalty_tier: gold}, purposes: [location], channels: [app], friends_on: {s1: 2},
           bookings: {b1: {sailing: s1, accommodation: seat}},
           met: [{event: exposed, offer: night-cabin, about: "booking:b1", ago: 2 h, times: 3}]}
market: {sailings: {s1: {line: ITLIV-ITOLB, departs: "...", takes: 9 h, status: scheduled, heard: 5 min,
                         fares: {deck: 4000}, free: {inside: 12}}}, venues: {spa-onda: 3}, seasons: {summer: true}}
location: {status: precise, lat: 43.55, lon: 10.30, accuracy_m: 20, ago: 1 min}
request: {locale: it-IT, placements: {app.home.hero: 1}, context: {device_class: tablet}, trip: b1, limit: 384}
expect: {placements: {app.home.hero: [{offer: night-cabin, about: "booking:b1", price: 4500, title: "..."}]},
         fallback: [app.trip.card], reasons: {night-cabin: [EXPIRED]}}
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from offers.catalog import Catalog
from offers.folder import load_folder
from offers.proposition import Item
from offers.situation import Situation
from streams import market
from streams.attributes import AttributeSet
from streams.events import Capacity, Event, EventData, Fare, Schedule, SeasonOverride, VenueCapacity
from streams.ids import CustomerId, DecisionId, Millis, PlacementId, RevisionId
from streams.instant import HOUR_MS, format_instant, parse_instant
from streams.market import Market
from streams.places import Fix, Whereabouts
from streams.profile import BookingFact, Cell, CounterKey, MaskedProfile, ProfileFacts, bucket_of
from streams.profile_mask import mask
from streams.record import FactDict, PlacementRequest, Request
from streams.units import duration_ms
from tests.markets import TYPES

FOLDER = Path(__file__).parent / "golden"
DEPLOYMENT = Path(__file__).parent.parent / "deploy" / "campaigns"
Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Golden:
    """One file."""

    name: str
    situation: Situation
    expect: Part


def names() -> list[str]:
    """Every golden decision."""
    return sorted(file.stem for file in FOLDER.glob("*.yaml"))


@cache
def example() -> Catalog:
    """The example operator's catalog."""
    loaded = load_folder(DEPLOYMENT)
    assert loaded.campaigns is not None and loaded.attributes is not None and loaded.places is not None
    return Catalog(RevisionId("r-example"), loaded.campaigns, loaded.attributes, loaded.places)


def load(name: str) -> Golden:
    """A golden decision by the name of its file."""
    text = (FOLDER / f"{name}.yaml").read_text(encoding="utf-8")
    case: Part = yaml.safe_load(text)
    unknown = set(case) - {"now", "customer", "market", "location", "request", "expect"}
    assert not unknown, f"{name}.yaml: {unknown}"
    now = parse_instant(case["now"])
    request = case.get("request", {})
    situation = Situation(
        decision_id=DecisionId("019dd0a1-52cb-7c3e-9d12-6b1f0c3f8a11"),
        now=now,
        request=_request(request, now),
        whereabouts=_whereabouts(case.get("location", {}), now),
        profile=_profile(case.get("customer", {}), now),
        market=_market(case.get("market", {}), now),
        candidate_limit=request.get("limit", 384),
    )
    return Golden(name, situation, case["expect"])


def _request(part: Part, now: Millis) -> Request:
    attributes = example().attributes
    context: FactDict = {}
    for short, raw in part.get("context", {}).items():
        name = f"context.{short}"
        context[name] = (attributes.by_name[name].parse(raw), now)
    asked = part.get("placements", {"app.home.hero": 1})
    placements = tuple(PlacementRequest(PlacementId(name), limit) for name, limit in asked.items())
    return Request(CustomerId("c-golden"), placements, part.get("locale", "it-IT"), context, part.get("trip"))


def _whereabouts(part: Part, now: Millis) -> Whereabouts:
    fix = None
    if "lat" in part:
        at = now - duration_ms(part.get("ago", "1 min"))
        fix = Fix(part["lat"], part["lon"], part.get("accuracy_m", 20), at)
    return example().places.resolve(fix, part.get("status", "not_determined"))


def _profile(part: Part, now: Millis) -> MaskedProfile:
    """Stored facts behind the consent mask, as a decision sees them."""
    attributes = example().attributes
    heard = now - 24 * HOUR_MS
    cells = {}
    for short, raw in part.get("facts", {}).items():
        attribute = attributes.by_name[f"customer.{short}"]
        cells[attribute.number] = Cell(attribute.parse(raw), heard, 0)
    consent = {f"purpose:{name}": Cell(True, heard, 0) for name in part.get("purposes", ())}
    consent |= {f"channel:{name}": Cell(True, heard, 0) for name in part.get("channels", ())}
    bookings = {name: _booking(held, attributes, heard) for name, held in part.get("bookings", {}).items()}
    counters: dict[CounterKey, dict[int, int]] = {}
    for met in part.get("met", ()):
        _count(counters, met, now)
    for sailing, number in part.get("friends_on", {}).items():
        counters["friend_booked", "", "", "", "", sailing, ""] = {bucket_of(heard): number}
    facts = ProfileFacts(cells, consent, bookings, counters=counters)
    return mask(facts, attributes, now=now)


def _booking(part: Part, attributes: AttributeSet, heard: Millis) -> BookingFact:
    values = {}
    for short, raw in part.items():
        attribute = attributes.by_name.get(f"booking.{short}")
        if attribute is not None and short not in ("line", "status"):
            values[attribute.number] = attribute.parse(raw)
    return BookingFact(part["sailing"], part.get("line", ""), part.get("status", "open"), values, heard, 0)


def _count(counters: dict[CounterKey, dict[int, int]], met: Part, now: Millis) -> None:
    offer = next(offer for offer in example().layout if offer.id == met["offer"])
    facts = offer.facts
    ids = (facts.offer_id, facts.campaign_id, facts.collection)
    key = (met.get("event", "exposed"), *ids, "app.home.hero", met.get("about", ""), "phone")
    counters.setdefault(key, {})[bucket_of(now - duration_ms(met["ago"]))] = met.get("times", 1)


def _market(part: Part, now: Millis) -> Market:
    said: list[tuple[str, EventData, Millis]] = []
    for name, sailing in part.get("sailings", {}).items():
        heard = now - duration_ms(sailing.get("heard", "5 min"))
        departs = parse_instant(sailing["departs"])
        arrives = format_instant(departs + duration_ms(sailing.get("takes", "9 h")))
        said.append((name, Schedule(sailing["line"], format_instant(departs), arrives,
                                    sailing.get("status", "scheduled")), heard))  # fmt: skip
        said += [(name, Fare(product, minor), heard) for product, minor in sailing.get("fares", {}).items()]
        said += [(name, Capacity(kind, free), heard) for kind, free in sailing.get("free", {}).items()]
    said += [(name, VenueCapacity(free), now - 60_000) for name, free in part.get("venues", {}).items()]
    said += [(name, SeasonOverride(active), now - 60_000) for name, active in part.get("seasons", {}).items()]
    records = [
        (offset, now, Event("e", "golden", TYPES[type(data)], name, at, data))
        for offset, (name, data, at) in enumerate(said)
    ]
    return market.fold(market.EMPTY, records, "golden")


def told(item: Item, like: Part) -> dict[str, Any]:
    """An item as a golden file writes it: offer and subject, and of the rest what the file says anything about."""
    words = item.representation
    everything = {
        "price": item.price.minor if item.price is not None else None,
        "price_text": item.price.text if item.price is not None else None,
        "title": words.title, "body": words.body, "button": words.button, "alt": words.image.alt,
        "why": words.why_shown, "locale": words.locale, "dir": words.dir, "link": words.action["link"],
        "offline": item.offline.show, "disclosures": list(words.disclosures), "expires": format_instant(item.expires),
    }  # fmt: skip
    about = {"about": item.subject} if item.subject else {}
    return {"offer": item.offer_id, **about, **{key: everything[key] for key in like if key in everything}}
