"""An event as it arrived -> as it goes on the log: token resolved, sender allowed, time corrected, content checked."""

from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from offers import phone_clock
from offers.caller import Caller, may_send, may_send_type
from offers.event_rules import check
from offers.shown import OUTCOMES, counted_once, judged, not_before_decision, outcome_of, require_token
from offers.tokens import OfferToken, OfferTokens
from streams.attributes import AttributeSet
from streams.errors import InvalidInput
from streams.events import Event, parse
from streams.ids import Millis
from streams.instant import parse_instant

Fields = dict[str, msgspec.Raw]
"""The attributes of one CloudEvent by name, each still JSON."""
UNREADABLE = (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for bytes that are not what was expected; told() words it."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What events are checked against."""

    attributes: AttributeSet
    tokens: OfferTokens


@dataclass(frozen=True, slots=True)
class Arrival:
    """Who sent it and when it came."""

    caller: Caller
    now: Millis
    """The instant that counts at this door."""
    recorded: Millis | None = None
    """`now` in a simulated namespace; None: the log's own append time."""
    origin: str = "live"
    """Of events that do not say; a customer's events always have it."""


_ENCODE = msgspec.json.Encoder().encode
_DECODE_FIELDS = msgspec.json.Decoder(Fields).decode


class _Tokened(msgspec.Struct):
    token: str | None = None


_DECODE_TOKENED = msgspec.json.Decoder(_Tokened).decode


def fields_of(raw: bytes) -> Fields:
    """Raises InvalidInput EVENT_MALFORMED if it is not an object."""
    try:
        return _DECODE_FIELDS(raw)
    except UNREADABLE as error:
        raise InvalidInput("EVENT_MALFORMED", told(error)) from error


def event_of(fields: Fields, arrival: Arrival, rules: Rules) -> Event:
    """The event as it goes on the log. Raises InvalidInput or NotAllowed that say what is wrong; changes `fields`."""
    kind = text_of(fields, "type") or ""
    may_send_type(arrival.caller, kind)
    token = _token_of(fields, kind, arrival, rules.tokens)
    if text_of(fields, "specversion") != "1.0":
        raise InvalidInput("EVENT_MALFORMED", "specversion is missing or not '1.0'; events are CloudEvents 1.0")
    event = parse(_ENCODE(fields))
    may_send(arrival.caller, event, rules.attributes)
    event = replace(event, time=_time_of(event, fields, token, arrival), origin=_origin_of(event, fields, arrival))
    if token is not None:
        event = judged(event, token)
    check(event, rules.attributes)
    return counted_once(event)


def _token_of(fields: Fields, kind: str, arrival: Arrival, tokens: OfferTokens) -> OfferToken | None:
    """The resolved token of an outcome; the fields then hold what it says instead of it."""
    if kind not in OUTCOMES or "data" not in fields:
        return None
    try:
        text = _DECODE_TOKENED(fields["data"]).token
    except UNREADABLE as error:
        raise InvalidInput("EVENT_MALFORMED", f"data: {told(error)}") from error
    if text is None:
        require_token(arrival.caller, kind)
        return None
    token = tokens.read(text)
    fields["data"] = msgspec.Raw(_ENCODE(outcome_of(token)))
    fields.setdefault("subject", msgspec.Raw(_ENCODE(token.customer_id)))
    return token


def _time_of(event: Event, fields: Fields, token: OfferToken | None, arrival: Arrival) -> Millis:
    said = text_of(fields, "sentat")
    sent = None if said is None else parse_instant(said)
    time = phone_clock.corrected(event.time, sent, arrival.now)
    believed = phone_clock.plausible if arrival.caller.kind == "customer" else phone_clock.checked
    time = believed(event.type, time, arrival.now)
    return time if token is None else not_before_decision(time, token, arrival.now)


def _origin_of(event: Event, fields: Fields, arrival: Arrival) -> str:
    says_itself = arrival.caller.kind == "key" and "origin" in fields
    return event.origin if says_itself else arrival.origin


def text_of(fields: Fields, name: str) -> str | None:
    """A text field, before the contract is checked; None if it is none."""
    raw = fields.get(name)
    try:
        return None if raw is None else msgspec.json.decode(raw, type=str)
    except UNREADABLE:
        return None


def told(error: Exception) -> str:
    """What an UNREADABLE error says."""
    return "nested too deeply" if isinstance(error, RecursionError) else str(error)
