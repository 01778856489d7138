"""features.yaml -> which attributes become features, and how. Every mistake is a finding with its place and its mend.

Without the file every attribute that may be a feature is one.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from streams.attribute_file import FROM_FUTURE, unknown_attribute
from streams.attributes import Attribute, AttributeSet, Kind
from streams.declared_features import (
    AGAINST_RECENT,
    BESIDE,
    CYCLES,
    DOWN,
    EVERY,
    LEVELS,
    MONOTONE,
    ORDERED,
    RATE,
    RESPONSES,
    UP,
    Cross,
    Declared,
    DeclaredFeatures,
    DeclaredHistory,
    DeclaredRates,
)
from streams.events import OUTCOMES
from streams.findings import Finding, a, shown
from streams.positioned_yaml import MapNode, Node, TextNode, read_file
from streams.sheet import Sheet

FILE = "features.yaml"
KEYS = ("version", "features", "others", "crosses", "history", "rates")
NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
DIRECTIONS = {"up": UP, "down": DOWN, "none": 0}
NUMBER, CODE, EACH, FLAG, MEMBERS, SIZE, CYCLE = "number", "code", "each", "flag", "members", "size", "cycle"
FORMS: Mapping[Kind, tuple[str, ...]] = {
    Kind.ENUM: (CODE, EACH),
    Kind.STRING: (CODE, EACH),
    Kind.SET: (SIZE, MEMBERS),
    Kind.BOOLEAN: (FLAG,),
    Kind.DATETIME: ("since",),
    Kind.DURATION: ("hours",),
}
"""What an attribute may become, by its type; the others are numbers."""
ORDERLESS = frozenset({EACH, MEMBERS, CYCLE})
LEVELLED = (Kind.BOOLEAN, Kind.ENUM, Kind.STRING)
"""What has levels that a rate can be of."""
LATER = frozenset(
    {"clicked", "dismissed", "exposed", "inclusion", "outcome", "placement", "propensity", "rank", "rank_score",
     "redeemed", "reward", "score", "shown"}
)  # fmt: skip
"""What a log says of a decision and its items, and what a decision cannot know yet."""
SPANS = {"24 h": "24h", "7 d": "7d", "ever": "ever"}
"""Windows of the history as the file writes them -> as columns are named."""


def read_features(file: Path, attributes: AttributeSet, path: str = FILE) -> tuple[DeclaredFeatures, list[Finding]]:
    """What a file declares, and what was found; not to be used if there are errors. No file: EVERY."""
    if not file.exists():
        return EVERY, []
    root, findings = read_file(file, path)
    sheet = Sheet(path)
    sheet.findings.extend(findings)
    declared = EVERY if root is None else _Reader(sheet, attributes).file(root)
    return declared, sheet.findings


class _Reader:
    def __init__(self, sheet: Sheet, attributes: AttributeSet) -> None:
        self.sheet = sheet
        self.attributes = attributes

    def file(self, root: Node) -> DeclaredFeatures:
        fields = self.sheet.fields(root, FILE, KEYS, ("version",))
        if "version" in fields:
            self.sheet.integer(fields["version"], "version", 1, 1)
        listed = self.listed(fields["features"]) if "features" in fields else None
        others = self.others(fields)
        crosses = self.crosses(fields["crosses"]) if "crosses" in fields else EVERY.crosses
        history = self.history(fields["history"]) if "history" in fields else EVERY.history
        declared = DeclaredFeatures(listed, others, crosses, history)
        return replace(declared, rates=self.rates(fields["rates"], declared)) if "rates" in fields else declared

    def others(self, fields: Mapping[str, Node]) -> bool:
        if "others" not in fields:
            return False
        if "features" not in fields:
            hint = "Remove 'others': without 'features' every attribute is one."
            self.sheet.error(fields["others"], "KEYS_TOGETHER", "others is there without 'features'.", hint)
        return self.sheet.boolean(fields["others"], "others") or False

    def listed(self, node: Node) -> Mapping[str, Declared]:
        found: dict[str, Declared] = {}
        for item in self.sheet.items(node, "features"):
            word, how = self.item(item)
            name = self.sheet.text(word, "a feature") if word is not None else None
            if word is None or name is None:
                continue
            if name in found:
                self.sheet.error(word, "LISTED_TWICE", f"features lists {shown(name)} twice.", "Remove one.")
            elif name in BESIDE:
                found[name] = self.beside(name, how)
            elif (attribute := self.attribute(word, name)) is not None:
                found[name] = self.declared(attribute, name, how)
        return found

    def item(self, item: Node) -> tuple[TextNode | None, Node | None]:
        """A name, or a name with how it becomes a feature."""
        if isinstance(item, TextNode):
            return item, None
        if isinstance(item, MapNode) and len(item.entries) == 1:
            return next(iter(item.entries.values()))
        self.sheet.wrong(
            item, "a feature", "a name, 'customer.pet', or one with its options, 'customer.pet: {as: flag}'"
        )
        return None, None

    def attribute(self, word: TextNode, name: str) -> Attribute | None:
        """The attribute behind a name, if a model may look at it."""
        attribute = self.attributes.of_fact(name)
        scope, _, short = name.rpartition(".")
        if attribute is None and (short in LATER or scope in OUTCOMES or scope == "history"):
            self.later(word, f"{name} is known only after the decision.")
        elif attribute is None:
            hint = unknown_attribute(name, self.attributes)
            self.sheet.error(word, "UNKNOWN_ATTRIBUTE", f"there is no attribute {shown(name)}.", hint)
        elif attribute.event in OUTCOMES:
            self.later(word, f"{name} is set by {attribute.event}, which comes after the decision.")
        elif attribute.protected or not attribute.feature:
            why = "protected" if attribute.protected else "no feature"
            self.sheet.error(word, "NO_FEATURE", f"{name} is declared to be {why}.", "Remove it here.")
        else:
            return attribute
        return None

    def later(self, word: TextNode, message: str) -> None:
        hint = "Remove it: responses up to the decision are under 'history'."
        self.sheet.error(word, FROM_FUTURE, message, hint)

    def beside(self, name: str, how: Node | None) -> Declared:
        fields = {} if how is None else self.sheet.fields(how, name, ("monotone",))
        if "monotone" in fields and name not in ORDERED:
            hint = "Remove 'monotone'."
            self.sheet.error(fields["monotone"], "KEYS_TOGETHER", f"{name} has no order.", hint)
        return Declared(monotone=self.direction(fields, name))

    def declared(self, attribute: Attribute, name: str, how: Node | None) -> Declared:
        fields = {} if how is None else self.sheet.fields(how, name, ("as", "monotone"))
        forms = self.sheet.words(fields["as"], f"{name}.as", forms_of(attribute, name)) if "as" in fields else ()
        ordered = attribute.ordered or attribute.kind not in (Kind.ENUM, Kind.STRING, Kind.SET)
        if "monotone" in fields and not (ordered and set(forms or (NUMBER,)) - ORDERLESS):
            hint = "Remove 'monotone', or declare ordered levels." if not ordered else "Remove 'monotone'."
            what = f"{a(attribute.kind)} without an order" if not ordered else f"only {', '.join(forms)} here"
            self.sheet.error(fields["monotone"], "KEYS_TOGETHER", f"{name} is {what}.", hint)
        return Declared(forms, self.direction(fields, name, MONOTONE.get(name, 0)))

    def direction(self, fields: Mapping[str, Node], name: str, usual: int = 0) -> int:
        if "monotone" not in fields:
            return usual
        found = self.sheet.choice(fields["monotone"], f"{name}.monotone", tuple(DIRECTIONS))
        return DIRECTIONS.get(found or "", usual)

    def crosses(self, node: Node) -> Mapping[str, Cross]:
        entries = self.sheet.entries(node, "crosses", "a name and the offer attribute that names a fact")
        found: dict[str, Cross] = {}
        for name, (word, value) in entries.items():
            self.sheet.matching(word, "a cross's name", NAME, "small letters, digits and _: 'own_kind'")
            fields = self.sheet.fields(value, name, ("of", "as", "monotone"), ("of",))
            if "of" in fields:
                found[name] = self.cross(name, fields)
        return dict(sorted(found.items()))

    def cross(self, name: str, fields: Mapping[str, Node]) -> Cross:
        node = fields["of"]
        of = self.sheet.text(node, f"{name}.of") or ""
        attribute = self.attributes.by_name.get(of)
        if of and attribute is None and of not in {cross.named_by for cross in EVERY.crosses.values()}:
            hint = unknown_attribute(of, self.attributes)
            self.sheet.error(node, "UNKNOWN_ATTRIBUTE", f"there is no attribute {shown(of)}.", hint)
        if attribute is not None and (attribute.scope != "offer" or attribute.kind is not Kind.STRING):
            hint = "Write an attribute of offers that is a string: its value is the name of a fact."
            self.sheet.error(node, "WRONG_TYPE", f"{of} is {a(attribute.kind)} of the {attribute.scope}.", hint)
        form = self.sheet.choice(fields["as"], f"{name}.as", (AGAINST_RECENT,)) if "as" in fields else ""
        return Cross(of, form or "", self.direction(fields, name))

    def history(self, node: Node) -> DeclaredHistory:
        fields = self.sheet.fields(node, "history", ("about", "responses", "windows"))
        usual = EVERY.history
        windows = self.some(fields, "windows", tuple(SPANS))
        responses = self.some(fields, "responses", (*RESPONSES, RATE)) or (*usual.responses, RATE)
        return DeclaredHistory(
            about=self.some(fields, "about", LEVELS) or usual.about,
            responses=tuple(response for response in responses if response != RATE),
            windows=tuple(SPANS[window] for window in windows) or usual.windows,
            rate=RATE in responses,
        )

    def rates(self, node: Node, declared: DeclaredFeatures) -> DeclaredRates:
        fields = self.sheet.fields(node, "rates", ("offer", "by"))
        offer = (self.sheet.boolean(fields["offer"], "rates.offer") or False) if "offer" in fields else False
        found: list[str] = []
        for item in self.sheet.items(fields["by"], "rates.by") if "by" in fields else ():
            name = self.sheet.text(item, "an attribute")
            if name is not None and isinstance(item, TextNode) and self.has_levels(item, name, declared):
                if name in found:
                    self.sheet.error(item, "LISTED_TWICE", f"rates.by lists {shown(name)} twice.", "Remove one.")
                found.append(name)
        if not offer and "by" not in fields:
            hint = "Write 'offer: true', 'by: [ATTRIBUTE]' or both."
            self.sheet.error(node, "KEY_MISSING", "rates declares no rate.", hint)
        return DeclaredRates(offer, tuple(sorted(found)))

    def has_levels(self, word: TextNode, name: str, declared: DeclaredFeatures) -> bool:
        """Whether rates can be of its levels, each of which the row tells by its code."""
        attribute = self.attribute(word, name)
        if attribute is None:
            return False
        how = declared.of(attribute.qualified, name)
        if attribute.scope not in ("customer", "context") or attribute.kind not in LEVELLED:
            hint = "Write an enum, a string or a boolean of the customer or the context."
            self.sheet.error(word, "WRONG_TYPE", f"{name} is {a(attribute.kind)} of the {attribute.scope}.", hint)
        elif how is None or (how.forms and not {CODE, FLAG} & set(how.forms)):
            hint = f"List it under 'features'; if it says 'as', {forms_of(attribute, name)[0]} must be in it."
            self.sheet.error(word, "KEYS_TOGETHER", f"{name} is no column of its own here.", hint)
        else:
            return True
        return False

    def some(self, fields: Mapping[str, Node], key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        """Some of the words, in their own order; empty: the key is not there."""
        chosen = self.sheet.words(fields[key], f"history.{key}", known) if key in fields else ()
        return tuple(word for word in known if word in chosen)


def forms_of(attribute: Attribute, name: str) -> tuple[str, ...]:
    """What an attribute's fact may become."""
    forms = FORMS.get(attribute.kind, (NUMBER,))
    if name in CYCLES:
        return (*forms, CYCLE)
    return (*forms, AGAINST_RECENT) if attribute.event == "sailing.fare" else forms
