"""`offing doctor`: what would lose data or break at midnight, found before it does, with the mend."""

import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import redis

from offers.folder import load_folder
from offers.ledger import Ledger
from offers.revisions import whole
from streams.errors import OffingError, Stop
from streams.findings import has_errors
from streams.instant import DAY_MS, format_instant
from streams.log import EventLog
from streams.settings import Settings
from streams.valkey import Client

ARTIFACTS, CAMPAIGNS, DISK, LOG, LEDGER = "artifacts", "campaigns", "disk", "log", "ledger"
LEDGER_CLOCK, STORE, EVICTION, STORE_CLOCK = "ledger's clock", "store", "eviction policy", "store's clock"
CLUSTER, TOKEN_KEYS, TOPIC, STOPS = "cluster", "token keys", "topic", "stops"
LOOKED_AT = (
    ARTIFACTS,
    CAMPAIGNS,
    DISK,
    LOG,
    LEDGER,
    LEDGER_CLOCK,
    STOPS,
    STORE,
    CLUSTER,
    EVICTION,
    STORE_CLOCK,
    TOKEN_KEYS,
)
"""In this order; of a log on Kafka also each `topic`, by name."""
LONGEST_STOP_MS = 7 * DAY_MS
LEAST_DISK_BYTES = 512 << 20
MOST_SKEW_S = 2.0
NTP = "run an NTP client on both"
ALL_UP = "start the others: a primary without a replica takes its customers' profiles with it"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """One thing looked at."""

    name: str
    good: bool
    found: str
    mend: str = ""
    code: str = ""
    """With which `offing serve` refuses to start, since it would lose data; empty: it starts and says what is bad."""
    mended: bool = False
    """It was bad, and `--fix` made it good."""


@dataclass(frozen=True, slots=True)
class Parts:
    """What is looked at, made by runtime. The functions raise OffingError if it does not answer."""

    settings: Settings
    ledger: Ledger
    log: Callable[[], EventLog]
    store: Callable[[], Client | None]
    """None: embedded, and nothing of it runs."""
    topics: Callable[[], Sequence[Diagnosis]] = tuple
    make_topics: Callable[[], object] = tuple


def examine(parts: Parts) -> tuple[Diagnosis, ...]:
    """Everything, in a fixed order; a check that cannot be made is a bad one."""
    checks = (_artifacts, _campaigns, _disk, _log, _ledger, _stops, _store, _token_keys)
    return tuple(diagnosis for check in checks for diagnosis in check(parts))


def fix(parts: Parts) -> tuple[Diagnosis, ...]:
    """Mend what can be mended without losing anything, and look again."""
    bad = [diagnosis.name for diagnosis in examine(parts) if not diagnosis.good]
    for kind, mend in MENDS.items():
        if any(name == kind or name.startswith(f"{kind} ") for name in bad):
            with suppress(OffingError, OSError):  # it stays bad, and the second look says why
                mend(parts)
    return tuple(replace(found, mended=found.good and found.name in bad) for found in examine(parts))


def refusal(found: Sequence[Diagnosis]) -> Stop | None:
    """Why `offing serve` must not start; None: it may."""
    for diagnosis in found:
        if not diagnosis.good and diagnosis.code:
            return Stop(diagnosis.code, f"{diagnosis.name}: {diagnosis.found}; {diagnosis.mend}")
    return None


def _artifacts(parts: Parts) -> Iterator[Diagnosis]:
    folder = parts.settings.artifacts
    if not folder.exists():
        yield Diagnosis(ARTIFACTS, False, f"there is no {folder}", "`offing doctor --fix` makes it, so does serve")
        return
    usable = folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)
    found = "can be written" if usable else "is not a folder in which this user may write"
    yield Diagnosis(ARTIFACTS, usable, f"{folder} {found}", "mend its owner or mode, or set OFFING_ARTIFACTS")


def _campaigns(parts: Parts) -> Iterator[Diagnosis]:
    if parts.settings.published:
        yield from _published(parts)
        return
    folder = parts.settings.campaigns
    loaded = load_folder(folder)
    errors = [finding for finding in loaded.findings if has_errors((finding,))]
    count = 0 if loaded.campaigns is None else len(loaded.campaigns.campaigns)
    found = f"{len(errors)} errors, the first: {errors[0]}" if errors else f"{count} campaigns in {folder}"
    yield Diagnosis(CAMPAIGNS, not errors, found, f"see `offing campaigns check {folder}`")


def _published(parts: Parts) -> Iterator[Diagnosis]:
    mend = "`offing campaigns publish DIR --message WHY`, or set OFFING_CAMPAIGNS_FROM=folder"
    try:
        newest = parts.ledger.publications.active(int(time.time() * 1000))
        if newest is None:
            yield Diagnosis(CAMPAIGNS, False, "no revision was published yet", mend)
            return
        whole(newest.revision, parts.settings.artifacts)
    except OffingError as error:
        yield Diagnosis(CAMPAIGNS, False, error.message, "copy the revision from where it was published")
        return
    found = f"{newest.revision}, published by {newest.author} at {format_instant(newest.published_at)}"
    yield Diagnosis(CAMPAIGNS, True, found)


def _stops(parts: Parts) -> Iterator[Diagnosis]:
    """A stop is for an emergency: one that stays is a change of a campaign that nobody has made."""
    try:
        stops = parts.ledger.stops.in_force()
    except OffingError:
        return  # said of the ledger
    old = [stop for stop in stops if time.time() * 1000 - stop.stopped_at > LONGEST_STOP_MS]
    if not old:
        yield Diagnosis(STOPS, True, f"{len(stops)} in force, none for more than 7 days")
    for stop in old:
        found = f"{stop.campaign_id} since {format_instant(stop.stopped_at)} by {stop.stopped_by}: {stop.reason}"
        mend = f"change or remove the campaign, then `offing campaigns lift {stop.campaign_id}`"
        yield Diagnosis(STOPS, False, found, mend)


def _disk(parts: Parts) -> Iterator[Diagnosis]:
    wanted = parts.settings.artifacts.resolve()
    folder = next(path for path in (wanted, *wanted.parents) if path.is_dir())
    free = shutil.disk_usage(folder).free
    mend = f"free {LEAST_DISK_BYTES >> 20} MiB, or move OFFING_ARTIFACTS to a larger disk"
    yield Diagnosis(DISK, free >= LEAST_DISK_BYTES, f"{free >> 20} MiB free in {folder}", mend)


def _log(parts: Parts) -> Iterator[Diagnosis]:
    file = parts.settings.log_file
    try:
        yield from parts.topics()
        if parts.settings.kafka is None and not file.exists():
            yield Diagnosis(LOG, True, f"written to {file} from the first start on")
            return
        with closing(parts.log()) as log:
            yield Diagnosis(LOG, True, f"incarnation {log.epoch()[:12]}")
    except OffingError as error:
        code = error.code if isinstance(error, Stop) else ""
        yield Diagnosis(LOG, False, error.message, "see the message; OFFING_LOG names the log", code)


def _ledger(parts: Parts) -> Iterator[Diagnosis]:
    try:
        parts.ledger.check()
    except Stop as error:
        yield Diagnosis(LEDGER, False, error.message, "`offing migrate`, or `offing doctor --fix`", error.code)
        return
    except OffingError as error:
        yield Diagnosis(LEDGER, False, error.message, "start the database, or mend OFFING_LEDGER_URL")
        return
    yield Diagnosis(LEDGER, True, "its schema is of this version")
    now = parts.ledger.now_s()
    if now is not None:
        yield _clock(LEDGER_CLOCK, now)


def _store(parts: Parts) -> Iterator[Diagnosis]:
    mend = "start Redis, or mend OFFING_REDIS_URL"
    try:
        client = parts.store()
    except OffingError as error:
        yield Diagnosis(STORE, False, error.message, mend)
        return
    if client is None:
        yield Diagnosis(STORE, True, "embedded: started and configured by `offing serve`")
        return
    try:
        yield from _redis(client, parts.settings.redis_cluster)
    except redis.RedisError as error:
        yield Diagnosis(STORE, False, f"{type(error).__name__}: no answer", mend)
    finally:
        client.close()


def _redis(client: Client, named_cluster: bool) -> Iterator[Diagnosis]:
    servers = client.servers()
    answering = [server for server in servers if _answers(server)]
    if not answering:
        raise redis.ConnectionError
    away = len(servers) - len(answering)
    yield Diagnosis(
        STORE, not away, f"{away} of {len(servers)} servers do not answer" if away else "it answers", ALL_UP
    )
    yield _kind(bool(answering[0].info("cluster").get("cluster_enabled")), named_cluster)
    policies = {str(server.info("memory").get("maxmemory_policy", "unknown")) for server in answering}
    mend = "set maxmemory-policy noeviction: an evicted profile is a customer forgotten until the next rebuild"
    yield Diagnosis(EVICTION, policies == {"noeviction"}, ", ".join(sorted(policies)), mend, "STORE_EVICTS")
    clocks = [_clock(STORE_CLOCK, seconds + micros / 1e6) for seconds, micros in (each.time() for each in answering)]
    yield min(clocks, key=lambda clock: clock.good)


def _answers(server: Client) -> bool:
    try:
        server.ping()
    except (redis.ConnectionError, redis.TimeoutError):
        return False
    return True


def _kind(clustered: bool, named: bool) -> Diagnosis:
    found = f"{'a cluster' if clustered else 'one server'}; OFFING_REDIS_CLUSTER is {int(named)}"
    return Diagnosis(CLUSTER, clustered == named, found, f"set OFFING_REDIS_CLUSTER={int(clustered)}", "STORE_CLUSTER")


def _clock(name: str, theirs_s: float) -> Diagnosis:
    skew = abs(time.time() - theirs_s)
    return Diagnosis(name, skew <= MOST_SKEW_S, f"{skew:.2f} s from this host's", NTP)


def _token_keys(parts: Parts) -> Iterator[Diagnosis]:
    settings = parts.settings
    path = settings.token_file
    if settings.token_keys:
        names = ", ".join(name for name, _ in settings.token_keys)
        yield Diagnosis(TOKEN_KEYS, True, f"OFFING_TOKEN_KEYS: {names}; the first signs")
    elif not settings.embedded:
        mend = "set OFFING_TOKEN_KEYS to KEY_ID:SECRET, the same in every process (openssl rand -hex 32)"
        yield Diagnosis(TOKEN_KEYS, False, "OFFING_TOKEN_KEYS is not set", mend, "SETTING_MISSING")
    elif path.exists():
        yield Diagnosis(TOKEN_KEYS, _mode(path) & 0o077 == 0, f"{path}, mode {_mode(path):o}", f"chmod 600 {path}")
    else:
        yield Diagnosis(TOKEN_KEYS, True, f"written to {path} at the first start")


def _mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


MENDS: Mapping[str, Callable[[Parts], object]] = {
    ARTIFACTS: lambda parts: parts.settings.artifacts.mkdir(parents=True, exist_ok=True),
    TOKEN_KEYS: lambda parts: parts.settings.token_file.chmod(0o600),
    TOPIC: lambda parts: parts.make_topics(),
    LEDGER: lambda parts: parts.ledger.migrate(),
}
"""The first word of a finding's name -> what mends it. Nothing here takes anything away."""
