"""Groups: what is shown to, and accepted by, customers who differ in a protected attribute.

Nothing here reaches a model. Protected attributes are read from the logged decisions, where the consent mask of that
moment let them pass, for this report alone. A group of fewer than LEAST customers is never told, nor what would give it
away by subtraction.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from scoring.examples import LIVE, label, responses_of
from streams.attributes import Attribute, AttributeSet, Kind, Value
from streams.ids import CustomerId, Millis
from streams.instant import moment
from streams.lake import Lake
from streams.record import DecisionRecord

FORMAT = 1
LEAST = 5
"""Customers of a group that is told."""
MOST_DECISIONS = 200_000
MOST_GROUPS = 50
"""Of one attribute; what more there is counts as small."""
QUARTERS = 4
"""Numbers are told in quarters of the customers."""
NOT_SAID = "not said"
"""Not known, not consented, or no longer kept."""
SMALL = "smaller groups"
APART = (0.8, 1.25)
"""A rate beyond these times that of everyone else is a difference worth a look: the four-fifths rule of the Uniform

Guidelines on Employee Selection Procedures (29 CFR 1607.4 D), and its inverse.
"""
_GROUPABLE = (Kind.INTEGER, Kind.NUMBER, Kind.DATETIME, Kind.MONEY, Kind.DURATION, Kind.DISTANCE)


class Estimate(msgspec.Struct, frozen=True):
    """A mean and its 95 % interval, by customer: one person's decisions are not independent."""

    mean: float
    low: float
    high: float


class Group(msgspec.Struct, frozen=True):
    """Customers of one value of a protected attribute; all None but the name: too few to be told."""

    group: str
    customers: int | None
    decisions: int | None = None
    exposed: int | None = None
    """Items that were shown and seen."""
    exposure: Estimate | None = None
    """Items seen per decision."""
    acceptance: Estimate | None = None
    """Share accepted of the items whose outcome is known."""
    predicted: float | None = None
    """Mean score of those items, as it was when they were shown."""
    value: Estimate | None = None
    """Mean value of the items shown."""
    apart: tuple[str, ...] = ()
    """Of exposure, acceptance, value: those beyond APART of everyone else's, by more than chance."""


class Protected(msgspec.Struct, frozen=True):
    """One protected attribute."""

    attribute: str
    groups: tuple[Group, ...]
    """The largest first, then NOT_SAID, then SMALL."""


class GroupReport(msgspec.Struct, frozen=True):
    """What `offing groups` says."""

    v: int
    since: Millis
    at: Millis
    decisions: int
    attributes: tuple[Protected, ...]
    """Empty: none is declared protected."""


@dataclass(slots=True)
class _Sums:
    """Of one customer in one group."""

    decisions: int = 0
    shown: int = 0
    seen: int = 0
    known: int = 0
    accepted: int = 0
    predicted: float = 0.0
    value: float = 0.0

    def add(self, other: "_Sums") -> None:
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


Members = dict[CustomerId, _Sums]


def groups_of_lake(lake: Lake, attributes: AttributeSet, since: Millis, now: Millis) -> GroupReport:
    """Live decisions of [since, now], the newest MOST_DECISIONS."""
    counting = [_Counting(each) for each in _protected(attributes)]
    decisions = 0
    for record, sums in _decisions(lake, since, now) if counting else ():
        decisions += 1
        for each in counting:
            each.see(record, sums)
    found = tuple(Protected(each.attribute.qualified, tuple(each.groups())) for each in counting)
    return GroupReport(FORMAT, since, now, decisions, found)


def _protected(attributes: AttributeSet) -> list[Attribute]:
    found = (a for a in attributes.by_name.values() if a.protected and a.scope in ("customer", "context"))
    return sorted(found, key=lambda attribute: attribute.qualified)


def _decisions(lake: Lake, since: Millis, now: Millis) -> Iterator[tuple[DecisionRecord, _Sums]]:
    found = 0
    for part in reversed(lake.parts(since, now)):
        responses = responses_of(lake.outcomes(part), now)
        for record in lake.decisions(part):
            if found >= MOST_DECISIONS:
                return
            if record.inputs.origin == LIVE and since <= record.inputs.now <= now:
                found += 1
                example = label(record, responses.get(record.inputs.decision_id, {}), now)
                yield (
                    record,
                    _Sums(
                        decisions=1,
                        shown=len(record.shown),
                        seen=len(example.outcomes) + example.left_out.count("window_open"),
                        known=len(example.outcomes),
                        accepted=sum(example.outcomes),
                        predicted=sum(score or 0.0 for score in example.scores),
                        value=sum(item.value for item in record.shown),
                    ),
                )


@dataclass(frozen=True, slots=True)
class _Counting:
    attribute: Attribute
    members: dict[Value, Members] = field(default_factory=dict)

    def see(self, record: DecisionRecord, sums: _Sums) -> None:
        """Count a decision with each group that its customer is of."""
        inputs = record.inputs
        for value in self._values(
            inputs.profile.facts if self.attribute.scope == "customer" else inputs.request.context
        ):
            self.members.setdefault(value, {}).setdefault(inputs.request.customer_id, _Sums()).add(sums)

    def _values(self, facts: Mapping[str, tuple[Value, Millis]]) -> Sequence[Value]:
        fact = facts.get(self.attribute.qualified)
        if fact is None:
            return (NOT_SAID,)
        return fact[0] if isinstance(fact[0], tuple) else (fact[0],)

    def groups(self) -> Iterator[Group]:
        """Those that may be told, then what may not."""
        named = _banded(self.members, self.attribute) if self.attribute.kind in _GROUPABLE else _named(self.members)
        told, kept_back = _told(named)
        overlapping = self.attribute.kind is Kind.SET
        for name, members in told:
            rest = [other for other_name, other in named.items() if other_name != name]
            yield _group(name, members, _joined(rest, without=members if overlapping else {}))
        if kept_back:
            yield Group(SMALL, None)


def _named(members: Mapping[Value, Members]) -> dict[str, Members]:
    return {_text(value): held for value, held in members.items()}


def _text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _banded(members: Mapping[Value, Members], attribute: Attribute) -> dict[str, Members]:
    """Numbers in quarters of the customers, named by the bounds between them; never by anybody's own number."""
    numbers = sorted((value, held) for value, held in members.items() if isinstance(value, int | float))
    spread = [value for value, held in numbers for _ in held]
    bounds = sorted({spread[len(spread) * quarter // QUARTERS] for quarter in range(1, QUARTERS)}) if spread else []
    found: dict[str, Members] = {}
    for value, held in numbers:
        band = sum(value >= bound for bound in bounds)
        _add(found.setdefault(_band(band, [_bound(each, attribute) for each in bounds]), {}), held)
    if NOT_SAID in members:
        found[NOT_SAID] = members[NOT_SAID]
    return found


def _bound(number: float, attribute: Attribute) -> str:
    return str(moment(int(number)).year) if attribute.kind is Kind.DATETIME else f"{number:.4g}"


def _band(band: int, bounds: Sequence[str]) -> str:
    if not bounds:
        return "any"
    if band == 0:
        return f"below {bounds[0]}"
    return f"{bounds[-1]} or more" if band == len(bounds) else f"{bounds[band - 1]} to {bounds[band]}"


def _told(named: Mapping[str, Members]) -> tuple[list[tuple[str, Members]], list[Members]]:
    """Groups large enough, the largest first, and those kept back.

    Who knows how many customers there are learns a small group by subtraction if it is the only one: together those
    kept back have LEAST customers at least, or there are none.
    """
    ranked = sorted(named.items(), key=lambda entry: (entry[0] == NOT_SAID, -len(entry[1]), entry[0]))
    told = [entry for entry in ranked if len(entry[1]) >= LEAST][:MOST_GROUPS]
    kept_back = [entry for entry in ranked if entry not in told]
    while told and 0 < sum(len(members) for _, members in kept_back) < LEAST:
        kept_back.append(told.pop(min(range(len(told)), key=lambda spot: len(told[spot][1]))))
    return told, [members for _, members in kept_back]


def _joined(several: Sequence[Members], without: Members) -> Members:
    found: Members = {}
    for members in several:
        _add(found, {customer: sums for customer, sums in members.items() if customer not in without})
    return found


def _add(into: Members, members: Members) -> None:
    for customer, sums in members.items():
        into.setdefault(customer, _Sums()).add(sums)


_RATES: Mapping[str, tuple[str, str]] = {
    "exposure": ("seen", "decisions"),
    "acceptance": ("accepted", "known"),
    "value": ("value", "shown"),
}
"""Rate -> what is divided by what."""


def _group(name: str, members: Members, rest: Members) -> Group:
    every = list(members.values())
    rates = {rate: _rate(every, rate) for rate in _RATES}
    others = {rate: _rate(list(rest.values()), rate) for rate in _RATES}
    known = sum(each.known for each in every)
    return Group(
        group=name,
        customers=len(members),
        decisions=sum(each.decisions for each in every),
        exposed=sum(each.seen for each in every),
        exposure=rates["exposure"],
        acceptance=rates["acceptance"],
        predicted=sum(each.predicted for each in every) / known if known else None,
        value=rates["value"],
        apart=tuple(rate for rate in _RATES if len(rest) >= LEAST and _apart(rates[rate], others[rate])),
    )


def _apart(one: Estimate | None, other: Estimate | None) -> bool:
    """Beyond APART, and the intervals do not even touch."""
    if one is None or other is None or other.mean <= 0:
        return False
    return not APART[0] <= one.mean / other.mean <= APART[1] and (one.high < other.low or other.high < one.low)


def _rate(every: Sequence[_Sums], rate: str) -> Estimate | None:
    of, by = _RATES[rate]
    return ratio([(getattr(each, of), getattr(each, by)) for each in every], share=rate == "acceptance")


def ratio(pairs: Sequence[tuple[float, float]], *, share: bool = False) -> Estimate | None:
    """Sum of the first by sum of the second of each customer's pair, with the variance between customers

    (Cochran, Sampling Techniques, 1977, section 6.3). `share`: it cannot exceed 1. None: of fewer than two, or of 0.
    """
    count, whole = len(pairs), float(sum(below for _, below in pairs))
    if count < 2 or not whole:
        return None
    mean = sum(above for above, _ in pairs) / whole
    spread = sum((above - mean * below) ** 2 for above, below in pairs) * count / (count - 1) / whole**2
    if share:  # nobody or everybody of a few says little: at least the variance of a rate between
        between = (mean * whole + 1) / (whole + 2)
        spread = max(spread, between * (1 - between) / (whole + 2))
    reach = _student(count - 1) * math.sqrt(spread)
    return Estimate(mean, max(0.0, mean - reach), min(1.0 if share else math.inf, mean + reach))


def _student(degrees: int) -> float:
    """The 97.5 % quantile of Student's t (Cornish and Fisher 1938), within 2 % from four degrees of freedom on.

    >>> round(_student(4), 2), round(_student(30), 2)
    (2.73, 2.04)
    """
    return 1.96 + 2.372 / degrees + 2.823 / degrees**2
