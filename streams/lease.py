"""Partition leases of the embedded log: who is alive in a consumer group, who owns what, who may still commit.

A member that has not renewed for `lease_s` is dead to the others. A partition changes hands only when its holder gave
it up or is dead; each change raises its fence, and a commit must show the fence it worked under.
"""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from uuid import uuid4

from streams.sqlite_file import LogFile

Pair = tuple[str, int]
"""(topic, partition)"""


def share(pairs: Iterable[Pair], members: Mapping[str, Collection[str]]) -> dict[Pair, str]:
    """Each pair goes to the member (name -> its topics) with the fewest so far, ties by name.

    Names begin with the time of joining, so a newcomer takes no more than its share from its elders.

    >>> share([("t", 0), ("t", 1), ("t", 2)], {"b": ["t"], "a": ["t"]})
    {('t', 0): 'a', ('t', 1): 'b', ('t', 2): 'a'}
    """
    load = dict.fromkeys(sorted(members), 0)
    owners: dict[Pair, str] = {}
    for pair in sorted(pairs):
        eligible = [member for member in load if pair[0] in members[member]]
        if eligible:
            owners[pair] = min(eligible, key=load.__getitem__)
            load[owners[pair]] += 1
    return owners


@dataclass(frozen=True, slots=True)
class Lease:
    """A row of the group: `member` None is free; `committed` is the next offset to read."""

    member: str | None = None
    fence: int = 0
    committed: int = 0


class Leases:
    """One member's part in a group. Not thread-safe. `wall` in seconds, the same clock in every process of the host.

    Every method that touches the file raises Retry, and then nothing has changed.
    """

    def __init__(
        self, file: LogFile, group: str, topics: Collection[str], *, lease_s: float, wall: Callable[[], float]
    ) -> None:
        self._file = file
        self._group = group
        self._topics = topics
        self._lease_s = lease_s
        self._wall = wall
        self._member = f"{int(wall() * 1000):015}-{uuid4().hex[:12]}"
        self._held: dict[Pair, int] = {}
        self._renewed = -inf
        self._others_lapse = inf
        self._version = -1

    def held(self) -> Collection[Pair]:
        """What the last `renew` left this member with."""
        return self._held.keys()

    def owned(self) -> frozenset[Pair]:
        """What this member may work on now: nothing once it failed to renew in time."""
        return frozenset(self._held) if self._alive(self._renewed, self._wall()) else frozenset()

    def due(self) -> bool:
        """Time to renew, or another member's lease may have lapsed."""
        now = self._wall()
        return abs(now - self._renewed) >= self._lease_s / 3 or now >= self._others_lapse

    def moved(self) -> bool:
        """Whether another member came, left, took or gave up since the last `renew`."""
        with self._file.snapshot() as db:
            return self._group_version(db) != self._version

    def renew(self) -> dict[Pair, int]:
        """Stay alive, give up what is another's now, take what is free; the pairs gained -> their committed offset."""
        with self._file.transaction() as db:
            now = self._wall()
            joined_or_left = self._enrol(db, now)
            live, lapse = self._live(db)
            held, gained, dropped = self._settle(db, live)
            version = self._group_version(db)
            if joined_or_left or gained or dropped:
                version += 1
                db.execute("INSERT OR REPLACE INTO groups VALUES (?, ?)", (self._group, version))
        self._held, self._renewed, self._others_lapse, self._version = held, now, lapse, version
        return gained

    def commit(self, after: Mapping[Pair, int]) -> None:
        """Note the next offset to read of each pair; those no longer held, or not under the same fence, are skipped."""
        rows = [
            (offset, self._group, *pair, self._member, self._held[pair])
            for pair, offset in after.items()
            if pair in self._held
        ]
        if rows:
            with self._file.transaction() as db:
                db.executemany(
                    "UPDATE leases SET committed = ?"
                    " WHERE group_name = ? AND topic = ? AND partition = ? AND member = ? AND fence = ?",
                    rows,
                )

    def leave(self) -> None:
        """Give everything up at once."""
        self._held = {}
        me = (self._group, self._member)
        with self._file.transaction() as db:
            db.execute("DELETE FROM members WHERE group_name = ? AND member = ?", me)
            db.execute("UPDATE leases SET member = NULL WHERE group_name = ? AND member = ?", me)
            db.execute("UPDATE groups SET version = version + 1 WHERE name = ?", (self._group,))

    def _alive(self, renewed: float, now: float) -> bool:
        """Either way: a clock set back must not keep the dead alive."""
        return abs(now - renewed) < self._lease_s

    def _enrol(self, db: sqlite3.Connection, now: float) -> bool:
        """Strike the dead off, put this member on; whether that changed who is in."""
        dead = db.execute(
            "DELETE FROM members WHERE group_name = ? AND abs(? - renewed) >= ? AND member != ?",
            (self._group, now, self._lease_s, self._member),
        ).rowcount
        me = (self._group, self._member)
        known = db.execute("SELECT 1 FROM members WHERE group_name = ? AND member = ?", me).fetchone()
        db.executemany(
            "INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", [(*me, topic, now) for topic in self._topics]
        )
        return bool(dead) or known is None

    def _live(self, db: sqlite3.Connection) -> tuple[dict[str, list[str]], float]:
        """The members with their topics, and when the first of the others will be dead if it does not renew."""
        live: dict[str, list[str]] = {}
        lapse = inf
        query = "SELECT member, topic, renewed FROM members WHERE group_name = ?"
        for member, topic, renewed in db.execute(query, (self._group,)):
            live.setdefault(member, []).append(topic)
            if member != self._member:
                lapse = min(lapse, renewed + self._lease_s)
        return live, lapse

    def _settle(
        self, db: sqlite3.Connection, live: Mapping[str, Collection[str]]
    ) -> tuple[dict[Pair, int], dict[Pair, int], set[Pair]]:
        """What is held from now on (-> fence), what of it is new (-> committed), and what was given up."""
        leases = self._leases(db)
        targets = share(leases, live)
        held: dict[Pair, int] = {}
        gained: dict[Pair, int] = {}
        dropped: set[Pair] = set()
        for pair, lease in leases.items():
            mine = lease.member == self._member
            if mine and targets.get(pair) != self._member:
                self._write(db, pair, Lease(None, lease.fence, lease.committed))
                dropped.add(pair)
            elif mine and self._held.get(pair) == lease.fence:
                held[pair] = lease.fence
            elif targets.get(pair) == self._member and (mine or lease.member not in live):
                self._write(db, pair, Lease(self._member, lease.fence + 1, lease.committed))
                held[pair] = lease.fence + 1
                gained[pair] = lease.committed
        return held, gained, dropped

    def _leases(self, db: sqlite3.Connection) -> dict[Pair, Lease]:
        """Every pair of every topic of the log; those of foreign topics find no eligible member."""
        topics = db.execute("SELECT name, partitions FROM topics").fetchall()
        leases = {(topic, number): Lease() for topic, partitions in topics for number in range(partitions)}
        query = "SELECT topic, partition, member, fence, committed FROM leases WHERE group_name = ?"
        leases |= {(row[0], row[1]): Lease(*row[2:]) for row in db.execute(query, (self._group,))}
        return leases

    def _write(self, db: sqlite3.Connection, pair: Pair, lease: Lease) -> None:
        row = (self._group, *pair, lease.member, lease.fence, lease.committed)
        db.execute("INSERT OR REPLACE INTO leases VALUES (?, ?, ?, ?, ?, ?)", row)

    def _group_version(self, db: sqlite3.Connection) -> int:
        row = db.execute("SELECT version FROM groups WHERE name = ?", (self._group,)).fetchone()
        return row[0] if row else 0
