"""One request on its way to an answer: how it came in, what is known of it so far, what was decided."""

from dataclasses import dataclass
from typing import Any

from offers import cache, reading, reply
from offers.answer_store import NOTHING_FOUND
from offers.engine import Engine
from offers.events_door import EventResult
from offers.proposition import Decision
from offers.reading import Reading
from offers.reply import Told
from offers.request import Asked
from offers.shared_limits import Reached
from offers.situation import Situation
from streams.ids import CustomerId, Millis
from streams.places import Whereabouts
from streams.profile import Pending
from streams.record import DecisionInputs


@dataclass(frozen=True, slots=True)
class Doorway:
    """How a request came in: who asks, when by the clock that counts here, and what its events became."""

    customer_id: CustomerId
    caller: str
    now: Millis
    started: float
    """time.perf_counter() at the first byte."""
    origin: str = "live"
    events: tuple[Pending, ...] = ()
    event_results: tuple[EventResult, ...] = ()
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fresh:
    """A decision just made."""

    inputs: DecisionInputs
    decision: Decision
    told: Told
    ruled_out: dict[str, Any] | None


class Work:
    """One request on its way: what is known of it so far."""

    __slots__ = (
        "asked", "door", "engine", "entry", "found", "key", "reached", "reading", "resolved", "seen_", "situation",
    )  # fmt: skip

    reading: Reading
    situation: Situation

    def __init__(self, asked: Asked, door: Doorway, engine: Engine, resolved: Whereabouts, reached: Reached) -> None:
        self.asked = asked
        self.door = door
        self.engine = engine
        self.resolved = resolved
        """Where the request's own fix is."""
        self.reached = reached
        self.key = cache.key(asked.request, resolved, f"{door.caller} {door.origin}{reached.mark}")
        self.found = NOTHING_FOUND
        self.entry: cache.CachedDecision | None = None
        self.seen_: bytes | None = None

    @property
    def seen(self) -> bytes:
        """What the customer's bytes were."""
        if self.seen_ is None:
            self.seen_ = reading.seen(self.found)
        return self.seen_

    @property
    def repeated(self) -> cache.CachedDecision | None:
        """What was answered to this request_id before, unless it shows what has been stopped since."""
        kept, stopped = cache.decode(self.found.repeated), self.engine.catalog.stopped
        return None if kept is not None and stopped and reply.shows(kept.told, stopped) else kept

    @property
    def stamp(self) -> int:
        """What this revision and model read of the customer."""
        read = self.reading
        return cache.stamp(read.profile, read.whereabouts, self.engine.catalog, self.engine.propensity)

    @property
    def expected(self) -> cache.Expected:
        """What a cached decision must have been made for."""
        catalog, propensity = self.engine.catalog, self.engine.propensity
        return cache.Expected(self.stamp, catalog.revision, propensity.model, self.situation.whereabouts.at)

    def to_keep(self, made: Fresh) -> cache.CachedDecision:
        """What is kept of a fresh decision."""
        market, decision = self.situation.market, made.decision
        return cache.CachedDecision(
            v=cache.FORMAT,
            stamp=self.stamp,
            seen=self.seen,
            seen_until=self.reading.until,
            market_epoch=market.epoch,
            market_version=market.version,
            consulted=decision.consulted,
            decided_at=decision.now,
            valid_until=decision.valid_until,
            located_at=self.situation.whereabouts.at,
            told=made.told,
        )


def bypasses(asked: Asked) -> bool:
    """Requests with events, dry_run, now, a revision or explain neither use nor fill the cache."""
    options = asked.wire.options
    special = options.dry_run or options.now is not None or options.revision is not None or options.explain != "none"
    return special or bool(asked.wire.events)
