"""The bench of the memory: the mean customer is the one that was asked for, and the server says what it takes."""

import pytest

from loadtests.bench.memory import Memory, kinds, measure_memory
from streams.valkey import Client, Keys
from tests.profile_stage import ANNA


@pytest.fixture(scope="module")
def found() -> Memory:
    return measure_memory(customers=2_000, people=120)


def test_the_mean_customer_has_what_the_target_speaks_of(found: Memory) -> None:
    mean = found.mean
    assert mean.attributes >= 12
    assert mean.bookings >= 1
    assert mean.friends >= 2.5, "3 in a larger world, where more people live near each other"
    assert mean.counted >= 7.5
    assert 0 < mean.remembered <= mean.counted


def test_a_customer_takes_less_than_600_bytes_whoever_the_operator_is(found: Memory) -> None:
    assert found.known.value < found.known.memory_usage < 450
    assert found.known.bytes_per_customer < 450
    assert found.known.value < found.unknown.value < found.unknown.memory_usage < 600
    assert found.known.key == len("{offing:c:c-100000}:profile")


def test_other_keys_are_told_apart_by_what_they_hold(client: Client, keys: Keys) -> None:
    assert kinds(client, keys.namespace) == {}
    client.set(keys.decision(ANNA, "d"), b"x" * 1_000)
    client.set(keys.profile(ANNA), b"x" * 300)
    client.set(keys.request(ANNA, "r-1"), b"x")
    held = kinds(client, keys.namespace)
    assert {kind: number for kind, (number, _) in held.items()} == {"decision": 1, "profile": 1, "request": 1}
    assert held["decision"][1] > held["profile"][1] > 300
