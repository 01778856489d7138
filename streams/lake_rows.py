"""What the lake holds of a decision and of an outcome, and in which part of it."""

import uuid
from dataclasses import asdict, dataclass

from streams.bucket import bucket
from streams.errors import InvalidInput
from streams.events import Event, Outcome
from streams.ids import CustomerId, DecisionId, Millis, OfferId, PlacementId
from streams.instant import moment
from streams.lake_file import Row
from streams.record import DecisionRecord

BUCKETS = 8
"""Erasing one customer rewrites an eighth of each day at most."""


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """A folder of the lake: one day's decisions about the customers of one bucket, and what became of them."""

    day: str
    """2026-11-21, in UTC."""
    bucket: int


@dataclass(frozen=True, slots=True)
class LoggedOutcome:
    """One offer event, joined with its decision by (decision_id, about, offer_id, placement)."""

    decision_id: DecisionId
    about: str
    offer_id: OfferId
    placement: PlacementId
    event: str
    """exposed | clicked | dismissed | redeemed"""
    at: Millis
    recorded: Millis
    source: str
    event_id: str
    customer_id: CustomerId
    origin: str


def time_of(decision_id: str) -> Millis:
    """The milliseconds of a UUIDv7. Raises InvalidInput DECISION_ID on anything else.

    >>> time_of("019a9c2b-8a38-7000-8000-000000000000")
    1763556690488
    """
    try:
        found = uuid.UUID(decision_id)
    except ValueError:
        found = uuid.UUID(int=0)
    if found.version != 7 or str(found) != decision_id:
        raise InvalidInput("DECISION_ID", f"{decision_id[:60]!r} is no decision id; expected a UUIDv7 in lower case")
    return found.int >> 80


def part_of(decision_id: DecisionId, customer_id: CustomerId) -> Part:
    """Where a decision and its outcomes are kept. Raises InvalidInput DECISION_ID or TIME_INVALID."""
    return Part(moment(time_of(decision_id)).date().isoformat(), int(bucket("lake", customer_id) * BUCKETS))


def outcome_of(event: Event, recorded: Millis) -> LoggedOutcome:
    """An offer.* event as a row. Raises InvalidInput EVENT_TYPE for any other event, and as part_of does."""
    outcome = event.data
    if not isinstance(outcome, Outcome):
        raise InvalidInput("EVENT_TYPE", f"{event.type} is not what became of an offer; expected offer.*")
    decision_id = DecisionId(outcome.decision_id)
    part_of(decision_id, event.customer_id)
    return LoggedOutcome(
        decision_id=decision_id,
        about=outcome.about,
        offer_id=OfferId(outcome.offer_id),
        placement=PlacementId(outcome.placement),
        event=event.type.removeprefix("offer."),
        at=event.time,
        recorded=recorded,
        source=event.source,
        event_id=event.id,
        customer_id=event.customer_id,
        origin=event.origin,
    )


def decision_row(record: DecisionRecord, line: bytes) -> Row:
    """The columns of a decision."""
    inputs = record.inputs
    return {
        "decision_id": inputs.decision_id,
        "at": inputs.now,
        "customer_id": inputs.request.customer_id,
        "origin": inputs.origin,
        "revision": inputs.revision,
        "model": record.model,
        "engine": record.engine,
        "candidates": len(record.candidates),
        "shown": [
            {
                "placement": item.placement,
                "rank": item.rank,
                "offer_id": item.offer.offer_id,
                "campaign_id": item.offer.campaign_id,
                "about": item.about,
                "score": item.score,
                "propensity": item.propensity,
                "value": item.value,
            }
            for item in record.shown
        ],
        "line": line,
    }


def outcome_row(outcome: LoggedOutcome) -> Row:
    """The columns of an outcome."""
    return asdict(outcome)
