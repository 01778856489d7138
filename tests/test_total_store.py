"""Totals in the store: paid once, read by what changed, forgotten in time; on one server and on a cluster."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
import redis
from prometheus_client import REGISTRY

from streams import total_store
from streams.errors import Retry, Stop
from streams.instant import DAY_MS
from streams.total_store import TotalReader, TotalWriter
from streams.total_tail import TotalTail
from streams.totals import Kept, Series
from streams.valkey import Client, Keys
from tests.profile_stage import empty
from tests.test_totals import NOW, nobody, redeemed

SPA = "redeemed|campaign|spa|ever|||"
BAR = "redeemed|campaign|bar|ever|||"


class Deaf(Client):
    """A client whose next commands reach the server, and whose answers are lost."""

    deaf = 0

    def replies(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        found = super().replies(commands)
        if self.deaf:
            self.deaf -= 1
            raise redis.ConnectionError("the answer was lost")
        return found


def paid(writer: TotalWriter, partition: int, *fields: str) -> None:
    writer.owe(partition, fields)
    writer.pay()


def missed() -> float:
    return REGISTRY.get_sample_value("offing_totals_missed_total") or 0.0


def test_totals_of_all_partitions_are_added_up(store_client: Client, keys: Keys) -> None:
    writer, reader = TotalWriter(store_client, keys), TotalReader(store_client, keys)
    assert reader.read().counts == {}
    paid(writer, 0, SPA, SPA, BAR)
    paid(writer, 7, SPA)
    assert reader.read().counts == {SPA: 3, BAR: 1}
    paid(writer, 7, BAR)
    assert reader.read().counts == {SPA: 3, BAR: 2}
    assert reader.read() is reader.read(), "nothing changed, nothing made"
    assert TotalReader(store_client, keys).read().counts == {SPA: 3, BAR: 2}, "whoever comes later reads all of it"


def test_two_writers_of_one_partition_lose_nothing_and_double_nothing(client: Client, keys: Keys) -> None:
    one, other = TotalWriter(client, keys), TotalWriter(client, keys)
    for _ in range(3):
        paid(one, 0, SPA)
        paid(other, 0, SPA)
    assert TotalReader(client, keys).read().counts == {SPA: 6}


def test_a_payment_whose_answer_was_lost_is_made_once(client: Client, keys: Keys) -> None:
    deaf = Deaf(connection_pool=client.connection_pool)
    writer, reader = TotalWriter(deaf, keys), TotalReader(client, keys)
    deaf.deaf = 2
    with pytest.raises(Retry):
        paid(writer, 0, SPA)
    with pytest.raises(Retry):
        paid(writer, 0, BAR)
    assert reader.read().counts == {SPA: 1}
    writer.pay()
    assert reader.read().counts == {SPA: 1, BAR: 1}


def test_a_payment_in_doubt_is_given_up_where_somebody_else_paid_since_and_said_to_be(
    client: Client, keys: Keys
) -> None:
    deaf = Deaf(connection_pool=client.connection_pool)
    writer, before = TotalWriter(deaf, keys), missed()
    deaf.deaf = 1
    with pytest.raises(Retry):
        paid(writer, 0, SPA, SPA)
    paid(TotalWriter(client, keys), 0, BAR)
    writer.pay()
    paid(writer, 0, BAR)
    assert TotalReader(client, keys).read().counts == {SPA: 2, BAR: 2}, "missed at worst, doubled never"
    assert missed() == before + 2


def test_an_emptied_store_is_read_anew_and_paid_into_anew(client: Client, keys: Keys) -> None:
    writer, reader = TotalWriter(client, keys), TotalReader(client, keys)
    paid(writer, 0, SPA)
    paid(writer, 0, BAR)
    assert reader.read().counts == {SPA: 1, BAR: 1}
    empty(client, keys)
    paid(writer, 0, SPA)
    paid(writer, 0, SPA)
    assert reader.read().counts == {SPA: 2}, "as many payments as before, and others"
    empty(client, keys)
    assert reader.read().counts == {}


def test_totals_of_another_version_are_refused(client: Client, keys: Keys) -> None:
    client.hset(keys.totals(3), mapping={"#v": 2, "#born": "x", "#n": 1, "#last": "x"})
    with pytest.raises(Stop, match="expected b'1'"):
        TotalReader(client, keys).read()


def test_totals_of_version_1_are_read_for_ever(client: Client, keys: Keys) -> None:
    client.hset(keys.totals(3), mapping={"#v": 1, "#born": "x", "#n": 1, "#last": "x", SPA: 41})
    assert TotalReader(client, keys).read().counts == {SPA: 41}
    writer = TotalWriter(client, keys)
    paid(writer, 3, SPA)
    assert TotalReader(client, keys).read().counts == {SPA: 42}


def test_periods_that_are_over_are_forgotten_once_a_day(client: Client, keys: Keys) -> None:
    kept = Kept((Series("redeemed", "campaign", "spa", "day Europe/Rome"),))
    writer = TotalWriter(client, keys)
    for day in range(5):
        paid(writer, 0, *kept.fields(redeemed(NOW + day * DAY_MS), nobody))
    writer.prune(0, NOW + 4 * DAY_MS)
    today = [f"redeemed|campaign|spa|day Europe/Rome||2026-11-{day}|" for day in (24, 25)]
    assert TotalReader(client, keys).read().counts == {SPA: 5, today[0]: 1, today[1]: 1}
    assert client.zcard(keys.totals_changed(0)) == 3, "what changed when is forgotten with it"


def test_beyond_the_bound_no_new_value_is_counted_apart_and_everything_else_is(
    client: Client, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(total_store, "MOST_FIELDS", 6)  # 4 of them are the hash's own
    writer = TotalWriter(client, keys)
    first, second = (f"exposed|all||day UTC|customer.home|2026-11-21|{value}" for value in ("ITLIV", "ITOLB"))
    paid(writer, 0, SPA, first)
    paid(writer, 0, first, second, BAR)
    assert TotalReader(client, keys).read().counts == {SPA: 1, BAR: 1, first: 2}


def test_a_tail_prepares_new_totals_before_anybody_sees_them(client: Client, keys: Keys) -> None:
    seen: list[tuple[object, object]] = []
    tail = TotalTail(TotalReader(client, keys), lambda: True, lambda found: seen.append((found, tail.totals)))
    tail.look()
    first = tail.totals
    paid(TotalWriter(client, keys), 0, SPA)
    tail.look()
    tail.look()
    assert seen[-1] == (tail.totals, first)
    assert [found for found, _ in seen].count(tail.totals) == 1, "once for each"


def test_a_tail_reads_only_if_somebody_asks_and_keeps_the_last_if_the_store_is_away(client: Client, keys: Keys) -> None:
    deaf, asked = Deaf(connection_pool=client.connection_pool), [False]
    tail = TotalTail(TotalReader(deaf, keys), lambda: asked[0])
    paid(TotalWriter(client, keys), 0, SPA)
    tail.look()
    assert tail.totals.counts == {}
    asked[0] = True
    tail.look()
    assert tail.totals.counts == Counter({SPA: 1})
    deaf.deaf = 1
    tail.look()
    assert tail.totals.counts == Counter({SPA: 1})
