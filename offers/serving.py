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
from offers.runtime import activation, doctors_parts, serving_ledger, token_keys
from streams.errors import Stop
from streams.settings import Settings

logger = logging.getLogger("offing.serving")
DRAIN_S = 10
"""How long requests in flight may take once the end was asked for."""
WORKER_S = 60
"""A worker that has not said a word for so long is killed: its start on a busy host takes longer than uvicorn's 5 s."""


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
    """Look before starting. Raises InvalidInput CAMPAIGNS_INVALID, Stop STORE_EVICTS, LEDGER_SCHEMA, TOPICS_MISSING.

    What is bad and loses nothing is logged.
    """
    with closing(serving_ledger(settings)) as book:
        activation(settings, book).load()
        found = doctor.examine(doctors_parts(settings, book))
    for each in found:
        if not each.good:
            logger.error("%s: %s; %s", each.name, each.found, each.mend)
    refused = doctor.refusal(found)
    if refused is not None:
        raise refused


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
        timeout_worker_healthcheck=WORKER_S,
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
