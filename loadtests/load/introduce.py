"""Telling a target of the crowd: customers, bookings, sailings, and the probe's own. Through its doors, as load."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

import orjson

from loadtests.load import probe
from loadtests.load.crowd import Crowd
from loadtests.load.exchange import rejected
from loadtests.load.wire import Connection, NoAnswer, target
from loadtests.service import Failed

BATCH = 500
TIMEOUT_S = 30.0


def introduce(url: str, key: str, people: Crowd, run: str) -> int:
    """How many events were accepted: all of them. Raises Failed with what the target said."""
    headers = {"offing-origin": "load", "authorization": f"Bearer {key}"}
    connection = Connection(target(url, headers, TIMEOUT_S))
    told = 0
    try:
        for batch in _batches(_everything(people, run)):
            _send(connection, batch)
            told += len(batch)
    except NoAnswer as error:
        raise Failed(f"{url} does not take the load's customers: {error}") from error
    finally:
        connection.close()
    return told


def _everything(people: Crowd, run: str) -> Iterator[Mapping[str, Any]]:
    yield from people.introductions(run)
    yield from probe.introduction(run, people.geography, people.now)


def _batches(events: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    remaining = iter(events)
    while batch := list(islice(remaining, BATCH)):
        yield batch


def _send(connection: Connection, batch: list[Mapping[str, Any]]) -> None:
    answer = connection.post("/v1/events", orjson.dumps(batch), {})
    wrong = answer.body.decode()[:300] if answer.status not in (202, 207) else rejected(orjson.loads(answer.body))
    if wrong:
        raise Failed(f"the target does not take the load's customers: {answer.status} {wrong}")
