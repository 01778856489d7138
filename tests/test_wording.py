from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.condition import View
from offers.locale import conventions
from offers.money import Quote
from offers.offer import Image, Offer, Representation, Schedule, Text
from offers.template import FILTERS, PLURAL, SPECIAL, Hole, compiled
from offers.wording import Writing, missing_placeholders, wording
from streams.attributes import Attribute, Kind, Value, attribute_set
from streams.ids import CampaignId, OfferId, PlacementId
from streams.instant import parse_instant
from streams.places import NOWHERE, Places, Port, Venue
from streams.record import OfferFacts

NOW = parse_instant("2026-11-21T18:04:11Z")
DEPARTURE = parse_instant("2026-11-21T20:30:00Z")
PLACES = Places(
    ports={
        "ITLIV": Port("ITLIV", "Livorno", "IT", "Europe/Rome", 43.56, 10.30),
        "TNTUN": Port("TNTUN", "Tunis/La Goulette", "TN", "Africa/Tunis", 36.80, 10.30),
        "GRIGO": Port("GRIGO", "Igoumenitsa", "GR", "Europe/Athens", 39.50, 20.26),
    },
    venues={"bar": Venue("bar", "Bar “Al Molo”", "restaurant", lat=43.55, lon=10.31)},
)
SAILING: dict[str, Value] = {
    "sailing.departure": DEPARTURE,
    "sailing.arrival": DEPARTURE + 20 * 3_600_000,
    "sailing.origin": "ITLIV",
    "sailing.destination": "GRIGO",
    "sailing.line": "ITLIV-GRIGO",
}


def view(facts: dict[str, Value], context: dict[str, Value] | None = None) -> View:
    subject = {name: (value, NOW) for name, value in facts.items()}
    return View({name: (value, NOW) for name, value in (context or {}).items()}, subject, NOWHERE, PLACES, NOW)


def offer(body: str = "", link: str = "https://app.example", zone: str = "UTC") -> Offer:
    text = Text(title="T", body=body, button="B", alt="A", why="W")
    return Offer(
        facts=OfferFacts(OfferId("o"), CampaignId("c"), ""),
        where="c.yaml:1",
        placements=(PlacementId("p"),),
        representation=Representation(Image("sea", "#004"), link, "https://www.example", {"it": text}),
        schedule=Schedule(zone=zone),
    )


def writing(seen: View, locale: str = "it-IT", written: str = "it", quote: Quote | None = None) -> Writing:
    declared = (Attribute("market", "tip", 1, Kind.MONEY, unit="SEK"), Attribute("market", "fee", 2, Kind.MONEY))
    return Writing(offer(zone="Atlantic/Azores"), seen, quote, conventions(locale, written), attribute_set(declared))


def counting(hole: Hole) -> Hole:
    """A hole of the filter `plural` has forms."""
    return replace(hole, forms=(("one", "# cabin"), ("other", "# cabins"))) if hole.filter == PLURAL else hole


def fill(text: str, facts: dict[str, Value], locale: str = "it-IT", written: str = "it") -> str | None:
    return compiled(text).fill(writing(view(facts), locale, written).word)


@pytest.mark.parametrize(
    ("locale", "written", "expected"),
    [
        ("it-IT", "it", "Livorno 21:30, 21 novembre 2026"),
        ("de-AT", "de", "Livorno 21:30, 21. November 2026"),
        ("en-US", "en", "Livorno 9:30\u202fPM, November 21, 2026"),
        ("en-GB", "en", "Livorno 21:30, 21 November 2026"),
        ("fr-FR", "fr", "Livorno 21:30, 21 novembre 2026"),
        ("zh-TW", "zh-Hant", "Livorno 晚上9:30, 2026年11月21日"),
    ],
)
def test_times_are_those_of_the_port_in_the_customer_s_locale(locale: str, written: str, expected: str) -> None:
    text = "{sailing.origin|port} {sailing.departure|time}, {sailing.departure|date}"
    assert fill(text, SAILING, locale, written) == expected


def test_an_arrival_is_told_in_the_zone_of_the_destination() -> None:
    assert fill("{sailing.departure|time} - {sailing.arrival|time}", SAILING) == "21:30 - 18:30"


def test_without_a_port_times_are_told_in_the_zone_of_the_schedule() -> None:
    assert fill("{sailing.departure|time}", {"sailing.departure": DEPARTURE}) == "19:30"


def test_a_departure_after_midnight_has_the_date_of_the_port() -> None:
    late = {**SAILING, "sailing.departure": parse_instant("2026-11-21T23:15:00Z")}
    assert fill("{sailing.departure|date}", late) == "22 novembre 2026"
    assert fill("{sailing.departure|date}", {**late, "sailing.origin": "TNTUN"}) == "22 novembre 2026"
    assert fill("{sailing.departure|date}", {**late, "sailing.origin": "?"}) == "21 novembre 2026"


def test_the_night_the_clocks_go_back_has_two_half_past_twos() -> None:
    nights = [parse_instant(f"2026-10-25T0{hour}:30:00Z") for hour in (0, 1, 2)]
    told = [fill("{sailing.departure|time}", {**SAILING, "sailing.departure": at}) for at in nights]
    assert told == ["02:30", "02:30", "03:30"]


def test_prices_and_what_they_save_are_written_in_the_customer_s_locale() -> None:
    quote = Quote(minor=4_900, currency="EUR", as_of=NOW, full=7_000)
    italian = writing(view({}), quote=quote)
    austrian = writing(view({}), "de-AT", "de", quote)
    assert compiled("{price} (-{discount})").fill(italian.word) == "49,00\xa0€ (-30%)"
    assert compiled("{price} (-{discount})").fill(austrian.word) == "€\xa049,00 (-30\xa0%)"


def test_money_facts_are_in_the_currency_they_were_declared_in() -> None:
    seen = view({"market.tip": 2_000, "market.fee": 150})
    assert compiled("{market.tip|money}, {market.fee|money}").fill(writing(seen).word) == "20,00\xa0SEK, 1,50\xa0€"


def test_the_way_to_the_nearest_port_is_in_miles_where_roads_are() -> None:
    seen = view({}, {"context.nearest_port_distance": 12_345.0})
    assert compiled("{distance}").fill(writing(seen).word) == "12 km"
    assert compiled("{distance}").fill(writing(seen, "en-GB", "en").word) == "8 mi"
    assert compiled("{distance}").fill(writing(view({})).word) is None


def test_a_venue_is_named_and_its_free_places_counted() -> None:
    assert fill("{venue.name}: {venue.free|number}", {"venue.id": "bar", "venue.free": 1_200}) == "Bar “Al Molo”: 1.200"
    assert fill("{venue.name}", {"venue.id": "gone"}) is None


def test_values_in_right_to_left_words_keep_their_own_direction() -> None:
    facts = {**SAILING, "sailing.origin": "ITLIV"}
    assert fill("من {sailing.origin|port}.", facts, "ar-EG", "ar") == "من \u2068Livorno\u2069."


def test_values_are_one_line_of_plain_text_of_bounded_length() -> None:
    assert fill("[{booking.note}]", {"booking.note": "a\x00\x1b[1m\u202eb\r\nc\u2028d\ud800"}) == "[a[1mb c d]"
    assert fill("{booking.note}", {"booking.note": "<b>&amp;</b> {price}"}) == "<b>&amp;</b> {price}"
    assert fill("{booking.note}", {"booking.note": "x" * 500}) == "x" * 119 + "…"
    assert fill("{booking.tags}", {"booking.tags": ("food", "spa")}) == "food, spa"


def test_values_in_links_are_encoded_and_the_token_stays_in_place() -> None:
    words = wording(offer().representation.texts["it"], "https://a/{booking.id}?n={market.n}&ot={token}", "x://{{1}}")
    seen = writing(view({"booking.id": "b/7 71?&{token}#é", "market.n": 1_234}))
    assert words.link.fill(seen.link_part) == "https://a/b%2F7%2071%3F%26%7Btoken%7D%23%C3%A9?n=1234&ot={token}"
    assert words.web.fill(seen.link_part) == "x://%7B1%7D"
    assert words.holes == (Hole("booking.id"), Hole("market.n"))


def test_a_filter_in_a_link_writes_before_it_encodes() -> None:
    words = wording(offer().representation.texts["it"], "x://{sailing.departure|time}/{sailing.origin|port}", "")
    assert words.link.fill(writing(view({**SAILING, "sailing.origin": "TNTUN"})).link_part) == (
        "x://21%3A30/Tunis%2FLa%20Goulette"
    )


def test_missing_placeholders_are_named_once_each_in_the_order_written() -> None:
    words = offer("{price} {sailing.origin|port} {venue.free|number} {price}", "x://{booking.id}?{token}")
    missing = missing_placeholders(words.representation, view({"sailing.origin": "ITXXX"}), None, "it")
    assert missing == ("price", "sailing.origin", "venue.free", "booking.id")
    there = view({"sailing.origin": "ITLIV", "venue.free": 3, "booking.id": "b-1"})
    assert missing_placeholders(words.representation, there, Quote(1, "EUR", None, 1), "it") == ()


def test_a_discount_that_is_none_is_missing() -> None:
    words = offer("-{discount}")
    assert missing_placeholders(words.representation, view({}), Quote(2_500, "EUR", None, 2_400), "it") == ("discount",)


def test_without_a_locale_to_write_in_nothing_is_missing() -> None:
    assert missing_placeholders(offer("{price}").representation, view({}), None, "ja") == ()


@pytest.mark.parametrize(
    ("placeholder", "value"),
    [
        ("{booking.x}", True),
        ("{booking.x|number}", "37"),
        ("{booking.x|number}", float("nan")),
        ("{booking.x|time}", 10**16),
        ("{booking.x|time}", 0),
        ("{booking.x|date}", 1.5),
        ("{booking.x|port}", "ITXXX"),
        ("{booking.x|money}", ("a",)),
        ("{token}", "anything"),
    ],
)
def test_a_value_that_its_filter_cannot_write_is_missing(placeholder: str, value: Value) -> None:
    missing = missing_placeholders(offer(placeholder).representation, view({"booking.x": value}), None, "it")
    assert missing == ("token" if placeholder == "{token}" else "booking.x",)
    assert fill(placeholder, {"booking.x": value}) is None


values = st.booleans() | st.integers() | st.floats() | st.text(max_size=300) | st.tuples(st.text(max_size=3))
names = st.sampled_from([*SPECIAL, "booking.x", "sailing.origin", "sailing.departure", "venue.id"])


@given(
    hole=st.builds(Hole, names, st.sampled_from(["", *FILTERS])).map(counting),
    facts=st.dictionaries(names, values, max_size=4),
    locale=st.sampled_from(["it-IT", "en-US", "ar-EG", "zh-TW", "de-CH"]),
    minor=st.none() | st.integers(0, 10**12),
)
def test_whatever_the_facts_a_placeholder_is_written_or_missing_and_never_raises(
    hole: Hole, facts: dict[str, Value], locale: str, minor: int | None
) -> None:
    quote = None if minor is None else Quote(minor, "EUR", NOW, 2 * minor)
    seen = writing(view(facts, {"context.nearest_port_distance": 1e4}), locale, locale[:2], quote)
    word, part = seen.word(hole), seen.link_part(hole)
    forms = "".join(f" {name} {{{words}}}" for name, words in hole.forms)
    text = offer("{" + hole.name + (f"|{hole.filter}{forms}" if hole.filter else "") + "}").representation
    missing = missing_placeholders(text, seen.view, quote, "it")
    assert (word is None) == (part is None) == bool(missing)
    if part is not None:
        assert part.isascii()
        assert not set(part) & set("{}<>\"' /?#&")


@pytest.mark.parametrize("value", [1e15, 1e25, -1e300, float("inf"), float("nan")])
@pytest.mark.parametrize("text", ["{market.tip|number}", "{market.tip|plural one {#} other {#}}", "{market.tip}"])
def test_a_number_beyond_counting_is_missing(text: str, value: float) -> None:
    assert fill(text, {"market.tip": value}) is None


def test_a_hebrew_name_in_words_from_left_to_right_keeps_its_direction() -> None:
    assert fill("A {sailing.line}!", {"sailing.line": "שלום 1"}, "en", "en") == "A \u2068שלום 1\u2069!"
    assert fill("A {sailing.line}!", {"sailing.line": "Città 1"}, "en", "en") == "A Città 1!"
