"""The simulated world: seeded, in order of time, within the contracts, and a stranger to the packages it exercises."""

import ast
import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from loadtests.world import PLACES, Progress, World, WorldReport
from loadtests.world_clock import DAY_MS, HOUR_MS, MINUTE_MS
from loadtests.world_doors import ATTEMPTS, DoorClosed, Doors
from loadtests.world_geography import load
from loadtests.world_lives import AT_HOME, Session
from loadtests.world_market import SailingMarket, fares, room, sailings_on
from loadtests.world_people import population
from loadtests.world_tastes import Shown, accepts
from offers.event_rules import check
from offers.folder import load_folder
from offers.request import parse as parse_request
from offers.request import read
from streams.events import parse
from streams.ids import CustomerId
from streams.instant import parse_instant

LOADTESTS = Path(__file__).parent.parent / "loadtests"
CAMPAIGNS = LOADTESTS.parent / "deploy" / "campaigns"
END = parse_instant("2026-11-21T18:15:00Z")
Answer = Callable[[httpx.Request], httpx.Response]


class Recorder(httpx.AsyncBaseTransport):
    """Keeps every request and answers with the same cards for everyone."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, Any]] = []
        """(path, Offing-Now, body)"""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = orjson.loads(request.content)
        self.requests.append((request.url.path, request.headers["Offing-Now"], body))
        if request.url.path != "/v1/decisions":
            return httpx.Response(202, json={"results": [{"id": "e", "status": "accepted"} for _ in body]})
        await asyncio.sleep(0)  # answers overtake each other
        placements = [_slate(body["customer_id"], wanted) for wanted in body["placements"]]
        return httpx.Response(200, json={"decision_id": "d", "degraded": [], "placements": placements})


def _slate(customer: str, wanted: dict[str, Any]) -> dict[str, Any]:
    token = f"{customer}/{wanted['placement']}"
    about = {"sailing_id": "ITLIV-ITOLB/2026-11-21T21:30"}
    item = {"offer_id": "from-here-deck", "rank": 1, "token": token, "about": about, "price": {"minor": 2500}}
    return {"placement": wanted["placement"], "fallback": False, "items": [item]}


def run(
    world: World, transport: httpx.AsyncBaseTransport, progress: Callable[[Progress], None] = lambda step: None
) -> WorldReport:
    async def whole() -> WorldReport:
        async with httpx.AsyncClient(transport=transport, base_url="http://offing.test") as client:
            return await world.run(client, progress)

    return asyncio.run(whole())


def test_the_same_seed_sends_every_customer_the_same_requests_in_the_same_order() -> None:
    first, second, other = Recorder(), Recorder(), Recorder()
    for seed, recorder in ((3, first), (3, second), (4, other)):
        run(World(seed, 40, end=END, days=4), recorder)
    assert _by_customer(first) == _by_customer(second)
    assert _by_customer(first) != _by_customer(other)


def test_simulated_time_never_goes_back_and_ends_at_the_end() -> None:
    recorder = Recorder()
    run(World(3, 40, end=END, days=4), recorder)
    times = [parse_instant(now) for _, now, _ in recorder.requests]
    assert times == sorted(times)
    assert times[0] == (END - 4 * DAY_MS) // HOUR_MS * HOUR_MS
    assert times[-1] == END


def test_every_event_and_request_keeps_to_the_contracts_of_the_example_deployment() -> None:
    loaded = load_folder(CAMPAIGNS)
    assert loaded.attributes is not None and loaded.campaigns is not None
    recorder = Recorder()
    run(World(3, 60, end=END, days=8), recorder)
    kinds: Counter[str] = Counter()
    for path, now, body in recorder.requests:
        if path == "/v1/decisions":
            asked = parse_request(
                read(orjson.dumps(body)), CustomerId(body["customer_id"]), loaded.attributes, parse_instant(now)
            )
            assert {wanted.placement for wanted in asked.request.placements} <= set(loaded.campaigns.placements)
            assert "context.device_class" in asked.request.context
            kinds[asked.location_status] += 1
        for told in body if path == "/v1/events" else ():
            kinds[told["type"]] += 1
            if told["type"] == "offer.redeemed":
                told = {**told, "data": _REDEEMED}
            event = parse(orjson.dumps(told))
            check(event, loaded.attributes)
            assert event.time <= parse_instant(now)
    assert min(kinds[kind] for kind in _EXPECTED) > 0, kinds


def test_answers_to_offers_are_exposed_before_they_are_clicked_and_only_then_paid_for() -> None:
    recorder = Recorder()
    report = run(World(5, 150, end=END, days=6), recorder)
    outcomes = [outcome for path, _, body in recorder.requests if path == "/v1/outcomes" for outcome in body]
    by_token: dict[tuple[str, str], list[str]] = {}
    for outcome in outcomes:
        by_token.setdefault((outcome["token"], outcome["at"]), []).append(outcome["outcome"])
    assert {tuple(done) for done in by_token.values()} == {
        ("exposed",),
        ("exposed", "clicked"),
        ("exposed", "dismissed"),
    }
    assert report.outcomes["exposed"] == sum("exposed" in done for done in by_token.values())
    assert 0 < report.outcomes["redeemed"] < report.outcomes["clicked"] < report.outcomes["exposed"]
    redeemed = [told["data"] for path, _, body in recorder.requests if path == "/v1/events" for told in body]
    assert sum("token" in data for data in redeemed) == report.outcomes["redeemed"]


def test_progress_rises_to_one() -> None:
    seen: list[Progress] = []
    report = run(World(3, 20, end=END, days=2), Recorder(), seen.append)
    assert [step.share for step in seen] == sorted(step.share for step in seen)
    assert (seen[-1].share, seen[-1].decisions) == (1.0, report.decisions)


def test_the_world_imports_none_of_the_packages() -> None:
    files = sorted(LOADTESTS.glob("world*.py"))
    assert len(files) >= 8
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            assert {name.split(".")[0] for name in names}.isdisjoint({"offers", "scoring", "streams"}), file.name


def test_all_fourteen_lines_sail_both_ways_at_about_twenty_knots() -> None:
    geography = load(PLACES)
    assert len(geography.lines) == 28
    week = [parse_instant("2026-11-16T12:00:00Z") + day * DAY_MS for day in range(7)]
    for line in geography.lines.values():
        sailings = [sailing for at in week for sailing in sailings_on(line, _day(at))]
        assert sailings, line.id
        hours = (sailings[0].arrival - sailings[0].departure) / HOUR_MS
        assert abs(hours - 0.5 - line.km / 37.04) < 0.1
    night = sailings_on(geography.lines["ITLIV-ITOLB"], _day(END))[0]
    assert night.id == "ITLIV-ITOLB/2026-11-21T21:30"
    assert night.departure == parse_instant("2026-11-21T20:30:00Z")


def test_fares_move_in_steps_and_cabins_run_out() -> None:
    geography = load(PLACES)
    sailing = sailings_on(geography.lines["ITLIV-ITOLB"], _day(END))[0]
    hours = [sailing.departure - hour * HOUR_MS for hour in range(24 * 7, 0, -1)]
    quoted = [fares(1, sailing, at)["deck"] for at in hours]
    assert 2 <= len(set(quoted)) <= 6
    free = [room(1, sailing, at)["inside"] for at in hours]
    assert free == sorted(free, reverse=True)
    assert free[0] > free[-1]


def test_the_market_says_only_what_is_new() -> None:
    geography = load(PLACES)
    market = SailingMarket(1, geography)
    first = list(market.news(END, whole=True))
    again = list(market.news(END + MINUTE_MS, whole=True))
    assert len(again) < len(first) / 10
    assert {told["type"] for told in first} == {
        "sailing.schedule",
        "sailing.fare",
        "sailing.capacity",
        "venue.capacity",
    }
    ahead = {str(told["subject"]) for told in first if told["type"] == "sailing.schedule"}
    assert any(name.endswith("2026-11-28T21:30") for name in ahead), "a week ahead is on sale"


def test_attributes_are_a_shadow_of_the_tastes_and_the_tastes_decide() -> None:
    people = list(population(1, 600, load(PLACES)).values())
    fond = [person for person in people if person.tastes["spa"] > 1]
    averse = [person for person in people if person.tastes["spa"] < -1]
    assert _mean([p.attributes["spa_visits"] for p in fond]) > 3 * _mean([p.attributes["spa_visits"] for p in averse])
    shown = Shown("spa-on-board", "app.home.hero", 1, 3200, False, 0)
    at_sea = Session(END, "", "on_board", (0.0, 0.0), "phone")
    assert _mean([accepts(p, at_sea, shown) for p in fond]) > 3 * _mean([accepts(p, at_sea, shown) for p in averse])


def test_the_truth_likes_low_prices_friends_and_tablets_and_tires() -> None:
    person = next(iter(population(1, 1, load(PLACES)).values()))
    phone, tablet = (Session(END, person.id, AT_HOME, (0.0, 0.0), device) for device in ("phone", "tablet"))

    def chance(session: Session = phone, price: int = 3000, friends: bool = False, seen: int = 0) -> float:
        return accepts(person, session, Shown("from-here-deck", "app.home.hero", 1, price, friends, seen))

    assert chance(price=2000) > chance() > chance(price=4500)
    assert chance(friends=True) > chance() > chance(seen=3)
    assert 1.1 < chance(tablet) / chance() < 1.25


def test_friendship_is_mutual() -> None:
    people = population(1, 300, load(PLACES))
    assert all(person.id in people[friend].friends for person in people.values() for friend in person.friends)
    assert sum(bool(person.friends) for person in people.values()) > 200


def test_a_batch_is_sent_again_only_for_what_says_retry() -> None:
    asked: list[list[str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append([told["id"] for told in orjson.loads(request.content)])
        statuses = {"a": "accepted", "b": "retry" if len(asked) == 1 else "accepted", "c": "rejected"}
        return httpx.Response(207, json={"results": [{"status": statuses[name], "code": "X"} for name in asked[-1]]})

    doors = _through(answer, lambda doors: doors.send_events([{"id": name} for name in "abc"], END))
    assert asked == [["a", "b", "c"], ["b"]]
    assert doors.traffic.events == Counter({"accepted": 2, "rejected": 1})
    assert doors.traffic.errors == Counter({"X": 1})


def test_a_door_that_stays_closed_is_an_error_that_says_so() -> None:
    tried: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        tried.append(request.url.path)
        return httpx.Response(503, headers={"Retry-After": "0"}, text="away")

    with pytest.raises(DoorClosed, match="503 away"):
        _through(answer, lambda doors: doors.decide({}, END))
    assert len(tried) == ATTEMPTS


def test_a_refused_request_is_not_sent_again() -> None:
    with pytest.raises(DoorClosed, match="422"):
        _through(lambda request: httpx.Response(422, text="no"), lambda doors: doors.decide({}, END))


_EXPECTED = (
    "customer.profile", "customer.preferences", "customer.consent", "customer.device", "customer.social",
    "customer.booking", "sailing.schedule", "sailing.fare", "sailing.capacity", "venue.capacity", "offer.redeemed",
    "precise", "approximate", "denied", "off",
)  # fmt: skip
_REDEEMED = {"decision_id": "", "offer_id": "o", "campaign_id": "c", "collection": "", "placement": "app.home.hero"}


def _by_customer(recorder: Recorder) -> dict[str, list[Any]]:
    """Every customer's own requests and events, in order."""
    found: dict[str, list[Any]] = {}
    for path, now, body in recorder.requests:
        for part in [body] if isinstance(body, dict) else body:
            key = part.get("customer_id") or part.get("subject") or part["token"].split("/")[0]
            found.setdefault(key, []).append((path, now, part))
    return found


def _through(answer: Answer, use: Callable[[Doors], Any]) -> Doors:
    async def whole() -> Doors:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://offing.test") as client:
            doors = Doors(client)
            await use(doors)
            return doors

    return asyncio.run(whole())


def _day(at: int) -> date:
    return datetime.fromtimestamp(at / 1000, UTC).date()


def _mean(values: list[Any]) -> float:
    return float(sum(values)) / len(values)
