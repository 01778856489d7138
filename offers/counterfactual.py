"""What another policy would have shown: its probability of each logged item at its rank. Pure.

A decision is made again from its record up to the numbers, with the policy's catalog and propensity. Then the ranks are
gone through as they were filled, and at each the policy is asked what it would choose, **given what the log placed
above**: so what is valued is the policy's choice at one rank in situations as the log left them, not a whole slate of
its own. Of a placement with one item the two are the same.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from offers.capping import Room
from offers.catalog import Catalog
from offers.decide import ranked
from offers.offer import Placement
from offers.proposition import Scored
from scoring import exploration
from scoring.features import Propensity
from streams.record import DecisionRecord, ShownItem

Key = tuple[str, str]
"""(offer id, subject)"""


@dataclass(frozen=True, slots=True)
class Policy:
    """Who decides instead."""

    propensity: Callable[[DecisionRecord, Catalog], Propensity]
    catalog: Catalog | None = None
    """None: the record's own."""
    evenly: bool = False
    """Every candidate that is left has the same chance."""
    explore: float | None = None
    """Strength of exploration in every placement; None: as declared."""


@dataclass(frozen=True, slots=True)
class Counterfactual:
    """A logged item, and what the policy would have done at its rank."""

    item: ShownItem
    chance: float
    """Probability of this very item, what could be looked at included."""
    logged_value: float
    """Reward that the logged scores expect of the item; they were there before its outcome was."""
    expected_value: float
    """Reward that they expect of the policy's choice at this rank."""
    outside: float
    """Probability that the policy shows what the log could not have shown here, or nothing."""


def counterfactuals(
    record: DecisionRecord, catalog: Catalog, policy: Policy, *, worth: bool = False
) -> list[Counterfactual]:
    """Of each shown item that is no fallback, in the record's order. `catalog`: the record's; `worth`: the reward is

    what an acceptance is worth, else 1.
    """
    chosen = policy.catalog or catalog
    _, scored = ranked(record.inputs, chosen, policy.propensity(record, chosen))
    asked = {name: (placement, limit) for name, placement, limit in chosen.asked(record.inputs)}
    room = Room(record.inputs)
    known = _Known({(each.offer_id, each.about): each.score for each in record.candidates}, worth)
    found = []
    for item in record.shown:
        if item.score is None or item.propensity is None:
            continue
        placement, limit = asked.get(item.placement, (None, 0))
        most = 0 if placement is None else min(limit, placement.max_items)
        left = [
            each
            for each in (scored if item.rank <= most else ())
            if item.placement in each.candidate.offer.placements and room.leaves(each.candidate)
        ]
        found.append(_at_rank(item, left, _Rank(placement, policy, catalog, known, room)))
        same = _same(item, left)
        if same is not None:
            room.show(left[same].candidate)
    return found


@dataclass(frozen=True, slots=True)
class _Known:
    scores: Mapping[Key, float]
    """As logged."""
    worth: bool

    def value(self, score: float, value: float) -> float:
        return score * value if self.worth else score

    def of(self, each: Scored) -> float:
        """What the log expected of a candidate; where it did not score it, what the policy does."""
        return self.value(self.scores.get(_key(each), each.score), each.value)


@dataclass(frozen=True, slots=True)
class _Rank:
    placement: Placement | None
    policy: Policy
    catalog: Catalog
    known: _Known
    room: Room


def _at_rank(item: ShownItem, left: Sequence[Scored], at: _Rank) -> Counterfactual:
    logged_value = at.known.value(item.score or 0.0, item.value)
    if not left or at.placement is None:
        return Counterfactual(item, 0.0, logged_value, 0.0, 1.0)
    chances = _chances(left, at.placement, at.policy)
    same = _same(item, left)
    ours = 0.0 if same is None else chances[same]
    return Counterfactual(
        item=item,
        chance=0.0 if same is None else ours * at.room.included(left[same].candidate),
        logged_value=logged_value,
        expected_value=sum(chance * at.known.of(each) for chance, each in zip(chances, left, strict=True)),
        outside=max(0.0, 1.0 - sum(_possible(item, left, chances, at))),
    )


def _possible(item: ShownItem, left: Sequence[Scored], chances: Sequence[float], at: _Rank) -> Iterator[float]:
    """The policy's chances of what the log could have shown at this rank: all it scored, if it explored there."""
    logged = at.catalog.placements.get(item.placement)
    explored = logged is not None and logged.explore > 0
    this = item.offer.offer_id, item.about
    for chance, each in zip(chances, left, strict=True):
        key = _key(each)
        if key == this or (explored and key in at.known.scores):
            yield chance


def _chances(left: Sequence[Scored], placement: Placement, policy: Policy) -> list[float]:
    if policy.evenly:
        return [1.0 / len(left)] * len(left)
    strength = placement.explore if policy.explore is None else policy.explore
    scores = [each.rank_score for each in left]
    return exploration.probabilities(scores, strength, placement.explore_costs_at_most)


def _same(item: ShownItem, left: Sequence[Scored]) -> int | None:
    this = item.offer.offer_id, item.about
    return next((at for at, each in enumerate(left) if _key(each) == this), None)


def _key(each: Scored) -> Key:
    return each.candidate.offer.id, each.candidate.subject.key
