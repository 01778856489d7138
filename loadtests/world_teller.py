"""What the register, the booking system and the app tell Offing, as events. The same run has the same ids."""

from collections.abc import Mapping
from typing import Any

from loadtests.world_clock import rfc3339
from loadtests.world_lives import Booking
from loadtests.world_market import Told, event
from loadtests.world_people import Person

REGISTER, BOOKINGS, APP, TILL = "world/register", "world/bookings", "world/app", "world/till"


class Teller:
    """Makes events. An id is the subject and how many the subject has had, so it does not depend on others."""

    def __init__(self) -> None:
        self._told: dict[str, int] = {}

    def hello(self, person: Person, at: int) -> list[Told]:
        """Everything known of someone on the first day."""
        profile = {**person.attributes, "age_band": person.age, "pet": person.pet}
        purposes = {name: name in person.consents for name in ("personalised_offers", "location", "social")}
        consent: Told = {"purposes": purposes, "channels": {"app": True}}
        events = [
            self._event(REGISTER, "customer.profile", (person.id, at), {"attributes": profile}),
            self._event(APP, "customer.preferences", (person.id, at), {"attributes": dict(person.preferences)}),
            self._event(APP, "customer.consent", (person.id, at), consent),
            self._event(APP, "customer.device", (person.id, at), {"attributes": {"devices": list(person.devices)}}),
        ]
        if person.friends:
            events.append(self._event(REGISTER, "customer.social", (person.id, at), {"friends": list(person.friends)}))
        return events

    def booking(self, booking: Booking, status: str, at: int) -> Told:
        """A booking as it stands now."""
        attributes = {
            "accommodation": booking.accommodation,
            "vehicle": booking.vehicle,
            "party": booking.party,
            "children": booking.children,
            "pets": booking.pets,
        }
        said: Told = {
            "booking_id": booking.id,
            "sailing_id": booking.sailing.id,
            "line": booking.sailing.line.id,
            "status": status,
            "attributes": attributes,
        }
        return self._event(BOOKINGS, "customer.booking", (booking.person, at), said)

    def trips(self, person: str, number: int, at: int, arrived: int | None = None) -> Told:
        """How many trips somebody has before them, and when the last one ended."""
        attributes: Told = {"open_trips": number}
        if arrived is not None:
            attributes["last_trip_at"] = rfc3339(arrived)
        return self._event(REGISTER, "customer.profile", (person, at), {"attributes": attributes})

    def redeemed(self, person: str, item: Mapping[str, Any], at: int) -> Told:
        """A shown offer was paid for."""
        return self._event(TILL, "offer.redeemed", (person, at), {"token": item["token"]})

    def _event(self, source: str, kind: str, about: tuple[str, int], data: Told) -> Told:
        number = self._told[about[0]] = self._told.get(about[0], 0) + 1
        return event(source, f"{about[0]}-{number}", kind, about, data)
