"""Redis and Valkey: key names, connections, scripts, errors."""

import asyncio
from pathlib import Path

import pytest
import redis

from streams.embedded_valkey import EmbeddedValkey
from streams.errors import Retry
from streams.ids import CustomerId
from streams.valkey import (
    ADVANCE,
    KEEP_FURTHEST,
    KEEP_NEWEST,
    REPLACE,
    Client,
    Keys,
    connect,
    connect_async,
    store_errors,
)


def test_a_customer_s_keys_share_one_slot(client: Client) -> None:
    keys = Keys("blue")
    customer = CustomerId("c-1")
    assert keys.profile(customer) == "{blue:c:c-1}:profile"
    assert keys.presence(customer) == "{blue:c:c-1}:presence"
    assert keys.pending(customer) == "{blue:c:c-1}:pending"
    assert keys.request(customer, "r-1") == "{blue:c:c-1}:request:r-1"
    assert keys.decision(customer, "k") == "{blue:c:c-1}:decision:k"
    assert (keys.market, keys.reached) == ("blue:market", "blue:reached")


def test_no_customer_or_request_id_can_name_another_customer_s_key() -> None:
    keys = Keys("blue")
    victim = CustomerId("x}:request:1")
    assert keys.request(CustomerId("x"), "1}:profile") != keys.profile(victim)
    assert keys.profile(victim) == "{blue:c:x%7D:request:1}:profile"
    assert keys.profile(CustomerId("x%7D:request:1")) != keys.profile(victim)


def test_replace_succeeds_only_on_the_bytes_it_was_made_from(client: Client, keys: Keys) -> None:
    key = keys.profile(CustomerId("c-1"))
    sha1_of_one = "fe05bcdcdc4928012781a5f1a2a77cbb5398e106"
    assert client.eval(REPLACE, 1, key, "", b"one") == 1
    assert client.eval(REPLACE, 1, key, "", b"two") == 0
    assert client.eval(REPLACE, 1, key, sha1_of_one, b"two") == 1
    assert client.eval(REPLACE, 1, key, sha1_of_one, b"three") == 0
    assert client.get(key) == b"two"


def test_advance_moves_all_fields_or_none(client: Client, keys: Keys) -> None:
    assert client.eval(ADVANCE, 1, keys.reached, "0", "", "5", "1", "", "6") == 1
    assert client.eval(ADVANCE, 1, keys.reached, "0", "5", "7", "1", "other", "8") == 0
    assert client.hgetall(keys.reached) == {b"0": b"5", b"1": b"6"}


def test_keep_newest_never_replaces_a_newer_value(client: Client, keys: Keys) -> None:
    key = keys.presence(CustomerId("c-1"))
    old, new = b"\x01" + (1000).to_bytes(8, "big") + b"old", b"\x01" + (2000).to_bytes(8, "big") + b"new"
    assert client.eval(KEEP_NEWEST, 1, key, new, 60_000) == 1
    assert client.eval(KEEP_NEWEST, 1, key, old, 60_000) == 0
    assert client.get(key) == new
    assert 0 < int(client.pttl(key)) <= 60_000


def test_keep_furthest_never_goes_back_but_follows_a_new_log(client: Client, keys: Keys) -> None:
    assert client.eval(KEEP_FURTHEST, 1, keys.market, "log-1", 20, b"m20") == 1
    assert client.eval(KEEP_FURTHEST, 1, keys.market, "log-1", 9, b"m9") == 0
    assert client.hget(keys.market, "state") == b"m20"
    assert client.eval(KEEP_FURTHEST, 1, keys.market, "log-2", 3, b"m3") == 1
    assert client.hmget(keys.market, ["epoch", "version", "state"]) == [b"log-2", b"3", b"m3"]


def test_a_server_that_is_not_there_is_retry(namespace: str) -> None:
    with connect(f"unix:///tmp/{namespace}-nothing-here") as client:
        with pytest.raises(Retry) as caught, store_errors():
            client.ping()
    assert (caught.value.code, caught.value.retryable) == ("STORE_UNAVAILABLE", True)


def test_a_server_that_an_operator_must_mend_is_waited_for(tmp_path: Path) -> None:
    server = EmbeddedValkey(tmp_path)
    with connect(server.start()) as client:
        client.config_set("min-replicas-to-write", "1")
        with pytest.raises(Retry, match="NOREPLICAS"), store_errors():
            client.set("k", "v")
        client.execute_command("ACL", "SETUSER", "default", "-get")
        with pytest.raises(Retry, match="NOPERM"), store_errors():
            client.get("k")
        with pytest.raises(redis.ResponseError, match="unknown command"), store_errors():
            client.execute_command("MISTAKE")
    server.stop()


def test_the_doors_client_answers_and_its_errors_are_retry(valkey_url: str, namespace: str) -> None:
    async def ask(url: str) -> list[object]:
        async with connect_async(url) as client:
            with store_errors():
                return await client.execute("k", (("ECHO", "here"), ("CLIENT", "GETNAME")), 1.0)

    assert asyncio.run(ask(valkey_url)) == [b"here", b"offing-api"]
    with pytest.raises(Retry, match="Redis does not answer"):
        asyncio.run(ask(f"unix:///tmp/{namespace}-nothing-here"))


def test_a_client_counts_its_connections(valkey_url: str) -> None:
    with connect(valkey_url) as client:
        assert client.connects == 0
        client.ping()
        client.ping()
        assert client.connects == 1
        client.connection_pool.disconnect()
        client.ping()
        assert client.connects == 2
        assert client.client_getname() == "offing"
