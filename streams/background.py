"""A thread of its own for a loop, and a future that says how the loop ended."""

import sys
from collections.abc import Callable
from concurrent.futures import Future
from threading import Event, Thread

from streams.errors import Stop


def run_in_background(name: str, loop: Callable[[], None]) -> "Future[None]":
    """Start the loop; the future ends with it, and holds its Stop error if it raised one.

    A daemon thread: a process that has to end does not wait for a loop that nobody stopped. Any other error is a
    mistake in our code: the future holds it, and the interpreter prints it as for every thread.
    """
    ended: Future[None] = Future()

    def run() -> None:
        try:
            loop()
            ended.set_result(None)
        except Stop as error:
            ended.set_exception(error)
        finally:
            if not ended.done():
                ended.set_exception(sys.exc_info()[1])

    Thread(target=run, name=name, daemon=True).start()
    return ended


class NowAndThen:
    """look() every `every_s` seconds in a thread, first after `first_s` (default: the same); 0: never."""

    def __init__(self, name: str, every_s: float, look: Callable[[], None], first_s: float | None = None) -> None:
        self._name = name
        self._every_s = every_s
        self._first_s = every_s if first_s is None else min(every_s, first_s)
        self._look = look
        self._running: Future[None] | None = None
        self.stopping = Event()

    def start(self) -> None:
        """Look from now on."""
        if self._every_s:
            self._running = run_in_background(self._name, self._follow)

    def stop(self) -> None:
        """End, with a look that is under way. Idempotent."""
        self.stopping.set()
        if self._running is not None:
            self._running.result()
            self._running = None

    def _follow(self) -> None:
        wait_s = self._first_s
        while not self.stopping.wait(wait_s):
            self._look()
            wait_s = self._every_s
