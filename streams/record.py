"""The decision's input is its record (idea 8): made by offers, logged, replayed, and read by scoring."""

import msgspec

from streams.attributes import Value
from streams.ids import CampaignId, CustomerId, DecisionId, Millis, ModelId, OfferId, PlacementId, RevisionId
from streams.places import NOWHERE, Whereabouts
from streams.profile import MaskedProfile

VERSION = 1
"""Of the record's stored form: its field `v`, the first of the map."""
FactDict = dict[str, tuple[Value, Millis]]


class PlacementRequest(msgspec.Struct, frozen=True):
    """A placement and how many items it can show (1 to 30)."""

    placement: PlacementId
    limit: int


class Request(msgspec.Struct, frozen=True):
    """What was asked, parsed; nothing raw: no coordinates, no token, no request_id."""

    customer_id: CustomerId
    placements: tuple[PlacementRequest, ...]
    locale: str
    """BCP 47, as the app sent it."""
    context: FactDict = {}
    """context.* facts of the request and those derived from the clock and the whereabouts."""
    trip: str | None = None
    """The booking the app is showing, if any."""
    channel: str = "app"

    @property
    def device_class(self) -> str:
        """phone | tablet | desktop | other, as the app says it; empty if it does not."""
        return str(self.context.get("context.device_class", ("",))[0])


class Subject(msgspec.Struct, frozen=True):
    """What a candidate is about. `key` names it in counters, tokens and logs: `booking:b-771`, `` for nothing."""

    key: str
    facts: FactDict = {}
    """booking.*, sailing.*, venue.*, market.* of this subject only: conditions never mix two subjects."""
    about: dict[str, str] = {}
    """The answer's `about`, for example {"booking_id": ..., "sailing_id": ...}."""
    consulted: tuple[str, ...] = ()
    """Market subjects (sailing ids, `line:<id>`, venue ids) whose change outdates this subject."""
    changes_at: Millis = 0
    """When a derived fact (phase, ...) changes next by time alone; 0: never."""


NOTHING = Subject(key="")


class OfferFacts(msgspec.Struct, frozen=True):
    """What scoring may know of an offer."""

    offer_id: OfferId
    campaign_id: CampaignId
    collection: str
    attributes: dict[str, Value] = {}
    """offer.* by qualified name."""
    starting_mean: float = 0.05
    starting_evidence: float = 50.0
    goal_event: str = "clicked"
    """The outcome that counts: clicked | redeemed."""
    goal_within_ms: Millis = 86_400_000
    """The attribution window, from exposure."""


class DecisionInputs(msgspec.Struct, frozen=True):
    """Everything decide() sees besides the catalog and the propensity."""

    decision_id: DecisionId
    """Also the seed of every draw."""
    now: Millis
    revision: RevisionId
    request: Request
    whereabouts: Whereabouts = NOWHERE
    profile: MaskedProfile = MaskedProfile()
    subjects: dict[str, tuple[Subject, ...]] = {}
    """Selector key of the catalog (`booking:each`, `sailing:next`, ...) -> its subjects, at most 8."""
    consulted: tuple[str, ...] = ()
    """Market subjects (sailing ids, `line:<id>`, `venue:<id>`) whose change outdates the subjects, sorted."""
    seasons: tuple[str, ...] = ()
    """Seasons active now, sorted."""
    season_changes_at: Millis = 0
    subjects_change_at: Millis = 0
    """When time alone next brings or takes a subject: a sailing enters a window, a booking is history; 0: never."""
    market_version: int = -1
    candidate_limit: int = 384
    """How many candidates may be scored in layout order; 0: fallback at once (the deadline left no time)."""
    degraded: tuple[str, ...] = ()
    origin: str = "live"
    candidates_with_time: int = 384
    """What candidate_limit is where no deadline presses."""
    arms: dict[str, str] = {}
    """Experiment -> the arm that this customer is put in, whatever the draw says: personas and previews."""
    counters: dict[str, int] = {}
    """Totals over all customers (totals.Series.key) that had reached a limit, as they were read last."""


class ScoredCandidate(msgspec.Struct, frozen=True, array_like=True):
    """One allowed candidate as scored; a record has them best first."""

    offer_id: OfferId
    about: str
    score: float
    """Calibrated probability of the outcome."""
    rank_score: float
    """score x value x context weight x lever."""
    inclusion: float
    """Probability with which it was among the scored (idea 10)."""


class ShownItem(msgspec.Struct, frozen=True, array_like=True):
    """One shown item with the row it was scored on."""

    offer: OfferFacts
    about: str
    placement: PlacementId
    rank: int
    score: float | None
    propensity: float | None
    """Exact probability of being shown at this rank given all that the answer shows before it, inclusion included;

    None: fallback. Along the answer they multiply to its probability (docs/propensity.md)."""
    value: float
    row: tuple[float, ...]
    """The feature row, in the order of the model's feature list; NaN for missing."""


class Assigned(msgspec.Struct, frozen=True, array_like=True):
    """A candidate that this customer could have, and the arm of an experiment that they are in."""

    experiment: str
    arm: str
    """`holdout`: shown nothing, for comparison; `others`: in no arm."""
    offer_id: OfferId
    about: str


class DecisionRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of offing.decisions."""

    v: int
    inputs: DecisionInputs
    model: ModelId
    engine: str
    """Offing's version: a replay by another one says so."""
    features: tuple[str, ...]
    candidates: tuple[ScoredCandidate, ...]
    shown: tuple[ShownItem, ...]
    digest: str
    """BLAKE2b-128 of the decision's canonical bytes, in hex."""
    assigned: tuple[Assigned, ...] = ()


_ENCODER = msgspec.msgpack.Encoder()
_DECODE = msgspec.msgpack.Decoder(DecisionRecord).decode


def encode(record: DecisionRecord) -> bytes:
    """The log's line: MessagePack, uncompressed; the lake and the log compress."""
    return _ENCODER.encode(record)


def decode(line: bytes) -> DecisionRecord:
    """encode's inverse; msgspec.ValidationError on anything else, another version's record among it."""
    record = _DECODE(line)
    if record.v != VERSION:
        raise msgspec.ValidationError(f"a decision record of version {record.v}; expected {VERSION}")
    return record
