"""`offing doctor`: what would lose data or break at midnight, found before it does, with the mend."""

import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import redis

from offers.ledger import Ledger
from streams.errors import OffingError
from streams.log import EventLog
from streams.settings import Settings
from streams.valkey import Client, connect

EVICTION = "eviction policy"
"""The one finding with which `offing serve` does not start: profiles would be forgotten without a trace."""
LEAST_DISK_BYTES = 512 << 20
MOST_SKEW_S = 2.0


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at."""

    name: str
    good: bool
    found: str
    mend: str = ""


def examine(settings: Settings, store_url: str | None, log: EventLog, ledger: Ledger) -> tuple[Diagnosis, ...]:
    """Everything, in a fixed order; a check that cannot be made is a bad one."""
    checks: list[Callable[[], Iterator[Diagnosis]]] = [
        lambda: _disk(settings),
        lambda: _log(log),
        lambda: _ledger(ledger),
        lambda: _store(store_url),
    ]
    return tuple(diagnosis for check in checks for diagnosis in check())


def _disk(settings: Settings) -> Iterator[Diagnosis]:
    free = shutil.disk_usage(settings.artifacts).free
    mend = f"free {LEAST_DISK_BYTES >> 20} MiB, or move OFFING_ARTIFACTS to a larger disk"
    yield Diagnosis("disk", free >= LEAST_DISK_BYTES, f"{free >> 20} MiB free in {settings.artifacts}", mend)


def _log(log: EventLog) -> Iterator[Diagnosis]:
    try:
        yield Diagnosis("log", True, f"incarnation {log.epoch()[:12]}")
    except OffingError as error:
        yield Diagnosis("log", False, error.message, "see the message; the log's file is OFFING_LOG")


def _ledger(ledger: Ledger) -> Iterator[Diagnosis]:
    try:
        ledger.check()
        yield Diagnosis("ledger", True, "its schema is of this version")
    except OffingError as error:
        yield Diagnosis("ledger", False, error.message, "run `offing migrate`")


def _store(url: str | None) -> Iterator[Diagnosis]:
    if url is None:
        yield Diagnosis("store", True, "embedded: started and configured by `offing serve`")
        return
    client = connect(url, "offing-doctor")
    try:
        yield from _redis(client)
    except redis.RedisError as error:
        yield Diagnosis("store", False, f"{type(error).__name__}: no answer", "start Redis, or mend OFFING_REDIS_URL")
    finally:
        client.close()


def _redis(client: Client) -> Iterator[Diagnosis]:
    policy = client.info("memory").get("maxmemory_policy", "unknown")
    mend = "set maxmemory-policy noeviction: an evicted profile is a customer forgotten until the next rebuild"
    yield Diagnosis(EVICTION, policy == "noeviction", str(policy), mend)
    seconds, micros = client.time()
    skew = abs(time.time() - (seconds + micros / 1e6))
    yield Diagnosis("clock skew", skew <= MOST_SKEW_S, f"{skew:.2f} s between this host and Redis", "run an NTP client")
