"""Declared attributes: declared once in attributes.yaml, used by rules, features, purging and the doors (idea 1).

A qualified name is `<scope>.<name>`, or `<scope>.<name>.<key>` for an attribute declared `by:` a key, for example
`market.cabins_free.inside`. Facts everywhere are a mapping from qualified name to (value, as_of); absent = missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from streams.declared_features import EVERY, DeclaredFeatures
from streams.errors import InvalidInput
from streams.ids import Millis
from streams.instant import parse_instant

Value = str | int | float | bool | tuple[str, ...]
"""enum, string: str. integer, duration (ms), money (minor units), datetime (ms): int. number, distance (m): float.

boolean: bool. set: a sorted tuple of str.
"""
Fact = tuple[Value, Millis]
"""A value and the instant since which it is known to hold."""
Facts = Mapping[str, Fact]

SCOPES = ("customer", "booking", "sailing", "venue", "market", "context", "offer")
SUBJECT_SCOPES = ("booking", "sailing", "venue", "market")
"""Scopes that belong to what a candidate is about; conditions on them never enter the index."""
MAX_TEXT = 256
MAX_SET = 256
MAX_INTEGER = 2**53


class Kind(StrEnum):
    """The types of attributes.yaml."""

    ENUM = "enum"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    STRING = "string"
    SET = "set"
    DURATION = "duration"
    DISTANCE = "distance"
    MONEY = "money"
    DATETIME = "datetime"


@dataclass(frozen=True, slots=True)
class Attribute:
    """One declaration. `number` is the field number under which values are stored: never reused."""

    scope: str
    name: str
    number: int
    kind: Kind
    levels: tuple[str, ...] = ()
    ordered: bool = False
    unit: str | None = None
    keys: tuple[str, ...] = ()
    """For an attribute declared `by:` something: the allowed keys, for example cabin kinds."""
    by: str | None = None
    event: str | None = None
    """The event type that sets it; None: derived by Offing or given with the request."""
    set_by: str = "server"
    """`app`: a customer's own token may set it; `server`: only an API key may."""
    purpose: str | None = None
    """Consent purpose without which the attribute is missing; None: needed for the contract itself."""
    retention_ms: Millis | None = None
    fresh_ms: Millis | None = None
    """Older than this counts as missing unless the condition says its own `fresh_within`."""
    protected: bool = False
    """Never a feature."""
    feature: bool = True
    qualified: str = field(init=False, repr=False, compare=False)
    """`customer.loyalty_tier`. Kept, because every decision asks for a dozen of them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "qualified", f"{self.scope}.{self.name}")

    def parse(self, raw: object) -> Value:
        """A JSON value -> the value rules and features see. Raises InvalidInput ATTRIBUTE_VALUE."""
        try:
            return _PARSERS[self.kind](self, raw)
        except (TypeError, ValueError, InvalidInput) as error:
            expected = f"one of {', '.join(self.levels)}" if self.kind is Kind.ENUM else f"a {self.kind}"
            raise InvalidInput("ATTRIBUTE_VALUE", f"{self.qualified} is {_shown(raw)}; expected {expected}") from error


def _shown(raw: object) -> str:
    text = repr(raw)
    return text if len(text) <= 60 else text[:57] + "..."


def _enum(attribute: Attribute, raw: object) -> Value:
    if raw not in attribute.levels:
        raise ValueError(raw)
    return str(raw)


def _integer(attribute: Attribute, raw: object) -> Value:
    if isinstance(raw, bool) or not isinstance(raw, int) or abs(raw) > MAX_INTEGER:
        raise ValueError(raw)
    return raw


def _number(attribute: Attribute, raw: object) -> Value:
    if isinstance(raw, bool) or not isinstance(raw, int | float) or not abs(raw) <= MAX_INTEGER:  # NaN fails too
        raise ValueError(raw)
    return float(raw)


def _boolean(attribute: Attribute, raw: object) -> Value:
    if not isinstance(raw, bool):
        raise ValueError(raw)
    return raw


def _string(attribute: Attribute, raw: object) -> Value:
    if not isinstance(raw, str) or not raw or len(raw) > MAX_TEXT:
        raise ValueError(raw)
    return raw


def _set(attribute: Attribute, raw: object) -> Value:
    if not isinstance(raw, list | tuple) or len(raw) > MAX_SET:
        raise ValueError(raw)
    members = tuple(sorted({str(_string(attribute, member)) for member in raw}))
    if attribute.levels and not set(members) <= set(attribute.levels):
        raise ValueError(raw)
    return members


def _datetime(attribute: Attribute, raw: object) -> Value:
    return parse_instant(raw) if isinstance(raw, str) else _integer(attribute, raw)


_PARSERS = {
    Kind.ENUM: _enum,
    Kind.INTEGER: _integer,
    Kind.NUMBER: _number,
    Kind.BOOLEAN: _boolean,
    Kind.STRING: _string,
    Kind.SET: _set,
    Kind.DURATION: _integer,
    Kind.DISTANCE: _number,
    Kind.MONEY: _integer,
    Kind.DATETIME: _datetime,
}


PHASES = ("planned", "check_in", "boarding", "on_board", "arrived")
BUILT_IN: tuple[Attribute, ...] = (
    Attribute("customer", "friends", 9001, Kind.SET, event="customer.social", purpose="social", feature=False),
    Attribute("booking", "id", 9101, Kind.STRING, feature=False),
    Attribute("booking", "status", 9102, Kind.ENUM, ("open", "cancelled", "completed"), feature=False),
    Attribute("booking", "phase", 9103, Kind.ENUM, PHASES, ordered=True),
    Attribute("sailing", "id", 9201, Kind.STRING, feature=False),
    Attribute("sailing", "line", 9202, Kind.STRING),
    Attribute("sailing", "origin", 9203, Kind.STRING),
    Attribute("sailing", "destination", 9204, Kind.STRING),
    Attribute("sailing", "departure", 9205, Kind.DATETIME, feature=False),
    Attribute("sailing", "arrival", 9206, Kind.DATETIME, feature=False),
    Attribute("sailing", "departs_in", 9207, Kind.DURATION),
    Attribute("sailing", "departs_on", 9208, Kind.STRING, feature=False),
    Attribute("sailing", "status", 9209, Kind.ENUM, ("scheduled", "delayed", "cancelled")),
    Attribute("sailing", "friends_booked", 9210, Kind.INTEGER, purpose="social"),
    Attribute("venue", "id", 9301, Kind.STRING, feature=False),
    Attribute("venue", "kind", 9302, Kind.STRING),
    Attribute("venue", "free", 9303, Kind.INTEGER),
    Attribute("venue", "on_board", 9304, Kind.BOOLEAN),
    Attribute("context", "device_class", 9501, Kind.ENUM, ("phone", "tablet", "desktop", "other")),
    Attribute("context", "app_platform", 9502, Kind.STRING),
    Attribute("context", "app_version", 9503, Kind.STRING, feature=False),
    Attribute("context", "local_hour", 9511, Kind.INTEGER),
    Attribute("context", "weekday", 9512, Kind.INTEGER),
    Attribute("context", "month", 9513, Kind.INTEGER),
    Attribute("context", "season", 9514, Kind.SET),
    Attribute("context", "nearest_port", 9521, Kind.STRING),
    Attribute("context", "nearest_port_distance", 9522, Kind.DISTANCE),
    Attribute("offer", "price", 9601, Kind.MONEY),
    Attribute("offer", "discount", 9602, Kind.NUMBER, unit="percent"),
    Attribute("offer", "collection", 9603, Kind.STRING),
)
"""What Offing derives by itself or always understands. Field numbers from 9000 on are reserved for these."""


@dataclass(frozen=True, slots=True)
class AttributeSet:
    """Every declared and built-in attribute, by qualified name (keyed ones under their bare name)."""

    by_name: Mapping[str, Attribute]
    features: DeclaredFeatures = EVERY
    """Which of them a model looks at, and how."""
    by_number: Mapping[int, Attribute] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "by_name", MappingProxyType(dict(self.by_name)))
        numbers = {attribute.number: attribute for attribute in self.by_name.values()}
        object.__setattr__(self, "by_number", MappingProxyType(numbers))

    def of_fact(self, name: str) -> Attribute | None:
        """The attribute behind a fact's name, keyed or not: market.cabins_free.inside -> market.cabins_free."""
        found = self.by_name.get(name)
        if found is None:
            bare, _, key = name.rpartition(".")
            found = self.by_name.get(bare)
            if found is not None and key not in found.keys:
                return None
        return found


def attribute_set(declared: tuple[Attribute, ...], features: DeclaredFeatures = EVERY) -> AttributeSet:
    """Declared attributes plus the built-in ones. Raises InvalidInput ATTRIBUTE_TWICE or ATTRIBUTE_NUMBER."""
    names: dict[str, Attribute] = {}
    numbers: dict[int, str] = {}
    for attribute in (*BUILT_IN, *declared):
        if attribute.qualified in names:
            raise InvalidInput("ATTRIBUTE_TWICE", f"{attribute.qualified} is declared twice; remove one declaration")
        if attribute.number in numbers:
            other = numbers[attribute.number]
            message = f"{attribute.qualified} has field {attribute.number}, which is {other}'s; take a new number"
            raise InvalidInput("ATTRIBUTE_NUMBER", message)
        names[attribute.qualified] = attribute
        numbers[attribute.number] = attribute.qualified
    return AttributeSet(names, features)
