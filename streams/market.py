"""Market: fares, capacities, schedules, seasons, folded from one ordered stream. Its offset is the market version.

Everything is last-write-wins by effective time, a later offset winning a tie, so a price never goes back in time.
What is pruned depends on the records alone, one after the other, never on how they were cut into batches.
"""

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Mapping, Sequence
from heapq import nsmallest
from typing import Any, TypeVar

import msgspec

from streams.errors import InvalidInput, LogRestarted, Stop
from streams.events import Capacity, Event, Fare, Schedule, SeasonOverride, VenueCapacity
from streams.fare_history import FareDays, day_of, heard, heard_late
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, parse_instant

AHEAD_MS = 5 * MINUTE_MS
"""A sender's clock may be this far ahead of the log's; a later event time counts as recorded time + this."""
KEPT_MS = 2 * DAY_MS
"""A sailing is kept this long after its arrival, or its departure if it has none."""
UNSCHEDULED_MS = 30 * DAY_MS
"""A sailing without a schedule is kept this long after it was heard of last."""
PRUNE_EVERY_MS = HOUR_MS
"""Pruning looks at every sailing, so only when recorded time enters a new hour."""
MAX_SAILINGS = 100_000
EVICTED_AT_ONCE = 1_000
"""So that looking for what ended first, among all, is worth its time."""
MAX_QUOTES = 200
"""Products, and kinds of room, of one sailing."""
MAX_VENUES = 10_000
MAX_SEASONS = 1_000
MAX_LINES = 10_000
LISTED = ("scheduled", "delayed")
VERSION = 2

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
    """Effective time of the schedule; 0: none yet."""
    fares: dict[str, Quote] = {}
    free: dict[str, Room] = {}
    changed: int = -1
    """Offset of the last change of this sailing."""
    fare_days: dict[str, FareDays] = {}
    """Product -> what it cost day by day, in the currency of its fare."""


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
    """Newest recorded time folded."""
    sailings: dict[str, Sailing] = {}
    """At most 100,000: of more, the thousand that ended first go."""
    by_line: dict[str, tuple[tuple[Millis, str], ...]] = {}
    """Line -> (departure, sailing id) in order of departure; only scheduled or delayed sailings with a departure."""
    venues: dict[str, VenueState] = {}
    seasons: dict[str, tuple[bool, Millis]] = {}
    """Season -> (declared active or not, as_of); absent: its dates decide."""
    released: dict[str, Millis] = {}
    """Season -> when it was given back to its dates, so that an older override stays without effect."""
    lines_changed: dict[str, int] = {}
    """Line -> offset of the last change of any of its sailings."""
    seasons_changed: int = -1


EMPTY: Market = Market()


def fold(market: Market, events: Sequence[tuple[int, Millis, Event]], epoch: str) -> Market:
    """(offset, recorded, event) in offset order -> the market after them. Pure; offsets up to the version are ignored.

    Never raises for an event that `events.parse` accepts; one that cannot be used only moves the version. Raises
    LogRestarted if the market was folded from another log: its offsets say nothing about this one.
    """
    if market.version >= 0 and market.epoch != epoch:
        message = (
            f"the market is that of log {market.epoch!r}, these events are of {epoch!r}; fold them into market.EMPTY"
        )
        raise LogRestarted("MARKET_EPOCH", message)
    news = [record for record in events if record[0] > market.version]
    if not news:
        return market
    draft = _Draft(market)
    for offset, recorded, event in news:
        draft.apply(offset, recorded, event)
    return draft.market(epoch)


def departures(market: Market, line: str, after: Millis, before: Millis, limit: int) -> tuple[str, ...]:
    """Ids of the first `limit` sailings of a line with after <= departure < before, in order of departure."""
    sailings = market.by_line.get(line, ())
    first = bisect_left(sailings, (after, ""))
    last = bisect_left(sailings, (before, ""), first)
    return tuple(sailing_id for _, sailing_id in sailings[first : min(last, first + limit)])


def timetable(schedule: Schedule) -> tuple[Millis, Millis, Millis]:
    """(departure, arrival, end of sales or 0) of a schedule. Raises InvalidInput TIME_INVALID or SCHEDULE_ORDER."""
    departure, arrival = parse_instant(schedule.departure), parse_instant(schedule.arrival)
    if arrival < departure:
        message = f"arrival {schedule.arrival!r} is before departure {schedule.departure!r}; expected it later"
        raise InvalidInput("SCHEDULE_ORDER", message)
    return departure, arrival, 0 if schedule.sales_end is None else parse_instant(schedule.sales_end)


def encode(market: Market) -> bytes:
    """The snapshot: its format version in a byte, then MessagePack. decode(encode(m)) == m."""
    return _VERSION_BYTE + _ENCODE(market)


def decode(snapshot: bytes) -> Market:
    """encode's inverse, for every version there was. Raises Stop MARKET_FORMAT."""
    if snapshot[:1] not in (_VERSION_BYTE, _VERSION_1):
        found = snapshot[0] if snapshot else "no bytes"
        message = f"a market snapshot has format {found}; expected {VERSION}: delete it, the log has everything in it"
        raise Stop("MARKET_FORMAT", message)
    try:
        market = _DECODE(snapshot[1:])
        return market if snapshot[:1] == _VERSION_BYTE else _with_history(market)
    except msgspec.DecodeError as error:
        message = f"a market snapshot cannot be read ({error}): delete it, the log has everything in it"
        raise Stop("MARKET_FORMAT", message) from error


_ENCODE = msgspec.msgpack.Encoder().encode
_DECODE = msgspec.msgpack.Decoder(Market).decode
_VERSION_BYTE = bytes([VERSION])
_VERSION_1 = bytes([1])
_Held = TypeVar("_Held")


class _Draft:
    """A market being folded. Sailings are replaced, never changed; lines are unpacked only where a timetable moves."""

    def __init__(self, base: Market) -> None:
        self.base = base
        self.version = base.version
        self.as_of = base.as_of
        self.sailings = dict(base.sailings)
        self.timetables: dict[str, list[tuple[Millis, str]]] = {}
        self.venues = dict(base.venues)
        self.seasons = dict(base.seasons)
        self.released = dict(base.released)
        self.lines_changed = dict(base.lines_changed)
        self.seasons_changed = base.seasons_changed

    def market(self, epoch: str) -> Market:
        by_line = dict(self.base.by_line)
        for line, sailings in self.timetables.items():
            by_line[line] = tuple(sailings)
            if not sailings:
                del by_line[line]
        return Market(
            epoch=epoch,
            version=self.version,
            as_of=self.as_of,
            sailings=self.sailings,
            by_line=by_line,
            venues=self.venues,
            seasons=self.seasons,
            released=self.released,
            lines_changed=self.lines_changed,
            seasons_changed=self.seasons_changed,
        )

    def apply(self, offset: int, recorded: Millis, event: Event) -> None:
        if offset <= self.version:
            return
        newest = max(self.as_of, recorded)
        if newest // PRUNE_EVERY_MS > self.as_of // PRUNE_EVERY_MS:
            self.drop([sailing for sailing in self.sailings.values() if _kept_until(sailing) < newest])
        self.version, self.as_of = offset, newest
        change = _CHANGES.get(type(event.data))
        if change is not None:
            change(self, event.subject, event.data, min(event.time, recorded + AHEAD_MS))

    def schedule(self, sailing_id: str, data: Schedule, at: Millis) -> None:
        try:
            departure, arrival, sales_end = timetable(data)
        except InvalidInput:
            return
        old = self.sailing(sailing_id)
        if at < old.as_of:
            return
        new = msgspec.structs.replace(
            old, line=data.line, departure=departure, arrival=arrival, status=data.status, sales_end=sales_end, as_of=at
        )
        if new == old:
            return
        self.unlist(old)
        if _is_listed(new):
            insort(self.timetable(new.line), (new.departure, new.id))
        self.moved(old.line)
        self.put(new)

    def fare(self, sailing_id: str, data: Fare, at: Millis) -> None:
        old = self.sailing(sailing_id)
        quote = (data.minor, data.currency, at)
        held = old.fares.get(data.product)
        if quote == held or (held is None and len(old.fares) >= MAX_QUOTES):
            return
        days = old.fare_days.get(data.product, ()) if held is not None and held[1] == data.currency else ()
        if held is not None and at < held[2]:
            late = heard_late(days, held[2], at, data.minor) if days else days
            if late != days:
                self.put(msgspec.structs.replace(old, fare_days={**old.fare_days, data.product: late}))
            return
        fares = {**old.fares, data.product: quote}
        fare_days = {**old.fare_days, data.product: heard(days, at, data.minor)}
        self.put(msgspec.structs.replace(old, fares=fares, fare_days=fare_days))

    def capacity(self, sailing_id: str, data: Capacity, at: Millis) -> None:
        old = self.sailing(sailing_id)
        room = (data.free, at)
        held = old.free.get(data.kind)
        if room == held or (len(old.free) >= MAX_QUOTES if held is None else at < held[1]):
            return
        self.put(msgspec.structs.replace(old, free={**old.free, data.kind: room}))

    def venue(self, venue_id: str, data: VenueCapacity, at: Millis) -> None:
        held = self.venues.get(venue_id)
        if held is not None and (at < held.as_of or (data.free, at) == (held.free, held.as_of)):
            return
        self.venues[venue_id] = VenueState(venue_id, data.free, at, self.version)
        _trim(self.venues, MAX_VENUES, lambda name: self.venues[name].changed)

    def season(self, season: str, data: SeasonOverride, at: Millis) -> None:
        active, since = self.seasons.get(season, (None, self.released.get(season)))
        if since is not None and (at < since or (data.active, at) == (active, since)):
            return
        self.seasons.pop(season, None)
        self.released.pop(season, None)
        if data.active is None:
            self.released[season] = at
        else:
            self.seasons[season] = (data.active, at)
        _trim(self.released, MAX_SEASONS, lambda name: (self.released[name], name))
        _trim(self.seasons, MAX_SEASONS, lambda name: (self.seasons[name][1], name))
        self.seasons_changed = self.version

    def sailing(self, sailing_id: str) -> Sailing:
        return self.sailings.get(sailing_id) or Sailing(sailing_id)

    def put(self, sailing: Sailing) -> None:
        self.sailings[sailing.id] = msgspec.structs.replace(sailing, changed=self.version)
        self.moved(sailing.line)
        if len(self.sailings) > MAX_SAILINGS:
            first = nsmallest(EVICTED_AT_ONCE, self.sailings.values(), key=lambda each: (_kept_until(each), each.id))
            self.drop(first)

    def moved(self, line: str) -> None:
        if line:
            self.lines_changed[line] = self.version
            _trim(self.lines_changed, MAX_LINES, lambda name: (self.lines_changed[name], name))

    def drop(self, sailings: Iterable[Sailing]) -> None:
        for sailing in sailings:
            del self.sailings[sailing.id]
            self.unlist(sailing)

    def unlist(self, sailing: Sailing) -> None:
        if _is_listed(sailing):
            listed = self.timetable(sailing.line)
            del listed[bisect_left(listed, (sailing.departure, sailing.id))]

    def timetable(self, line: str) -> list[tuple[Millis, str]]:
        held = self.timetables.get(line)
        if held is None:
            held = self.timetables[line] = list(self.base.by_line.get(line, ()))
        return held


_CHANGES: Mapping[type, Callable[[_Draft, str, Any, Millis], None]] = {
    Schedule: _Draft.schedule,
    Fare: _Draft.fare,
    Capacity: _Draft.capacity,
    VenueCapacity: _Draft.venue,
    SeasonOverride: _Draft.season,
}


def _with_history(market: Market) -> Market:
    """A market of format 1, which kept no history: each fare has been in force since it was said."""
    sailings = {
        name: msgspec.structs.replace(each, fare_days=_since_said(each)) for name, each in market.sailings.items()
    }
    return msgspec.structs.replace(market, sailings=sailings)


def _since_said(sailing: Sailing) -> dict[str, FareDays]:
    return {product: ((day_of(at), minor, minor),) for product, (minor, _, at) in sailing.fares.items()}


def _is_listed(sailing: Sailing) -> bool:
    return bool(sailing.line and sailing.departure) and sailing.status in LISTED


def _kept_until(sailing: Sailing) -> Millis:
    if sailing.departure:
        return (sailing.arrival or sailing.departure) + KEPT_MS
    heard = [at for _, _, at in sailing.fares.values()] + [at for _, at in sailing.free.values()]
    return max(heard, default=0) + UNSCHEDULED_MS


def _trim(held: dict[str, _Held], most: int, rank: Callable[[str], Any]) -> None:
    while len(held) > most:
        del held[min(held, key=rank)]
