"""What the tests of the profile consumer send, and what they look at."""

from collections.abc import Callable, Mapping

from streams.events import Attributes, Booking, Consent, Event, Outcome, Social, parse
from streams.ids import CustomerId
from streams.log import CUSTOMERS, EventLog
from streams.profile import CounterKey, Opened, Profile
from streams.profile_store import ProfileStore, Stored
from streams.valkey import Client, Keys
from tests.makers import NOW, event

ANNA, BEN, CARLA = CustomerId("anna"), CustomerId("ben"), CustomerId("carla")
SEEN: CounterKey = ("exposed", "o-1", "k-1", "cabins", "app.home.hero", "", "phone")
BOOKED: CounterKey = ("friend_booked", "", "", "ITLIV-ITOLB", "", "s-1", "")


def tier(level: str, at: int = NOW, event_id: str = "e-1", customer: str = "anna") -> Event:
    return event("customer.profile", customer, Attributes({"loyalty_tier": level}), at, event_id)


def exposed(event_id: str, at: int = NOW) -> Event:
    return event(
        "offer.exposed", "anna", Outcome("d-1", "o-1", "k-1", "cabins", "app.home.hero", "", "phone"), at, event_id
    )


def social() -> list[Event]:
    return [
        event("customer.consent", "anna", Consent({"social": True}), event_id="e-1"),
        event("customer.social", "anna", Social(["ben", "carla"]), event_id="e-2"),
    ]


def booking(event_id: str = "e-3", status: str = "open") -> Event:
    return event("customer.booking", "anna", Booking("b-1", "s-1", "ITLIV-ITOLB", status), NOW, event_id)


def profile(store: ProfileStore, customer: CustomerId) -> Profile:
    return store.load_many([customer], "any", [0]).profiles[customer].profile


def friend_records(log: EventLog) -> list[tuple[str, Event]]:
    """Every customer.friend_booked on the log, by friend."""
    told = [
        (record.key, parse(record.value))
        for partition in range(CUSTOMERS.partitions)
        for record in log.read(CUSTOMERS, partition, 0, 10_000)
        if b"friend_booked" in record.value
    ]
    return sorted(told, key=lambda each: (each[0], each[1].id))


def empty(client: Client, keys: Keys) -> None:
    """Forget everything of a namespace at once."""
    found = [*client.scan_iter(f"{{{keys.namespace}:*"), *client.scan_iter(f"{keys.namespace}:*")]
    client.delete(*found)


class Interrupted(ProfileStore):
    """Something happens between the fold and the save of the first batch."""

    def __init__(self, client: Client, keys: Keys, happening: Callable[[], None]) -> None:
        super().__init__(client, keys)
        self._happenings = [happening]

    def save_many(self, changes: Mapping[CustomerId, tuple[Stored, Opened]]) -> tuple[CustomerId, ...]:
        if changes and self._happenings:
            self._happenings.pop()()
        return super().save_many(changes)
