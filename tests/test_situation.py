from offers.condition import Leaf, Op
from offers.offer import Schedule, Selector
from offers.season import Season, Yearly
from offers.situation import Situation, derived_context, situate
from streams.events import SeasonOverride
from streams.ids import CustomerId, DecisionId, Millis
from streams.instant import DAY_MS, HOUR_MS, parse_instant
from streams.market import EMPTY, Market
from streams.places import NOWHERE, Fix, Places, Whereabouts
from streams.profile import MaskedProfile
from streams.record import FactDict, PlacementRequest, Request
from tests.catalogs import HERO, NOW, catalog, offer
from tests.geography import LIVORNO, PLACES
from tests.markets import OUTWARD, booking, sails, told

WINTER = Season("winter", "Europe/Rome", Yearly((11, 1), (3, 31)))
BOOKINGS, ABOARD = Selector("booking"), Selector("venue", "on_board")
IN_LIVORNO = PLACES.resolve(Fix(LIVORNO.lat, LIVORNO.lon, 20, NOW), "precise")
GOLD = Leaf("customer.tier", Op.IN, ("gold",))


def found(
    profile: MaskedProfile | None = None, market: Market = EMPTY, where: Whereabouts = NOWHERE, now: Millis = NOW,
    context: FactDict | None = None, trip: str | None = None,
) -> Situation:  # fmt: skip
    request = Request(CustomerId("c-1"), (PlacementRequest(HERO, 3),), "it", context or {}, trip)
    return Situation(DecisionId("d-1"), now, request, where, profile or MaskedProfile(), market, 384)


def test_everything_read_goes_into_the_inputs() -> None:
    book = catalog([offer("o", about=BOOKINGS)], PLACES, seasons=(WINTER,))
    market = told(("s1", sails(2)), ("regatta", SeasonOverride(True)))
    profile = MaskedProfile({"customer.age": (30, NOW)}, {"b1": booking("s1")})
    made = situate(found(profile, market, IN_LIVORNO), book)
    assert (made.decision_id, made.now, made.revision, made.origin) == ("d-1", NOW, "r-test", "live")
    assert (made.whereabouts, made.profile, made.candidate_limit) == (IN_LIVORNO, profile, 384)
    assert (made.seasons, made.market_version) == (("regatta", "winter"), 1)
    assert made.season_changes_at == parse_instant("2026-11-21T23:00:00Z")
    assert [subject.key for subject in made.subjects[BOOKINGS.key]] == ["booking:b1"]
    assert made.consulted == ("s1",)
    assert made.subjects_change_at == NOW + 23 * HOUR_MS, "2 hours to departure, 9 at sea, 12 until it is history"


def test_context_comes_from_the_clock_and_the_place_and_the_caller_cannot_say_otherwise() -> None:
    said: FactDict = {"context.weather": ("rainy", NOW), "context.month": (7, NOW)}
    made = situate(found(where=IN_LIVORNO, context=said), catalog([offer("o")], PLACES, seasons=(WINTER,)))
    distance = PLACES.nearest_port(IN_LIVORNO)
    assert distance is not None
    assert made.request.context == {
        "context.weather": ("rainy", NOW), "context.local_hour": (19, NOW), "context.weekday": (6, NOW),
        "context.month": (11, NOW), "context.season": (("winter",), NOW), "context.nearest_port": ("ITLIV", NOW),
        "context.nearest_port_distance": (distance[1], NOW),
    }  # fmt: skip


def test_the_clock_is_that_of_the_nearest_port_else_of_the_first_one_else_utc() -> None:
    midnight = parse_instant("2026-06-30T22:30:00Z")
    names = ("context.local_hour", "context.weekday", "context.month")

    def clock(places: Places, where: Whereabouts) -> list[object]:
        context = derived_context(found(where=where, now=midnight), places, ())
        return [context[name][0] for name in names]

    assert clock(PLACES, IN_LIVORNO) == [0, 3, 7]
    assert clock(PLACES, NOWHERE) == [0, 3, 7], "FRBIA, the first in order of id, is in Paris' zone"
    assert clock(Places(), NOWHERE) == [22, 2, 6]
    assert "context.nearest_port" not in derived_context(found(), PLACES, ())


def test_only_what_surviving_offers_are_about_is_bound() -> None:
    book = catalog([offer("upgrade", about=BOOKINGS, eligibility=GOLD), offer("spa", about=ABOARD)], PLACES)
    market, mine = told(("s1", sails(-1))), {"b1": booking("s1")}
    blue, gold = (MaskedProfile({"customer.tier": (tier, NOW)}, mine) for tier in ("blue", "gold"))
    assert {key: len(each) for key, each in situate(found(blue, market), book).subjects.items()} == {ABOARD.key: 1}
    assert sorted(situate(found(gold, market), book).subjects) == [BOOKINGS.key, ABOARD.key]
    assert list(situate(found(gold, market), book, only={BOOKINGS.key}).subjects) == [BOOKINGS.key]
    every = situate(found(blue, market), book, every_subject=True)
    assert {key: len(each) for key, each in every.subjects.items()} == {BOOKINGS.key: 1, ABOARD.key: 1}


def test_an_offer_whose_season_or_time_is_over_binds_nothing() -> None:
    book = catalog(
        [offer("summer", about=BOOKINGS, schedule=Schedule(seasons=("summer",))),
         offer("past", about=ABOARD, schedule=Schedule(ends=NOW))],
        PLACES,
    )  # fmt: skip
    profile = MaskedProfile(bookings={"b1": booking("s1")})
    assert situate(found(profile, told(("s1", sails(2)))), book).subjects == {}
    summer = told(("s1", sails(2)), ("summer", SeasonOverride(True)))
    assert list(situate(found(profile, summer), book).subjects) == [BOOKINGS.key]
    assert list(situate(found(profile, summer, now=NOW - DAY_MS), book).subjects) == [BOOKINGS.key, ABOARD.key]


def test_the_trip_that_the_app_shows_comes_first() -> None:
    book = catalog([offer("upgrade", about=BOOKINGS)], PLACES)
    market = told(("s1", sails(2)), ("s2", sails(30)))
    profile = MaskedProfile(bookings={"b1": booking("s1"), "b2": booking("s2", OUTWARD)})
    made = situate(found(profile, market, trip="b2"), book)
    assert [subject.key for subject in made.subjects[BOOKINGS.key]] == ["booking:b2", "booking:b1"]
    assert made.request.trip == "b2"
