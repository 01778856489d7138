"""Offing's public doors as the world uses them: sent again as the contract says, everything counted."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from loadtests.world_clock import rfc3339

BATCH = 500
ATTEMPTS = 6
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0
RETRIED = frozenset({429, 502, 503, 504})
NOW_HEADER = "Offing-Now"


class DoorClosed(RuntimeError):
    """The service did not take a request, however often it was sent, or refused it for good."""


@dataclass(slots=True)
class Traffic:
    """What went through the doors."""

    requests: int = 0
    retries: int = 0
    events: Counter[str] = field(default_factory=Counter)
    """By result: accepted, duplicate, rejected."""
    errors: Counter[str] = field(default_factory=Counter)
    """By code: what was rejected, and transport errors."""


class Doors:
    """One client with keep-alive. At most `at_once` requests are under way. Not thread-safe."""

    def __init__(self, client: httpx.AsyncClient, at_once: int = 12) -> None:
        self._client = client
        self._free = asyncio.Semaphore(at_once)
        self.traffic = Traffic()

    async def send_events(self, events: Sequence[Mapping[str, Any]], now: int) -> None:
        """Batches of at most 500, one after the other, so that what was said first is recorded first."""
        for start in range(0, len(events), BATCH):
            await self._batch("/v1/events", list(events[start : start + BATCH]), now)

    async def send_outcomes(self, outcomes: Sequence[Mapping[str, Any]], now: int) -> None:
        """As send_events, through the door for what became of shown offers."""
        for start in range(0, len(outcomes), BATCH):
            await self._batch("/v1/outcomes", list(outcomes[start : start + BATCH]), now)

    async def decide(self, wanted: Mapping[str, Any], now: int) -> dict[str, Any]:
        """The answer. A repeat carries the same request_id, so it is the same decision."""
        response = await self._post("/v1/decisions", wanted, now)
        answer: dict[str, Any] = orjson.loads(response.content)
        return answer

    async def _batch(self, path: str, batch: list[Mapping[str, Any]], now: int) -> None:
        """Everything is dropped but `retry`."""
        for attempt in range(ATTEMPTS):
            response = await self._post(path, batch, now)
            results = orjson.loads(response.content)["results"]
            self._count(results)
            batch = [sent for sent, result in zip(batch, results, strict=True) if result["status"] == "retry"]
            if not batch:
                return
            self.traffic.retries += 1
            await asyncio.sleep(_wait_s(attempt, None))
        raise DoorClosed(f"{path}: {len(batch)} events were answered `retry` {ATTEMPTS} times")

    async def _post(self, path: str, body: object, now: int) -> httpx.Response:
        content = orjson.dumps(body)
        headers = {"Content-Type": "application/json", NOW_HEADER: rfc3339(now)}
        problem = ""
        for attempt in range(ATTEMPTS):
            response = None
            try:
                async with self._free:
                    self.traffic.requests += 1
                    response = await self._client.post(path, content=content, headers=headers)
            except httpx.TransportError as error:
                problem = f"{type(error).__name__}: {error}"
                self.traffic.errors[type(error).__name__] += 1
            if response is not None and response.status_code not in RETRIED:
                return _taken(path, response)
            if response is not None:
                problem = f"{response.status_code} {response.text[:300]}"
                self.traffic.errors[str(response.status_code)] += 1
            self.traffic.retries += 1
            await asyncio.sleep(_wait_s(attempt, response))
        raise DoorClosed(f"{path}: {problem}, {ATTEMPTS} times")

    def _count(self, results: Sequence[Mapping[str, Any]]) -> None:
        for result in results:
            if result["status"] != "retry":
                self.traffic.events[result["status"]] += 1
            if result["status"] == "rejected":
                self.traffic.errors[str(result.get("code"))] += 1


def _taken(path: str, response: httpx.Response) -> httpx.Response:
    if response.status_code not in (200, 202, 207):
        raise DoorClosed(f"{path}: {response.status_code} {response.text[:500]}")
    return response


def _wait_s(attempt: int, response: httpx.Response | None) -> float:
    """What the service asks for, else twice as long every time."""
    asked = response.headers.get("Retry-After") if response is not None else None
    wait = float(asked) if asked is not None and asked.replace(".", "", 1).isdigit() else FIRST_WAIT_S * 2**attempt
    return min(wait, LONGEST_WAIT_S)
