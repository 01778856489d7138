"""Consumers of offing.customers on Kafka that join, leave and are killed: as a program one of them, imported the proof.

Duplicates, reordering, members that come and go and, in the long form, a broker that dies in the middle: in the end the
facts are, byte for byte, those of a plain fold in memory of the same events in order and once each.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from random import Random
from time import monotonic, sleep
from types import FrameType

from streams.errors import Retry
from streams.events import Event, to_bytes
from streams.fold import fold
from streams.friends import friend_events
from streams.ids import CustomerId
from streams.kafka_address import KafkaAddress, parse_servers
from streams.kafka_client import KafkaLimits
from streams.kafka_log import KafkaLog
from streams.kafka_topics import create
from streams.log import CUSTOMERS, DEADLETTERS, Entry, EventLog
from streams.profile import EMPTY, Profile
from streams.profile_form import canonical
from streams.profile_store import ProfileStore
from streams.valkey import Keys, connect
from tests.kill_consumer import behind, disturbed, facts, history, introductions, kill, make_consumer, wait_until_behind
from tests.makers import ATTRIBUTES, PATIENCE_S, customers

TOPICS = (CUSTOMERS, DEADLETTERS)
LIMITS = KafkaLimits(session_s=1.0, poll_s=10.0)
BATCH = 200


def plain_fold(events: Iterable[Event]) -> dict[CustomerId, Profile]:
    """Everybody's profile, with nothing but a dictionary, in order and once each; friends hear of bookings at once."""
    profiles: dict[CustomerId, Profile] = {}
    for event in events:
        before = profiles.get(event.customer_id, EMPTY)
        recorded = event.time + 1_000
        after = profiles[event.customer_id] = fold(before, event, None, recorded, ATTRIBUTES).profile
        for told in friend_events(event, before.facts, after.facts, recorded):
            friend = profiles.get(told.customer_id, EMPTY)
            profiles[told.customer_id] = fold(friend, told, None, recorded, ATTRIBUTES).profile
    return profiles


def open_log(address: KafkaAddress, namespace: str) -> KafkaLog:
    return KafkaLog(address, namespace, topics=TOPICS, kept=(CUSTOMERS,), limits=LIMITS)


def append_until_kept(log: EventLog, events: Sequence[Event], size: int = 500) -> int:
    """As a sender does: what was not acknowledged is sent again. How often that was needed."""
    repeated = 0
    for start in range(0, len(events), size):
        entries = [Entry(each.subject, to_bytes(each), each.time + 1_000) for each in events[start : start + size]]
        while True:
            try:
                log.append(CUSTOMERS, entries).result(PATIENCE_S)
            except Retry as error:
                repeated += 1
                sleep(error.after_s or 0.0)
            else:
                break
    return repeated


@dataclass
class Crowd:
    """The consumers of one group, each a process."""

    address: KafkaAddress
    namespace: str
    store_url: str
    members: "list[subprocess.Popen[str]]" = field(default_factory=list)

    def join(self) -> None:
        """One more, which consumes when this returns."""
        command = [sys.executable, "-m", "tests.kafka_proof", *self.address.servers, self.namespace, self.store_url]
        member = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.members.append(member)
        if member.stdout is None or member.stdout.readline() != "started\n":
            raise RuntimeError("the consumer did not start")

    def leave(self) -> None:
        """The first one finishes its batch, commits and leaves."""
        member = self.members.pop(0)
        member.send_signal(signal.SIGTERM)
        assert member.wait(PATIENCE_S) == 0
        if member.stdout is not None:
            member.stdout.close()

    def die(self) -> None:
        """The first one, by SIGKILL."""
        kill(self.members.pop(0))

    def end(self) -> None:
        """All of them, at once."""
        while self.members:
            self.die()


Happening = Callable[[Crowd], None]
JOINS: Happening = Crowd.join
LEAVES: Happening = Crowd.leave
DIES: Happening = Crowd.die


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a proof came to."""

    found: dict[CustomerId, bytes]
    expected: dict[CustomerId, bytes]
    records: int
    """In the log: the events, their copies, what friends were told, and whatever was appended twice."""
    repeated: int
    """Appends that had to be made again."""


def proof(
    address: KafkaAddress, namespace: str, store_url: str, count: int, happenings: Sequence[Happening]
) -> Outcome:
    """`count` events in as many parts as there are happenings; each happens while its part is being folded."""
    random = Random(count)
    people = customers(max(30, count // 50))
    first, events = introductions(people, random), history(count, people, random)
    expected = {person: canonical(found.facts) for person, found in plain_fold([*first, *events]).items()}
    create(address, namespace, TOPICS)
    crowd = Crowd(address, namespace, store_url)
    with closing(open_log(address, namespace)) as log, connect(store_url) as client:
        store = ProfileStore(client, Keys(namespace))
        try:
            crowd.join()
            crowd.join()
            append_until_kept(log, first)
            wait_until_behind(log, store, 0)  # who is told of a booking depends on what was told before
            wild, repeated = disturbed(events, random), 0
            size = -(-len(wild) // len(happenings))
            for number, happens in enumerate(happenings):
                part = wild[number * size : (number + 1) * size]
                repeated += append_until_kept(log, part[: size // 2])
                happens(crowd)
                repeated += append_until_kept(log, part[size // 2 :])
            patiently(partial(behind, log, store), patience_s=120.0 + count / 500)
        finally:
            crowd.end()
        found = {person: state for person, state in facts(store, people).items() if person in expected}
        return Outcome(found, expected, sum(log.end(CUSTOMERS).values()), repeated)


def patiently(left: Callable[[], int], patience_s: float) -> None:
    """Wait until nothing is left to do, twice in a row: what friends are told is appended while they are counted."""
    deadline, level = monotonic() + patience_s, 0
    while level < 2:
        if monotonic() > deadline:
            raise TimeoutError(f"{left()} records are still not in the store after {patience_s:.0f} s")
        level = level + 1 if left() == 0 else 0
        sleep(0.2)


def main() -> None:
    """SERVERS NAMESPACE STORE_URL: consume until SIGTERM or death."""
    servers, namespace, store_url = sys.argv[1:]
    log = open_log(parse_servers(f"kafka://{servers}"), namespace)
    consumer = make_consumer(log, ProfileStore(connect(store_url), Keys(namespace)), BATCH)

    def leave(number: int, frame: FrameType | None) -> None:
        raise SystemExit(0)

    signal.signal(signal.SIGTERM, leave)
    running = consumer.start()
    sys.stdout.write("started\n")
    sys.stdout.flush()
    try:
        running.result()
    except SystemExit:
        consumer.stop(PATIENCE_S)
        log.close()


if __name__ == "__main__":
    main()
