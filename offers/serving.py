"""The processes of one host: `serve` (HTTP workers, and embedded also Valkey and the consumer) and `consume`."""

import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

import uvicorn

from offers.runtime import activation, deployment, event_log, ledger, token_keys
from streams.consumer import Consumer, by_the_clock, by_the_record
from streams.deployment import Deployment
from streams.embedded_valkey import EmbeddedValkey, running
from streams.errors import OffingError, Stop
from streams.lake import Lake
from streams.lake_consumer import Flush, LakeConsumer
from streams.location_consumer import LocationConsumer
from streams.market_consumer import MarketConsumer
from streams.market_store import MarketStore
from streams.profile_consumer import ProfileConsumer
from streams.profile_store import ProfileStore
from streams.settings import Settings
from streams.valkey import Keys, connect

logger = logging.getLogger("offing.serving")
STOP_S = 30.0
LOOK_S = 0.5


def serve(settings: Settings) -> None:
    """Answer HTTP until SIGINT or SIGTERM; with nothing configured, everything else runs as children of this."""
    settings.artifacts.mkdir(parents=True, exist_ok=True)
    keys = token_keys(settings)
    os.environ["OFFING_TOKEN_KEYS"] = ",".join(f"{name}:{secret.hex()}" for name, secret in keys.secrets.items())
    with embedded_parts(settings):
        uvicorn.run(
            "offers.api.app:create",
            factory=True,
            host=settings.host,
            port=settings.port,
            workers=settings.workers,
            access_log=False,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=10,
        )


@contextmanager
def embedded_parts(settings: Settings) -> Iterator[None]:
    """Valkey and the consumer for as long as the block runs, if no Redis is named; OFFING_REDIS_URL then names it."""
    if not settings.embedded:
        yield
        return
    logger.warning("embedded: Valkey, log, ledger and consumer run beside this process, in %s", settings.artifacts)
    valkey = EmbeddedValkey(settings.valkey_folder)
    os.environ["OFFING_REDIS_URL"] = valkey.start()
    consumer = subprocess.Popen([sys.executable, "-m", "offers.cli", "consume", "--while-parent", str(os.getpid())])
    try:
        yield
    finally:
        consumer.terminate()
        try:
            consumer.wait(STOP_S)
        except subprocess.TimeoutExpired:
            consumer.kill()
            consumer.wait()
        valkey.stop()


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
    log, book = event_log(settings), ledger(settings)
    active = activation(settings, book)
    active.load()
    active.start()
    client, keys = connect(store_url(settings), "offing-consumer"), Keys(settings.namespace)
    profiles = ProfileStore(client, keys)
    reckoning = by_the_record if settings.simulated else by_the_clock
    flush = Flush(rows=settings.lake_flush_records, after_s=settings.lake_flush_s)

    def current() -> Deployment:
        return deployment(active.engine())

    consumers: Sequence[Consumer] = (
        ProfileConsumer(log, profiles, current, reckoning=reckoning),
        LocationConsumer(log, profiles, current, reckoning=reckoning),
        MarketConsumer(log, MarketStore(client, keys)),
        LakeConsumer(log, Lake(settings.lake), flush=flush),
    )
    try:
        _run(consumers, parent)
    finally:
        active.stop()
        log.close()
        book.close()


def _run(consumers: Sequence[Consumer], parent: int | None) -> None:
    ending = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ending.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    futures = [consumer.start() for consumer in consumers]
    while not ending.wait(LOOK_S):
        if any(future.done() for future in futures) or (parent is not None and os.getppid() != parent):
            break
    failure: OffingError | None = None
    for consumer in consumers:
        try:
            consumer.stop(STOP_S)
        except OffingError as error:
            failure = failure or error
    if failure is not None:
        raise failure
