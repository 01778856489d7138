"""A small operator and its customer's events: makers and hypothesis strategies for the tests of profiles."""

from collections.abc import Sequence

from hypothesis import strategies as st

from streams import profile
from streams.attributes import Attribute, AttributeSet, Kind, attribute_set
from streams.events import (
    Attributes,
    Booking,
    Consent,
    Event,
    EventData,
    FriendBooked,
    Linked,
    Outcome,
    Social,
)
from streams.fold import fold
from streams.ids import Millis
from streams.instant import DAY_MS, HOUR_MS
from streams.log import CUSTOMERS, Position

NOW: Millis = 1_795_284_251_123
YEAR_2100: Millis = 4_102_444_800_000
ATTRIBUTES: AttributeSet = attribute_set(
    (
        Attribute("customer", "loyalty_tier", 1, Kind.ENUM, ("blue", "silver", "gold"), ordered=True),
        Attribute("customer", "children", 2, Kind.INTEGER, purpose="personalised_offers"),
        Attribute("customer", "interests", 3, Kind.SET, set_by="app", retention_ms=30 * DAY_MS),
        Attribute("customer", "points", 4, Kind.INTEGER, keys=("gold", "blue"), by="tier"),
        Attribute("booking", "accommodation", 101, Kind.ENUM, ("deck", "seat", "cabin")),
        Attribute("booking", "pets", 102, Kind.BOOLEAN, purpose="personalised_offers", retention_ms=90 * DAY_MS),
    )
)
Recorded = tuple[Millis, Event]
"""(recorded, event)"""
TYPES: dict[type, str] = {
    Attributes: "customer.profile",
    Consent: "customer.consent",
    Social: "customer.social",
    Booking: "customer.booking",
    Linked: "customer.linked",
    FriendBooked: "customer.friend_booked",
    Outcome: "offer.exposed",
}
OUTCOMES = ("offer.exposed", "offer.clicked", "offer.dismissed", "offer.redeemed")


def event(data: EventData, at: Millis = NOW, event_id: str = "e-1", kind: str | None = None) -> Event:
    """One customer's event; `kind` if the data does not say it."""
    return Event(event_id, "booking", kind or TYPES[type(data)], "c-1", at, data)


def outcome(offer: str = "cabin", placement: str = "home", about: str = "booking:b-1") -> Outcome:
    """What became of an offer."""
    return Outcome("d-1", offer, f"{offer}-winter", "cabins", placement, about, "phone")


def position(offset: int, epoch: str = "log-1", partition: int = 3) -> Position:
    """An address on offing.customers."""
    return Position(epoch, CUSTOMERS.name, partition, offset)


def is_applied(found: profile.Profile, at: Position) -> bool:
    """Whether the record is at or below the watermark of its log."""
    return profile.is_below(found.delivery.watermarks.get(profile.mark_of_epoch(at.epoch)), at)


def folded(events: Sequence[Recorded], start: profile.Profile = profile.EMPTY, first: int = 0) -> profile.Profile:
    """The profile after the events, at offsets from `first` on."""
    for offset, (recorded, each) in enumerate(events, first):
        start = fold(start, each, position(offset), recorded, ATTRIBUTES).profile
    return start


_NAMES = st.sampled_from(("a", "b", "c"))
_DATA: st.SearchStrategy[EventData] = st.one_of(
    st.builds(
        Attributes,
        st.fixed_dictionaries(
            {},
            optional={
                "loyalty_tier": st.sampled_from(("blue", "gold", None, "lead")),
                "children": st.one_of(st.none(), st.integers(0, 9)),
                "interests": st.lists(_NAMES, max_size=3),
                "shoe_size": st.just(42),
            },
        ),
    ),
    st.builds(
        Consent,
        purposes=st.dictionaries(st.sampled_from(("social", "location")), st.booleans()),
        channels=st.dictionaries(st.sampled_from(("app", "push")), st.booleans()),
    ),
    st.builds(Social, st.lists(_NAMES, max_size=3)),
    st.builds(
        Booking,
        _NAMES,
        st.sampled_from(("s-1", "s-2")),
        st.just("ITLIV-ITOLB"),
        st.sampled_from(("open", "cancelled", "completed")),
        st.fixed_dictionaries({}, optional={"accommodation": st.sampled_from(("deck", "seat")), "pets": st.booleans()}),
    ),
    st.builds(Linked, _NAMES),
    st.builds(FriendBooked, _NAMES, st.just("ITLIV-ITOLB")),
    st.builds(outcome, _NAMES, _NAMES, st.just("")),
)
_TIMES = st.one_of(
    st.integers(NOW - 3 * HOUR_MS, NOW + 3 * HOUR_MS),
    st.sampled_from((0, NOW, NOW, NOW - 8 * DAY_MS, YEAR_2100)),
)


@st.composite
def histories(draw: st.DrawFn, most: int = 30, span_ms: Millis = DAY_MS) -> list[Recorded]:
    """Events with ids of their own, recorded within `span_ms` before NOW, by clocks between 1970 and 2100."""
    history = []
    for number, data in enumerate(draw(st.lists(_DATA, max_size=most))):
        kind = draw(st.sampled_from(OUTCOMES)) if isinstance(data, Outcome) else None
        recorded = NOW - draw(st.integers(0, span_ms))
        history.append((recorded, event(data, draw(_TIMES), f"e-{number}", kind)))
    return history
