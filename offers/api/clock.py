"""Time at a door (idea 15): the server's clock, except in a simulated namespace for callers who may set it."""

import time

from fastapi import Request

from offers.api.incoming import Incoming
from offers.caller import Caller, require
from streams.errors import InvalidInput
from streams.ids import Millis
from streams.instant import format_instant, parse_instant

HEADER = "offing-now"
EARLIEST = parse_instant("2000-01-01T00:00:00Z")
LATEST = parse_instant("2200-01-01T00:00:00Z")
"""A clock that is set must lie between: decision ids and local times have no room beyond."""


def server_now() -> Millis:
    """The server's clock."""
    return time.time_ns() // 1_000_000


def now_of(request: Request | Incoming, caller: Caller, *, simulated: bool) -> Millis:
    """The instant that counts for this request. Raises InvalidInput NOT_SIMULATED, NotAllowed SCOPE_MISSING."""
    said = request.headers.get(HEADER)
    if said is None:
        return server_now()
    if not simulated:
        message = "Offing-Now is only for a namespace started with OFFING_SIMULATED=1; use options.now with dry_run"
        raise InvalidInput("NOT_SIMULATED", message)
    if caller.kind != "customer":
        require(caller, "simulate")
    return instant_of(said, "Offing-Now")


def said_now(request: Request | Incoming, *, simulated: bool) -> Millis:
    """For judging a token's own expiry before the caller is known: a simulated namespace believes the header."""
    said = request.headers.get(HEADER)
    return instant_of(said, "Offing-Now") if simulated and said is not None else server_now()


def instant_of(said: str, name: str) -> Millis:
    """A clock that the caller sets. Raises InvalidInput TIME_INVALID."""
    at = parse_instant(said)
    if not EARLIEST <= at < LATEST:
        expected = f"{format_instant(EARLIEST)} to {format_instant(LATEST)}"
        raise InvalidInput("TIME_INVALID", f"{name} is {said[:40]!r}; expected an instant from {expected}")
    return at
