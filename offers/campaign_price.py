"""`price:` and `offer.value:` - what the offer costs the customer, and what it is worth to the business."""

from collections.abc import Mapping

from offers.campaign_draft import Draft, span
from offers.offer import Price, Value
from streams import attributes
from streams.attributes import SUBJECT_SCOPES, Attribute, Kind
from streams.ids import Millis
from streams.instant import SECOND_MS
from streams.positioned_yaml import MapNode, Node
from streams.units import MAX_DURATION_MS, Money, minor_digits, money, share

KEYS = ("from", "amount", "discount", "at_least", "round_to", "margin", "fresh_within", "prior")
VALUE_KEYS = ("amount", "margin")
USUAL_CURRENCY = "EUR"


def read_price(draft: Draft, node: Node | None) -> Price | None:
    """What the customer pays: a fare of the market or an amount, less a discount."""
    if node is None:
        return None
    fields = draft.sheet.fields(node, "price", KEYS)
    if ("from" in fields) == ("amount" in fields):
        if isinstance(node, MapNode):
            hint = "Write 'from: market.fare.<product>' or 'amount: 49.00 EUR'."
            draft.sheet.error(node, "KEYS_TOGETHER", "price needs either 'from' or 'amount'.", hint)
        return None
    source = _source(draft, fields.get("from"))
    amount = read_amount(draft, fields.get("amount"), "price.amount", None)
    currency = amount.currency if amount is not None else source.unit if source is not None else None
    at_least = read_amount(draft, fields.get("at_least"), "price.at_least", currency)
    return Price(
        currency=currency or USUAL_CURRENCY,
        source=_fact(fields.get("from"), draft) if source is not None else None,
        amount=amount.minor if amount is not None else 0,
        discount=_share(draft, fields.get("discount"), "price.discount") or 0.0,
        at_least=at_least.minor if at_least is not None else 0,
        round_to=_step(draft, fields.get("round_to"), currency),
        fresh_ms=_fresh_ms(draft, fields, source),
    )


def read_value(draft: Draft, node: Node | None, price_node: Node | None, price: Price | None) -> Value:
    """`value: 12.50 EUR`, or an amount and a margin; the margin may stand in `price` instead."""
    margin_node = _margin_node(price_node)
    margin = _share(draft, margin_node, "price.margin")
    currency = price.currency if price is not None else None
    if not isinstance(node, MapNode):
        return Value(_major(read_amount(draft, node, "offer.value", currency)), margin or 0.0)
    fields = draft.sheet.fields(node, "offer.value", VALUE_KEYS)
    amount = _major(read_amount(draft, fields.get("amount"), "offer.value.amount", currency))
    if "margin" not in fields:
        return Value(amount, margin or 0.0)
    if margin_node is not None:
        hint = "Remove one; it means the same in both."
        draft.sheet.error(fields["margin"], "KEYS_TOGETHER", "the margin is here and in 'price'.", hint)
    if price_node is None:
        hint = "Write its worth as an amount, or add a price."
        draft.sheet.error(fields["margin"], "KEYS_TOGETHER", "a margin of no price is worth nothing.", hint)
    return Value(amount, _share(draft, fields["margin"], "offer.value.margin") or 0.0)


def price_facts(price: Price | None) -> dict[str, attributes.Value]:
    """What scoring may know of a price: the amount if it is fixed, the market fact it follows, the share taken off."""
    if price is None:
        return {}
    facts: dict[str, attributes.Value] = {"offer.discount": price.discount * 100}
    if price.source is None:
        return {**facts, "offer.price": price.amount}
    return {**facts, "offer.price_source": price.source}


def _source(draft: Draft, node: Node | None) -> Attribute | None:
    """The money fact that the price starts from."""
    name = draft.sheet.text(node, "price.from") if node is not None else None
    if node is None or name is None:
        return None
    found = draft.attribute(node, name)
    if found is None:
        return None
    if found.kind is not Kind.MONEY or found.scope not in SUBJECT_SCOPES:
        hint = "Write a money attribute of the market, such as market.fare.<product>."
        draft.sheet.error(node, "WRONG_TYPE", f"{name} is no price of the subject.", hint)
    if found.keys and name == found.qualified:
        hint = f"Write '{name}.{found.keys[0]}' ({', '.join(found.keys)})."
        draft.sheet.error(node, "KEY_MISSING", f"{name} is known by {found.by}.", hint)
    return found


def _fact(node: Node | None, draft: Draft) -> str | None:
    return draft.sheet.text(node, "price.from") if node is not None else None


def read_amount(draft: Draft, node: Node | None, name: str, currency: str | None) -> Money | None:
    """An amount, of the given currency if there is one; CURRENCY_MISMATCH otherwise."""
    found = draft.sheet.parsed(node, name, money) if node is not None else None
    if node is not None and found is not None and currency not in (None, found.currency):
        hint = f"Write the amount in {currency}."
        draft.sheet.error(
            node, "CURRENCY_MISMATCH", f"{name} is in {found.currency}; the price is in {currency}.", hint
        )
    return found


def _step(draft: Draft, node: Node | None, currency: str | None) -> int:
    """Minor units to round to."""
    found = read_amount(draft, node, "price.round_to", currency)
    if node is not None and found is not None and found.minor < 1:
        draft.sheet.error(node, "OUT_OF_RANGE", "price.round_to is nothing.", "Write a step such as '0.50 EUR'.")
    return max(found.minor, 1) if found is not None else 1


def _share(draft: Draft, node: Node | None, name: str) -> float | None:
    return draft.sheet.parsed(node, name, share) if node is not None else None


def _fresh_ms(draft: Draft, fields: Mapping[str, Node], source: Attribute | None) -> Millis | None:
    """How old the fare may be: what the price says, or the attribute."""
    node = fields.get("fresh_within")
    if node is None:
        return source.fresh_ms if source is not None else None
    if "amount" in fields:
        message, hint = "an amount is never stale.", "Remove 'fresh_within'."
        draft.sheet.error(node, "KEYS_TOGETHER", message, hint)
    found = draft.duration(node, "price.fresh_within", SECOND_MS, MAX_DURATION_MS)
    longest = source.retention_ms if source is not None else None
    if found is not None and longest is not None and found > longest:
        message = f"this fare is kept for {span(longest)}, so it is never older than that."
        draft.sheet.error(node, "FRESH_BEYOND_RETENTION", message, f"Write at most {span(longest)}.")
    return found


def _margin_node(price_node: Node | None) -> Node | None:
    found = price_node.entries.get("margin") if isinstance(price_node, MapNode) else None
    return found[1] if found is not None else None


def _major(amount: Money | None) -> float:
    return amount.minor / 10 ** minor_digits(amount.currency) if amount is not None else 0.0
