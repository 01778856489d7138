"""One condition on one attribute -> leaves: which tests each kind of attribute takes, and how each becomes a Leaf."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from offers.campaign_draft import Draft, span
from offers.campaign_values import LATER_LEVELS, level, read_value, whole
from offers.condition import Leaf, Op
from streams.attributes import Attribute, Kind, Value
from streams.findings import a, listed, shown
from streams.ids import Millis
from streams.instant import SECOND_MS
from streams.positioned_yaml import ListNode, MapNode, Node, TextNode
from streams.sheet import written
from streams.units import MAX_DURATION_MS

INF = float("inf")
MODIFIERS = ("on_missing", "fresh_within", "because")
MAX_AS_WRITTEN = 160
ORIGINS = frozenset({"language", "nationality", "citizenship", "residence", "country"})
"""Words in the name of an attribute by which people are told apart as the law does not like: it wants a `because`."""
_ORDERED = ("at_least", "at_most", "above", "below")
_PLAIN = ("is", "in", "not_in", "exists")
_AMOUNT = (*_PLAIN, *_ORDERED)
TESTS: Mapping[Kind, tuple[str, ...]] = {
    Kind.ENUM: _AMOUNT,
    Kind.STRING: _PLAIN,
    Kind.BOOLEAN: ("is", "exists"),
    Kind.SET: ("has", "has_any", "has_all", "has_none", "exists"),
    Kind.DATETIME: ("before", "after", "exists"),
    Kind.INTEGER: _AMOUNT,
    Kind.NUMBER: _AMOUNT,
    Kind.DURATION: _AMOUNT,
    Kind.DISTANCE: _AMOUNT,
    Kind.MONEY: _AMOUNT,
}
"""Kind -> what it can be asked; levels have an order only where they are declared `ordered`."""
ALL_TESTS = tuple(dict.fromkeys(test for tests in TESTS.values() for test in tests))


@dataclass(frozen=True, slots=True)
class Asked:
    """The attribute a condition is about, and where it stands."""

    draft: Draft
    word: TextNode
    attribute: Attribute
    fact: str
    """The fact's name; for an attribute declared `by` a key the key is not in it yet, unless it was written."""
    text: str
    """The whole condition as written."""

    @property
    def keyless(self) -> bool:
        """Whether its key is still to be named."""
        return bool(self.attribute.keys) and self.fact == self.attribute.qualified


def read_tests(asked: Asked, node: Node) -> list[Leaf]:
    """Every test of one attribute, as conjuncts."""
    sheet, attribute = asked.draft.sheet, asked.attribute
    if isinstance(node, MapNode):
        return _mapped(asked, node)
    if asked.keyless:
        example = f"{{{attribute.by}: {attribute.keys[0]}, ...}}"
        sheet.error(node, "KEY_MISSING", f"{asked.fact} is known by {attribute.by}.", f"Write {example}.")
        return []
    if isinstance(node, ListNode):
        test = "has_any" if attribute.kind is Kind.SET else "in"
        sheet.wrong(node, asked.fact, f"{{{test}: [...]}}" if test in TESTS[attribute.kind] else "one value")
        return []
    if "is" not in TESTS[attribute.kind]:
        tests = listed(TESTS[attribute.kind])
        hint = f"Write {{{TESTS[attribute.kind][0]}: {node.text}}} (there are: {tests})."
        sheet.error(node, "WRONG_TEST", f"{asked.fact} is {a(attribute.kind)}, which is not one value.", hint)
        return []
    return _conditions(asked, {"is": node}, node)


def _mapped(asked: Asked, node: MapNode) -> list[Leaf]:
    draft, attribute = asked.draft, asked.attribute
    allowed = askable(attribute)
    known = (*allowed, *MODIFIERS, attribute.by) if asked.keyless and attribute.by else (*allowed, *MODIFIERS)
    found: dict[str, Node] = {}
    for key, (word, value) in node.entries.items():
        if key in known:
            found[key] = value
        elif key in ALL_TESTS:
            draft.sheet.error(word, "WRONG_TEST", _unfit(attribute, key), f"It can be asked: {listed(allowed)}.")
        else:
            draft.sheet.unknown_key(word, value, f"a condition on {asked.fact}", known)
    if all(key in (*MODIFIERS, attribute.by) for key in node.entries):
        hint = f"Add one of {listed(allowed)}."
        draft.sheet.error(node, "TEST_MISSING", f"this says nothing about {asked.fact}.", hint)
    if asked.keyless:
        fact = _with_key(asked, found.pop(attribute.by or "", None), node)
        if fact is None:
            return []
        asked = replace(asked, fact=fact)
    return _conditions(asked, found, node)


def askable(attribute: Attribute) -> tuple[str, ...]:
    """What an attribute can be asked."""
    tests = TESTS[attribute.kind]
    return _PLAIN if attribute.kind is Kind.ENUM and not attribute.ordered else tests


def _unfit(attribute: Attribute, test: str) -> str:
    if attribute.kind is Kind.ENUM and test in _ORDERED:
        return f"the levels of {attribute.qualified} have no order, so '{test}' says nothing."
    return f"{attribute.qualified} is {a(attribute.kind)}, which '{test}' does not fit."


def _with_key(asked: Asked, node: Node | None, whole_node: Node) -> str | None:
    """market.cabins_free and `kind: inside` -> market.cabins_free.inside."""
    attribute, sheet = asked.attribute, asked.draft.sheet
    if node is None:
        hint = f"Add '{attribute.by}:', one of {listed(attribute.keys)}."
        sheet.error(whole_node, "KEY_MISSING", f"{asked.fact} is known by {attribute.by}.", hint)
        return None
    key = sheet.choice(node, f"{asked.fact}.{attribute.by}", attribute.keys)
    return None if key is None else f"{asked.fact}.{key}"


def _conditions(asked: Asked, found: dict[str, Node], node: Node) -> list[Leaf]:
    """The tests of a mapping whose keys are all known."""
    base = _base(asked, found)
    if "because" not in found and not ORIGINS.isdisjoint(asked.attribute.name.split("_")):
        hint = "Say why in 'because:', for whoever has to answer for it."
        asked.draft.sheet.warn(asked.word, "NEEDS_BECAUSE", f"{asked.fact} decides here, and nobody says why.", hint)
    tests = [test for test in found if test not in MODIFIERS]
    if "exists" in found and "on_missing" in found:
        message, hint = "'exists' asks whether it is missing.", "Remove 'on_missing'."
        asked.draft.sheet.error(found["on_missing"], "KEYS_TOGETHER", message, hint)
    parts = [part for test in tests if (part := _READERS[test](asked, found[test], base)) is not None]
    _check_range(asked, parts, node)
    return parts


def _base(asked: Asked, found: Mapping[str, Node]) -> Leaf:
    """What the leaves of one condition share."""
    sheet = asked.draft.sheet
    if "because" in found:
        sheet.sentence(found["because"], "because")
    return Leaf(
        asked.fact,
        Op.EXISTS,
        on_missing="on_missing" in found
        and sheet.choice(found["on_missing"], "on_missing", ("fail", "pass")) == "pass",
        fresh_ms=_fresh_ms(asked, found.get("fresh_within")),
        where=sheet.where(asked.word),
        text=asked.text,
        via=sheet.via(asked.word),
    )


def _fresh_ms(asked: Asked, node: Node | None) -> Millis | None:
    """The condition's own freshness, or the attribute's; None: any age."""
    attribute = asked.attribute
    if node is None:
        return attribute.fresh_ms
    longest = attribute.retention_ms
    found = asked.draft.duration(node, "fresh_within", SECOND_MS, MAX_DURATION_MS)
    if found is not None and longest is not None and found > longest:
        message = f"{attribute.qualified} is kept for {span(longest)}, so it is never older than that."
        asked.draft.sheet.error(node, "FRESH_BEYOND_RETENTION", message, f"Write at most {span(longest)}.")
    return found


def _check_range(asked: Asked, parts: list[Leaf], node: Node) -> None:
    """RANGE_EMPTY where the bounds leave nothing."""
    bounds = [_bounds(part) for part in parts if part.op is Op.RANGE]
    low, high = max((low for low, _ in bounds), default=-INF), min((high for _, high in bounds), default=INF)
    strict = any(part.negated for part in parts if part.op is Op.RANGE)
    if low > high or (low == high and strict):
        asked.draft.sheet.error(node, "RANGE_EMPTY", f"no value of {asked.fact} is both.", "Swap the bounds.")


def _bounds(part: Leaf) -> tuple[float, float]:
    """The lowest and the highest value that pass a RANGE; not [low, inf] is what lies below low."""
    if not part.negated:
        return part.low, part.high
    return (part.high if part.high != INF else -INF), (part.low if part.low != -INF else INF)


def _is(asked: Asked, node: Node, base: Leaf) -> Leaf | None:
    value = read_value(asked.draft, asked.attribute, node)
    return None if value is None else replace(base, op=Op.IN, operand=(value,))


def _values(asked: Asked, node: Node, name: str) -> tuple[Value, ...]:
    values: list[Value] = []
    for item in asked.draft.sheet.items(node, name):
        value = read_value(asked.draft, asked.attribute, item)
        if value in values:
            asked.draft.sheet.error(item, "LISTED_TWICE", f"{name} lists {shown(str(value))} twice.", "Remove one.")
        elif value is not None:
            values.append(value)
    return tuple(values)


def _listing(op: Op, name: str, negated: bool = False) -> "Reader":
    def read(asked: Asked, node: Node, base: Leaf) -> Leaf | None:
        values = _values(asked, node, name)
        return replace(base, op=op, operand=values, negated=negated) if values else None

    return read


def _has(asked: Asked, node: Node, base: Leaf) -> Leaf | None:
    value = read_value(asked.draft, asked.attribute, node)
    return None if value is None else replace(base, op=Op.HAS_ANY, operand=(value,))


def _exists(asked: Asked, node: Node, base: Leaf) -> Leaf | None:
    value = asked.draft.sheet.boolean(node, "exists")
    return None if value is None else replace(base, op=Op.EXISTS, negated=not value, on_missing=False)


def _bound(test: str) -> "Reader":
    """at_least, at_most: a RANGE. `below x` is the negated RANGE from x on, `above x` that up to x."""
    strict = test in ("below", "above")
    lower = test in ("at_least", "below")

    def read(asked: Asked, node: Node, base: Leaf) -> Leaf | None:
        if asked.attribute.kind is Kind.ENUM:
            return _levels(asked, node, base, test)
        value = whole(read_value(asked.draft, asked.attribute, node))
        if value is None:
            return None
        ranged = replace(base, op=Op.RANGE, negated=strict)
        return replace(ranged, low=value) if lower else replace(ranged, high=value)

    return read


def _levels(asked: Asked, node: Node, base: Leaf, test: str) -> Leaf | None:
    """Ordered levels: IN the ones from there up or down."""
    found = level(asked.draft, asked.attribute, node)
    if found is None:
        return None
    levels, follows = asked.attribute.levels, LATER_LEVELS.get(asked.fact, {}).get(found)
    at = levels.index(found if follows is None else follows) + (follows is not None)
    past = at + (follows is None)  # a level of a later version is none of these: it lies just before `at`
    chosen = {"at_least": levels[at:], "above": levels[past:], "at_most": levels[:past], "below": levels[:at]}[test]
    if not chosen:
        end = "highest" if test == "above" else "lowest"
        hint = f"{found} is the {end} level; write another."
        asked.draft.sheet.error(node, "RANGE_EMPTY", f"no level of {asked.fact} is {test} {found}.", hint)
        return None
    return replace(base, op=Op.IN, operand=chosen)


def _before(asked: Asked, node: Node, base: Leaf) -> Leaf | None:
    """Before that instant, or before that day begins."""
    found = asked.draft.instant(node, asked.fact)
    return None if found is None else replace(base, op=Op.RANGE, low=float(found.at), negated=True)


def _after(asked: Asked, node: Node, base: Leaf) -> Leaf | None:
    """After that instant, or from the day after that day on."""
    found = asked.draft.instant(node, asked.fact)
    if found is None:
        return None
    if found.whole_day:
        return replace(base, op=Op.RANGE, low=float(found.next_day))
    return replace(base, op=Op.RANGE, high=float(found.at), negated=True)


Reader = Callable[[Asked, Node, Leaf], Leaf | None]
_READERS: Mapping[str, Reader] = {
    "is": _is,
    "in": _listing(Op.IN, "'in'"),
    "not_in": _listing(Op.IN, "'not_in'", negated=True),
    "has": _has,
    "has_any": _listing(Op.HAS_ANY, "'has_any'"),
    "has_all": _listing(Op.HAS_ALL, "'has_all'"),
    "has_none": _listing(Op.HAS_ANY, "'has_none'", negated=True),
    "exists": _exists,
    "at_least": _bound("at_least"),
    "at_most": _bound("at_most"),
    "above": _bound("above"),
    "below": _bound("below"),
    "before": _before,
    "after": _after,
}


def as_written(key: str, node: Node) -> str:
    """For explanations: the condition as its author wrote it, on one line."""
    text = f"{key}: {written(node)}"
    return text if len(text) <= MAX_AS_WRITTEN else f"{text[: MAX_AS_WRITTEN - 3]}..."
