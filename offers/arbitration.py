"""Choosing and ordering: propensity x value x context weight x lever, and the slates filled from that order."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from offers.capping import Room
from offers.columns import Ranked, in_columns
from offers.offer import Placement
from offers.proposition import Scored, Screening, Slate, Slot
from scoring import exploration
from scoring.features import Propensity, Scores
from streams.bucket import bucket
from streams.ids import PlacementId
from streams.record import DecisionInputs, Subject

TRIP_WEIGHT = 1.25
"""Context weight of an offer about the very trip that the app is showing."""


def score(allowed: Screening, propensity: Propensity, inputs: DecisionInputs) -> Ranked:
    """Every allowed candidate with its numbers, best first in a total order: rank score, offer id, subject."""
    kept = in_columns(allowed.kept)
    if not len(kept):  # no model is asked about nothing: what falls back must not need one
        return Ranked(kept, Scores(np.empty(0), np.empty((0, len(propensity.features)))), np.empty(0))
    scores = propensity.score(inputs, kept.lineup)
    ranks = scores.probability * kept.values
    if inputs.request.trip is not None:
        weights = [context_weight(subject, inputs) for subject in kept.lineup.subjects]
        ranks = ranks * np.array(weights)[kept.lineup.about]
    return Ranked(kept, scores, ranks * kept.levers)


def context_weight(subject: Subject, inputs: DecisionInputs) -> float:
    """The situational factor: the trip that the app is showing weighs more than any other subject."""
    trip = inputs.request.trip
    return TRIP_WEIGHT if trip is not None and subject.about.get("booking_id") == trip else 1.0


Asked = tuple[PlacementId, Placement | None, int]
"""(placement, its definition in this revision if there is one, items wanted: 0 in quiet hours)"""


def fill(asked: Sequence[Asked], scored: Sequence[Scored], inputs: DecisionInputs) -> tuple[Slate, ...]:
    """A slate per placement, in the order asked. Of the whole answer: no offer stands in it twice, and all of it

    together stays within the caps on exposure."""
    room = Room(inputs)
    slates = []
    for name, placement, limit in asked:
        if placement is None:
            slates.append(Slate(name, (), problem="UNKNOWN_PLACEMENT"))
            continue
        if not limit:
            slates.append(Slate(name, (), problem="QUIET_HOURS"))
            continue
        most = min(limit, placement.max_items)
        pool = (each for each in scored if name in each.candidate.offer.placements)
        slots = (
            _drawn(placement, list(pool), most, (inputs, room)) if placement.explore > 0 else _best(pool, most, room)
        )
        slates.append(Slate(name, tuple(slots)))
    return tuple(slates)


def _best(pool: Iterable[Scored], most: int, room: Room) -> Iterator[Slot]:
    """Items for ranks 1, 2, ...: each the best that is left. What had no room for one rank has none for the next."""
    fitting = (each for each in pool if room.leaves(each.candidate))
    for each in islice(fitting, most):
        yield _slot(each, 1.0, room)


def _drawn(
    placement: Placement, pool: Sequence[Scored], most: int, given: tuple[DecisionInputs, Room]
) -> Iterator[Slot]:
    """Items for ranks 1, 2, ...: each drawn from what is left."""
    inputs, room = given
    for rank in range(1, most + 1):
        left = [each for each in pool if room.leaves(each.candidate)]
        if not left:
            return
        draw = bucket(inputs.decision_id, f"explore:{placement.id}:{rank}")
        scores = [each.rank_score for each in left]
        at, chance = exploration.choose(scores, placement.explore, draw, placement.explore_costs_at_most)
        yield _slot(left[at], chance, room)


def _slot(chosen: Scored, chance: float, room: Room) -> Slot:
    """The chosen one with the probability that is logged: chosen from these, given that these could be looked at."""
    included = room.included(chosen.candidate)
    room.show(chosen.candidate)
    return Slot(chosen.candidate, chosen, chance * included)
