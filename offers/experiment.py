"""Experiments: which customers are shown nothing, which see which arm. Assignment is a hash, so it needs no memory.

Every draw is a `bucket` of the customer under a salt of its own: the holdout's, the ramp's, one for each arm. So one
experiment says nothing about another, and a customer stays where they are on every device, worker and revision.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from math import inf, log1p

from streams.bucket import bucket
from streams.ids import CustomerId, Millis

HOLDOUT = "holdout"
"""The arm of those who are shown nothing, for comparison."""
OTHERS = "others"
"""The arm of those in no arm: beyond the shares, or not yet reached by the ramp."""
AS_WRITTEN = "as_written"
"""Said of a made-up customer: in no arm, and shown the offer as the campaign has it, whatever the others see."""
RESERVED = (HOLDOUT, OTHERS, AS_WRITTEN)


@dataclass(frozen=True, slots=True)
class Arm:
    """One way to show the offer."""

    name: str
    share: float
    """Of those whom the ramp has reached, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Step:
    """From an instant on the experiment reaches a share of the customers."""

    at: Millis
    share: float


@dataclass(frozen=True, slots=True)
class Holdout:
    """Customers who see no campaign but fallbacks: policies.yaml."""

    id: str
    share: float
    where: str = ""


@dataclass(frozen=True, slots=True)
class Experiment:
    """How the customers who could have an offer are divided."""

    id: str
    arms: tuple[Arm, ...] = ()
    holdout: float = 0.0
    ramp: tuple[Step, ...] = ()
    """By time; empty: everybody is reached."""
    others_see: bool = True
    """Whether those in no arm see the offer as written."""


def arm_of(experiment: Experiment, customer: CustomerId, now: Millis) -> str:
    """The arm of a customer: the name of one, HOLDOUT or OTHERS.

    The holdout comes first and does not follow the ramp. A ramp that rises keeps who is in.

    >>> trial = Experiment("cabin-price", (Arm("control", 0.5), Arm("deeper", 0.5)), holdout=0.1)
    >>> [arm_of(trial, CustomerId(f"c-{number}"), 0) for number in range(6)]
    ['holdout', 'deeper', 'deeper', 'control', 'holdout', 'control']
    """
    if held(experiment.id, experiment.holdout, customer):
        return HOLDOUT
    if experiment.ramp and bucket(f"ramp:{experiment.id}", customer) >= reached(experiment.ramp, now):
        return OTHERS
    return _drawn(experiment, customer)


def held(id_: str, share: float, customer: CustomerId) -> bool:
    """Whether a customer is in a holdout of this id and share."""
    return share > 0 and bucket(f"holdout:{id_}", customer) < share


def reached(ramp: Iterable[Step], now: Millis) -> float:
    """The share of the customers that a ramp has reached.

    >>> reached((Step(1_000, 0.1), Step(2_000, 1.0)), now=1_500)
    0.1
    """
    return max((step.share for step in ramp if step.at <= now), default=0.0)


def _drawn(experiment: Experiment, customer: CustomerId) -> str:
    """Weighted rendezvous: each arm draws an exponential time of its rate, the earliest has the customer.

    Exact for any shares. When they change, only customers of an arm that shrinks move, or those whom an arm that grows
    takes: without a memory no way of drawing moves fewer at worst. What the shares leave is the arm OTHERS.
    """
    rest = 1.0 - sum(arm.share for arm in experiment.arms)
    earliest, found = _time(experiment.id, OTHERS, rest, customer), OTHERS
    for arm in experiment.arms:
        at = _time(experiment.id, arm.name, arm.share, customer)
        if at < earliest:
            earliest, found = at, arm.name
    return found


def _time(id_: str, name: str, share: float, customer: CustomerId) -> float:
    if share < LEAST:
        return inf
    return -log1p(-bucket(f"arm:{id_}:{name}", customer)) / share


LEAST = 1e-9
"""Less is a rounding of shares that make up all."""
