"""How many bytes of Redis a customer takes: `python -m loadtests.bench.memory`.

The customers are people of the world as the fold leaves them, their histories cut so that the mean has about 12
attributes, a booking, 3 friends and 8 counted events; ids are as long as theirs. The server says itself how much memory
it took: used_memory before and after, over the customers, and MEMORY USAGE of a sample. Measured again with every name
of the operator's own (offers, campaigns, collections, placements, ports, attribute values) replaced by random letters:
the dictionary of the stored form knows the example operator's names, and nobody's are harder to compress than those.
"""

import argparse
import string
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from random import Random
from statistics import fmean
from tempfile import TemporaryDirectory

import msgspec

from loadtests.bench.stand_in import CAMPAIGNS, told_by_the_world
from streams.attribute_file import load_attributes
from streams.attributes import AttributeSet, Kind, attribute_set
from streams.embedded_valkey import EmbeddedValkey
from streams.events import COUNTED, Attributes, Booking, Event, EventData, FriendBooked, parse
from streams.fold import Draft
from streams.ids import CustomerId, Millis
from streams.log import CUSTOMERS, Position, partition_of
from streams.profile import Opened, Profile
from streams.profile_form import encode_many
from streams.profile_store import NOBODY
from streams.valkey import Client, Keys, connect

SEED = 5
END: Millis = 1_795_284_251_000
PEOPLE = 2_000
"""Histories that differ; the customers have them in turn, each with ids of its own."""
CUSTOMERS_HELD = 200_000
AT_ONCE = 1_000
ATTRIBUTES_KEPT = 0.62
"""Share of a person's attributes that the register of this measurement knows."""
STRANGERS = 10
"""A tenth of the customers say as much of the other operator's names."""
COUNTED_KEPT = (9, 15)
"""So many of a person's counted events, the last ones, are kept: from, to; not everybody has so many."""
TOLD = 0.5
"""Share of the people who were told that a friend booked, which is counted too."""
LINE = "ITLIV-ITOLB"
EPOCH = "2f6c1c9e-5a0e-4a53-9a3f-1d7c1f6b8f2e"
SAMPLE = 1_000
NAMESPACE = "offing"
SOURCE = "offing/friends"


class Mean(msgspec.Struct, frozen=True):
    """The mean customer."""

    attributes: float
    bookings: float
    friends: float
    counted: float
    remembered: float
    """Ids of counted events that are still kept."""


class Held(msgspec.Struct, frozen=True):
    """What the server holds."""

    bytes_per_customer: float
    """Growth of used_memory over the customers."""
    memory_usage: float
    """Mean MEMORY USAGE of a sample of the keys."""
    value: float
    """Mean length of the stored profile."""
    key: float
    """Mean length of its key."""


class Memory(msgspec.Struct, frozen=True):
    """What was measured."""

    server: str
    customers: int
    mean: Mean
    known: Held
    """With the example operator's names, which the dictionary knows."""
    unknown: Held
    """With names it does not know."""


Recorded = tuple[Millis, Event]


def measure_memory(customers: int = CUSTOMERS_HELD, people: int = PEOPLE) -> Memory:
    """Fill a Valkey of its own, twice. Raises Stop."""
    histories = list(lives(people))
    attributes = load_attributes(CAMPAIGNS / "attributes.yaml")
    known = held(customers, histories, attributes)
    strange = Stranger(SEED)
    fewer = max(1, customers // STRANGERS)
    unknown = held(fewer, [strange.history(history) for history in histories], _lenient(attributes))
    return Memory(known[0], customers, known[1], known[2], unknown[2])


def lives(people: int) -> Iterator[list[Recorded]]:
    """What is known of each person of the world, cut to the mean that is measured."""
    by_person: dict[str, list[Recorded]] = {}
    for entry in told_by_the_world(SEED, people, END).customers:
        by_person.setdefault(entry.key, []).append((entry.recorded or END, parse(entry.value)))
    for person, told in sorted(by_person.items()):
        yield sorted(_cut(Random(f"{SEED}:{person}"), told), key=lambda each: each[0])


def _cut(rng: Random, told: Sequence[Recorded]) -> Iterator[Recorded]:
    person = told[0][1].subject
    counted = [each for each in told if each[1].type in COUNTED]
    yield from counted[-rng.randint(*COUNTED_KEPT) :]
    first = next((event.data.booking_id for _, event in told if isinstance(event.data, Booking)), None)
    for recorded, event in told:
        if isinstance(event.data, Attributes):
            kept = {name: raw for name, raw in event.data.attributes.items() if rng.random() < ATTRIBUTES_KEPT}
            yield recorded, msgspec.structs.replace(event, data=Attributes(kept))
        elif event.type not in COUNTED and (not isinstance(event.data, Booking) or event.data.booking_id == first):
            yield recorded, event
    sailing = f"{LINE}/2026-11-{rng.randint(10, 28)}T21:30"
    if first is None:
        said = {"accommodation": "seat", "vehicle": "none", "party": rng.randint(1, 4), "children": 0, "pets": 0}
        booking = Booking(f"b-{person}-0", sailing, LINE, "open", said)
        yield END, Event(f"{person}-b", "world/bookings", "customer.booking", person, END, booking)
    if rng.random() < TOLD:
        ident = f"{rng.getrandbits(128):032x}"
        yield END, Event(ident, SOURCE, "customer.friend_booked", person, END, FriendBooked(sailing, LINE))


def held(customers: int, histories: Sequence[Sequence[Recorded]], attributes: AttributeSet) -> tuple[str, Mean, Held]:
    """(server, the mean customer, what the server holds of `customers` who have these histories in turn)."""
    keys, means = Keys(NAMESPACE), Means()
    with TemporaryDirectory(prefix="om-", dir="/tmp") as folder:
        valkey = EmbeddedValkey(Path(folder))
        with connect(valkey.start(), "bench") as client:
            client.config_set("appendonly", "no")  # what is measured is memory, and 100 MB need not be written
            before = _used(client)
            lengths: list[int] = []
            for start in range(0, customers, AT_ONCE):
                numbers = range(start, min(start + AT_ONCE, customers))
                opened = [folded(number, histories[number % len(histories)], attributes) for number in numbers]
                means.add(opened)
                stored = encode_many(opened)
                lengths += map(len, stored)
                client.replies(
                    [("SET", keys.profile(customer(n)), raw) for n, raw in zip(numbers, stored, strict=True)]
                )
            grown = (_used(client) - before) / customers
            sampled = [keys.profile(customer(n)) for n in range(0, customers, max(1, customers // SAMPLE))]
            usage = fmean(client.replies([("MEMORY", "USAGE", key, "SAMPLES", "0") for key in sampled]))
            server = _server(client)
        valkey.stop()
    return server, means.mean(), Held(round(grown, 1), round(usage, 1), round(fmean(lengths), 1), len(sampled[0]))


def kinds(client: Client, namespace: str, sample: int = SAMPLE) -> dict[str, tuple[int, float]]:
    """What else customers have there: kind of key -> (how many, mean MEMORY USAGE), of up to `sample` keys of each.

    Looks at every key of the server.
    """
    found: dict[str, list[bytes]] = {}
    for key in client.scan_iter(f"{{{namespace}:c:*", count=SAMPLE):
        found.setdefault(key.rpartition(b"}")[2].split(b":")[1].decode(), []).append(key)
    return {
        kind: (len(keys), round(fmean(client.replies([("MEMORY", "USAGE", key) for key in keys[:sample]])), 1))
        for kind, keys in sorted(found.items())
    }


def customer(number: int) -> CustomerId:
    """c-100042: as long as the ids of a line with some hundred thousand customers."""
    return CustomerId(f"c-{100_000 + number}")


def folded(number: int, history: Sequence[Recorded], attributes: AttributeSet) -> Opened:
    """A customer with this history: its ids, and those of friends, are its own."""
    ident = customer(number)
    draft = Draft(NOBODY, attributes)
    partition = partition_of(ident, CUSTOMERS)
    for place, (recorded, event) in enumerate(history):
        own = msgspec.structs.replace(event, id=f"{number}-{event.id}", subject=ident)
        draft.apply(own, Position(EPOCH, CUSTOMERS.name, partition, 15 * number + place), recorded)
    return draft.opened()


class Means:
    """Adds up what customers have."""

    def __init__(self) -> None:
        self._sums = [0] * 5
        self._customers = 0

    def add(self, opened: Sequence[Opened]) -> None:
        """These too."""
        self._customers += len(opened)
        for each in opened:
            for place, number in enumerate(_counts(each.profile())):
                self._sums[place] += number

    def mean(self) -> Mean:
        """Of all."""
        return Mean(*(round(total / self._customers, 2) for total in self._sums))


def _counts(profile: Profile) -> tuple[int, ...]:
    facts = profile.facts
    friends = facts.cells.get(9001)
    named = len(friends.value) if friends is not None and isinstance(friends.value, tuple) else 0
    counted = sum(sum(held.values()) for held in facts.counters.values())
    attributes = len(facts.cells) - (friends is not None)
    return attributes, len(facts.bookings), named, counted, len(profile.delivery.ids)


class Stranger:
    """Another operator: every name is replaced by one of its length that no dictionary knows, the same every time."""

    def __init__(self, seed: int) -> None:
        self._rng = Random(seed)
        self._names: dict[str, str] = {}

    def history(self, told: Sequence[Recorded]) -> list[Recorded]:
        """The same history, told by that operator."""
        return [(recorded, msgspec.structs.replace(event, data=self._data(event))) for recorded, event in told]

    def _data(self, event: Event) -> EventData:
        data = event.data
        if isinstance(data, Attributes):
            return Attributes({name: self._value(raw) for name, raw in data.attributes.items()})
        fields = {name: self._field(name, getattr(data, name)) for name in data.__struct_fields__}
        return msgspec.structs.replace(data, **fields)

    def _field(self, name: str, raw: object) -> object:
        if name in ("offer_id", "campaign_id", "collection", "placement", "line"):
            return self._name(str(raw))
        if name in ("sailing_id", "about") and "/" in str(raw):
            kind, _, sailing = str(raw).rpartition(":" if str(raw).startswith("sailing:") else "\0")
            line, _, at = (sailing or str(raw)).partition("/")
            return f"{'sailing:' if kind else ''}{self._name(line)}/{at}"
        if name == "about" and str(raw).startswith("venue:"):
            return f"venue:{self._name(str(raw)[6:])}"
        if name == "attributes" and isinstance(raw, Mapping):
            return {key: self._value(value) for key, value in raw.items()}
        return raw

    def _value(self, raw: object) -> object:
        if isinstance(raw, str) and not raw[:1].isdigit():
            return self._name(raw)
        return [self._name(str(each)) for each in raw] if isinstance(raw, list) else raw

    def _name(self, name: str) -> str:
        if name not in self._names:
            letters = string.ascii_uppercase if name.isupper() else string.ascii_lowercase
            made = "".join(self._rng.choice(letters) if char.isalpha() else char for char in name)
            self._names[name] = made
        return self._names[name]


def _lenient(attributes: AttributeSet) -> AttributeSet:
    """The same declarations, of which every enum takes any text: the stranger's levels are its own."""
    declared = []
    for attribute in attributes.by_name.values():
        if attribute.number < 9_000:
            kind = Kind.STRING if attribute.kind is Kind.ENUM else attribute.kind
            fields = {name: getattr(attribute, name) for name in attribute.__slots__ if name != "qualified"}
            declared.append(type(attribute)(**{**fields, "kind": kind, "levels": ()}))
    return attribute_set(tuple(declared))


def _used(client: Client) -> int:
    used: int = client.info("memory")["used_memory"]
    return used


def _server(client: Client) -> str:
    info: Mapping[str, object] = client.info("server")
    return f"{info.get('server_name', 'redis')} {info.get('valkey_version', info['redis_version'])}"


def main() -> None:
    """Measure and tell."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=CUSTOMERS_HELD)
    parser.add_argument("--people", type=int, default=PEOPLE)
    chosen = parser.parse_args()
    found = measure_memory(chosen.customers, chosen.people)
    print(msgspec.json.format(msgspec.json.encode(found), indent=1).decode())


if __name__ == "__main__":
    main()
