"""Encoding: one fact -> the numbers of its columns. A value of another type than its column's is missing."""

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from scoring.features import Column, Transform
from streams.attributes import Facts, Value
from streams.ids import Millis
from streams.instant import HOUR_MS, MINUTE_MS

AHEAD_MS = 5 * MINUTE_MS
"""A fact from later than this after the decision is missing: a row must not see the future. Clocks may differ by it."""
UNSEEN = -1.0
"""Code of a value that is not in the vocabulary; missing is NaN."""

_NUMBERS = (int, float)

Encode = Callable[[Value, Millis], float]


class Reader(NamedTuple):
    """The columns that come from one fact, at their places in the block."""

    source: str
    fresh_ms: Millis | None
    columns: tuple[tuple[int, Encode], ...]


def readers(columns: Sequence[Column]) -> tuple[Reader, ...]:
    """The readers of a block of columns; a fact that has several columns is looked up once."""
    placed = sorted(enumerate(columns), key=lambda entry: (entry[1].source, entry[0]))
    return tuple(
        Reader(source, group[0][1].fresh_ms, tuple((spot, encoder(column)) for spot, column in group))
        for source, grouped in groupby(placed, key=lambda entry: entry[1].source)
        for group in [list(grouped)]
    )


def read(facts: Facts, using: tuple[Reader, ...], width: int, now: Millis) -> list[float]:
    """One block: NaN where the fact is absent, stale, from the future or of another type."""
    block = [math.nan] * width
    if not facts:
        return block
    latest, found = now + AHEAD_MS, facts.get
    for source, fresh_ms, columns in using:
        fact = found(source)
        if fact is None:
            continue
        value, as_of = fact
        if as_of > latest or (fresh_ms is not None and as_of < now - fresh_ms):
            continue
        for spot, encode in columns:
            block[spot] = encode(value, now)
    return block


def encoder(column: Column) -> Encode:
    """The function of one column.

    >>> from scoring.features import Part
    >>> column = Column("customer.tier", Part.COMMON, "customer.tier", Transform.CODE, levels=("blue", "gold"))
    >>> encoder(column)("gold", 0), encoder(column)("platinum", 0)
    (1.0, -1.0)
    """
    return _ENCODERS[column.transform](column)


def number(value: Value) -> float:
    """The value as a number; NaN if it is none. True is no number."""
    if type(value) is float or type(value) is int:  # as nearly all are
        return float(value)
    return float(value) if isinstance(value, _NUMBERS) and not isinstance(value, bool) else math.nan


def _code(column: Column) -> Encode:
    codes: Mapping[Value, float] = {level: float(code) for code, level in enumerate(column.levels)}
    return lambda value, now: codes.get(value, UNSEEN) if isinstance(value, str) else math.nan


def _member(column: Column) -> Encode:
    member = column.member
    return lambda value, now: float(member in value) if isinstance(value, tuple) else math.nan


def _is(level: str) -> Encode:
    return lambda value, now: float(value == level) if isinstance(value, str) else math.nan


def _round(column: Column, wave: Callable[[float], float]) -> Encode:
    turn = 2 * math.pi / column.period
    return lambda value, now: wave(number(value) * turn)


def _learnt(column: Column) -> Encode:
    unknown = column.mean if column.evidence else math.nan
    rates: Mapping[Value, float] = {offer: told[-1] for offer, told in column.table.items()}
    return lambda value, now: rates.get(value, unknown)


_ENCODERS: Mapping[Transform, Callable[[Column], Encode]] = {
    Transform.NUMBER: lambda column: lambda value, now: number(value),
    Transform.FLAG: lambda column: lambda value, now: float(value) if isinstance(value, bool) else math.nan,
    Transform.CODE: _code,
    Transform.MEMBER: _member,
    Transform.IS: lambda column: _is(column.member),
    Transform.SIZE: lambda column: lambda value, now: float(len(value)) if isinstance(value, tuple) else math.nan,
    Transform.SINCE: lambda column: lambda value, now: (now - number(value)) / HOUR_MS,
    Transform.HOURS: lambda column: lambda value, now: number(value) / HOUR_MS,
    Transform.SIN: lambda column: _round(column, math.sin),
    Transform.COS: lambda column: _round(column, math.cos),
    Transform.LEARNT: _learnt,
}
"""History counts and crosses are not here: they do not come from one fact."""
