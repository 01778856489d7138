"""A request's I/O around decide(): one read, decide, write behind. It degrades and says so; it does not fail."""

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from offers import cache, decision_id, decision_metrics, explain, reply
from offers.answer_store import NOTHING_FOUND, AnswerStore, Found, Writes
from offers.catalog import Catalog
from offers.deadline import candidate_limit, read_s
from offers.decide import decide, record
from offers.engine import Engine
from offers.events_door import EventResult
from offers.exposure import WriteBehind
from offers.proposition import Decision, Item, PlacementSlate
from offers.request import Asked
from offers.shortlist import ALLOW
from offers.situation import Situation, situate
from offers.tokens import OfferToken, OfferTokens
from offers.withdrawal import withdrawn
from streams import telemetry
from streams.attributes import AttributeSet
from streams.errors import OffingError
from streams.events import Event, Location, to_bytes
from streams.ids import CampaignId, CustomerId, Millis, OfferId, PlacementId
from streams.log import LOCATIONS, Entry
from streams.market import Market
from streams.places import Whereabouts
from streams.profile import EMPTY, MaskedProfile, Pending, Profile, apply_pending
from streams.profile_mask import mask
from streams.profile_store import PRESENCE_MS, is_behind, presence_bytes, read_pending, read_presence, read_profile
from streams.record import DecisionInputs, encode

logger = logging.getLogger("offing.answer")
UNEXPECTED = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
UNAVAILABLE = "profile_unavailable"
LOCATION_PURPOSE = "location"
FORGETTING = frozenset({"denied", "off"})
NO_REQUEST_ID = ""
"""Where the one read looks for a repeat if the app named no request: no app can name one so."""


Minted = tuple[tuple[str, ...], ...]
"""Tokens per placement, per item."""


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


@dataclass(frozen=True, slots=True)
class Made:
    """A decision with what its answer needs besides."""

    decision: Decision
    tokens: Minted
    withdrawn: tuple[str, ...] = ()
    ruled_out: dict[str, Any] | None = None


class Answerer:
    """Answers decisions. One event loop owns it."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self.store = tools.store
        self._underway: dict[tuple[CustomerId, str], asyncio.Task[Made]] = {}

    async def answer(self, asked: Asked, door: Doorway) -> bytes:
        """The answer's JSON. A repeated request_id gives the same decision and counts once. Raises NotFound for a

        revision that is not kept; nothing else."""
        request_id = asked.wire.request_id
        if request_id is None or asked.wire.options.dry_run:
            made = await self._make(asked, door)
        else:
            made = await self._once((door.customer_id, request_id), asked, door)
        around = reply.Around(
            now=door.now,
            request_id=request_id or "",
            took_ms=(time.perf_counter() - door.started) * 1000,
            withdrawn=made.withdrawn,
            events=door.event_results,
            ruled_out=made.ruled_out,
            degraded=door.degraded,
        )
        return reply.encode(made.decision, made.tokens, around)

    async def drain(self) -> None:
        """Wait for the writes that were started behind the answers."""
        await self._tools.store.drain()

    async def _once(self, key: tuple[CustomerId, str], asked: Asked, door: Doorway) -> Made:
        """Concurrent repeats share one computation; an aborted connection does not stop it for the others."""
        task = self._underway.get(key)
        if task is None:
            task = asyncio.get_running_loop().create_task(self._make(asked, door))
            self._underway[key] = task
            task.add_done_callback(lambda _: self._underway.pop(key, None))
        else:
            telemetry.CACHE.labels("shared").inc()
        return await asyncio.shield(task)

    async def _make(self, asked: Asked, door: Doorway) -> Made:
        revision = asked.wire.options.revision
        engine = self._tools.engine() if revision is None else await asyncio.to_thread(self._tools.revision, revision)
        resolved = engine.catalog.places.resolve(asked.fix, asked.location_status)
        key = cache.key(asked.request, resolved, f"{door.caller} {door.origin}")
        found, unread = await self._read(asked, door, key)
        work = self._situation(asked, door, engine, _Read(resolved, found, unread))
        gone = self._withdrawn(asked, work)
        await self._forget(asked, door, found)
        kept = self._kept(asked, found, work)
        if kept is not None:
            decision_metrics.answered(kept.decision, door.origin)
            return Made(kept.decision, kept.tokens, gone)
        made = self._decided(asked, door, work)
        if not asked.wire.options.dry_run:
            await self._leave(asked, door, work, made, key)
        return Made(made.decision, made.tokens, gone, made.ruled_out)

    async def _forget(self, asked: Asked, door: Doorway, found: Found) -> None:
        """`denied` and `off` take back what was known of the customer's place, not only what this request says."""
        status = asked.location_status
        known = _presence(found.presence)
        if status in FORGETTING and not asked.wire.options.dry_run and (known is None or known.status != status):
            await self._tools.store.forget(door.customer_id, presence_bytes(Whereabouts(status, at=door.now)))

    def _withdrawn(self, asked: Asked, work: "_Work") -> tuple[str, ...]:
        try:
            return withdrawn(asked.wire.holding, work.situation, work.engine.catalog, self._tools.tokens)
        except UNEXPECTED:
            logger.exception("withdrawals could not be judged", extra={"code": "WITHDRAWAL_FAILED"})
            return ()

    async def _read(self, asked: Asked, door: Doorway, key: str) -> tuple[Found, tuple[str, ...]]:
        """The one read, for as long as the deadline allows."""
        begun = time.perf_counter()
        request_id = asked.wire.request_id or NO_REQUEST_ID
        timeout_s = read_s(asked.wire.options.deadline_ms, door.started)
        try:
            found = await self._tools.store.read(door.customer_id, request_id, key, timeout_s)
        except OffingError:
            return NOTHING_FOUND, (UNAVAILABLE,)
        telemetry.STORE_READ_SECONDS.observe(time.perf_counter() - begun)
        return found, ()

    def _situation(self, asked: Asked, door: Doorway, engine: Engine, read: "_Read") -> "_Work":
        attributes = engine.catalog.attributes
        profile, behind = _profile(read.found, door, attributes)
        masked = mask(profile.facts, attributes, now=door.now)
        whereabouts = _whereabouts(read, masked, door.now)
        situation = Situation(
            decision_id=decision_id.new(door.now),
            now=door.now,
            request=asked.request,
            whereabouts=whereabouts,
            profile=masked,
            market=self._tools.market(),
            candidate_limit=candidate_limit(asked.wire.options.deadline_ms, door.started),
            degraded=tuple(sorted({*engine.degraded, *read.degraded, *behind, *self._tools.late()})),
            origin=door.origin,
        )
        return _Work(situation, engine, cache.stamp(masked, whereabouts, engine.catalog, engine.propensity))

    def _kept(self, asked: Asked, found: Found, work: "_Work") -> cache.CachedDecision | None:
        """The decision this request_id had, or a cached one that still holds."""
        if asked.wire.options.dry_run:
            return None
        repeated = cache.decode(found.repeated)
        if repeated is not None:
            telemetry.CACHE.labels("repeat").inc()
            return repeated
        if bypasses(asked):
            telemetry.CACHE.labels("bypass").inc()
            return None
        entry = cache.decode(found.cached)
        situation = work.situation
        if entry is None or situation.degraded:
            telemetry.CACHE.labels("miss").inc()
            return None
        good = cache.holds(entry, work.expected, situation.market, situation.now)
        telemetry.CACHE.labels("hit" if good else "stale").inc()
        return entry if good else None

    def _decided(self, asked: Asked, door: Doorway, work: "_Work") -> "_Fresh":
        begun = time.perf_counter()
        catalog, propensity = work.engine.catalog, work.engine.propensity
        options = asked.wire.options
        every = options.explain == "full" or bool(options.explain_offers)
        try:
            inputs = situate(work.situation, catalog, every_subject=every)
            decision = decide(inputs, catalog, propensity)
        except UNEXPECTED:
            # a bug in a step must not become an error page: the fallbacks need no step that could have failed
            logger.exception("a decision failed and fell back", extra={"code": "DECISION_FAILED"})
            inputs = _bare(work.situation, catalog)
            decision = decide(inputs, catalog, propensity)
        telemetry.DECISION_SECONDS.labels("miss").observe(time.perf_counter() - begun)
        decision_metrics.decided(decision, door.origin)
        return _Fresh(inputs, decision, self._mint(decision, inputs), _explained(asked, inputs, catalog, decision))

    def _mint(self, decision: Decision, inputs: DecisionInputs) -> Minted:
        device = str(inputs.request.context.get("context.device_class", ("",))[0])
        collections = {shown.offer.offer_id: shown.offer.collection for shown in decision.shown}

        def mint(slate: PlacementSlate, item: Item) -> str:
            token = OfferToken(
                decision_id=decision.decision_id,
                placement=PlacementId(slate.placement),
                rank=item.rank,
                offer_id=OfferId(item.offer_id),
                campaign_id=CampaignId(item.campaign_id),
                collection=collections[OfferId(item.offer_id)],
                about=item.subject,
                customer_id=inputs.request.customer_id,
                device_class=device,
                expires=item.expires,
            )
            try:
                return self._tools.tokens.mint(token)
            except OffingError as error:  # ids too long for a token: the item goes without, outcomes of it are lost
                logger.error("an item goes out without a token: %s", error.code, extra={"code": error.code})
                return ""

        return tuple(tuple(mint(slate, item) for item in slate.items) for slate in decision.placements)

    async def _leave(self, asked: Asked, door: Doorway, work: "_Work", made: "_Fresh", key: str) -> None:
        """What stays behind: the record, the cache and request entries, and the fix with consent."""
        line = encode(record(made.inputs, made.decision, work.engine.propensity.features))
        self._tools.behind.add(Entry(door.customer_id, line, door.now))
        location = _location_entry(asked, door, made)
        if location is not None:
            self._tools.behind.add(location, LOCATIONS)
        in_full = made.inputs.candidate_limit >= ALLOW  # a hurried decision is nobody else's
        reusable = in_full and not bypasses(asked) and not made.decision.degraded
        if asked.wire.request_id is not None or reusable:
            entry = cache.encode(work.entry(made.decision, made.tokens))
            lives_ms = made.decision.valid_until - door.now
            writes = Writes(asked.wire.request_id, entry, key if reusable else None, lives_ms)
            await self._tools.store.write(door.customer_id, writes)


@dataclass(frozen=True, slots=True)
class _Read:
    """Where the request's fix is, and what Redis held."""

    resolved: Whereabouts
    found: Found
    degraded: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Work:
    """One request on its way."""

    situation: Situation
    engine: Engine
    stamp: int

    @property
    def expected(self) -> cache.Expected:
        """What a cached decision must have been made for."""
        catalog, propensity = self.engine.catalog, self.engine.propensity
        return cache.Expected(self.stamp, catalog.revision, propensity.model, self.situation.whereabouts.at)

    def entry(self, decision: Decision, tokens: Minted) -> cache.CachedDecision:
        """What is kept of a fresh decision."""
        market = self.situation.market
        return cache.CachedDecision(
            v=cache.FORMAT,
            stamp=self.stamp,
            revision=decision.revision,
            model=decision.model,
            market_epoch=market.epoch,
            market_version=market.version,
            consulted=decision.consulted,
            valid_until=decision.valid_until,
            located_at=self.situation.whereabouts.at,
            decision=decision,
            tokens=tokens,
        )


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A decision just made."""

    inputs: DecisionInputs
    decision: Decision
    tokens: Minted
    ruled_out: dict[str, Any] | None


def bypasses(asked: Asked) -> bool:
    """Requests with events, dry_run, now, a revision or explain neither use nor fill the cache."""
    options = asked.wire.options
    special = options.dry_run or options.now is not None or options.revision is not None or options.explain != "none"
    return special or bool(asked.wire.events)


def _profile(found: Found, door: Doorway, attributes: AttributeSet) -> tuple[Profile, tuple[str, ...]]:
    """The stored profile with the events accepted since; says so if it cannot be read or some are out of reach."""
    lacking: tuple[str, ...] = ()
    try:
        stored = read_profile(found.profile)
    except OffingError as error:
        logger.error("a stored profile cannot be read", extra={"code": error.code})
        stored, lacking = EMPTY, (UNAVAILABLE,)
    pending = read_pending(found.pending)
    profile = apply_pending(stored, (*pending, *door.events), attributes)
    behind = ("profile_behind",) if is_behind(pending, stored) else ()
    return profile, (*lacking, *behind)


def _whereabouts(read: _Read, profile: MaskedProfile, now: Millis) -> Whereabouts:
    """The request's own fix; without one, with consent, presence of the last 15 minutes; nothing if it is denied."""
    if read.resolved.status != "not_determined" or LOCATION_PURPOSE not in profile.purposes:
        return read.resolved
    presence = _presence(read.found.presence)
    return presence if presence is not None and 0 <= now - presence.at <= PRESENCE_MS else read.resolved


def _presence(stored: bytes | None) -> Whereabouts | None:
    """None too for what another version of Offing wrote: it is forgotten in 15 minutes anyway."""
    try:
        return read_presence(stored)
    except (OffingError, msgspec.DecodeError):
        return None


def _location_entry(asked: Asked, door: Doorway, made: _Fresh) -> Entry | None:
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
