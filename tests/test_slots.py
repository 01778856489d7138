"""The slot table: owners, replies of servers, probes."""

import pytest
import redis
from redis.crc import key_slot

from streams.slots import Node, Slots, slots_of

A, B, C, R = Node("10.0.0.1", 7000), Node("10.0.0.2", 7000), Node("10.0.0.3", 7000), Node("10.0.0.4", 7000)
THIRDS = [(0, 5460, A), (5461, 10922, B), (10923, 16383, C)]


def test_a_key_belongs_to_the_owner_of_its_hash_tag_s_slot() -> None:
    slots = Slots(THIRDS)
    assert key_slot(b"foo") == 12182
    assert (slots.owner("foo"), slots.owner(b"foo"), slots.owner("{foo}:profile")) == (C, C, C)
    assert slots.owner("{offing:c:c-1}:profile") == slots.owner("{offing:c:c-1}:decision:k")
    assert slots.primaries == (A, B, C)


def test_a_slot_without_owner_is_said() -> None:
    slots = Slots([(0, 12181, A), (12183, 16383, B)])
    with pytest.raises(redis.exceptions.ClusterDownError, match="no server of the cluster owns slot 12182"):
        slots.owner("foo")
    assert slots.owner("bar") == A


def test_tables_are_equal_if_their_owners_are() -> None:
    pieces = [(first, first, A) for first in range(5461)]
    assert Slots(THIRDS) == Slots([*pieces, *THIRDS[1:]], replicas=[R])
    assert Slots(THIRDS) != Slots([(0, 5461, A), *THIRDS[1:]][:2])
    assert Slots(THIRDS) != "a table"


def test_a_reply_is_read_with_its_replicas_and_whoever_does_not_know_itself_is_who_was_asked() -> None:
    reply = [
        [0, 5460, [b"10.0.0.1", 7000, b"id-a", []], [b"10.0.0.4", 7000, b"id-r", []]],
        [5461, 10922, [b"", 7000, b"id-b"]],
        [10923, 16383, [None, 7000]],
    ]
    slots = slots_of(reply, asked=Node("asked", 1))
    assert slots.primaries == (A, Node("asked", 7000))
    assert slots.replicas == (R,)
    assert slots.owner("foo") == Node("asked", 7000)


@pytest.mark.parametrize("reply", [b"OK", None, [[0, 1]], [[0, 1, [b"h", b"port"]]], {"a": 1}])
def test_what_is_no_such_reply_is_said(reply: object) -> None:
    with pytest.raises(redis.exceptions.ClusterError, match="is this a cluster"):
        slots_of(reply, A)


def test_every_primary_has_a_probe_of_its_own_slots() -> None:
    probes = Slots(THIRDS).probes("blue")
    assert probes.keys() == {A, B, C}
    assert all(Slots(THIRDS).owner(key) == node for node, key in probes.items())
    assert all(key.startswith("{blue:probe:") for key in probes.values())
    hardly = Slots([(0, 16382, A), (16383, 16383, B)])
    assert hardly.probes("blue")[A] == "{blue:probe:0}", "and B may be found by none"
