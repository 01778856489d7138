"""Where a customer is, in two forms: the raw Fix, which only `places.resolve` looks into, and the coarse Whereabouts,
which everything behind it uses: conditions, features, cache keys, records.
"""

import sys
from bisect import bisect_left
from dataclasses import dataclass, field
from functools import lru_cache

import h3
import msgspec

from streams.distances import LatLon, geodesic_m
from streams.errors import InvalidInput
from streams.ids import Millis

STATUSES = ("precise", "approximate", "denied", "not_determined", "off")
LOCATED = frozenset({"precise", "approximate"})
"""With any other status no fix is looked at, whatever the phone sent."""

CELL_RESOLUTION = 6
"""H3: hexagons of about 36 km² with edges of 3.7 km."""
CELL_ERROR_M = 4_000
"""How far a customer may be from the centre of their cell. Corners reach 4.06 km here and 4.10 km elsewhere; rounding
the accuracy up gives most of that back, so `confidence_within` may call the last 60 m of a corner sure."""
MIN_WITHIN_M = 10_000
"""The smallest radius a cell can answer for; below it, draw a fence: fences see the raw fix."""
ACCURACY_LADDER_M = (50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000)
"""Accuracies are rounded up to these, so that cache keys repeat. A fix beyond the last one places nobody."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What a phone says about where it is: degrees, metres, instant. The only raw coordinates in the program.

    Raises InvalidInput LOCATION_INVALID. Neither repr() nor a message shows the coordinates, so no log can.
    """

    lat: float = field(repr=False)
    lon: float = field(repr=False)
    accuracy_m: float
    at: Millis

    def __post_init__(self) -> None:
        _within_degrees("lat", self.lat, 90)
        _within_degrees("lon", self.lon, 180)
        _usable_accuracy(self.accuracy_m)


class Whereabouts(msgspec.Struct, frozen=True):
    """Where a customer is, as coarse as decisions need it; hashable, and it repeats while the customer hardly moves."""

    status: str
    """One of STATUSES."""
    cell: str | None = None
    """H3 at CELL_RESOLUTION; None if there is no fix, no permission, or the fix is coarser than 50 km."""
    accuracy_m: int = 0
    """A rung of ACCURACY_LADDER_M; 0 without a cell."""
    fences: tuple[tuple[str, int], ...] = ()
    """(fence id, confidence 1..3) for every fence the customer may be in, by id."""
    at: Millis = 0


NOWHERE = Whereabouts(status="not_determined")


def cell_of(fix: Fix) -> str:
    """The H3 cell of a fix.

    >>> cell_of(Fix(lat=43.5558, lon=10.3019, accuracy_m=20, at=0))
    '861eb5217ffffff'
    """
    return str(h3.latlng_to_cell(fix.lat, fix.lon, CELL_RESOLUTION))


def rung(accuracy_m: float) -> int | None:
    """An accuracy in metres, rounded up to the ladder; None beyond it.

    >>> rung(12), rung(50), rung(50.1), rung(50_001)
    (50, 50, 100, None)
    """
    step = bisect_left(ACCURACY_LADDER_M, accuracy_m)
    return ACCURACY_LADDER_M[step] if step < len(ACCURACY_LADDER_M) else None


@lru_cache(maxsize=65_536)
def cell_distance_m(cell: str, lat: float, lon: float) -> float:
    """Geodesic metres from the centre of a cell; remembered, since customers share cells and offers share places."""
    return geodesic_m(cell_centre(cell), (lat, lon))


def cell_centre(cell: str) -> LatLon:
    """The (lat, lon) of a cell's centre."""
    lat, lon = h3.cell_to_latlng(cell)
    return lat, lon


def confidence_within(distance_m: float, error_m: float, radius_m: float) -> int:
    """How sure it is that someone measured `distance_m` away, give or take `error_m`, is within `radius_m`.

    3 surely, 2 probably, 1 possibly, 0 no. Never falls when the radius grows.

    >>> [confidence_within(26_000, 4_050, radius) for radius in (20_000, 25_000, 30_000, 31_000)]
    [0, 1, 2, 3]
    """
    if distance_m + error_m <= radius_m:
        return 3
    if distance_m <= radius_m:
        return 2
    return 1 if distance_m - error_m <= radius_m else 0


def _within_degrees(name: str, degrees: object, limit: int) -> None:
    number = _finite(degrees)
    if number is None or abs(number) > limit:
        found = "not a finite number" if number is None else f"outside -{limit}..{limit}"
        raise InvalidInput("LOCATION_INVALID", f"{name} is {found} (its value is not repeated); send WGS84 degrees")


def _usable_accuracy(accuracy_m: object) -> None:
    number = _finite(accuracy_m)
    if number is None:
        found = "missing" if accuracy_m is None else f"{accuracy_m!r}, not a finite number"
        raise InvalidInput("LOCATION_INVALID", f"accuracy_m is {found}; send the radius in metres that the phone gives")
    if number < 0:
        raise InvalidInput(
            "LOCATION_INVALID",
            f"accuracy_m is {number:g}: phones say so when they have no position; send status 'not_determined' instead",
        )


def _finite(value: object) -> float | None:
    """The number, or None for anything else: NaN, infinities, texts, True, integers too long for a float."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        return None
    return float(value)
