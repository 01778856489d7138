"""A finding at a terminal: the line, the caret under the very column, the mend."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from offers.code_frame import excerpt, frame, framed
from streams.findings import Finding, Severity

FOUND = Finding("a.yaml", 10, 12, "UNKNOWN_LEVEL", "no level 'oro'.", "Did you mean 'gold'?")


def test_an_error_has_its_line_a_caret_and_the_mend_below() -> None:
    assert frame(FOUND, "deploy/a.yaml", "at_least:  oro", 80).plain == (
        "deploy/a.yaml:10:12: UNKNOWN_LEVEL no level 'oro'.\n"
        " 10 | at_least:  oro\n"
        "    |            ^\n"
        "    = Did you mean 'gold'?\n"
    )


def test_a_warning_says_so_and_nothing_is_shown_that_is_not_there() -> None:
    warning = Finding("places", 1, 1, "PLACE_MOVES", "it moves.", severity=Severity.WARNING)
    assert frame(warning, "places", None, 80).plain == "places:1:1: PLACE_MOVES warning it moves.\n"


@pytest.mark.parametrize(
    ("line", "column", "shown", "under"),
    [
        ("tier: oro", 7, "tier: oro", "      ^"),
        ("\ttier: oro", 2, "    tier: oro", "    ^"),
        ("title: 船の夜, x", 13, "title: 船の夜, x", "               ^"),
        ("title: 船の夜, x", 9, "title: 船の夜, x", "         ^"),
        ("a: e\u0301t\u00e9 x", 9, "a: e\u0301t\u00e9 x", "        ^"[1:]),
        ("short", 40, "short", "     ^"),
        ("", 1, "", "^"),
        ("a\u202eb: c", 3, "a\ufffdb: c", "  ^"),
        ("a\x1b[31mb", 2, "a\ufffd[31mb", " ^"),
        ("a\u200db", 3, "ab", " ^"),
        ("a\u00a0b", 3, "a b", "  ^"),
    ],
)
def test_the_caret_stands_under_the_character(line: str, column: int, shown: str, under: str) -> None:
    assert excerpt(line, column, 60) == (shown, under)


def test_of_a_long_line_the_part_around_the_caret_is_shown() -> None:
    line = "".join(f"word{number:02} " for number in range(30))
    assert excerpt(line, line.index("word17") + 1, 40) == (
        "…13 word14 word15 word16 word17 word18 …",
        "                         ^",
    )
    assert excerpt(line, 1, 40)[0].startswith("word00 word01")
    assert excerpt(line, len(line) + 1, 40)[0].endswith("word29 ")


@given(
    st.text(st.sampled_from("a船é\t\u200d\u0301🚢 {:") | st.characters(codec="utf-8"), max_size=80), st.integers(1, 90)
)
def test_whatever_a_line_holds_it_fits_and_the_caret_stands_in_it(line: str, column: int) -> None:
    shown, under = excerpt(line, column, 24)
    assert cell_len(shown) <= 24
    assert under.strip(" ") == "^"
    assert len(under) <= cell_len(shown) + 1
    assert all(character.isprintable() for character in shown)


def test_the_lines_are_those_of_the_files_under_the_paths_that_are_told(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes("one\r\ntwo\rthré\n".encode("latin-1"))
    (tmp_path / "b.geojson").write_text("{}")
    findings = [
        Finding("a.yaml", 2, 1, "TAB", "m."),
        Finding("a.yaml", 3, 4, "NOT_UTF8", "m."),
        Finding("b.geojson", 1, 1, "PLACE", "m."),
        Finding("gone.yaml", 1, 1, "FILE_MISSING", "m."),
    ]
    told = [each.plain for each in framed(findings, tmp_path, ["x/a.yaml", "x/a.yaml", "x/b.geojson", "x/g"], 80)]
    assert told == [
        "x/a.yaml:2:1: TAB m.\n 2 | two\n   | ^\n",
        "x/a.yaml:3:4: NOT_UTF8 m.\n 3 | thr\ufffd\n   |    ^\n",
        "x/b.geojson:1:1: PLACE m.\n",
        "x/g:1:1: FILE_MISSING m.\n",
    ]


def test_a_message_cannot_colour_or_clear_the_terminal() -> None:
    found = Finding("a\x1b[2J.yaml", 1, 1, "UNKNOWN_KEY", "no key '\x1b]0;x\x07'.", "\x9b31m")
    assert not any(sign in frame(found, found.path, "\x1b[2J", 80).plain for sign in "\x1b\x07\x9b")
