"""Customers of a service in its own processes: they ask and tell without a pause, and remember what they were told."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import sleep, time
from uuid import uuid4

import httpx

from streams.instant import format_instant
from tests.served import eventually

ASKING, TELLING = 2, 2
PAUSE_S = 0.005
PATIENCE_S = 60.0
HERO = [{"placement": "app.home.hero", "limit": 1}]


@dataclass
class Customers:
    """Threads on kept connections: some ask for decisions, some say what they like, each time as somebody new."""

    url: str
    key: str
    decisions: list[str] = field(default_factory=list)
    """Ids of decisions answered 200."""
    degraded: Counter[str] = field(default_factory=Counter)
    accepted: list[str] = field(default_factory=list)
    """Customers whose event was answered 202."""
    refused: Counter[str] = field(default_factory=Counter)
    """Events to be sent again, by code."""
    errors: list[str] = field(default_factory=list)
    """Anything else."""
    stopping: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def busy(self) -> Iterator[None]:
        """For as long as the block runs; then what is under way is waited for."""
        threads = [threading.Thread(target=self._live, args=(self.ask,)) for _ in range(ASKING)]
        threads += [threading.Thread(target=self._live, args=(self.tell,)) for _ in range(TELLING)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            self.stopping.set()
            for thread in threads:
                thread.join(PATIENCE_S)

    def more(self, of: str, number: int = 5) -> None:
        """Wait until so many more of one list or counter have come."""
        before = self._count(of)
        eventually(lambda: self._count(of) >= before + number, f"no more {of}: {self.errors[:3]}")

    def _count(self, of: str) -> int:
        found = getattr(self, of)
        return found.total() if isinstance(found, Counter) else len(found)

    def _live(self, turn: Callable[[httpx.Client], None]) -> None:
        headers = {"authorization": f"Bearer {self.key}"}
        with httpx.Client(base_url=self.url, headers=headers, timeout=PATIENCE_S) as http:
            while not self.stopping.is_set():
                turn(http)
                sleep(PAUSE_S)

    def ask(self, http: httpx.Client) -> None:
        """One decision."""
        answer = self._post(http, "/v1/decisions", {"customer_id": f"c-{uuid4().hex}", "placements": HERO})
        if answer is None:
            return
        if answer.status_code != 200:
            self.errors.append(f"a decision: {answer.status_code} {answer.text}")
            return
        told = answer.json()
        self.decisions.append(told["decision_id"])
        self.degraded.update(told["degraded"])

    def tell(self, http: httpx.Client) -> None:
        """One event."""
        customer = f"c-{uuid4().hex}"
        named = {"id": customer, "source": "tests", "type": "customer.preferences", "subject": customer}
        sent = {"specversion": "1.0", **named, "time": format_instant(int(time() * 1000))}
        answer = self._post(http, "/v1/events", {**sent, "data": {"attributes": {"newsletter": True}}})
        if answer is None:
            return
        if answer.status_code == 202:
            self.accepted.append(customer)
        elif answer.status_code == 503 and answer.json()["retryable"]:
            self.refused[answer.json()["code"]] += 1
        else:
            self.errors.append(f"an event: {answer.status_code} {answer.text}")

    def _post(self, http: httpx.Client, path: str, body: object) -> httpx.Response | None:
        try:
            return http.post(path, json=body)
        except httpx.TransportError as error:
            self.errors.append(f"{path}: {type(error).__name__} {error}")
            return None
