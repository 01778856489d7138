"""`uses:` - what each acceptance takes from a stock: `{cabins: {kind: inside, quantity: 1, strict: false}}`.

It reserves nothing. An offer is ruled out (STOCK) where the market says that less is free than it uses; where the
market says nothing, or nothing fresh, it stays.
"""

from collections.abc import Mapping

from offers.campaign_draft import Draft
from offers.condition import ALWAYS, All, Condition, Leaf, Op
from streams.attributes import Attribute, AttributeSet, Kind
from streams.findings import did_you_mean, listed
from streams.instant import SECOND_MS
from streams.positioned_yaml import Node, TextNode
from streams.units import MAX_DURATION_MS

FREE = "_free"
KEYS = ("quantity", "fresh_within", "strict")
MAX_QUANTITY = 1_000
_EXAMPLE = "{cabins: {kind: inside, quantity: 1}}"


def read_uses(draft: Draft, node: Node | None) -> Condition:
    """That enough is left of everything it uses."""
    if node is None:
        return ALWAYS
    entries = draft.sheet.entries(node, "uses", _EXAMPLE)
    known = stocks(draft.words.attributes)
    whole = draft.sheet.boolean(entries["strict"][1], "uses.strict") if "strict" in entries else True
    found = []
    for name, (word, value) in entries.items():
        if name == "strict":
            continue
        stock = known.get(name)
        if stock is None:
            _unknown(draft, word, tuple(known))
        else:
            draft.check_subject(word, stock.qualified, stock)
            found.append(_enough(draft, value, (name, stock), whole is False))
    return All(tuple(leaf for leaf in found if leaf is not None))


def stocks(attributes: AttributeSet) -> Mapping[str, Attribute]:
    """What can be used up, by its name here: `cabins` is market.cabins_free, `vehicle_space` market.vehicle_space."""
    return {
        attribute.name.removesuffix(FREE): attribute
        for attribute in attributes.by_name.values()
        if attribute.scope == "market" and attribute.kind is Kind.INTEGER
    }


def _enough(draft: Draft, node: Node, of: tuple[str, Attribute], lenient: bool) -> Leaf | None:
    sheet, (name, stock) = draft.sheet, of
    keyed = () if stock.by is None else (stock.by,)
    fields = sheet.fields(node, f"uses.{name}", (*keyed, *KEYS), keyed)
    strict = sheet.boolean(fields["strict"], f"uses.{name}.strict") if "strict" in fields else not lenient
    if strict is True:
        message = f"uses.{name} reserves nothing in this version: somebody else may book the last one meanwhile."
        sheet.error(node, "LIMIT_NOT_ENFORCED", message, "Add 'strict: false' if that will do.")
    key = sheet.choice(fields[keyed[0]], f"uses.{name}.{keyed[0]}", stock.keys) if keyed and keyed[0] in fields else ""
    least = sheet.integer(fields["quantity"], f"uses.{name}.quantity", 1, MAX_QUANTITY) if "quantity" in fields else 1
    if key is None or least is None or not fields:
        return None
    fresh_ms = stock.fresh_ms
    if "fresh_within" in fields:
        fresh_ms = draft.duration(fields["fresh_within"], f"uses.{name}.fresh_within", SECOND_MS, MAX_DURATION_MS)
    return Leaf(
        attribute=f"{stock.qualified}.{key}" if key else stock.qualified,
        op=Op.RANGE,
        low=least,
        on_missing=True,
        fresh_ms=fresh_ms,
        where=sheet.where(node),
        text=f"uses.{name}: {least}{f' {key}' if key else ''}",
    )


def _unknown(draft: Draft, word: TextNode, known: tuple[str, ...]) -> None:
    hint = did_you_mean(word.text, known) or f"There are: {listed(known)}."
    draft.sheet.error(word, "UNKNOWN_ATTRIBUTE", f"the market counts no '{word.text}'.", hint)
