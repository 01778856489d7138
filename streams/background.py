"""A thread of its own for a loop, and a future that says how the loop ended."""

import sys
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

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
