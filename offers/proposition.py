"""The decision's nouns, frozen: candidate, reason, screening, slate, decision."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

import msgspec

from offers.condition import View
from offers.money import Quote
from offers.offer import Offer
from scoring.features import Rows
from streams.ids import DecisionId, Millis, ModelId, PlacementId, RevisionId
from streams.record import Assigned, ScoredCandidate, ShownItem, Subject


class Code(StrEnum):
    """Why an offer is in or out. Stable: machines read it."""

    NOT_STARTED = "NOT_STARTED"
    EXPIRED = "EXPIRED"
    CAMPAIGN_STOPPED = "CAMPAIGN_STOPPED"
    NOT_SCHEDULED = "NOT_SCHEDULED"
    PLACEMENT_NOT_ASKED = "PLACEMENT_NOT_ASKED"
    LOCALE_MISSING = "LOCALE_MISSING"
    CONSENT_MISSING = "CONSENT_MISSING"
    NO_SUBJECT = "NO_SUBJECT"
    ELIGIBILITY_FAILED = "ELIGIBILITY_FAILED"
    APPLICABILITY_FAILED = "APPLICABILITY_FAILED"
    SUITABILITY_FAILED = "SUITABILITY_FAILED"
    STOCK = "STOCK"
    LOCATION_UNKNOWN = "LOCATION_UNKNOWN"
    LOCATION_LOW_CONFIDENCE = "LOCATION_LOW_CONFIDENCE"
    LOCATION_NOT_MATCHED = "LOCATION_NOT_MATCHED"
    CONTEXT_MISSING = "CONTEXT_MISSING"
    CONTEXT_STALE = "CONTEXT_STALE"
    PRICE_UNKNOWN = "PRICE_UNKNOWN"
    CAP_CUSTOMER_REACHED = "CAP_CUSTOMER_REACHED"
    CAP_BOOKING_REACHED = "CAP_BOOKING_REACHED"
    CAP_DEVICE_CLASS_REACHED = "CAP_DEVICE_CLASS_REACHED"
    CAP_SHARED_REACHED = "CAP_SHARED_REACHED"
    USED_UP = "USED_UP"
    BUDGET_SPENT = "BUDGET_SPENT"
    SUPPRESSED = "SUPPRESSED"
    HELD_OUT = "HELD_OUT"
    NOT_IN_EXPERIMENT = "NOT_IN_EXPERIMENT"
    INDEX_EXCLUDED = "INDEX_EXCLUDED"
    BEYOND_CANDIDATE_LIMIT = "BEYOND_CANDIDATE_LIMIT"
    OUTRANKED = "OUTRANKED"
    EXCLUDED_BY = "EXCLUDED_BY"
    QUIET_HOURS = "QUIET_HOURS"
    FALLBACK_ONLY = "FALLBACK_ONLY"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    SELECTED = "SELECTED"
    FALLBACK = "FALLBACK"


@dataclass(frozen=True, slots=True)
class Reason:
    """A code with its data: where the rule stands and what was found."""

    code: Code
    where: str = ""
    """`file:line:column` of the condition or limit, where there is one."""
    detail: str = ""


class Check(msgspec.Struct, frozen=True, eq=False):
    """A compiled condition, and how to say why it does not hold."""

    holds: Callable[[View], bool]
    why: Callable[[View], Reason]
    """Only to be asked where it does not hold."""


class Candidate(msgspec.Struct, frozen=True):
    """An offer about something (idea 2). A struct, since a decision makes hundreds."""

    offer: Offer
    subject: Subject
    view: View
    """What its conditions may see: shared facts plus this one subject's."""
    quote: Quote | None = None
    """What it costs now; None for an offer without a price, and for one whose price is not known."""
    residual: tuple[Check, ...] = ()
    """The conditions that the index did not answer exactly."""
    inclusion: float = 1.0
    """Probability with which it was looked at (idea 10)."""
    presentable: bool = False
    """Its words and price were seen to be complete when the catalog was made, and nothing of its subject ends it."""
    uncapped: bool = False
    """Nothing that this customer did counts against it."""
    value: float | None = None
    """What an acceptance is worth; None: money.worth() tells."""


@dataclass(frozen=True, slots=True)
class Screening:
    """What a step kept and how many offers it ruled out, by code."""

    kept: Sequence[Candidate]
    ruled_out: tuple[tuple[Code, int], ...] = ()
    """Sorted by code."""
    assigned: tuple[Assigned, ...] = ()
    """The arm of each candidate of an experiment that could be shown, held out or not."""
    held: int = 0
    """Candidates that could be shown and are not, to see what showing changes."""


class Scored(msgspec.Struct, frozen=True, eq=False):
    """A candidate with the numbers arbitration orders by."""

    candidate: Candidate
    score: float
    value: float
    rank_score: float
    rows: Rows
    """The feature rows of all candidates of the decision."""
    at: int
    """Which of them is this one's."""

    @property
    def row(self) -> tuple[float, ...]:
        """The feature row. Made when asked for: of hundreds scored, those shown are logged with theirs."""
        return tuple(self.rows[self.at].tolist())


@dataclass(frozen=True, slots=True)
class Slot:
    """One chosen item of a slate."""

    candidate: Candidate
    scored: Scored | None
    """None: fallback."""
    propensity: float | None


@dataclass(frozen=True, slots=True)
class Slate:
    """The ordered choice for one placement."""

    placement: PlacementId
    slots: tuple[Slot, ...]
    fallback: bool = False
    problem: str | None = None
    """UNKNOWN_PLACEMENT for a placement this revision does not know; QUIET_HOURS: nothing may be shown there now."""


class PriorTag(msgspec.Struct, frozen=True):
    """A crossed-out price as shown."""

    minor: int
    text: str
    basis: str
    """lowest_30_days | declared"""


class PriceTag(msgspec.Struct, frozen=True, omit_defaults=True):
    """A price as shown."""

    minor: int
    currency: str
    text: str
    as_of: str | None = None
    prior: PriorTag | None = None


class Offline(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether the app may show the item without a connection, and why not."""

    show: bool
    because: str | None = None


class Picture(msgspec.Struct, frozen=True):
    """An image as shown."""

    alt: str
    placeholder: str
    variants: tuple[dict[str, str | int], ...]


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """The localised content of one item; links still hold `{token}`."""

    schema: int
    locale: str
    dir: str
    title: str
    body: str
    button: str
    image: Picture
    action: dict[str, str]
    why_shown: str
    opt_out: str
    disclosures: tuple[str, ...] = ()
    sms: str | None = None
    """The whole text message, in a placement whose channel is `sms`; its link is that of `action.web`."""


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """One item of the answer, before `answer` mints its token."""

    offer_id: str
    campaign_id: str
    rank: int
    about: dict[str, str]
    subject: str
    """Subject key; in the token, not in the answer."""
    expires: Millis
    representation: Shown
    offline: Offline
    price: PriceTag | None = None


class PlacementSlate(msgspec.Struct, frozen=True, omit_defaults=True):
    """One placement of the decision."""

    placement: PlacementId
    fallback: bool
    refresh_after_s: int
    items: tuple[Item, ...]
    problem: str | None = None


class Decision(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was decided. Holds no token, no request_id and no timing: its canonical bytes are what replay compares."""

    decision_id: DecisionId
    now: Millis
    revision: RevisionId
    model: ModelId
    degraded: tuple[str, ...]
    placements: tuple[PlacementSlate, ...]
    ruled_out: tuple[tuple[str, int], ...]
    """Counts by code, sorted by code."""
    candidates: tuple[ScoredCandidate, ...]
    shown: tuple[ShownItem, ...]
    valid_until: Millis
    """No cached copy may be served from this instant on; `now` itself: none may be."""
    consulted: tuple[str, ...]
    """Market subjects whose change outdates this decision."""
    assigned: tuple[Assigned, ...] = ()
    """Which arm of which experiment the customer is in, for each candidate they could have."""


_CANONICAL = msgspec.msgpack.Encoder(order="deterministic")


def canonical_bytes(decision: Decision) -> bytes:
    """The decision's bytes: equal decisions have equal bytes."""
    return _CANONICAL.encode(decision)
