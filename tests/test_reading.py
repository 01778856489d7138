"""A customer as read: before the instant that a reading names, the same bytes read the same."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from offers import reading
from offers.answer_store import NOTHING_FOUND, Found
from streams.attributes import Attribute, Kind, attribute_set
from streams.ids import Millis
from streams.instant import HOUR_MS, MINUTE_MS
from streams.places import NOWHERE, Whereabouts
from streams.profile import BookingFact, Cell, Profile, ProfileFacts
from streams.profile_form import encode
from streams.profile_store import PRESENCE_MS, presence_bytes
from tests.makers import NOW

ATTRIBUTES = attribute_set(
    (
        Attribute("customer", "tier", 1, Kind.STRING),
        Attribute("customer", "age", 2, Kind.INTEGER, retention_ms=HOUR_MS),
        Attribute("customer", "home", 3, Kind.STRING, purpose="personalised_offers", retention_ms=2 * HOUR_MS),
        Attribute("booking", "seat", 40, Kind.STRING, retention_ms=HOUR_MS),
    )
)
HERE = Whereabouts("precise", "861ea4b1fffffff", 50, (), NOW)
ages = st.integers(-10 * MINUTE_MS, 3 * HOUR_MS)
cells = st.dictionaries(st.sampled_from([1, 2, 3]), st.builds(lambda age: Cell("x", NOW - age, 0), ages))
bookings = st.builds(lambda age: {"b-1": BookingFact("s-1", "l", "open", {40: "deck"}, NOW - age, 0)}, ages)
consents = st.sets(st.sampled_from(["purpose:location", "purpose:personalised_offers"])).map(
    lambda names: {name: Cell(True, NOW, 0) for name in names}
)
presences = st.none() | ages.map(lambda age: presence_bytes(msgspec.structs.replace(HERE, at=NOW - age)))


@given(cells, bookings, consents, presences, st.floats(0, 1), st.sampled_from([NOWHERE, HERE, Whereabouts("denied")]))
def test_until_the_instant_named_the_same_bytes_read_the_same(
    known: dict[int, Cell],
    booked: dict[str, BookingFact],
    granted: dict[str, Cell],
    presence: bytes | None,
    share: float,
    resolved: Whereabouts,
) -> None:
    facts = ProfileFacts(cells=known, consent=granted, bookings=booked)
    found = Found(profile=encode(Profile(facts)), presence=presence)
    first = reading.read(found, (), resolved, ATTRIBUTES, NOW)
    assert first.until > NOW
    later = NOW + int(share * (min(first.until, NOW + 5 * HOUR_MS) - 1 - NOW))
    assert reading.read(found, (), resolved, ATTRIBUTES, later) == first
    if first.until < reading.NEVER:
        after = reading.read(found, (), resolved, ATTRIBUTES, first.until)
        assert (after.profile, after.whereabouts, after.until) != (first.profile, first.whereabouts, first.until)


def test_presence_counts_with_consent_for_15_minutes_and_only_if_the_request_says_nothing() -> None:
    granted = {"purpose:location": Cell(True, NOW, 0)}
    found = Found(encode(Profile(ProfileFacts(consent=granted))), presence_bytes(HERE))

    def where(resolved: Whereabouts, now: Millis) -> Whereabouts:
        return reading.read(found, (), resolved, ATTRIBUTES, now).whereabouts

    assert where(NOWHERE, NOW + PRESENCE_MS) == HERE
    assert where(NOWHERE, NOW + PRESENCE_MS + 1) == NOWHERE
    assert where(NOWHERE, NOW - 1) == NOWHERE
    assert where(Whereabouts("denied"), NOW) == Whereabouts("denied")
    without = Found(encode(Profile(ProfileFacts())), presence_bytes(HERE))
    assert reading.read(without, (), NOWHERE, ATTRIBUTES, NOW).whereabouts == NOWHERE


def test_what_was_seen_tells_every_part_from_every_other() -> None:
    finds = [
        NOTHING_FOUND, Found(profile=b"a"), Found(presence=b"a"), Found(pending=[b"a"]), Found(pending=[b"a", b""]),
        Found(pending=[b"", b"a"]), Found(profile=b"ab"), Found(b"a", b"b"), Found(b"a", pending=[b"b"]),
    ]  # fmt: skip
    assert len({reading.seen(found) for found in finds}) == len(finds)
    assert reading.seen(Found(b"a", b"b", [b"c"], b"old", b"older")) == reading.seen(Found(b"a", b"b", [b"c"]))


def test_nothing_read_is_a_stranger_and_says_so() -> None:
    found = reading.read(NOTHING_FOUND, (), NOWHERE, ATTRIBUTES, NOW)
    assert (found.degraded, found.profile.facts) == ((reading.UNAVAILABLE,), {})
    unknown = reading.read(Found(), (), NOWHERE, ATTRIBUTES, NOW)
    assert unknown.degraded == ()
    spoilt = reading.read(Found(profile=b"\xff nonsense"), (), NOWHERE, ATTRIBUTES, NOW)
    assert spoilt.degraded == (reading.UNAVAILABLE,)
