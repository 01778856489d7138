"""Friends: what a new booking tells the friends its customer named. Pure; the consumer appends it to the log."""

from streams.attributes import BUILT_IN
from streams.bucket import tag
from streams.events import MAX_FRIENDS, MAX_ID, Booking, Event, FriendBooked
from streams.ids import CustomerId, Millis
from streams.profile import COUNTED_FOR_MS, ProfileFacts

SOURCE = "offing/friends"
FRIENDS = next(attribute.number for attribute in BUILT_IN if attribute.qualified == "customer.friends")
SOCIAL = "purpose:social"
OPEN = "open"


def friend_events(event: Event, before: ProfileFacts, after: ProfileFacts, now: Millis) -> tuple[Event, ...]:
    """One customer.friend_booked for each friend, if this event newly opened a booking and the booker consents.

    `before` and `after` are the booker's facts around the event. The id is derived from (booker, booking, sailing,
    friend), so telling again counts once; nothing is told so late that the fold would have forgotten the id. Whether
    it may be used is up to each friend's own consent. The event names nobody.
    """
    data = event.data
    if not isinstance(data, Booking):
        return ()
    old, new = before.bookings.get(data.booking_id), after.bookings.get(data.booking_id)
    if new is None or new is old or new.status != OPEN or new.at < now - COUNTED_FOR_MS:
        return ()
    if old is not None and (old.status, old.sailing_id) == (OPEN, new.sailing_id):
        return ()
    told = FriendBooked(new.sailing_id, new.line)
    return tuple(
        Event(
            id=f"{tag((event.subject, data.booking_id, new.sailing_id, friend), 16):032x}",
            source=SOURCE,
            type="customer.friend_booked",
            subject=friend,
            time=new.at,
            data=told,
            origin=event.origin,
        )
        for friend in consenting_friends(after, event.customer_id)
    )


def consenting_friends(facts: ProfileFacts, booker: CustomerId) -> tuple[CustomerId, ...]:
    """The friends a customer named, if it lets Offing use that; at most 200, never itself."""
    consent, friends = facts.consent.get(SOCIAL), facts.cells.get(FRIENDS)
    if consent is None or consent.value is not True or friends is None or not isinstance(friends.value, tuple):
        return ()
    return tuple(
        CustomerId(friend) for friend in friends.value[:MAX_FRIENDS] if friend != booker and len(friend) <= MAX_ID
    )
