"""The processes of one host: `serve` (HTTP workers, and embedded also Valkey and the consumer) and `consume`."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from types import FrameType

import uvicorn
from uvicorn.supervisors import Multiprocess

from offers import doctor
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
DRAIN_S = 10
"""How long requests in flight may take once the end was asked for."""
METRICS = "PROMETHEUS_MULTIPROC_DIR"


def serve(settings: Settings) -> None:
    """Answer HTTP until SIGINT or SIGTERM; with nothing configured, everything else runs as children of this.

    Raises InvalidInput CAMPAIGNS_INVALID, Stop PORT_UNUSABLE, STORE_EVICTS or whatever the log and the ledger raise:
    what would fail or lose data later is said before anything is started.
    """
    settings.artifacts.mkdir(parents=True, exist_ok=True)
    keys = token_keys(settings)
    os.environ["OFFING_TOKEN_KEYS"] = ",".join(f"{name}:{secret.hex()}" for name, secret in keys.secrets.items())
    # uvicorn raises the signal again after its own end: without this the embedded parts would not be stopped in order
    signal.signal(signal.SIGTERM, _leave)
    with closing(listening(settings)) as door:
        preflight(settings)
        if settings.workers > 1:
            _count_together(settings)
        with embedded_parts(settings):
            logger.warning("answering HTTP", extra={"port": door.getsockname()[1], "namespace": settings.namespace})
            _answer(settings, door)


def listening(settings: Settings) -> socket.socket:
    """The door's socket. Raises Stop PORT_UNUSABLE."""
    door = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        door.bind((settings.host, settings.port))
    except OSError as error:
        door.close()
        message = f"{settings.host}:{settings.port} cannot be listened on: {error.strerror or error}"
        raise Stop("PORT_UNUSABLE", f"{message}; stop what uses it, or set OFFING_PORT (0 takes a free one)") from error
    return door


def preflight(settings: Settings) -> None:
    """Look before starting. Raises InvalidInput CAMPAIGNS_INVALID, Stop STORE_EVICTS; what is only bad is logged."""
    with closing(ledger(settings)) as book, closing(event_log(settings)) as log:
        activation(settings, book).load()
        for found in doctor.examine(settings, settings.redis_url or None, log, book):
            if found.good:
                continue
            if found.name == doctor.EVICTION:
                raise Stop("STORE_EVICTS", f"{found.name} is {found.found}; {found.mend}")
            logger.error("%s: %s; %s", found.name, found.found, found.mend)


def _count_together(settings: Settings) -> None:
    """Metrics of several processes go through files; children find the folder in their environment."""
    metrics = settings.artifacts / "metrics"
    shutil.rmtree(metrics, ignore_errors=True)
    metrics.mkdir()
    os.environ[METRICS] = str(metrics)


def _answer(settings: Settings, door: socket.socket) -> None:
    config = uvicorn.Config(
        "offers.api.app:create",
        factory=True,
        workers=settings.workers,
        access_log=False,
        log_config=None,  # uvicorn's own would print the messages of exceptions, which may repeat what was sent
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=DRAIN_S,
    )
    if settings.workers == 1:
        server = uvicorn.Server(config)
        try:
            server.run(sockets=[door])
        except KeyboardInterrupt:
            return
        if not server.started:
            raise Stop("START_FAILED", "the service did not start; the log lines above say why")
        return
    Multiprocess(config, sockets=[door]).run()


def _leave(number: int, frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)


@contextmanager
def embedded_parts(settings: Settings) -> Iterator[None]:
    """Valkey and the consumer for as long as the block runs, if no Redis is named; OFFING_REDIS_URL then names it.

    One of them that is killed is started again.
    """
    if not settings.embedded:
        yield
        return
    logger.warning("embedded: Valkey, log, ledger and consumer run beside this process, in %s", settings.artifacts)
    valkey = EmbeddedValkey(settings.valkey_folder)
    os.environ["OFFING_REDIS_URL"] = valkey.start()
    parts = _Parts(valkey)
    try:
        yield
    finally:
        parts.stop()


class _Parts:
    """The children of an embedded `serve`, looked after by a thread that lives as long as the process."""

    def __init__(self, valkey: EmbeddedValkey) -> None:
        self._valkey = valkey
        self._consumer = _consumer()
        self._ending = threading.Event()
        self._watch = threading.Thread(target=self._look_after, name="offing-parts", daemon=True)
        self._watch.start()

    def stop(self) -> None:
        """The consumer first: it has to write down how far it came."""
        self._ending.set()
        self._watch.join()
        self._consumer.terminate()
        try:
            self._consumer.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._consumer.kill()
            self._consumer.wait()
        self._valkey.stop()

    def _look_after(self) -> None:
        stopped = False
        while not self._ending.wait(LOOK_S):
            self._revive_store()
            ended = self._consumer.poll()
            if ended is not None and ended < 0:
                logger.error("the consumer was killed; it is started again", extra={"status": ended})
                self._consumer = _consumer()
            elif ended and not stopped:
                stopped = True
                logger.critical("the consumer stopped: mend what it says above, then restart", extra={"status": ended})

    def _revive_store(self) -> None:
        if self._valkey.alive:
            return
        logger.error("the embedded Valkey was killed; it is started again")
        try:
            self._valkey.start(lasting=True)
        except Stop as error:
            logger.critical("the embedded Valkey does not start: %s", error, extra={"code": error.code})


def _consumer() -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "offers.cli", "consume", "--while-parent", str(os.getpid())])


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
