"""Reached: how much of one partition of offing.customers the stored profiles hold. Kept beside them, in the store.

The log's own commit says how far a consumer came; this says how far the store came. They differ when the store lost
what it had not written down yet, was replaced by an older copy, or was emptied: then the difference is read again.
"""

from dataclasses import dataclass, replace

from streams.errors import Stop
from streams.ids import Millis
from streams.instant import SECOND_MS

OVERLAP_MS = 30 * SECOND_MS
"""A server that takes over from another may lack this much of what the other had confirmed."""
VERSION = 1


@dataclass(frozen=True, slots=True)
class Reached:
    """Offsets of one partition; every record below `applied` is in the profiles."""

    applied: int = 0
    settled: int = 0
    """What `applied` was at least 30 s ago: from here on is read again after a start or a lost connection."""
    settling: int = 0
    """What `applied` was at `since`; becomes `settled` in time."""
    since: Millis = 0

    def advance(self, to: int, now: Millis) -> "Reached":
        """Applied up to `to` at `now`. Never goes back.

        >>> Reached(5, 5, 5, since=0).advance(9, now=30_000).advance(12, now=40_000)
        Reached(applied=12, settled=5, settling=9, since=30000)
        >>> Reached(12, 5, 9, since=30_000).advance(13, now=61_000)
        Reached(applied=13, settled=9, settling=13, since=61000)
        """
        applied = max(self.applied, to)
        if 0 <= now - self.since < OVERLAP_MS:
            return replace(self, applied=applied)
        return Reached(applied, settled=self.settling, settling=applied, since=now)


NOTHING = Reached()


def encode(reached: Reached) -> bytes:
    """The stored form.

    >>> encode(Reached(13, 9, 13, since=61_000))
    b'1 13 9 13 61000'
    """
    return b"%d %d %d %d %d" % (VERSION, reached.applied, reached.settled, reached.settling, reached.since)


def decode(stored: bytes) -> Reached:
    """encode's inverse. Raises Stop REACHED_FORMAT."""
    try:
        version, applied, settled, settling, since = map(int, stored.split())
        if version != VERSION:
            raise ValueError(version)
    except ValueError as error:
        message = f"the store says {stored[:60]!r} of its progress; expected five numbers, the first {VERSION}"
        raise Stop("REACHED_FORMAT", message) from error
    return Reached(applied, settled, settling, since)
