"""The offers of a layout that are shown in several ways, and which of these ways a customer gets.

Each way is a position of its own, so that index, prices and features are computed as for any other offer; of an offer's
positions every customer has exactly one in force. A layout without experiments has no ways, and is asked nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from offers import bits
from offers.bits import Words
from offers.experiment import HOLDOUT, OTHERS, Experiment, Holdout, arm_of, held
from offers.offer import Look, Offer
from offers.proposition import Code, Reason
from streams.ids import Millis, OfferId
from streams.record import DecisionInputs


def ways(offer: Offer) -> Iterator[Offer]:
    """The offer as written, then as each arm shows it that does so otherwise."""
    yield offer
    for arm, look in offer.looks:
        yield _looking(offer, arm, look)


def _looking(offer: Offer, arm: str, look: Look) -> Offer:
    return replace(
        offer,
        facts=look.facts,
        representation=look.representation,
        price=look.price,
        value=look.value,
        lever=look.lever,
        looks=(),
        arm=arm,
    )


def arm_in(experiment: Experiment, inputs: DecisionInputs) -> str:
    """The arm of this decision's customer."""
    given = inputs.arms.get(experiment.id)
    return arm_of(experiment, inputs.request.customer_id, inputs.now) if given is None else given


def against(offer: Offer, inputs: DecisionInputs, holdout: Holdout | None) -> Reason | None:
    """Why an offer that the customer could have is not shown to them, or None."""
    if offer.fallback:
        return None
    if holdout is not None and held_in(holdout, inputs):
        return Reason(Code.HELD_OUT, holdout.where, f"in the holdout {holdout.id}")
    if offer.experiment is None:
        return None
    arm = arm_in(offer.experiment, inputs)
    if arm == HOLDOUT:
        return Reason(Code.HELD_OUT, offer.where, f"in the holdout of {offer.experiment.id}")
    if arm == OTHERS and not offer.experiment.others_see:
        return Reason(Code.NOT_IN_EXPERIMENT, offer.where, f"in no arm of {offer.experiment.id}")
    return None


def held_in(holdout: Holdout, inputs: DecisionInputs) -> bool:
    """Whether this decision's customer is in the holdout of all campaigns."""
    given = inputs.arms.get(holdout.id)
    return held(holdout.id, holdout.share, inputs.request.customer_id) if given is None else given == HOLDOUT


def _names(layout: Sequence[Offer], holdout: Holdout | None) -> dict[str, tuple[str, ...]]:
    """Experiment -> the arms that a customer can be in; the holdout of all campaigns among them."""
    found: dict[str, tuple[str, ...]] = {} if holdout is None else {holdout.id: (HOLDOUT, OTHERS)}
    for offer in layout:
        if offer.experiment is not None:
            found[offer.experiment.id] = (*(arm.name for arm in offer.experiment.arms), HOLDOUT, OTHERS)
    return found


@dataclass(frozen=True, slots=True)
class _Ways:
    """One offer's positions."""

    experiment: Experiment
    written: int
    by_arm: Mapping[str, int]

    def others_than(self, arm: str) -> list[int]:
        """The positions that are not in force for a customer of this arm."""
        chosen = self.by_arm.get(arm, self.written)
        return [position for position in (self.written, *self.by_arm.values()) if position != chosen]


class Arms:
    """Built once per catalog."""

    def __init__(self, layout: Sequence[Offer], holdout: Holdout | None) -> None:
        self.holdout = holdout
        self.names = _names(layout, holdout)
        self.any = holdout is not None or any(offer.experiment is not None for offer in layout)
        """Whether anybody is ever held out or in an arm."""
        written = {offer.id: position for position, offer in enumerate(layout) if not offer.arm}
        by_arm: dict[OfferId, dict[str, int]] = {}
        for position, offer in enumerate(layout):
            if offer.arm:
                by_arm.setdefault(offer.id, {})[offer.arm] = position
        self._ways: tuple[_Ways, ...] = tuple(
            _Ways(experiment, written[name], found)
            for name, found in by_arm.items()
            if (experiment := layout[written[name]].experiment) is not None
        )
        self._at = np.array([each.written for each in self._ways], dtype=np.int64)
        looks = [position for position, offer in enumerate(layout) if offer.arm]
        self._written = ~bits.of_positions(looks, len(layout))
        tried = [position for position, offer in enumerate(layout) if offer.experiment is not None]
        self.tried = bits.of_positions(tried, len(layout))
        """Positions of offers in an experiment."""
        steps = (step.at for offer in layout if offer.experiment for step in offer.experiment.ramp)
        self.instants: tuple[Millis, ...] = tuple(sorted(set(steps)))
        """When a ramp reaches more customers."""

    def once(self, words: Words) -> Words:
        """Each offer at one position, for counting: where it is as written."""
        return words & self._written if self._ways else words

    def in_force(self, words: Words, inputs: DecisionInputs) -> Words:
        """The bitmap, which may be written to, without the positions that are not in force for this customer."""
        if not self._ways:
            return words
        # ways share whatever the index asks, so where the one as written is excluded, all are
        for at in np.flatnonzero(bits.flags(words, self._at)).tolist():
            each = self._ways[at]
            for position in each.others_than(arm_in(each.experiment, inputs)):
                bits.clear(words, position)
        return words
