"""Whether a load test may run against a target: on this machine, or where somebody said so; and if it agrees."""

import ipaddress
from typing import Any

import orjson

from loadtests.load.wire import Connection, NoAnswer, Target, target
from streams.errors import NotAllowed, Retry

READY = "/health/ready"


def ask(url: str, remote: str | None) -> dict[str, Any]:
    """What the target says of itself. `remote`: the one host beyond this machine that was named on purpose.

    Raises InvalidInput HOST_INVALID, NotAllowed HOST_NOT_LOOPBACK or LOAD_NOT_ALLOWED, Retry TARGET_AWAY or
    TARGET_NOT_READY.
    """
    to = target(url)
    if not _is_here(to) and to.host != remote:
        message = f"{to.host} is not this machine; name it with --remote {to.host} if load is really meant for it"
        raise NotAllowed("HOST_NOT_LOOPBACK", message)
    found = _ready(to, url)
    if found.get("load") is not True:
        message = f"{url} does not allow load; start a service for load tests with OFFING_ALLOW_LOAD=1"
        raise NotAllowed("LOAD_NOT_ALLOWED", message)
    if not found.get("ready"):
        raise Retry("TARGET_NOT_READY", f"{url} is not ready yet: {found}", after_s=1.0)
    return found


def _is_here(to: Target) -> bool:
    try:
        return ipaddress.ip_address(to.host).is_loopback
    except ValueError:
        return to.host == "localhost"


def _ready(to: Target, url: str) -> dict[str, Any]:
    connection = Connection(to)
    try:
        answer = connection.get(READY)
        found = orjson.loads(answer.body)
    except (NoAnswer, orjson.JSONDecodeError) as error:
        raise Retry("TARGET_AWAY", f"{url}{READY} does not answer as Offing does: {error}", after_s=1.0) from error
    finally:
        connection.close()
    if not isinstance(found, dict):
        raise Retry("TARGET_AWAY", f"{url}{READY} answered {answer.status} and no object", after_s=1.0)
    return found
