"""What an app still shows is taken back once it no longer fits, and judging it costs what is held, not the catalog."""

from offers.catalog import Catalog
from offers.offer import Limit, Offer, Placement, Schedule, Selector, Window
from offers.situation import Situation
from offers.tokens import OfferToken, OfferTokens, keys_of
from offers.withdrawal import seen, withdrawn
from streams.ids import CustomerId, DecisionId, Millis, PlacementId
from streams.instant import DAY_MS, HOUR_MS
from streams.market import Market
from streams.places import NOWHERE
from streams.profile import MaskedProfile
from streams.record import PlacementRequest, Request
from tests.catalogs import HERO, NOW, catalog, offer
from tests.deciding import counters, happened
from tests.geography import PLACES
from tests.markets import booking, sails, told

TOKENS = OfferTokens(keys_of([("k1", "11" * 32)], "tests"))
BOOKINGS, NEAR, NEXT = Selector("booking"), Selector("venue", "near"), Selector("sailing", "next")
CARD = PlacementId("app.trip.card")
UPGRADE = offer(
    "upgrade", about=BOOKINGS, limits=(Limit("exposed", "customer", "offer", 1, Window("rolling", DAY_MS)),)
)
OFFERS = [UPGRADE, offer("plain"), offer("dinner", about=NEAR), offer("fare", about=NEXT)]
MARKET = told(("s1", sails(5)))


def found(profile: MaskedProfile, market: Market = MARKET, now: Millis = NOW) -> Situation:
    request = Request(CustomerId("c-1"), (PlacementRequest(CARD, 3),), "it")
    return Situation(DecisionId("d-2"), now, request, NOWHERE, profile, market, 384)


def held(of: Offer, about: str = "", customer: str = "c-1", placement: PlacementId = HERO) -> str:
    ids = (of.id, of.campaign_id, of.facts.collection)
    token = OfferToken(DecisionId("d-1"), placement, 1, *ids, about, CustomerId(customer), "phone", NOW + HOUR_MS)
    return TOKENS.mint(token)


def world(*offers: Offer) -> Catalog:
    placements = {name: Placement(name) for name in (HERO, CARD)}
    return catalog(offers or OFFERS, PLACES, placements=placements)


BOOKED = MaskedProfile(bookings={"b1": booking("s1")})


def test_what_is_held_stays_while_it_fits_and_goes_in_the_order_held() -> None:
    upgrade, plain = held(UPGRADE, "booking:b1"), held(OFFERS[1])
    gone = [held(UPGRADE, "booking:b2"), held(OFFERS[1], customer="c-2"), "ot1.forged", held(offer("stopped"))]
    gone.append(held(OFFERS[1], placement=CARD))
    assert withdrawn([*gone, upgrade, plain], found(BOOKED), world(), TOKENS) == tuple(gone)
    assert withdrawn([], found(BOOKED), world(), TOKENS) == ()
    assert withdrawn([plain], found(BOOKED, now=NOW + HOUR_MS), world(), TOKENS) == (plain,), "its token ended"


def test_a_cap_reached_by_showing_it_takes_nothing_back() -> None:
    met = MaskedProfile(bookings=BOOKED.bookings, counters=counters((happened("exposed", UPGRADE), NOW)))
    assert withdrawn([held(UPGRADE, "booking:b1")], found(met), world(), TOKENS) == ()


def test_a_fallback_stays_while_its_schedule_lasts() -> None:
    fallback = offer("fallback", fallback=True, schedule=Schedule(ends=NOW + HOUR_MS // 2))
    token = held(fallback)
    assert withdrawn([token], found(BOOKED), world(fallback), TOKENS) == ()
    assert withdrawn([token], found(BOOKED, now=NOW + HOUR_MS // 2), world(fallback), TOKENS) == (token,)


def test_only_the_subjects_of_what_is_held_are_bound() -> None:
    plain, upgrade, stopped = (TOKENS.read(held(each, "booking:b1")) for each in (OFFERS[1], UPGRADE, offer("stopped")))
    assert seen([plain, stopped], found(BOOKED), world()).subjects == {}
    judged = seen([plain, upgrade], found(BOOKED), world())
    assert {key: [each.key for each in bound] for key, bound in judged.subjects.items()} == {
        BOOKINGS.key: ["booking:b1"]
    }
    assert [wanted.placement for wanted in judged.request.placements] == [HERO], "whatever was asked for"
