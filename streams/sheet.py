"""A sheet: one YAML file being read. Every read states the type it expects; every mistake becomes a finding.

A read that fails returns None (or nothing) after adding its finding, and reading goes on: one run shows all mistakes.
"""

import re
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from streams.errors import InvalidInput
from streams.findings import MAX_PER_FILE, Finding, Severity, did_you_mean, has_errors, listed, nearest, shown
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode
from streams.yaml_traps import NOTHING, torn

MAX_TEXT = 500
MAX_ITEMS = 1_000
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]{0,15})(?:\.[0-9]{1,12})?")
_UNSEEN = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
_YES = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}
Parsed = TypeVar("Parsed")
Count = TypeVar("Count", int, float)


class Sheet:
    """The path of a file and what was found in it."""

    def __init__(self, path: str, via: str = "") -> None:
        self.path = path
        self.findings: list[Finding] = []
        self.taken: dict[str, str] = {}
        """File -> `file:line:column` where this one takes over what stands in it."""
        self._via = via

    @property
    def failed(self) -> bool:
        """Whether it has an error so far."""
        return has_errors(self.findings)

    def where(self, node: Node) -> str:
        """`file:line:column`."""
        return f"{node.path or self.path}:{node.line}:{node.column}"

    def via(self, node: Node) -> str:
        """Where this file takes a node over from the one it stands in; empty: it stands in this file."""
        return "" if node.path in ("", self.path) else self._via or self.taken.get(node.path, f"{self.path}:1:1")

    def taking(self, via: str) -> "Sheet":
        """This sheet while it reads what it takes over at `via` from another file; findings go to the same list."""
        taken = Sheet(self.path, via)
        taken.findings, taken.taken = self.findings, self.taken
        return taken

    def error(self, node: Node, code: str, message: str, hint: str = "") -> None:
        """Adds an error at a node."""
        self._add(self._finding(node, code, message, hint, Severity.ERROR))

    def warn(self, node: Node, code: str, message: str, hint: str = "") -> None:
        """Adds a warning at a node."""
        self._add(self._finding(node, code, message, hint, Severity.WARNING))

    def _finding(self, node: Node, code: str, message: str, hint: str, severity: Severity) -> Finding:
        via = self.via(node)
        if via:
            user = "" if via.startswith(f"{self.path}:") else f" by {self.path}"
            message = f"{message.removesuffix('.')}; it is used at {via}{user}."
        return Finding(node.path or self.path, node.line, node.column, code, message, hint, severity)

    def wrong(self, node: Node, name: str, expected: str) -> None:
        """WRONG_TYPE: a list where a text belongs, and the like."""
        self.error(node, "WRONG_TYPE", f"{name} is {_kind(node)}.", f"Write {expected}.")

    def fields(self, node: Node, name: str, known: Collection[str], required: tuple[str, ...] = ()) -> dict[str, Node]:
        """The values of a mapping's known keys; UNKNOWN_KEY and KEY_MISSING for the rest. Empty if it is no mapping."""
        entries = self.entries(node, name, f"keys of it ({listed(known)})")
        found: dict[str, Node] = {}
        meant = set()
        for key, (word, value) in entries.items():
            if key in known:
                found[key] = value
            else:
                meant.add(self.unknown_key(word, value, name, known, entries))
        if isinstance(node, MapNode):
            for key in required:
                if key not in found and key not in meant:
                    self.error(node, "KEY_MISSING", f"{name} has no '{key}'.", f"Add '{key}:'.")
        return found

    def entries(self, node: Node, name: str, expected: str) -> Mapping[str, tuple[TextNode, Node]]:
        """Every (key, value) of a mapping; empty if it is none."""
        if isinstance(node, MapNode):
            return node.entries
        self.wrong(node, name, expected)
        return {}

    def unknown_key(
        self, word: TextNode, value: Node, name: str, known: Collection[str], there: Collection[str] = ()
    ) -> str | None:
        """UNKNOWN_KEY; returns the key that was probably meant. In a file full of errors none is sought any more."""
        if self._full(Severity.ERROR):
            return None
        meant = nearest(word.text, known)
        hint = did_you_mean(word.text, known) or f"Its keys: {listed(sorted(known), 20)}."
        alone = isinstance(value, TextNode) and value.plain and not value.text
        if alone or (name.startswith("text.") and (meant is None or meant in there)):
            hint = f"{hint} {torn(word.text, tuple(known))}"
        self.error(word, "UNKNOWN_KEY", f"{name} has no key {shown(word.text)}.", hint)
        return meant

    def text(self, node: Node, name: str, most: int = MAX_TEXT) -> str | None:
        """A text, without white space around it: not empty, nothing in it that does not show."""
        if not isinstance(node, TextNode):
            self.wrong(node, name, "a text, in double quotes if it begins with { or [")
            return None
        text = node.text.strip()
        if not text or (node.plain and text in NOTHING):
            nothing = f"{name} is {text}, which is nothing in YAML." if text else f"{name} has no value."
            hint = (
                "Give it one, or remove the key." if not text else "Give it a value, or put the word in double quotes."
            )
            self.error(node, "EMPTY_VALUE", nothing, hint)
            return None
        if len(text) > most:
            self.error(node, "TEXT_TOO_LONG", f"{name} has {len(text)} characters.", f"Write at most {most}.")
            return None
        if not text.isprintable() and (unseen := _UNSEEN.search(text)) is not None:
            self.error(node, "BAD_CHARACTER", f"{name} has U+{ord(unseen[0]):04X}, which does not show.", "Remove it.")
            return None
        return text

    def sentence(self, node: Node, name: str, most: int = MAX_TEXT) -> str | None:
        """A text for people, in which ` #` is more likely meant than a comment behind it."""
        if isinstance(node, TextNode) and node.cut:
            hint = "Put the text in double quotes; a comment may stand on a line of its own."
            message = f"{name} ends before the '#' in column {node.cut}: YAML takes the rest for a comment."
            self.error(node, "TEXT_CUT", message, hint)
            return None
        return self.text(node, name, most)

    def parsed(self, node: Node, name: str, parse: Callable[[str], Parsed]) -> Parsed | None:
        """A text through a parser; its InvalidInput, whose second sentence is the mend, becomes a finding."""
        text = self.text(node, name)
        if text is None:
            return None
        try:
            return parse(text)
        except InvalidInput as error:
            message, stop, mend = error.message.partition(". ")
            self.error(node, error.code, message + stop.strip(), mend)
            return None

    def matching(self, node: Node, name: str, pattern: re.Pattern[str], example: str) -> str | None:
        """A text of a given form, such as an id."""
        text = self.text(node, name)
        if text is not None and not pattern.fullmatch(text):
            tries = (re.sub(r"[^a-z0-9]+", joint, text.casefold()).strip(joint) for joint in "-_")
            mend = next((f"'{likely}'" for likely in tries if pattern.fullmatch(likely)), example)
            self.error(node, "NAME_INVALID", f"{name} {shown(text)} has the wrong form.", f"Write {mend}.")
            return None
        return text

    def choice(self, node: Node, name: str, known: Collection[str], code: str = "UNKNOWN_CHOICE") -> str | None:
        """One of some words."""
        text = self.text(node, name)
        if text is None or text in known:
            return text
        near = did_you_mean(text, known)
        every = f"{'One of' if near else 'Write one of'}: {listed(known, 20)}."
        self.error(node, code, f"{name} cannot be {shown(text)}.", f"{every} {near}".strip())
        return None

    def boolean(self, node: Node, name: str) -> bool | None:
        """`true` or `false`, nothing else: YAML 1.1's `no` and `on` are texts here."""
        if isinstance(node, TextNode) and node.plain and node.text in ("true", "false"):
            return node.text == "true"
        text = self.text(node, name)
        if text in ("true", "false"):
            self.error(node, "NOT_BOOLEAN", f"{name} is {shown(text)} in quotes.", f"Write {text} without quotes.")
        elif text is not None:
            meant = _YES.get(text.casefold(), text.casefold())
            hint = f"Write {meant}." if meant in ("true", "false") else "Write true or false."
            self.error(node, "NOT_BOOLEAN", f"{name} is {shown(text)}, neither true nor false.", hint)
        return None

    def integer(self, node: Node, name: str, low: int, high: int) -> int | None:
        """A whole number of decimal digits: no `010`, `1_000`, `21:30`, `1e3`, and no quotes."""
        found = self._digits(node, name, _INTEGER, f"a whole number such as {max(low, 1)}")
        return None if found is None else self._bounded(node, name, int(found), (low, high))

    def number(self, node: Node, name: str, low: float, high: float) -> float | None:
        """A decimal number with a point, and no quotes."""
        found = self._digits(node, name, _NUMBER, f"a number from {low:g} to {high:g}")
        return None if found is None else self._bounded(node, name, float(found), (low, high))

    def items(self, node: Node, name: str) -> tuple[Node, ...]:
        """The items of a list, at least one; empty if it is none."""
        if not isinstance(node, ListNode):
            self.wrong(node, name, "a list, [a, b]")
            return ()
        if not node.items:
            self.error(node, "EMPTY_LIST", f"{name} is an empty list.", "Name something, or remove the key.")
        if len(node.items) > MAX_ITEMS:
            self.error(node, "OUT_OF_RANGE", f"{name} has {len(node.items)} items.", f"Write at most {MAX_ITEMS}.")
            return ()
        return node.items

    def one_or_more(self, node: Node, name: str) -> tuple[Node, ...]:
        """The items of a list, or the one thing written without brackets."""
        return self.items(node, name) if isinstance(node, ListNode) else (node,)

    def words(self, node: Node, name: str, known: Collection[str], code: str = "UNKNOWN_CHOICE") -> tuple[str, ...]:
        """A list of known words, or one without brackets; none of them twice."""
        words: list[str] = []
        for item in self.one_or_more(node, name):
            word = self.choice(item, name, known, code)
            if word in words:
                self.error(item, "LISTED_TWICE", f"{name} lists {shown(word)} twice.", "Remove one.")
            elif word is not None:
                words.append(word)
        return tuple(words)

    def _digits(self, node: Node, name: str, form: re.Pattern[str], expected: str) -> str | None:
        text = self.text(node, name)
        if text is None or not isinstance(node, TextNode):
            return None
        if not node.plain and form.fullmatch(text):
            self.error(node, "NOT_NUMBER", f"{name} is {shown(text)} in quotes.", f"Write {text} without quotes.")
            return None
        if not form.fullmatch(text):
            likely = re.sub("[_ ,']", "", text).lstrip("0")
            mend = likely if _INTEGER.fullmatch(likely) else expected
            self.error(node, "NOT_NUMBER", f"{name} is {shown(text)}, not a number.", f"Write {mend}.")
            return None
        return text

    def _bounded(self, node: Node, name: str, found: Count, bounds: tuple[Count, Count]) -> Count | None:
        low, high = bounds
        if low <= found <= high:
            return found
        self.error(node, "OUT_OF_RANGE", f"{name} is {found:g}.", f"Write {low:g} to {high:g}.")
        return None

    def _add(self, finding: Finding) -> None:
        if not self._full(finding.severity):  # apart, so that warnings never crowd out the error that keeps a file out
            self.findings.append(finding)

    def _full(self, severity: Severity) -> bool:
        """Whether nobody reads on: 20,000 unknown keys took 7 s while a spelling was sought for each."""
        if len(self.findings) < MAX_PER_FILE:
            return False
        return sum(other.severity is severity for other in self.findings) >= MAX_PER_FILE


def _kind(node: Node) -> str:
    if isinstance(node, MapNode):
        return "a mapping"
    if isinstance(node, ListNode):
        return "a list"
    return f"the text {shown(node.text)}" if node.text else "empty"


def written(node: Node) -> str:
    """A node on one line, as YAML's flow style has it."""
    if isinstance(node, TextNode):
        return node.text
    if isinstance(node, ListNode):
        return f"[{', '.join(written(item) for item in node.items)}]"
    return f"{{{', '.join(f'{key}: {written(value)}' for key, (_, value) in node.entries.items())}}}"
