"""The same decisions made by two catalogs: who would see what instead, what limits hold back, what it is worth.

Pure. Both sides decide about the same inputs with the same draws, so that whatever differs comes from the campaigns.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest

import msgspec
import numpy as np

from offers import bits, capping, schedule
from offers.bits import Words
from offers.catalog import Catalog
from offers.condition_words import Words as Wording
from offers.decide import RULES, choose
from offers.proposition import Candidate, Reason, Slate
from scoring.features import Propensity
from streams.ids import OfferId
from streams.record import DecisionInputs

UNKNOWN = "not known"
NOTHING = ""
"""In place of an offer: the slate had none left there."""
Place = tuple[str, str, str]
"""(offer, placement, segment)"""


@dataclass(frozen=True)
class Sides:
    """Two catalogs to hold against each other."""

    base: Catalog
    head: Catalog
    scores: tuple[Propensity, Propensity]
    """Of base and of head."""
    differing: frozenset[OfferId] | None
    """Offers that are not the same on both sides; None: more than offers differs, so everything is decided twice."""
    by: str = ""
    """A customer or context attribute with declared levels, by which who gains and loses is told apart."""

    @cached_property
    def _differing(self) -> tuple[Words, Words]:
        return _positions(self.base, self.differing or frozenset()), _positions(
            self.head, self.differing or frozenset()
        )

    @cached_property
    def new_seasons(self) -> bool:
        """Whether what is logged of the seasons may not hold on the other side."""
        return self.base.seasons != self.head.seasons

    def may_differ(self, inputs: DecisionInputs) -> bool:
        """False where both sides must decide alike: no differing offer survives the index of either side.

        Then both look at the same candidates in the same order, and draw the same of them.
        """
        if self.differing is None:
            return True
        before, after = self._differing
        return bool((self.base.survivors(inputs) & before).any() or (self.head.survivors(inputs) & after).any())

    def segment(self, inputs: DecisionInputs) -> str:
        """What the attribute told apart by is for this customer; empty without one."""
        if not self.by:
            return ""
        fact = inputs.profile.facts.get(self.by) or inputs.request.context.get(self.by)
        return UNKNOWN if fact is None else Wording(self.head.attributes).value(None, fact[0])


@dataclass(slots=True)
class OfCustomer:
    """Sums over one customer's decisions: decisions of one customer are alike, so they count together."""

    decisions: int = 0
    base: float = 0.0
    head: float = 0.0


@dataclass(slots=True)
class Tally:
    """What was counted so far. Tallies of parts of a population merge into that of the whole."""

    decisions: int = 0
    decided_twice: int = 0
    changed: int = 0
    """Decisions that show something else, or in another order."""
    shown: tuple[Counter[Place], Counter[Place]] = field(default_factory=lambda: (Counter(), Counter()))
    gained: Counter[Place] = field(default_factory=Counter)
    lost: Counter[Place] = field(default_factory=Counter)
    instead: Counter[Place] = field(default_factory=Counter)
    """(what was shown, what would be, placement)"""
    fallbacks: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    """By placement."""
    capped: tuple[Counter[str], Counter[str]] = field(default_factory=lambda: (Counter(), Counter()))
    """By offer: decisions that would have had it but for a limit or a suppression."""
    unbound: Counter[str] = field(default_factory=Counter)
    """Selector -> decisions whose record does not say what offers about it could have been about."""
    squares: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Sums of the squares of value before, value after, and their difference."""
    customers: dict[str, OfCustomer] = field(default_factory=dict)

    def merge(self, other: "Tally") -> None:
        """Take up what was counted elsewhere."""
        self.decisions += other.decisions
        self.decided_twice += other.decided_twice
        self.changed += other.changed
        pairs = [(self.gained, other.gained), (self.lost, other.lost), (self.instead, other.instead)]
        pairs += [*zip(self.shown, other.shown, strict=True)]
        for counted, more in pairs:
            counted.update(more)
        named = [*zip(self.fallbacks, other.fallbacks, strict=True), *zip(self.capped, other.capped, strict=True)]
        for names, more_names in (*named, (self.unbound, other.unbound)):
            names.update(more_names)
        first, second, third = (one + two for one, two in zip(self.squares, other.squares, strict=True))
        self.squares = first, second, third
        for customer, found in other.customers.items():
            _add(self.customers, customer, found)


def count(tally: Tally, sides: Sides, inputs: DecisionInputs, after: DecisionInputs | None = None) -> None:
    """One decision made by both sides. `after`: what the head sees, where that is not what the base sees."""
    base = head = _chosen(inputs, sides.base, sides.scores[0])
    seen = inputs
    tally.decisions += 1
    if after is not None or sides.may_differ(inputs):
        seen = after or (_with_seasons(inputs, sides) if sides.new_seasons else inputs)
        head = _chosen(seen, sides.head, sides.scores[1])
        tally.decided_twice += 1
    tally.capped[0].update(base.held_back)
    tally.capped[1].update(head.held_back)
    _count_shown(tally, sides.segment(inputs), base, head)
    if after is None:
        tally.unbound.update(_unbound(seen, sides.head))
    _count_value(tally, inputs.request.customer_id, base.worth, head.worth)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """A choice, as far as it is compared."""

    slates: Mapping[str, tuple[str, ...]]
    """Placement -> offers in order."""
    fallbacks: tuple[str, ...]
    """Placements left to theirs."""
    held_back: frozenset[str]
    """Offers that nothing but a limit or a suppression kept out."""
    worth: float
    """Probability x value of everything shown but fallbacks."""


def _chosen(inputs: DecisionInputs, catalog: Catalog, propensity: Propensity) -> _Chosen:
    held_back: set[str] = set()

    def capped(candidate: Candidate, given: DecisionInputs) -> Reason | None:
        reason = capping.rule_out(candidate, given)
        if reason is not None:
            held_back.add(candidate.offer.id)
        return reason

    rules = [capped if rule is capping.rule_out else rule for rule in RULES]
    allowed, _, slates = choose(inputs, catalog, propensity, rules)
    if held_back:  # of an offer about several things, another one may have been allowed
        held_back.difference_update(candidate.offer.id for candidate in allowed.kept)
    return _Chosen(
        {str(slate.placement): tuple(slot.candidate.offer.id for slot in slate.slots) for slate in slates},
        tuple(str(slate.placement) for slate in slates if slate.fallback),
        frozenset(held_back),
        sum(map(_worth, slates)),
    )


def _worth(slate: Slate) -> float:
    return sum(slot.scored.score * slot.scored.value for slot in slate.slots if slot.scored is not None)


def _count_shown(tally: Tally, segment: str, base: _Chosen, head: _Chosen) -> None:
    before, after = base.slates, head.slates
    tally.changed += before != after
    for counted, slates in zip(tally.shown, (before, after), strict=True):
        counted.update((offer, name, segment) for name, offers in slates.items() for offer in offers)
    tally.fallbacks[0].update(base.fallbacks)
    tally.fallbacks[1].update(head.fallbacks)
    for name in before.keys() | after.keys() if before != after else ():
        was, is_now = before.get(name, ()), after.get(name, ())
        lost = [offer for offer in was if offer not in is_now]
        gained = [offer for offer in is_now if offer not in was]
        tally.lost.update((offer, name, segment) for offer in lost)
        tally.gained.update((offer, name, segment) for offer in gained)
        tally.instead.update((one, other, name) for one, other in zip_longest(lost, gained, fillvalue=NOTHING))


def _unbound(inputs: DecisionInputs, catalog: Catalog) -> list[str]:
    return [key for key in catalog.selectors_of(catalog.survivors(inputs)) if key not in inputs.subjects]


def _count_value(tally: Tally, customer: str, base: float, head: float) -> None:
    one, two, three = tally.squares
    tally.squares = one + base * base, two + head * head, three + (head - base) ** 2
    _add(tally.customers, customer, OfCustomer(1, base, head))


def _add(customers: dict[str, OfCustomer], customer: str, more: OfCustomer) -> None:
    known = customers.setdefault(customer, OfCustomer())
    known.decisions += more.decisions
    known.base += more.base
    known.head += more.head


def _with_seasons(inputs: DecisionInputs, sides: Sides) -> DecisionInputs:
    """The inputs as of the head's seasons: what was logged of one that is the same on both sides still holds."""
    same = {season.name for season in set(sides.base.seasons) & set(sides.head.seasons)}
    declared = {season.name for season in (*sides.base.seasons, *sides.head.seasons)}
    by_dates, changes_at = schedule.active_seasons(sides.head.seasons, {}, inputs.now)
    kept = {name for name in inputs.seasons if name in same or name not in declared}
    seasons = tuple(sorted(kept | {name for name in by_dates if name not in same}))
    context = {**inputs.request.context, "context.season": (seasons, inputs.now)}
    request = msgspec.structs.replace(inputs.request, context=context)
    return msgspec.structs.replace(inputs, seasons=seasons, season_changes_at=changes_at, request=request)


def _positions(catalog: Catalog, offers: frozenset[OfferId]) -> Words:
    found = [position for position, offer in enumerate(catalog.layout) if offer.id in offers]
    return bits.of_positions(np.array(found, dtype=np.int64), catalog.size)
