"""Event contracts: CloudEvents 1.0 in structured JSON, parsed once at the edge and trusted inside.

They hold no cycles, so the garbage collector need not look at them (gc=False): a consumer has thousands at a time.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from streams.errors import InvalidInput
from streams.ids import CustomerId, Millis
from streams.instant import format_instant, parse_instant

MAX_ID = 128
MAX_FRIENDS = 200
MAX_DATA_KEYS = 64


class Attributes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Short names of customer attributes -> raw values; null removes. Checked against attributes.yaml at the door."""

    attributes: dict[str, Any]


class Consent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Purposes and channels granted (true) or withdrawn (false)."""

    purposes: dict[str, bool] = {}
    channels: dict[str, bool] = {}


class Social(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The customer's own list of friends, whole, at most 200."""

    friends: list[str]


class Booking(msgspec.Struct, frozen=True, gc=False):
    """A booking as it stands now: the last one wins whole. Other keys are booking attributes by short name."""

    booking_id: str
    sailing_id: str
    line: str
    status: str = "open"
    attributes: dict[str, Any] = {}


class Linked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Another id of the same person. Kept as a fact; merging is not done yet."""

    customer_id: str


class FriendBooked(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Derived by the consumer from a consenting friend's booking; names nobody."""

    sailing_id: str
    line: str


class Location(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A raw fix. Lives on offing.locations for 15 minutes and nowhere else."""

    lat: float
    lon: float
    accuracy_m: float = 50.0
    status: str = "precise"

    def __repr__(self) -> str:
        return f"Location(status={self.status!r})"


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """What became of a shown offer. The doors resolve tokens, so the log never carries one."""

    decision_id: str
    offer_id: str
    campaign_id: str
    collection: str
    placement: str
    about: str = ""
    device_class: str = ""
    rank: int = 0


class Schedule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A sailing: times are RFC 3339."""

    line: str
    departure: str
    arrival: str
    status: str = "scheduled"
    sales_end: str | None = None


class Fare(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The price of one product on one sailing, in minor units."""

    product: str
    minor: int
    currency: str = "EUR"


class Capacity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """How many are free: `kind` names a keyed market attribute's key, for example inside (cabins) or seats."""

    kind: str
    free: int


class SailingPosition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Where a ship is (public information, unlike a customer's place)."""

    lat: float
    lon: float


class VenueCapacity(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """How many places a venue has free."""

    free: int


class SeasonOverride(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A season declared on or off before its dates say so; null gives it back to its dates."""

    active: bool | None


EventData = (
    Attributes | Consent | Social | Booking | Linked | FriendBooked | Location | Outcome
    | Schedule | Fare | Capacity | SailingPosition | VenueCapacity | SeasonOverride
)  # fmt: skip

CONTRACTS: Mapping[str, type] = {
    "customer.profile": Attributes,
    "customer.preferences": Attributes,
    "customer.device": Attributes,
    "customer.consent": Consent,
    "customer.social": Social,
    "customer.booking": Booking,
    "customer.linked": Linked,
    "customer.friend_booked": FriendBooked,
    "customer.location": Location,
    "offer.exposed": Outcome,
    "offer.clicked": Outcome,
    "offer.dismissed": Outcome,
    "offer.redeemed": Outcome,
    "sailing.schedule": Schedule,
    "sailing.fare": Fare,
    "sailing.capacity": Capacity,
    "sailing.position": SailingPosition,
    "venue.capacity": VenueCapacity,
    "season.override": SeasonOverride,
}
OUTCOMES = frozenset({"offer.exposed", "offer.clicked", "offer.dismissed", "offer.redeemed"})
"""What becomes of a decision's items: all of it is later than the decision."""
APP_EVENTS = frozenset(
    {"customer.preferences", "customer.consent", "customer.device", "customer.location",
     "offer.exposed", "offer.clicked", "offer.dismissed"}
)  # fmt: skip
"""What a customer's own token may send."""
COUNTED = OUTCOMES | {"customer.friend_booked"}
"""Events that move a counter, so they must be applied exactly once; the others are last-write-wins."""


class Event(msgspec.Struct, frozen=True, gc=False):
    """One parsed event. `time` is the corrected event time; the log adds its own recorded time."""

    id: str
    source: str
    type: str
    subject: str
    """Customer id for customer.* and offer.*; sailing, venue or season id for the market."""
    time: Millis
    data: EventData
    origin: str = "live"

    @property
    def customer_id(self) -> CustomerId:
        """The subject as a customer; only for topics keyed by customer."""
        return CustomerId(self.subject)


class _Envelope(msgspec.Struct, gc=False):
    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: msgspec.Raw
    v: int = 1
    """Events from elsewhere need not say it."""
    sentat: str | None = None
    origin: str = "live"


_DECODE_ENVELOPE = msgspec.json.Decoder(_Envelope).decode
_DECODE_DATA: Mapping[str, Callable[[msgspec.Raw], Any]] = {
    name: msgspec.json.Decoder(contract).decode for name, contract in CONTRACTS.items()
}
_ENCODE = msgspec.json.Encoder().encode
VERSION = 1
"""Of the log's line."""


def parse(raw: bytes) -> Event:
    """Structured CloudEvents JSON -> Event. Raises InvalidInput with EVENT_MALFORMED, EVENT_TYPE or TIME_INVALID.

    The clock is not corrected here: `sentat` is the door's business.
    """
    try:
        envelope = _DECODE_ENVELOPE(raw)
        decode = _DECODE_DATA.get(envelope.type)
        if decode is None:
            message = f"unknown event type {envelope.type[:60]!r}; known are {', '.join(sorted(CONTRACTS))}"
            raise InvalidInput("EVENT_TYPE", message)
        data = decode(envelope.data)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("EVENT_MALFORMED", str(error)) from error
    if not (
        0 < len(envelope.id) <= MAX_ID and 0 < len(envelope.source) <= MAX_ID and 0 < len(envelope.subject) <= MAX_ID
    ):
        raise _unusable_id(envelope)
    if envelope.v != VERSION:
        raise InvalidInput("EVENT_MALFORMED", f"v is {envelope.v}; expected {VERSION}, the version of the log's line")
    at = parse_instant(envelope.time)
    return Event(envelope.id, envelope.source, envelope.type, envelope.subject, at, data, envelope.origin)


def _unusable_id(envelope: _Envelope) -> InvalidInput:
    found = {"id": envelope.id, "source": envelope.source, "subject": envelope.subject}
    name, length = next((name, len(text)) for name, text in found.items() if not 0 < len(text) <= MAX_ID)
    return InvalidInput("EVENT_MALFORMED", f"{name} has {length} characters; expected 1 to {MAX_ID}")


def sent_at(raw: bytes) -> Millis | None:
    """The sender's clock when it sent the event, if it says so. Raises as parse does."""
    try:
        text = _DECODE_ENVELOPE(raw).sentat
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidInput("EVENT_MALFORMED", str(error)) from error
    return None if text is None else parse_instant(text)


def to_bytes(event: Event) -> bytes:
    """Event -> the log's line: CloudEvents JSON that starts with its format version. parse(to_bytes(e)) == e."""
    return _ENCODE(
        {
            "v": VERSION,
            "specversion": "1.0",
            "id": event.id,
            "source": event.source,
            "type": event.type,
            "subject": event.subject,
            "time": format_instant(event.time),
            "origin": event.origin,
            "data": event.data,
        }
    )
