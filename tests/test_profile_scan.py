"""Every profile read without being felt: all of them, once, of this namespace, on one server and on a cluster."""

from streams.ids import CustomerId
from streams.profile_scan import BATCH, Held, one, scan
from streams.valkey import Client, Keys

ODD = ("{a}", "50%", "x*y?[z]", "ü:profile", "b}:profile")


def everybody(client: Client, keys: Keys) -> list[Held]:
    return [held for batch in scan(client, keys, pause_s=0) for held in batch]


def test_every_customer_is_met_once_with_profile_and_presence(store_client: Client, keys: Keys) -> None:
    ids = [*(f"c-{number}" for number in range(3 * BATCH)), *ODD]
    pipeline = store_client.pipeline(transaction=False)
    for name in ids:
        pipeline.set(keys.profile(CustomerId(name)), f"profile of {name}")
        pipeline.rpush(keys.pending(CustomerId(name)), "later")
    pipeline.set(keys.presence(CustomerId("c-7")), "here")
    pipeline.set(keys.presence(CustomerId("only-presence")), "here")
    pipeline.set(Keys(f"{keys.namespace}x").profile(CustomerId("somebody-else")), "not ours")
    pipeline.execute()
    found = everybody(store_client, keys)
    assert sorted(held.customer for held in found) == sorted(ids)
    assert all(held.profile == f"profile of {held.customer}".encode() for held in found)
    assert [held.customer for held in found if held.presence == b"here"] == ["c-7"]


def test_batches_are_small(client: Client, keys: Keys) -> None:
    pipeline = client.pipeline(transaction=False)
    for number in range(2 * BATCH + 1):
        pipeline.set(keys.profile(CustomerId(f"c-{number}")), b"p")
    pipeline.execute()
    assert [len(batch) for batch in scan(client, keys, pause_s=0)] == [BATCH, BATCH, 1]


def test_a_namespace_with_marks_of_a_pattern_is_taken_literally(client: Client, keys: Keys) -> None:
    starred, plain = Keys(f"{keys.namespace}[a]*"), Keys(f"{keys.namespace}a-1")
    client.set(starred.profile(CustomerId("mine")), b"1")
    client.set(plain.profile(CustomerId("other")), b"2")
    assert [held.customer for held in everybody(client, starred)] == ["mine"]


def test_nobody_is_nobody(client: Client, keys: Keys) -> None:
    assert everybody(client, keys) == []


def test_one_customer_with_what_is_pending(store_client: Client, keys: Keys) -> None:
    anna = CustomerId("anna")
    store_client.set(keys.profile(anna), b"profile")
    store_client.rpush(keys.pending(anna), "first", "second")
    assert one(store_client, keys, anna) == Held(anna, b"profile", None, (b"first", b"second"))
    assert one(store_client, keys, CustomerId("nobody")) == Held(CustomerId("nobody"), None, None)
