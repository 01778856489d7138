from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.locale import Conventions, choose, closest, conventions, parse_accept_language
from offers.offer import Image, Representation, Text

VECTORS = Path(__file__).parent / "vectors"
WORDS = Text(title="t", body="b", button="c", alt="a", why="w")


class MatcherCase(msgspec.Struct, forbid_unknown_fields=True):
    """golang/text: with no match it answers the first supported locale, as a campaign says with `others`."""

    src: str
    supported: tuple[str, ...]
    desired: tuple[str, ...]
    expected: str
    combined: str | None


class HeaderCase(msgspec.Struct, forbid_unknown_fields=True):
    """negotiator: `language` answers the best, `languages` all acceptable ones; null header: none was sent."""

    accept_language: str | None
    fn: str
    available: tuple[str, ...] | None
    expected: str | tuple[str, ...] | None


MATCHER_DEVIATIONS = {
    # case: (what Offing answers instead, why)
    13: ("en", "nl-Cyrl gets Serbian for its script alone; another language is no answer"),
    17: ("sr-Latn", "CLDR since says that Croatian speakers read Serbian in Latin script"),
    42: ("ro", "langcodes reads the retired tag mo as ro, as CLDR does now; Go as ro-MD"),
    43: ("", "the root locale as a supported language; a campaign always writes in a real one"),
    44: ("", "the same"),
    48: ("i-klingon", "the same choice: Offing answers with the tag as it is written, Go with its modern form"),
    51: ("fr", "readers of traditional characters never get simplified ones"),
    52: ("fr", "the same"),
    83: ("it", "the same"),
    95: ("en-GB", "Go prefers an exact nl because en-GB is listed last; to Offing en reads en-GB, and comes first"),
    148: ("und", "und is the root locale again; a Dane's nn is one region too far from no"),
}
HEADER_DEVIATIONS = {
    43: (("en", "es"), "negotiator itself skips this test; its `language` answers en for the same header (case 20)"),
}


def ranking(header: str | None, available: tuple[str, ...]) -> tuple[str, ...]:
    """Every acceptable locale, best first, by asking again without the ones taken. Negotiator's `*` is `others`."""
    left, ranked = available, []
    anything = header is None or "*" in header
    while left and (found := closest(header or "", left, left[0] if anything else None)) is not None:
        ranked.append(found)
        left = tuple(tag for tag in left if tag != found)
    return tuple(ranked)


def answer(case: HeaderCase) -> str | tuple[str, ...] | None:
    header = case.accept_language
    if case.available is not None:
        ranked = ranking(header, case.available)
    else:
        ranked = parse_accept_language("*" if header is None else header)
    if case.fn == "languages":
        return ranked
    return ranked[0] if ranked else None


def written(*locales: str, others: str | None = None) -> Representation:
    return Representation(Image("sea", "#004"), "https://a", "https://b", dict.fromkeys(locales, WORDS), others)


def test_golang_s_150_matching_cases_agree_but_for_the_listed_deviations() -> None:
    cases = msgspec.json.decode((VECTORS / "locale_matcher.json").read_bytes(), type=list[MatcherCase])
    answers = [closest(",".join(case.desired), case.supported, case.supported[0]) for case in cases]
    differing = {n: got for n, (case, got) in enumerate(zip(cases, answers, strict=True)) if got != case.expected}
    assert differing == {n: instead for n, (instead, _) in MATCHER_DEVIATIONS.items()}
    assert (len(cases), len(cases) - len(differing)) == (150, 139)


def test_negotiator_s_48_accept_language_cases_agree_but_for_the_listed_deviation() -> None:
    cases = msgspec.json.decode((VECTORS / "accept_language.json").read_bytes(), type=list[HeaderCase])
    differing = {n: answer(case) for n, case in enumerate(cases) if answer(case) != case.expected}
    assert differing == {n: instead for n, (instead, _) in HEADER_DEVIATIONS.items()}
    assert (len(cases), len(cases) - len(differing)) == (48, 47)


@pytest.mark.parametrize(
    ("locale", "expected"),
    [
        ("de-AT", "de"),
        ("de_DE", "de"),
        ("de_DE.UTF-8", "de"),
        ("DE-ch", "de"),
        ("gsw-CH", "de"),
        ("it-CH", "it"),
        ("pt", None),
        ("pt-BR", None),
        ("uk", None),
        ("zh-TW", "zh-Hant"),
        ("zh-HK", "zh-Hant"),
        ("zh-Hant-MO", "zh-Hant"),
        ("yue-HK", "zh-Hant"),
        ("zh-CN", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("fr-CA, fr;q=0.9, it;q=0.8", "it"),
        ("ca-ES, it;q=0.9", "it"),
        ("de-DE-u-co-phonebk", "de"),
    ],
)
def test_a_customer_gets_the_closest_written_locale(locale: str, expected: str | None) -> None:
    assert choose(locale, written("it", "de", "zh-Hans", "zh-Hant")) == expected


@pytest.mark.parametrize("locale", ["zh-TW", "zh-HK", "zh-MO", "zh-Hant", "zh-Hant-CN", "hak-TW", "nan-TW", "yue-HK"])
def test_readers_of_traditional_characters_never_get_simplified_ones(locale: str) -> None:
    assert choose(locale, written("zh-Hans", "it", others="it")) == "it"
    assert choose(locale, written("zh-Hans", "it")) is None


@pytest.mark.parametrize(
    "locale",
    ["", "*", "-", "de-", "de--AT", "\U0001f642", "x", "q=1", ";;,,", "a" * 5_000, "it;q=abc", "\ud800"],
)
def test_a_malformed_tag_falls_through_to_the_locale_for_others(locale: str) -> None:
    assert choose(locale, written("it", "en", others="en")) == "en"
    assert choose(locale, written("it", "en")) is None


def test_without_a_locale_for_others_an_unrelated_language_gets_nothing() -> None:
    assert choose("ja-JP", written("it", "de", others="it")) == "it"
    assert choose("ja-JP", written("it", "de")) is None
    assert choose("de;q=0.5, *;q=0.1", written("it")) is None


def test_a_refused_language_is_never_chosen_not_even_for_others() -> None:
    assert choose("de, en;q=0", written("it", "en", others="en")) is None
    assert choose("en-US, en-GB;q=0", written("en-GB", "it", others="it")) == "it"
    assert choose("it, *;q=0", written("de", others="de")) is None


def test_the_explicit_tag_wins_over_the_likely_one() -> None:
    assert choose("en-GB", written("en", "en-GB")) == "en-GB"
    assert choose("en-AU", written("en", "en-GB")) == "en-GB"
    assert choose("en-US", written("en", "en-GB")) == "en"


def test_an_overlong_list_counts_up_to_its_last_whole_entry() -> None:
    filler = "ja;p=" + "x" * 245
    assert len(f"{filler},de,zh") == 256
    assert choose(f"{filler},de,zh-Hant", written("zh-Hans", "de")) == "de"
    assert choose(f"{filler},zh-Hant", written("zh-Hans", "it", others="it")) == "it"
    assert choose("ja," * 15 + "it", written("it")) == "it"
    assert choose("ja," * 16 + "it", written("it")) is None


def test_entries_are_ordered_by_quality_and_repeated_ones_count_once() -> None:
    assert parse_accept_language("it;q=.8, de;Q=0.9;x=y, en;q=2, IT;q=0.1, fr;q=0") == ("de", "it")
    assert parse_accept_language("") == ()


@pytest.mark.parametrize(
    ("locale", "words", "expected"),
    [
        ("de-AT", "de", Conventions("de", "de_AT", "ltr", miles=False)),
        ("it", "it", Conventions("it", "it_IT", "ltr", miles=False)),
        ("en-GB", "en", Conventions("en", "en_GB", "ltr", miles=True)),
        ("en-US,it;q=0.5", "it", Conventions("it", "it", "ltr", miles=True)),
        ("en", "en", Conventions("en", "en_US", "ltr", miles=False)),
        ("sv-SE", "en", Conventions("en", "en_SE", "ltr", miles=False)),
        ("zh-HK", "zh-Hant", Conventions("zh-Hant", "zh_Hant_HK", "ltr", miles=False)),
        ("ar-EG", "ar", Conventions("ar", "ar_EG", "rtl", miles=False)),
        ("he", "iw", Conventions("iw", "he_IL", "rtl", miles=False)),
        ("\U0001f642", "de", Conventions("de", "de", "ltr", miles=False)),
        ("fr", "not a tag", Conventions("not a tag", "en_001", "ltr", miles=False)),
    ],
)
def test_conventions_follow_the_words_language_and_the_customer_s_territory(
    locale: str, words: str, expected: Conventions
) -> None:
    assert conventions(locale, words) == expected


@given(st.text(max_size=40) | st.from_regex(r"[a-z]{2,3}(-[A-Za-z0-9]{1,8}){0,3}(;q=[01.]{1,3})?", fullmatch=True))
def test_any_text_gets_a_written_locale_or_the_one_for_others(locale: str) -> None:
    assert choose(locale, written("it", "zh-Hant", "de", others="de")) in ("it", "zh-Hant", "de", None)
    assert conventions(locale, "it").written == "it"
