"""Segments of an SMS: the alphabet of GSM 03.38 and where a message is cut."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offers.sms import BASIC, EACH, EXTENSION, GSM_7, ONE, UCS_2, Message, foreign, measure, plain

GSM = st.text(alphabet=[*BASIC.replace("\x1b", ""), *EXTENSION], max_size=700)
ANY = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=300)


def test_the_alphabet_is_that_of_the_standard() -> None:
    assert len(BASIC) == 128 == len({*BASIC})
    codes = {0x00: "@", 0x05: "é", 0x09: "Ç", 0x0A: "\n", 0x10: "Δ", 0x1A: "Ξ", 0x1E: "ß", 0x24: "¤", 0x40: "¡",
             0x41: "A", 0x5B: "Ä", 0x5F: "§", 0x60: "¿", 0x61: "a", 0x7B: "ä", 0x7F: "à"}  # fmt: skip
    assert {code: BASIC[code] for code in codes} == codes
    assert {code: sign for code, sign in enumerate(BASIC) if sign.isascii() and sign.isalnum()} == {
        ord(sign): sign for sign in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    }
    assert "".join(EXTENSION) == "\f^{}\\[~]|€"
    assert not {*EXTENSION} & {*BASIC}


@pytest.mark.parametrize(
    ("text", "encoding", "units", "segments", "forced_by"),
    [
        ("", GSM_7, 0, 1, ""),
        ("a" * 160, GSM_7, 160, 1, ""),
        ("a" * 161, GSM_7, 161, 2, ""),
        ("a" * 306, GSM_7, 306, 2, ""),
        ("a" * 307, GSM_7, 307, 3, ""),
        ("€" * 80, GSM_7, 160, 1, ""),
        ("€" * 81, GSM_7, 162, 2, ""),
        ("a" * 152 + "€" + "a" * 153, GSM_7, 307, 3, ""),
        ("ê" * 70, UCS_2, 70, 1, "ê"),
        ("ê" * 71, UCS_2, 71, 2, "ê"),
        ("😀" * 35, UCS_2, 70, 1, "😀"),
        ("😀" * 67, UCS_2, 134, 3, "😀"),
        ("`", UCS_2, 1, 1, "`"),
        ("Perché no? Già, così: però", GSM_7, 26, 1, ""),
        ("Größe ÄÖÜ ñ Ñ å Å", GSM_7, 17, 1, ""),
        ("ç", UCS_2, 1, 1, "ç"),
        ("á", UCS_2, 1, 1, "á"),
        ("\x1b", UCS_2, 1, 1, "\x1b"),
    ],
)
def test_a_message_takes_segments(text: str, encoding: str, units: int, segments: int, forced_by: str) -> None:
    assert measure(text) == Message(encoding, units, segments, forced_by)


def septets(text: str) -> int:
    return sum(2 if sign in EXTENSION else 1 for sign in text)


@given(GSM)
def test_a_text_of_the_alphabet_needs_no_other_and_counts_its_escapes(text: str) -> None:
    found = measure(text)
    assert (found.encoding, found.units, found.forced_by) == (GSM_7, septets(text), "")
    least = 1 if found.units <= ONE[GSM_7] else -(-found.units // EACH[GSM_7])
    wasted = -(-found.units // (EACH[GSM_7] - 1))
    assert least <= found.segments <= max(least, wasted), "an escape costs a septet of its segment at most"
    assert found.units <= found.room


@given(ANY)
def test_any_text_is_counted_as_utf_16_where_the_alphabet_does_not_do(text: str) -> None:
    found = measure(text)
    if found.encoding == UCS_2:
        assert found.units == len(text.encode("utf-16-le")) // 2
        assert found.forced_by in text
        assert foreign(text[: text.index(found.forced_by)]) == ""
    else:
        assert all(sign in BASIC or sign in EXTENSION for sign in text)


@given(ANY, ANY)
def test_a_longer_text_never_takes_fewer_segments(first: str, second: str) -> None:
    assert measure(first + second).segments >= measure(first).segments


@given(ANY)
def test_a_value_loses_no_character_when_its_spaces_become_ordinary(text: str) -> None:
    assert len(plain(text)) == len(text)
    assert plain(plain(text)) == plain(text)
    assert all(unicodedata.category(now) != "Zs" or now in " \u3000" or now == was
               for was, now in zip(text, plain(text), strict=True))  # fmt: skip


@pytest.mark.parametrize("text", ["49,00\xa0€", "1\u202f234,50\xa0€", "9:30\u202fPM", "1’234.50"])
def test_what_numbers_are_written_with_fits_the_alphabet(text: str) -> None:
    assert foreign(text) != ""
    assert foreign(plain(text)) == ""
