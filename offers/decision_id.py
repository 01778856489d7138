"""Decision ids: UUIDv7 at the decision's own time, so that the lake finds the day by the id alone."""

import secrets
import uuid

from streams.ids import DecisionId, Millis


def new(now: Millis) -> DecisionId:
    """A fresh id: 48 bits of milliseconds, then 74 random bits."""
    noise = secrets.randbits(74)
    number = (now & (1 << 48) - 1) << 80 | 7 << 76 | (noise >> 62) << 64 | 2 << 62 | noise & (1 << 62) - 1
    return DecisionId(str(uuid.UUID(int=number)))


def time_of(decision_id: str) -> Millis | None:
    """The milliseconds in an id; None: it is not one of ours.

    >>> time_of("not-an-id") is None
    True
    """
    try:
        found = uuid.UUID(decision_id)
    except ValueError:
        return None
    return found.int >> 80 if found.version == 7 else None
