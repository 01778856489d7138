"""A sheet: typed reads of nodes, each mistake a finding, and reading goes on."""

import re
from collections.abc import Callable

import pytest

from streams.positioned_yaml import MapNode, Node, read_yaml
from streams.sheet import Sheet, written
from streams.units import duration_ms


def value(text: str) -> Node:
    """The node behind `a:`."""
    root, findings = read_yaml(f"a: {text}".encode(), "f")
    assert findings == [] and isinstance(root, MapNode)
    return root.entries["a"][1]


Read = Callable[[Sheet, Node], object]


def integer(sheet: Sheet, node: Node) -> object:
    return sheet.integer(node, "a", 0, 10)


def number(sheet: Sheet, node: Node) -> object:
    return sheet.number(node, "a", -1, 1)


def boolean(sheet: Sheet, node: Node) -> object:
    return sheet.boolean(node, "a")


def text(sheet: Sheet, node: Node) -> object:
    return sheet.text(node, "a", 5)


def duration(sheet: Sheet, node: Node) -> object:
    return sheet.parsed(node, "a", duration_ms)


def words(sheet: Sheet, node: Node) -> object:
    return sheet.words(node, "a", ("app", "web"))


def slug(sheet: Sheet, node: Node) -> object:
    return sheet.matching(node, "a", re.compile(r"[a-z]+(-[a-z]+)*"), "a slug")


def fields(sheet: Sheet, node: Node) -> object:
    return {key: written(inner) for key, inner in sheet.fields(node, "a", ("x", "y"), ("x",)).items()}


@pytest.mark.parametrize(
    ("read", "found", "result"),
    [
        (integer, "7", 7),
        (integer, "0", 0),
        (number, "-0.5", -0.5),
        (number, "1", 1.0),
        (boolean, "true", True),
        (boolean, "false", False),
        (text, "no", "no"),
        (text, '"  é  "', "é"),
        (text, "21:30", "21:30"),
        (duration, "15 min", 900_000),
        (words, "app", ("app",)),
        (words, "[web, app]", ("web", "app")),
        (slug, "old-port", "old-port"),
        (fields, "{x: 1, y: [a, {b: c}]}", {"x": "1", "y": "[a, {b: c}]"}),
    ],
)
def test_what_fits_is_read(read: Read, found: str, result: object) -> None:
    sheet = Sheet("f")
    assert read(sheet, value(found)) == result
    assert sheet.findings == []


@pytest.mark.parametrize(
    ("read", "found", "said"),
    [
        (integer, "1_0", ["f:1:4: NOT_NUMBER a is '1_0', not a number. Write 10."]),
        (integer, "1.0", ["f:1:4: NOT_NUMBER a is '1.0', not a number. Write a whole number such as 1."]),
        (integer, "'7'", ["f:1:4: NOT_NUMBER a is '7' in quotes. Write 7 without quotes."]),
        (integer, "11", ["f:1:4: OUT_OF_RANGE a is 11. Write 0 to 10."]),
        (integer, "[7]", ["f:1:4: WRONG_TYPE a is a list. Write a text, in double quotes if it begins with { or [."]),
        (number, "1e0", ["f:1:4: NOT_NUMBER a is '1e0', not a number. Write a number from -1 to 1."]),
        (number, ".nan", ["f:1:4: NOT_NUMBER a is '.nan', not a number. Write a number from -1 to 1."]),
        (boolean, "yes", ["f:1:4: NOT_BOOLEAN a is 'yes', neither true nor false. Write true."]),
        (boolean, "True", ["f:1:4: NOT_BOOLEAN a is 'True', neither true nor false. Write true."]),
        (boolean, "1", ["f:1:4: NOT_BOOLEAN a is '1', neither true nor false. Write true or false."]),
        (text, "", ["f:1:3: EMPTY_VALUE a has no value. Give it one, or remove the key."]),
        (text, "too long", ["f:1:4: TEXT_TOO_LONG a has 8 characters. Write at most 5."]),
        (text, '"\\0"', ["f:1:4: BAD_CHARACTER a has U+0000, which does not show. Remove it."]),
        (duration, "15", ["f:1:4: UNIT_MISSING '15' is not a duration. Write '15 min' (s, min, h, d, w, y)."]),
        (words, "[app, wap, app]", ["f:1:10: UNKNOWN_CHOICE a cannot be 'wap'. One of: app, web. Did you mean 'app'?",
                                    "f:1:15: LISTED_TWICE a lists 'app' twice. Remove one."]),
        (words, "[]", ["f:1:4: EMPTY_LIST a is an empty list. Name something, or remove the key."]),
        (slug, "Old Port", ["f:1:4: NAME_INVALID a 'Old Port' has the wrong form. Write 'old-port'."]),
        (slug, "9", ["f:1:4: NAME_INVALID a '9' has the wrong form. Write a slug."]),
        (fields, "{y: 1}", ["f:1:4: KEY_MISSING a has no 'x'. Add 'x:'."]),
        (fields, "{x: 1, z}", ["f:1:11: UNKNOWN_KEY a has no key 'z'. Its keys: x, y. If 'z' goes on with the text "
                               "before it, put that text in double quotes."]),
        (fields, "x", ["f:1:4: WRONG_TYPE a is the text 'x'. Write keys of it (x, y)."]),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_a_finding_at_its_place(read: Read, found: str, said: list[str]) -> None:
    sheet = Sheet("f")
    read(sheet, value(found))
    assert [str(finding) for finding in sheet.findings] == said
    assert sheet.failed


def test_a_key_that_was_probably_meant_is_not_missing_too() -> None:
    sheet = Sheet("f")
    sheet.fields(value("{channl: app}"), "a", ("channel",), ("channel",))
    assert [finding.code for finding in sheet.findings] == ["UNKNOWN_KEY"]


def test_a_warning_does_not_fail_a_sheet() -> None:
    sheet = Sheet("f")
    sheet.warn(value("x"), "ZONE_MISSING", "read as UTC.")
    assert not sheet.failed
    assert len(sheet.findings) == 1


def test_a_key_that_is_like_one_that_is_there_may_be_the_rest_of_a_text() -> None:
    sheet = Sheet("f")
    sheet.fields(value("{body: 1, today: 2}"), "text.en", ("body", "title"))
    assert [str(finding) for finding in sheet.findings] == [
        "f:1:14: UNKNOWN_KEY text.en has no key 'today'. Did you mean 'body'? If 'today' goes on with the text before "
        "it, put that text in double quotes."
    ]


def test_a_decimal_comma_in_braces_is_told_as_one() -> None:
    sheet = Sheet("f")
    sheet.fields(value("{lever: 1,5}"), "offer", ("id", "lever"))
    assert [str(finding) for finding in sheet.findings] == [
        "f:1:14: UNKNOWN_KEY offer has no key '5'. Its keys: id, lever. If '5' goes on with the number before it, "
        "write a point for the comma."
    ]
