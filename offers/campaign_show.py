"""A campaign once it has inherited, as YAML that can be read again and as JSON, each inherited value with its place."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from offers.campaign import KEYS
from offers.campaign_groups import read_inheritance
from offers.campaign_inherit import inherit
from offers.deployment_files import POLICIES, policy_fields
from streams.findings import Finding
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode, read_file
from streams.sheet import Sheet

WIDTH = 100
"""Up to so many characters, a value that stands in one file is written on one line."""
_PLAIN = re.compile(r"[\w.%/+-]+(?: [\w.%/+-]+)*")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?|true|false")


def inherited(folder: Path, file: Path) -> tuple[Node | None, tuple[Finding, ...]]:
    """A campaign's node with everything it inherits; None if it cannot be read. Findings are of this step alone."""
    sheet = Sheet(file.relative_to(folder).as_posix())
    root, findings = read_file(file, sheet.path)
    sheet.findings.extend(findings)
    known = read_inheritance(folder, policy_fields(folder, Sheet(POLICIES)))
    found = None if root is None else inherit(sheet, known, root)
    return None if found is None else _in_order(found), tuple(sheet.findings)


def _in_order(node: Node) -> Node:
    """The keys in the order of the language: what is inherited stands where the campaign would have written it."""
    if not isinstance(node, MapNode):
        return node
    known = [key for key in dict.fromkeys(("campaign", "group", *KEYS)) if key in node.entries]
    keys = [*known, *(key for key in node.entries if key not in KEYS)]
    return MapNode({key: node.entries[key] for key in keys}, node.line, node.column, node.path)


def page(node: Node) -> Iterator[str]:
    """As YAML, an inherited value followed by the place it stands at."""
    yield from _lines(node, "", "")


def told(node: Node) -> dict[str, Any]:
    """As JSON: `campaign` with all it has, and `inherited`: where each value stands that is not in its own file."""
    places = [{"key": key, "where": where} for key, where in _inherited(node, "")]
    return {"campaign": _value(node), "inherited": places}


def _lines(node: Node, indent: str, first: str) -> Iterator[str]:
    """`first` begins the first line, in place of its indent."""
    start = first or indent
    if isinstance(node, TextNode) or not _parts(node) or (_alone(node) and len(start) + len(_flow(node)) <= WIDTH):
        yield f"{start}{_flow(node)}{_origin(node)}"
    elif isinstance(node, ListNode):
        for item in node.items:
            yield from _lines(item, f"{indent}  ", f"{start}- ")
            start = indent
    else:
        for word, value in node.entries.values():
            yield from _entry(word, value, indent, start)
            start = indent


def _entry(word: TextNode, value: Node, indent: str, start: str) -> Iterator[str]:
    key = f"{start}{_scalar(word)}:"
    whole = f"{key} {_flow(value)}"
    if isinstance(value, TextNode) or (_alone(value) and len(whole) <= WIDTH):
        yield f"{whole}{_origin(value)}"
    else:
        yield key
        yield from _lines(value, f"{indent}  ", "")


def _parts(node: Node) -> tuple[Node, ...]:
    if isinstance(node, ListNode):
        return node.items
    return tuple(value for _, value in node.entries.values()) if isinstance(node, MapNode) else ()


def _alone(node: Node) -> bool:
    """Whether all of it stands in one file."""
    return all(part.path == node.path and _alone(part) for part in _parts(node))


def _origin(node: Node) -> str:
    return f"  # {_place(node)}" if node.path else ""


def _place(node: Node) -> str:
    return f"{node.path}:{node.line}:{node.column}"


def _flow(node: Node) -> str:
    if isinstance(node, TextNode):
        return _scalar(node)
    if isinstance(node, ListNode):
        return f"[{', '.join(_flow(item) for item in node.items)}]"
    return f"{{{', '.join(f'{_scalar(word)}: {_flow(value)}' for word, value in node.entries.values())}}}"


def _scalar(node: TextNode) -> str:
    return node.text if node.plain and _PLAIN.fullmatch(node.text) else json.dumps(node.text, ensure_ascii=False)


def _value(node: Node) -> Any:
    if isinstance(node, ListNode):
        return [_value(item) for item in node.items]
    if isinstance(node, MapNode):
        return {key: _value(value) for key, (_, value) in node.entries.items()}
    return json.loads(node.text) if node.plain and _NUMBER.fullmatch(node.text) else node.text


def _inherited(node: Node, key: str) -> Iterator[tuple[str, str]]:
    """(path of keys, place) of each value from another file, the outermost that is whole from there."""
    if node.path and _alone(node):
        yield key, _place(node)
    elif isinstance(node, ListNode):
        for at, item in enumerate(node.items):
            yield from _inherited(item, f"{key}[{at}]")
    elif isinstance(node, MapNode):
        for name, (_, value) in node.entries.items():
            yield from _inherited(value, f"{key}.{name}" if key else name)
