import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.money import Quote, digits, price_of, saved_percent, text
from offers.offer import Price
from streams.attributes import Facts

NOW = 1_795_284_251_000
MINUTE = 60_000
FARE = "market.fare.cabin_inside"

minors = st.integers(0, 10_000_000)
discounts = st.integers(0, 100).map(lambda percent: percent / 100)
steps = st.sampled_from([1, 5, 10, 50, 99, 100, 1_000])


def fare(minor: object, age_ms: int = 0) -> Facts:
    return {FARE: (minor, NOW - age_ms)}  # type: ignore[dict-item]


def test_the_discount_comes_off_the_market_s_fare_and_is_rounded_half_up_to_the_step() -> None:
    price = Price("EUR", FARE, discount=0.30, at_least=2_500, round_to=50)
    assert price_of(price, fare(6_900), NOW) == Quote(4_850, "EUR", NOW, 6_900)
    assert price_of(price, fare(7_250), NOW) == Quote(5_100, "EUR", NOW, 7_250)  # 50.75: half a step goes up
    assert price_of(price, fare(7_249), NOW) == Quote(5_050, "EUR", NOW, 7_249)


def test_a_price_below_the_floor_is_the_floor() -> None:
    assert price_of(Price("EUR", FARE, discount=0.9, at_least=2_599, round_to=50), fare(6_900), NOW) == Quote(
        2_599, "EUR", NOW, 6_900
    )


def test_an_amount_of_the_campaign_needs_no_fact_and_is_as_of_no_time() -> None:
    assert price_of(Price("SEK", amount=4_900), {}, NOW) == Quote(4_900, "SEK", None, 4_900)


@pytest.mark.parametrize("minor", [-1, True, 69.0, "6900", ("6900",)])
def test_a_fare_that_is_no_whole_amount_is_no_price(minor: object) -> None:
    assert price_of(Price("EUR", FARE), fare(minor), NOW) is None


def test_a_missing_or_stale_source_is_no_price() -> None:
    price = Price("EUR", FARE, fresh_ms=10 * MINUTE)
    assert price_of(price, {}, NOW) is None
    assert price_of(price, fare(6_900, age_ms=10 * MINUTE), NOW) == Quote(6_900, "EUR", NOW - 10 * MINUTE, 6_900)
    assert price_of(price, fare(6_900, age_ms=10 * MINUTE + 1), NOW) is None
    assert price_of(Price("EUR", FARE), fare(6_900, age_ms=10**10), NOW) == Quote(6_900, "EUR", NOW - 10**10, 6_900)


def test_discounts_are_taken_as_written_not_as_the_nearest_float() -> None:
    assert price_of(Price(amount=5, discount=0.7), {}, NOW) == Quote(2, "EUR", None, 5)  # 1.5, not 1.5000000000000002
    assert price_of(Price(amount=10**15 + 5, discount=0.1), {}, NOW) == Quote(
        900_000_000_000_005, "EUR", None, 10**15 + 5
    )


@given(minors, discounts, minors, steps)
def test_a_price_is_never_below_its_floor_and_never_above_what_rounding_explains(
    full: int, discount: float, at_least: int, step: int
) -> None:
    price = Price("EUR", FARE, discount=discount, at_least=at_least, round_to=step)
    quote = price_of(price, fare(full), NOW)
    assert quote is not None
    assert quote == price_of(price, fare(full), NOW)
    assert quote.minor >= at_least
    assert quote.minor == at_least or (quote.minor % step == 0 and 2 * (quote.minor - full) <= step)


@given(minors, discounts, discounts, minors, steps)
def test_a_greater_discount_never_costs_more(full: int, one: float, other: float, at_least: int, step: int) -> None:
    less, more = (
        price_of(Price("EUR", FARE, discount=discount, at_least=at_least, round_to=step), fare(full), NOW)
        for discount in sorted((one, other))
    )
    assert less is not None
    assert more is not None
    assert more.minor <= less.minor


@given(minors, minors, discounts, steps)
def test_a_higher_fare_never_costs_less(one: int, other: int, discount: float, step: int) -> None:
    price = Price("EUR", FARE, discount=discount, round_to=step)
    cheap, dear = (price_of(price, fare(full), NOW) for full in sorted((one, other)))
    assert cheap is not None
    assert dear is not None
    assert cheap.minor <= dear.minor


def test_the_discount_told_is_what_is_really_saved_and_never_more() -> None:
    assert saved_percent(Quote(4_900, "EUR", NOW, 7_000)) == 30
    assert saved_percent(Quote(4_850, "EUR", NOW, 6_900)) == 29
    assert saved_percent(Quote(2_500, "EUR", NOW, 2_400)) is None
    assert saved_percent(Quote(2_400, "EUR", NOW, 2_400)) is None
    assert saved_percent(Quote(9_999, "EUR", NOW, 10_000)) is None


@pytest.mark.parametrize(
    ("minor", "currency", "locale", "expected"),
    [
        (4_900, "EUR", "it", "49,00\xa0€"),
        (4_900, "EUR", "de", "49,00\xa0€"),
        (4_900, "EUR", "fr", "49,00\xa0€"),
        (4_900, "EUR", "en_US", "€49.00"),
        (4_900, "EUR", "de_AT", "€\xa049,00"),
        (4_900, "EUR", "zh_Hant", "€49.00"),
        (123_450, "EUR", "fr", "1\u202f234,50\xa0€"),
        (123_450, "EUR", "de_CH", "EUR\xa01’234.50"),
        (4_900, "EUR", "ar", "\u200f49.00\xa0€"),
        (4_900, "JPY", "ja", "￥4,900"),
        (4_900, "KWD", "en", "KWD4.900"),
        (5, "EUR", "it", "0,05\xa0€"),
        (0, "EUR", "it", "0,00\xa0€"),
    ],
)
def test_prices_are_written_as_people_of_the_locale_write_them(
    minor: int, currency: str, locale: str, expected: str
) -> None:
    assert text(minor, currency, locale) == expected


def test_minor_units_are_those_of_the_currency() -> None:
    assert [digits(currency) for currency in ("EUR", "SEK", "JPY", "KWD")] == [2, 2, 0, 3]
