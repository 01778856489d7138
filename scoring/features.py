"""Declared features and the type Propensity: the same rows in training and in serving."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from streams.attributes import SUBJECT_SCOPES, Attribute, AttributeSet, Kind
from streams.declared_features import (
    AGAINST_RECENT,
    CYCLES,
    FRIENDS_ON_LINE,
    RATE,
    UP,
    WHERE_LISTED,
    Declared,
    DeclaredFeatures,
    DeclaredHistory,
)
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
OFFERS_RATE = "rates.offer"
COUNTERS = "counters"
"""What `reads` says for response history."""

MAX_CODES = 255
MAX_MEMBERS = 32


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
    hindered: str = ""
    """Why the booster serves, in words; empty where it does not."""
    folder: Path | None = None
    """Where the model lies, for who explains it; None: it has no folder."""


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
    RATES = "rates"
    """A response rate of the offer, at the level that another column of the row tells."""


class Transform(StrEnum):
    """How a value becomes a number."""

    NUMBER = "number"
    FLAG = "flag"
    """false 0, true 1."""
    CODE = "code"
    """Position in `levels`: a rank if they are ordered; -1 for a value that is not there."""
    MEMBER = "member"
    """1 if `member` is in the set, else 0."""
    IS = "is"
    """1 if the value is `member`, else 0."""
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
    RATE = "rate"
    """History only: (clicked + evidence x mean) / (exposed + evidence)."""
    NAMED = "named"
    """OWN only."""
    LEARNT = "learnt"
    """The offer's response rate, out of the column's `table`."""


class Column(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One feature: from which fact, by which transform. Part of a model folder's format."""

    name: str
    part: Part
    source: str
    """The fact's name; `place.status`, `place.fence`; `<level>.<response>` for history; an offer fact for OWN; for

    RATES the column whose value is the level."""
    transform: Transform
    levels: tuple[str, ...] = ()
    member: str = ""
    """Of MEMBER and IS; of NAMED: what of the named fact is meant (`against_recent`), empty: itself."""
    period: float = 0.0
    fresh_ms: Millis | None = None
    """Older facts are missing."""
    attribute: str = ""
    """Qualified attribute behind the source; empty: none."""
    monotone: int = 0
    """1: a greater value never lowers the propensity; -1: never raises it."""
    mean: float = 0.0
    """Of RATE: everybody's, which is the rate of who was never shown anything. Of LEARNT: that of all offers together,

    which is the rate of an offer that is not in the table."""
    evidence: float = 0.0
    """Of RATE and LEARNT: how many exposures `mean` weighs; of LEARNT, 0: nothing is learnt, and every rate missing."""
    table: dict[str, tuple[float, ...]] = {}
    """Of LEARNT: offer -> its rate at each level, and last at none of them; of Part.OFFER the last alone."""

    @property
    def feature(self) -> str:
        """What a person calls it, shared by all columns of one fact: its name, `history.offer.exposed`, a cross."""
        if self.part is Part.HISTORY:
            return f"history.{self.source}"
        own = self.part in (Part.OWN, Part.RATES) or self.transform is Transform.LEARNT
        return self.name if own else self.source


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
        counted = any(c.part is Part.HISTORY or c.source == FRIENDS_ON_LINE for c in self.columns)
        return frozenset(attributes | ({COUNTERS} if counted else set()))

    def of_part(self, part: Part) -> tuple[Column, ...]:
        """The columns of one part."""
        return tuple(column for column in self.columns if column.part is part)


FORMAT = 1


class Shrinkage(NamedTuple):
    """Towards what a customer's rate is drawn, and how strongly: a prior of so many exposures."""

    mean: float
    evidence: float


NOTHING_LEARNT = Shrinkage(0.0, 5.0)


def feature_list(
    attributes: AttributeSet,
    vocabulary: Vocabulary = NO_VOCABULARY,
    shrinkage: Mapping[str, Shrinkage] = MappingProxyType({}),
) -> FeatureList:
    """The columns that features.yaml declares, in a fixed order whatever the file's; without it every declared

    attribute that may be a feature, the response history and the crosses. Attributes without declared levels
    (strings, open sets) need a vocabulary; without one they have no columns. `shrinkage` by history level.
    """
    declared = attributes.features
    columns = [
        *_of_scopes(attributes, ("customer", "context"), (Part.COMMON, vocabulary)),
        *_of_place(declared, vocabulary),
        *_of_scopes(attributes, ("offer",), (Part.OFFER, vocabulary)),
        *_of_offer(declared, vocabulary),
        *_of_offers_rate(declared),
        *_of_scopes(attributes, SUBJECT_SCOPES, (Part.SUBJECT, vocabulary)),
        *_where_listed(declared),
        *_of_history(declared.history),
        *_of_rates(declared.history, shrinkage),
        *_of_crosses(declared),
    ]
    return FeatureList(FORMAT, (*columns, *_of_rates_by(declared, columns)))


def check_protected(features: FeatureList, attributes: AttributeSet) -> None:
    """Raises InvalidInput MODEL_PROTECTED if a column reads what is declared protected (or no feature) now."""
    for column in features.columns:
        attribute = attributes.by_name.get(column.attribute)
        if attribute is not None and (attribute.protected or not attribute.feature):
            message = (
                f"the model reads {column.attribute}, which is declared protected or no feature; train a new model"
            )
            raise InvalidInput("MODEL_PROTECTED", message)


def _of_scopes(attributes: AttributeSet, scopes: Sequence[str], into: tuple[Part, Vocabulary]) -> Iterator[Column]:
    part, vocabulary = into
    for _, attribute in sorted(attributes.by_name.items()):
        if attribute.scope not in scopes or attribute.protected or not attribute.feature:
            continue
        for source in [f"{attribute.qualified}.{key}" for key in attribute.keys] or [attribute.qualified]:
            how = attributes.features.of(attribute.qualified, source)
            if how is not None:
                yield from _of_fact(_Source(attribute, source, part, how), vocabulary.get(source, ()))


@dataclass(frozen=True, slots=True)
class _Source:
    """One fact that becomes columns."""

    attribute: Attribute
    name: str
    part: Part
    how: Declared

    def column(self, tail: str, transform: Transform, *, ordered: bool = True) -> Column:
        return Column(
            f"{self.name}{tail}",
            self.part,
            self.name,
            transform,
            fresh_ms=self.attribute.fresh_ms,
            attribute=self.attribute.qualified,
            monotone=self.how.monotone if ordered else 0,
        )

    def wants(self, form: str, usual: bool = True) -> bool:
        return form in self.how.forms if self.how.forms else usual


def _of_fact(source: _Source, seen: tuple[str, ...]) -> Iterator[Column]:
    levels = source.attribute.levels or seen
    if source.attribute.kind in (Kind.ENUM, Kind.STRING):
        yield from _of_levels(source, levels)
    elif source.attribute.kind is Kind.SET:
        if source.wants("size"):
            yield source.column("#", Transform.SIZE, ordered=False)
        for member in levels[:MAX_MEMBERS] if source.wants("members") else ():
            yield _member_of(source.column(f"={member}", Transform.MEMBER, ordered=False), member)
    else:
        yield from _of_number(source)


def _of_levels(source: _Source, levels: tuple[str, ...]) -> Iterator[Column]:
    if levels and source.wants("code"):
        column = source.column("", Transform.CODE, ordered=source.attribute.ordered)
        yield msgspec.structs.replace(column, levels=levels[:MAX_CODES])
    for level in levels[:MAX_MEMBERS] if source.wants("each", usual=False) else ():
        yield _member_of(source.column(f"={level}", Transform.IS, ordered=False), level)


def _of_number(source: _Source) -> Iterator[Column]:
    plain = _PLAIN.get(source.attribute.kind, Transform.NUMBER)
    if source.wants(plain):
        yield source.column("", plain)
    cyclic = source.name in CYCLES and source.wants("cycle")
    for transform in (Transform.SIN, Transform.COS) if cyclic else ():
        column = source.column(f"~{transform}", transform, ordered=False)
        yield msgspec.structs.replace(column, period=CYCLES[source.name])
    if source.wants(AGAINST_RECENT, usual=False):
        column = source.column(f".{AGAINST_RECENT}", Transform.NUMBER)
        yield msgspec.structs.replace(column, source=column.name)


def _member_of(column: Column, member: str) -> Column:
    return msgspec.structs.replace(column, member=member)


_PLAIN = {Kind.BOOLEAN: Transform.FLAG, Kind.DATETIME: Transform.SINCE, Kind.DURATION: Transform.HOURS}


def _of_place(declared: DeclaredFeatures, vocabulary: Vocabulary) -> Iterator[Column]:
    if declared.of("place.status") is not None:
        yield Column("place.status", Part.COMMON, "place.status", Transform.CODE, levels=STATUSES)
    fences = vocabulary.get("place.fence", ()) if declared.of("place.fence") is not None else ()
    for fence in fences[:MAX_MEMBERS]:
        yield Column(f"place.fence={fence}", Part.COMMON, "place.fence", Transform.MEMBER, member=fence)


def _of_offer(declared: DeclaredFeatures, vocabulary: Vocabulary) -> Iterator[Column]:
    mean = declared.of("offer.starting_mean")
    if mean is not None:
        name = "offer.starting_mean"
        yield Column(name, Part.OFFER, name, Transform.NUMBER, monotone=mean.monotone)
    known = vocabulary.get("offer.id", ())[:MAX_CODES]
    if known and declared.of("offer.id") is not None:
        yield Column("offer.id", Part.OFFER, "offer.id", Transform.CODE, levels=known)


def _where_listed(declared: DeclaredFeatures) -> Iterator[Column]:
    for name, attribute in WHERE_LISTED.items():
        how = declared.asked_for(name)
        if how is not None:
            column = Column(name, Part.SUBJECT, name, Transform.NUMBER, attribute=attribute)
            yield msgspec.structs.replace(column, monotone=how.monotone)


def _of_history(declared: DeclaredHistory) -> Iterator[Column]:
    for level in declared.about:
        for response in declared.responses:
            for window in declared.windows:
                name = f"history.{level}.{response}.{window}"
                yield Column(name, Part.HISTORY, f"{level}.{response}", Transform.COUNT)
        if "exposed" in declared.responses:
            yield Column(f"history.{level}.exposed.since", Part.HISTORY, f"{level}.exposed", Transform.SINCE)


def _of_rates(declared: DeclaredHistory, shrinkage: Mapping[str, Shrinkage]) -> Iterator[Column]:
    for level in declared.about if declared.rate else ():
        mean, evidence = shrinkage.get(level, NOTHING_LEARNT)
        column = Column(f"history.{level}.{RATE}", Part.HISTORY, f"{level}.{RATE}", Transform.RATE)
        yield msgspec.structs.replace(column, mean=mean, evidence=evidence)


def _of_crosses(declared: DeclaredFeatures) -> Iterator[Column]:
    for name, cross in declared.crosses.items():
        column = Column(name, Part.OWN, cross.named_by, Transform.NAMED, monotone=cross.monotone)
        yield msgspec.structs.replace(column, member=cross.form)


def _of_offers_rate(declared: DeclaredFeatures) -> Iterator[Column]:
    if declared.rates.offer:
        yield Column(OFFERS_RATE, Part.OFFER, "offer.id", Transform.LEARNT, monotone=UP)


def _of_rates_by(declared: DeclaredFeatures, columns: Sequence[Column]) -> Iterator[Column]:
    """Of strings that nobody holds there is no column that could tell the level, and so no rate either."""
    told = {c.name: c for c in columns if c.part is Part.COMMON and c.transform in (Transform.CODE, Transform.FLAG)}
    for name in declared.rates.by:
        if name in told:
            attribute = told[name].attribute
            column = Column(f"{OFFERS_RATE}.{name}", Part.RATES, name, Transform.LEARNT, monotone=UP)
            yield msgspec.structs.replace(column, attribute=attribute)
