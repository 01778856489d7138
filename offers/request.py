"""What an app sends to /v1/decisions: the wire contract, bounded, and its parsing into a Request and a fix."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from offers.phone_clock import EARLIEST, corrected
from streams.attributes import AttributeSet
from streams.errors import InvalidInput
from streams.ids import CustomerId, Millis, PlacementId
from streams.instant import MINUTE_MS, parse_instant
from streams.places import STATUSES, Fix
from streams.record import FactDict, PlacementRequest, Request
from streams.whereabouts import LOCATED

Contract = TypeVar("Contract")
MAX_PLACEMENTS = 10
MAX_LIMIT = 30
MAX_HOLDING = 50
MAX_LOCALE = 200
MAX_EXPLAIN = 50
FIX_MS = 15 * MINUTE_MS
"""An older fix counts as none: presence may stand in for it."""
EXPLAIN = ("none", "summary", "full")
MAX_ID = 128


class WantedPlacement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A placement and how many items it can show."""

    placement: str
    limit: int = 1


class SentLocation(msgspec.Struct, frozen=True):
    """The phone's location as the platform gives it, and the permission it has."""

    status: str = "not_determined"
    lat: float | None = None
    lon: float | None = None
    accuracy_m: float = 50.0
    at: str | None = None


class Options(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What needs a scope (explain, dry_run, now, revision) and the deadline."""

    explain: str = "none"
    explain_offers: list[str] = []
    dry_run: bool = False
    now: str | None = None
    revision: str | None = None
    deadline_ms: float | None = None


class DecisionRequest(msgspec.Struct, frozen=True):
    """The body of POST /v1/decisions. Unknown keys are ignored, so that newer apps can talk to older services."""

    placements: list[WantedPlacement]
    customer_id: str | None = None
    """May be left out with a customer's own token."""
    request_id: str | None = None
    sent_at: str | None = None
    locale: str = "en"
    context: dict[str, Any] = {}
    events: list[msgspec.Raw] = []
    holding: list[str] = []
    """Tokens of what the app still shows."""
    options: Options = Options()


_DECODE = msgspec.json.Decoder(DecisionRequest).decode
_SYNTAX = msgspec.json.Decoder(msgspec.Raw).decode
UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Asked:
    """A parsed request: what the decision may see, and beside it the one fix and the wire's own fields."""

    request: Request
    location_status: str
    fix: Fix | None
    wire: DecisionRequest


def read(body: bytes) -> DecisionRequest:
    """JSON -> the contract. Raises InvalidInput JSON_MALFORMED (not JSON) or REQUEST_INVALID (not this contract)."""
    try:
        wire = _DECODE(body)
    except msgspec.ValidationError as error:
        _check_syntax(body)  # the first error found may be one of type, in front of one of syntax
        raise InvalidInput("REQUEST_INVALID", str(error)) from error
    except UNREADABLE as error:
        raise _malformed(error) from error
    return bounded(wire)


def decoded(body: bytes, contract: type[Contract]) -> Contract:
    """A small body -> its contract. Raises InvalidInput JSON_MALFORMED or REQUEST_INVALID."""
    try:
        return msgspec.json.decode(body, type=contract)
    except msgspec.ValidationError as error:
        _check_syntax(body)
        raise InvalidInput("REQUEST_INVALID", str(error)) from error
    except UNREADABLE as error:
        raise _malformed(error) from error


def _check_syntax(body: bytes) -> None:
    try:
        _SYNTAX(body)
    except UNREADABLE as error:
        raise _malformed(error) from error


def _malformed(error: Exception) -> InvalidInput:
    message = f"the body is not JSON: {error}; send one object in UTF-8, and no NaN or Infinity"
    return InvalidInput("JSON_MALFORMED", message)


def bounded(wire: DecisionRequest) -> DecisionRequest:
    """The same, however it was made, if no list or text is too long. Raises InvalidInput REQUEST_INVALID."""
    _bound("placements", len(wire.placements), 1, MAX_PLACEMENTS)
    _bound("holding", len(wire.holding), 0, MAX_HOLDING)
    _bound("locale (characters)", len(wire.locale), 1, MAX_LOCALE)
    _bound("options.explain_offers", len(wire.options.explain_offers), 0, MAX_EXPLAIN)
    for name, text in (("request_id", wire.request_id), ("customer_id", wire.customer_id)):
        if text is not None:
            _bound(f"{name} (characters)", len(text), 1, MAX_ID)
    if wire.options.explain not in EXPLAIN:
        message = f"options.explain is {wire.options.explain[:60]!r}; expected one of {', '.join(EXPLAIN)}"
        raise InvalidInput("REQUEST_INVALID", message)
    return wire


def _bound(name: str, found: int, least: int, most: int) -> None:
    if not least <= found <= most:
        raise InvalidInput("REQUEST_INVALID", f"{name}: {found}; expected {least} to {most}")


def parse(wire: DecisionRequest, customer_id: CustomerId, attributes: AttributeSet, now: Millis) -> Asked:
    """The wire's fields checked against the declared attributes. Raises InvalidInput."""
    placements = tuple(_placement(wanted) for wanted in wire.placements)
    names = [wanted.placement for wanted in placements]
    if len(set(names)) != len(names):
        raise InvalidInput("REQUEST_INVALID", "a placement is asked for twice; ask once with a higher limit")
    context = dict(wire.context)
    sent = None if wire.sent_at is None else parse_instant(wire.sent_at)
    status, fix = _location(context.pop("location", None), sent, now)
    trip = context.pop("trip", None)
    booking = trip.get("booking_id") if isinstance(trip, Mapping) else None
    if isinstance(booking, str):
        _bound("context.trip.booking_id (characters)", len(booking), 0, MAX_ID)
    request = Request(
        customer_id=customer_id,
        placements=placements,
        locale=wire.locale,
        context=_context(context, attributes, now),
        trip=booking if isinstance(booking, str) and booking else None,
    )
    return Asked(request, status, fix, wire)


def _placement(wanted: WantedPlacement) -> PlacementRequest:
    _bound("placement (characters)", len(wanted.placement), 1, MAX_ID)
    _bound(f"limit of {wanted.placement[:60]!r}", wanted.limit, 1, MAX_LIMIT)
    return PlacementRequest(PlacementId(wanted.placement), wanted.limit)


def _location(said: object, sent: Millis | None, now: Millis) -> tuple[str, Fix | None]:
    """(status, fix or None)."""
    if said is None:
        return "not_determined", None
    try:
        location = msgspec.convert(said, SentLocation)
    except msgspec.ValidationError as error:
        raise InvalidInput("LOCATION_INVALID", f"context.location: {error}") from error
    if location.status not in STATUSES:
        message = f"context.location.status is {location.status[:30]!r}; expected one of {', '.join(STATUSES)}"
        raise InvalidInput("LOCATION_INVALID", message)
    if location.status not in LOCATED:
        return location.status, None
    if location.lat is None or location.lon is None:
        if location.lat is not location.lon:
            raise InvalidInput("LOCATION_INVALID", "context.location has one of lat and lon; send both or neither")
        return "not_determined", None  # allowed to know, but there is no fix yet: presence may stand in for it
    at = _when(location.at, sent, now)
    if at < now - FIX_MS:
        return "not_determined", None  # where somebody was is not where they are
    return location.status, Fix(location.lat, location.lon, location.accuracy_m, at)


def _when(said: str | None, sent: Millis | None, now: Millis) -> Millis:
    """When the fix was taken: its age by the phone's own clock if `sent` tells that one, else its time as it is,

    unless that clock cannot be right."""
    at = now if said is None else corrected(parse_instant(said), sent, now)
    if sent is None and at < EARLIEST:
        return now  # a clock in 1970 says nothing about the fix, which the app sends as it gets it
    return at


def _context(sent: Mapping[str, Any], attributes: AttributeSet, now: Millis) -> FactDict:
    """Declared context attributes of the request; `device: {class: ...}` is device_class, and so on."""
    facts: FactDict = {}
    for key, value in sent.items():
        group = value.items() if isinstance(value, Mapping) else ((None, value),)
        for inner, raw in group:
            attribute = attributes.by_name.get(f"context.{key}" if inner is None else f"context.{key}_{inner}")
            if attribute is not None and attribute.qualified not in DERIVED:
                facts[attribute.qualified] = (attribute.parse(raw), now)
    return facts


DERIVED = frozenset(
    f"context.{name}" for name in ("local_hour", "weekday", "month", "season", "nearest_port", "nearest_port_distance")
)
"""Set by the service from its clock and the whereabouts, never by the caller."""
