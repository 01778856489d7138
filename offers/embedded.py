"""What runs beside a `serve` for which nothing is configured: its own Valkey and its consumer, looked after."""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from streams.embedded_valkey import EmbeddedValkey
from streams.errors import Stop
from streams.settings import Settings

logger = logging.getLogger("offing.serving")
STOP_S = 30.0
LOOK_S = 0.5


@contextmanager
def embedded_parts(settings: Settings) -> Iterator[None]:
    """Valkey and the consumer for as long as the block runs, if no Redis is named; OFFING_REDIS_URL then names it.

    One of them that is killed is started again.
    """
    if not settings.embedded:
        yield
        return
    logger.warning("embedded: %s run beside this process, in %s", told(settings), settings.artifacts)
    valkey = EmbeddedValkey(settings.valkey_folder)
    os.environ["OFFING_REDIS_URL"] = valkey.start()
    parts = _Parts(valkey)
    try:
        yield
    finally:
        parts.stop()


def told(settings: Settings) -> str:
    """What is embedded where no Redis is named: a log or a ledger on a server of its own is not."""
    named = ["Valkey"]
    if settings.kafka is None:
        named.append("log")
    if not settings.ledger_url:
        named.append("ledger")
    return f"{', '.join(named)} and consumer"


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
