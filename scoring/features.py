"""Declared features and the type Propensity: the same rows in training and in serving."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.attributes import SUBJECT_SCOPES, Attribute, AttributeSet, Kind
from streams.errors import InvalidInput
from streams.ids import Millis, ModelId
from streams.record import DecisionInputs, OfferFacts, Subject
from streams.whereabouts import STATUSES

Rows: TypeAlias = NDArray[np.float64]
"""(n candidates, n features), NaN for missing."""
Scorable = tuple[OfferFacts, Subject]
"""All that scoring may know of a candidate."""
Vocabulary = Mapping[str, tuple[str, ...]]
"""Fact name, `offer.id` or `place.fence` -> the values that have a code, in code order. Others are unseen."""
NO_VOCABULARY: Vocabulary = MappingProxyType({})
COUNTERS = "counters"
"""What `reads` says for response history."""

MAX_CODES = 255
MAX_MEMBERS = 32
CYCLES: Mapping[str, float] = MappingProxyType(
    {"context.local_hour": 24.0, "context.weekday": 7.0, "context.month": 12.0}
)
"""Facts that come round again: they get a sine and a cosine beside their raw value."""
LEVELS = ("any", "offer", "collection", "campaign")
"""Whose responses a history column counts: all of the customer's, or those to this candidate's offer, ..."""
RESPONSES = ("exposed", "clicked", "dismissed")
WINDOWS: Mapping[str, Millis | None] = MappingProxyType({"24h": 24 * 3_600_000, "7d": 7 * 24 * 3_600_000, "ever": None})
OWN: Mapping[str, str] = MappingProxyType(
    {"own_kind": "offer.affinity", "own_fare": "offer.price_source", "own_room": "offer.room_source"}
)
"""Crosses: column -> the offer attribute that names another fact; the column is that fact's value.

`affinity: customer.bar_visits` makes `own_kind` how often this customer visits this offer's kind of venue.
"""


class Book:
    """Offers that positions stand for. Known by identity, so that what was computed of it can be kept beside it."""

    __slots__ = ("__weakref__", "offers")

    def __init__(self, offers: tuple[OfferFacts, ...]) -> None:
        self.offers = offers


@dataclass(frozen=True, slots=True)
class Scores:
    """What a propensity says of n candidates."""

    probability: NDArray[np.float64]
    """(n,) calibrated probability of the goal."""
    rows: Rows


@dataclass(frozen=True, slots=True)
class Propensity:
    """A scorer: the prior, LightGBM or its compiled form. Pure and thread-safe."""

    model: ModelId
    features: tuple[str, ...]
    """Names of the columns of Scores.rows."""
    reads: frozenset[str]
    """Qualified attributes it reads; part of the cache's stamp. History features say `counters`."""
    score: Callable[[DecisionInputs, Sequence[Scorable]], Scores]
    meet: Callable[[Book], None] = lambda book: None
    """Compute beforehand what is computed once per offer: the first customers of a new catalog need not wait for it."""
    form: str = "prior"
    """`prior`, `booster` or `compiled`: what computes the scores; for metrics and messages, never for scores."""


class Part(StrEnum):
    """What a column is computed from, in the order in which columns stand in a row."""

    COMMON = "common"
    """Customer, context and place: once per decision."""
    OFFER = "offer"
    """Once per offer."""
    SUBJECT = "subject"
    """Once per subject of the decision."""
    HISTORY = "history"
    """This customer's responses: once per decision and offer, collection or campaign."""
    OWN = "own"
    """A cross: another column of the row, chosen by the offer."""


class Transform(StrEnum):
    """How a value becomes a number."""

    NUMBER = "number"
    FLAG = "flag"
    """false 0, true 1."""
    CODE = "code"
    """Position in `levels`: a rank if they are ordered; -1 for a value that is not there."""
    MEMBER = "member"
    """1 if `member` is in the set, else 0."""
    SIZE = "size"
    """How many members."""
    SINCE = "since"
    """Hours from the instant to the decision; negative for the future."""
    HOURS = "hours"
    """A duration in hours."""
    SIN = "sin"
    COS = "cos"
    """Of a number that comes round after `period`."""
    COUNT = "count"
    """History only."""
    NAMED = "named"
    """OWN only."""


class Column(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One feature: from which fact, by which transform. Part of a model folder's format."""

    name: str
    part: Part
    source: str
    """The fact's name; `place.status`, `place.fence`; `<level>.<response>` for history; an offer fact for OWN."""
    transform: Transform
    levels: tuple[str, ...] = ()
    member: str = ""
    period: float = 0.0
    fresh_ms: Millis | None = None
    """Older facts are missing."""
    attribute: str = ""
    """Qualified attribute behind the source; empty: none."""

    @property
    def feature(self) -> str:
        """What a person calls it, shared by all columns of one fact: its name, `history.offer.exposed`, a cross."""
        if self.part is Part.HISTORY:
            return f"history.{self.source}"
        return self.name if self.part is Part.OWN else self.source


class FeatureList(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Columns in row order, with their vocabulary: all that is needed to make rows, without the declarations."""

    v: int
    columns: tuple[Column, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Column names, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def reads(self) -> frozenset[str]:
        """Qualified attributes, and COUNTERS."""
        attributes = {column.attribute for column in self.columns if column.attribute}
        history = any(column.part is Part.HISTORY for column in self.columns)
        return frozenset(attributes | ({COUNTERS} if history else set()))

    def of_part(self, part: Part) -> tuple[Column, ...]:
        """The columns of one part."""
        return tuple(column for column in self.columns if column.part is part)


FORMAT = 1


def feature_list(attributes: AttributeSet, vocabulary: Vocabulary = NO_VOCABULARY) -> FeatureList:
    """Every declared attribute that may be a feature, the response history and the crosses, in a fixed order.

    Attributes without declared levels (strings, open sets) need a vocabulary; without one they have no columns.
    """
    features = [a for a in attributes.by_name.values() if a.feature and not a.protected]
    features.sort(key=lambda attribute: attribute.qualified)
    columns = [
        *_of_scopes(features, ("customer", "context"), (Part.COMMON, vocabulary)),
        *_of_place(vocabulary),
        *_of_scopes(features, ("offer",), (Part.OFFER, vocabulary)),
        *_of_offer(vocabulary),
        *_of_scopes(features, SUBJECT_SCOPES, (Part.SUBJECT, vocabulary)),
        *_of_history(),
        *(Column(name, Part.OWN, source, Transform.NAMED) for name, source in OWN.items()),
    ]
    return FeatureList(FORMAT, tuple(columns))


def check_protected(features: FeatureList, attributes: AttributeSet) -> None:
    """Raises InvalidInput MODEL_PROTECTED if a column reads what is declared protected (or no feature) now."""
    for column in features.columns:
        attribute = attributes.by_name.get(column.attribute)
        if attribute is not None and (attribute.protected or not attribute.feature):
            message = (
                f"the model reads {column.attribute}, which is declared protected or no feature; train a new model"
            )
            raise InvalidInput("MODEL_PROTECTED", message)


def _of_scopes(features: Sequence[Attribute], scopes: Sequence[str], into: tuple[Part, Vocabulary]) -> Iterator[Column]:
    part, vocabulary = into
    for attribute in features:
        if attribute.scope not in scopes or attribute.qualified in OWN.values():
            continue
        for source in [f"{attribute.qualified}.{key}" for key in attribute.keys] or [attribute.qualified]:
            yield from _of_fact(attribute, source, part, vocabulary.get(source, ()))


def _of_fact(attribute: Attribute, source: str, part: Part, seen: tuple[str, ...]) -> Iterator[Column]:
    def column(name: str, transform: Transform) -> Column:
        return Column(name, part, source, transform, fresh_ms=attribute.fresh_ms, attribute=attribute.qualified)

    kind = attribute.kind
    if kind in (Kind.ENUM, Kind.STRING):
        levels = (attribute.levels or seen)[:MAX_CODES]
        if levels:
            yield msgspec.structs.replace(column(source, Transform.CODE), levels=levels)
    elif kind is Kind.SET:
        yield column(f"{source}#", Transform.SIZE)
        for member in (attribute.levels or seen)[:MAX_MEMBERS]:
            yield msgspec.structs.replace(column(f"{source}={member}", Transform.MEMBER), member=member)
    else:
        yield column(source, _PLAIN.get(kind, Transform.NUMBER))
        for transform in (Transform.SIN, Transform.COS) if source in CYCLES else ():
            yield msgspec.structs.replace(column(f"{source}~{transform}", transform), period=CYCLES[source])


_PLAIN = {Kind.BOOLEAN: Transform.FLAG, Kind.DATETIME: Transform.SINCE, Kind.DURATION: Transform.HOURS}


def _of_place(vocabulary: Vocabulary) -> Iterator[Column]:
    yield Column("place.status", Part.COMMON, "place.status", Transform.CODE, levels=STATUSES)
    for fence in vocabulary.get("place.fence", ())[:MAX_MEMBERS]:
        yield Column(f"place.fence={fence}", Part.COMMON, "place.fence", Transform.MEMBER, member=fence)


def _of_offer(vocabulary: Vocabulary) -> Iterator[Column]:
    yield Column("offer.starting_mean", Part.OFFER, "offer.starting_mean", Transform.NUMBER)
    known = vocabulary.get("offer.id", ())[:MAX_CODES]
    if known:
        yield Column("offer.id", Part.OFFER, "offer.id", Transform.CODE, levels=known)


def _of_history() -> Iterator[Column]:
    for level in LEVELS:
        for response in RESPONSES:
            for window in WINDOWS:
                name = f"history.{level}.{response}.{window}"
                yield Column(name, Part.HISTORY, f"{level}.{response}", Transform.COUNT)
        yield Column(f"history.{level}.exposed.since", Part.HISTORY, f"{level}.exposed", Transform.SINCE)
