"""Builders for small worlds: every test makes its own from these, so that what it needs stands in its body."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from streams.attributes import Attribute, AttributeSet, Kind, attribute_set
from streams.consumer import wall_clock
from streams.deployment import Deployment
from streams.events import Event, EventData, to_bytes
from streams.ids import CustomerId, Millis
from streams.log import DEADLETTERS, Entry, EventLog, Position, Topic, topic_of
from streams.places import Places
from streams.sqlite_log import SqliteLog

NOW: Millis = 1_795_284_251_000
"""2026-11-21T18:04:11Z"""
PATIENCE_S = 30.0
ATTRIBUTES: AttributeSet = attribute_set(
    (
        Attribute("customer", "loyalty_tier", 1, Kind.ENUM, ("blue", "silver", "gold"), ordered=True),
        Attribute("customer", "children", 2, Kind.INTEGER, purpose="personalised_offers"),
        Attribute("customer", "interests", 3, Kind.SET, set_by="app"),
        Attribute("booking", "accommodation", 40, Kind.ENUM, ("deck", "seat", "cabin")),
    )
)
DEPLOYMENT = Deployment(ATTRIBUTES, Places())


def deployment() -> Deployment:
    """What consumers ask for."""
    return DEPLOYMENT


def open_log(path: Path, *, clock: Callable[[], Millis] = wall_clock, lease_s: float = 10.0) -> SqliteLog:
    """A log in a file; the caller closes it."""
    return SqliteLog(path, clock=clock, lease_s=lease_s)


def event(kind: str, subject: str, data: EventData, at: Millis = NOW, event_id: str = "e-1") -> Event:
    """One event from the `test` source."""
    return Event(event_id, "test", kind, subject, at, data)


def append(log: EventLog, *events: Event, recorded: Millis | None = None) -> Sequence[Position]:
    """Append events in order, each on its own topic, and wait until they are durable."""
    positions: list[Position] = []
    for each in events:
        entry = Entry(each.subject, to_bytes(each), recorded)
        positions += log.append(topic_of(each.type), [entry]).result(PATIENCE_S)
    return positions


def append_raw(log: EventLog, topic: Topic, key: str, *values: bytes) -> Sequence[Position]:
    """Append bytes as they are, good or bad."""
    return log.append(topic, [Entry(key, value) for value in values]).result(PATIENCE_S)


def dead_letters(log: EventLog) -> list[Mapping[str, str | int]]:
    """Every dead letter so far."""
    return [json.loads(record.value) for record in log.read(DEADLETTERS, 0, 0, 10_000)]


def customers(count: int) -> list[CustomerId]:
    """c-0, c-1, ..."""
    return [CustomerId(f"c-{number}") for number in range(count)]
