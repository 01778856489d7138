"""Words that count: the forms of each language, told by CLDR, written and missing."""

import pytest
from babel import Locale
from hypothesis import given
from hypothesis import strategies as st

from offers import plurals
from offers.plurals import CATEGORIES, SAMPLES, category, missing, needed, parse_forms, strange, stuck, words_for
from offers.template import Hole, compiled, parse
from offers.text_widths import length_of
from streams.attributes import Kind
from streams.errors import InvalidInput
from tests.test_wording import fill

LANGUAGES = (
    "it", "en", "de", "fr", "es", "pt_PT", "pl", "cs", "ru", "uk", "sl", "lt", "lv", "ro", "ar", "he", "cy", "ga",
    "zh_Hant", "ja", "ko", "tr", "hr", "mt",
)  # fmt: skip
POLISH = "{market.cabins|plural =0 {brak miejsc} one {# miejsce} few {# miejsca} many {# miejsc} other {# miejsca}}"
ARABIC = (
    "{market.cabins|plural zero {لا مقصورات} one {مقصورة} two {مقصورتان} few {# مقصورات} many {# مقصورة} "
    "other {# مقصورة}}"
)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "brak miejsc"),
        (1, "1 miejsce"),
        (3, "3 miejsca"),
        (5, "5 miejsc"),
        (12, "12 miejsc"),
        (22, "22 miejsca"),
        (1_005, "1\xa0005 miejsc"),
        (12_345, "12\xa0345 miejsc"),
        (1.5, "1,5 miejsca"),
    ],
)
def test_a_number_takes_the_form_of_its_language(number: float, text: str) -> None:
    assert fill(f"Zostało {POLISH}.", {"market.cabins": number}, "pl-PL", "pl") == f"Zostało {text}."


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "لا مقصورات"), (1, "مقصورة"), (2, "مقصورتان"), (3, "3 مقصورات"), (11, "11 مقصورة"), (100, "100 مقصورة")],
)
def test_arabic_has_six_forms_and_they_stand_apart_from_the_words_around(number: int, text: str) -> None:
    assert fill(ARABIC, {"market.cabins": number}, "ar", "ar") == f"\u2068{text}\u2069"


def test_a_number_that_is_not_known_leaves_the_text_unwritten() -> None:
    assert fill(POLISH, {}, "pl", "pl") is None
    assert fill(POLISH, {"market.cabins": "many"}, "pl", "pl") is None


def test_a_form_that_is_missing_is_written_as_other() -> None:
    forms = parse_forms("one {# cabina} other {# cabine}")
    assert category("it", 1_000_000) == "many"
    assert words_for(forms, 1_000_000, "1.000.000", "it") == "1.000.000 cabine"


@pytest.mark.parametrize(
    ("locale", "whole", "forms"),
    [
        ("it", True, "one other"),
        ("fr", True, "one other"),
        ("ja", True, "other"),
        ("pl", True, "one few many other"),
        ("cs", True, "one few other"),
        ("cs", False, "one few many other"),
        ("ar", True, "zero one two few many other"),
        ("cy", True, "zero one two few many other"),
        ("lv", True, "zero one other"),
    ],
)
def test_a_language_needs_its_forms_of_numbers_that_offers_have(locale: str, whole: bool, forms: str) -> None:
    assert " ".join(needed(locale, whole)) == forms


def test_a_form_that_covers_several_numbers_has_none_of_its_own() -> None:
    assert stuck(parse_forms("one {1 cabina} other {# cabine}"), "it") == ()
    assert stuck(parse_forms("one {1 каюта} other {# кают}"), "ru") == (("one", "21"),)
    assert stuck(parse_forms("=1 {1 каюта} one {# каюта} other {2 или больше}"), "ru") == ()


@pytest.mark.parametrize(
    ("forms", "code", "said"),
    [
        ("", "PLACEHOLDER_SYNTAX", "is no plural form; write 'plural one {# night} other {# nights}'"),
        ("one", "PLACEHOLDER_SYNTAX", "'one' is no plural form"),
        ("one {#} other {#} and", "PLACEHOLDER_SYNTAX", "'and' is no plural form"),
        ("one {a} one {b} other {c}", "PLACEHOLDER_SYNTAX", "the plural form 'one' is written twice"),
        ("ohter {#}", "PLURAL_UNKNOWN", "there is no plural form 'ohter'. Did you mean 'other'?"),
        ("=x {#} other {#}", "PLURAL_UNKNOWN", "or a number such as '=0'"),
    ],
)
def test_forms_that_cannot_be_read_say_what_to_write(forms: str, code: str, said: str) -> None:
    with pytest.raises(InvalidInput) as raised:
        compiled(f"{{market.cabins|plural {forms}}}")
    assert raised.value.code == code
    assert said in raised.value.message


def test_a_plural_counts_numbers_only_and_its_braces_are_its_own() -> None:
    with pytest.raises(InvalidInput, match="'plural' cannot write"):
        parse("{sailing.line|plural other {#}}", ["sailing.line"], {"sailing.line": Kind.STRING})
    assert compiled("{{{x|plural other {#}}}}").parts == ("{", Hole("x", "plural", (("other", "#"),)), "}")
    for bad in ("{a {b}", "{a {b} c}", "{a|plural other {{#}}}"):
        with pytest.raises(InvalidInput):
            compiled(bad)


def test_the_longest_form_is_what_a_text_may_need() -> None:
    assert length_of(compiled("{x|plural one {# cabin} other {# cabins free}}")) == len("999 cabins free")


@given(st.sampled_from(LANGUAGES), st.integers(0, 999_999))
def test_every_number_an_offer_has_takes_a_form_that_the_check_asks_for(locale: str, number: int) -> None:
    assert category(locale, number) in needed(locale)


@given(st.sampled_from(LANGUAGES), st.floats(0, 10_000, allow_nan=False).map(lambda value: round(value, 3)))
def test_every_fraction_has_a_form_where_there_are_fractions(locale: str, value: float) -> None:
    assert category(locale, value) in needed(locale, whole=False)


@given(st.sampled_from(LANGUAGES), st.sets(st.sampled_from(CATEGORIES)))
def test_what_is_missing_and_what_is_strange_make_up_the_difference(locale: str, written: set[str]) -> None:
    forms = tuple((name, "#") for name in CATEGORIES if name in written)
    lacks = {each.partition(" ")[0] for each in missing(forms, locale)}
    assert lacks == {*needed(locale)} - written
    assert {*strange(forms, locale)} == written - {*Locale.parse(locale).plural_form.tags, "other"}


@given(st.text(alphabet="{}|# =01oneotherfewplural x.", max_size=60))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        template = compiled(text)
    except InvalidInput as error:
        assert error.code in ("PLACEHOLDER_SYNTAX", "FILTER_UNKNOWN", "PLURAL_UNKNOWN")
    else:
        assert length_of(template) >= 0


def test_samples_hold_the_numbers_by_which_forms_are_told() -> None:
    assert {*range(201)} <= {*SAMPLES}
    assert plurals.language("pt_PT") == "Portuguese"
