"""`offing serve`: HTTP workers, and with nothing configured also Valkey and the consumer."""

import logging
import os
import signal
import socket
from contextlib import closing
from types import FrameType

import uvicorn
from uvicorn.supervisors import Multiprocess

from offers import doctor
from offers.embedded import embedded_parts
from offers.listening import listen
from offers.runtime import activation, event_log, ledger, token_keys
from streams.errors import Stop
from streams.settings import Settings

logger = logging.getLogger("offing.serving")
DRAIN_S = 10
"""How long requests in flight may take once the end was asked for."""


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
    with closing(listen(settings.host, settings.port)) as door:
        preflight(settings)
        with embedded_parts(settings):
            logger.warning("answering HTTP", extra={"port": door.getsockname()[1], "namespace": settings.namespace})
            _answer(settings, door)


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
