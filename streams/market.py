"""Market: fares, capacities, schedules, seasons, folded from one ordered stream. Its offset is the market version."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from streams.ids import Millis

Quote = tuple[int, str, Millis]
"""(minor units, currency, as_of)"""
Room = tuple[int, Millis]
"""(how many are free, as_of)"""


class Sailing(msgspec.Struct, frozen=True):
    """One departure. Times 0 mean: fares or capacities came before the schedule did."""

    id: str
    line: str = ""
    departure: Millis = 0
    arrival: Millis = 0
    status: str = "scheduled"
    sales_end: Millis = 0
    as_of: Millis = 0
    fares: dict[str, Quote] = {}
    free: dict[str, Room] = {}
    changed: int = -1
    """Offset of the last change of this sailing."""


class VenueState(msgspec.Struct, frozen=True):
    """A venue's room."""

    id: str
    free: int
    as_of: Millis
    changed: int


class Market(msgspec.Struct, frozen=True):
    """An immutable state of the market; every fold makes a new one that shares what did not change."""

    epoch: str = ""
    version: int = -1
    """Offset of the last record folded; -1: none."""
    as_of: Millis = 0
    """Recorded time of that record."""
    sailings: dict[str, Sailing] = {}
    by_line: dict[str, tuple[tuple[Millis, str], ...]] = {}
    """Line -> (departure, sailing id) in order of departure; only scheduled or delayed sailings with a departure."""
    venues: dict[str, VenueState] = {}
    seasons: dict[str, tuple[bool, Millis]] = {}
    """Season -> (declared active or not, as_of); absent: its dates decide."""
    lines_changed: dict[str, int] = {}
    """Line -> offset of the last change of any of its sailings."""
    seasons_changed: int = -1


EMPTY: Market = Market()
NOTHING: Mapping[str, int] = MappingProxyType({})
