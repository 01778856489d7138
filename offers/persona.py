"""A persona: a made-up customer, the market around them and where they stand; what `simulate` and `test` decide about.

Ages (`ago`, `heard`) count back from `now`, so that a persona can be looked at at another time. A persona is read as
strictly as a campaign: every mistake is a finding with its place and its mend.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from offers.campaign_draft import ALWAYS_PURPOSES, Draft, Vocabulary
from offers.catalog import Catalog
from offers.experiment import AS_WRITTEN
from offers.persona_customer import Customer, read_customer, short_names, value_of
from offers.persona_everybody import Everybody, reached_by, read_everybody
from offers.persona_market import Said, fold, read_market
from offers.persona_place import PHONE_M, spot
from offers.shared_limits import NONE_REACHED
from offers.situation import Situation
from streams.attributes import Value
from streams.distances import LatLon
from streams.findings import did_you_mean, shown
from streams.ids import CustomerId, DecisionId, Millis, PlacementId
from streams.instant import MINUTE_MS
from streams.places import STATUSES, Fix, Whereabouts
from streams.positioned_yaml import Node, TextNode
from streams.record import PlacementRequest, Request
from streams.sheet import Sheet
from streams.units import MAX_DURATION_MS, zone

KEYS = ("description", "now", "zone", "customer", "market", "location", "request", "arms", "everybody")
LOCATION_KEYS = ("status", "at", "lat", "lon", "accuracy_m", "ago")
REQUEST_KEYS = ("locale", "placements", "context", "trip", "limit")
EVERY_CANDIDATE = 384
MAX_ITEMS = 30
CUSTOMER = CustomerId("c-persona")
_DERIVED = ("local_hour", "weekday", "month", "season", "nearest_port", "nearest_port_distance")
"""Of the context: the clock and the whereabouts say these."""


@dataclass(frozen=True, slots=True)
class Stand:
    """Where the phone says it is."""

    status: str = "not_determined"
    point: LatLon | None = None
    accuracy_m: float = PHONE_M
    ago_ms: Millis = MINUTE_MS


@dataclass(frozen=True, slots=True)
class Asked:
    """What the app asks for."""

    locale: str = "en"
    placements: tuple[PlacementRequest, ...] = ()
    """Empty: every placement of the deployment, each as full as it may be."""
    context: Mapping[str, Value] = field(default_factory=dict)
    """By qualified name."""
    trip: str | None = None
    limit: int = EVERY_CANDIDATE


@dataclass(frozen=True, slots=True)
class Persona:
    """One persona, read."""

    now: Millis | None = None
    zone: str = "UTC"
    """In which its times were written, and are told."""
    customer: Customer = field(default_factory=Customer)
    market: tuple[Said, ...] = ()
    stand: Stand = field(default_factory=Stand)
    asked: Asked = field(default_factory=Asked)
    arms: Mapping[str, str] = field(default_factory=dict)
    """Experiment -> arm. A made-up customer is in no other experiment, and sees those offers as written."""
    everybody: Everybody = field(default_factory=dict)
    """What all customers together did."""

    def situation(self, catalog: Catalog, now: Millis, decision_id: DecisionId) -> Situation:
        """What a decision at `now` is made from."""
        asked = self.asked
        placements = asked.placements or tuple(
            PlacementRequest(placement.id, placement.max_items) for placement in catalog.placements.values()
        )
        context = {name: (value, now) for name, value in asked.context.items()}
        profile = self.customer.profile(catalog, now)
        return Situation(
            decision_id=decision_id,
            now=now,
            request=Request(CUSTOMER, placements, asked.locale, context, asked.trip),
            whereabouts=self.whereabouts(catalog, now),
            profile=profile,
            market=fold(self.market, now),
            candidate_limit=asked.limit,
            arms=self.arms_in(catalog),
            reached=reached_by(self.everybody, catalog, profile.facts, now) if self.everybody else NONE_REACHED,
        )

    def arms_in(self, catalog: Catalog) -> dict[str, str]:
        """The arm of every experiment of a catalog."""
        return {**dict.fromkeys(catalog.arms.names, AS_WRITTEN), **self.arms}

    def whereabouts(self, catalog: Catalog, now: Millis) -> Whereabouts:
        """As decisions see them: a cell and fences."""
        stand = self.stand
        fix = None if stand.point is None else Fix(*stand.point, stand.accuracy_m, now - stand.ago_ms)
        return catalog.places.resolve(fix, stand.status)


def vocabulary(catalog: Catalog) -> Vocabulary:
    """What a persona of this deployment may name."""
    purposes = {attribute.purpose for attribute in catalog.attributes.by_name.values() if attribute.purpose}
    return Vocabulary(
        attributes=catalog.attributes,
        places=catalog.places,
        placements=catalog.placements,
        seasons=tuple(season.name for season in catalog.seasons),
        images={},
        placeholders={},
        purposes=frozenset((*purposes, *ALWAYS_PURPOSES)),
    )


def read_persona(sheet: Sheet, fields: Mapping[str, Node], catalog: Catalog) -> Persona:
    """A persona from its keys (KEYS); whatever is wrong with them is among the sheet's findings."""
    words = vocabulary(catalog)
    where = sheet.parsed(fields["zone"], "zone", lambda text: str(zone(text))) if "zone" in fields else None
    draft = Draft(sheet, words, where)
    if "description" in fields:
        sheet.text(fields["description"], "description")
    now = draft.instant(fields["now"], "now") if "now" in fields else None
    return Persona(
        now=None if now is None else now.at,
        zone=where or "UTC",
        customer=read_customer(draft, fields["customer"], catalog.by_id) if "customer" in fields else Customer(),
        market=read_market(draft, fields["market"]) if "market" in fields else (),
        stand=_stand(draft, fields["location"]) if "location" in fields else Stand(),
        asked=_asked(draft, fields["request"]) if "request" in fields else Asked(),
        arms=_arms(sheet, fields["arms"], catalog.arms.names) if "arms" in fields else {},
        everybody=read_everybody(draft, fields["everybody"], catalog.by_id) if "everybody" in fields else {},
    )


def _stand(draft: Draft, node: Node) -> Stand:
    """`location: port:ITLIV`, or a mapping that says how well it is known."""
    sheet = draft.sheet
    if isinstance(node, TextNode):
        found = sheet.parsed(node, "location", lambda text: spot(text, draft.words.places))
        return Stand() if found is None else Stand("precise", *found)
    fields = sheet.fields(node, "location", LOCATION_KEYS)
    point, accuracy_m = _point(draft, node, fields)
    if "accuracy_m" in fields:
        accuracy_m = sheet.number(fields["accuracy_m"], "accuracy_m", 1, 1_000_000) or accuracy_m
    usual = "not_determined" if point is None else "precise"
    status = sheet.choice(fields["status"], "status", STATUSES) if "status" in fields else usual
    ago = draft.duration(fields["ago"], "ago", 0, MAX_DURATION_MS) if "ago" in fields else None
    return Stand(status or usual, point, accuracy_m, MINUTE_MS if ago is None else ago)


def _point(draft: Draft, node: Node, fields: Mapping[str, Node]) -> tuple[LatLon | None, float]:
    sheet = draft.sheet
    if "at" in fields:
        found = sheet.parsed(fields["at"], "at", lambda text: spot(text, draft.words.places))
        return (None, PHONE_M) if found is None else found
    if ("lat" in fields) != ("lon" in fields):
        sheet.error(node, "KEYS_TOGETHER", "location has one of 'lat' and 'lon'.", "Write both, or 'at: port:ITLIV'.")
    if "lat" not in fields or "lon" not in fields:
        return None, PHONE_M
    lat, lon = sheet.number(fields["lat"], "lat", -90, 90), sheet.number(fields["lon"], "lon", -180, 180)
    return (None if lat is None or lon is None else (lat, lon)), PHONE_M


def _asked(draft: Draft, node: Node) -> Asked:
    sheet = draft.sheet
    fields = sheet.fields(node, "request", REQUEST_KEYS)
    locale = sheet.text(fields["locale"], "locale", 64) if "locale" in fields else "en"
    limit = sheet.integer(fields["limit"], "limit", 0, EVERY_CANDIDATE) if "limit" in fields else EVERY_CANDIDATE
    return Asked(
        locale=locale or "en",
        placements=_placements(draft, fields.get("placements")),
        context=_context(draft, fields.get("context")),
        trip=sheet.text(fields["trip"], "trip") if "trip" in fields else None,
        limit=EVERY_CANDIDATE if limit is None else limit,
    )


def _arms(sheet: Sheet, node: Node, known: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """`arms: {cabin-price: deeper, global-2026: holdout}`: which arm of which experiment the persona is in."""
    found = {}
    for name, (word, value) in sheet.entries(node, "arms", "the arm of each experiment").items():
        if sheet.choice(word, "an experiment", known) in known:
            arm = sheet.choice(value, f"arms.{name}", known[name])
            found.update({name: arm} if arm is not None else {})
    return found


def _placements(draft: Draft, node: Node | None) -> tuple[PlacementRequest, ...]:
    if node is None:
        return ()
    found = []
    for name, (word, value) in draft.sheet.entries(node, "placements", "how many items each placement takes").items():
        number = draft.sheet.integer(value, name, 1, MAX_ITEMS)
        if name not in draft.words.placements:
            hint = did_you_mean(name, draft.words.placements)
            message = f"there is no placement {shown(name)}; it comes back empty."
            draft.sheet.warn(word, "UNKNOWN_PLACEMENT", message, hint)
        found.append(PlacementRequest(PlacementId(name), number or 1))
    return tuple(found)


def _context(draft: Draft, node: Node | None) -> dict[str, Value]:
    if node is None:
        return {}
    known = short_names(draft.words.attributes, "context", _DERIVED)
    found = draft.sheet.fields(node, "request.context", tuple(known))
    read = {known[name].qualified: value_of(draft, known[name], value) for name, value in found.items()}
    return {name: value for name, value in read.items() if value is not None}
