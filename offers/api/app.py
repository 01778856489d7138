"""The FastAPI application: routes, problem details, and the runtime's life."""

import multiprocessing
import os
import signal
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.telemetry import TelemetryConfig

from offers import garbage
from offers.api import contract, decisions, events, health, problems, publications, replays
from offers.api.auth import Authenticator
from offers.api.clock import server_now
from offers.api.door import COMPRESSED_FROM, LEVEL, DecisionDoor
from offers.api.draining import Draining
from offers.runtime import open_runtime
from streams import settings as configuration
from streams.settings import Settings
from streams.telemetry import configure_logging

TITLE = "Offing"
DESCRIPTION = "The right offer for this person, here, now, in their language."


def create() -> Draining:
    """The application of one worker, configured by the environment. Used by uvicorn as a factory."""
    settings = configuration.from_environment()
    configure_logging(settings.log_level)
    _end_with_parent()
    app = application(settings, alone=True)
    draining = app.state.draining = Draining(app, settings.drain_s)
    draining.take_over()
    return draining


def _end_with_parent() -> None:
    """One of several workers drains and ends if the process that started it is killed: else it would hold the port."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="offing-parent", daemon=True).start()


def application(settings: Settings, *, alone: bool = False) -> FastAPI:
    """The application for these settings; `redis_url` must name a server that runs.

    `alone`: this process does nothing else, so its garbage collector may be set for it.
    """

    @asynccontextmanager
    async def life(app: FastAPI) -> AsyncIterator[None]:
        runtime = await open_runtime(settings, settings.redis_url)
        runtime.start()
        app.state.runtime = runtime
        app.state.authenticator = Authenticator(runtime.ledger, runtime.customer_tokens, server_now)
        if alone:
            garbage.settle()
        try:
            yield
        finally:
            await runtime.close()

    app = bare()
    app.router.lifespan_context = life
    return app


def bare() -> FastAPI:
    """The routes without a runtime: what openapi.json is made from."""
    # its own telemetry asks the environment three times a request, even where nobody configured any
    telemetry: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}
    app = FastAPI(title=TITLE, description=DESCRIPTION, version="1", redoc_url=None, telemetry=telemetry)
    for module in (decisions, replays, events, publications, health):
        app.include_router(module.router)
    app.add_middleware(GZipMiddleware, minimum_size=COMPRESSED_FROM, compresslevel=LEVEL)
    app.add_middleware(DecisionDoor)
    problems.install(app)
    contract.secure(app)
    return app
