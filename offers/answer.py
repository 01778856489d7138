"""A request's I/O around decide(): one read, decide, write behind. It degrades and says so; it does not fail."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from offers import cache, decision_id, decision_metrics, explain, reading, reply
from offers.answer_store import NOTHING_FOUND, AnswerStore, Found, Writes
from offers.catalog import Catalog
from offers.contributed import Contributions, of_shown
from offers.deadline import candidate_limit, read_s
from offers.decide import decide, record
from offers.engine import Engine
from offers.errand import Doorway, Fresh, Work, bypasses
from offers.exposure import WriteBehind
from offers.minting import mint
from offers.proposition import Decision
from offers.reading import LOCATION_PURPOSE, UNSAID
from offers.reply import Told
from offers.request import Asked
from offers.shared_limits import NONE_REACHED, Reached
from offers.shortlist import ALLOW
from offers.situation import Situation, situate
from offers.tokens import OfferTokens
from offers.underway import Underway
from offers.withdrawal import withdrawn
from streams import telemetry
from streams.errors import OffingError
from streams.events import Event, Location, to_bytes
from streams.log import LOCATIONS, Entry
from streams.market import Market
from streams.places import Whereabouts
from streams.profile_store import presence_bytes
from streams.record import DecisionInputs, encode
from streams.totals import NONE, Totals

logger = logging.getLogger("offing.answer")
UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
FORGETTING = frozenset({"denied", "off"})
NO_REQUEST_ID = ""
"""Where the one read looks for a repeat if the app named no request: no app can name one so."""
CACHE = {name: telemetry.CACHE.labels(name) for name in ("repeat", "hit", "stale", "miss", "bypass")}
STAGE = {name: telemetry.STAGE_SECONDS.labels(name) for name in telemetry.STAGES}
DECIDED = telemetry.DECISION_SECONDS.labels("miss")
clock = time.perf_counter


@dataclass(frozen=True, slots=True)
class Tools:
    """What the answerer works with; made by runtime."""

    store: AnswerStore
    behind: WriteBehind
    tokens: OfferTokens
    engine: Callable[[], Engine]
    revision: Callable[[str], Engine]
    """The engine of a kept revision, for options.revision. Raises NotFound."""
    market: Callable[[], Market]
    late: Callable[[], tuple[str, ...]] = tuple
    """What of the streams is behind: `profile_behind`, `market_behind`."""
    totals: Callable[[], Totals] = lambda: NONE
    """What all customers together did, as it was read last."""
    candidates: int = ALLOW
    """How many candidates a decision with time scores in layout order."""


@dataclass(frozen=True, slots=True)
class Made:
    """A decision as told, with what its answer needs besides."""

    told: Told
    withdrawn: tuple[str, ...] = ()
    ruled_out: dict[str, Any] | None = None
    contributions: Contributions | None = None


class Answerer:
    """Answers decisions. One event loop owns it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.store = tools.store
        self._underway: Underway[Made] = Underway()

    async def answer(self, asked: Asked, door: Doorway) -> bytes:
        """The answer's JSON. A repeated request_id gives the same decision and counts once. Raises NotFound for a

        revision that is not kept; nothing else."""
        request_id = asked.wire.request_id
        if request_id is None or asked.wire.options.dry_run:
            made = await self._make(asked, door)
        else:
            made = await self._underway.once((door.customer_id, request_id), lambda: self._make(asked, door))
        begun = clock()
        around = reply.Around(
            now=door.now,
            request_id=request_id or "",
            took_ms=(begun - door.started) * 1000,
            withdrawn=made.withdrawn,
            events=door.event_results,
            ruled_out=made.ruled_out,
            contributions=made.contributions,
            degraded=door.degraded,
        )
        body = reply.encode(made.told, around)
        ended = clock()
        STAGE["encode"].observe(ended - begun)
        STAGE["request"].observe(ended - door.started)
        return body

    async def drain(self) -> None:
        """Wait for the writes that were started behind the answers."""
        await self._tools.store.drain()

    async def _make(self, asked: Asked, door: Doorway) -> Made:
        revision = asked.wire.options.revision
        engine = self._tools.engine() if revision is None else await asyncio.to_thread(self._tools.revision, revision)
        resolved = engine.catalog.places.resolve(asked.fix, asked.location_status)
        work = Work(asked, door, engine, resolved, self._reached(engine, door))
        work.found = await self._read(work)
        await self._forget(work)
        again = self._again(work)
        if again is not None:
            return again
        self._situate(work)
        gone = self._withdrawn(work)
        kept = self._kept(work)
        if kept is not None:
            decision_metrics.answered(kept.told, door.origin)
            return Made(kept.told, gone)
        made = self._decided(work)
        if not asked.wire.options.dry_run:
            await self._leave(work, made)
        if asked.wire.options.explain != "full":
            return Made(made.told, gone, made.ruled_out)
        why = await asyncio.to_thread(of_shown, made.decision.shown, engine.propensity)
        return Made(made.told, gone, made.ruled_out, why)

    def _reached(self, engine: Engine, door: Doorway) -> Reached:
        """The limits above one customer that are reached now."""
        asked = engine.catalog.shared_limits
        return asked.reached(self._tools.totals(), door.now) if asked else NONE_REACHED

    async def _read(self, work: Work) -> Found:
        """The one read, for as long as the deadline allows."""
        begun, asked = clock(), work.asked
        request_id = asked.wire.request_id or NO_REQUEST_ID
        timeout_s = read_s(asked.wire.options.deadline_ms, work.door.started)
        try:
            found = await self._tools.store.read(work.door.customer_id, request_id, work.key, timeout_s)
        except OffingError:
            return NOTHING_FOUND
        took_s = clock() - begun
        STAGE["read"].observe(took_s)
        telemetry.STORE_READ_SECONDS.observe(took_s)
        return found

    async def _forget(self, work: Work) -> None:
        """`denied` and `off` take back what was known of the customer's place, not only what this request says."""
        status, door = work.asked.location_status, work.door
        if status not in FORGETTING or work.asked.wire.options.dry_run:
            return
        known = reading.presence_of(work.found)
        if known is None or known.status != status:
            await self._tools.store.forget(door.customer_id, presence_bytes(Whereabouts(status, at=door.now)))

    def _again(self, work: Work) -> Made | None:
        """What can be told without reading the profile: a repeat, or a decision made from the very same bytes."""
        wire, door, found = work.asked.wire, work.door, work.found
        if wire.options.dry_run or wire.holding:
            return None
        kept = work.repeated
        if kept is not None:
            CACHE["repeat"].inc()
        elif found.cached is not None and not bypasses(work.asked):
            kept = self._same(work)
            if kept is not None:
                CACHE["hit"].inc()
        if kept is None:
            return None
        decision_metrics.answered(kept.told, door.origin)
        return Made(kept.told)

    def _same(self, work: Work) -> cache.CachedDecision | None:
        entry, now = cache.decode(work.found.cached), work.door.now
        work.entry = entry
        if entry is None or now >= entry.seen_until or entry.seen != work.seen:
            return None
        if work.engine.degraded or self._tools.late():
            return None
        catalog, propensity = work.engine.catalog, work.engine.propensity
        located_at = entry.located_at if work.resolved.status == UNSAID else work.resolved.at
        expected = cache.Expected(entry.stamp, catalog.revision, propensity.model, located_at)
        return entry if cache.holds(entry, expected, self._tools.market(), now) else None

    def _situate(self, work: Work) -> None:
        """Read the profile, and put together what a decision is made from."""
        begun = clock()
        asked, door, engine = work.asked, work.door, work.engine
        read = reading.read(work.found, door.events, work.resolved, engine.catalog.attributes, door.now)
        work.reading = read
        degraded = (*engine.degraded, *read.degraded, *self._tools.late())
        work.situation = Situation(
            decision_id=decision_id.new(door.now),
            now=door.now,
            request=asked.request,
            whereabouts=read.whereabouts,
            profile=read.profile,
            market=self._tools.market(),
            candidate_limit=candidate_limit(asked.wire.options.deadline_ms, door.started, self._tools.candidates),
            candidates_with_time=self._tools.candidates,
            degraded=tuple(sorted(set(degraded))) if degraded else (),
            origin=door.origin,
            reached=work.reached,
        )
        STAGE["situate"].observe(clock() - begun)

    def _withdrawn(self, work: Work) -> tuple[str, ...]:
        try:
            return withdrawn(work.asked.wire.holding, work.situation, work.engine.catalog, self._tools.tokens)
        except UNEXPECTED:
            logger.exception("withdrawals could not be judged", extra={"code": "WITHDRAWAL_FAILED"})
            return ()

    def _kept(self, work: Work) -> cache.CachedDecision | None:
        """The decision this request_id had, or a cached one that still holds."""
        asked, found = work.asked, work.found
        if asked.wire.options.dry_run:
            return None
        repeated = work.repeated
        if repeated is not None:
            CACHE["repeat"].inc()
            return repeated
        if bypasses(asked):
            CACHE["bypass"].inc()
            return None
        entry = work.entry or cache.decode(found.cached)
        situation = work.situation
        if entry is None or situation.degraded:
            CACHE["miss"].inc()
            return None
        good = cache.holds(entry, work.expected, situation.market, situation.now)
        CACHE["hit" if good else "stale"].inc()
        return entry if good else None

    def _decided(self, work: Work) -> Fresh:
        begun = clock()
        catalog, propensity = work.engine.catalog, work.engine.propensity
        options = work.asked.wire.options
        every = options.explain == "full" or bool(options.explain_offers)
        try:
            inputs = situate(work.situation, catalog, every_subject=every)
            decision = decide(inputs, catalog, propensity)
        except UNEXPECTED:
            # a bug in a step must not become an error page: the fallbacks need no step that could have failed
            logger.exception("a decision failed and fell back", extra={"code": "DECISION_FAILED"})
            inputs = _bare(work.situation, catalog)
            decision = decide(inputs, catalog, propensity)
        ended = clock()
        STAGE["decide"].observe(ended - begun)
        DECIDED.observe(ended - begun)
        decision_metrics.decided(decision, work.door.origin)
        told = reply.told(decision, mint(decision, inputs.request, self._tools.tokens))
        STAGE["mint"].observe(clock() - ended)
        return Fresh(inputs, decision, told, _explained(work.asked, inputs, catalog, decision))

    async def _leave(self, work: Work, made: Fresh) -> None:
        """What stays behind: the record, the cache and request entries, and the fix with consent."""
        begun, asked, door = clock(), work.asked, work.door
        features = work.engine.propensity.features
        self._tools.behind.later(lambda: _line(made, features, door))
        location = _location_entry(asked, door, made)
        if location is not None:
            self._tools.behind.add(location, LOCATIONS)
        # a hurried decision is nobody else's
        in_full = made.inputs.candidate_limit >= made.inputs.candidates_with_time
        reusable = in_full and not bypasses(asked) and not made.decision.degraded
        if asked.wire.request_id is not None or reusable:
            entry = cache.encode(work.to_keep(made))
            lives_ms = made.decision.valid_until - door.now
            writes = Writes(asked.wire.request_id, entry, work.key if reusable else None, lives_ms)
            await self._tools.store.write(door.customer_id, writes)
        STAGE["keep"].observe(clock() - begun)


def _line(made: Fresh, features: tuple[str, ...], door: Doorway) -> Entry:
    begun = clock()
    line = encode(record(made.inputs, made.decision, features))
    STAGE["record"].observe(clock() - begun)
    return Entry(door.customer_id, line, door.now)


def _location_entry(asked: Asked, door: Doorway, made: Fresh) -> Entry | None:
    fix = asked.fix
    if fix is None or LOCATION_PURPOSE not in made.inputs.profile.purposes:
        return None
    data = Location(fix.lat, fix.lon, fix.accuracy_m, asked.location_status)
    event = Event(made.decision.decision_id, "offing/decisions", "customer.location", door.customer_id, fix.at, data)
    return Entry(door.customer_id, to_bytes(event), door.now)


def _bare(found: Situation, catalog: Catalog) -> DecisionInputs:
    """Inputs that nothing was computed for: enough for fallbacks, too little for anything to go wrong."""
    return DecisionInputs(
        decision_id=found.decision_id,
        now=found.now,
        revision=catalog.revision,
        request=found.request,
        candidate_limit=0,
        degraded=(*found.degraded, "internal_error"),
        origin=found.origin,
    )


def _explained(asked: Asked, inputs: DecisionInputs, catalog: Catalog, decision: Decision) -> dict[str, Any] | None:
    options = asked.wire.options
    if options.explain == "none":
        return None
    verdicts = explain.explain(inputs, catalog, decision)
    if options.explain == "summary":
        verdicts = tuple(verdict for verdict in verdicts if verdict.offer_id in options.explain_offers)
    return reply.ruled_out(decision, verdicts)
