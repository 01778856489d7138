"""The step between allowed and scored: who could have an offer and is held out, and the arm of everybody who could.

It comes last of all that can speak against an offer, so that those held out are the like of those who are not.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from offers import bits
from offers.arms import Arms, against, arm_in, held_in
from offers.columns import Allowed
from offers.experiment import AS_WRITTEN, HOLDOUT
from offers.offer import Offer
from offers.proposition import Code, Screening
from streams.record import Assigned, DecisionInputs


def apart(allowed: Screening, arms: Arms, inputs: DecisionInputs) -> Screening:
    """The candidates that may be shown, with the arm of each that is in an experiment, held out or not."""
    kept = allowed.kept
    if not arms.any or not isinstance(kept, Allowed):
        return allowed
    spots = _concerned(kept, arms, inputs)
    assigned: list[Assigned] = []
    out: dict[str, Code] = {}
    shown = np.ones(len(kept), dtype=np.bool_)
    for at in spots:
        candidate = kept[at]
        assigned += _assigned(candidate.offer, candidate.subject.key, arms, inputs)
        reason = against(candidate.offer, inputs, arms.holdout)
        if reason is not None:
            shown[at], out[candidate.offer.id] = False, reason.code
    if not out:
        return replace(allowed, assigned=tuple(assigned))
    counts: Counter[Code] = Counter(out.values())
    counts.update(dict(allowed.ruled_out))
    left = np.flatnonzero(shown)
    return Screening(kept.only(left), tuple(sorted(counts.items())), tuple(assigned), len(kept) - len(left))


def _concerned(kept: Allowed, arms: Arms, inputs: DecisionInputs) -> list[int]:
    """Places of the candidates in an experiment; all of them for a customer who is held out of everything."""
    if arms.holdout is not None and held_in(arms.holdout, inputs):
        return list(range(len(kept)))
    found: list[int] = np.flatnonzero(bits.flags(arms.tried, kept.lineup.positions)).tolist()
    return found


def _assigned(offer: Offer, about: str, arms: Arms, inputs: DecisionInputs) -> Iterator[Assigned]:
    if arms.holdout is not None and held_in(arms.holdout, inputs):
        yield Assigned(arms.holdout.id, HOLDOUT, offer.id, about)
    elif offer.experiment is not None:
        arm = arm_in(offer.experiment, inputs)
        if arm != AS_WRITTEN:
            yield Assigned(offer.experiment.id, arm, offer.id, about)
