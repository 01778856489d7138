"""Sailings, fares and room: pure functions of (seed, sailing, instant), told as events when they have changed."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from loadtests.world_clock import DAY_MS, HOUR_MS, MINUTE_MS, chance, draw, local, millis, rfc3339
from loadtests.world_geography import Geography, Line

Told = dict[str, object]
"""An event as it goes over the wire."""
KM_PER_HOUR = 20 * 1.852
HARBOUR_MS = 30 * MINUTE_MS
"""Leaving one port and entering the other."""
AHEAD_DAYS = 7
"""Sailings are on sale for so many days."""
SOON_MS = 48 * HOUR_MS
"""From then on a sailing's fares and room are looked at every time, before that once a day."""
REPEAT_MS = 24 * HOUR_MS
"""Room that has not changed is told again after so long, so that nobody takes it for stale."""
URGENT = "inside"
URGENT_MS = 16 * HOUR_MS
REPEAT_URGENT_MS = 3 * HOUR_MS
"""The cabins that are sold at the port are told again every time."""
FARE_STEPS_MS = tuple(days * DAY_MS for days in (AHEAD_DAYS + 1, 5, 3, 1.5, 0.5))
"""So long before departure a fare moves, and never between."""
OVERNIGHT_KM = 150.0
"""Shorter crossings have no cabins."""
ROOM: Mapping[str, int] = {"inside": 90, "outside": 60, "suite": 8, "car": 220, "camper": 24}
CABINS = ("inside", "outside", "suite")
SUMMER = frozenset({6, 7, 8, 9})
WARM = frozenset({3, 4, 5, 6, 7, 8, 9, 10})
YEAR = frozenset(range(1, 13))
DEPARTURES: Mapping[str, tuple[str, ...]] = {
    "ITLIV-ITOLB": ("21:30",), "ITOLB-ITLIV": ("21:00",),
    "ITGOA-ITPTO": ("20:30",), "ITPTO-ITGOA": ("20:30",),
    "ITCVV-ITOLB": ("22:30",), "ITOLB-ITCVV": ("22:30",),
    "ITGOA-ITOLB": ("19:30",), "ITOLB-ITGOA": ("19:30",),
    "ITPIO-ITOLB": ("14:45",), "ITOLB-ITPIO": ("08:15",),
    "ITGOA-FRBIA": ("09:00",), "FRBIA-ITGOA": ("16:00",),
    "ITLIV-FRBIA": ("08:15",), "FRBIA-ITLIV": ("14:00",),
    "FRNCE-FRBIA": ("14:30",), "FRBIA-FRNCE": ("07:45",),
    "ITCVV-ITCAG": ("20:00",), "ITCAG-ITCVV": ("20:00",),
    "ITNAP-ITCAG": ("19:00",), "ITCAG-ITNAP": ("19:00",),
    "ITPMO-ITCAG": ("19:30",), "ITCAG-ITPMO": ("19:30",),
    "ITNAP-ITPMO": ("20:15",), "ITPMO-ITNAP": ("20:15",),
    "ITPIO-ITPFE": ("07:30", "11:30", "15:30", "19:00"), "ITPFE-ITPIO": ("06:00", "09:30", "13:30", "17:30"),
    "santa-teresa-gallura-FRBON": ("08:00", "13:00", "17:30"),
    "FRBON-santa-teresa-gallura": ("09:30", "14:30", "19:00"),
}  # fmt: skip
MONTHS: Mapping[frozenset[str], frozenset[int]] = {
    frozenset({"ITGOA", "ITOLB"}): frozenset({5, 6, 7, 8, 9, 10}),
    frozenset({"ITPIO", "ITOLB"}): SUMMER,
    frozenset({"ITGOA", "FRBIA"}): WARM,
    frozenset({"ITLIV", "FRBIA"}): WARM,
}
"""The months in which a line sails daily; outside them it sails on Tuesdays and Fridays only."""
OUT_OF_SEASON_DAYS = frozenset({1, 4})


@dataclass(frozen=True, slots=True)
class Sailing:
    """One departure."""

    id: str
    line: Line
    departure: int
    arrival: int

    @property
    def overnight(self) -> bool:
        """Whether there are cabins."""
        return self.line.km >= OVERNIGHT_KM


def sailing_at(line: Line, departure: datetime) -> Sailing:
    """The sailing of a line at a local time of its port, which its id holds: ITLIV-ITOLB/2026-11-21T21:30."""
    leaves = millis(departure.replace(tzinfo=ZoneInfo(line.origin.zone)))
    under_way = line.km / KM_PER_HOUR * HOUR_MS + HARBOUR_MS
    steps = math.ceil(under_way / (5 * MINUTE_MS))
    ident = f"{line.id}/{departure:%Y-%m-%dT%H:%M}"
    return Sailing(ident, line, leaves, leaves + steps * 5 * MINUTE_MS)


@lru_cache(maxsize=4_096)
def sailings_on(line: Line, day: date) -> tuple[Sailing, ...]:
    """The sailings of a line on a local day."""
    months = MONTHS.get(frozenset({line.origin.id, line.destination.id}), YEAR)
    if day.month not in months and day.weekday() not in OUT_OF_SEASON_DAYS:
        return ()
    clocks = DEPARTURES.get(line.id, ("12:00",))
    return tuple(sailing_at(line, datetime.combine(day, time.fromisoformat(clock))) for clock in clocks)


class SailingMarket:
    """What is on sale, and which of it has been told already."""

    def __init__(self, seed: int, geography: Geography) -> None:
        self._seed = seed
        self._geography = geography
        self._told: dict[tuple[str, str], tuple[int, int]] = {}
        self._sailings: dict[str, Sailing] = {}
        self._count = 0

    def find(self, sailing_id: str) -> Sailing | None:
        """A sailing that is or was on sale."""
        return self._sailings.get(sailing_id)

    def news(self, now: int, *, whole: bool) -> Iterator[Told]:
        """Events for everything that changed by `now`; sailings that are not soon only if the `whole` is wanted."""
        for sailing in self._on_sale(now):
            if sailing.id not in self._sailings:
                self._sailings[sailing.id] = sailing
                yield self._schedule(sailing, now, "scheduled")
                yield from self._quotes(sailing, now)
            elif whole or sailing.departure - now <= SOON_MS:
                yield from self._quotes(sailing, now)
                yield from self._disruption(sailing, now)
        for venue in self._geography.venues.values():
            free = int(40 * draw(self._seed, venue.id, now // (3 * HOUR_MS)))
            yield self._event("venue.capacity", venue.id, now, {"free": free})

    def _on_sale(self, now: int) -> Iterator[Sailing]:
        for line in self._geography.lines.values():
            today = local(now, line.origin.zone).date()
            for ahead in range(AHEAD_DAYS + 1):
                for sailing in sailings_on(line, today + timedelta(days=ahead)):
                    if sailing.departure > now:
                        yield sailing

    def _quotes(self, sailing: Sailing, now: int) -> Iterator[Told]:
        for product, minor in fares(self._seed, sailing, now).items():
            if self._is_news(sailing, f"fare {product}", minor, now, repeat_ms=AHEAD_DAYS * DAY_MS):
                yield self._event("sailing.fare", sailing.id, now, {"product": product, "minor": minor})
        urgent = sailing.departure - now <= URGENT_MS
        for kind, free in room(self._seed, sailing, now).items():
            repeat_ms = REPEAT_URGENT_MS if urgent and kind == URGENT else REPEAT_MS
            if self._is_news(sailing, f"room {kind}", free, now, repeat_ms=repeat_ms):
                yield self._event("sailing.capacity", sailing.id, now, {"kind": kind, "free": free})

    def _disruption(self, sailing: Sailing, now: int) -> Iterator[Told]:
        """One sailing in fifty is late, one in two hundred does not leave; known five hours before."""
        fate = draw(self._seed, sailing.id, "fate")
        if fate < 0.02 and sailing.departure - now <= 5 * HOUR_MS and (sailing.id, "status") not in self._told:
            self._told[sailing.id, "status"] = (0, now)
            yield self._schedule(sailing, now, "cancelled" if fate < 0.005 else "delayed")

    def _is_news(self, sailing: Sailing, name: str, value: int, now: int, *, repeat_ms: int) -> bool:
        told = self._told.get((sailing.id, name))
        if told is not None and told[0] == value and now - told[1] < repeat_ms:
            return False
        self._told[sailing.id, name] = (value, now)
        return True

    def _schedule(self, sailing: Sailing, now: int, status: str) -> Told:
        said = {"line": sailing.line.id, "departure": rfc3339(sailing.departure), "arrival": rfc3339(sailing.arrival)}
        return self._event("sailing.schedule", sailing.id, now, {**said, "status": status})

    def _event(self, kind: str, subject: str, now: int, data: Told) -> Told:
        self._count += 1
        return event("world/market", f"m-{now}-{self._count}", kind, (subject, now), data)


def event(source: str, ident: str, kind: str, about: tuple[str, int], data: Told) -> Told:
    """A CloudEvent; `about`: (subject, when)."""
    subject, at = about
    envelope = {"specversion": "1.0", "id": ident, "source": source, "type": kind}
    return {**envelope, "subject": subject, "time": rfc3339(at), "data": data}


def fares(seed: int, sailing: Sailing, now: int) -> dict[str, int]:
    """Product -> minor units. They rise with the load, the weekend and the summer, a step at a time, and also fall."""
    month = local(sailing.departure, sailing.line.origin.zone)
    season = 1.45 if month.month in SUMMER else 0.9 if month.month in (11, 12, 1, 2) else 1.0
    weekend = 1.12 if month.weekday() in (4, 6) else 1.0
    step_ms = min((before for before in FARE_STEPS_MS if sailing.departure - now <= before), default=FARE_STEPS_MS[0])
    mood = 0.85 + 0.3 * draw(seed, sailing.id, "mood", step_ms)
    level = season * weekend * mood * (0.8 + 0.5 * load(seed, sailing, sailing.departure - int(step_ms)))
    deck = (700 + 9 * sailing.line.km) * level
    quoted = {"deck": deck, "car": deck * 1.9 + 1200, "camper": deck * 2.8 + 2500}
    if sailing.overnight:
        cabin = (3200 + 7 * sailing.line.km) * level
        quoted |= {"seat": deck + 700, "cabin_inside": cabin, "cabin_outside": cabin * 1.35, "suite": cabin * 2.6}
    return {product: round(minor / 50) * 50 for product, minor in quoted.items()}


def room(seed: int, sailing: Sailing, now: int) -> dict[str, int]:
    """Kind of cabin or vehicle -> how many are free."""
    kinds = ROOM if sailing.overnight else {kind: number for kind, number in ROOM.items() if kind not in CABINS}
    taken = load(seed, sailing, now) // 0.04 * 0.04
    return {
        kind: max(0, int(number * (1 - taken * (0.8 + 0.5 * draw(seed, sailing.id, kind)))))
        for kind, number in kinds.items()
    }


def load(seed: int, sailing: Sailing, now: int) -> float:
    """How full the ship is, 0 to about 1: slowly from a week before, then quickly."""
    days = (sailing.departure - now) / DAY_MS
    final = 0.45 + 0.55 * draw(seed, sailing.id, "final")
    return final * chance(1.6 - 0.75 * days)
