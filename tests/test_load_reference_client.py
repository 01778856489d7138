"""The load's phones are the client that docs/apps.md prints, retries and queue included."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from loadtests.load import reference_client
from loadtests.load.exchange import Connections, Exchange, Refused
from loadtests.load.reference_client import at_once, done, printed
from loadtests.load.wire import target
from tests.canned import Asked, Canned, canned
from tests.test_docs import APPS

OFFER = {"token": "ot1.x", "ttl_s": 900, "offline": {"show": True}}
ANSWER = {"placements": [{"placement": "hero", "items": [OFFER]}], "withdrawn": []}


@contextmanager
def phone(server: Canned, slept: list[float], told: list[str] | None = None) -> Iterator[tuple[Any, Exchange]]:
    """The printed client behind an exchange that measures; `told`: what went wrong with each attempt."""
    wrongs = [] if told is None else told

    async def token() -> str:
        return "ok_1"

    connections = Connections(target(server.url), lambda path, seconds, size, wrong: wrongs.append(wrong))
    exchange = Exchange(connections)
    try:
        yield printed()(exchange, token, at_once(slept.append), time.time), exchange
    finally:
        connections.close()


def test_it_is_the_text_of_the_page() -> None:
    assert reference_client.PAGE.read_text(encoding="utf-8") == APPS
    assert printed().__name__ == "Offers" and printed() is printed()


def test_what_is_refused_for_a_while_is_asked_again_as_the_page_says() -> None:
    def answering(asked: Asked) -> tuple[int, Any]:
        return (503, {"code": "LOG_UNAVAILABLE"}) if asked.number < 3 else (200, ANSWER)

    slept: list[float] = []
    with canned(answering) as server, phone(server, slept) as (app, exchange):
        assert done(app.ask([{"placement": "hero"}])) == [("hero", OFFER)]
    assert (exchange.attempts, exchange.code, exchange.answer) == (3, "", ANSWER)
    assert exchange.first_sent_at < exchange.sent_at < exchange.answered_at
    assert len(slept) == 2 and 0.5 <= slept[0] <= 0.75 and 1.5 <= slept[1] <= 2.25
    assert len({asked.body["request_id"] for asked in server.asked}) == 1, "the same question, so it counts once"


def test_after_the_last_try_the_failure_has_its_code_and_the_queue_stays() -> None:
    with canned(lambda asked: (503, {"code": "LOG_UNAVAILABLE"})) as server, phone(server, []) as (app, exchange):
        app.report(OFFER, "exposed")
        done(app.flush())
    assert (exchange.attempts, exchange.code, len(app.queue)) == (3, "LOG_UNAVAILABLE", 1)


def test_a_body_that_can_never_succeed_is_not_sent_again() -> None:
    with canned(lambda asked: (422, {"code": "REQUEST_INVALID"})) as server, phone(server, []) as (app, exchange):
        with pytest.raises(Refused, match="REQUEST_INVALID"):
            done(app.ask([{"placement": "hero"}]))
    assert exchange.attempts == 1


def test_an_answer_that_is_no_problem_of_offings_has_its_status_for_a_code() -> None:
    with canned(lambda asked: (404, "<html>")) as server, phone(server, []) as (app, _):
        with pytest.raises(Refused, match="HTTP_404"):
            done(app.ask([]))


def test_nobody_there_is_tried_three_times() -> None:
    told: list[str] = []
    with canned(lambda asked: (200, {})) as server:
        pass
    with phone(server, [], told) as (app, exchange):
        assert done(app.ask([])) == []
    assert (exchange.attempts, exchange.code) == (3, "NO_ANSWER")
    assert len(told) == 3 and all("ConnectionRefused" in wrong for wrong in told), "each attempt is told"


def test_a_client_that_would_wait_for_an_event_loop_is_found_out() -> None:
    class Forever:
        def __await__(self) -> Any:
            yield

    async def waits() -> None:
        await Forever()

    with pytest.raises(RuntimeError, match="waits for an event loop"):
        done(waits())
