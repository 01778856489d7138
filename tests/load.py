"""A little load on a shared service while something is done to it: what was asked and accepted is remembered."""

from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anyio
import httpx

from tests.service import LIVORNO
from tests.shared_service import Shared

HERE = {"location": LIVORNO, "device": {"class": "phone"}}


@dataclass
class Load:
    """Customers that ask and tell, four at a time, until the block ends."""

    shared: Shared
    customers: tuple[str, ...]
    answers: list[httpx.Response] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)
    """Customers whose newsletter wish was answered 202."""
    refused: list[str] = field(default_factory=list)
    """Customers whose wish was answered 503: to be sent again."""
    stopping: bool = False
    running: "Future[None] | None" = None

    def end(self) -> None:
        """Ask nothing more, and wait for what is under way: only then is it known what was accepted."""
        self.stopping = True
        if self.running is not None:
            self.running.result(60)

    async def run(self) -> None:
        async with anyio.create_task_group() as group:
            for number in range(2):
                group.start_soon(self._ask, number)
                group.start_soon(self._tell, number)

    async def _ask(self, number: int) -> None:
        turn = 0
        while not self.stopping:
            customer = self.customers[turn % len(self.customers)]
            turn += 1
            self.answers.append(await self.shared.live.ask(customer, request_id=f"{number}-{turn}", context=HERE))
            await anyio.sleep(0.002)

    async def _tell(self, number: int) -> None:
        live, turn = self.shared.live, 0
        while not self.stopping:
            name = f"told-{number}-{turn}"
            turn += 1
            event = live.event("customer.preferences", name, {"attributes": {"newsletter": True}})
            answer = await live.http.post("/v1/events", json=event, headers=live.headers())
            assert answer.status_code in (202, 503), answer.text
            (self.accepted if answer.status_code == 202 else self.refused).append(name)
            await anyio.sleep(0.01)

    def degraded(self, since: int = 0) -> list[list[str]]:
        """What each answer had to do without."""
        return [answer.json()["degraded"] for answer in self.answers[since:] if answer.status_code == 200]

    def failed(self) -> list[Any]:
        """Answers that were none."""
        return [(answer.status_code, answer.text) for answer in self.answers if answer.status_code != 200]


@contextmanager
def load_on(shared: Shared, *customers: str) -> Iterator[Load]:
    """Load for as long as the block runs."""
    load = Load(shared, customers)
    load.running = shared.portal.start_task_soon(load.run)
    try:
        yield load
    finally:
        load.end()
