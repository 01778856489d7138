"""What an operator's own servers tell with their key: bookings, what was paid for, and now and then the market."""

import time
from collections import deque
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from loadtests.load.crowd import Crowd, Customer
from loadtests.load.exchange import Exchange, rejected
from loadtests.load.reference_client import at_once, done, printed
from loadtests.load.sold_out import SoldOut
from loadtests.load.traffic import Part
from loadtests.world_clock import DAY_MS, HOUR_MS, local
from loadtests.world_lives import Booking, sailing_booking
from loadtests.world_market import ROOM, Sailing, Told, event, fares, sailings_on
from loadtests.world_teller import Teller

SOURCE = "load/backend"
AHEAD_DAYS = 5
MOST_OPEN = 2
"""Bookings of a customer; then the oldest is completed before another is made."""
SOLD_S = 8.0
"""So long a sailing stays sold out."""
FARE_FACTORS = (0.8, 0.85, 0.9, 1.0, 1.1, 1.15, 1.25)


class Backend:
    """The operator's servers. Events are named by run, so that no run is taken for another."""

    def __init__(self, run: str, key: str, crowd: Crowd, part: Part, sold_s: float = SOLD_S) -> None:
        async def token() -> str:
            return key

        self._run = f"{run}-{part.index}"
        self._crowd = crowd
        self._rng = Random(f"{crowd.seed}:backend:{part.index}")
        self._teller = Teller()
        self._app = printed()(None, token, at_once(time.sleep), time.time)
        self._bookings = {customer.person.id: list(customer.bookings) for customer in crowd.customers}
        self._paid: deque[tuple[Customer, Mapping[str, Any]]] = deque()
        self._sailings = _on_sale(crowd)
        self._popular = _popular(crowd, part)
        self._sold_s = sold_s
        self._changes = 0
        self._told = 0
        self._sold: deque[tuple[float, str]] = deque()

    def paid(self, customer: Customer, items: Sequence[Mapping[str, Any]]) -> None:
        """Items somebody paid for; the next booking request tells of them."""
        self._paid.extend((customer, item) for item in items)

    def book(self, exchange: Exchange, customer: Customer) -> None:
        """What somebody paid for, if anybody did; else a booking is made, or the oldest completed. Raises Refused."""
        now = _now()
        if self._paid:
            buyer, item = self._paid.popleft()
            self._tell(exchange, [self._teller.redeemed(buyer.person.id, item, now)])
            return
        self._tell(exchange, self._booked(customer, now))

    def change_market(self, exchange: Exchange, sold_out: SoldOut) -> None:
        """A fare or two move; in turn a sailing many are booked on is sold out, and later has room again."""
        if self._sold and time.perf_counter() - self._sold[0][0] >= self._sold_s:
            self._room_again(exchange, self._sold.popleft()[1], sold_out)
            return
        self._changes += 1
        if self._changes % 2 and self._popular:
            self._sell_out(exchange, self._popular[self._changes // 2 % len(self._popular)], sold_out)
            return
        now, sailing = _now(), self._rng.choice(self._sailings)
        factor = self._rng.choice(FARE_FACTORS)
        quoted = fares(self._crowd.seed, sailing, now)
        told = [
            self._market("sailing.fare", sailing.id, {"product": product, "minor": round(minor * factor / 50) * 50})
            for product, minor in quoted.items()
        ]
        self._tell(exchange, told)

    def _sell_out(self, exchange: Exchange, sailing: str, sold_out: SoldOut) -> None:
        if any(sailing == sold for _, sold in self._sold):
            return
        none: list[Told] = [self._market("sailing.capacity", sailing, {"kind": kind, "free": 0}) for kind in ROOM]
        self._tell(exchange, none)
        if exchange.code:
            return
        taken = time.perf_counter()
        self._sold.append((taken, sailing))
        for kind in ROOM:
            sold_out.gone(sailing, kind, taken)

    def _room_again(self, exchange: Exchange, sailing: str, sold_out: SoldOut) -> None:
        for kind in ROOM:
            sold_out.back(sailing, kind, time.perf_counter())
        free = [
            self._market("sailing.capacity", sailing, {"kind": kind, "free": number}) for kind, number in ROOM.items()
        ]
        self._tell(exchange, free)

    def _booked(self, customer: Customer, now: int) -> list[Told]:
        person, held = customer.person, self._bookings[customer.person.id]
        if len(held) >= MOST_OPEN:
            oldest = held.pop(0)
            told = self._teller.booking(oldest, "completed", now)
            return [told, self._teller.trips(person.id, len(held), now, now - HOUR_MS)]
        near = [sailing for sailing in self._sailings if sailing.line.origin.id == person.home] or self._sailings
        made: Booking = sailing_booking(self._crowd.seed, person, self._rng.choice(near), now)
        held.append(made)
        return [self._teller.booking(made, "open", now), self._teller.trips(person.id, len(held), now)]

    def _market(self, kind: str, sailing: str, data: Told) -> Told:
        self._told += 1
        return event(SOURCE, f"m-{self._told}", kind, (sailing, _now()), data)

    def _tell(self, exchange: Exchange, events: Sequence[Told]) -> None:
        self._app.http = exchange
        named = [{**told, "id": f"{self._run}-b-{told['id']}"} for told in events]
        done(self._app._post("/v1/events", named))
        exchange.code = exchange.code or rejected(exchange.answer)


def _on_sale(crowd: Crowd) -> list[Sailing]:
    """Everything that leaves within some days, but not today: what is gone cannot be booked."""
    found: list[Sailing] = []
    for line in crowd.geography.lines.values():
        today = local(crowd.now, line.origin.zone).date()
        for ahead in range(1, AHEAD_DAYS + 1):
            found += sailings_on(line, today.fromordinal(today.toordinal() + ahead))
    return found


def _popular(crowd: Crowd, part: Part) -> list[str]:
    """Sailings that most of the crowd are booked on and that have cabins, each of them some generator's own."""
    booked: dict[str, int] = {}
    for customer in crowd.customers:
        for booking in customer.bookings:
            if booking.sailing.overnight and DAY_MS < booking.sailing.departure - crowd.now < AHEAD_DAYS * DAY_MS:
                booked[booking.sailing.id] = booked.get(booking.sailing.id, 0) + 1
    order = sorted(booked, key=lambda sailing: (-booked[sailing], sailing))
    return [sailing for number, sailing in enumerate(order) if number in part]


def _now() -> int:
    return time.time_ns() // 1_000_000
