"""YAML with places: marks in characters, scalars as written, and everything that can be read in two ways refused."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.positioned_yaml import MAX_BYTES, ListNode, MapNode, Node, TextNode, read_file, read_yaml


def text(value: str, line: int, column: int, plain: bool = True) -> TextNode:
    return TextNode(value, plain, line, column)


def found(content: str | bytes) -> list[str]:
    return [str(finding) for finding in read_yaml(content.encode() if isinstance(content, str) else content, "f")[1]]


def test_every_key_and_value_knows_its_line_and_column() -> None:
    root, findings = read_yaml(b'# why\na: 1\nb:\n  - {c: x, "d": [y]}\n  - |\n    z\nempty:\n', "f")
    assert findings == []
    assert root == MapNode(
        {
            "a": (text("a", 2, 1), text("1", 2, 4)),
            "b": (
                text("b", 3, 1),
                ListNode(
                    (
                        MapNode(
                            {
                                "c": (text("c", 4, 6), text("x", 4, 9)),
                                "d": (text("d", 4, 12, False), ListNode((text("y", 4, 18),), 4, 17)),
                            },
                            4,
                            5,
                        ),
                        text("z\n", 5, 5, False),
                    ),
                    4,
                    3,
                ),
            ),
            "empty": (text("empty", 7, 1), text("", 7, 7)),
        },
        2,
        1,
    )


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_columns_count_characters_whatever_their_bytes_and_line_ends(line_end: str) -> None:
    root, _ = read_yaml(f'"日本😀é": x{line_end}"é": {{"ü": y}}'.encode(), "f")
    assert isinstance(root, MapNode)
    assert root.entries["日本😀é"][1] == text("x", 1, 9)
    inner = root.entries["é"][1]
    assert isinstance(inner, MapNode)
    assert inner.entries["ü"][1] == text("y", 2, 12)


@pytest.mark.parametrize(
    "scalar", ["no", "on", "21:30", "010", "0x1F", "1_000", "1e3", "~", "null", "2026-11-21", ".inf"]
)
def test_scalars_stay_as_written(scalar: str) -> None:
    root, findings = read_yaml(f"a: {scalar}".encode(), "f")
    assert findings == []
    assert root == MapNode({"a": (text("a", 1, 1), text(scalar, 1, 4))}, 1, 1)


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        ("a: 1\nb: 2\na: 3", "f:3:1: DUPLICATE_KEY 'a' is there twice, first in line 1. Remove or rename one."),
        ("a: {b: 1, b: 2}", "f:1:11: DUPLICATE_KEY 'b' is there twice, first in line 1. Remove or rename one."),
        ("a: 1\n---\nb: 2", "f:2:1: ONE_DOCUMENT a second YAML document begins here. "
         "Write one campaign to a file, without '---'."),
        ("a:\t1", "f:1:3: TAB a tab: YAML indents with spaces. Replace it by spaces."),
        ("a: 'x\ty'", "f:1:6: TAB a tab: YAML indents with spaces. Replace it by spaces."),
        (b"\xef\xbb\xbfa: 1", "f:1:1: BOM the file begins with a byte order mark. Save it as UTF-8 without BOM."),
        ("a: 1".encode("utf-16"), "f:1:1: BOM the file begins with a byte order mark. Save it as UTF-8 without BOM."),
        (b"a: 1\nb: caf\xe9", "f:2:7: NOT_UTF8 byte 0xe9 is not UTF-8. Save the file as UTF-8."),
        ("a: \x00", "f:1:4: BAD_CHARACTER U+0000 is a character that does not show. Remove it."),
        ("a: b\u2028c", "f:1:5: BAD_CHARACTER U+2028 is a character that does not show. Remove it."),
        ("a: \u202eb", "f:1:4: BAD_CHARACTER U+202E is a character that does not show. Remove it."),
        ("a: !!python/object x", "f:1:4: TAG 'tag:yaml.org,2002:python/object' is a YAML tag, which campaign files do "
         "not use. Remove it. If ! belongs to a text, put the text in double quotes."),
        ("a: &x 1", "f:1:4: ANCHOR '&x' is a YAML anchor, which campaign files do not use. Write it out. If & belongs "
         "to a text, put the text in double quotes."),
        ("", "f:1:1: EMPTY_FILE the file has nothing in it. Fill it in, or remove it."),
        ("# only a comment\n", "f:1:1: EMPTY_FILE the file has nothing in it. Fill it in, or remove it."),
        ("[a]: b", "f:1:1: KEY_NOT_TEXT a key must be a word. Put a text that begins with { or [ in double quotes."),
        (b"x" * (MAX_BYTES + 1), "f:1:1: FILE_TOO_BIG the file is larger than 256 KB. Write one campaign to a file."),
        ("a: b: c", "f:1:5: YAML_SYNTAX this is no YAML: mapping values are not allowed in this context. Put a value "
         "that contains ': ' in double quotes, and check the indentation."),
        ('a:\n  b: "open\nc: d\n', "f:2:6: YAML_SYNTAX this is no YAML: found unexpected end of stream. "
         "Close the quotes; a text that begins with one stands wholly in double quotes."),
        ("a: {b: c\nd: e", "f:1:4: YAML_SYNTAX this is no YAML: did not find expected ',' or '}'. Close the { }, and "
         "put a value that contains , { } or [ ] in double quotes."),
        ("a: [", "f:1:5: YAML_SYNTAX this is no YAML: did not find expected node content. Give a value, or close the "
         "bracket."),
        ("{a: b}}", "f:1:7: YAML_SYNTAX this is no YAML: did not find expected <document start>. A bracket is closed "
         "that was not opened; remove it."),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_refused(content: str | bytes, finding: str) -> None:
    assert found(content) == [finding]


@pytest.mark.parametrize("opening", ["[", "- ", "{a: ", "? ", "[{a: "])
def test_nesting_that_would_overflow_the_stack_is_refused(opening: str) -> None:
    (finding,) = found(opening * (MAX_BYTES // len(opening)))
    assert " TOO_DEEP nested deeper than 20 levels. Flatten it." in finding


def test_twenty_levels_are_read() -> None:
    root, findings = read_yaml(b"[" * 20 + b"x" + b"]" * 20, "f")
    assert findings == []
    assert found("[" * 21 + "x" + "]" * 21) == ["f:1:21: TOO_DEEP nested deeper than 20 levels. Flatten it."]
    assert root is not None


def test_aliases_that_would_multiply_are_refused_before_they_are_followed() -> None:
    levels = "".join(f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]\n" for n in range(1, 9))
    findings = found("l0: &l0 [x]\n" + levels)
    assert len(findings) == 10
    assert all(" ANCHOR " in finding for finding in findings)


def test_a_star_and_an_ampersand_inside_a_text_are_text() -> None:
    assert found('a: "https://x.example/?a=1&b=*"\nb: R&B, *not* bold\nc: x & y') == []


def test_a_file_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    root, findings = read_file(tmp_path / "gone.yaml", "gone.yaml")
    assert root is None
    assert [str(finding) for finding in findings] == [
        "gone.yaml:1:1: UNREADABLE the file cannot be read: No such file or directory."
    ]
    (tmp_path / "folder.yaml").mkdir()
    assert read_file(tmp_path / "folder.yaml", "folder.yaml")[1][0].code == "UNREADABLE"


SCALARS = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "Zs")), min_size=1, max_size=12)
TREES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(SCALARS, inner, max_size=4), max_leaves=20
)


def plainly(node: Node) -> object:
    if isinstance(node, TextNode):
        return node.text
    if isinstance(node, ListNode):
        return [plainly(item) for item in node.items]
    return {key: plainly(value) for key, (_, value) in node.entries.items()}


def nodes(node: Node) -> list[Node]:
    inner = node.items if isinstance(node, ListNode) else ()
    pairs = node.entries.values() if isinstance(node, MapNode) else ()
    return [node, *(n for i in inner for n in nodes(i)), *(n for k, v in pairs for n in (k, *nodes(v)))]


@given(TREES, st.booleans())
@settings(max_examples=200, deadline=None)
def test_what_yaml_writes_is_read_back_and_every_place_shows_what_it_names(tree: object, flow: bool) -> None:
    written = yaml.safe_dump(tree, default_flow_style=flow, allow_unicode=True, width=10_000, default_style='"')
    root, findings = read_yaml(written.encode(), "f")
    assert findings == []
    assert root is not None
    assert plainly(root) == tree
    lines = written.split("\n")
    for node in nodes(root):
        shown = lines[node.line - 1][node.column - 1]
        if isinstance(node, TextNode):
            assert shown == '"'


@given(st.binary(max_size=300) | st.text(alphabet=" \n:{}[],-\"'#&*!|>?%@ab1", max_size=200).map(str.encode))
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise_anything(content: bytes) -> None:
    root, findings = read_yaml(content, "f")
    assert root is not None or findings
    lines = content.count(b"\n") + content.count(b"\r") + 1
    assert all(1 <= finding.line <= lines and finding.column >= 1 for finding in findings)


def test_a_line_of_200000_dashes_is_a_finding_and_no_hang() -> None:
    root, findings = read_yaml(b"text:\n  it: {title: a}\n" + b"-" * 200_000, "a.yaml")
    assert (root, [finding.path for finding in findings]) == (None, ["a.yaml"])
