"""What every route knows once a caller is let in: the runtime, who calls, and the instant that counts."""

from dataclasses import dataclass

from fastapi import Request

from offers.api.auth import Authenticator
from offers.api.clock import now_of, said_now
from offers.api.incoming import Incoming
from offers.caller import Caller, require
from offers.runtime import Runtime
from streams.errors import InvalidInput, NotAllowed
from streams.ids import Millis

ORIGIN = "offing-origin"
LOAD = "load"
ORIGINS = ("live", "test", LOAD)


@dataclass(frozen=True, slots=True)
class Session:
    """One authenticated request."""

    runtime: Runtime
    caller: Caller
    now: Millis
    origin: str


async def session_of(request: Request | Incoming, scope: str) -> Session:
    """Authenticate, check the scope and the origin. Raises NotAuthenticated, NotAllowed, InvalidInput."""
    runtime: Runtime = request.app.state.runtime
    simulated = runtime.settings.simulated
    header = request.headers.get("authorization", "")
    authenticator: Authenticator = request.app.state.authenticator
    caller = await authenticator.caller(header, said_now(request, simulated=simulated))
    require(caller, scope)
    origin = _origin(request, caller)
    if origin == LOAD and not runtime.settings.allow_load:
        message = "this service does not allow load; start one for load tests with OFFING_ALLOW_LOAD=1"
        raise NotAllowed("LOAD_NOT_ALLOWED", message)
    return Session(runtime, caller, now_of(request, caller, simulated=simulated), origin)


def _origin(request: Request | Incoming, caller: Caller) -> str:
    """Only live traffic counts, trains and reports; a key may say that its traffic is a test's or a load's."""
    said = request.headers.get(ORIGIN, "live")
    if said not in ORIGINS:
        raise InvalidInput("ORIGIN_UNKNOWN", f"Offing-Origin is {said[:30]!r}; expected one of {', '.join(ORIGINS)}")
    return said if caller.kind == "key" else "live"
