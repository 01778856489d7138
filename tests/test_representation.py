from collections.abc import Mapping
from dataclasses import replace

import msgspec
import pytest

from offers.catalog import quoted
from offers.condition import ALWAYS, All, Condition, Leaf, Op, View
from offers.offer import (
    Image,
    ImageVariant,
    Offer,
    Placement,
    Price,
    RelativeTime,
    Representation,
    Schedule,
    Text,
)
from offers.proposition import Candidate, Item, Offline, Picture, PlacementSlate, PriceTag, Shown, Slate, Slot
from offers.representation import RenderContext, expires, render
from streams.attributes import Value
from streams.ids import CampaignId, CustomerId, DecisionId, Millis, OfferId, PlacementId, RevisionId
from streams.instant import HOUR_MS, MINUTE_MS, parse_instant
from streams.places import NOWHERE, Places, Port
from streams.record import NOTHING, DecisionInputs, OfferFacts, PlacementRequest, Request, Subject

NOW = parse_instant("2026-11-21T18:04:11Z")
DEPARTURE = parse_instant("2026-11-21T20:30:00Z")
HERO = PlacementId("app.home.hero")
PLACES = Places(ports={"ITLIV": Port("ITLIV", "Livorno", "IT", "Europe/Rome", 43.56, 10.30)})
VARIANT = ImageVariant("https://cdn.example/9c41.webp", 1170, 600, 38_211, "9c41")
GERMAN = Text(
    title="Ihre Kabine für heute Nacht",
    body="Innenkabine, Abfahrt {sailing.departure|time}: {price}.",
    button="Kabine sichern",
    alt="Innenkabine mit zwei Betten",
    why="Sie sind Gold-Mitglied und reisen heute ab Livorno.",
)
ITALIAN = Text("La tua cabina", "Partenza {sailing.departure|time}: {price}.", "Scegli", "Due letti", "Sei Gold.")
GOLD = All((Leaf("customer.loyalty_tier", Op.IN, ("gold",)),))
ROME = Schedule(zone="Europe/Rome")
FARE = Price("EUR", "market.fare.cabin_inside", discount=0.30, at_least=2_500, round_to=50)


def cabin(
    texts: Mapping[str, Text] | None = None,
    price: Price | None = FARE,
    eligibility: Condition = GOLD,
    others: str | None = None,
    schedule: Schedule = ROME,
) -> Offer:
    link, web = "https://app.example/trip/{booking.id}/upgrade?ot={token}", "https://www.example/upgrade?ot={token}"
    words = texts or {"it": ITALIAN, "de": GERMAN}
    return Offer(
        facts=OfferFacts(OfferId("cabin-upgrade-inside"), CampaignId("cabin-upgrade-livorno-olbia"), "cabins"),
        where="cabin.yaml:1",
        placements=(HERO,),
        representation=Representation(Image("cabin", "#2b4a6f", (VARIANT,)), link, web, words, others),
        eligibility=eligibility,
        price=price,
        schedule=schedule,
    )


def booking(fare: int = 7_000, **more: Value) -> Subject:
    facts: dict[str, Value] = {
        "booking.id": "b-771",
        "sailing.departure": DEPARTURE,
        "sailing.arrival": DEPARTURE + 9 * HOUR_MS,
        "sailing.origin": "ITLIV",
        "market.fare.cabin_inside": fare,
        **{name.replace("__", "."): value for name, value in more.items()},
    }
    stamped = {name: (value, NOW - 31_000) for name, value in facts.items()}
    return Subject("booking:b-771", stamped, {"booking_id": "b-771", "sailing_id": "ITLIV-ITOLB/2026-11-21T21:30"})


def candidate(offer: Offer, subject: Subject, now: Millis = NOW) -> Candidate:
    return Candidate(offer, subject, View({}, subject.facts, NOWHERE, PLACES, now), quoted(offer, subject, now))


def context(locale: str = "de-DE", placement: Placement | None = None) -> RenderContext:
    request = Request(CustomerId("c-1"), (PlacementRequest(HERO, 1),), locale)
    inputs = DecisionInputs(DecisionId("d-1"), NOW, RevisionId("r-1"), request)
    return RenderContext(inputs, {HERO: placement or Placement(HERO, opt_out="app://privacy/offers")})


def render_one(offer: Offer, subject: Subject, locale: str = "de-DE") -> Item | None:
    slate = Slate(HERO, (Slot(candidate(offer, subject), None, 0.5),))
    items = render([slate], context(locale))[0].items
    return items[0] if items else None


def item_of(offer: Offer, subject: Subject, locale: str = "de-DE") -> Item:
    item = render_one(offer, subject, locale)
    assert item is not None
    return item


def test_an_item_is_what_the_app_shows_as_it_is() -> None:
    assert item_of(cabin(), booking()) == Item(
        offer_id="cabin-upgrade-inside",
        campaign_id="cabin-upgrade-livorno-olbia",
        rank=1,
        about={"booking_id": "b-771", "sailing_id": "ITLIV-ITOLB/2026-11-21T21:30"},
        subject="booking:b-771",
        expires=NOW + 15 * MINUTE_MS,
        representation=Shown(
            schema=2,
            locale="de",
            dir="ltr",
            title="Ihre Kabine für heute Nacht",
            body="Innenkabine, Abfahrt 21:30: 49,00\xa0€.",
            button="Kabine sichern",
            image=Picture(
                alt="Innenkabine mit zwei Betten",
                placeholder="#2b4a6f",
                variants=(
                    {"url": "https://cdn.example/9c41.webp", "w": 1170, "h": 600, "bytes": 38_211, "sha256": "9c41"},
                ),
            ),
            action={
                "link": "https://app.example/trip/b-771/upgrade?ot={token}",
                "web": "https://www.example/upgrade?ot={token}",
            },
            why_shown="Sie sind Gold-Mitglied und reisen heute ab Livorno.",
            opt_out="app://privacy/offers",
            disclosures=("personalised_price",),
        ),
        offline=Offline(show=False, because="PRICE_AND_STOCK"),
        price=PriceTag(minor=4_900, currency="EUR", text="49,00\xa0€", as_of="2026-11-21T18:03:40Z"),
    )


@pytest.mark.parametrize(
    ("locale", "written", "price"),
    [
        ("de-AT", "de", "€\xa049,00"),
        ("it", "it", "49,00\xa0€"),
        ("it-CH,fr;q=0.5", "it", "€\xa049.00"),
        ("de_DE", "de", "49,00\xa0€"),
    ],
)
def test_words_come_in_the_closest_language_and_prices_in_the_customer_s_conventions(
    locale: str, written: str, price: str
) -> None:
    item = item_of(cabin(), booking(), locale)
    assert item.representation.locale == written
    assert item.price is not None
    assert item.price.text == price


def test_others_read_the_words_in_the_declared_locale() -> None:
    offer = cabin(others="it")
    assert item_of(offer, booking(), "ja-JP").representation.title == "La tua cabina"
    assert render_one(cabin(), booking(), "ja-JP") is None


def test_arabic_words_run_from_right_to_left() -> None:
    arabic = Text("مقصورتك", "المغادرة {sailing.departure|time}: {price}", "احجز", "سريران", "أنت ذهبي")
    shown = item_of(cabin({"ar": arabic}), booking(), "ar-EG").representation
    assert (shown.dir, shown.locale) == ("rtl", "ar")
    assert shown.body == "المغادرة \u20689:30 م\u2069: \u2068\u200f49.00\xa0€\u2069"


def test_traditional_chinese_is_written_for_hong_kong() -> None:
    words = Text("今晚的客艙", "{sailing.departure|time} 出發：{price}", "選擇客艙", "雙床客艙", "您是金卡會員")
    simplified = Text("今晚的客舱", "x", "x", "x", "x")
    shown = item_of(cabin({"zh-Hans": simplified, "zh-Hant": words}), booking(), "zh-HK").representation
    assert (shown.locale, shown.body) == ("zh-Hant", "下午9:30 出發：€49.00")


def test_ranks_and_slates_keep_their_order_and_a_placement_its_settings() -> None:
    slots = tuple(Slot(candidate(cabin(), booking(fare)), None, None) for fare in (7_000, 8_000))
    trip = PlacementId("app.trip.card")
    slates = [Slate(trip, ()), Slate(HERO, slots, fallback=True), Slate(PlacementId("x"), (), problem="UNKNOWN")]
    placements = render(slates, context(placement=Placement(HERO, refresh_after_s=45)))
    assert [(slate.placement, slate.fallback, slate.refresh_after_s, slate.problem) for slate in placements] == [
        ("app.trip.card", False, 120, None),
        ("app.home.hero", True, 45, None),
        ("x", False, 120, "UNKNOWN"),
    ]
    items = placements[1].items
    assert [(item.rank, item.price and item.price.minor) for item in items] == [(1, 4_900), (2, 5_600)]


def test_a_candidate_that_cannot_be_written_whole_is_left_out() -> None:
    whole, torn = candidate(cabin(), booking()), candidate(cabin(), booking(sailing__departure="soon"))
    unpriced = candidate(cabin(price=replace(FARE, source="market.fare.suite")), booking())
    slate = Slate(HERO, tuple(Slot(each, None, None) for each in (torn, unpriced, whole)))
    items = render([slate], context())[0].items
    assert [item.rank for item in items] == [3]


def test_rendering_twice_gives_the_same_bytes() -> None:
    slates = [Slate(HERO, (Slot(candidate(cabin(), booking()), None, 0.5),))]
    one, other = (msgspec.msgpack.encode(render(slates, context())) for _ in range(2))
    assert one == other
    assert msgspec.msgpack.decode(one, type=tuple[PlacementSlate, ...]) == render(slates, context())


def test_what_may_be_gone_is_not_shown_without_a_connection() -> None:
    plain = Text("t", "b", "b", "a", "w")
    counting = Text("t", "Noch {market.cabins_free.inside|number}", "b", "a", "w")
    stock = All((Leaf("venue.free", Op.RANGE, low=1),))
    amount = Price(amount=4_900)
    perishable = Offline(show=False, because="PRICE_AND_STOCK")
    offers = {
        "price": cabin({"de": plain}, eligibility=ALWAYS),
        "stock": cabin({"de": plain}, price=None, eligibility=stock),
        "words": cabin({"de": counting}, price=None, eligibility=ALWAYS),
        "nothing": cabin({"de": plain}, price=amount, eligibility=GOLD),
    }
    subject = booking(market__cabins_free__inside=3)
    offline = {name: item_of(offer, subject).offline for name, offer in offers.items()}
    assert offline == {
        "price": perishable,
        "stock": perishable,
        "words": perishable,
        "nothing": Offline(show=True),
    }


def test_a_reduced_price_for_some_customers_is_disclosed() -> None:
    plain = {"de": Text("t", "b", "b", "a", "w")}
    disclosed = [
        item_of(cabin(plain, price, eligibility), booking()).representation.disclosures
        for price, eligibility in ((FARE, GOLD), (FARE, ALWAYS), (replace(FARE, discount=0.0), GOLD), (None, GOLD))
    ]
    assert disclosed == [("personalised_price",), (), (), ()]


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), "18:19:11"),
        (Schedule(ends=parse_instant("2026-11-21T18:10:00Z")), "18:10:00"),
        (Schedule(ends_relative=RelativeTime("sailing.departure", -140 * MINUTE_MS)), "18:10:00"),
        (Schedule(ends_relative=RelativeTime("booking.check_in", 0)), "18:19:11"),
        (Schedule(zone="Europe/Rome", hours=(17 * 60, 19 * 60 + 12)), "18:12:00"),
        (Schedule(zone="Europe/Rome", hours=(17 * 60, 3 * 60)), "18:19:11"),
        (Schedule(zone="Pacific/Auckland", days=(7,)), "18:19:11"),
        (Schedule(zone="Asia/Kathmandu", days=(6,), ends=parse_instant("2026-11-21T18:14:00Z")), "18:14:00"),
        (Schedule(zone="Asia/Kathmandu", days=(6,)), "18:15:00"),
    ],
)
def test_an_item_expires_at_the_first_of_its_ends(schedule: Schedule, expected: str) -> None:
    at = expires(candidate(cabin(schedule=schedule), booking()), NOW, ())
    assert at == parse_instant(f"2026-11-21T{expected}Z")


def test_an_item_about_a_sailing_expires_when_it_leaves_and_on_board_when_it_arrives() -> None:
    offer = replace(cabin(), ttl_s=24 * 3_600)
    assert expires(candidate(offer, booking()), NOW, ()) == DEPARTURE
    at_sea = DEPARTURE + 1
    assert expires(candidate(offer, booking(), at_sea), at_sea, ()) == DEPARTURE + 9 * HOUR_MS
    assert expires(candidate(offer, NOTHING), NOW, ()) == NOW + 24 * HOUR_MS
