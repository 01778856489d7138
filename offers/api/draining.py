"""How one worker leaves: from SIGTERM on it says that it is not ready and lets go of its clients one by one.

A load balancer needs some seconds to see that. Only then uvicorn takes no more connections, answers what is under way
and ends. Ctrl-C does not wait.
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from types import FrameType

from starlette.types import ASGIApp, Message, Receive, Scope, Send

logger = logging.getLogger("offing.draining")
CLOSE = (b"connection", b"close")
"""With it a client sends its next request over a new connection, to a worker that stays."""


class Draining:
    """An ASGI app around the application. `begun` is what readiness looks at."""

    def __init__(self, app: ASGIApp, for_s: float) -> None:
        self._app = app
        self._for_s = for_s
        self.begun = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, _closing(send) if self.begun else send)

    def take_over(self) -> None:
        """SIGTERM comes here first, and to whom it came so far after `for_s`. On the main thread, in its event loop."""
        loop, then = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)
        if not callable(then) or self._for_s == 0:
            return
        signal.signal(signal.SIGTERM, self._handler(loop, then))

    def _handler(
        self, loop: asyncio.AbstractEventLoop, then: Callable[[int, FrameType | None], object]
    ) -> Callable[[int, FrameType | None], None]:
        def leave(number: int, frame: FrameType | None) -> None:
            if self.begun:
                then(number, frame)
                return
            self.begun = True
            loop.call_soon_threadsafe(self._begin, loop, then, number)

        return leave

    def _begin(
        self, loop: asyncio.AbstractEventLoop, then: Callable[[int, FrameType | None], object], number: int
    ) -> None:
        logger.warning("leaving: not ready any more, answering on", extra={"after_s": self._for_s})
        loop.call_later(self._for_s, then, number, None)


def _closing(send: Send) -> Send:
    async def closing(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = {**message, "headers": [*message.get("headers", ()), CLOSE]}
        await send(message)

    return closing
