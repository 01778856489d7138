"""Time and chance in the world: instants in ms, RFC 3339, and draws that depend on nothing but their name."""

import math
from datetime import UTC, datetime
from hashlib import blake2b
from zoneinfo import ZoneInfo

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


def rfc3339(at: int) -> str:
    """2026-11-21T20:30:00.000Z"""
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def millis(moment: datetime) -> int:
    """An aware datetime in ms since 1970."""
    return round(moment.timestamp() * 1000)


def local(at: int, zone: str) -> datetime:
    """An instant on the clock of a zone."""
    return datetime.fromtimestamp(at / 1000, ZoneInfo(zone))


def draw(*name: object) -> float:
    """In [0, 1): always the same for the same name, whatever else was drawn, so order changes nothing.

    >>> draw(7, "c-1", "exposed") == draw(7, "c-1", "exposed")
    True
    """
    digest = blake2b("\x1f".join(map(str, name)).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / (1 << 53)


def chance(logit: float) -> float:
    """The logistic function."""
    return 1 / (1 + math.exp(-logit))
