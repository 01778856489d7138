"""The demo's stage: three customers, one sailing, and what happens to it. Plays against a running service."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx

from loadtests.demo_scenes import (
    HOME,
    TABLET,
    UPGRADE,
    Asking,
    Check,
    Scene,
    german_tablet,
    has_upgrade,
    no_upgrade,
    only_the_island,
    only_the_ship,
)
from loadtests.service import Failed
from loadtests.world import PLACES
from loadtests.world_clock import DAY_MS, HOUR_MS, MINUTE_MS, local, rfc3339
from loadtests.world_doors import Doors
from loadtests.world_geography import between, load
from loadtests.world_market import Sailing, Told, event, sailing_at, sailings_on

LINE, ZONE = "ITLIV-ITOLB", "Europe/Rome"
GIULIA, MARCO, JONAS = "giulia", "marco", "jonas"
MUNICH = (48.137, 11.575)
FARES = {
    "deck": 3200, "seat": 3900, "cabin_inside": 6900, "cabin_outside": 9300, "suite": 17900, "car": 7800,
    "camper": 11900,
}  # fmt: skip
LOWER_FARE = 5500
ROOM = {"inside": 12, "outside": 7, "suite": 2, "car": 40, "camper": 5}
VENUES = {"ristorante-maestrale": 18, "spa-onda": 6, "lido-corallo": 30}
HALF_HOUR_MS = 30 * MINUTE_MS
SOONEST_MS, LATEST_MS = 150 * MINUTE_MS, 950 * MINUTE_MS
"""The story's sailing leaves within these times from now."""
SEEN_WITHIN_S = 8.0
"""So long at most until an answer shows what an event said."""


class Stage:
    """Plays the story against a running service."""

    def __init__(self, client: httpx.AsyncClient, now: int) -> None:
        self.doors = Doors(client, at_once=1)
        self.now = now
        ports = load(PLACES).ports
        self.livorno, self.olbia = ports["ITLIV"].at, ports["ITOLB"].at
        self.sailing = story_sailing(now)
        self._count = 0

    async def set_up(self) -> None:
        """The customers, their bookings, and the sailing with its fares and room."""
        later = _sailing_on_day(self.sailing, 3)
        people = (
            (GIULIA, _profile("gold", "car", cabin_nights=5, spa_visits=3, restaurant_visits=4), ["food", "spa"]),
            (MARCO, _profile("silver", "none", cabin_nights=4, restaurant_visits=1), ["culture"]),
            (JONAS, _profile("silver", "camper", cabin_nights=3, children=2), ["family", "beach"]),
        )
        told = [said for name, profile, interests in people for said in self._introduce(name, profile, interests)]
        told += self._on_sale(self.sailing) + self._on_sale(later)
        told += [
            self._booking(GIULIA, self.sailing, "seat", "none", 0),
            self._booking(MARCO, self.sailing, "seat", "none", 0),
            self._booking(JONAS, later, "seat", "none", 2),
        ]
        told += [self._event("venue.capacity", venue, {"free": free}) for venue, free in VENUES.items()]
        await self.doors.send_events(told, self.now)

    async def in_livorno(self, title: str, check: Check) -> Scene:
        """Giulia at the terminal, her trip on the screen."""
        return await self.until(title, self.giulia_at_port(), check)

    def giulia_at_port(self) -> Asking:
        return Asking(GIULIA, "it-IT", self.now, self.livorno, trip=f"b-{GIULIA}")

    async def on_board(self) -> Scene:
        """The same evening at sea, as a rehearsal."""
        at = self.sailing.departure + HOUR_MS
        position = between(self.livorno, self.olbia, 0.1)
        asking = Asking(GIULIA, "it-IT", at, position, trip=f"b-{GIULIA}", rehearsed=True)
        return await self.until("Giulia on board, an hour after departure", asking, only_the_ship)

    async def in_olbia(self) -> Scene:
        """Ashore, as a rehearsal; at night the lido is closed, so on the next morning."""
        at = self.sailing.arrival + HOUR_MS
        if not 8 <= local(at, ZONE).hour < 18:
            at = _next_at(at, hour=10)
        asking = Asking(GIULIA, "it-IT", at, self.olbia, HOME, rehearsed=True)
        return await self.until("Giulia in Olbia", asking, only_the_island)

    async def fare_falls(self, check: Check) -> Scene:
        """The cabin becomes cheaper, and so does what Giulia is offered."""
        await self._tell("sailing.fare", self.sailing.id, {"product": "cabin_inside", "minor": LOWER_FARE})
        return await self.in_livorno("Giulia in Livorno, after the cabin's fare has fallen", check)

    async def cabins_sell_out(self, check: Check) -> Scene:
        """No cabin is left, and nobody is offered one."""
        await self._inside_cabins(0)
        return await self.in_livorno("Giulia in Livorno, after the last cabin was sold", check)

    async def cabins_come_back(self, check: Check) -> Scene:
        """Two bookings were cancelled."""
        await self._inside_cabins(2)
        return await self.in_livorno("Giulia in Livorno, two cabins are free again", check)

    async def on_a_tablet(self) -> Scene:
        """Jonas at home in Munich, in German, on a tablet."""
        asking = Asking(JONAS, "de-DE", self.now, MUNICH, TABLET, "tablet", trip=f"b-{JONAS}", explained=True)
        return await self.until("Jonas in Munich, in German on a tablet", asking, german_tablet)

    async def not_shown(self) -> tuple[Scene, Mapping[str, Any], Scene]:
        """(Marco's answer, why he has no upgrade, his answer after the one change that the reason names)."""
        asking = Asking(MARCO, "it-IT", self.now, self.livorno, trip=f"b-{MARCO}", explained=True)
        before = await self.until("Marco in Livorno", asking, no_upgrade)
        verdicts = {verdict["offer_id"]: verdict for verdict in before.reasons()}
        reasons = verdicts.get(UPGRADE, {"reasons": ()})["reasons"]
        if [reason["code"] for reason in reasons] != ["ELIGIBILITY_FAILED"]:
            raise Failed(f"Marco's upgrade should fail for his tier alone; found {reasons}")
        await self._tell("customer.profile", MARCO, {"attributes": {"loyalty_tier": "gold"}})
        after = await self.until("Marco in Livorno, now a Gold member", asking, has_upgrade)
        return before, reasons[0], after

    async def until(self, title: str, asking: Asking, check: Check) -> Scene:
        """The first answer that passes the check: events are on their way for some milliseconds. Raises Failed."""
        ending = time.monotonic() + SEEN_WITHIN_S
        while True:
            self._count += 1
            answer = await self.doors.decide(asking.body(f"demo-{self.now}-{self._count}"), asking.at)
            scene = Scene(title, asking, answer)
            wrong = check(scene)
            if not wrong:
                return scene
            if time.monotonic() > ending:
                raise Failed(f"{title}: {wrong}; shown were {', '.join(scene.offers) or 'no offers'}")
            await asyncio.sleep(0.1)

    async def _inside_cabins(self, free: int) -> None:
        await self._tell("sailing.capacity", self.sailing.id, {"kind": "inside", "free": free})

    async def _tell(self, kind: str, subject: str, data: Told) -> None:
        """One event, a second later than whatever was said before."""
        self.now += 1_000
        await self.doors.send_events([self._event(kind, subject, data)], self.now)

    def _introduce(self, name: str, profile: Told, interests: Sequence[str]) -> list[Told]:
        consent: Told = {
            "purposes": {"personalised_offers": True, "location": True, "social": False},
            "channels": {"app": True},
        }
        return [
            self._event("customer.profile", name, {"attributes": profile}),
            self._event("customer.preferences", name, {"attributes": {"interests": list(interests)}}),
            self._event("customer.consent", name, consent),
        ]

    def _booking(self, name: str, sailing: Sailing, berth: str, vehicle: str, children: int) -> Told:
        attributes = {
            "accommodation": berth,
            "vehicle": vehicle,
            "party": 1 + children,
            "children": children,
            "pets": 0,
        }
        said: Told = {"booking_id": f"b-{name}", "sailing_id": sailing.id, "line": LINE, "attributes": attributes}
        return self._event("customer.booking", name, said)

    def _on_sale(self, sailing: Sailing) -> list[Told]:
        times: Told = {"departure": rfc3339(sailing.departure), "arrival": rfc3339(sailing.arrival)}
        told = [self._event("sailing.schedule", sailing.id, {"line": LINE, "status": "scheduled", **times})]
        for product, minor in FARES.items():
            told.append(self._event("sailing.fare", sailing.id, {"product": product, "minor": minor}))
        for kind, free in ROOM.items():
            told.append(self._event("sailing.capacity", sailing.id, {"kind": kind, "free": free}))
        return told

    def _event(self, kind: str, subject: str, data: Told) -> Told:
        self._count += 1
        return event("demo", f"demo-{self.now}-{self._count}", kind, (subject, self.now), data)


def story_sailing(now: int) -> Sailing:
    """Tonight's Livorno-Olbia, or, if that is too near or too far, an extra sailing at an hour when people dine."""
    line = load(PLACES).lines[LINE]
    today = local(now, ZONE)
    regular = [sailing for day in (0, 1) for sailing in sailings_on(line, (today + timedelta(days=day)).date())]
    half_hour = local(-(-(now + SOONEST_MS) // HALF_HOUR_MS) * HALF_HOUR_MS, ZONE)
    extra = [half_hour, *(_clock(today + timedelta(days=day), 11) for day in (0, 1))]
    for sailing in [*regular, *(sailing_at(line, clock.replace(tzinfo=None)) for clock in extra)]:
        aboard = local(sailing.departure + HOUR_MS, ZONE)
        dines = (11, 30) <= (aboard.hour, aboard.minute) < (23, 45)
        if dines and SOONEST_MS <= sailing.departure - now <= LATEST_MS:
            return sailing
    raise Failed(f"no hour for an extra sailing was found from {today:%H:%M}")


def _sailing_on_day(sailing: Sailing, ahead: int) -> Sailing:
    return sailings_on(sailing.line, local(sailing.departure + ahead * DAY_MS, ZONE).date())[0]


def _clock(day: datetime, hour: int) -> datetime:
    return day.replace(hour=hour, minute=0, second=0, microsecond=0)


def _next_at(at: int, hour: int) -> int:
    """The next instant at which it is this hour in Rome."""
    there = local(at, ZONE)
    found = _clock(there, hour)
    return round((found if found > there else found + timedelta(days=1)).timestamp() * 1000)


def _profile(tier: str, vehicle: str, **counted: int) -> Told:
    usual: Told = {"children": 0, "spa_visits": 0, "restaurant_visits": 0, "shop_visits": 1, "excursions": 2}
    fixed: Told = {"loyalty_tier": tier, "vehicle": vehicle, "home_port": "ITLIV", "pet": False, "age_band": "from_41"}
    return {**fixed, **usual, **counted, "trips_per_year": 4, "average_spend": 14000, "open_trips": 1}
