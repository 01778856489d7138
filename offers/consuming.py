"""`offing consume`: every consumer, a thread each, until a signal or until one of them must not go on."""

import logging
import os
import signal
import threading
import time
from collections.abc import Sequence
from types import FrameType

from prometheus_client import CollectorRegistry, start_http_server

from offers import garbage
from offers.drift_watch import DriftWatch
from offers.listening import unusable
from offers.runtime import activation, deployment, event_log, serving_ledger
from offers.shadow_watch import ShadowWatch
from streams import telemetry
from streams.consumer import Consumer, by_the_clock, by_the_record
from streams.deployment import Deployment
from streams.embedded_valkey import running
from streams.errors import OffingError, Retry, Stop
from streams.host_metrics import HostMetrics
from streams.lake import Lake
from streams.lake_consumer import Flush, LakeConsumer
from streams.location_consumer import LocationConsumer
from streams.log import EventLog
from streams.market_consumer import MarketConsumer
from streams.market_store import MarketStore
from streams.profile_consumer import ProfileConsumer
from streams.profile_store import ProfileStore
from streams.settings import Settings
from streams.valkey import Keys, connect

logger = logging.getLogger("offing.consuming")
STOP_S = 30.0
LOOK_S = 0.5


def store_url(settings: Settings) -> str:
    """Where profiles are: the Redis named, or the embedded one of a `serve` that runs. Raises Stop STORE_STOPPED."""
    url = settings.redis_url or running(settings.valkey_folder)
    if url is None:
        raise Stop(
            "STORE_STOPPED", "no Redis is named and no embedded one runs; run `offing serve` or set OFFING_REDIS_URL"
        )
    return url


def consume(settings: Settings, parent: int | None = None) -> None:
    """Run every consumer, a thread each, until a signal, the parent's end, or a Stop error of any, which is raised."""
    book, log = serving_ledger(settings), log_that_answers(settings, parent)
    active = activation(settings, book)
    active.load()
    active.start()
    client = connect(settings.store(store_url(settings)), "offing-consumer")
    keys = Keys(settings.namespace)
    profiles = ProfileStore(client, keys)
    reckoning = by_the_record if settings.simulated else by_the_clock
    most = settings.dead_letters_in_a_row
    flush = Flush(rows=settings.lake_flush_records, after_s=settings.lake_flush_s)

    def current() -> Deployment:
        return deployment(active.engine())

    consumers: Sequence[Consumer] = (
        ProfileConsumer(log, profiles, current, reckoning=reckoning, in_a_row=most),
        LocationConsumer(log, profiles, current, reckoning=reckoning, in_a_row=most),
        MarketConsumer(log, MarketStore(client, keys), in_a_row=most),
        LakeConsumer(log, Lake(settings.lake), flush=flush, in_a_row=most),
    )
    metrics = counting(settings, parent)
    drift = DriftWatch(settings.drift_every_s)
    drift.start()
    shadow = ShadowWatch(book, settings.shadow_every_s)
    shadow.start()
    garbage.settle()  # a batch is thousands of events, none of them in a cycle: a tenth of the CPU of folding
    try:
        _run(consumers, parent)
    finally:
        shadow.stop()
        drift.stop()
        metrics.stop()
        active.stop()
        client.close()
        log.close()
        book.close()


def log_that_answers(settings: Settings, parent: int | None = None) -> EventLog:
    """Waits for a Kafka that is away. A signal ends the process meanwhile: there is nothing to finish.

    Raises Stop PARENT_ENDED: nobody would ever end a process that outlived the one that started it.
    """
    while True:
        try:
            return event_log(settings)
        except Retry as error:
            if orphaned(parent):
                raise Stop(
                    "PARENT_ENDED", "the process that started this consumer has ended; start it again"
                ) from error
            logger.error("waiting for the log", extra={"code": error.code, "after_s": error.after_s})
            time.sleep(error.after_s or LOOK_S)


def orphaned(parent: int | None) -> bool:
    """Whether the process that started this one has ended; None: nobody's end matters."""
    return parent is not None and os.getppid() != parent


def counting(settings: Settings, parent: int | None) -> HostMetrics:
    """Count among the host's processes, or behind a door of their own. Raises Stop PORT_UNUSABLE."""
    port = 0 if parent is not None else settings.metrics_port
    folder = settings.metrics.with_name(f"metrics-{port}") if port else settings.metrics
    metrics = HostMetrics(folder, "consume", telemetry.ACROSS)
    metrics.start()
    if port:
        registry = CollectorRegistry()
        registry.register(metrics)
        try:
            start_http_server(port, settings.host, registry)
        except OSError as error:
            metrics.stop()
            raise unusable(settings.host, port, "OFFING_METRICS_PORT", error) from error
    return metrics


def _run(consumers: Sequence[Consumer], parent: int | None) -> None:
    ending = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    futures = [consumer.start() for consumer in consumers]
    while not ending.wait(LOOK_S):
        if any(future.done() for future in futures) or orphaned(parent):
            break
    failure: OffingError | None = None
    for consumer in consumers:
        try:
            consumer.stop(STOP_S)
        except OffingError as error:
            failure = failure or error
    if failure is not None:
        raise failure
