"""What a case expects of a decision, and an item told in the same words."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from offers.campaign_draft import Draft
from offers.catalog import Catalog
from offers.proposition import Code, Item
from streams.findings import listed
from streams.ids import OfferId
from streams.instant import format_instant
from streams.positioned_yaml import MapNode, Node, TextNode
from streams.sheet import Sheet
from streams.units import Money, money

EXPECT_KEYS = ("placements", "fallback", "absent", "reasons", "problems", "degraded")
TEXT_KEYS = ("about", "title", "body", "button", "alt", "why", "locale", "dir", "link", "sms", "price_text")
ITEM_KEYS = ("offer", "price", "prior", "offline", "disclosures", "expires", *TEXT_KEYS)
PROBLEMS = ("UNKNOWN_PLACEMENT", "QUIET_HOURS")
DEGRADED = ("deadline_short", "profile_unavailable", "profile_behind", "model_unavailable", "events_not_kept")
NONE = "none"
"""`price: none`: the offer has no price; `prior: none`: nothing is crossed out beside it."""
_SPACES = re.compile("[\u00a0\u202f]")
Expected = Mapping[str, object]
"""What one item is expected to be, by ITEM_KEYS; what is not named may be anything."""


@dataclass(frozen=True, slots=True)
class Expect:
    """What a case expects; None where it expects nothing."""

    placements: Mapping[str, tuple[Expected, ...]] = field(default_factory=dict)
    """The items of each placement named, all of them, in order."""
    fallback: tuple[str, ...] | None = None
    absent: tuple[OfferId, ...] = ()
    reasons: Mapping[OfferId, tuple[str, ...]] = field(default_factory=dict)
    problems: Mapping[str, str] | None = None
    degraded: tuple[str, ...] | None = None


def read_expect(draft: Draft, node: Node, catalog: Catalog) -> Expect:
    """`expect:` of a case; what is wrong with it is among the findings."""
    sheet, offers = draft.sheet, catalog.by_id
    fields = sheet.fields(node, "expect", EXPECT_KEYS)
    if isinstance(node, MapNode) and not node.entries:
        hint = f"Add one of {listed(EXPECT_KEYS)}."
        sheet.error(node, "TEST_MISSING", "a case that expects nothing cannot fail.", hint)
    placements = _entries(sheet, fields.get("placements"), "placements")
    reasons = _entries(sheet, fields.get("reasons"), "reasons", tuple(offers), "UNKNOWN_OFFER")
    problems = _entries(sheet, fields.get("problems"), "problems")
    codes = {name: sheet.choice(value, name, PROBLEMS) or "" for name, value in problems.items()}
    absent = _words(sheet, fields, "absent", tuple(offers), "UNKNOWN_OFFER") or ()
    return Expect(
        placements={name: _items(draft, name, value, catalog) for name, value in placements.items()},
        fallback=_words(sheet, fields, "fallback", tuple(catalog.placements), "UNKNOWN_PLACEMENT"),
        absent=tuple(OfferId(name) for name in absent),
        reasons={OfferId(name): _codes(sheet, value, name) for name, value in reasons.items()},
        problems=codes if "problems" in fields else None,
        degraded=_words(sheet, fields, "degraded", DEGRADED),
    )


def _items(draft: Draft, name: str, node: Node, catalog: Catalog) -> tuple[Expected, ...]:
    """The items of one placement; `[]` for none."""
    if not isinstance(node, TextNode | MapNode) and not node.items:
        return ()
    return tuple(_item(draft, each, catalog) for each in draft.sheet.one_or_more(node, name))


def _item(draft: Draft, node: Node, catalog: Catalog) -> Expected:
    sheet = draft.sheet
    if isinstance(node, TextNode):
        return {"offer": sheet.choice(node, "an offer", catalog.by_id, "UNKNOWN_OFFER")}
    fields = sheet.fields(node, "an item", ITEM_KEYS, ("offer",))
    read: dict[str, object] = {}
    for key, value in fields.items():
        if key == "offer":
            read[key] = sheet.choice(value, "offer", catalog.by_id, "UNKNOWN_OFFER")
        elif key in ("price", "prior"):
            read[key] = _price(sheet, value, key)
        elif key == "offline":
            read[key] = sheet.boolean(value, key)
        elif key == "disclosures":
            read[key] = _disclosures(sheet, value)
        elif key == "expires":
            found = draft.instant(value, key)
            read[key] = None if found is None else format_instant(found.at)
        else:
            text = sheet.text(value, key)
            read[key] = None if text is None else plain(text)
    return read


def told(item: Item, like: Expected) -> Expected:
    """An item as a case writes it: its offer, and of the rest what the case says anything about."""
    words, price = item.representation, item.price
    everything: dict[str, object] = {
        "offer": item.offer_id,
        "about": item.subject,
        "price": NONE if price is None else Money(price.minor, price.currency),
        "prior": NONE if price is None or price.prior is None else Money(price.prior.minor, price.currency),
        "price_text": NONE if price is None else price.text,
        "title": words.title,
        "body": words.body,
        "button": words.button,
        "alt": words.image.alt,
        "why": words.why_shown,
        "locale": words.locale,
        "dir": words.dir,
        "link": words.action["link"],
        "sms": NONE if words.sms is None else words.sms,
        "offline": item.offline.show,
        "disclosures": words.disclosures,
        "expires": format_instant(item.expires),
    }
    found = {key: plain(value) if isinstance(value, str) else value for key, value in everything.items()}
    return {key: found[key] for key in ITEM_KEYS if key == "offer" or key in like}


def plain(text: str) -> str:
    """With spaces as a keyboard has them: `49,00 €` is written with one that does not break."""
    return _SPACES.sub(" ", text)


def _entries(
    sheet: Sheet, node: Node | None, name: str, known: tuple[str, ...] = (), code: str = ""
) -> dict[str, Node]:
    if node is None:
        return {}
    found = {}
    for key, (word, value) in sheet.entries(node, name, f"{name} by their id").items():
        if not known or sheet.choice(word, name, known, code) in known:
            found[key] = value
    return found


def _words(
    sheet: Sheet, fields: Mapping[str, Node], key: str, known: tuple[str, ...], code: str = "UNKNOWN_CHOICE"
) -> tuple[str, ...] | None:
    if key not in fields:
        return None
    node = fields[key]
    if not isinstance(node, TextNode | MapNode) and not node.items:
        return ()
    return sheet.words(node, key, known, code)


def _codes(sheet: Sheet, node: Node, name: str) -> tuple[str, ...]:
    known = tuple(code.value for code in Code)
    found = [sheet.choice(item, f"reasons.{name}", known) for item in sheet.one_or_more(node, name)]
    return tuple(code for code in found if code is not None)


def _price(sheet: Sheet, node: Node, name: str) -> object:
    if isinstance(node, TextNode) and node.text == NONE:
        return NONE
    return sheet.parsed(node, name, money)


def _disclosures(sheet: Sheet, node: Node) -> tuple[str, ...]:
    if not isinstance(node, TextNode | MapNode) and not node.items:
        return ()
    found = [sheet.text(item, "disclosures") for item in sheet.one_or_more(node, "disclosures")]
    return tuple(word for word in found if word is not None)
