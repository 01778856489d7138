"""What the operator's servers tell during a run: bookings, what was paid for, fares, and sailings that sell out."""

import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from loadtests.load.backend import Backend
from loadtests.load.crowd import crowd
from loadtests.load.exchange import Connections, Exchange
from loadtests.load.sold_out import GRACE_S, SoldOut
from loadtests.load.traffic import ALONE, Part
from loadtests.load.wire import target
from loadtests.world_market import ROOM
from streams.instant import parse_instant
from tests.canned import Asked, Canned, canned

CROWD = crowd(1, 400, parse_instant("2026-11-21T18:00:00Z"))
SOMEBODY = CROWD.customers[0]


def accepted(asked: Asked) -> tuple[int, Any]:
    return 202, {"results": [{"status": "accepted"} for _ in asked.body]}


@contextmanager
def told_by(server: Canned) -> Iterator[Connections]:
    with closing(Connections(target(server.url), lambda *attempt: None)) as connections:
        yield connections


def events(server: Canned) -> list[dict[str, Any]]:
    return [event for asked in server.asked for event in asked.body]


def test_somebody_books_and_at_the_third_booking_completes_the_oldest() -> None:
    servers = Backend("l1", "ok_1", CROWD, ALONE)
    guest = next(each for each in CROWD.customers if not each.bookings)
    with canned(accepted) as server, told_by(server) as connections:
        for _ in range(3):
            servers.book(Exchange(connections), guest)
    told = events(server)
    bookings = [event["data"] for event in told if event["type"] == "customer.booking"]
    assert [data["status"] for data in bookings] == ["open", "open", "completed"]
    assert bookings[2]["booking_id"] == bookings[0]["booking_id"] != bookings[1]["booking_id"]
    trips = [event["data"]["attributes"]["open_trips"] for event in told if event["type"] == "customer.profile"]
    assert trips == [1, 2, 1]
    assert {event["subject"] for event in told} == {guest.person.id}


def test_what_was_paid_for_is_told_before_anything_else_is_booked() -> None:
    servers = Backend("l1", "ok_1", CROWD, ALONE)
    servers.paid(SOMEBODY, [{"token": "ot1.a"}, {"token": "ot1.b"}])
    with canned(accepted) as server, told_by(server) as connections:
        servers.book(Exchange(connections), CROWD.customers[1])
        servers.book(Exchange(connections), CROWD.customers[1])
    assert [(event["type"], event["subject"], event["data"]) for event in events(server)] == [
        ("offer.redeemed", SOMEBODY.person.id, {"token": "ot1.a"}),
        ("offer.redeemed", SOMEBODY.person.id, {"token": "ot1.b"}),
    ]


def test_ids_are_this_runs_and_this_generators_own() -> None:
    with canned(accepted) as server, told_by(server) as connections:
        for part in (Part(0, 2), Part(1, 2)):
            servers = Backend("l1", "ok_1", CROWD, part)
            for _ in range(3):
                servers.change_market(Exchange(connections), SoldOut())
                servers.book(Exchange(connections), SOMEBODY)
    named = [(event["source"], event["id"]) for event in events(server)]
    assert len(set(named)) == len(named)
    assert {name.split("-b-")[0] for _, name in named} == {"l1-0", "l1-1"}


def test_a_sailing_many_are_booked_on_sells_out_is_noted_once_taken_and_comes_back() -> None:
    servers, diary = Backend("l1", "ok_1", CROWD, ALONE, sold_s=0.0), SoldOut()
    with canned(accepted) as server, told_by(server) as connections:
        servers.change_market(Exchange(connections), diary)
        gone = events(server)
        sailing = gone[0]["subject"]
        assert {(event["type"], event["data"]["kind"], event["data"]["free"]) for event in gone} == {
            ("sailing.capacity", kind, 0) for kind in ROOM
        }
        assert diary.was_gone(sailing, "inside", time.perf_counter() + GRACE_S, time.perf_counter() + GRACE_S + 1)
        servers.change_market(Exchange(connections), diary)
    again = events(server)[len(gone) :]
    assert {event["subject"] for event in again} == {sailing}
    assert all(event["data"]["free"] > 0 for event in again)
    assert not diary.was_gone(sailing, "inside", time.perf_counter() + GRACE_S, time.perf_counter() + GRACE_S + 1)
    booked = [booking.sailing.id for each in CROWD.customers for booking in each.bookings]
    assert booked.count(sailing) > 1


def test_a_sold_out_sailing_that_was_not_taken_is_not_noted() -> None:
    servers, diary = Backend("l1", "ok_1", CROWD, ALONE), SoldOut()
    answer = {"results": [{"status": "rejected", "code": "EVENT_MALFORMED"}]}
    with canned(lambda asked: (207, answer)) as server, told_by(server) as connections:
        exchange = Exchange(connections)
        servers.change_market(exchange, diary)
    assert exchange.code == "EVENT_MALFORMED"
    assert not diary.knows(events(server)[0]["subject"], "inside")


def test_in_between_fares_move_on_sailings_that_are_on_sale() -> None:
    servers = Backend("l1", "ok_1", CROWD, ALONE)
    with canned(accepted) as server, told_by(server) as connections:
        for _ in range(4):
            servers.change_market(Exchange(connections), SoldOut())
    fares = [event for event in events(server) if event["type"] == "sailing.fare"]
    assert len({event["subject"] for event in fares}) == 2
    assert all(event["data"]["minor"] > 0 and event["data"]["minor"] % 50 == 0 for event in fares)
