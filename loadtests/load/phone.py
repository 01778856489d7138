"""What a customer does with the app: looks, reports what became of it, moves. Through the printed client.

What somebody sees, opens and puts away is the world's hidden truth (world_tastes), from the items really received.
"""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from loadtests.load.checks import Asked, Checks
from loadtests.load.crowd import Customer, context, fix, placements
from loadtests.load.exchange import Exchange, rejected
from loadtests.load.measured import StageMeasured, more
from loadtests.load.reference_client import at_once, done, printed
from loadtests.world_clock import rfc3339
from loadtests.world_lives import Session
from loadtests.world_tastes import Shown, response

REMEMBERED = 8
"""Decisions of a customer that are known again."""
REDEEMED = "redeemed"


@dataclass(slots=True)
class Phone:
    """One customer's phone. It does one thing after the other: `busy` is held meanwhile."""

    customer: Customer
    key: str
    seed: int
    busy: threading.Lock = field(default_factory=threading.Lock)
    app: Any = field(init=False)
    """The printed client."""
    looked: tuple[Session, tuple[tuple[str, Mapping[str, Any]], ...]] | None = None
    """What was on the screen at the last look, until it was reported."""
    given: dict[str, bool] = field(default_factory=dict)
    """Decision -> whether outcomes were reported since it was first given."""
    seen: dict[str, int] = field(default_factory=dict)
    """Offer -> how often it came into view."""
    moves: int = 0

    def __post_init__(self) -> None:
        async def token() -> str:
            return self.key

        self.app = printed()(None, token, at_once(time.sleep), time.time)

    def look(self, exchange: Exchange, checks: Checks, stage: StageMeasured) -> None:
        """Ask what to show. Raises Refused."""
        self.app.http = exchange
        session = self.customer.session(_now())
        wanted, person = placements(session), self.customer.person
        rest = {"customer_id": person.id, "locale": person.locale, "context": context(self.customer, session)}
        shown = done(self.app.ask(wanted, **rest))
        if exchange.code:
            return
        asked = Asked(person.id, person.locale, wanted, exchange.sent_at, time.perf_counter())
        checks.look(asked, exchange.body, exchange.answer)
        self.looked = (session, tuple(shown))
        self._count(exchange.answer, stage)

    def report(self, exchange: Exchange) -> list[Mapping[str, Any]] | None:
        """Send what became of the last look; what was paid for, for the tills to tell. None: nothing to report."""
        self.app.http = exchange
        paid = [item for placement, item in self._unreported() if self._react(placement, item)]
        self.looked = None
        if not self.app.queue:
            return None
        done(self.app.flush())
        if not exchange.code:
            exchange.code = rejected(exchange.answer)
            self.given = dict.fromkeys(self.given, True)
        return paid

    def move(self, exchange: Exchange) -> None:
        """Tell where the phone is, as it does when it wakes up near a fence."""
        self.app.http = exchange
        person, now = self.customer.person, _now()
        self.moves += 1
        where = fix(person, self.customer.session(now))
        if "lat" not in where:  # this phone tells no place: it says which device it is instead, as after an update
            event = {"type": "customer.device", "data": {"attributes": {"devices": list(person.devices)}}}
        else:
            event = {"type": "customer.location", "data": where}
        named = {"specversion": "1.0", "id": f"{person.id}-{now}-{self.moves}", "source": "load/app"}
        done(self.app._post("/v1/events", [{**named, **event, "subject": person.id, "time": rfc3339(now)}]))
        exchange.code = exchange.code or rejected(exchange.answer)

    def _unreported(self) -> tuple[tuple[str, Mapping[str, Any]], ...]:
        return self.looked[1] if self.looked is not None else ()

    def _react(self, placement: str, item: Mapping[str, Any]) -> bool:
        """Whether it was paid for."""
        if self.looked is None:
            return False
        person, price, offer = self.customer.person, item.get("price"), item["offer_id"]
        shown = Shown(offer, placement, item["rank"], price and price["minor"], False, self.seen.get(offer, 0))
        outcomes = response(self.seed, person, self.looked[0], shown)
        if "exposed" in outcomes:
            more(self.seen, offer)
        for outcome in outcomes:
            if outcome != REDEEMED:
                self.app.report(item, outcome)
        return REDEEMED in outcomes

    def _count(self, answer: Mapping[str, Any], stage: StageMeasured) -> None:
        stage.decisions += 1
        stage.degraded_decisions += bool(answer["degraded"])
        stage.fallbacks += any(placement["fallback"] for placement in answer["placements"])
        for what in answer["degraded"]:
            more(stage.degraded, what)
        name = answer["decision_id"]
        reported = self.given.get(name)
        if reported is None:
            self.given[name] = False
            if len(self.given) > REMEMBERED:
                del self.given[next(iter(self.given))]
            return
        stage.hits += 1
        stage.hits_as_live += not reported


def _now() -> int:
    return time.time_ns() // 1_000_000
