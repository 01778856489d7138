"""A condition in words, with what was found: `customer.loyalty_tier gold or higher (is silver)`."""

from dataclasses import dataclass

from offers.condition import LOCATION, AnyOf, Condition, Leaf, Op, View, confidence, fact_of, holds
from streams.attributes import Attribute, AttributeSet, Kind, Value
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, moment
from streams.units import minor_digits, zone

INF = float("inf")
SURE = {1: "possibly", 2: "probably", 3: "surely"}


@dataclass(frozen=True, slots=True)
class Words:
    """What values are called: the declarations, and the zone in which times are told."""

    attributes: AttributeSet
    zone: str = "UTC"

    def wanted(self, leaf: Leaf) -> str:
        """What a leaf asks for, without what was found."""
        if leaf.attribute == LOCATION:
            return _place(leaf)
        return f"{leaf.attribute} {self._test(leaf, self.attributes.of_fact(leaf.attribute))}"

    def sentence(self, condition: Condition) -> str:
        """What a whole condition asks for."""
        if isinstance(condition, Leaf):
            return self.wanted(condition)
        joint = " or " if isinstance(condition, AnyOf) else " and "
        return joint.join(_grouped(child, self.sentence(child)) for child in condition.children)

    def unmet(self, leaf: Leaf, view: View) -> str:
        """What a leaf that does not hold asks for, and what was found instead."""
        return f"{self.wanted(leaf)} ({self.found(leaf, view)})"

    def found(self, leaf: Leaf, view: View) -> str:
        """What is known now of what a leaf asks about."""
        if leaf.attribute == LOCATION:
            return _whereabouts(leaf, view)
        value = fact_of(leaf, view)
        if value is not None:
            return f"is {self.value(self.attributes.of_fact(leaf.attribute), value)}"
        stale = view.subject.get(leaf.attribute) or view.facts.get(leaf.attribute)
        if stale is None or leaf.fresh_ms is None:
            return "not known"
        return f"known for {length(view.now - stale[1])}, which may be {length(leaf.fresh_ms)} at most"

    def value(self, attribute: Attribute | None, value: Value) -> str:
        """A value as people write it."""
        kind = None if attribute is None else attribute.kind
        if isinstance(value, tuple):
            return ", ".join(value) or "nothing"
        if isinstance(value, bool | str):
            return str(value).lower() if isinstance(value, bool) else value
        if kind is Kind.MONEY and attribute is not None:
            currency = attribute.unit or "EUR"
            return f"{value / 10 ** minor_digits(currency):.{minor_digits(currency)}f} {currency}"
        if kind is Kind.DURATION:
            return length(int(value))
        if kind is Kind.DISTANCE:
            return metres(float(value))
        return instant(int(value), self.zone) if kind is Kind.DATETIME else f"{value:g}"

    def _test(self, leaf: Leaf, attribute: Attribute | None) -> str:
        if leaf.op is Op.EXISTS:
            return "not known" if leaf.negated else "known"
        if leaf.op is Op.RANGE:
            return self._range(leaf, attribute)
        if leaf.op is Op.IN:
            return self._one_of(leaf, attribute)
        every = self._listed(leaf, attribute, "and" if leaf.op is Op.HAS_ALL else "or")
        return f"without {every}" if leaf.negated else f"with {every}"

    def _one_of(self, leaf: Leaf, attribute: Attribute | None) -> str:
        levels = attribute.levels if attribute is not None and attribute.ordered else ()
        chosen = tuple(level for level in levels if (level in leaf.operand) is not leaf.negated)
        if len(chosen) > 1 and chosen == levels[-len(chosen) :]:
            return f"{chosen[0]} or higher"
        if len(chosen) > 1 and chosen == levels[: len(chosen)]:
            return f"{chosen[-1]} or lower"
        every = self._listed(leaf, attribute, "or")
        return f"not {every}" if leaf.negated else every

    def _listed(self, leaf: Leaf, attribute: Attribute | None, joint: str) -> str:
        *first, last = [self.value(attribute, value) for value in leaf.operand]
        return f"{', '.join(first)} {joint} {last}" if first else last

    def _range(self, leaf: Leaf, attribute: Attribute | None) -> str:
        """Only one end is ever written: below x is the negated RANGE from x on."""
        times = attribute is not None and attribute.kind is Kind.DATETIME
        low, high = leaf.low > -INF, leaf.high < INF
        if low and high:
            ends = f"{self.value(attribute, leaf.low)} to {self.value(attribute, leaf.high)}"
            return f"not {ends}" if leaf.negated else ends
        end = self.value(attribute, leaf.low if low else leaf.high)
        if leaf.negated:
            below, above = ("before", "after") if times else ("below", "above")
            return f"{below if low else above} {end}"
        least, most = ("from", "until") if times else ("at least", "at most")
        return f"{least if low else most} {end}"


def _grouped(condition: Condition, words: str) -> str:
    return words if isinstance(condition, Leaf) else f"({words})"


def unmet_leaves(condition: Condition, view: View) -> tuple[Leaf, ...]:
    """The fewest leaves that would have to change for a condition to hold; none if it holds."""
    if holds(condition, view):
        return ()
    if isinstance(condition, Leaf):
        return (condition,)
    parts = [unmet_leaves(child, view) for child in condition.children]
    if isinstance(condition, AnyOf):
        return min(parts, key=len, default=())
    return tuple(leaf for part in parts for leaf in part)


def ways(condition: Condition, view: View) -> tuple[tuple[Leaf, ...], ...]:
    """Every way to make a condition hold that changes as few leaves as the shortest one."""
    if isinstance(condition, AnyOf):
        found = [unmet_leaves(child, view) for child in condition.children]
        fewest = min((len(leaves) for leaves in found), default=0)
        return tuple(leaves for leaves in found if len(leaves) == fewest)
    return (unmet_leaves(condition, view),)


def length(duration: Millis) -> str:
    """A duration in its two largest units.

    >>> length(57_600_000), length(95_400_000), length(-60_000)
    ('16 h', '1 d 2 h 30 min', '1 min ago')
    """
    left = abs(duration)
    parts: list[str] = []
    for unit, size in (("d", DAY_MS), ("h", HOUR_MS), ("min", MINUTE_MS), ("s", SECOND_MS)):
        if left >= size and (unit != "s" or not parts):
            parts.append(f"{left // size} {unit}")
            left %= size
    text = " ".join(parts) or "0 min"
    return f"{text} ago" if duration < 0 else text


def metres(distance: float) -> str:
    """A distance in metres, or in kilometres from one on.

    >>> metres(30_000.0), metres(250.0)
    ('30 km', '250 m')
    """
    return f"{distance / 1_000:.3g} km" if distance < 1e6 and distance >= 1_000 else f"{distance:.0f} m"


def instant(at: Millis, zone_name: str) -> str:
    """A time on the clocks of a zone.

    >>> instant(1795293000000, "Europe/Rome")
    'Sat 21 Nov 2026 21:30'
    """
    return moment(at).astimezone(zone(zone_name)).strftime("%a %-d %b %Y %H:%M")


def _place(leaf: Leaf) -> str:
    not_ = "not " if leaf.negated else ""
    if leaf.op is Op.WITHIN:
        return f"{not_}{SURE[leaf.min_confidence]} within {metres(leaf.radius_m)} of {leaf.operand[0]}"
    fences = " or ".join(f"fence:{fence}" for fence in leaf.operand)
    return f"{not_}{SURE[leaf.min_confidence]} inside {fences}"


def _whereabouts(leaf: Leaf, view: View) -> str:
    where = view.whereabouts
    if where.cell is None:
        return f"whereabouts not known: {where.status}"
    sure = confidence(leaf, view)
    if sure is None:
        return f"last known {length(view.now - where.at)} ago"
    if 0 < sure < leaf.min_confidence:
        return f"only {SURE[sure]}, {where.status} by {metres(where.accuracy_m)}"
    if leaf.op is Op.WITHIN:
        return f"about {metres(view.places.distance_m(where.cell, str(leaf.operand[0])))} away"
    return f"in {', '.join(fence for fence, _ in where.fences)}" if where.fences else "in no fence"
