"""A plan told: numbers for machines, a page for people, Markdown for a merge request."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from offers.plan import Plan
from offers.population import Tally
from offers.revision_changes import CampaignChange, FileChange
from streams.ids import RevisionId

Z = 1.96
"""Of a normal interval of 95 %."""


class Estimate(msgspec.Struct, frozen=True):
    """A mean per decision with its interval of 95 %; null in JSON where one customer says nothing of the others."""

    mean: float
    low: float
    high: float


class Shift(msgspec.Struct, frozen=True):
    """One offer in one placement: in how many decisions it was shown, and would be."""

    offer: str
    placement: str
    segment: str
    base: int
    head: int
    gained: int
    lost: int


class Swap(msgspec.Struct, frozen=True):
    """What would stand where something else stood."""

    placement: str
    base: str
    """Empty: nothing more stood there."""
    head: str
    decisions: int


class Held(msgspec.Struct, frozen=True):
    """In how many decisions nothing but a limit or a suppression kept an offer out."""

    offer: str
    base: int
    head: int


class Population(msgspec.Struct, frozen=True):
    """A population decided about by both sides."""

    decisions: int
    customers: int
    effective_n: float
    """So many independent decisions would tell the difference of value as precisely."""
    differing_customers: int
    changed: int
    """Decisions that show something else."""
    decided_twice: int
    """The others cannot differ: no campaign that changed could have been shown."""
    value_base: Estimate
    """Probability x value of everything shown, a decision."""
    value_head: Estimate
    value_difference: Estimate
    """Paired: of the same decisions."""
    shifts: tuple[Shift, ...]
    """By segment too, if one was asked for; the largest first."""
    swaps: tuple[Swap, ...]
    held_back: tuple[Held, ...]
    fallbacks: tuple[Held, ...]
    """By placement: decisions in which its fallback stood."""
    unbound: dict[str, int]
    """What offers of the head are about -> decisions whose record does not say what that could have been."""


class PlanReport(msgspec.Struct, frozen=True):
    """Everything a plan says."""

    base: RevisionId
    head: RevisionId
    model: str
    by: str
    campaigns: tuple[CampaignChange, ...]
    files: tuple[FileChange, ...]
    population: Population | None
    """None: there was nobody to decide about."""


def report(plan: Plan, tally: Tally | None) -> PlanReport:
    """What was found, as numbers."""
    before, after = plan.revisions
    return PlanReport(
        base=before,
        head=after,
        model=plan.sides.scores[1].model,
        by=plan.sides.by,
        campaigns=plan.changes.campaigns,
        files=plan.changes.files,
        population=None if tally is None or not tally.decisions else _population(tally),
    )


def _population(tally: Tally) -> Population:
    customers = tally.customers.values()
    of_base = [(each.decisions, each.base) for each in customers]
    of_head = [(each.decisions, each.head) for each in customers]
    paired = [(each.decisions, each.head - each.base) for each in customers]
    return Population(
        decisions=tally.decisions,
        customers=len(tally.customers),
        effective_n=_effective(paired, tally.squares[2]),
        differing_customers=sum(each.head != each.base for each in customers),
        changed=tally.changed,
        decided_twice=tally.decided_twice,
        value_base=_estimate(of_base),
        value_head=_estimate(of_head),
        value_difference=_estimate(paired),
        shifts=tuple(_shifts(tally)),
        swaps=tuple(_swaps(tally)),
        held_back=tuple(_held(*tally.capped)),
        fallbacks=tuple(_held(*tally.fallbacks)),
        unbound=dict(sorted(tally.unbound.items())),
    )


Sums = Sequence[tuple[int, float]]
"""Of each customer: (decisions, sum over them)."""


def _estimate(sums: Sums) -> Estimate:
    """The mean over decisions. Decisions of one customer go together, so the interval is made from their sums.

    >>> _estimate([(1, 1.0), (1, 3.0)])
    Estimate(mean=2.0, low=0.04, high=3.96)
    """
    mean, error = _mean(sums), math.sqrt(_variance(sums))
    return Estimate(mean, mean - Z * error, mean + Z * error)


def _mean(sums: Sums) -> float:
    return sum(total for _, total in sums) / sum(number for number, _ in sums)


def _variance(sums: Sums) -> float:
    """Of the mean, by customer (the sandwich estimator for clusters, with its correction for few of them).

    >>> _variance([(2, 2.0), (2, 6.0)])
    1.0
    """
    if len(sums) < 2:
        return math.inf
    decisions, mean = sum(number for number, _ in sums), _mean(sums)
    squares = sum((total - number * mean) ** 2 for number, total in sums)
    return squares / decisions**2 * len(sums) / (len(sums) - 1)


def _effective(sums: Sums, squares: float) -> float:
    decisions, mean, variance = sum(number for number, _ in sums), _mean(sums), _variance(sums)
    if decisions < 2 or not 0 < variance < math.inf:
        return float(len(sums))
    spread = (squares - decisions * mean * mean) / (decisions - 1)
    return min(float(decisions), spread / variance)


def _shifts(tally: Tally) -> Iterator[Shift]:
    base, head = tally.shown
    every = tally.gained.keys() | tally.lost.keys()
    for offer, placement, segment in sorted(every, key=lambda key: (-tally.gained[key] - tally.lost[key], key)):
        key = offer, placement, segment
        yield Shift(offer, placement, segment, base[key], head[key], tally.gained[key], tally.lost[key])


def _swaps(tally: Tally) -> Iterator[Swap]:
    for (lost, gained, placement), number in sorted(tally.instead.items(), key=lambda pair: (-pair[1], pair[0])):
        yield Swap(placement, lost, gained, number)


def _held(base: Counter[str], head: Counter[str]) -> Iterator[Held]:
    for name in sorted(base.keys() | head.keys(), key=lambda name: (-max(base[name], head[name]), name)):
        yield Held(name, base[name], head[name])
