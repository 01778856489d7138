"""A cached decision is served only where deciding again would give the same."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offers import cache, reply
from offers.cache import CachedDecision, Expected
from offers.catalog import Catalog
from offers.condition import Leaf, Op
from offers.offer import Limit, Representation, Selector
from offers.proposition import Decision
from offers.situation import Situation
from scoring.features import COUNTERS
from streams.events import Capacity, Fare, SeasonOverride, VenueCapacity
from streams.ids import CustomerId, DecisionId, Millis, ModelId, PlacementId, RevisionId
from streams.instant import HOUR_MS, MINUTE_MS
from streams.market import EMPTY, Market
from streams.places import Fix, Whereabouts
from streams.profile import CounterKey, MaskedProfile
from streams.record import PlacementRequest, Request
from tests.catalogs import HERO, NOW, TEXT, catalog, offer, representation
from tests.deciding import counters, declared, happened
from tests.geography import LIVORNO, OLBIA, PLACES
from tests.markets import BACK, CORSICA, OUTWARD, Said, booking, sails, told
from tests.test_validity import BOOKS, LASTS, PRIOR, SLOW, decided, shown, situations

HERE = PLACES.resolve(Fix(LIVORNO.lat, LIVORNO.lon, 20, NOW), "precise")
ASKED = Request(
    CustomerId("c-1"), (PlacementRequest(HERO, 3),), "it-IT", {"context.weather": ("rainy", NOW)}, "b1",
)  # fmt: skip
CARD = PlacementId("app.trip.card")


def test_the_key_is_the_same_for_the_same_question_however_often_it_is_asked() -> None:
    later: Request = msgspec.structs.replace(ASKED, context={"context.weather": ("rainy", NOW + 90_000)})
    assert cache.key(later, msgspec.structs.replace(HERE, at=NOW + 90_000), "customer") == cache.key(
        ASKED, HERE, "customer"
    )
    two = {"context.weather": ("rainy", NOW), "context.device_class": ("phone", NOW)}
    turned = dict(reversed(two.items()))
    assert cache.key(msgspec.structs.replace(ASKED, context=two), HERE, "key") == cache.key(
        msgspec.structs.replace(ASKED, context=turned), HERE, "key"
    )
    assert len(cache.key(ASKED, HERE, "customer")) == 32


def test_every_difference_in_what_is_asked_makes_another_key() -> None:
    changed = msgspec.structs.replace
    questions = [
        (ASKED, HERE, "customer"),
        (ASKED, HERE, "key"),
        (changed(ASKED, placements=(PlacementRequest(HERO, 2),)), HERE, "customer"),
        (changed(ASKED, placements=(PlacementRequest(HERO, 3), PlacementRequest(CARD, 1))), HERE, "customer"),
        (changed(ASKED, placements=(PlacementRequest(CARD, 1), PlacementRequest(HERO, 3))), HERE, "customer"),
        (changed(ASKED, locale="de-DE"), HERE, "customer"),
        (changed(ASKED, context={}), HERE, "customer"),
        (changed(ASKED, context={"context.weather": ("sunny", NOW)}), HERE, "customer"),
        (changed(ASKED, trip=None), HERE, "customer"),
        (changed(ASKED, trip="b2"), HERE, "customer"),
        (changed(ASKED, channel="web"), HERE, "customer"),
        (ASKED, changed(HERE, status="approximate"), "customer"),
        (ASKED, changed(HERE, accuracy_m=250), "customer"),
        (ASKED, changed(HERE, fences=()), "customer"),
        (ASKED, PLACES.resolve(Fix(OLBIA.lat, OLBIA.lon, 20, NOW), "precise"), "customer"),
        (ASKED, Whereabouts("denied"), "customer"),
        (ASKED, Whereabouts("off"), "customer"),
    ]
    assert len({cache.key(*question) for question in questions}) == len(questions)


PROFILE = MaskedProfile(
    facts={"customer.tier": ("gold", NOW), "customer.age": (40, NOW)},
    bookings={"b1": booking("s1")},
    counters=counters((happened("exposed", offer("o")), NOW)),
    lifetime={("clicked", "o", "c-o", "fares", "", "", ""): 3},
    purposes=("location",),
    channels=("app",),
)
GOLD = Leaf("customer.tier", Op.IN, ("gold",))
FRIEND: CounterKey = ("friend_booked", "", "", OUTWARD, "", "s1", "")


def stamped(book: Catalog, profile: MaskedProfile = PROFILE, where: Whereabouts = HERE, *reads: str) -> int:
    return cache.stamp(profile, where, book, declared(reads=frozenset(reads)))


def changed(**parts: object) -> MaskedProfile:
    made: MaskedProfile = msgspec.structs.replace(PROFILE, **parts)
    return made


CHANGES: dict[str, MaskedProfile] = {
    "tier": changed(facts={**PROFILE.facts, "customer.tier": ("blue", NOW)}),
    "tier-time": changed(facts={**PROFILE.facts, "customer.tier": ("gold", NOW + 1)}),
    "no-tier": changed(facts={"customer.age": (40, NOW)}),
    "age": changed(facts={**PROFILE.facts, "customer.age": (41, NOW)}),
    "bookings": changed(bookings={"b1": booking("s1", seat="seat")}),
    "counters": changed(counters={}),
    "lifetime": changed(lifetime={}),
    "purposes": changed(purposes=()),
    "channels": changed(channels=()),
}
ALWAYS = {"purposes", "channels"}
TIER = {"tier", "tier-time", "no-tier"}
COUNTED = {"counters", "lifetime"}
TELLING = Representation(
    representation().image, "x", "y", {"it": replace(TEXT, body="{sailing.friends_booked|number} amici")}, "it"
)
READERS: dict[str, tuple[Catalog, tuple[str, ...], set[str]]] = {
    "nothing": (catalog([offer("o")]), (), set()),
    "tier": (catalog([offer("o", eligibility=GOLD)]), (), TIER),
    "age by the model": (catalog([offer("o")]), ("customer.age",), {"age"}),
    "bookings": (catalog([offer("o", about=Selector("booking"))]), (), {"bookings"}),
    "bookings by the model": (catalog([offer("o")]), ("booking.accommodation",), {"bookings"}),
    "a cap": (catalog([offer("o", limits=(Limit("exposed", "customer", "offer", 3),))]), (), COUNTED),
    "history by the model": (catalog([offer("o")]), (COUNTERS,), COUNTED),
    "friends": (
        catalog([offer("o", about=Selector("booking"), eligibility=Leaf("sailing.friends_booked", Op.EXISTS))]), (),
        {"bookings", *COUNTED},
    ),
    "friends by the model": (catalog([offer("o")]), ("sailing.friends_booked",), {"bookings", *COUNTED}),
    "friends in words": (
        catalog([offer("o", about=Selector("booking"), representation=TELLING)]), (), {"bookings", *COUNTED},
    ),
}  # fmt: skip


@pytest.mark.parametrize("reader", READERS)
def test_the_stamp_changes_if_and_only_if_something_changed_that_is_read(reader: str) -> None:
    book, reads, read = READERS[reader]
    first = stamped(book, PROFILE, HERE, *reads)
    moved = {name for name, profile in CHANGES.items() if stamped(book, profile, HERE, *reads) != first}
    assert moved == read | ALWAYS
    assert 0 <= first < 1 << 64


def test_the_stamp_covers_where_the_customer_is_but_not_since_when() -> None:
    book = catalog([offer("o")])
    later = msgspec.structs.replace(HERE, at=NOW + 60_000)
    assert stamped(book, PROFILE, later) == stamped(book)
    for other in (msgspec.structs.replace(HERE, fences=()), Whereabouts("denied"), Whereabouts("not_determined")):
        assert stamped(book, PROFILE, other) != stamped(book)


def test_the_stamp_does_not_depend_on_the_order_in_which_things_were_stored() -> None:
    keys = [happened("exposed", offer(name)) for name in "ab"]
    book = catalog([offer("o", about=Selector("booking"), limits=(Limit("exposed", "customer", "all", 9),))])
    one = changed(counters={keys[0]: {7: 1, 9: 2}, keys[1]: {8: 1}}, bookings={"a": booking("s"), "b": booking("t")})
    two = changed(counters={keys[1]: {8: 1}, keys[0]: {9: 2, 7: 1}}, bookings={"b": booking("t"), "a": booking("s")})
    assert stamped(book, one) == stamped(book, two)


def decision(consulted: tuple[str, ...] = (), valid_until: Millis = NOW + HOUR_MS) -> Decision:
    return Decision(
        DecisionId("d-1"), NOW, RevisionId("r-1"), ModelId("m-1"), (), (), (), (), (), valid_until, consulted
    )


def entry_of(made: Decision, market: Market = EMPTY, stamp: int = 7, located_at: Millis = NOW) -> CachedDecision:
    tokens = tuple(tuple("ot1.x" for _ in slate.items) for slate in made.placements)
    return CachedDecision(
        cache.FORMAT, stamp, b"seen", made.valid_until, market.epoch, market.version, made.consulted, made.now,
        made.valid_until, located_at, reply.told(made, tokens),
    )  # fmt: skip


EXPECTED = Expected(7, RevisionId("r-1"), ModelId("m-1"), NOW)


def test_an_entry_holds_for_what_it_was_made_for() -> None:
    entry = entry_of(decision())
    assert cache.holds(entry, EXPECTED, EMPTY, NOW)
    different: list[dict[str, Any]] = [{"stamp": 8}, {"revision": RevisionId("r-2")}, {"model": ModelId("m-2")}]
    for difference in different:
        assert not cache.holds(entry, msgspec.structs.replace(EXPECTED, **difference), EMPTY, NOW)


def test_an_entry_holds_from_its_decision_until_time_changes_something() -> None:
    entry = entry_of(decision(valid_until=NOW + 10))
    assert [cache.holds(entry, EXPECTED, EMPTY, NOW + shift) for shift in (-1, 0, 9, 10)] == [False, True, True, False]


def test_an_older_fix_may_not_use_an_entry_made_with_a_newer_one() -> None:
    entry = entry_of(decision())
    ages = [cache.holds(entry, msgspec.structs.replace(EXPECTED, located_at=NOW + shift), EMPTY, NOW)
            for shift in (-1, 0, 60_000)]  # fmt: skip
    assert ages == [False, True, True]


MARKET = told(("s1", sails(2)), ("s2", sails(5, CORSICA)), ("bar", VenueCapacity(9)))
MOVES: dict[str, Said] = {
    "fare": ("s1", Fare("deck", 4_900)),
    "room": ("s1", Capacity("inside", 0)),
    "timetable": ("s1", sails(3)),
    "a sailing more": ("s9", sails(9)),
    "another line": ("s2", Fare("deck", 4_900)),
    "a far line": ("s7", sails(9, BACK)),
    "a venue": ("bar", VenueCapacity(3)),
    "a season": ("summer", SeasonOverride(True)),
    "nothing new": ("s1", sails(2)),
}


CONSULTING: dict[tuple[str, ...], set[str]] = {
    (): {"a season"},
    ("s1",): {"fare", "room", "timetable", "a season"},
    (f"line:{OUTWARD}",): {"fare", "room", "timetable", "a sailing more", "a season"},
    ("venue:bar",): {"a venue", "a season"},
    (f"line:{CORSICA}", "s2"): {"another line", "a season"},
    ("s9", "venue:unheard-of", "line:unheard-of"): {"a sailing more", "a season"},
}


@pytest.mark.parametrize("names", CONSULTING, ids=lambda names: "+".join(names) or "nothing")
def test_an_entry_holds_while_nothing_it_consulted_moves(names: tuple[str, ...]) -> None:
    entry = entry_of(decision(names), MARKET)
    after = {move: told(said, base=MARKET) for move, said in MOVES.items()}
    assert all(market.version == MARKET.version + 1 for market in after.values())
    gone = {move for move, market in after.items() if not cache.holds(entry, EXPECTED, market, NOW)}
    assert gone == CONSULTING[names]


def test_an_entry_of_another_market_or_of_one_ahead_does_not_hold() -> None:
    entry = entry_of(decision(), MARKET)
    assert cache.holds(entry, EXPECTED, MARKET, NOW)
    assert not cache.holds(entry, EXPECTED, told(("s1", sails(2))), NOW), "this worker has not come that far"
    assert not cache.holds(entry, EXPECTED, msgspec.structs.replace(MARKET, epoch="log-2"), NOW)


def test_an_entry_reads_back_as_it_was_and_foreign_bytes_are_no_entry() -> None:
    entry = entry_of(decided(_anyone(), NOW, BOOKS[0]), MARKET)
    stored = cache.encode(entry)
    assert cache.decode(stored) == entry
    assert cache.decode(cache.encode(msgspec.structs.replace(entry, v=cache.FORMAT + 1))) is None
    assert [cache.decode(bad) for bad in (None, b"", b"\xc1", stored[:-1], b"\x93\x01\x02\x03")] == [None] * 5


def _anyone() -> Situation:
    return Situation(DecisionId("d"), NOW, ASKED, HERE, PROFILE, MARKET, 384)


Change = Callable[[Situation], Situation]


@st.composite
def market_moves(draw: st.DrawFn) -> Change:
    """Something is said about a sailing, a venue or a season."""
    name = f"s{draw(st.integers(0, 3))}"
    hours = draw(st.sampled_from([-0.5, 0.3, 1.2, 2.1, 3.1, -9.1]))
    moves: list[Said] = [
        (name, Fare("deck", 900)), (name, Capacity("inside", 0)), (name, sails(hours, takes_h=LASTS / HOUR_MS)),
        (name, sails(hours, CORSICA)), ("spa", VenueCapacity(1)), ("autumn", SeasonOverride(False)),
    ]  # fmt: skip
    said = draw(st.sampled_from(moves))
    return lambda found: replace(found, market=told(said, base=found.market))


@st.composite
def profile_moves(draw: st.DrawFn) -> Change:
    """An event of the customer is folded."""
    name = f"b{draw(st.integers(0, 2))}"
    part: dict[str, object] = draw(st.sampled_from([
        {"facts": {"customer.tier": ("gold", NOW)}}, {"facts": {}}, {"bookings": {name: booking("s1")}},
        {"counters": {}}, {"counters": {FRIEND: {NOW // (15 * MINUTE_MS): 2}}}, {"purposes": ()},
    ]))  # fmt: skip
    return lambda found: replace(found, profile=msgspec.structs.replace(found.profile, **part))


@st.composite
def steps(draw: st.DrawFn) -> Change:
    """The customer moves, or sends a newer or an older fix of the same place."""
    port = draw(st.sampled_from([LIVORNO, LIVORNO, OLBIA]))
    age = draw(st.sampled_from([0, MINUTE_MS, 4 * MINUTE_MS, 6 * MINUTE_MS]))
    return lambda found: replace(
        found, whereabouts=PLACES.resolve(Fix(port.lat, port.lon, 20, found.now - age), "precise")
    )


@given(st.sampled_from(BOOKS), situations(), st.lists(st.one_of(market_moves(), profile_moves(), steps()), max_size=2),
       st.floats(0, 1))  # fmt: skip
@settings(max_examples=250, deadline=None, suppress_health_check=SLOW)
def test_an_entry_that_holds_is_what_would_be_decided(
    book: Catalog, found: Situation, changes: list[Change], share: float
) -> None:
    made = decided(found, found.now, book)
    entry = entry_of(made, found.market, _stamp(found, book), found.whereabouts.at)
    now = found.now + int(share * 1.2 * (made.valid_until - found.now))
    later = replace(found, now=now)
    for change in changes:
        later = change(later)
    context = {name: (value, now) for name, (value, _) in later.request.context.items()}
    later = replace(later, request=msgspec.structs.replace(later.request, context=context))
    if cache.key(found.request, found.whereabouts, "c") != cache.key(later.request, later.whereabouts, "c"):
        return
    expected = Expected(_stamp(later, book), book.revision, PRIOR.model, later.whereabouts.at)
    if cache.holds(entry, expected, later.market, now):
        assert shown(decided(later, now, book)) == shown(made)
        assert all(item.expires > now for slate in made.placements for item in slate.items)


def _stamp(found: Situation, book: Catalog) -> int:
    return cache.stamp(found.profile, found.whereabouts, book, PRIOR)
