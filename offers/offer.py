"""The catalogue's nouns, frozen: what a campaign file becomes once it has been checked."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from offers.approval_rules import Rules
from offers.condition import ALWAYS, Condition
from offers.experiment import Experiment, Holdout
from offers.season import Season
from streams.ids import CampaignId, Millis, OfferId, PlacementId
from streams.record import OfferFacts

SMS = "sms"
"""The channel of placements that are text messages."""
SEGMENTS = "segments"
"""What such a placement is limited by."""


@dataclass(frozen=True, slots=True)
class RelativeTime:
    """`90 min before booking.sailing.departure`: the fact's instant plus `offset_ms` (negative: before)."""

    attribute: str
    """A datetime fact of the subject, for example sailing.departure."""
    offset_ms: Millis


@dataclass(frozen=True, slots=True)
class Schedule:
    """When an offer is live. All parts must hold; the empty schedule always does."""

    zone: str = "UTC"
    starts: Millis | None = None
    ends: Millis | None = None
    """Exclusive."""
    ends_relative: RelativeTime | None = None
    days: tuple[int, ...] = ()
    """ISO weekdays 1 (Monday) to 7 in `zone`; empty: every day."""
    hours: tuple[int, int] | None = None
    """[from, until) in minutes of the local day; until <= from runs over midnight (the day is that of the start)."""
    seasons: tuple[str, ...] = ()
    """Any of these seasons must be active."""
    starts_relative: RelativeTime | None = None
    local: str = ""
    """customer | port: days and hours are read on the clock of whoever is asked, not in `zone`."""

    @property
    def own(self) -> bool:
        """Whether it depends on who is asked, or on what the offer is about."""
        return self.ends_relative is not None or self.starts_relative is not None or bool(self.local)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """When nothing is shown in some channels."""

    plan: Schedule
    """Its days and hours, in its zone."""
    channels: tuple[str, ...]
    where: str = ""


@dataclass(frozen=True, slots=True)
class Selector:
    """`about:` - which subjects a candidate of this offer can be about; equal selectors share their subjects."""

    kind: str
    """booking | sailing | venue"""
    mode: str = "each"
    """booking: each open one. sailing: `next` (of the customer's bookings), `from_here`, `line`, `any`. venue: `here`

    (inside its fence or within reach), `on_board`, `id`."""
    line: str | None = None
    venue: str | None = None
    within_ms: Millis | None = None
    """Sailings that depart within this time from now."""

    @property
    def key(self) -> str:
        """Its name in DecisionInputs.subjects, for example `booking:each` or `sailing:line:ITLIV-ITOLB::259200000`."""
        parts = (self.kind, self.mode, self.line or "", self.venue or "", str(self.within_ms or ""))
        return ":".join(parts).rstrip(":")


VISIT = "visit"
DEVICE_CLASS = "device_class"


@dataclass(frozen=True, slots=True)
class Window:
    """Over which time a limit counts."""

    kind: str = "lifetime"
    """rolling | calendar | lifetime | visit | voyage: ever, what is about the same booking or sailing"""
    length_ms: Millis = 0
    """rolling only"""
    unit: str = ""
    """calendar only: day | week (from Monday) | month"""
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Budget:
    """Money that the events of a limit cost, in minor units of one currency."""

    amount: int
    cost: int
    """Of one event."""
    currency: str


@dataclass(frozen=True, slots=True)
class Limit:
    """A frequency cap: at most `at_most` events of one kind per subject and window."""

    event: str
    """exposed | clicked | dismissed | redeemed | decided"""
    per: str
    """customer | booking | device_class; of all customers together campaign, or customer.*: who shares its value"""
    of: str
    """offer | campaign | collection | all: whose events count"""
    at_most: int
    window: Window = Window()
    where: str = ""
    budget: Budget | None = None
    """What `at_most` was worked out from, where it is money that is limited."""

    @property
    def by_subject(self) -> bool:
        """Whether it counts apart for each booking or sailing."""
        return self.per == "booking" or self.window.kind == "voyage"

    @property
    def apart(self) -> bool:
        """Whether what it counts depends on more than the offer: on the subject, or the device that asks."""
        return self.by_subject or self.per == DEVICE_CLASS

    @property
    def shared(self) -> bool:
        """Whether the events of several customers count together."""
        return self.per == "campaign" or "." in self.per


@dataclass(frozen=True, slots=True)
class Suppression:
    """`suppress: {after: dismissed, for: 7 d}`, or until a fact's instant."""

    after: str
    for_ms: Millis | None = None
    until: RelativeTime | None = None
    where: str = ""


@dataclass(frozen=True, slots=True)
class Prior:
    """`prior: lowest_30_days` or `prior: 79 EUR`: what may be crossed out beside the price (offers.prior_price)."""

    minor: int | None = None
    """What the campaign says; None: the market's history does."""
    began: int | None = None
    """The UTC day on which the reduction began, in days since 1970; None: not known, so no fare is crossed out."""


@dataclass(frozen=True, slots=True)
class Price:
    """What it costs, in minor units of one currency."""

    currency: str = "EUR"
    source: str | None = None
    """A money fact of the subject, for example market.fare.cabin_inside; else `amount`."""
    amount: int = 0
    discount: float = 0.0
    """Share taken off, 0 to 1."""
    at_least: int = 0
    round_to: int = 1
    fresh_ms: Millis | None = None
    prior: Prior | None = None


@dataclass(frozen=True, slots=True)
class Value:
    """What an acceptance is worth to the business, in major units of the currency: amount + margin x price."""

    amount: float = 0.0
    margin: float = 0.0


@dataclass(frozen=True, slots=True)
class Consent:
    """Purposes and channels without which the offer is ruled out."""

    purposes: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Goal:
    """The outcome that counts as acceptance, and the attribution window after exposure."""

    event: str = "clicked"
    within_ms: Millis = 24 * 3_600_000


@dataclass(frozen=True, slots=True)
class OnStop:
    """What a stop of the campaign does to what was promised before it."""

    honours_shown: bool = False
    """What is shown stays until its token expires; else it is withdrawn."""


@dataclass(frozen=True, slots=True)
class Text:
    """The words of one locale; placeholders in braces."""

    title: str
    body: str
    button: str
    alt: str
    why: str
    sms: str = ""
    """Where it stands in a text message; `{link}` is its web address. Empty: it never does."""


@dataclass(frozen=True, slots=True)
class ImageVariant:
    """One file of a picture."""

    url: str
    w: int
    h: int
    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Image:
    """A picture: a colour to show while it loads, and its files."""

    id: str
    placeholder: str
    variants: tuple[ImageVariant, ...] = ()


@dataclass(frozen=True, slots=True)
class Representation:
    """The content of an offer."""

    image: Image
    link: str
    web: str
    texts: Mapping[str, Text]
    """BCP 47 -> words. Never empty."""
    others: str | None = None
    """Locale shown to everyone else; None: nothing is shown to them (LOCALE_MISSING)."""
    at: Mapping[PlacementId, "Representation"] = field(default_factory=dict)
    """Where it differs by placement: all of it, in the same locales."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "texts", MappingProxyType(dict(self.texts)))
        object.__setattr__(self, "at", MappingProxyType(dict(self.at)))

    @property
    def every(self) -> tuple["Representation", ...]:
        """This one, and each that differs from it."""
        return (self, *self.at.values()) if self.at else (self,)


@dataclass(frozen=True, slots=True)
class Placement:
    """A named slot of a channel."""

    id: PlacementId
    channel: str = "app"
    max_items: int = 3
    refresh_after_s: int = 120
    fallback: OfferId | None = None
    explore: float = 0.0
    """Strength of exploration: 0 always shows the best; 1 draws nearly evenly (scoring.exploration)."""
    opt_out: str = ""
    limits: tuple[tuple[str, int], ...] = ()
    """(title | body | button, characters it shows), (segments, of an SMS); the checker warns of longer ones."""
    explore_costs_at_most: float = 1.0
    """Most of the best candidate's rank score that a rank gives up on average for exploring, as a share."""


@dataclass(frozen=True, slots=True)
class Look:
    """What an arm of an experiment shows otherwise than the campaign as written."""

    facts: OfferFacts
    representation: Representation
    price: Price | None
    value: Value
    lever: float


@dataclass(frozen=True, slots=True)
class Stacking:
    """What may not stand beside an offer in one answer."""

    exclusive: str = ""
    """Its exclusivity group, of which one offer is shown."""
    tags: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    """Tags beside which it is not shown, nor they beside it."""
    where: str = ""
    """`file:line:column` of `exclusive`, or of `not_with`."""


@dataclass(frozen=True, slots=True)
class Offer:
    """One offer with everything that decides about it."""

    facts: OfferFacts
    where: str
    """`file:line` of its campaign."""
    placements: tuple[PlacementId, ...]
    representation: Representation
    schedule: Schedule = Schedule()
    about: Selector | None = None
    eligibility: Condition = ALWAYS
    applicability: Condition = ALWAYS
    suitability: Condition = ALWAYS
    stock: Condition = ALWAYS
    """That enough is left of what it uses, as far as the market says."""
    consent: Consent = Consent()
    limits: tuple[Limit, ...] = ()
    """In a catalog those of one customer; in a folder all of them."""
    shared: tuple[Limit, ...] = ()
    """In a catalog the limits that customers share, budgets among them."""
    suppress: tuple[Suppression, ...] = ()
    price: Price | None = None
    value: Value = Value()
    lever: float = 1.0
    ttl_s: int = 900
    """How long a shown offer stays valid at most."""
    goal: Goal = Goal()
    on_stop: OnStop = OnStop()
    fallback: bool = False
    """Shown when a placement would stay empty; ignores conditions and caps by definition."""
    experiment: Experiment | None = None
    looks: tuple[tuple[str, Look], ...] = ()
    """(arm, what it shows) of the arms that do not show the offer as written."""
    arm: str = ""
    """Whose look this is, in a layout; empty: as written."""
    disclosures: tuple[str, ...] = ()
    """Codes of what the law wants said beside it, by the duties of its collection."""
    stacking: Stacking | None = None
    """None: it stands beside any other."""

    @property
    def id(self) -> OfferId:
        """Its id, unique in the catalog."""
        return self.facts.offer_id

    @property
    def campaign_id(self) -> CampaignId:
        """The campaign it belongs to."""
        return self.facts.campaign_id


@dataclass(frozen=True, slots=True)
class Campaign:
    """One file: an owner and an offer."""

    id: CampaignId
    owner: str
    offer: Offer
    path: str


@dataclass(frozen=True, slots=True)
class CampaignFolder:
    """A whole checked folder, before it is compiled into a Catalog."""

    campaigns: tuple[Campaign, ...]
    placements: Mapping[PlacementId, Placement]
    seasons: tuple[Season, ...] = ()
    policies: Mapping[str, object] = field(default_factory=dict)
    global_limits: tuple[Limit, ...] = ()
    holdout: Holdout | None = None
    quiet: tuple[QuietHours, ...] = ()
    approvals: Rules = ()
    """Who must agree before a change of it is active."""
