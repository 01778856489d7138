"""A loop in a thread, and a future that says how it ended."""

import threading
from threading import Event as Flag
from threading import current_thread

import pytest

from streams.background import run_in_background
from streams.errors import Stop
from tests.makers import PATIENCE_S


def test_the_future_ends_with_the_loop() -> None:
    go = Flag()
    names: list[tuple[str, bool]] = []

    def loop() -> None:
        names.append((current_thread().name, current_thread().daemon))
        go.wait()

    ended = run_in_background("offing-test", loop)
    assert not ended.done()
    go.set()
    ended.result(PATIENCE_S)
    assert names == [("offing-test", True)]


def test_a_stop_is_held_for_who_asks() -> None:
    def loop() -> None:
        raise Stop("LOG_RESTARTED", "an older copy")

    with pytest.raises(Stop, match="an older copy"):
        run_in_background("offing-test", loop).result(PATIENCE_S)


def test_a_mistake_in_our_code_is_held_and_printed_too(monkeypatch: pytest.MonkeyPatch) -> None:
    printed: list[str] = []
    done = Flag()

    def hook(told: threading.ExceptHookArgs) -> None:
        printed.append(f"{told.thread and told.thread.name}: {told.exc_value}")
        done.set()

    def loop() -> None:
        raise KeyError("oops")

    monkeypatch.setattr(threading, "excepthook", hook)
    with pytest.raises(KeyError, match="oops"):
        run_in_background("offing-test", loop).result(PATIENCE_S)
    assert done.wait(PATIENCE_S)
    assert printed == ["offing-test: 'oops'"]
