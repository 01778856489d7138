"""From accepted to durable: in the log before the answer, all of a topic or none, and in sight of the next decision."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest

from offers.acceptance import NOT_KEPT, Acceptance, Kept, weighed
from offers.answer_store import AnswerStore
from offers.arrival import Arrival, Rules
from offers.caller import SCOPES, key_caller
from offers.events_door import Batch, accept_events
from offers.tokens import OfferTokens, keys_of
from streams.attributes import Attribute, Kind, attribute_set
from streams.consumer import wall_clock
from streams.errors import Retry
from streams.events import Attributes
from streams.host_lock import HostLock
from streams.ids import CustomerId
from streams.log import CUSTOMERS, LOCATIONS, MARKET, Entry, Position, Topic
from streams.profile_store import read_pending
from streams.sqlite_file import FileLimits
from streams.sqlite_log import SqliteLog
from streams.valkey import Client, Keys, connect_async
from tests.makers import NOW, PATIENCE_S

ATTRIBUTES = attribute_set(
    (
        Attribute("customer", "loyalty_tier", 1, Kind.ENUM, ("blue", "gold"), event="customer.profile"),
        Attribute("customer", "motto", 2, Kind.STRING, event="customer.preferences"),
    )
)
RULES = Rules(ATTRIBUTES, OfferTokens(keys_of([("k1", "00" * 32)], "tests")))
ARRIVAL = Arrival(key_caller("tests", SCOPES), NOW)


def told(kind: str, subject: str, data: dict[str, Any], name: str) -> dict[str, Any]:
    named = {"id": name, "source": "tests", "type": kind, "subject": subject, "time": "2026-11-21T18:00:00Z"}
    return {"specversion": "1.0", **named, "data": data}


def gold(customer: str, name: str) -> dict[str, Any]:
    return told("customer.profile", customer, {"attributes": {"loyalty_tier": "gold"}}, name)


def fare(minor: int, name: str) -> dict[str, Any]:
    return told("sailing.fare", "s-1", {"product": "deck", "minor": minor}, name)


def batch_of(*events: dict[str, Any]) -> Batch:
    return accept_events(msgspec.json.encode(events), ARRIVAL, RULES)


@asynccontextmanager
async def accepting(log: SqliteLog, url: str, namespace: str) -> AsyncIterator[Acceptance]:
    async with connect_async(url) as client:
        yield Acceptance(log, AnswerStore(client, Keys(namespace)), wall_clock)


def keep(log: SqliteLog, url: str, namespace: str, *batches: Batch) -> list[Kept]:
    async def scenario() -> list[Kept]:
        async with accepting(log, url, namespace) as acceptance:
            return [await acceptance.keep(batch) for batch in batches]

    return anyio.run(scenario)


def held(log: SqliteLog, topic: Topic) -> int:
    return sum(len(log.read(topic, part, 0, 10_000)) for part in range(topic.partitions))


def statuses(kept: Kept) -> list[str]:
    return [result.status for result in kept.batch.results]


@pytest.fixture
def small(tmp_path: Path) -> Callable[[int], SqliteLog]:
    """A log on a disk of this many pages of 4 KiB."""
    opened: list[SqliteLog] = []

    def open_small(pages: int) -> SqliteLog:
        opened.append(SqliteLog(tmp_path / "log", clock=lambda: NOW, limits=FileLimits(max_pages=pages)))
        return opened[-1]

    return open_small


def fill(log: SqliteLog, topic: Topic, size: int = 100_000) -> None:
    """Until not one more small record fits."""
    while size > 50:
        try:
            log.append(topic, [Entry("filler", b"x" * size)]).result(PATIENCE_S)
        except Retry:
            size //= 2


def test_what_is_kept_is_in_the_log_and_waits_for_the_next_decision(
    tmp_path: Path, valkey_url: str, client: Client, namespace: str
) -> None:
    log = SqliteLog(tmp_path / "log", clock=wall_clock)
    batch = batch_of(gold("c-1", "e-1"), fare(100, "e-2"), gold("c-2", "e-3"), gold("c-1", "e-4"))
    (kept,) = keep(log, valkey_url, namespace, batch)
    assert statuses(kept) == ["accepted"] * 4
    assert (held(log, CUSTOMERS), held(log, MARKET)) == (3, 1)
    assert [event.id for _, _, event in kept.pending] == ["e-1", "e-3", "e-4"], "market events change no profile"
    assert (kept.degraded, kept.nothing) == ((), False)
    lines = client.lrange(Keys(namespace).pending(CustomerId("c-1")), 0, -1)
    waiting = read_pending([line for line in lines if isinstance(line, bytes)])
    assert [(event.id, event.data) for _, _, event in waiting] == [
        ("e-1", Attributes({"loyalty_tier": "gold"})), ("e-4", Attributes({"loyalty_tier": "gold"})),
    ]  # fmt: skip
    positions = [position for position, _, _ in waiting if isinstance(position, Position)]
    assert [position.offset for position in positions] == sorted({position.offset for position in positions})
    assert {position.epoch for position in positions} == {log.epoch()}
    log.close()


def test_a_log_that_stands_still_is_not_waited_for_longer_than_asked_and_may_keep_it_yet(
    tmp_path: Path, valkey_url: str, namespace: str
) -> None:
    log = SqliteLog(tmp_path / "log", clock=wall_clock, limits=FileLimits(busy_s=PATIENCE_S))

    async def scenario() -> Kept:
        async with accepting(log, valkey_url, namespace) as acceptance:
            with HostLock(tmp_path / "log-writer").held(PATIENCE_S):
                return await acceptance.keep(batch_of(gold("c-1", "e-1")), within_s=0.05)

    kept = anyio.run(scenario)
    (result,) = kept.batch.results
    assert (result.status, result.code, kept.degraded) == ("retry", "LOG_UNAVAILABLE", (NOT_KEPT,))
    assert "send it again: it counts once" in str(result.message)
    assert (kept.pending, kept.nothing) == ((), True)
    (again,) = keep(log, valkey_url, namespace, batch_of(gold("c-1", "e-1")))
    assert (statuses(again), held(log, CUSTOMERS)) == (["accepted"], 2)
    log.close()


def test_the_recorded_time_is_the_doors_where_time_is_simulated(
    tmp_path: Path, valkey_url: str, namespace: str
) -> None:
    log = SqliteLog(tmp_path / "log", clock=wall_clock)
    arrival = Arrival(ARRIVAL.caller, NOW, recorded=NOW)
    simulated = accept_events(msgspec.json.encode([gold("c-1", "e-1")]), arrival, RULES)
    before = wall_clock()
    first, second = keep(log, valkey_url, namespace, simulated, batch_of(gold("c-1", "e-2")))
    assert [recorded for _, recorded, _ in first.pending] == [NOW]
    assert all(recorded >= before for _, recorded, _ in second.pending)
    log.close()


def test_a_dry_run_weighs_events_and_leaves_nothing() -> None:
    kept = weighed(batch_of(gold("c-1", "e-1"), fare(100, "e-2")), NOW)
    assert [(position, recorded, event.id) for position, recorded, event in kept.pending] == [(None, NOW, "e-1")]
    assert statuses(kept) == ["accepted", "accepted"]


def test_on_a_full_disk_events_are_to_be_sent_again_and_none_is_half_kept(
    small: Callable[[int], SqliteLog], valkey_url: str, client: Client, namespace: str
) -> None:
    log = small(120)
    fill(log, LOCATIONS)
    before = (held(log, CUSTOMERS), held(log, MARKET))
    many = batch_of(*(gold(f"c-{number}", f"e-{number}") for number in range(400)), fare(100, "f-1"))
    (kept,) = keep(log, valkey_url, namespace, many)
    assert statuses(kept)[:400] == ["retry"] * 400
    assert {result.code for result in kept.batch.results[:400]} == {"LOG_UNAVAILABLE"}
    assert held(log, CUSTOMERS) == before[0], "not one of the four hundred"
    assert held(log, MARKET) == before[1] + (statuses(kept)[400] == "accepted")
    assert (kept.pending, kept.degraded) == ((), (NOT_KEPT,))
    assert client.exists(Keys(namespace).pending(CustomerId("c-1"))) == 0, "nobody sees what was not kept"
    log.close()
    roomy = small(2_000)
    (again,) = keep(roomy, valkey_url, namespace, many)
    assert statuses(again) == ["accepted"] * 401
    assert held(roomy, CUSTOMERS) == before[0] + 400
    roomy.close()


def test_topics_succeed_and_fail_apart(small: Callable[[int], SqliteLog], valkey_url: str, namespace: str) -> None:
    log = small(36)
    log.append(MARKET, [Entry("warm", b"{}")]).result(PATIENCE_S)
    big = {"attributes": {"motto": "x" * 100}}
    batch = batch_of(fare(100, "f-1"), *(told("customer.preferences", "c-1", big, f"e-{n}") for n in range(400)))
    (kept,) = keep(log, valkey_url, namespace, batch)
    assert statuses(kept) == ["accepted", *["retry"] * 400]
    assert (held(log, MARKET), held(log, CUSTOMERS)) == (2, 0)
    assert kept.nothing is False
    log.close()


def test_a_closed_log_keeps_nothing_and_says_so(tmp_path: Path, valkey_url: str, namespace: str) -> None:
    log = SqliteLog(tmp_path / "log", clock=wall_clock)
    log.close()
    (kept,) = keep(log, valkey_url, namespace, batch_of(gold("c-1", "e-1"), fare(1, "e-2")))
    assert (statuses(kept), kept.nothing, kept.degraded) == (["retry", "retry"], True, (NOT_KEPT,))


def test_a_log_that_is_slow_is_not_waited_for_longer_than_asked_and_takes_it_in_the_end(
    tmp_path: Path, valkey_url: str, namespace: str
) -> None:
    async def scenario(log: SqliteLog) -> None:
        async with accepting(log, valkey_url, namespace) as acceptance:
            with closing(sqlite3.connect(tmp_path / "log.sqlite", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                kept = await acceptance.keep(batch_of(gold("c-1", "e-1")), 0.1)
                other.execute("ROLLBACK")
            assert [(result.status, result.code) for result in kept.batch.results] == [("retry", "LOG_UNAVAILABLE")]
            assert (kept.degraded, kept.pending) == ((NOT_KEPT,), ())
            again = await acceptance.keep(batch_of(gold("c-1", "e-1")), PATIENCE_S)
            assert [result.status for result in again.batch.results] == ["accepted"]

    with closing(SqliteLog(tmp_path / "log.sqlite", clock=wall_clock)) as log:
        anyio.run(scenario, log)
        assert sum(log.end(CUSTOMERS).values()) == 2, "both are in the log; the fold counts one"


@pytest.mark.parametrize("url", ["unix:///nowhere/valkey", "redis://127.0.0.1:1"])
def test_without_redis_events_are_kept_all_the_same(tmp_path: Path, url: str, namespace: str) -> None:
    log = SqliteLog(tmp_path / "log", clock=wall_clock)
    (kept,) = keep(log, url, namespace, batch_of(gold("c-1", "e-1")))
    assert (statuses(kept), held(log, CUSTOMERS)) == (["accepted"], 1)
    assert [event.id for _, _, event in kept.pending] == ["e-1"], "this answer still folds it"
    log.close()


def test_an_empty_batch_is_nothing_to_send_again(tmp_path: Path, valkey_url: str, namespace: str) -> None:
    log = SqliteLog(tmp_path / "log", clock=wall_clock)
    none: Sequence[Kept] = keep(log, valkey_url, namespace, batch_of())
    assert (none[0].batch.results, none[0].nothing) == ((), False)
    log.close()
