"""`customer:` of a persona: what is known of them, what they agreed to, what they booked and what they met."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from offers.campaign_draft import Draft
from offers.campaign_values import read_value
from offers.catalog import Catalog
from streams.attributes import Attribute, AttributeSet, Kind, Value
from streams.findings import shown
from streams.ids import Millis, OfferId
from streams.instant import DAY_MS
from streams.positioned_yaml import ListNode, MapNode, Node
from streams.profile import BookingFact, Cell, CounterKey, MaskedProfile, ProfileFacts, bucket_of
from streams.profile_mask import FRIEND_BOOKED, mask
from streams.units import MAX_DURATION_MS

KEYS = ("facts", "purposes", "channels", "bookings", "met", "friends_on", "heard")
MET_KEYS = ("event", "offer", "about", "placement", "device_class", "ago", "times")
EVENTS = ("exposed", "clicked", "dismissed", "redeemed")
DEVICES = ("phone", "tablet", "desktop", "other")
PHONE = "phone"
BOOKING_STATUSES = ("open", "cancelled", "completed")
MAX_TIMES = 100_000
_ANYWHERE = "app.home.hero"
_DERIVED = ("id", "phase", "status")
"""Of a booking: Offing says these itself, or they have keys of their own."""


@dataclass(frozen=True, slots=True)
class Booked:
    """One booking; `values` are booking attributes by field number."""

    sailing: str
    line: str
    status: str
    values: dict[int, Value]


@dataclass(frozen=True, slots=True)
class Met:
    """Events of the customer about one offer, all of one age."""

    event: str
    offer: OfferId
    about: str
    placement: str
    device_class: str
    ago_ms: Millis
    times: int


@dataclass(frozen=True, slots=True)
class Customer:
    """What is stored of a customer, with ages in place of times."""

    facts: Mapping[int, Value] = field(default_factory=dict)
    """Customer attributes by field number."""
    purposes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    bookings: Mapping[str, Booked] = field(default_factory=dict)
    met: tuple[Met, ...] = ()
    friends_on: Mapping[str, int] = field(default_factory=dict)
    """Sailing -> how many friends booked it."""
    heard_ms: Millis = DAY_MS
    """How long ago all of it was heard."""

    def profile(self, catalog: Catalog, now: Millis) -> MaskedProfile:
        """Behind the consent mask, as a decision sees it."""
        heard = now - self.heard_ms
        consent = {f"purpose:{name}": Cell(True, heard, 0) for name in self.purposes}
        consent |= {f"channel:{name}": Cell(True, heard, 0) for name in self.channels}
        bookings = {
            name: BookingFact(held.sailing, held.line, held.status, held.values, heard, 0)
            for name, held in self.bookings.items()
        }
        counters: dict[CounterKey, dict[int, int]] = {}
        for met in self.met:
            _count(counters, met, catalog, now)
        for sailing, number in self.friends_on.items():
            counters[FRIEND_BOOKED, "", "", "", "", sailing, ""] = {bucket_of(heard): number}
        cells = {number: Cell(value, heard, 0) for number, value in self.facts.items()}
        return mask(ProfileFacts(cells, consent, bookings, counters=counters), catalog.attributes, now=now)


def _count(counters: dict[CounterKey, dict[int, int]], met: Met, catalog: Catalog, now: Millis) -> None:
    facts = catalog.by_id[met.offer].facts
    key = (met.event, facts.offer_id, facts.campaign_id, facts.collection, met.placement, met.about, met.device_class)
    buckets = counters.setdefault(key, {})
    bucket = bucket_of(now - met.ago_ms)
    buckets[bucket] = buckets.get(bucket, 0) + met.times


def read_customer(draft: Draft, node: Node, offers: Collection[str]) -> Customer:
    """Everything a persona says of the customer; `offers` are those it may have met."""
    sheet = draft.sheet
    fields = sheet.fields(_beside_facts(draft, node), "customer", KEYS)
    words = draft.words
    channels = sorted({placement.channel for placement in words.placements.values()})
    return Customer(
        facts=_facts(draft, fields.get("facts")),
        purposes=_words(draft, fields.get("purposes"), "purposes", sorted(words.purposes)),
        channels=_words(draft, fields.get("channels"), "channels", channels),
        bookings=dict(_bookings(draft, fields.get("bookings"))),
        met=_met(draft, fields.get("met"), offers),
        friends_on=_friends(draft, fields.get("friends_on")),
        heard_ms=_age(draft, fields.get("heard"), "heard", DAY_MS),
    )


def _beside_facts(draft: Draft, node: Node) -> Node:
    """The node without attributes that stand where `facts` should; each is a finding that says so."""
    if not isinstance(node, MapNode):
        return node
    known = short_names(draft.words.attributes, "customer", ("friends", *KEYS))
    astray = [word for name, (word, _) in node.entries.items() if name in known]
    for word in astray:
        message = f"customer has no key {shown(word.text)}: attributes stand below 'facts'."
        draft.sheet.error(word, "UNKNOWN_KEY", message, f"Write 'facts: {{{word.text}: ...}}'.")
    return MapNode({name: entry for name, entry in node.entries.items() if name not in known}, node.line, node.column)


def short_names(attributes: AttributeSet, scope: str, without: Collection[str] = ()) -> dict[str, Attribute]:
    """The attributes of a scope by the name after the dot, but for some."""
    every = (attribute for attribute in attributes.by_name.values() if attribute.scope == scope)
    return {attribute.name: attribute for attribute in every if attribute.name not in without}


def value_of(draft: Draft, attribute: Attribute, node: Node) -> Value | None:
    """A value as campaigns write it; of a set one or several members."""
    if attribute.kind is not Kind.SET:
        return read_value(draft, attribute, node)
    members = [read_value(draft, attribute, item) for item in draft.sheet.one_or_more(node, attribute.qualified)]
    return tuple(sorted({str(member) for member in members if member is not None}))


def _facts(draft: Draft, node: Node | None) -> dict[int, Value]:
    if node is None:
        return {}
    known = short_names(draft.words.attributes, "customer", ("friends",))
    found = draft.sheet.fields(node, "customer.facts", tuple(known))
    read = {known[name].number: value_of(draft, known[name], value) for name, value in found.items()}
    return {number: value for number, value in read.items() if value is not None}


def _words(draft: Draft, node: Node | None, name: str, known: Collection[str]) -> tuple[str, ...]:
    """Some of the known words; `[]` for none."""
    if node is None or (isinstance(node, ListNode) and not node.items):
        return ()
    return draft.sheet.words(node, name, known)


def _bookings(draft: Draft, node: Node | None) -> Iterator[tuple[str, Booked]]:
    if node is None:
        return
    sheet, known = draft.sheet, short_names(draft.words.attributes, "booking", _DERIVED)
    for name, (_, held) in sheet.entries(node, "bookings", "bookings by their id").items():
        fields = sheet.fields(held, f"booking {name}", ("sailing", "line", "status", *known), ("sailing",))
        sailing = sheet.text(fields["sailing"], "sailing") if "sailing" in fields else None
        line = None
        if "line" in fields:
            line = sheet.parsed(fields["line"], "line", lambda text: draft.words.places.line(text).id)
        status = sheet.choice(fields["status"], "status", BOOKING_STATUSES) if "status" in fields else "open"
        read = {known[key].number: value_of(draft, known[key], fields[key]) for key in known if key in fields}
        values = {number: value for number, value in read.items() if value is not None}
        if sailing is not None:
            yield name, Booked(sailing, line or "", status or "open", values)


def _met(draft: Draft, node: Node | None, offers: Collection[str]) -> tuple[Met, ...]:
    items = () if node is None else draft.sheet.items(node, "met")
    return tuple(met for item in items if (met := _one_met(draft, item, offers)) is not None)


def _one_met(draft: Draft, node: Node, offers: Collection[str]) -> Met | None:
    sheet = draft.sheet
    fields = sheet.fields(node, "met", MET_KEYS, ("offer", "ago"))
    event = sheet.choice(fields["event"], "event", EVENTS) if "event" in fields else "exposed"
    offer = sheet.choice(fields["offer"], "offer", offers, "UNKNOWN_OFFER") if "offer" in fields else None
    about = sheet.text(fields["about"], "about") if "about" in fields else ""
    placement = sheet.text(fields["placement"], "placement") if "placement" in fields else _ANYWHERE
    device = (
        sheet.choice(fields["device_class"], "device_class", DEVICES) if "device_class" in fields else None
    ) or PHONE
    times = sheet.integer(fields["times"], "times", 1, MAX_TIMES) if "times" in fields else 1
    if offer is None or event is None or "ago" not in fields:
        return None
    ago_ms = _age(draft, fields["ago"], "ago", 0)
    return Met(event, OfferId(offer), about or "", placement or _ANYWHERE, device, ago_ms, times or 1)


def _friends(draft: Draft, node: Node | None) -> dict[str, int]:
    if node is None:
        return {}
    entries = draft.sheet.entries(node, "friends_on", "how many friends are on which sailing")
    read = {name: draft.sheet.integer(value, name, 1, MAX_TIMES) for name, (_, value) in entries.items()}
    return {name: number for name, number in read.items() if number is not None}


def _age(draft: Draft, node: Node | None, name: str, usual: Millis) -> Millis:
    found = None if node is None else draft.duration(node, name, 0, MAX_DURATION_MS)
    return usual if found is None else found
