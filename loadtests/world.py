"""The world: seeded people who travel, book and look at their phones, and answer the offers they are shown.

It knows Offing's public doors and nothing behind them: it imports none of the packages. Time is simulated: every
request says `Offing-Now`, hour after hour, from three weeks before `end` up to `end`; within an hour first the market
speaks, then bookings are told, then people ask, then they answer what they were shown. What somebody does depends on
the seed, on themselves and on what they were shown, never on the order in which answers arrive.

Reading order: world_geography, world_market, world_people, world_lives, world_tastes, world_doors, world_teller, world.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from loadtests.world_clock import DAY_MS, HOUR_MS, MINUTE_MS, local, rfc3339
from loadtests.world_doors import Doors
from loadtests.world_geography import load
from loadtests.world_lives import Booking, Session, Span, sailing_booking, sessions_of, trip, visits_of
from loadtests.world_market import Sailing, SailingMarket, Told
from loadtests.world_people import Person, population
from loadtests.world_tastes import Shown, response
from loadtests.world_teller import Teller

PLACES = Path(__file__).parent.parent / "deploy" / "campaigns" / "places"
DAYS = 21
NEWS_HOURS = 3
"""The market speaks every three hours."""
ANSWERS_AFTER_MS = 4 * MINUTE_MS
"""So long after the app was opened, what was shown has been seen, opened or dismissed."""
LAST_TICK_MS = 10 * MINUTE_MS
"""The last hour of the world begins so long before its end at the latest."""
WHOLE_NEWS_HOUR = 3
ASKED: Mapping[str, tuple[tuple[str, int], ...]] = {
    "phone": (("app.home.hero", 1), ("app.home.list", 3)),
    "tablet": (("app.home.tablet", 4),),
}
TRIP_CARD = ("app.trip.card", 3)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the world is."""

    share: float
    at: int
    """Simulated."""
    decisions: int
    clicks: int


@dataclass(slots=True)
class WorldReport:
    """What happened."""

    start: int
    end: int
    customers: int
    seconds: float = 0.0
    requests: int = 0
    retries: int = 0
    decisions: int = 0
    last_decision: str = ""
    items: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    """By the doors' answer: accepted, duplicate, rejected."""
    errors: Counter[str] = field(default_factory=Counter)
    degraded: Counter[str] = field(default_factory=Counter)
    offers: Counter[str] = field(default_factory=Counter)
    """Exposures by offer."""
    clicked: Counter[str] = field(default_factory=Counter)

    @property
    def acceptance(self) -> float:
        """Clicks per exposure."""
        return self.outcomes["clicked"] / max(1, self.outcomes["exposed"])

    @property
    def requests_per_s(self) -> float:
        return self.requests / max(self.seconds, 1e-9)


@dataclass(frozen=True, slots=True)
class _Answered:
    """A decision and what became of it."""

    session: Session
    person: Person
    outcomes: tuple[Told, ...]
    redeemed: tuple[Mapping[str, Any], ...]
    """Items."""


class World:
    """One run of it; not to be run twice."""

    def __init__(self, seed: int, customers: int, *, end: int, days: int = DAYS, places: Path = PLACES) -> None:
        """`end`: the last simulated instant, ms since 1970."""
        self.seed = seed
        self.span = Span((end - days * DAY_MS) // HOUR_MS * HOUR_MS, end)
        self.geography = load(places)
        self.market = SailingMarket(seed, self.geography)
        self.people = population(seed, customers, self.geography)
        self.teller = Teller()
        self.report = WorldReport(self.span.start, end, customers)
        self._bookings: dict[str, Booking] = {}
        self._deeds: dict[int, list[Callable[[int], list[Told]]]] = {}
        """Hour -> what somebody tells the register then."""
        self._sessions: dict[int, list[Session]] = {}
        self._seen: Counter[tuple[str, str]] = Counter()
        self._aboard: dict[str, set[str]] = {}
        """Sailing -> who is booked on it."""
        self._open: Counter[str] = Counter()
        self._owed: list[Told] = []
        """What the tills and the booking system tell within the hour."""
        for person in self.people.values():
            self._live(person)

    async def run(self, client: httpx.AsyncClient, progress: Callable[[Progress], None]) -> WorldReport:
        """The whole span. `client` has the base URL and a key with the scopes events, decide and simulate.

        Raises DoorClosed if the service stays away.
        """
        began = time.perf_counter()
        doors = Doors(client)
        await doors.send_events(
            [told for person in self.people.values() for told in self._hello(person)], self.span.start
        )
        ticks = range(self.span.start, self.span.end - LAST_TICK_MS, HOUR_MS)
        for number, tick in enumerate(ticks):
            await self._hour(doors, tick, number)
            counts = self.report.outcomes
            progress(Progress((number + 1) / len(ticks), tick, self.report.decisions, counts["clicked"]))
        await doors.send_events([*self.market.news(self.span.end, whole=True), *self._owed], self.span.end)
        return self._reported(doors, time.perf_counter() - began)

    def _reported(self, doors: Doors, seconds: float) -> WorldReport:
        report, traffic = self.report, doors.traffic
        report.seconds, report.requests, report.retries = seconds, traffic.requests, traffic.retries
        report.events, report.errors = traffic.events, traffic.errors
        return report

    def _live(self, person: Person) -> None:
        bookings = trip(self.seed, person, self.geography, self.span)
        for booking in bookings:
            self._plan(booking.booked_at, lambda at, booking=booking: self._book(booking, at))  # type: ignore[misc]
        for session in sessions_of(self.seed, person, bookings, self.span):
            self._sessions.setdefault(_hour(session.at), []).append(session)

    def _plan(self, at: int, deed: Callable[[int], list[Told]]) -> None:
        self._deeds.setdefault(_hour(at), []).append(deed)

    def _hello(self, person: Person) -> list[Told]:
        return self.teller.hello(person, self.span.start)

    async def _hour(self, doors: Doors, tick: int, number: int) -> None:
        news: list[Told] = []
        if number % NEWS_HOURS == 0:
            whole = local(tick, "Europe/Rome").hour // NEWS_HOURS == WHOLE_NEWS_HOUR // NEWS_HOURS
            news += self.market.news(tick, whole=whole)
        news += (told for deed in self._deeds.pop(tick, []) for told in deed(tick))
        news += self._owed
        self._owed = []
        await doors.send_events(news, tick)
        sessions = _one_each(self._sessions.pop(tick, []))
        answered = await asyncio.gather(*(self._ask(doors, session, tick) for session in sessions))
        at = tick + ANSWERS_AFTER_MS
        await doors.send_outcomes([outcome for answer in answered for outcome in answer.outcomes], at)
        self._owed = [
            told for answer in answered for item in answer.redeemed for told in self._redeem(answer, item, at)
        ]

    async def _ask(self, doors: Doors, session: Session, tick: int) -> _Answered:
        person = self.people[session.person]
        answer = await doors.decide(self._wanted(person, session, tick), tick)
        self.report.decisions += 1
        self.report.last_decision = answer["decision_id"]
        self.report.degraded.update(answer["degraded"])
        outcomes: list[Told] = []
        redeemed: list[Mapping[str, Any]] = []
        for placement in answer["placements"]:
            for item in placement["items"]:
                done = response(self.seed, person, session, self._shown(person, placement["placement"], item))
                outcomes += self._outcomes(item, done, tick + ANSWERS_AFTER_MS)
                self._remember(person, item["offer_id"], done)
                if "redeemed" in done:
                    redeemed.append(item)
        return _Answered(session, person, tuple(outcomes), tuple(redeemed))

    def _wanted(self, person: Person, session: Session, tick: int) -> dict[str, Any]:
        """The body of a decision request."""
        asked = ASKED[session.device]
        context: dict[str, Any] = {
            "device": {"class": session.device},
            "app": {"platform": "ios" if len(person.id) + int(person.id[-1]) & 1 else "android", "version": "7.4.0"},
            "location": self._location(person, session, tick),
        }
        booking = self._bookings.get(session.booking or "")
        if booking is not None:
            context["trip"] = {"booking_id": booking.id}
        if self._open[person.id]:
            asked = (
                asked[0],
                TRIP_CARD,
                *asked[1:],
            )  # no offer stands twice in an answer: the trip goes before the list
        return {
            "request_id": f"{person.id}-{tick // HOUR_MS}",
            "customer_id": person.id,
            "sent_at": rfc3339(tick),
            "locale": person.locale,
            "placements": [{"placement": name, "limit": limit} for name, limit in asked],
            "context": context,
        }

    def _location(self, person: Person, session: Session, tick: int) -> dict[str, Any]:
        status = person.location_status if "location" in person.consents else "denied"
        if status not in ("precise", "approximate"):
            return {"status": status}
        lat, lon = session.position
        accuracy_m = 20 if status == "precise" else 3_000
        return {
            "status": status,
            "lat": round(lat, 5),
            "lon": round(lon, 5),
            "accuracy_m": accuracy_m,
            "at": rfc3339(tick),
        }

    def _shown(self, person: Person, placement: str, item: Mapping[str, Any]) -> Shown:
        price = item.get("price")
        aboard = self._aboard.get(item["about"].get("sailing_id", ""), set())
        friends = "social" in person.consents and not aboard.isdisjoint(person.friends)
        seen = self._seen[person.id, item["offer_id"]]
        return Shown(item["offer_id"], placement, item["rank"], price and price["minor"], friends, seen)

    def _outcomes(self, item: Mapping[str, Any], done: Sequence[str], at: int) -> list[Told]:
        self.report.items += 1
        self.report.outcomes.update(done)
        return [{"token": item["token"], "outcome": what, "at": rfc3339(at)} for what in done if what != "redeemed"]

    def _remember(self, person: Person, offer: str, done: Sequence[str]) -> None:
        if "exposed" in done:
            self._seen[person.id, offer] += 1
            self.report.offers[offer] += 1
        if "clicked" in done:
            self.report.clicked[offer] += 1

    def _book(self, booking: Booking, at: int) -> list[Told]:
        """A booking made: it opens a trip, and is completed after the journey."""
        self._bookings[booking.id] = booking
        self._aboard.setdefault(booking.sailing.id, set()).add(booking.person)
        self._open[booking.person] += 1
        self._plan(booking.over_at + HOUR_MS, lambda then: self._complete(booking.id, then))
        return [
            self.teller.booking(booking, "open", at),
            self.teller.trips(booking.person, self._open[booking.person], at),
        ]

    def _complete(self, booking_id: str, at: int) -> list[Told]:
        booking = self._bookings[booking_id]
        self._open[booking.person] -= 1
        told = [self.teller.booking(booking, "completed", at)]
        return [*told, self.teller.trips(booking.person, self._open[booking.person], at, booking.sailing.arrival)]

    def _redeem(self, answer: _Answered, item: Mapping[str, Any], at: int) -> list[Told]:
        """Paid for: told by the booking system, and with it what changed in a booking."""
        told = [self.teller.redeemed(answer.person.id, item, at)]
        about = item["about"]
        booking = self._bookings.get(about.get("booking_id", ""))
        if booking is not None:
            return told + self._upgrade(booking, item["offer_id"], at)
        sailing = self.market.find(about.get("sailing_id", ""))
        if sailing is not None and not self._open[answer.person.id]:
            return told + self._set_out(answer.person, sailing, at)
        return told

    def _upgrade(self, booking: Booking, offer: str, at: int) -> list[Told]:
        changed = booking.upgraded(offer)
        if changed == booking:
            return []
        self._bookings[booking.id] = changed
        return [self.teller.booking(changed, "open", at)]

    def _set_out(self, person: Person, sailing: Sailing, at: int) -> list[Told]:
        """A fare taken in the app: a new booking, and the visits that come with a journey."""
        booking = sailing_booking(self.seed, person, sailing, at)
        for session in visits_of(self.seed, person, booking):
            if self.span.holds(session.at) and _hour(session.at) > _hour(at):
                self._sessions.setdefault(_hour(session.at), []).append(session)
        return self._book(booking, at)


def _hour(at: int) -> int:
    """The tick in which something happens: the hour's beginning."""
    return at // HOUR_MS * HOUR_MS


def _one_each(sessions: Sequence[Session]) -> list[Session]:
    """One session per person and hour, a trip's before any other, in a fixed order."""
    chosen: dict[str, Session] = {}
    for session in sorted(sessions, key=lambda session: (session.booking is None, session.at, session.person)):
        chosen.setdefault(session.person, session)
    return [chosen[person] for person in sorted(chosen)]
