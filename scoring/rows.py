"""rows(): decision inputs and candidates -> numbers. The one code for serving, training and replay; pure.

Customer and context columns are computed once per decision, offer columns once per offer, subject columns once per
subject, and broadcast.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from scoring.encoding import Reader, read, readers
from scoring.features import Column, FeatureList, Part, Rows, Scorable, Transform
from scoring.friends import with_friends
from scoring.history import COLUMNS, EVERYTHING, USUAL, Shape, history, tally
from scoring.lineup import Lineup, lined_up
from scoring.offer_rates import LevelRates, level_rates
from scoring.offer_table import NONE, Found, OfferColumns, OfferTable, Spots
from scoring.rates import Rated, rated, unknown_rates
from streams.attributes import Facts
from streams.declared_features import FRIENDS_ON_LINE
from streams.errors import InvalidInput
from streams.ids import OfferId
from streams.record import DecisionInputs, FactDict
from streams.whereabouts import LOCATED

PROBABLY = 2
"""Least confidence at which a customer counts as inside a fence."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A feature list made ready. Thread-safe: its offer table is a cache that changes no result."""

    features: FeatureList
    spans: dict[Part, slice]
    """Where each part stands in a row."""
    common: tuple[Reader, ...]
    subject: tuple[Reader, ...]
    friends: bool
    """Whether a column tells how often friends booked a subject's line."""
    shape: Shape
    """Which responses are counted."""
    picks: NDArray[np.intp] | None
    """Which of the shape's columns the list holds; None: all of them, in their order."""
    rated: Rated
    """The smoothed rates, which stand behind the counts."""
    by_level: LevelRates
    """The rates that stand at a level of another column."""
    offers: OfferTable


def unseen(offer_id: OfferId) -> int:
    """Exposures trained on, where nothing was trained."""
    return 0


def plan(features: FeatureList, exposures: Callable[[OfferId], int] = unseen) -> Plan:
    """Make a feature list ready. Raises InvalidInput FEATURES_INVALID on one that this version cannot read."""
    parts = list(Part)
    order = [parts.index(column.part) for column in features.columns]
    told = tuple(column.name for column in _counts(features))
    smoothed = tuple(column for column in features.of_part(Part.HISTORY) if column.transform is Transform.RATE)
    unknown = (set(told) - set(COLUMNS)) | unknown_rates(smoothed)
    behind = features.of_part(Part.HISTORY)[len(told) :] == smoothed
    if order != sorted(order) or not behind or len(set(features.names)) != len(features.names) or unknown:
        found = f"unknown columns {', '.join(sorted(unknown))}" if unknown else "columns out of order or twice"
        raise InvalidInput("FEATURES_INVALID", f"the feature list has {found}; train a new model with this version")
    shape = _shape(told)
    spots = None if told == shape.columns else np.array([shape.columns.index(name) for name in told], dtype=np.intp)
    by_level = level_rates(features)
    bounds = [sum(part < number for part in order) for number in range(len(parts) + 1)]
    return Plan(
        features=features,
        spans={part: slice(begin, end) for part, (begin, end) in zip(parts, pairwise(bounds), strict=True)},
        common=readers(features.of_part(Part.COMMON)),
        subject=readers(features.of_part(Part.SUBJECT)),
        friends=any(column.source == FRIENDS_ON_LINE for column in features.columns),
        shape=shape,
        picks=spots,
        rated=rated(smoothed, shape),
        by_level=by_level,
        offers=OfferTable(_offer_columns(features, exposures, by_level)),
    )


def _counts(features: FeatureList) -> list[Column]:
    return [column for column in features.of_part(Part.HISTORY) if column.transform is not Transform.RATE]


def _shape(told: Sequence[str]) -> Shape:
    """The least that has these columns; the usual one where it does."""
    return USUAL if set(told) <= set(USUAL.columns) else EVERYTHING


def rows(inputs: DecisionInputs, items: Sequence[Scorable], plan: Plan) -> Rows:
    """(n items, n features) in the order of the items and of the feature list, NaN for missing."""
    lineup = lined_up(items)
    return rows_of(inputs, lineup, plan, plan.offers.find(lineup))


def rows_of(inputs: DecisionInputs, lineup: Lineup, plan: Plan, found: Found) -> Rows:
    """rows() of offers that were found in the plan's table already."""
    spans = plan.spans
    made: Rows = np.empty((len(lineup), len(plan.features.columns)))
    if not len(lineup):
        return made
    common = spans[Part.COMMON]
    made[:, common] = read(_common_facts(inputs), plan.common, common.stop - common.start, inputs.now)
    made[:, spans[Part.OFFER]] = found.rows(inputs.now)
    made[:, spans[Part.SUBJECT]] = _subjects(inputs, lineup, plan)
    told = made[:, spans[Part.HISTORY]]
    tallies = tally(inputs.profile, inputs.now, plan.shape)
    if plan.picks is None:
        counted = told[:, : len(plan.shape.none_of_any)]
        history(tallies, found.numbers, found.codes, counted, plan.shape)
        told[:, counted.shape[1] :] = plan.rated.of(counted)
    elif told.shape[1]:
        counted = history(tallies, found.numbers, found.codes, shape=plan.shape)
        told[:, : len(plan.picks)] = counted[:, plan.picks]
        told[:, len(plan.picks) :] = plan.rated.of(counted)
    made[:, spans[Part.OWN]] = _own(made, found.named)
    if plan.by_level.width:
        made[:, spans[Part.RATES]] = plan.by_level.at(made[0], found.rates)
    return made


def _common_facts(inputs: DecisionInputs) -> FactDict:
    where = inputs.whereabouts
    facts: FactDict = {**inputs.profile.facts, **inputs.request.context, "place.status": (where.status, inputs.now)}
    if where.status in LOCATED:
        inside = tuple(fence for fence, confidence in where.fences if confidence >= PROBABLY)
        facts["place.fence"] = (inside, inputs.now)
    return facts


def _subjects(inputs: DecisionInputs, lineup: Lineup, plan: Plan) -> Rows:
    span = plan.spans[Part.SUBJECT]
    width = span.stop - span.start
    told: list[Facts] = [subject.facts for subject in lineup.subjects]
    if plan.friends:
        told = with_friends(told, inputs.profile, inputs.now)
    blocks = np.array([read(facts, plan.subject, width, inputs.now) for facts in told])
    return blocks if len(blocks) == 1 else blocks[lineup.about]


def _own(made: Rows, named: Spots) -> Rows:
    values: Rows = made[np.arange(len(made))[:, None], named]  # NONE is -1, a column too, and becomes missing below
    values[named == NONE] = math.nan
    return values


def _offer_columns(features: FeatureList, exposures: Callable[[OfferId], int], by_level: LevelRates) -> OfferColumns:
    own = features.of_part(Part.OFFER)
    named: dict[str, int] = {}
    for spot, column in enumerate(features.columns):
        if column.part in (Part.COMMON, Part.SUBJECT):
            named.setdefault(column.source, spot)
            named[column.name] = spot
    return OfferColumns(
        readers=readers(own),
        width=len(own),
        since=tuple(spot for spot, column in enumerate(own) if column.transform is Transform.SINCE),
        crosses=tuple((column.source, column.member) for column in features.of_part(Part.OWN)),
        named=named,
        exposures=exposures,
        rates=by_level,
    )
