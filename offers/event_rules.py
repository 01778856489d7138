"""What an event may say, beyond its contract: declared attributes, ranges, bounded lists and texts."""

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from streams.attributes import AttributeSet
from streams.errors import InvalidInput
from streams.events import (
    MAX_DATA_KEYS,
    MAX_FRIENDS,
    MAX_ID,
    Attributes,
    Booking,
    Capacity,
    Consent,
    Event,
    Fare,
    Location,
    Outcome,
    SailingPosition,
    Schedule,
    Social,
    VenueCapacity,
)
from streams.ids import DecisionId
from streams.lake_rows import part_of
from streams.market import timetable
from streams.places import Fix
from streams.profile import FIRST_BUILT_IN
from streams.whereabouts import LOCATED, STATUSES

ORIGINS = ("live", "test", "load")
MAX_FREE = 1_000_000
MAX_MINOR = 10**12


def check(event: Event, attributes: AttributeSet) -> None:
    """Raises InvalidInput: EVENT_VALUE, EVENT_ORIGIN, ATTRIBUTE_UNKNOWN, ATTRIBUTE_EVENT, ATTRIBUTE_VALUE,

    LOCATION_INVALID, DECISION_ID, TIME_INVALID or SCHEDULE_ORDER, naming the field.
    """
    if event.origin not in ORIGINS:
        message = f"origin is {_cut(event.origin)}; expected one of {', '.join(ORIGINS)}"
        raise InvalidInput("EVENT_ORIGIN", message)
    for name in ("id", "source", "subject"):
        _text(name, getattr(event, name))
    for name in event.data.__struct_fields__:
        value = getattr(event.data, name)
        if isinstance(value, str):
            _text(f"data.{name}", value)
    rule = _RULES.get(type(event.data))
    if rule is not None:
        rule(event, event.data, attributes)


def _attributes(event: Event, data: Attributes, attributes: AttributeSet) -> None:
    _bounded("data.attributes", data.attributes, MAX_DATA_KEYS)
    _declared("customer", data.attributes, event, attributes)


def _booking(event: Event, data: Booking, attributes: AttributeSet) -> None:
    _bounded("data.attributes", data.attributes, MAX_DATA_KEYS)
    _one_of("data.status", data.status, attributes.by_name["booking.status"].levels)
    _declared("booking", data.attributes, event, attributes)


def _declared(scope: str, sent: Mapping[str, Any], event: Event, attributes: AttributeSet) -> None:
    for name, raw in sent.items():
        attribute = attributes.by_name.get(f"{scope}.{name}")
        if attribute is None or attribute.number >= FIRST_BUILT_IN:
            raise InvalidInput("ATTRIBUTE_UNKNOWN", _unknown(scope, name, attributes))
        if attribute.event != event.type:
            message = f"{attribute.qualified} comes with {attribute.event or 'no event'}, not with {event.type}"
            raise InvalidInput("ATTRIBUTE_EVENT", message)
        if raw is not None:
            attribute.parse(raw)


def _unknown(scope: str, name: str, attributes: AttributeSet) -> str:
    names = [
        attribute.name
        for attribute in attributes.by_name.values()
        if attribute.scope == scope and attribute.number < FIRST_BUILT_IN
    ]
    close = get_close_matches(name[:MAX_ID], names, n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"declared are {', '.join(sorted(names)) or 'none'}"
    return f"{scope}.{_short(name)} is not declared in attributes.yaml; {hint}"


def _consent(event: Event, data: Consent, attributes: AttributeSet) -> None:
    for part in ("purposes", "channels"):
        said = getattr(data, part)
        _bounded(f"data.{part}", said, MAX_DATA_KEYS)
        for name in said:
            _text(f"data.{part}: a name", name, MAX_ID - len("purpose:"))


def _social(event: Event, data: Social, attributes: AttributeSet) -> None:
    _bounded("data.friends", data.friends, MAX_FRIENDS)
    for friend in data.friends:
        _text("data.friends: an id", friend)


def _location(event: Event, data: Location, attributes: AttributeSet) -> None:
    _one_of("data.status", data.status, STATUSES)
    if data.status not in LOCATED:
        message = f"status {data.status!r} allows no use of a location; send no customer.location then"
        raise InvalidInput("LOCATION_INVALID", message)
    Fix(data.lat, data.lon, data.accuracy_m, event.time)


def _outcome(event: Event, data: Outcome, attributes: AttributeSet) -> None:
    if not data.decision_id:  # of no decision: it counts for the customer, and the lake has nothing to join it with
        return
    try:
        part_of(DecisionId(data.decision_id), event.customer_id)
    except InvalidInput as error:
        raise InvalidInput(error.code, f"data.decision_id: {error.message}") from error


def _position(event: Event, data: SailingPosition, attributes: AttributeSet) -> None:
    Fix(data.lat, data.lon, 0.0, event.time)


def _schedule(event: Event, data: Schedule, attributes: AttributeSet) -> None:
    _one_of("data.status", data.status, attributes.by_name["sailing.status"].levels)
    timetable(data)


def _fare(event: Event, data: Fare, attributes: AttributeSet) -> None:
    _range("data.minor", data.minor, MAX_MINOR)
    if not (len(data.currency) == 3 and data.currency.isascii() and data.currency.isupper()):
        raise InvalidInput("EVENT_VALUE", f"data.currency is {_cut(data.currency)}; expected ISO 4217, such as 'EUR'")


def _capacity(event: Event, data: Capacity | VenueCapacity, attributes: AttributeSet) -> None:
    _range("data.free", data.free, MAX_FREE)


_RULES: Mapping[type, Callable[[Event, Any, AttributeSet], None]] = {
    Attributes: _attributes,
    Booking: _booking,
    Consent: _consent,
    Social: _social,
    Location: _location,
    Outcome: _outcome,
    SailingPosition: _position,
    Schedule: _schedule,
    Fare: _fare,
    Capacity: _capacity,
    VenueCapacity: _capacity,
}


def _text(name: str, text: str, most: int = MAX_ID) -> None:
    if len(text) > most:
        raise InvalidInput("EVENT_VALUE", f"{name} has {len(text)} characters; expected at most {most}")
    if not text.isprintable():
        raise InvalidInput("EVENT_VALUE", f"{name} is {_cut(text)}; expected printable characters only")


def _one_of(name: str, found: str, allowed: Iterable[str]) -> None:
    if found not in allowed:
        raise InvalidInput("EVENT_VALUE", f"{name} is {_cut(found)}; expected one of {', '.join(allowed)}")


def _range(name: str, found: int, most: int) -> None:
    if not 0 <= found <= most:
        raise InvalidInput("EVENT_VALUE", f"{name} is {_cut(found)}; expected a whole number from 0 to {most}")


def _bounded(name: str, found: Mapping[str, Any] | list[str], most: int) -> None:
    if len(found) > most:
        raise InvalidInput("EVENT_VALUE", f"{name} has {len(found)} entries; expected at most {most}")


def _cut(value: object) -> str:
    return _short(repr(value))


def _short(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
