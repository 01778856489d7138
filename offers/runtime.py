"""The composition root: the only place that names concrete classes."""

import asyncio
import logging
import os
import time
from dataclasses import dataclass, field

from offers.acceptance import Acceptance
from offers.activation import Activation, Sources
from offers.answer import Answerer, Tools
from offers.answer_store import AnswerStore
from offers.doctor import Diagnosis, Parts
from offers.engine import Engine
from offers.exposure import WriteBehind
from offers.lag import Lag
from offers.ledger import Ledger
from offers.tokens import CustomerTokens, OfferTokens, TokenKeys, keys_of, new_secret, parse_keys
from streams import telemetry
from streams.deployment import Deployment
from streams.embedded_valkey import running
from streams.errors import OffingError, Retry
from streams.host_metrics import HostMetrics
from streams.ids import Millis
from streams.kafka_log import KafkaLog
from streams.kafka_topics import create, examine
from streams.lake import Lake
from streams.log import TOPICS, EventLog
from streams.market_store import MarketStore
from streams.market_tail import MarketTail
from streams.profile_store import ProfileStore
from streams.settings import Settings
from streams.sqlite_log import SqliteLog
from streams.total_store import TotalReader
from streams.total_tail import TotalTail
from streams.valkey import DECISION_TIMEOUT_S, Client, Doors, Keys, connect, connect_async

LOG_WAIT_S = 1.0
logger = logging.getLogger("offing.runtime")


def wall_clock() -> Millis:
    """The host's clock."""
    return time.time_ns() // 1_000_000


def token_keys(settings: Settings) -> TokenKeys:
    """The keys of tokens: those set, or embedded the ones written at the first start (mode 600)."""
    if settings.token_keys:
        return keys_of(settings.token_keys, settings.namespace)
    settings.check_serving()
    path = settings.token_file
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return parse_keys(path.read_text().strip(), settings.namespace)
    with os.fdopen(handle, "w") as file:
        file.write(new_secret())
    return parse_keys(path.read_text().strip(), settings.namespace)


def ledger(settings: Settings) -> Ledger:
    """The ledger, its schema of this version: an embedded one is brought there, a named one by `offing migrate` only.

    Raises Stop LEDGER_SCHEMA, Retry LEDGER_UNAVAILABLE.
    """
    found = unprepared_ledger(settings)
    try:
        _prepare(found, settings)
    except OffingError:
        found.close()
        raise
    return found


def serving_ledger(settings: Settings) -> Ledger:
    """The same for a process that serves: it starts beside a ledger that does not answer, and says so.

    Decisions need it for no more than keys. Raises Stop LEDGER_SCHEMA.
    """
    found = unprepared_ledger(settings)
    try:
        _prepare(found, settings)
    except Retry as error:
        logger.error("starting without the ledger: no API key is known until it answers", extra={"code": error.code})
    return found


def unprepared_ledger(settings: Settings) -> Ledger:
    """The ledger as it is."""
    logging.getLogger("alembic").setLevel(logging.WARNING)  # else every command begins with two lines of its doings
    return Ledger(settings.ledger, settings.namespace)


def _prepare(found: Ledger, settings: Settings) -> None:
    if settings.ledger_url:
        found.check()
    else:
        settings.artifacts.mkdir(parents=True, exist_ok=True)
        found.migrate()


def event_log(settings: Settings) -> EventLog:
    """The event log, in a file or on Kafka. Raises Stop TOPICS_MISSING and whatever SqliteLog and KafkaLog raise."""
    if settings.kafka is not None:
        return KafkaLog(settings.kafka, settings.namespace)
    settings.log_file.parent.mkdir(parents=True, exist_ok=True)
    return SqliteLog(settings.log_file, clock=wall_clock)


def prepare_log(settings: Settings) -> tuple[str, ...]:
    """Make what of the log has to be there before it is opened: the topics on Kafka. The names of those made."""
    return () if settings.kafka is None else create(settings.kafka, settings.namespace, TOPICS)


def doctors_parts(settings: Settings, book: Ledger) -> Parts:
    """What `offing doctor` looks at."""
    embedded = running(settings.valkey_folder) if settings.valkey_folder.is_dir() else None
    url = settings.redis_url or embedded
    return Parts(
        settings,
        book,
        log=lambda: event_log(settings),
        store=lambda: None if url is None else connect(settings.store(url), "offing-doctor"),
        topics=lambda: _topics(settings),
        make_topics=lambda: prepare_log(settings),
    )


def _topics(settings: Settings) -> list[Diagnosis]:
    if settings.kafka is None:
        return []
    found = examine(settings.kafka, settings.namespace, TOPICS)
    return [Diagnosis(each.name, each.good, each.found, each.mend, each.code) for each in found]


def activation(settings: Settings, of: Ledger) -> Activation:
    """What follows the active revision and model."""
    return Activation(Sources(settings.campaigns, settings.artifacts, of, settings.published, wall_clock))


def deployment(engine: Engine) -> Deployment:
    """The part of the active revision that streams needs."""
    catalog = engine.catalog
    return Deployment(catalog.attributes, catalog.places, catalog.shared_limits.series)


@dataclass(slots=True)
class Runtime:
    """Everything one API worker holds. Made and closed on its event loop."""

    settings: Settings
    ledger: Ledger
    log: EventLog
    activation: Activation
    tail: MarketTail
    lag: Lag
    totals: TotalTail
    lake: Lake
    offer_tokens: OfferTokens
    customer_tokens: CustomerTokens
    client: Doors
    answerer: Answerer
    acceptance: Acceptance
    behind: WriteBehind
    metrics: HostMetrics
    blocking: tuple[Client, ...] = ()
    """Of the threads beside the event loop."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def engine(self) -> Engine:
        """What is active now."""
        return self.activation.engine()

    def start(self) -> None:
        """Follow the active revision and the market, and write records behind."""
        self.activation.start()
        self.tail.start()
        self.lag.start()
        self.totals.start()
        self.metrics.start()
        self._tasks.append(asyncio.get_running_loop().create_task(self.behind.run()))

    async def close(self) -> None:
        """Drain what is queued, then let go of everything."""
        self.behind.close()
        await asyncio.gather(*self._tasks)
        await self.answerer.drain()
        try:
            await asyncio.to_thread(self._stop_threads)
        finally:  # a tail that stopped for good raises why
            await self.client.aclose()
            for each in self.blocking:
                each.close()
            self.log.close()
            self.ledger.close()

    def _stop_threads(self) -> None:
        self.activation.stop()
        self.lag.stop()
        self.totals.stop()
        self.metrics.stop()
        self.tail.stop()

    def ready(self) -> dict[str, object]:
        """What readiness says; `ready` is false while this worker cannot answer well yet, or its market has ended."""
        engine = self.engine()
        following = self.tail.running is not None and not self.tail.running.done()
        return {
            "ready": self.tail.ready.is_set() and following,
            "revision": engine.catalog.revision,
            "model": engine.propensity.model,
            "degraded": [*engine.degraded, *self.lag.late()],
            "not_followed": self.activation.troubles(),
            "market_version": self.tail.market.version,
        }


async def _log_that_answers(settings: Settings) -> EventLog:
    """A worker that starts while Kafka is away waits for it: one that failed to start would take the others with it."""
    while True:
        try:
            return await asyncio.to_thread(event_log, settings)
        except Retry as error:
            logger.error("waiting for the log", extra={"code": error.code, "after_s": error.after_s})
            await asyncio.sleep(error.after_s or LOG_WAIT_S)


async def open_runtime(settings: Settings, store_url: str) -> Runtime:
    """One worker's runtime: the active revision is loaded and compiled when this returns."""
    keys, names, address = token_keys(settings), Keys(settings.namespace), settings.store(store_url)
    book = await asyncio.to_thread(serving_ledger, settings)
    log = await _log_that_answers(settings)
    active = activation(settings, book)
    await asyncio.to_thread(active.load)
    clock = None if settings.simulated else wall_clock
    of_tail, of_lag, of_totals = (connect(address, f"offing-{name}") for name in ("tail", "lag", "totals"))
    tail = MarketTail(log, MarketStore(of_tail, names), clock)
    lag = Lag(log, ProfileStore(of_lag, names), tail)
    totals = TotalTail(
        TotalReader(of_totals, names),
        wanted=lambda: bool(active.engine().catalog.shared_limits),
        prepare=lambda found: active.engine().catalog.shared_limits.reached(found, wall_clock()),
    )
    await asyncio.to_thread(totals.look)  # a limit that was reached before this worker began is not passed by it
    client = connect_async(address)
    await client.connect(DECISION_TIMEOUT_S)
    store = AnswerStore(client, names)
    behind = WriteBehind(log)
    tokens = OfferTokens(keys)
    in_order = settings.candidates * 3 // 4  # the rest is drawn
    tools = Tools(
        store=store,
        behind=behind,
        tokens=tokens,
        engine=active.engine,
        revision=active.revision,
        market=lambda: tail.market,
        late=lag.late,
        totals=lambda: totals.totals,
        candidates=in_order,
    )
    return Runtime(
        settings=settings,
        ledger=book,
        log=log,
        activation=active,
        tail=tail,
        lag=lag,
        totals=totals,
        lake=Lake(settings.lake),
        offer_tokens=tokens,
        customer_tokens=CustomerTokens(keys),
        client=client,
        answerer=Answerer(tools),
        acceptance=Acceptance(log, store, wall_clock),
        behind=behind,
        metrics=HostMetrics(settings.metrics, "serve", telemetry.ACROSS, refresh=tail.measure),
        blocking=(of_tail, of_lag, of_totals),
    )
