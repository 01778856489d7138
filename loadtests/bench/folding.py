"""How many customer events a second one process folds from the log into Valkey: `python -m loadtests.bench.folding`.

The events are three weeks of the world, several crowds of it at once, profiles and locations each on their topic; the
process runs the two consumers that `offing consume` runs for them, a thread each. It is a process of its own, on a core
of its own where there are two; broker and Valkey are on the others. The log is Apache Kafka unless told otherwise.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, sleep, thread_time

import msgspec
from prometheus_client import REGISTRY

from loadtests.bench.services import cores
from loadtests.bench.stand_in import CAMPAIGNS, multiplied, told_by_the_world
from loadtests.kafka_server import kafka_server
from offers import garbage
from streams.attribute_file import load_attributes
from streams.consumer import Consumer, Offsets, by_the_record, wall_clock
from streams.deployment import Deployment
from streams.embedded_valkey import EmbeddedValkey
from streams.errors import Retry, Stop
from streams.ids import CustomerId, Millis
from streams.kafka_address import KafkaAddress
from streams.kafka_log import KafkaLog
from streams.kafka_topics import create
from streams.location_consumer import LocationConsumer
from streams.log import CUSTOMERS, LOCATIONS, TOPICS, Entry, EventLog, LogRecord, Subscription, Topic
from streams.place_files import load_places
from streams.profile import Opened
from streams.profile_consumer import ProfileConsumer
from streams.profile_store import Loaded, ProfileStore, Stored
from streams.reached import Reached
from streams.sqlite_log import SqliteLog
from streams.valkey import Client, Keys, connect

SEED = 3
END: Millis = 1_795_284_251_000
CROWDS = 4
"""So many times the world's people: batches then hold few visits of one customer, as they do where there are many."""
PEOPLE = 2_000
AT_ONCE = 2_000
APPEND_S = 60.0
TRIES = 5
LOOK_S = 0.1
PATIENCE_S = 600.0
NAMESPACE = "bench-folding"
STAGES = ("poll", "read", "fold", "save", "commit", "locations")


class Folding(msgspec.Struct, frozen=True):
    """What one process did."""

    log: str
    """Which log it read from."""
    events: int
    """Customer events folded, locations and what friends were told among them."""
    locations: int
    seconds: float
    events_per_s: float
    batch: float
    """Events in a batch of the profile consumer, on average."""
    customers_per_batch: float
    cpu_us: float
    """CPU of the whole process per event."""
    stages: dict[str, float]
    """CPU-µs per event of the consumers' threads, by STAGES; locations have one stage for everything."""


def measure_folding(people: int = PEOPLE, crowds: int = CROWDS, *, log: str = "kafka", runs: int = 1) -> Folding:
    """The median of `runs` by events/s. `log`: kafka (falls back on SQLite where no broker can run) or sqlite.

    Raises Stop, subprocess.CalledProcessError.
    """
    told = told_by_the_world(SEED, people, END)
    entries = {CUSTOMERS: multiplied(told.customers, crowds), LOCATIONS: multiplied(told.locations, crowds)}
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="of-", dir="/tmp")))
        name, where = _log(folder, log, stack)
        done = [_run(folder / str(run), name, where, entries) for run in range(runs)]
    return sorted(done, key=lambda each: each.events_per_s)[(len(done) - 1) // 2]


def _log(folder: Path, log: str, stack: ExitStack) -> tuple[str, str]:
    """(name, servers); no servers for SQLite."""
    if log == "kafka":
        try:
            server = kafka_server(folder / "kafka").start()
        except Stop as error:
            return f"SQLite, since {error.message}", ""
        stack.callback(server.stop)
        if server.ours:
            _keep_to(cores().rest, server.pid)
        return server.name, server.servers
    return "SQLite", ""


def _keep_to(cores: Collection[int], pid: int) -> None:
    """All threads of a process, and those they start."""
    for task in Path(f"/proc/{pid}/task").iterdir():
        os.sched_setaffinity(int(task.name), cores)


def _run(folder: Path, name: str, servers: str, entries: Mapping[Topic, Sequence[Entry]]) -> Folding:
    folder.mkdir()
    namespace = f"{NAMESPACE}-{folder.name}"
    valkey = EmbeddedValkey(folder / "valkey")
    url = valkey.start()
    _keep_to(cores().rest, valkey.pid)
    try:
        where = servers or str(folder / "log.sqlite")
        with closing(opened(where, namespace)) as log:
            for topic, every in entries.items():
                for start in range(0, len(every), AT_ONCE):
                    _append(log, topic, every[start : start + AT_ONCE])
        said = subprocess.run(
            [sys.executable, "-m", "loadtests.bench.folding", "--fold", where, url, namespace, name],
            stdout=subprocess.PIPE,
            check=True,
        )
        return msgspec.json.decode(said.stdout, type=Folding)
    finally:
        valkey.stop()


def _append(log: EventLog, topic: Topic, entries: Sequence[Entry]) -> None:
    """Until they are there; what is there twice is folded once. Raises Retry after TRIES."""
    for attempt in range(TRIES):
        try:
            log.append(topic, entries).result(APPEND_S)
            return
        except Retry:
            if attempt == TRIES - 1:
                raise


def opened(where: str, namespace: str) -> EventLog:
    """The log of a file, or of Kafka's `host:port`, its topics made."""
    if "/" in where:
        return SqliteLog(Path(where), clock=wall_clock)
    address = KafkaAddress((where,), replication=1)
    create(address, namespace, TOPICS)
    return KafkaLog(address, namespace)


@dataclass(slots=True)
class Spent:
    """CPU seconds of one thread, by what it did."""

    poll: float = 0.0
    read: float = 0.0
    save: float = 0.0
    take: float = 0.0
    commit: float = 0.0
    events: int = 0
    batches: int = 0
    customers: int = 0
    until: float = 0.0
    """When the last batch was done, by perf_counter."""


class TimedSubscription:
    """A subscription whose polls and commits are timed."""

    def __init__(self, of: Subscription, spent: Spent) -> None:
        self._of, self._spent = of, spent
        self.positions, self.rewind, self.assigned, self.close = of.positions, of.rewind, of.assigned, of.close

    def poll(self, max_records: int, timeout_s: float) -> Sequence[LogRecord]:
        began = thread_time()
        records = self._of.poll(max_records, timeout_s)
        self._spent.poll += thread_time() - began
        return records

    def commit(self, after: Offsets) -> None:
        began = thread_time()
        self._of.commit(after)
        self._spent.commit += thread_time() - began


class TimedLog:
    """A log whose subscription is timed."""

    def __init__(self, of: EventLog, spent: Spent) -> None:
        self._of, self._spent = of, spent
        self.epoch, self.append, self.read, self.end, self.close = of.epoch, of.append, of.read, of.end, of.close

    def subscribe(self, group: str, topics: Sequence[Topic]) -> Subscription:
        return TimedSubscription(self._of.subscribe(group, topics), self._spent)


class TimedStore(ProfileStore):
    """A store whose round trips are timed, decoding and encoding included."""

    def __init__(self, client: Client, keys: Keys, spent: Spent) -> None:
        super().__init__(client, keys)
        self._spent = spent

    def load_many(self, customers: Collection[CustomerId], epoch: str, partitions: Collection[int]) -> Loaded:
        began = thread_time()
        loaded = super().load_many(customers, epoch, partitions)
        self._spent.read += thread_time() - began
        self._spent.customers += len(customers)
        return loaded

    def save_many(self, changes: Mapping[CustomerId, tuple[Stored, Opened]]) -> tuple[CustomerId, ...]:
        began = thread_time()
        refused = super().save_many(changes)
        self._spent.save += thread_time() - began
        return refused

    def advance(self, epoch: str, moves: Mapping[int, tuple[Reached, Reached]]) -> bool:
        began = thread_time()
        done = super().advance(epoch, moves)
        self._spent.save += thread_time() - began
        return done


def _timed(consumer: Consumer, spent: Spent) -> Consumer:
    """The consumer, its batches timed and counted."""
    take = consumer.take

    def timed(records: Sequence[LogRecord], before: Offsets) -> Offsets:
        began = thread_time()
        done = take(records, before)
        spent.take += thread_time() - began
        spent.events += len(records)
        if records:
            spent.batches += 1
            spent.until = perf_counter()
        return done

    consumer.take = timed  # type: ignore[method-assign]  # the bench looks at the product's own class
    return consumer


def fold(where: str, url: str, namespace: str, name: str) -> Folding:
    """Fold everything there is, in this process. Raises TimeoutError."""
    os.sched_setaffinity(0, cores().service)
    log, profiles, locations = opened(where, namespace), Spent(), Spent()
    active = Deployment(load_attributes(CAMPAIGNS / "attributes.yaml"), load_places(CAMPAIGNS / "places"))
    with closing(log), connect(url, "bench") as client:
        keys = Keys(namespace)
        store = TimedStore(client, keys, profiles)
        consumers = (
            _timed(ProfileConsumer(TimedLog(log, profiles), store, lambda: active, reckoning=by_the_record), profiles),
            _timed(
                LocationConsumer(log, ProfileStore(client, keys), lambda: active, reckoning=by_the_record), locations
            ),
        )
        told, located = sum(log.end(CUSTOMERS).values()), sum(log.end(LOCATIONS).values())
        garbage.settle()  # as `offing consume` does
        began, used = perf_counter(), process_time()
        for consumer in consumers:
            consumer.start()
        while profiles.events < told + _friends_told() or locations.events < located:
            if perf_counter() - began > PATIENCE_S:
                raise TimeoutError(f"{profiles.events} and {locations.events} events after {PATIENCE_S:.0f} s")
            sleep(LOOK_S)
        used, seconds = process_time() - used, max(profiles.until, locations.until) - began
        for consumer in consumers:
            consumer.stop()
    return _told(name, (profiles, locations), seconds, used)


def _friends_told() -> int:
    """Events that the consumer has appended meanwhile, for itself to fold."""
    return int(REGISTRY.get_sample_value("offing_friends_told_total") or 0)


def _told(name: str, spent: tuple[Spent, Spent], seconds: float, used: float) -> Folding:
    profiles, locations = spent
    events = profiles.events + locations.events
    of_stage = {
        "poll": profiles.poll,
        "read": profiles.read,
        "fold": profiles.take - profiles.read - profiles.save,
        "save": profiles.save,
        "commit": profiles.commit,
        "locations": locations.take,
    }
    return Folding(
        log=name,
        events=events,
        locations=locations.events,
        seconds=round(seconds, 3),
        events_per_s=round(events / seconds),
        batch=round(profiles.events / profiles.batches, 1),
        customers_per_batch=round(profiles.customers / profiles.batches, 1),
        cpu_us=round(used / events * 1e6, 1),
        stages={stage: round(of_stage[stage] / events * 1e6, 2) for stage in STAGES},
    )


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log", choices=("kafka", "sqlite"), default="kafka")
    parser.add_argument("--people", type=int, default=PEOPLE)
    parser.add_argument("--crowds", type=int, default=CROWDS)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--fold", nargs=4, metavar=("LOG", "REDIS_URL", "NAMESPACE", "NAME"), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.fold:
        sys.stdout.buffer.write(msgspec.json.encode(fold(*chosen.fold)))
        return
    found = measure_folding(chosen.people, chosen.crowds, log=chosen.log, runs=chosen.runs)
    print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())


if __name__ == "__main__":
    main()
