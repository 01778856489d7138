"""YAML -> nodes that know their line and column. Strict: whatever could be read in two ways is a finding.

Scalars stay the text that was written, quoted or plain: YAML 1.1 would make `no` false, `21:30` the number 1290 and
`010` eight. Whoever knows the type that is expected reads the text (streams.sheet). Anchors, tags, tabs, a byte order
mark, duplicate keys, a second document, more than 20 levels and files above 256 KB are findings.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import msgspec
import yaml

from streams.findings import MAX_PER_FILE, Finding, shown
from streams.yaml_traps import HINTS, LINE_BREAK, comment_after, hidden_space, swallowed, torn

MAX_BYTES = 256 * 1024
MAX_DEPTH = 20
"""Brackets around a scalar, those of block style included."""
_MAX_ANCHORS = 10
_BAD = re.compile("[^\t\n\r -~\xa0-\u2027\u202f-\u2065\u206a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""Control characters, line breaks only YAML knows, and bidirectional overrides, which show a reviewer another text."""


class TextNode(msgspec.Struct, frozen=True, gc=False):
    """A scalar as written, unescaped; `plain` if it stood without quotes."""

    text: str
    plain: bool
    line: int
    column: int
    path: str = ""
    """The file it stands in, if that is another one than the file being read."""
    cut: int = 0
    """Of a plain one, the column of a comment behind it on its line; 0: there is none."""


class ListNode(msgspec.Struct, frozen=True):
    """A sequence."""

    items: tuple["Node", ...]
    line: int
    column: int
    path: str = ""


class MapNode(msgspec.Struct, frozen=True):
    """A mapping: name -> (key, value), in the order written, each name once."""

    entries: dict[str, tuple[TextNode, "Node"]]
    line: int
    column: int
    path: str = ""


Node: TypeAlias = TextNode | ListNode | MapNode


class _TooDeep(Exception):
    """Carries the node whose child is too deep."""

    def __init__(self, node: yaml.Node) -> None:
        super().__init__(node)
        self.node = node


class _Loader(yaml.CBaseLoader):
    """Composes in C, resolves nothing, and ends before deep nesting overflows the C stack: 100,000 `[` would."""

    depth = 0

    def resolve(self, kind: type[yaml.Node], value: object, implicit: object) -> str:
        return ""

    def descend_resolver(self, current_node: yaml.Node | None, current_index: object) -> None:
        self.depth += 1
        if self.depth > MAX_DEPTH + 1 and current_node is not None:
            raise _TooDeep(current_node)

    def ascend_resolver(self) -> None:
        self.depth -= 1


def read_file(file: Path, path: str) -> tuple[Node | None, list[Finding]]:
    """A file -> its root node, or None with the reason among the findings. `path` is its name in them."""
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        return None, [Finding(path, 1, 1, "UNREADABLE", f"the file cannot be read: {error.strerror}.")]
    return read_yaml(content, path)


def shared(node: Node, path: str) -> Node:
    """The node, and all in it, knowing its file: other files take it over, and findings in it name where it stands."""
    if isinstance(node, TextNode):
        return _shared_text(node, path)
    if isinstance(node, ListNode):
        return ListNode(tuple([shared(item, path) for item in node.items]), node.line, node.column, path)
    entries = {name: (_shared_text(word, path), shared(value, path)) for name, (word, value) in node.entries.items()}
    return MapNode(entries, node.line, node.column, path)


def _shared_text(node: TextNode, path: str) -> TextNode:
    return TextNode(node.text, node.plain, node.line, node.column, path, node.cut)


def read_yaml(content: bytes, path: str) -> tuple[Node | None, list[Finding]]:
    """Bytes -> the root node, or None with the reason among the findings. Raises nothing."""
    text, findings = _decoded(content, path)
    if text is None or findings:
        return None, findings
    if "&" in text or "*" in text:
        findings = _anchors(text, path)
        if findings:
            return None, findings
    try:
        root = yaml.compose(text, _Loader)
    except _TooDeep as error:
        message = f"nested deeper than {MAX_DEPTH} levels."
        return None, [Finding(path, *_place(error.node.start_mark), "TOO_DEEP", message, "Flatten it.")]
    except yaml.YAMLError as error:
        return None, [_syntax(error, text, path)]
    if root is None:
        return None, [Finding(path, 1, 1, "EMPTY_FILE", "the file has nothing in it.", "Fill it in, or remove it.")]
    reader = _Reader(path, findings, text)
    return reader.node(root), findings[:MAX_PER_FILE]


def _decoded(content: bytes, path: str) -> tuple[str | None, list[Finding]]:
    if len(content) > MAX_BYTES:
        message = f"the file is larger than {MAX_BYTES // 1024} KB."
        return None, [Finding(path, 1, 1, "FILE_TOO_BIG", message, "Write one campaign to a file.")]
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        message = "the file begins with a byte order mark."
        return None, [Finding(path, 1, 1, "BOM", message, "Save it as UTF-8 without BOM.")]
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        message = f"byte 0x{content[error.start]:02x} is not UTF-8."
        return None, [Finding(path, *_position(before), "NOT_UTF8", message, "Save the file as UTF-8.")]
    return text, _bad_characters(text, path)


def _bad_characters(text: str, path: str) -> list[Finding]:
    findings = []
    tab = text.find("\t")
    if tab >= 0:
        place = _position(text[:tab])
        findings.append(Finding(path, *place, "TAB", "a tab: YAML indents with spaces.", "Replace it by spaces."))
    bad = _BAD.search(text)
    if bad is not None:
        message = f"U+{ord(bad[0]):04X} is a character that does not show."
        findings.append(Finding(path, *_position(text[: bad.start()]), "BAD_CHARACTER", message, "Remove it."))
    return findings


def _position(before: str) -> tuple[int, int]:
    """Line and column, from 1, of what follows `before`."""
    lines = LINE_BREAK.split(before)
    return len(lines), len(lines[-1]) + 1


def _anchors(text: str, path: str) -> list[Finding]:
    findings: list[Finding] = []
    for event in _shallow_events(text):
        anchor = getattr(event, "anchor", None)
        if anchor is not None and len(findings) < _MAX_ANCHORS:
            sign = "*" if isinstance(event, yaml.AliasEvent) else "&"
            hint = f"Write it out. If {sign} belongs to a text, put the text in double quotes."
            message = f"'{sign}{anchor}' is a YAML anchor, which campaign files do not use."
            findings.append(Finding(path, *_place(event.start_mark), "ANCHOR", message, hint))
    return findings


def _shallow_events(text: str) -> Iterator[yaml.Event]:
    """The events up to the first that is malformed or too deep, which compose then says with its place.

    libyaml takes 100 s for 256 KB of `[`, so this too ends there.
    """
    depth = 0
    try:
        for event in yaml.parse(text, _Loader):
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > MAX_DEPTH + 1:
                return
            yield event
    except yaml.YAMLError:
        return


def _place(mark: Any) -> tuple[int, int]:
    """Line and column, from 1, of PyYAML's mark; libyaml counts characters, not bytes."""
    return mark.line + 1, mark.column + 1


def _syntax(error: yaml.YAMLError, text: str, path: str) -> Finding:
    mark, context = getattr(error, "problem_mark", None), getattr(error, "context_mark", None)
    place = _place(mark) if mark is not None else (1, 1)
    if "found another document" in str(error):
        message = "a second YAML document begins here."
        return Finding(path, *place, "ONE_DOCUMENT", message, "Write one campaign to a file, without '---'.")
    problem = str(getattr(error, "problem", None) or error)
    end = _position(text.rstrip())
    unclosed = "expected ',' or" in problem and context is not None and _place(context)[0] < place[0]
    if place >= end or unclosed:  # what was left open begins at the context
        place = min(end, _place(context) if context is not None else end)
    hint = next((hint for part, hint in HINTS if part in problem), "")
    lines = LINE_BREAK.split(text)
    opened = _place(context)[0] if context is not None else place[0]
    found = _place(mark)[0] if mark is not None else place[0]
    if "expected ',' or" in problem and (comment := swallowed(lines, opened, found)) is not None:
        place, hint = comment, "YAML takes what follows ' #' for a comment: put the text in double quotes."
    elif (hidden := hidden_space(lines, place[0])) is not None:
        hint = f"A no-break space in line {hidden} is none that YAML knows: write an ordinary one."
    return Finding(path, *place, "YAML_SYNTAX", f"this is no YAML: {problem}.", hint)


class _Reader:
    """PyYAML's nodes -> ours."""

    def __init__(self, path: str, findings: list[Finding], text: str) -> None:
        self.path = path
        self.findings = findings
        self.lines = LINE_BREAK.split(text) if "#" in text else None

    def cut(self, found: yaml.ScalarNode) -> int:
        """The column of a comment behind a plain scalar."""
        if self.lines is None or found.style or found.end_mark.line >= len(self.lines):
            return 0
        return comment_after(self.lines[found.end_mark.line], found.end_mark.column)

    def node(self, found: yaml.Node) -> Node:
        mark = found.start_mark
        line, column = mark.line + 1, mark.column + 1
        if found.tag:
            message = f"'{found.tag}' is a YAML tag, which campaign files do not use."
            hint = "Remove it. If ! belongs to a text, put the text in double quotes."
            self.findings.append(Finding(self.path, line, column, "TAG", message, hint))
        if isinstance(found, yaml.ScalarNode):
            return TextNode(found.value, not found.style, line, column, "", self.cut(found))
        if isinstance(found, yaml.MappingNode):
            return MapNode(self.entries(found), line, column)
        return ListNode(tuple([self.node(item) for item in found.value]), line, column)

    def entries(self, found: yaml.MappingNode) -> dict[str, tuple[TextNode, Node]]:
        entries: dict[str, tuple[TextNode, Node]] = {}
        for key_found, value_found in found.value:
            key, value = self.node(key_found), self.node(value_found)
            if not isinstance(key, TextNode) or not key.text:
                message = "a key must be a word."
                hint = "Put a text that begins with { or [ in double quotes."
                self.findings.append(Finding(self.path, key.line, key.column, "KEY_NOT_TEXT", message, hint))
            elif key.text in entries:
                first = entries[key.text][0].line
                message = f"{shown(key.text)} is there twice, first in line {first}."
                empty = (node for node in (entries[key.text][1], value) if isinstance(node, TextNode) and node.plain)
                hint = torn(key.text, ()) if any(not node.text for node in empty) else "Remove or rename one."
                self.findings.append(Finding(self.path, key.line, key.column, "DUPLICATE_KEY", message, hint))
            else:
                entries[key.text] = (key, value)
        return entries
