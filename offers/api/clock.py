"""Time at a door (idea 15): the server's clock, except in a simulated namespace for callers who may set it."""

import time

from fastapi import Request

from offers.caller import Caller, require
from streams.errors import InvalidInput
from streams.ids import Millis
from streams.instant import parse_instant

HEADER = "offing-now"


def server_now() -> Millis:
    """The server's clock."""
    return time.time_ns() // 1_000_000


def now_of(request: Request, caller: Caller, *, simulated: bool) -> Millis:
    """The instant that counts for this request. Raises InvalidInput NOT_SIMULATED, NotAllowed SCOPE_MISSING."""
    said = request.headers.get(HEADER)
    if said is None:
        return server_now()
    if not simulated:
        message = "Offing-Now is only for a namespace started with OFFING_SIMULATED=1; use options.now with dry_run"
        raise InvalidInput("NOT_SIMULATED", message)
    if caller.kind != "customer":
        require(caller, "simulate")
    return parse_instant(said)


def said_now(request: Request, *, simulated: bool) -> Millis:
    """For judging a token's own expiry before the caller is known: a simulated namespace believes the header."""
    said = request.headers.get(HEADER)
    return parse_instant(said) if simulated and said is not None else server_now()
