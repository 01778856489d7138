"""Freshness: from a fare change that was accepted to the first decision that shows the new price, again and again.

One customer of its own is booked on a sailing of its own; each change moves the cabin's fare, and the trip's card is
asked for until it says the new price. The card's decisions may be kept ones: a kept one must not outlive its price.
"""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from loadtests.load.crowd import PREFIX
from loadtests.load.exchange import Exchange, Refused
from loadtests.load.reference_client import at_once, done, printed
from loadtests.world_clock import local, rfc3339
from loadtests.world_geography import Geography
from loadtests.world_lives import Booking
from loadtests.world_market import ROOM, Sailing, Told, event, sailing_at
from loadtests.world_teller import Teller

NAME = f"{PREFIX}probe"
LINE = "ITPTO-ITGOA"
"""A quiet line with cabins: what a change there makes stale is hardly anybody else's."""
PRODUCT = "cabin_inside"
CARD: Mapping[str, Any] = {"placement": "app.trip.card", "limit": 3}
LOWEST, STEP, STEPS = 6_000, 500, 12
"""Fares in cents; neighbours differ by more than any campaign's rounding."""
EVERY_S = 0.25
"""Between a change seen and the next one."""
LOOK_S = 0.002
"""Between two looks for it."""
PATIENCE_S = 5.0


def departure(geography: Geography, now: int) -> Sailing:
    """The probe's own sailing: in two days, at a minute no timetable has."""
    line = geography.lines[LINE]
    day = local(now, line.origin.zone) + timedelta(days=2)
    return sailing_at(line, day.replace(hour=20, minute=7, second=0, microsecond=0, tzinfo=None))


def introduction(run: str, geography: Geography, now: int) -> list[Told]:
    """The customer, the booking and the sailing."""
    sailing, teller = departure(geography, now), Teller()
    consent: Told = {"purposes": {"personalised_offers": True}, "channels": {"app": True}}
    times: Told = {"departure": rfc3339(sailing.departure), "arrival": rfc3339(sailing.arrival)}
    booking = Booking(f"b-{NAME}", NAME, sailing, now, "seat", "none", 1, 0, 0)
    told = [
        event("load/probe", "consent", "customer.consent", (NAME, now), consent),
        teller.booking(booking, "open", now),
        event(
            "load/probe",
            "schedule",
            "sailing.schedule",
            (sailing.id, now),
            {"line": LINE, "status": "scheduled", **times},
        ),
        event("load/probe", "fare", "sailing.fare", (sailing.id, now), {"product": PRODUCT, "minor": LOWEST}),
    ]
    for kind, free in ROOM.items():
        told.append(event("load/probe", kind, "sailing.capacity", (sailing.id, now), {"kind": kind, "free": free}))
    return [{**each, "id": f"{run}-p-{each['id']}"} for each in told]


class Probe:
    """One customer who watches one price."""

    def __init__(self, run: str, key: str, sailing: Sailing, patience_s: float = PATIENCE_S) -> None:
        async def token() -> str:
            return key

        self._run, self._sailing = run, sailing
        self._app = printed()(None, token, at_once(time.sleep), time.time)
        self._patience_s = patience_s
        self._turn = 0

    def change(self, exchange: Exchange) -> float | None:
        """Change the fare and wait until it is shown: seconds from accepted to shown; None: not in time."""
        self._turn += 1
        self._app.http = exchange
        now = _now()
        fare: Told = {"product": PRODUCT, "minor": LOWEST + STEP * (self._turn % STEPS)}
        told = event("load/probe", f"{self._run}-p-{self._turn}", "sailing.fare", (self._sailing.id, now), fare)
        try:
            done(self._app._post("/v1/events", [told]))
            accepted = time.perf_counter()
            while not exchange.code and time.perf_counter() - accepted < self._patience_s:
                if self._shows(exchange, now):
                    return exchange.answered_at - accepted
                time.sleep(LOOK_S)
        except Refused:
            return None
        return None

    def _shows(self, exchange: Exchange, said_at: int) -> bool:
        """Whether a price on the card was said at this instant."""
        rest = {"customer_id": NAME, "locale": "en-GB", "context": {"trip": {"booking_id": f"b-{NAME}"}}}
        done(self._app.ask([CARD], **rest))
        if exchange.code:
            return False
        items = (item for placement in exchange.answer["placements"] for item in placement["items"])
        return any(_as_of(item) == rfc3339(said_at) for item in items)


def _as_of(item: Mapping[str, Any]) -> str | None:
    said = item.get("price", {}).get("as_of")
    return None if said is None else str(said) if "." in str(said) else str(said).replace("Z", ".000Z")


def _now() -> int:
    return time.time_ns() // 1_000_000
