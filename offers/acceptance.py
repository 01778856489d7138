"""Events accepted at a door go into the log, and into the customer's pending list so that they read their writes."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from offers.answer_store import AnswerStore
from offers.events_door import Accepted, Batch
from streams import telemetry
from streams.attributes import attribute_set
from streams.errors import InvalidInput, OffingError, Retry
from streams.events import Event
from streams.fold import apply_pending
from streams.ids import CustomerId, Millis
from streams.log import CUSTOMERS, LOCATIONS, Entry, EventLog, Position, Topic
from streams.profile import Pending
from streams.profile_store import pending_line, read_pending, read_profile

NOT_KEPT = "events_not_kept"


@dataclass(frozen=True, slots=True)
class Kept:
    """A batch after its append: the results to answer with, and the customers' events as decisions fold them."""

    batch: Batch
    pending: tuple[Pending, ...] = ()
    degraded: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Every event is to be sent again."""
        return bool(self.batch.results) and all(result.status == "retry" for result in self.batch.results)


class Acceptance:
    """Appends batches. One event loop owns it."""

    def __init__(self, log: EventLog, store: AnswerStore, clock: Callable[[], Millis]) -> None:
        self._log = log
        self._store = store
        self._clock = clock

    async def keep(self, batch: Batch, within_s: float | None = None) -> Kept:
        """Returns once every accepted event is durable; those whose topic's append failed are `retry` and not kept.

        Those that the log has not taken `within_s` are `retry` too, and may be kept yet: sent again they count once.
        None: as long as the log takes. Nothing answered `accepted` can be lost any more. Never raises."""
        batch = await self._consented(batch)
        pending: list[Pending] = []
        for topic, items in batch.by_topic():
            try:
                positions = await self._append(topic, [item.entry for item in items], within_s)
            except TimeoutError:
                batch = batch.without(topic, LATE)
                continue
            except OffingError as error:
                batch = batch.without(topic, error)
                continue
            if topic is CUSTOMERS:
                pending += [self._pending(item, at) for item, at in zip(items, positions, strict=True)]
        await self._push(pending)
        _measure(batch)
        lost = any(result.status == "retry" for result in batch.results)
        return Kept(batch, tuple(pending), (NOT_KEPT,) if lost else ())

    async def _consented(self, batch: Batch) -> Batch:
        """Fixes of customers who have not granted `location` are refused: a raw fix is kept with consent or not at all.

        Consent in the same batch counts. Without Redis nobody knows, so they are to be sent again.
        """
        fixes = [item for item in batch.accepted if item.topic is LOCATIONS]
        if not fixes:
            return batch
        customers = sorted({item.event.customer_id for item in fixes})
        try:
            stored = dict(zip(customers, await self._store.read_many(customers), strict=True))
        except OffingError as error:
            return batch.without(LOCATIONS, error)
        own = [(None, self._clock(), item.event) for item in batch.accepted if item.topic is CUSTOMERS]
        refused = {
            item.place for item in fixes if not _grants_location(*stored[item.event.customer_id], _of(own, item.event))
        }
        return batch.refusing(refused, NO_CONSENT)

    async def _append(self, topic: Topic, entries: list[Entry], within_s: float | None) -> Sequence[Position]:
        with telemetry.LOG_APPEND_SECONDS.labels(topic.name).time():
            appended = asyncio.wrap_future(self._log.append(topic, entries))
            if within_s is None:
                return await appended
            appended.add_done_callback(_heard)
            return await asyncio.wait_for(asyncio.shield(appended), within_s)

    def _pending(self, item: Accepted, position: Position) -> Pending:
        recorded = item.entry.recorded if item.entry.recorded is not None else self._clock()
        return position, recorded, item.event

    async def _push(self, pending: Sequence[Pending]) -> None:
        """One write per customer of the batch; best effort, since the consumer brings them anyway."""
        lines: dict[CustomerId, list[bytes]] = {}
        for position, recorded, event in pending:
            line = pending_line(position, recorded, event) if position is not None else None
            if line is not None:
                lines.setdefault(event.customer_id, []).append(line)
        if lines:
            await self._store.push_many(lines)


def _heard(appended: "asyncio.Future[Sequence[Position]]") -> None:
    """Whoever waited may have gone on: an error that comes later is nobody's."""
    if not appended.cancelled():
        appended.exception()


LATE = Retry("LOG_UNAVAILABLE", "the log has not taken it in time; send it again: it counts once", after_s=1.0)
NO_CONSENT = InvalidInput(
    "CONSENT_MISSING", "a location is kept with consent to purpose 'location' only; ask for it first"
)
UNDECLARED = attribute_set(())
"""Consent needs no declarations."""


def _of(events: Sequence[Pending], fix: Event) -> tuple[Pending, ...]:
    return tuple(pending for pending in events if pending[2].subject == fix.subject)


def _grants_location(profile: bytes | None, lines: Sequence[bytes], own: Sequence[Pending]) -> bool:
    """Whether the customer has granted `location`, counting what was accepted but not folded yet."""
    try:
        stored = read_profile(profile)
    except OffingError:
        return False  # nobody can read whether they did
    known = apply_pending(stored, (*read_pending(lines), *own), UNDECLARED)
    cell = known.facts.consent.get("purpose:location")
    return cell is not None and cell.value is True


def weighed(batch: Batch, now: Millis) -> Kept:
    """For a dry run: the accepted events folded in memory only."""
    pending = tuple((None, now, item.event) for item in batch.accepted if item.topic is CUSTOMERS)
    return Kept(batch, pending)


def _measure(batch: Batch) -> None:
    for item in batch.accepted:
        telemetry.EVENTS.labels(item.event.type, "accepted").inc()
        if item.event.type.startswith("offer."):
            telemetry.OUTCOMES.labels(item.event.type.removeprefix("offer."), "accepted").inc()
    for result in batch.results:
        if result.status != "accepted":
            telemetry.EVENTS.labels("", result.status).inc()
