"""What an app still shows is taken back once it no longer fits, and judging it costs what is held, not the catalog."""

from dataclasses import replace

import msgspec

from offers.catalog import Catalog
from offers.condition import LOCATION, Leaf, Op
from offers.offer import Limit, Offer, Placement, Schedule, Selector, Suppression, Window
from offers.situation import Situation
from offers.tokens import OfferToken, OfferTokens, keys_of
from offers.withdrawal import seen, withdrawn
from streams.events import Capacity
from streams.ids import CustomerId, DecisionId, Millis, PlacementId
from streams.instant import DAY_MS, HOUR_MS
from streams.market import Market
from streams.places import NOWHERE, Fix
from streams.profile import MaskedProfile
from streams.record import PlacementRequest, Request
from tests.catalogs import HERO, NOW, catalog, offer
from tests.deciding import counters, happened
from tests.geography import LIVORNO, PLACES
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


def test_what_was_dismissed_left_behind_or_sold_out_is_taken_back() -> None:
    port = Leaf(LOCATION, Op.WITHIN, ("port:ITLIV",), radius_m=30_000)
    room = Leaf("market.cabins_free.inside", Op.RANGE, low=1)
    quiet = offer("quiet", suppress=(Suppression("dismissed", DAY_MS),))
    here, cabin = offer("here", applicability=port), offer("cabin", about=BOOKINGS, applicability=room)
    book, tokens = world(quiet, here, cabin), [held(quiet), held(here), held(cabin, "booking:b1")]
    livorno = PLACES.resolve(Fix(LIVORNO.lat, LIVORNO.lon, 20, NOW), "precise")
    plenty, sold_out = (told(("s1", Capacity("inside", free)), base=MARKET) for free in (3, 0))
    fitting = replace(found(BOOKED, plenty), whereabouts=livorno)
    assert withdrawn(tokens, fitting, book, TOKENS) == ()
    dismissed = msgspec.structs.replace(BOOKED, counters=counters((happened("dismissed", quiet), NOW)))
    assert withdrawn(tokens, replace(fitting, profile=dismissed), book, TOKENS) == (tokens[0],)
    assert withdrawn(tokens, replace(fitting, whereabouts=NOWHERE), book, TOKENS) == (tokens[1],)
    assert withdrawn(tokens, replace(fitting, market=sold_out), book, TOKENS) == (tokens[2],)
    assert withdrawn(tokens, replace(fitting, profile=MaskedProfile()), book, TOKENS) == (tokens[2],), "no such booking"


def test_a_token_held_twice_is_answered_once_and_one_of_a_placement_it_left_is_taken_back() -> None:
    moved = offer("moved", placements=(CARD,))
    token, kept = held(moved), held(moved, placement=CARD)
    assert withdrawn([token, kept, token], found(BOOKED), world(moved), TOKENS) == (token,)
