"""What one fact can be, as far as the conditions of a campaign can tell: a few points that stand for every value.

Two values that every condition answers alike are one point. Missing is a point; so is each value at each age that
some `fresh_within` tells from another. A set of points is an int, one bit a point.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import chain, pairwise, product
from math import ceil, floor, isfinite, prod

from offers.campaign_values import BOUNDS, LATER_LEVELS
from offers.condition import Leaf, Op, compare
from streams.attributes import MAX_INTEGER, Attribute, Kind, Value
from streams.ids import Millis

MAX_POINTS = 5_000
"""A fact with more is not judged: dozens of conditions on one set of free texts."""
ANY_OTHER = ""
"""Stands for every text that no condition names; no text is empty."""
_WHOLE = frozenset({Kind.INTEGER, Kind.DURATION, Kind.MONEY, Kind.DATETIME})


@lru_cache(maxsize=8_192)
def answers(attribute: Attribute, asked: tuple[Leaf, ...]) -> tuple[int, tuple[int, ...]] | None:
    """(every point, for each leaf the points where it holds); None: too many to judge.

    `asked` are all the leaves on one fact of the attribute. The points cover whatever the attribute may be declared
    to hold, and more: numbers that never arrive, values older than they are kept.
    """
    values = _values(attribute, asked)
    ages = sorted({leaf.fresh_ms for leaf in asked if leaf.fresh_ms is not None})
    if values is None or len(values) * (len(ages) + 1) > MAX_POINTS:
        return None
    points = [(None, 0), *((value, age) for value in values for age in range(len(ages) + 1))]
    found = [
        sum(1 << at for at, (value, age) in enumerate(points) if _holds(leaf, value, ages[age:])) for leaf in asked
    ]
    return (1 << len(points)) - 1, tuple(found)


def _holds(leaf: Leaf, value: Value | None, fresh_for: Sequence[Millis]) -> bool:
    """What condition.holds says of a value that is fresh for conditions with one of these ages, or with none."""
    seen = value is not None and (leaf.fresh_ms is None or leaf.fresh_ms in fresh_for)
    if leaf.op is Op.EXISTS:
        return seen is not leaf.negated
    return compare(leaf, value) is not leaf.negated if seen and value is not None else leaf.on_missing


def _values(attribute: Attribute, asked: Sequence[Leaf]) -> list[Value] | None:
    match attribute.kind:
        case Kind.ENUM:
            return [*attribute.levels, *LATER_LEVELS.get(attribute.qualified, ())]
        case Kind.BOOLEAN:
            return [False, True]
        case Kind.STRING:
            return [*dict.fromkeys(name for leaf in asked for name in leaf.operand), ANY_OTHER]
        case Kind.SET:
            return _sets(asked)
        case _:
            return sorted(_numbers(attribute, asked))


def _sets(asked: Sequence[Leaf]) -> list[Value] | None:
    """Members that the same conditions name are told apart by none, some and all of them."""
    alike: dict[tuple[int, ...], list[str]] = {}
    for member in sorted({str(name) for leaf in asked for name in leaf.operand}):
        alike.setdefault(tuple(at for at, leaf in enumerate(asked) if member in leaf.operand), []).append(member)
    choices = [[[], members[:1], members] if len(members) > 1 else [[], members] for members in alike.values()]
    if prod(len(choice) for choice in choices) > MAX_POINTS:
        return None
    return [tuple(sorted(chain.from_iterable(chosen))) for chosen in product(*choices)]


def _numbers(attribute: Attribute, asked: Sequence[Leaf]) -> Iterator[int | float]:
    """Every bound, and what lies just beside it or half way to the next one."""
    lowest, highest = BOUNDS.get(attribute.qualified, (-MAX_INTEGER, MAX_INTEGER))
    named = (end for leaf in asked for end in (leaf.low, leaf.high, *leaf.operand))
    ends = sorted({lowest, highest, *(end for end in named if isinstance(end, int | float) and isfinite(end))})
    near: set[int | float]
    if attribute.kind in _WHOLE:
        near = {whole + beside for end in ends for whole in (floor(end), ceil(end)) for beside in (-1, 0, 1)}
    else:
        near = {*ends, *((end + after) / 2 for end, after in pairwise(ends))}
    yield from (value for value in near if lowest <= value <= highest)
