"""The probe: it measures from the 202 to the price on the card, and knows when it was not shown."""

from contextlib import closing
from typing import Any

from loadtests.load import probe
from loadtests.load.exchange import Connections, Exchange
from loadtests.load.probe import LINE, NAME, PRODUCT, Probe, departure, introduction
from loadtests.load.wire import target
from loadtests.world import PLACES
from loadtests.world_geography import load
from streams.instant import DAY_MS, parse_instant
from tests.canned import Asked, canned

NOW = parse_instant("2026-11-21T18:00:00Z")
GEOGRAPHY = load(PLACES)
SAILING = departure(GEOGRAPHY, NOW)


class Target:
    """Shows a new price from the n-th question on."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.said = ""
        self.questions = 0
        self.fares: list[int] = []

    def __call__(self, asked: Asked) -> tuple[int, Any]:
        if asked.path == "/v1/events":
            (event,) = asked.body
            self.said, self.questions = event["time"], 0
            self.fares.append(event["data"]["minor"])
            return 202, {"results": [{"status": "accepted"}]}
        self.questions += 1
        shown = self.said if self.questions > self.after else "2026-11-21T18:00:00Z"
        item = {"token": "ot1.x", "ttl_s": 900, "offline": {"show": False}, "price": {"as_of": shown}}
        placement = {"placement": "app.trip.card", "items": [item, {**item, "price": {"minor": 1}}]}
        return 200, {"placements": [placement], "withdrawn": []}


def changes(shows: Any, number: int, patience_s: float = 5.0) -> list[float | None]:
    with canned(shows) as server, closing(Connections(target(server.url), lambda *attempt: None)) as connections:
        watcher = Probe("l1", "ok_1", SAILING, patience_s)
        return [watcher.change(Exchange(connections)) for _ in range(number)]


def test_it_asks_until_the_price_is_the_one_just_said() -> None:
    shows = Target(after=3)
    (seconds,) = changes(shows, 1)
    assert seconds is not None and seconds > 3 * probe.LOOK_S
    assert shows.questions == 4


def test_neighbouring_fares_differ() -> None:
    shows = Target(after=0)
    assert None not in changes(shows, 14)
    assert all(before != after for before, after in zip(shows.fares, shows.fares[1:], strict=False))


def test_a_price_that_is_never_shown_is_not_a_time() -> None:
    assert changes(Target(after=10_000), 1, patience_s=0.05) == [None]


def test_a_change_that_is_refused_is_not_a_time() -> None:
    assert changes(lambda asked: (403, {"code": "LOAD_NOT_ALLOWED"}), 1) == [None]


def test_its_sailing_is_its_own_and_on_a_line_with_cabins() -> None:
    told = introduction("l1", GEOGRAPHY, NOW)
    assert SAILING.line.id == LINE and SAILING.overnight and SAILING.id.endswith("T20:07")
    assert DAY_MS < SAILING.departure - NOW < 3 * DAY_MS
    assert {event["subject"] for event in told} == {NAME, SAILING.id}
    assert all(str(event["id"]).startswith("l1-p-") for event in told)
    (fare,) = [event["data"] for event in told if event["type"] == "sailing.fare"]
    assert isinstance(fare, dict) and fare["product"] == PRODUCT
