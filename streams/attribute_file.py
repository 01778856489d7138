"""attributes.yaml -> the declared attributes (idea 1). Every mistake is a finding with its place and its mend."""

import re
from collections.abc import Mapping
from pathlib import Path

from streams.attributes import BUILT_IN, SCOPES, Attribute, AttributeSet, Kind, attribute_set
from streams.errors import InvalidInput
from streams.events import APP_EVENTS, CONTRACTS, OUTCOMES
from streams.findings import Finding, a, did_you_mean, has_errors, listed, shown
from streams.positioned_yaml import Node, TextNode, read_file
from streams.sheet import Sheet
from streams.units import duration_ms, is_currency

FILE = "attributes.yaml"
FIRST_RESERVED = 9_000
"""Field numbers from here on belong to Offing's own attributes."""
FROM_FUTURE = "FEATURE_FROM_FUTURE"
MAX_LEVELS = 256
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
PURPOSE = re.compile(r"[a-z][a-z0-9_]{0,62}")
KEYS = (
    "field", "type", "unit", "levels", "ordered", "by", "keys", "event", "from", "purpose", "retention", "fresh",
    "protected", "feature",
)  # fmt: skip
RESERVED = {("booking", "sailing"): "booking.sailing stands for the booking's sailing"}
_BUILT_IN = {attribute.qualified for attribute in BUILT_IN}
_STORED_UNITS = {Kind.DURATION: "ms", Kind.DISTANCE: "m"}
_UNLABELLED = frozenset({Kind.ENUM, Kind.BOOLEAN, Kind.STRING, Kind.SET, Kind.DATETIME})


def read_attributes(file: Path, path: str = FILE) -> tuple[tuple[Attribute, ...], list[Finding]]:
    """The attributes a file declares, without Offing's own, and what was found; none of them is to be used if there
    are errors. `path` is the file's name in the findings.
    """
    root, findings = read_file(file, path)
    sheet = Sheet(path)
    sheet.findings.extend(findings)
    declared = () if root is None else _Reader(sheet).file(root)
    return declared, sheet.findings


def load_attributes(file: Path) -> AttributeSet:
    """Declared and built-in attributes. Raises InvalidInput ATTRIBUTES_INVALID that lists every error."""
    declared, findings = read_attributes(file, file.name)
    if has_errors(findings):
        raise InvalidInput("ATTRIBUTES_INVALID", "\n".join(str(finding) for finding in findings))
    return attribute_set(declared)


class _Reader:
    """Reads the declarations one after the other; remembers which field number is whose."""

    def __init__(self, sheet: Sheet) -> None:
        self.sheet = sheet
        self.numbers: dict[int, tuple[str, int]] = {}

    def file(self, root: Node) -> tuple[Attribute, ...]:
        fields = self.sheet.fields(root, FILE, ("version", "attributes"), ("version", "attributes"))
        if "version" in fields:
            self.sheet.integer(fields["version"], "version", 1, 1)
        if "attributes" not in fields:
            return ()
        scopes = self.sheet.fields(fields["attributes"], "attributes", SCOPES)
        found = [self.attribute(scope, *entry) for scope, node in scopes.items() for entry in self.scope(scope, node)]
        return tuple(attribute for attribute in found if attribute is not None)

    def scope(self, scope: str, node: Node) -> list[tuple[TextNode, Node]]:
        return list(self.sheet.entries(node, f"attributes.{scope}", "a name and its declaration").values())

    def attribute(self, scope: str, word: TextNode, node: Node) -> Attribute | None:
        name = f"{scope}.{word.text}"
        self.check_name(scope, word, name)
        before = len(self.sheet.findings)
        fields = self.sheet.fields(node, name, KEYS, ("field", "type"))
        number = self.number(fields, name)
        kind = self.sheet.choice(fields["type"], f"{name}.type", tuple(Kind)) if "type" in fields else None
        if number is None or kind is None:
            return None
        attribute = self.declared(scope, word.text, (number, Kind(kind)), fields)
        return None if has_errors(self.sheet.findings[before:]) else attribute

    def check_name(self, scope: str, word: TextNode, name: str) -> None:
        if (
            self.sheet.matching(word, "an attribute's name", NAME, "small letters, digits and _: 'loyalty_tier'")
            is None
        ):
            return
        if name in _BUILT_IN:
            self.sheet.error(
                word, "ATTRIBUTE_TWICE", f"{name} is one of Offing's own attributes.", "Take another name."
            )
        if (scope, word.text) in RESERVED:
            self.sheet.error(word, "NAME_INVALID", f"{RESERVED[scope, word.text]}.", "Take another name.")

    def number(self, fields: Mapping[str, Node], name: str) -> int | None:
        if "field" not in fields:
            return None
        node = fields["field"]
        number = self.sheet.integer(node, f"{name}.field", 1, FIRST_RESERVED - 1)
        if number is not None and number in self.numbers:
            other, line = self.numbers[number]
            message = f"{name} has field {number}, which is {other}'s (line {line})."
            self.sheet.error(node, "ATTRIBUTE_NUMBER", message, "Take a number that was never used.")
        elif number is not None:
            self.numbers[number] = (name, node.line)
        return number

    def declared(self, scope: str, short: str, typed: tuple[int, Kind], fields: Mapping[str, Node]) -> Attribute:
        number, kind = typed
        name = f"{scope}.{short}"
        protected = self.flag(fields, name, "protected", False)
        by, keys = self.keyed(scope, fields, name)
        retention_ms, fresh_ms = self.ages(fields, name)
        return Attribute(
            scope,
            short,
            number,
            kind,
            levels=self.levels(kind, fields, name),
            ordered=self.ordered(kind, fields, name),
            unit=self.unit(kind, fields, name),
            keys=keys,
            by=by,
            event=self.event(fields, name),
            set_by=self.set_by(fields, name),
            purpose=self.purpose(fields, name),
            retention_ms=retention_ms,
            fresh_ms=fresh_ms,
            protected=protected,
            feature=self.feature(fields, name, protected),
        )

    def flag(self, fields: Mapping[str, Node], name: str, key: str, usual: bool) -> bool:
        if key not in fields:
            return usual
        found = self.sheet.boolean(fields[key], f"{name}.{key}")
        return usual if found is None else found

    def feature(self, fields: Mapping[str, Node], name: str, protected: bool) -> bool:
        feature = self.flag(fields, name, "feature", not protected)
        if protected and feature:
            hint = "Remove 'feature: true', or 'protected: true'."
            self.sheet.error(
                fields["feature"], "KEYS_TOGETHER", f"{name} is protected, so it is never a feature.", hint
            )
        event = fields.get("event")
        if feature and isinstance(event, TextNode) and event.text in OUTCOMES:
            message = f"{name} is set by {event.text}, which comes after the decision that a feature is for."
            self.sheet.error(fields.get("feature", event), FROM_FUTURE, message, "Add 'feature: false'.")
        return feature

    def levels(self, kind: Kind, fields: Mapping[str, Node], name: str) -> tuple[str, ...]:
        node = fields.get("levels")
        if node is None:
            if kind is Kind.ENUM:
                self.sheet.error(
                    fields["type"], "KEY_MISSING", f"{name} is an enum without levels.", "Add 'levels: []'."
                )
            return ()
        if kind not in (Kind.ENUM, Kind.SET):
            self.sheet.error(
                node, "KEYS_TOGETHER", f"{name} is {a(kind)}.", "Levels go with enum and set; remove them."
            )
        return self.distinct(node, f"{name}.levels")

    def distinct(self, node: Node, name: str) -> tuple[str, ...]:
        texts: list[str] = []
        for item in self.sheet.items(node, name):
            text = self.sheet.text(item, name)
            if text in texts:
                self.sheet.error(item, "LISTED_TWICE", f"{name} lists {shown(text)} twice.", "Remove one.")
            elif text is not None:
                texts.append(text)
        if len(texts) > MAX_LEVELS:
            self.sheet.error(node, "OUT_OF_RANGE", f"{name} has {len(texts)} items.", f"Write at most {MAX_LEVELS}.")
        return tuple(texts)

    def ordered(self, kind: Kind, fields: Mapping[str, Node], name: str) -> bool:
        ordered = self.flag(fields, name, "ordered", False)
        if ordered and kind is not Kind.ENUM:
            message = f"{name} is {a(kind)}, which has no levels to order."
            self.sheet.error(fields["ordered"], "KEYS_TOGETHER", message, "Remove 'ordered'.")
        return ordered

    def unit(self, kind: Kind, fields: Mapping[str, Node], name: str) -> str | None:
        node = fields.get("unit")
        if node is None:
            if kind is Kind.MONEY:
                self.sheet.error(fields["type"], "KEY_MISSING", f"{name} is money of no currency.", "Add 'unit: EUR'.")
            return None
        unit = self.sheet.text(node, f"{name}.unit")
        if unit is None:
            return None
        if kind is Kind.MONEY and not is_currency(unit):
            hint = "Write a code of ISO 4217 such as EUR."
            self.sheet.error(node, "UNIT_UNKNOWN", f"{name}.unit: {shown(unit)} is no currency.", hint)
        if kind in _UNLABELLED:
            self.sheet.error(node, "KEYS_TOGETHER", f"{name} is {a(kind)}, which has no unit.", "Remove 'unit'.")
        if unit != _STORED_UNITS.get(kind, unit):
            stored = _STORED_UNITS[kind]
            self.sheet.error(node, "UNIT_UNKNOWN", f"{a(kind)} always arrives in {stored}.", f"Write 'unit: {stored}'.")
        return unit

    def keyed(self, scope: str, fields: Mapping[str, Node], name: str) -> tuple[str | None, tuple[str, ...]]:
        """`by` and `keys`, both or neither."""
        if "by" not in fields and "keys" not in fields:
            return None, ()
        for key, other in (("by", "keys"), ("keys", "by")):
            if key not in fields:
                message = f"{name} has '{other}' without '{key}'."
                self.sheet.error(fields[other], "KEY_MISSING", message, f"Add '{key}', or remove '{other}'.")
                return None, ()
        if scope != "market":
            self.sheet.error(fields["by"], "KEYS_TOGETHER", f"{name} is not of the market.", "Remove 'by' and 'keys'.")
        example = "small letters, digits and _: 'kind'"
        by = self.sheet.matching(fields["by"], f"{name}.by", NAME, example)
        keys = []
        for item in self.sheet.items(fields["keys"], f"{name}.keys"):
            keys.append(self.sheet.matching(item, f"{name}.keys", NAME, example))
        return by, tuple(dict.fromkeys(key for key in keys if key is not None))

    def event(self, fields: Mapping[str, Node], name: str) -> str | None:
        return self.sheet.choice(fields["event"], f"{name}.event", tuple(CONTRACTS)) if "event" in fields else None

    def set_by(self, fields: Mapping[str, Node], name: str) -> str:
        if "from" not in fields:
            return "server"
        set_by = self.sheet.choice(fields["from"], f"{name}.from", ("app", "server")) or "server"
        event = fields.get("event")
        if set_by == "app" and isinstance(event, TextNode) and event.text in CONTRACTS.keys() - APP_EVENTS:
            message = f"{name} is set by apps, which may not send {event.text}."
            hint = f"Write 'from: server', or one of {listed(sorted(APP_EVENTS))}."
            self.sheet.error(event, "KEYS_TOGETHER", message, hint)
        return set_by

    def purpose(self, fields: Mapping[str, Node], name: str) -> str | None:
        if "purpose" not in fields:
            return None
        example = "small letters, digits and _: 'personalised_offers'"
        return self.sheet.matching(fields["purpose"], f"{name}.purpose", PURPOSE, example)

    def ages(self, fields: Mapping[str, Node], name: str) -> tuple[int | None, int | None]:
        """Retention and freshness in ms."""
        retention_ms, fresh_ms = (
            self.sheet.parsed(fields[key], f"{name}.{key}", duration_ms) if key in fields else None
            for key in ("retention", "fresh")
        )
        if retention_ms is not None and fresh_ms is not None and fresh_ms > retention_ms:
            message = f"{name} would be fresh for longer than it is kept."
            self.sheet.error(fields["fresh"], "FRESH_BEYOND_RETENTION", message, "Write at most its retention.")
        return retention_ms, fresh_ms


def unknown_attribute(name: str, attributes: AttributeSet) -> str:
    """The mend for a name nobody declared."""
    return did_you_mean(name, attributes.by_name) or f"Declare it in {FILE}, or write one of those declared there."
