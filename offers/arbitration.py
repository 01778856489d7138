"""Choosing and ordering: propensity x value x context weight x lever, and the slates filled from that order."""

from collections.abc import Iterator, Sequence
from itertools import islice
from operator import attrgetter

from offers.capping import Room
from offers.money import worth
from offers.offer import Placement
from offers.proposition import Candidate, Scored, Screening, Slate, Slot
from scoring import exploration
from scoring.features import Propensity
from streams.bucket import bucket
from streams.ids import DecisionId, PlacementId
from streams.record import DecisionInputs

TRIP_WEIGHT = 1.25
"""Context weight of an offer about the very trip that the app is showing."""


def score(allowed: Screening, propensity: Propensity, inputs: DecisionInputs) -> tuple[Scored, ...]:
    """Every allowed candidate with its numbers, best first in a total order."""
    if not allowed.kept:
        return ()
    kept = allowed.kept
    scores = propensity.score(inputs, [(candidate.offer.facts, candidate.subject) for candidate in kept])
    trip, rows = inputs.request.trip, scores.rows
    scored = []
    for at, (candidate, chance) in enumerate(zip(kept, scores.probability.tolist(), strict=True)):
        offer, value = candidate.offer, candidate.value
        if value is None:
            value = worth(offer, None if candidate.quote is None else candidate.quote.minor)
        weight = 1.0 if trip is None else context_weight(candidate, inputs)
        scored.append(Scored(candidate, chance, value, chance * value * weight * offer.lever, rows, at))
    return _best_first(scored)


def _best_first(scored: list[Scored]) -> tuple[Scored, ...]:
    """By rank score; equals by offer id and subject. Names are compared only if there are equals."""
    ordered = sorted(scored, key=_rank_score, reverse=True)
    if len({each.rank_score for each in ordered}) < len(ordered):
        ordered.sort(key=lambda each: (-each.rank_score, each.candidate.offer.id, each.candidate.subject.key))
    return tuple(ordered)


_rank_score = attrgetter("rank_score")


def context_weight(candidate: Candidate, inputs: DecisionInputs) -> float:
    """The situational factor: the trip that the app is showing weighs more than any other subject."""
    trip = inputs.request.trip
    return TRIP_WEIGHT if trip is not None and candidate.subject.about.get("booking_id") == trip else 1.0


Asked = tuple[PlacementId, Placement | None, int]
"""(placement, its definition in this revision if there is one, items wanted)"""


def fill(asked: Sequence[Asked], scored: Sequence[Scored], inputs: DecisionInputs) -> tuple[Slate, ...]:
    """A slate per placement, in the order asked. Of the whole answer: no offer stands in it twice, and all of it

    together stays within the caps on exposure."""
    room = Room(inputs)
    slates = []
    for name, placement, limit in asked:
        if placement is None:
            slates.append(Slate(name, (), problem="UNKNOWN_PLACEMENT"))
            continue
        pool = [s for s in scored if name in s.candidate.offer.placements]
        most = min(limit, placement.max_items)
        slates.append(Slate(name, tuple(_slots(placement, pool, most, inputs.decision_id, room))))
    return tuple(slates)


def _slots(placement: Placement, pool: Sequence[Scored], most: int, seed: DecisionId, room: Room) -> Iterator[Slot]:
    """Items for ranks 1, 2, ...: the best that is left, or one drawn where the placement explores."""
    for rank in range(1, most + 1):
        left = (each for each in pool if room.leaves(each.candidate))
        best = list(left if placement.explore > 0 else islice(left, 1))
        if not best:
            return
        at, chance = 0, 1.0
        if placement.explore > 0:
            draw = bucket(seed, f"explore:{placement.id}:{rank}")
            at, chance = exploration.choose([s.rank_score for s in best], placement.explore, draw)
        chosen = best[at]
        room.show(chosen.candidate)
        yield Slot(chosen.candidate, chosen, chance * chosen.candidate.inclusion)
