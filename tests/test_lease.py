"""Who owns which partition, who may commit; the members' clock is moved by hand."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from streams.lease import Leases, share
from streams.log import Topic
from streams.sqlite_file import FileLimits, LogFile

EVENTS = Topic("test.events", 8)
MARKET = Topic("test.market", 1)
PAIRS = {(EVENTS.name, number) for number in range(8)} | {(MARKET.name, 0)}
BOTH = (EVENTS.name, MARKET.name)


@dataclass
class Wall:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


@contextmanager
def group(path: Path, size: int, wall: Wall) -> Iterator[list[Leases]]:
    """Members of one group, each on its own connection, none of them in yet."""
    files = [LogFile(path / "log", "NORMAL", FileLimits()) for _ in range(size)]
    files[0].register(EVENTS)
    files[0].register(MARKET)
    yield [Leases(file, "g", BOTH, lease_s=10, wall=wall) for file in files]
    for file in files:
        file.close()


def test_shares_are_even_whatever_the_order_of_members() -> None:
    for size in range(1, 12):
        members = {f"m-{number:02}": BOTH for number in range(size)}
        owners = share(PAIRS, members)
        assert set(owners) == PAIRS
        counts = [list(owners.values()).count(member) for member in members]
        assert max(counts) - min(counts) <= 1
        assert share(sorted(PAIRS, reverse=True), dict(reversed(members.items()))) == owners


def test_a_pair_goes_only_to_a_member_of_its_topic() -> None:
    owners = share(PAIRS, {"a": [EVENTS.name], "b": [MARKET.name]})
    assert {pair for pair, owner in owners.items() if owner == "b"} == {(MARKET.name, 0)}
    assert share([("foreign", 0)], {"a": [EVENTS.name]}) == {}


def test_a_newcomer_takes_nothing_that_cannot_be_shared(tmp_path: Path) -> None:
    wall = Wall()
    file = LogFile(tmp_path / "log", "NORMAL", FileLimits())
    file.register(MARKET)
    elder = Leases(file, "g", [MARKET.name], lease_s=10, wall=wall)
    elder.renew()
    for _ in range(8):
        wall.now += 0.01
        Leases(file, "g", [MARKET.name], lease_s=10, wall=wall).renew()
    elder.renew()
    assert elder.owned() == {(MARKET.name, 0)}
    file.close()


def test_a_newcomer_waits_until_the_owner_gives_up(tmp_path: Path) -> None:
    with group(tmp_path, 2, Wall()) as (old, new):
        assert old.renew() == dict.fromkeys(PAIRS, 0)
        assert new.renew() == {}
        assert old.moved()
        assert old.renew() == {}
        assert len(old.owned()) in (4, 5)
        assert new.moved()
        assert set(new.renew()) == PAIRS - old.owned() == new.owned()
        assert old.renew() == {}
        assert not old.moved()


def test_a_lease_lapses_after_its_time_and_not_before(tmp_path: Path) -> None:
    wall = Wall()
    with group(tmp_path, 2, wall) as (dead, heir):
        dead.renew()
        wall.now += 9.9
        assert heir.renew() == {}
        assert dead.owned() == PAIRS
        assert not heir.due()
        wall.now += 0.1
        assert dead.owned() == frozenset()
        assert heir.due()
        assert set(heir.renew()) == PAIRS


def test_a_member_is_due_at_a_third_of_its_lease(tmp_path: Path) -> None:
    wall = Wall()
    with group(tmp_path, 1, wall) as (member,):
        assert member.due()
        member.renew()
        wall.now += 3.3
        assert not member.due()
        wall.now += 0.1
        assert member.due()


def test_a_commit_counts_only_under_the_fence_it_was_made_for(tmp_path: Path) -> None:
    wall = Wall()
    pair = (MARKET.name, 0)
    with group(tmp_path, 2, wall) as (slow, heir):
        slow.renew()
        slow.commit({pair: 3})
        wall.now += 10
        assert heir.renew()[pair] == 3
        slow.commit({pair: 9})
        heir.leave()
        assert slow.renew()[pair] == 3
        slow.commit({pair: 4, ("foreign", 7): 1})
        slow.leave()
        assert heir.renew()[pair] == 4


def test_a_lapsed_lease_nobody_wanted_goes_on_where_it_was(tmp_path: Path) -> None:
    wall = Wall()
    with group(tmp_path, 1, wall) as (member,):
        member.renew()
        wall.now += 60
        assert member.owned() == frozenset()
        assert member.renew() == {}
        assert member.owned() == PAIRS


def test_a_clock_set_back_does_not_keep_the_dead_alive(tmp_path: Path) -> None:
    wall = Wall()
    with group(tmp_path, 2, wall) as (dead, heir):
        dead.renew()
        wall.now -= 3_600
        assert set(heir.renew()) == PAIRS
        assert dead.owned() == frozenset()


def test_no_two_members_ever_own_the_same_pair(tmp_path: Path) -> None:
    draw = Random(7)
    wall = Wall()
    with group(tmp_path, 4, wall) as members:
        inside: set[int] = set()
        for _ in range(600):
            wall.now += draw.choice((0, 0.5, 2, 6))
            chosen = draw.randrange(4)
            if draw.random() < 0.1:
                members[chosen].leave()
                inside.discard(chosen)
            else:
                members[chosen].renew()
                inside.add(chosen)
            owned = [pair for member in members for pair in member.owned()]
            assert len(owned) == len(set(owned))
        for number in sorted(inside) * 3:
            members[number].renew()
        assert {pair for member in members for pair in member.owned()} == PAIRS
