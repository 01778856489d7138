"""Until valid_until, deciding again gives the same: checked on worlds in which everything that time changes is near."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offers.catalog import Catalog
from offers.condition import LOCATION, All, Condition, Leaf, Op
from offers.decide import decide
from offers.offer import Limit, Offer, Placement, Price, RelativeTime, Schedule, Selector, Suppression, Window
from offers.proposition import Decision, PlacementSlate
from offers.season import Season, Yearly
from offers.situation import Situation, situate
from streams.events import Capacity, Fare
from streams.events import Schedule as Timetable
from streams.ids import CustomerId, DecisionId, Millis
from streams.instant import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS, format_instant
from streams.places import Fix
from streams.profile import CounterKey, MaskedProfile, bucket_of
from streams.record import FactDict, PlacementRequest, Request
from tests.catalogs import HERO, NOW, catalog, offer
from tests.deciding import counters, declared, happened
from tests.geography import LIVORNO, PLACES
from tests.markets import OUTWARD, Said, booking, told

PRIOR = declared()
ALL_OF_THEM = Placement(HERO, max_items=60, refresh_after_s=6 * 3600, fallback=None)
BOOKINGS, NEXT, ABOARD = Selector("booking"), Selector("sailing", "next"), Selector("venue", "on_board")
HERE = Selector("sailing", "from_here", within_ms=HOUR_MS)
LINE = Selector("sailing", "line", line=OUTWARD, within_ms=2 * HOUR_MS)
LENGTHS = (20 * MINUTE_MS, 37 * MINUTE_MS)
FRESH = (2 * MINUTE_MS, 5 * MINUTE_MS)
RELATIVE = (-20 * MINUTE_MS, 10 * MINUTE_MS)
COUNTDOWNS = (30 * MINUTE_MS, 3 * HOUR_MS)
LASTS = 9 * HOUR_MS


def asking(name: str, leaf: Leaf, about: Selector | None = None, lenient: bool = True) -> list[Offer]:
    """Offers for a question, for its opposite and, if missing matters, for `on_missing: pass`."""
    forms: dict[str, Condition] = {"": leaf, "-not": replace(leaf, negated=True)}
    if lenient:
        forms["-pass"] = replace(leaf, on_missing=True)
        forms["-not-pass"] = replace(leaf, negated=True, on_missing=True)
    return [offer(f"{name}{suffix}", eligibility=form, about=about) for suffix, form in forms.items()]


FAMILIES: list[list[Offer]] = [
    asking("tier", Leaf("customer.tier", Op.IN, ("gold",), fresh_ms=FRESH[0])),
    asking("known", Leaf("customer.tier", Op.EXISTS, fresh_ms=FRESH[1]), lenient=False),
    asking("near", Leaf(LOCATION, Op.WITHIN, ("port:ITLIV",), radius_m=3e4, fresh_ms=FRESH[1])),
    asking("weather", Leaf("context.weather", Op.IN, ("rainy",), fresh_ms=FRESH[0])),
    asking("hour", Leaf("context.local_hour", Op.RANGE, low=18, high=19), lenient=False),
    asking("soon", Leaf("sailing.departs_in", Op.RANGE, high=COUNTDOWNS[0]), LINE, False),
    asking("late", Leaf("sailing.departs_in", Op.RANGE, low=COUNTDOWNS[1]), BOOKINGS, False),
    asking("exactly", Leaf("sailing.departs_in", Op.IN, (COUNTDOWNS[0],)), BOOKINGS, False),
    asking("phase", Leaf("booking.phase", Op.IN, ("boarding", "arrived")), BOOKINGS, False),
    asking("friends", Leaf("sailing.friends_booked", Op.RANGE, low=1), BOOKINGS),
    asking("cabins", Leaf("market.cabins_free.inside", Op.RANGE, low=1, fresh_ms=FRESH[1]), BOOKINGS),
    [offer("from-here", about=HERE)],
    [offer("line", about=LINE)],
    [offer("next", about=NEXT)],
    [offer("aboard", about=ABOARD)],
    [offer("mine", about=BOOKINGS)],
    [offer("fare", about=BOOKINGS, price=Price(source="market.fare.deck", fresh_ms=FRESH[0]))],
    [offer(f"until{ms}", about=BOOKINGS, schedule=Schedule(ends_relative=RelativeTime("sailing.departure", ms)))
     for ms in RELATIVE],
    [offer(f"quiet{ms}", about=BOOKINGS, suppress=(Suppression("clicked", until=RelativeTime("sailing.arrival", ms)),))
     for ms in RELATIVE],
    [offer(f"silent{ms}", suppress=(Suppression("dismissed", ms),)) for ms in LENGTHS],
    [offer(f"capped{ms}", limits=(Limit("exposed", "customer", "all", 1, Window("rolling", ms)),)) for ms in LENGTHS],
    [offer(f"capped-{unit}",
           limits=(Limit("exposed", "customer", "all", 1, Window("calendar", unit=unit, zone="Asia/Kathmandu")),))
     for unit in ("day", "week")],
    [offer("hours", schedule=Schedule("Europe/Rome", hours=(19 * 60 + 5, 19 * 60 + 20), days=(6, 7)))],
    [offer(f"since{ms}", about=BOOKINGS, schedule=Schedule(starts_relative=RelativeTime("sailing.departure", ms)))
     for ms in RELATIVE],
    [offer("own-hours", schedule=Schedule(hours=(19 * 60 + 5, 19 * 60 + 20), local="customer"))],
    [offer("port-hours", about=BOOKINGS, schedule=Schedule(hours=(19 * 60 + 5, 19 * 60 + 20), local="port"))],
    [offer("near-hours", schedule=Schedule(hours=(19 * 60 + 5, 19 * 60 + 20), days=(6,), local="port"))],
    [offer("ends", schedule=Schedule(starts=NOW + 17 * MINUTE_MS + 3, ends=NOW + 41 * MINUTE_MS + 7))],
    [offer("autumn", schedule=Schedule(seasons=("autumn",)))],
]  # fmt: skip
AUTUMN = Season("autumn", "Asia/Kathmandu", Yearly((9, 1), (11, 21)))
EVERYTHING = [each for family in FAMILIES for each in family]
BOOKS = [
    catalog(offers, PLACES, placements={HERO: ALL_OF_THEM}, seasons=(AUTUMN,)) for offers in (EVERYTHING, *FAMILIES)
]
"""All of it together, and each by itself: what ends one must not be what ends another by chance."""
NEARBY = (1, 2, SECOND_MS, 4 * MINUTE_MS)


@st.composite
def moments(draw: st.DrawFn, now: Millis, *spans: Millis) -> Millis:
    """An instant one of these spans from a moment that is at most minutes away from now."""
    away = draw(st.one_of(st.sampled_from([0, *NEARBY, *(-n for n in NEARBY)]), st.integers(-9 * 60_000, 9 * 60_000)))
    return now + draw(st.sampled_from(spans)) + away


@st.composite
def markets(draw: st.DrawFn, now: Millis) -> list[Said]:
    """Up to three sailings, each about to enter, leave or change something."""
    said: list[Said] = []
    spans = (0, 90 * MINUTE_MS, 3 * HOUR_MS, HOUR_MS, 2 * HOUR_MS, *COUNTDOWNS, *(-ms for ms in RELATIVE), -LASTS,
             -LASTS - RELATIVE[1], -LASTS - 12 * HOUR_MS)  # fmt: skip
    for number in range(draw(st.integers(0, 3))):
        departure, name = draw(moments(now, *spans)), f"s{number}"
        timetable = Timetable(OUTWARD, format_instant(departure), format_instant(departure + LASTS))
        said.append((name, timetable, now - HOUR_MS))
        said.append((name, Fare("deck", 4_000 + number), draw(moments(now, -FRESH[0]))))
        said.append((name, Capacity("inside", 3), draw(moments(now, -FRESH[1]))))
    return said


@st.composite
def profiles(draw: st.DrawFn, now: Millis) -> MaskedProfile:
    """Someone with bookings, whose events are about to leave a window."""
    met = happened("exposed", offer("mine"))
    spans = tuple(-ms for ms in LENGTHS)
    events = [(met, draw(moments(now, *spans, -DAY_MS, -7 * DAY_MS))) for _ in range(draw(st.integers(0, 2)))]
    for ms in LENGTHS:
        events.append((happened("dismissed", offer(f"silent{ms}")), draw(moments(now, -ms))))
    for ms in RELATIVE:
        events.append((happened("clicked", offer(f"quiet{ms}"), about=f"booking:b{draw(st.integers(0, 2))}"), now))
    held = counters(*events)
    friend: CounterKey = ("friend_booked", "", "", OUTWARD, "", f"s{draw(st.integers(0, 2))}", "")
    held[friend] = {bucket_of(draw(moments(now, -30 * DAY_MS))): 1}
    return MaskedProfile(
        facts={"customer.tier": (draw(st.sampled_from(["gold", "blue"])), draw(moments(now, -FRESH[0], -FRESH[1])))},
        bookings={f"b{n}": booking(f"s{n}") for n in range(draw(st.integers(0, 3)))},
        counters=held,
        purposes=("social",),
    )


@st.composite
def clocks(draw: st.DrawFn, now: Millis) -> FactDict:
    """What the phone says of its clock."""
    return draw(st.sampled_from([{}, *({"context.zone": (zone, now)} for zone in ("Europe/Rome", "Asia/Kathmandu"))]))


@st.composite
def situations(draw: st.DrawFn) -> Situation:
    """A customer at an instant shortly before many things change."""
    spot = st.sampled_from([0, 5 * MINUTE_MS - 1, 12 * MINUTE_MS, 17 * MINUTE_MS, 41 * MINUTE_MS])
    now = NOW + draw(spot) + draw(st.integers(0, 20 * MINUTE_MS))
    fix = Fix(LIVORNO.lat, LIVORNO.lon, 20, min(now, draw(moments(now, -FRESH[1]))))
    request = Request(
        CustomerId("c"), (PlacementRequest(HERO, 60),), "it", {"context.weather": ("rainy", now)} | draw(clocks(now))
    )
    return Situation(
        decision_id=DecisionId("d-1"),
        now=now,
        request=request,
        whereabouts=PLACES.resolve(fix, draw(st.sampled_from(["precise", "denied"]))),
        profile=draw(profiles(now)),
        market=told(*draw(markets(now))),
        candidate_limit=384,
    )


def decided(found: Situation, now: Millis, book: Catalog) -> Decision:
    return decide(situate(replace(found, now=now), book), book, PRIOR)


def shown(decision: Decision) -> list[PlacementSlate]:
    """The slates without how long each item may be shown, which moves with the clock."""
    return [
        msgspec.structs.replace(slate, items=tuple(msgspec.structs.replace(item, expires=0) for item in slate.items))
        for slate in decision.placements
    ]


SLOW = [HealthCheck.too_slow]


def check_until_then(book: Catalog, found: Situation, fractions: list[float]) -> None:
    first = decided(found, found.now, book)
    assert found.now <= first.valid_until <= found.now + 15 * MINUTE_MS, "a counter's bucket ends at the latest"
    span = max(1, first.valid_until - found.now)
    for instant in {found.now + int(share * (span - 1)) for share in (*fractions, 1.0)}:
        assert shown(decided(found, instant, book)) == shown(first), instant - found.now


@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.layout[0].id)
@given(situations(), st.lists(st.floats(0, 1), max_size=2))
@settings(max_examples=20, deadline=None, suppress_health_check=SLOW)
def test_until_then_deciding_again_gives_the_same(book: Catalog, found: Situation, fractions: list[float]) -> None:
    check_until_then(book, found, fractions)


@pytest.mark.prove
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.layout[0].id)
@given(situations(), st.lists(st.floats(0, 1), max_size=4))
@settings(max_examples=400, deadline=None, suppress_health_check=SLOW)
def test_until_then_deciding_again_gives_the_same_in_400_worlds_for_each_kind_of_change(
    book: Catalog, found: Situation, fractions: list[float]
) -> None:
    check_until_then(book, found, fractions)


@given(situations())
@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
def test_nothing_is_kept_longer_than_it_may_be_shown(found: Situation) -> None:
    decision = decided(found, found.now, BOOKS[0])
    expiries = [item.expires for slate in decision.placements for item in slate.items]
    assert all(decision.valid_until <= expires for expires in expiries)


def someone(now: Millis = NOW, **more: object) -> Situation:
    request = Request(CustomerId("c"), (PlacementRequest(HERO, 60),), "it")
    made = Situation(DecisionId("d"), now, request, PLACES.resolve(None, "off"), MaskedProfile(), told(), 384)
    return replace(made, **more)  # type: ignore[arg-type]


def small(*offers: Offer, refresh_s: int = 6 * 3600) -> Catalog:
    return catalog(offers, PLACES, placements={HERO: Placement(HERO, refresh_after_s=refresh_s)})


def test_a_placement_says_how_often_it_is_asked_for_again() -> None:
    assert decided(someone(), NOW, small(offer("o"), refresh_s=120)).valid_until == NOW + 120 * SECOND_MS


def test_a_short_time_to_live_bounds_what_is_kept() -> None:
    assert decided(someone(), NOW, small(offer("o", ttl_s=30))).valid_until == NOW + 30 * SECOND_MS


def test_with_nothing_near_the_next_quarter_of_an_hour_ends_it() -> None:
    assert decided(someone(), NOW, small(offer("o"))).valid_until == NOW + 15 * MINUTE_MS
    assert decided(someone(), NOW + 1, small(offer("o"))).valid_until == NOW + 15 * MINUTE_MS


def test_a_window_of_uneven_length_moves_on_between_the_quarters() -> None:
    capped = offer("o", limits=(Limit("exposed", "customer", "offer", 1, Window("rolling", 20 * MINUTE_MS)),))
    profile = MaskedProfile(counters=counters((happened("exposed", capped), NOW - 20 * MINUTE_MS)))
    book, found = small(capped), someone(profile=profile)
    first = decided(found, NOW, book)
    assert first.valid_until == NOW + 5 * MINUTE_MS
    assert [len(decided(found, first.valid_until + shift, book).placements[0].items) for shift in (-1, 0)] == [0, 1]


def test_a_sailing_that_enters_its_window_ends_it() -> None:
    departure = NOW + HOUR_MS + 3 * MINUTE_MS
    market = told(("s", Timetable(OUTWARD, format_instant(departure), format_instant(departure + LASTS))))
    book, found = small(offer("o", about=replace(HERE, mode="any"))), someone(market=market)
    first = decided(found, NOW, book)
    assert first.valid_until == NOW + 3 * MINUTE_MS + 1
    assert [len(decided(found, first.valid_until + shift, book).placements[0].items) for shift in (-1, 0)] == [0, 1]


def test_a_booking_that_becomes_history_ends_it() -> None:
    departure = NOW - LASTS - 12 * HOUR_MS + 4 * MINUTE_MS
    market = told(("s", Timetable(OUTWARD, format_instant(departure), format_instant(departure + LASTS))))
    found = someone(market=market, profile=MaskedProfile(bookings={"b": booking("s")}))
    book = small(offer("o", about=BOOKINGS))
    first = decided(found, NOW, book)
    assert first.valid_until == NOW + 4 * MINUTE_MS
    assert [len(decided(found, first.valid_until + shift, book).placements[0].items) for shift in (-1, 0)] == [1, 0]


def test_whereabouts_found_too_old_are_kept_for_nobody() -> None:
    near = Leaf(LOCATION, Op.WITHIN, ("port:ITLIV",), radius_m=3e4, fresh_ms=5 * MINUTE_MS)
    book = small(offer("near", eligibility=All((near,))))
    fix = Fix(LIVORNO.lat, LIVORNO.lon, 20, NOW - 5 * MINUTE_MS - 1)
    stale = someone(whereabouts=PLACES.resolve(fix, "precise"))
    fresh = someone(whereabouts=PLACES.resolve(replace(fix, at=NOW - MINUTE_MS), "precise"))
    assert decided(stale, NOW, book).valid_until == NOW, "a newer fix of the same place would be fresh"
    assert decided(fresh, NOW, book).valid_until == NOW + 4 * MINUTE_MS + 1
