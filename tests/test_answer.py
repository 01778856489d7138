"""A request's I/O around decide(): one read, one record, the cache, repeats, whereabouts, withdrawals."""

from pathlib import Path
from typing import Any

import anyio
import pytest

from streams.log import DECISIONS, LOCATIONS
from streams.record import DecisionRecord, decode
from tests.log_makers import everything
from tests.service import BARRIER, LIVORNO, PATIENCE_S, SAILING, Service, items, offers_of, service

HERE: dict[str, Any] = {"context": {"location": LIVORNO, "device": {"class": "phone"}}}
UPGRADE = "cabin-upgrade-inside"
FALLBACK = "islands-newsletter"


async def records(live: Service) -> list[DecisionRecord]:
    """Every decision record in the log, once those behind the answers are written."""
    await live.written()
    found = everything(live.runtime.log, DECISIONS)
    return [decode(record.value) for record in found if not record.key.startswith(BARRIER)]


def test_gold_passenger_near_the_port_gets_the_cabin_in_german(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            answer = await live.ask(locale="de-DE", **HERE)
            (item,) = items(answer)
            assert item["offer_id"] == UPGRADE
            assert item["about"] == {"booking_id": "b-771", "sailing_id": SAILING}
            assert item["price"]["minor"] == 4900, "70.00 less 30 %"
            assert item["representation"]["title"] == "Ihre Kabine für heute Nacht"
            assert item["representation"]["body"] == "Innenkabine, Abfahrt 22:30: 49,00\xa0€."
            assert item["token"] in item["representation"]["action"]["link"]
            assert item["offline"] == {"show": False, "because": "PRICE_AND_STOCK"}
            assert item["ttl_s"] == 900
            assert answer.json()["degraded"] == []

    anyio.run(scenario)


def test_a_decision_reads_redis_once(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            store = live.runtime.answerer.store
            for number in range(3):
                before = store.reads
                assert (await live.ask(request_id=f"r-{number}", **HERE)).status_code == 200
                assert store.reads - before == 1

    anyio.run(scenario)


def test_a_repeated_request_id_gives_the_same_decision_and_counts_once(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            first = await live.ask(request_id="r-1", **HERE)
            live.now += 5_000
            again = await live.ask(request_id="r-1", **HERE)
            assert again.json()["decision_id"] == first.json()["decision_id"]
            assert items(again)[0]["token"] == items(first)[0]["token"]
            assert items(again)[0]["ttl_s"] == items(first)[0]["ttl_s"] - 5
            assert len(await records(live)) == 1

    anyio.run(scenario)


def test_concurrent_repeats_share_one_computation(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            ids: set[str] = set()

            async def one() -> None:
                ids.add((await live.ask(request_id="r-1", **HERE)).json()["decision_id"])

            async with anyio.create_task_group() as group:
                for _ in range(20):
                    group.start_soon(one)
            assert len(ids) == 1
            assert len(await records(live)) == 1

    anyio.run(scenario)


def test_an_unchanged_situation_is_served_from_the_cache(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            first = await live.ask(request_id="r-1", **HERE)
            live.now += 1_000
            second = await live.ask(request_id="r-2", **HERE)
            assert second.json()["decision_id"] == first.json()["decision_id"]
            assert second.json()["request_id"] == "r-2"
            assert second.json()["server_time"] != first.json()["server_time"]
            assert len(await records(live)) == 1

    anyio.run(scenario)


@pytest.mark.parametrize("what", ["fare", "profile", "consent", "refresh"])
def test_a_cached_decision_ends_with_what_it_rests_on(what: str, tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            first = await live.ask(request_id="r-1", **HERE)
            live.now += 1_000
            if what == "fare":
                await live.send(live.event("sailing.fare", SAILING, {"product": "cabin_inside", "minor": 5000}))
                await live.market_seen()
            elif what == "profile":
                await live.send(live.event("customer.profile", "c-1", {"attributes": {"loyalty_tier": "blue"}}))
            elif what == "consent":
                await live.send(live.event("customer.consent", "c-1", {"purposes": {"personalised_offers": False}}))
            else:
                live.now += 121_000
            second = await live.ask(request_id="r-2", **HERE)
            assert second.json()["decision_id"] != first.json()["decision_id"]
            if what == "fare":
                assert items(second)[0]["price"]["minor"] == 3500
            elif what != "refresh":
                assert offers_of(second) == [FALLBACK]

    anyio.run(scenario)


def test_a_market_event_about_something_else_does_not_end_a_cached_decision(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            first = await live.ask(request_id="r-1", **HERE)
            await live.send(live.event("venue.capacity", "gallura-winery", {"free": 3}))
            await live.market_seen()
            second = await live.ask(request_id="r-2", **HERE)
            assert second.json()["decision_id"] == first.json()["decision_id"]

    anyio.run(scenario)


def test_read_your_writes_without_any_consumer(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            await live.gold_passenger()
            assert offers_of(await live.ask(**HERE)) == [UPGRADE]
            assert offers_of(await live.ask("c-2", **HERE)) == [FALLBACK], "nobody else is gold by that"

    anyio.run(scenario)


def test_events_in_the_request_count_for_its_own_answer_and_are_kept(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            shown = items(await live.ask(**HERE))[0]
            dismissed = live.event("offer.dismissed", "c-1", {"token": shown["token"]})
            answer = await live.ask(events=[dismissed], **HERE)
            assert [result["status"] for result in answer.json()["events"]] == ["accepted"]
            assert offers_of(answer) == [FALLBACK], "dismissed: suppressed until the departure"
            await live.folded()
            assert offers_of(await live.ask(request_id="later", **HERE)) == [FALLBACK]

    anyio.run(scenario)


def test_a_dry_run_leaves_nothing_behind(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            gold = live.event("customer.profile", "c-9", {"attributes": {"newsletter": True}})
            asked: dict[str, Any] = {"options": {"dry_run": True}, "events": [gold], "request_id": "r-1"}
            answer = await live.ask("c-9", **asked, **HERE)
            assert answer.status_code == 200
            assert len(await records(live)) == 0
            again = await live.ask("c-9", request_id="r-1", **HERE)
            assert again.json()["decision_id"] != answer.json()["decision_id"]

    anyio.run(scenario)


def test_now_needs_a_dry_run_and_moves_the_clock(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            late = "2026-11-21T20:30:00Z"  # less than 90 minutes before departure
            refused = await live.ask(options={"now": late}, **HERE)
            assert (refused.status_code, refused.json()["code"]) == (422, "NOW_NEEDS_DRY_RUN")
            answer = await live.ask(options={"now": late, "dry_run": True}, **HERE)
            assert offers_of(answer) == [FALLBACK]

    anyio.run(scenario)


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        (LIVORNO, UPGRADE),
        ({**LIVORNO, "status": "approximate", "accuracy_m": 6000}, UPGRADE),
        ({**LIVORNO, "lat": 40.92, "lon": 9.5}, FALLBACK),
        ({"status": "denied"}, FALLBACK),
        ({**LIVORNO, "status": "denied"}, FALLBACK),
        ({"status": "off"}, FALLBACK),
        ({"status": "not_determined"}, FALLBACK),
    ],
)
def test_every_kind_of_location(location: dict[str, object], expected: str, tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            await live.gold_passenger()
            assert offers_of(await live.ask(context={"location": location})) == [expected]
            await live.written()
            kept = sum(live.runtime.log.end(LOCATIONS).values())
            assert kept == (1 if location["status"] in ("precise", "approximate") else 0)

    anyio.run(scenario)


def test_presence_stands_in_for_a_missing_fix_for_fifteen_minutes(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            fix = {"lat": LIVORNO["lat"], "lon": LIVORNO["lon"], "accuracy_m": 30}
            await live.send(live.event("customer.location", "c-1", fix))
            with anyio.fail_after(PATIENCE_S):
                while offers_of(await live.ask()) != [UPGRADE]:
                    await anyio.sleep(0.05)
            live.now += 1_000
            await live.send(live.event("customer.consent", "c-1", {"purposes": {"location": False}}))
            assert offers_of(await live.ask()) == [FALLBACK], "presence needs consent"
            live.now += 1_000
            await live.send(live.event("customer.consent", "c-1", {"purposes": {"location": True}}))
            assert offers_of(await live.ask()) == [UPGRADE]
            await live.send(*live.sailing())
            live.now += 16 * 60_000
            await live.send(*live.sailing())
            await live.market_seen()
            assert offers_of(await live.ask()) == [FALLBACK]

    anyio.run(scenario)


def test_without_location_consent_the_fix_is_used_but_not_kept(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            assert (await live.ask("c-7", **HERE)).status_code == 200
            await live.written()
            assert sum(live.runtime.log.end(LOCATIONS).values()) == 0

    anyio.run(scenario)


def test_a_deadline_that_has_passed_gives_the_fallback(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            answer = await live.ask(options={"deadline_ms": 1}, **HERE)
            assert offers_of(answer) == [FALLBACK]
            (kept,) = await records(live)
            assert kept.inputs.candidate_limit == 0

    anyio.run(scenario)


def test_a_hurried_decision_is_not_kept_for_those_who_have_time(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            assert offers_of(await live.ask(request_id="r-1", options={"deadline_ms": 1}, **HERE)) == [FALLBACK]
            assert offers_of(await live.ask(request_id="r-2", **HERE)) == [UPGRADE]

    anyio.run(scenario)


def test_what_the_app_holds_is_withdrawn_once_it_no_longer_fits(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            token = items(await live.ask(**HERE))[0]["token"]
            foreign = items(await live.ask("c-2", **HERE))[0]["token"]
            holding = [token, foreign, "ot1.forged"]
            live.now += 1_000
            kept = await live.ask(holding=holding, **HERE)
            assert kept.json()["withdrawn"] == [foreign, "ot1.forged"]
            await live.send(live.event("sailing.capacity", SAILING, {"kind": "inside", "free": 0}))
            await live.market_seen()
            gone = await live.ask(holding=holding, **HERE)
            assert gone.json()["withdrawn"] == holding

    anyio.run(scenario)


def test_exposures_reach_the_cap(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            for number in range(3):
                item = items(await live.ask(request_id=f"r-{number}", **HERE))[0]
                assert item["offer_id"] == UPGRADE, number
                assert (await live.outcome(item["token"], "exposed")).status_code == 202
                assert (await live.outcome(item["token"], "exposed")).status_code == 202, "counts once"
            assert offers_of(await live.ask(request_id="r-4", **HERE)) == [FALLBACK]

    anyio.run(scenario)


def test_nobody_is_refused_for_being_unknown(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            assert offers_of(await live.ask("nobody-ever-heard-of", **HERE)) == [FALLBACK]

    anyio.run(scenario)


@pytest.mark.parametrize("status", ["denied", "off"])
def test_denying_takes_back_what_was_known_even_what_is_still_on_its_way(
    status: str, tmp_path: Path, valkey_url: str
) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            fix = {"lat": LIVORNO["lat"], "lon": LIVORNO["lon"], "accuracy_m": 30}
            assert (await live.send(live.event("customer.location", "c-1", fix))).status_code == 202
            with anyio.fail_after(PATIENCE_S):
                while offers_of(await live.ask()) != [UPGRADE]:
                    await anyio.sleep(0.05)
            late = live.event("customer.location", "c-1", fix)
            live.now += 1_000
            await live.ask(context={"location": {"status": status}})
            await live.send(late)
            await anyio.sleep(0.3)
            assert offers_of(await live.ask(request_id="without-location")) == [FALLBACK]

    anyio.run(scenario)


def test_a_fix_is_kept_only_with_consent_also_in_the_same_batch(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            fix = {"lat": 43.5, "lon": 10.3}
            refused = await live.send(live.event("customer.location", "c-3", fix))
            assert refused.status_code == 207
            assert [r["code"] for r in refused.json()["results"]] == ["CONSENT_MISSING"]
            assert sum(live.runtime.log.end(LOCATIONS).values()) == 0
            consent = live.event("customer.consent", "c-3", {"purposes": {"location": True}})
            kept = await live.send(consent, live.event("customer.location", "c-3", fix))
            assert kept.status_code == 202
            assert sum(live.runtime.log.end(LOCATIONS).values()) == 1

    anyio.run(scenario)


def test_a_fix_older_than_fifteen_minutes_is_no_fix(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url, consuming=False) as live:
            await live.gold_passenger()
            old = {**LIVORNO, "at": "2026-11-21T17:40:00Z"}
            recent = {**LIVORNO, "at": "2026-11-21T17:50:00Z"}
            assert offers_of(await live.ask(context={"location": old})) == [FALLBACK]
            assert offers_of(await live.ask(context={"location": recent})) == [UPGRADE]

    anyio.run(scenario)


def test_a_tests_decision_is_never_served_to_live_traffic(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            body = {"customer_id": "c-1", "placements": [{"placement": "app.home.hero", "limit": 1}], **HERE}
            headers = {**live.headers(), "offing-origin": "test"}
            tried = await live.http.post("/v1/decisions", json=body, headers=headers)
            real = await live.ask(**HERE)
            assert offers_of(tried) == offers_of(real) == [UPGRADE]
            assert tried.json()["decision_id"] != real.json()["decision_id"]

    anyio.run(scenario)


def test_answers_are_compressed_for_those_who_can_read_it(tmp_path: Path, valkey_url: str) -> None:
    async def scenario() -> None:
        async with service(tmp_path, valkey_url) as live:
            await live.gold_passenger()
            answer = await live.ask(**HERE)
            assert answer.headers["content-encoding"] == "gzip"
            assert int(answer.headers["content-length"]) < len(answer.content)

    anyio.run(scenario)
