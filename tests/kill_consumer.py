"""A profile consumer to be killed: run as a program it consumes until it dies; imported, it is the proof's other half.

The proof: events with duplicates and reordering thrown in, a consumer killed again and again in their middle, and in
the end the same facts, byte for byte, as an undisturbed consumer makes of the events in order and once each.
"""

import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from random import Random
from time import monotonic, sleep

from streams.consumer import Intake, by_the_record
from streams.deployment import Active
from streams.events import Attributes, Booking, Consent, Event, Outcome, Social, to_bytes
from streams.ids import CustomerId
from streams.instant import MINUTE_MS
from streams.log import CUSTOMERS, Entry, EventLog
from streams.profile_consumer import GROUP, ProfileConsumer
from streams.profile_form import canonical
from streams.profile_store import ProfileStore
from streams.valkey import Keys, connect
from tests.makers import NOW, PATIENCE_S, customers, deployment, event, open_log

LEASE_S = 0.5
"""A killed member's partitions move on after this."""
BATCH = 50
OUTCOMES = ("offer.exposed", "offer.clicked", "offer.dismissed")


def introductions(people: Sequence[CustomerId], random: Random) -> list[Event]:
    """Who knows whom and says so; told before anything is booked, because who is told depends on it."""
    events = []
    for number, person in enumerate(people):
        if number % 3 == 0:
            friends = random.sample(people, 3)
            events.append(event("customer.social", person, Social([*friends]), event_id=f"s-{number}"))
            events.append(event("customer.consent", person, Consent({"social": True}), event_id=f"c-{number}"))
    return events


def history(count: int, people: Sequence[CustomerId], random: Random) -> list[Event]:
    """`count` events of many kinds, one a minute, each with an id of its own."""
    return [_event(number, random.choice(people), random) for number in range(count)]


def _event(number: int, person: CustomerId, random: Random) -> Event:
    at, name = NOW + number * MINUTE_MS // 20, f"e-{number}"
    kind = random.random()
    if kind < 0.3:
        data = Attributes({"loyalty_tier": random.choice(("blue", "silver", "gold")), "children": random.randrange(5)})
        return event("customer.profile", person, data, at, name)
    if kind < 0.4:
        booking = Booking(f"b-{number}", f"s-{number % 40}", "ITLIV-ITOLB", "open", {"accommodation": "deck"})
        return event("customer.booking", person, booking, at, name)
    if kind < 0.5:
        data = Attributes({"interests": random.sample(("spa", "food", "sea", "art"), 2)})
        return event("customer.preferences", person, data, at, name)
    offer = random.randrange(30)
    outcome = Outcome(f"d-{number}", f"o-{offer}", f"k-{offer}", "cabins", "app.home.hero", "", "phone")
    return event(random.choice(OUTCOMES), person, outcome, at, name)


def disturbed(events: Sequence[Event], random: Random) -> list[Event]:
    """The same events out of order by up to 200 places, every fifth twice and some three times."""
    repeated = [*events, *random.sample(events, len(events) // 5), *random.sample(events, len(events) // 50)]
    places = {id(each): place for place, each in enumerate(events)}
    return sorted(repeated, key=lambda each: places[id(each)] + random.random() * 200)


def append_all(log: EventLog, events: Sequence[Event]) -> None:
    """Append in order, recorded a second after they happened."""
    for start in range(0, len(events), 1_000):
        entries = [Entry(each.subject, to_bytes(each), each.time + 1_000) for each in events[start : start + 1_000]]
        log.append(CUSTOMERS, entries).result(PATIENCE_S)


def behind(log: EventLog, store: ProfileStore) -> int:
    """How many records the store has not reached."""
    ends = log.end(CUSTOMERS)
    reached = store.load_many([], log.epoch(), tuple(ends)).reached
    return sum(end - reached[partition].applied for partition, end in ends.items())


def wait_until_behind(log: EventLog, store: ProfileStore, most: int, patience_s: float = 60.0) -> None:
    """Wait until the store lacks at most this many records."""
    deadline = monotonic() + patience_s
    while behind(log, store) > most:
        if monotonic() > deadline:
            raise TimeoutError(f"{behind(log, store)} records are still not in the store after {patience_s} s")
        sleep(0.002)


def facts(store: ProfileStore, people: Sequence[CustomerId]) -> dict[CustomerId, bytes]:
    """Everybody's canonical facts."""
    found = store.load_many(people, "any", [0]).profiles
    return {person: canonical(stored.profile.facts) for person, stored in found.items()}


def make_consumer(
    log: EventLog, store: ProfileStore, batch: int = BATCH, active: Active = deployment
) -> ProfileConsumer:
    """A consumer of simulated traffic."""
    intake = Intake(GROUP, (CUSTOMERS,), batch)
    return ProfileConsumer(log, store, active, intake=intake, reckoning=by_the_record)


def spawn(log_path: Path, url: str, namespace: str) -> "subprocess.Popen[str]":
    """A consumer in a process of its own, once it has started."""
    command = [sys.executable, "-m", "tests.kill_consumer", str(log_path), url, namespace]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    if process.stdout is None or process.stdout.readline() != "started\n":
        raise RuntimeError("the consumer did not start")
    return process


def kill(process: "subprocess.Popen[str]") -> None:
    """SIGKILL, and wait for the body."""
    process.send_signal(signal.SIGKILL)
    process.wait()
    if process.stdout is not None:
        process.stdout.close()


def consume(log: EventLog, store: ProfileStore, patience_s: float = 600.0) -> None:
    """Run a consumer here until the store has everything."""
    consumer = make_consumer(log, store)
    consumer.start()
    try:
        wait_until_behind(log, store, 0, patience_s)
    finally:
        consumer.stop(PATIENCE_S)


def killed_and_undisturbed(
    folder: Path, url: str, namespace: str, count: int, kills: int
) -> tuple[dict[CustomerId, bytes], dict[CustomerId, bytes]]:
    """(facts after `kills` kills among disturbed events, facts of an undisturbed run)"""
    random = Random(count)
    people = customers(max(30, count // 50))
    first, events = introductions(people, random), history(count, people, random)
    with connect(url) as client:
        calm = open_log(folder / "calm", lease_s=LEASE_S)
        undisturbed = ProfileStore(client, Keys(f"{namespace}-calm"))
        append_all(calm, [*first, *events])
        consume(calm, undisturbed)
        calm.close()

        log = open_log(folder / "log", lease_s=LEASE_S)
        store = ProfileStore(client, Keys(namespace))
        append_all(log, first)
        consume(log, store)
        wild = disturbed(events, random)
        size = -(-len(wild) // kills)
        for number in range(kills):
            append_all(log, wild[number * size : (number + 1) * size])
            process = spawn(folder / "log", url, namespace)
            wait_until_behind(log, store, most=random.randrange(size // 8, size - size // 8))
            kill(process)
        consume(log, store)
        log.close()
        return facts(store, people), facts(undisturbed, people)


def main() -> None:
    """LOG URL NAMESPACE: consume until killed."""
    log_path, url, namespace = sys.argv[1:]
    log = open_log(Path(log_path), lease_s=LEASE_S)
    consumer = make_consumer(log, ProfileStore(connect(url), Keys(namespace)))
    running = consumer.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    running.result()


if __name__ == "__main__":
    main()
