"""`market:` of a persona: sailings with their fares and rooms, venues, seasons -> what the market would have heard."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from offers.campaign_draft import Draft
from offers.market_names import Named, market_names
from streams import market
from streams.events import Capacity, Event, EventData, Fare, Schedule, SeasonOverride, VenueCapacity
from streams.findings import did_you_mean, listed, shown
from streams.ids import Millis
from streams.instant import HOUR_MS, MINUTE_MS, format_instant
from streams.market import Market
from streams.positioned_yaml import Node, TextNode
from streams.units import MAX_DURATION_MS, money

KEYS = ("sailings", "venues", "seasons")
SAILING_KEYS = ("line", "departs", "takes", "sells_until", "status", "heard", "fares", "earlier_fares", "free")
STATUSES = ("scheduled", "delayed", "cancelled")
HEARD_MS = 5 * MINUTE_MS
TAKES_MS = 9 * HOUR_MS
MAX_FREE = 1_000_000
SOURCE = "persona"
_TYPES: Mapping[type, str] = {
    Schedule: "sailing.schedule",
    Fare: "sailing.fare",
    Capacity: "sailing.capacity",
    VenueCapacity: "venue.capacity",
    SeasonOverride: "season.override",
}


@dataclass(frozen=True, slots=True)
class Said:
    """One thing the market said."""

    subject: str
    """The sailing, venue or season."""
    data: EventData
    ago_ms: Millis
    """How long before `now`: whatever `now` is, it stays as old."""


def fold(said: tuple[Said, ...], now: Millis) -> Market:
    """The market after all of it, as the market's consumer makes it."""
    records = [
        (offset, now, Event("e", SOURCE, _TYPES[type(each.data)], each.subject, now - each.ago_ms, each.data))
        for offset, each in enumerate(said)
    ]
    return market.fold(market.EMPTY, records, SOURCE)


def read_market(draft: Draft, node: Node) -> tuple[Said, ...]:
    """Everything a persona says of the market, in the order written."""
    sheet = draft.sheet
    fields = sheet.fields(node, "market", KEYS)
    said: list[Said] = []
    if "sailings" in fields:
        for name, (_, sailing) in sheet.entries(fields["sailings"], "sailings", "sailings by their id").items():
            said += _sailing(draft, name, sailing)
    if "venues" in fields:
        for word, value in _entries(draft, fields["venues"], "venues", draft.words.places.venues, "UNKNOWN_PLACE"):
            free = sheet.integer(value, f"venues.{word}", 0, MAX_FREE)
            said += [] if free is None else [Said(word, VenueCapacity(free), MINUTE_MS)]
    if "seasons" in fields:
        for word, value in _entries(draft, fields["seasons"], "seasons", draft.words.seasons, "UNKNOWN_SEASON"):
            active = sheet.boolean(value, f"seasons.{word}")
            said += [] if active is None else [Said(word, SeasonOverride(active), MINUTE_MS)]
    return tuple(said)


def _sailing(draft: Draft, name: str, node: Node) -> Iterator[Said]:
    sheet = draft.sheet
    fields = sheet.fields(node, f"sailing {name}", SAILING_KEYS, ("line", "departs"))
    line = None
    if "line" in fields:
        line = sheet.parsed(fields["line"], "line", lambda text: draft.words.places.line(text).id)
    departs = draft.instant(fields["departs"], "departs") if "departs" in fields else None
    takes = _age(draft, fields.get("takes"), "takes", TAKES_MS)
    heard = _age(draft, fields.get("heard"), "heard", HEARD_MS)
    status = sheet.choice(fields["status"], "status", STATUSES) if "status" in fields else "scheduled"
    sells = draft.instant(fields["sells_until"], "sells_until") if "sells_until" in fields else None
    if line is not None and departs is not None:
        arrives, sales_end = format_instant(departs.at + takes), None if sells is None else format_instant(sells.at)
        said = Schedule(line, format_instant(departs.at), arrives, status or "scheduled", sales_end)
        yield Said(name, said, heard)
    names = market_names(draft.words.attributes)
    for word, value in _of(draft, fields.get("earlier_fares"), "earlier_fares", names.fares):
        yield from _earlier(draft, name, word, value)
    for word, value in _of(draft, fields.get("fares"), "fares", names.fares):
        price = sheet.parsed(value, f"fares.{word}", money)
        if price is not None:
            yield Said(name, Fare(word, price.minor, price.currency), heard)
    for word, value in _of(draft, fields.get("free"), "free", names.rooms):
        free = sheet.integer(value, f"free.{word}", 0, MAX_FREE)
        if free is not None:
            yield Said(name, Capacity(word, free), heard)


def _earlier(draft: Draft, sailing: str, product: str, node: Node) -> Iterator[Said]:
    """`{40 d: 79 EUR, 19 d: 69 EUR}`: what a product cost from so long ago on, the longest ago first."""
    entries = draft.sheet.entries(node, f"earlier_fares.{product}", "how long ago: what it cost from then on").values()
    found = []
    for word, value in entries:
        ago = draft.duration(word, f"earlier_fares.{product}", 0, MAX_DURATION_MS)
        price = draft.sheet.parsed(value, f"earlier_fares.{product}", money)
        if ago is not None and price is not None:
            found.append(Said(sailing, Fare(product, price.minor, price.currency), ago))
    yield from sorted(found, key=lambda said: -said.ago_ms)


def _of(
    draft: Draft, node: Node | None, name: str, known: Mapping[str, tuple[Named, ...]]
) -> Iterator[tuple[str, Node]]:
    """Products or kinds of room that attributes.yaml declares."""
    if node is not None:
        yield from draft.sheet.fields(node, name, tuple(known)).items()


def _entries(
    draft: Draft, node: Node, name: str, known: Mapping[str, object] | tuple[str, ...], code: str
) -> Iterator[tuple[str, Node]]:
    for key, (word, value) in draft.sheet.entries(node, name, f"{name} by their id").items():
        if key in known:
            yield key, value
        else:
            _unknown(draft, word, name, known, code)


def _unknown(draft: Draft, word: TextNode, name: str, known: Mapping[str, object] | tuple[str, ...], code: str) -> None:
    hint = did_you_mean(word.text, known) or f"There are: {listed(known)}."
    draft.sheet.error(word, code, f"there is no {name[:-1]} {shown(word.text)}.", hint)


def _age(draft: Draft, node: Node | None, name: str, usual: Millis) -> Millis:
    if node is None:
        return usual
    found = draft.duration(node, name, 0, MAX_DURATION_MS)
    return usual if found is None else found
