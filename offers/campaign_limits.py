"""`limits:` and `suppress:` - how often, and not again after. What cannot be enforced is an error (idea 11)."""

import re
from collections.abc import Collection, Mapping

from offers.campaign_draft import Draft, span
from offers.campaign_schedule import relative_time
from offers.offer import DEVICE_CLASS, VISIT, Limit, Suppression, Window
from streams.attributes import Kind
from streams.errors import InvalidInput
from streams.findings import shown
from streams.instant import DAY_MS
from streams.positioned_yaml import MapNode, Node, TextNode
from streams.profile import BUCKET_MS
from streams.sheet import written
from streams.units import duration_ms, zone

KEYS = ("count", "per", "of", "at_most", "window", "strict", "above_stock")
SUPPRESS_KEYS = ("after", "for", "until")
COUNTED = {
    "exposure": "exposed",
    "click": "clicked",
    "dismissal": "dismissed",
    "redemption": "redeemed",
}
"""What a limit counts -> the event."""
PER = ("customer", "booking", DEVICE_CLASS, "campaign")
"""Or `{attribute: customer.household}`: who has the same value counts together."""
VOYAGES = ("booking", "sailing")
COUNTED_BY = frozenset({Kind.STRING, Kind.ENUM, Kind.INTEGER, Kind.BOOLEAN})
_WHOSE = {"collection": "its collection", "all": "every offer"}
OF = ("offer", "campaign", "collection", "all")
AFTER = ("dismissed", "clicked", "redeemed")
SHARED_FOR_MS = 31 * DAY_MS
"""The longest window of a limit by a value: values come and go, and each is counted apart."""
COUNTED_FOR_MS = 400 * DAY_MS
"""Counters remember for so long in which quarter of an hour something happened; then only that it did."""
MAX_COUNT = 1_000_000
_NO_DEVICE = (
    "device",
    "no event says which device it was, only of which class.",
    "Write 'per: device_class': phones, tablets and desktops count apart.",
)
_NO_DECISION = (
    "decision",
    "decisions are not counted: what was chosen and never seen counts for nothing.",
    "Write 'count: exposure'.",
)
_WINDOW = re.compile(
    r"rolling (?P<length>.+)|calendar (?P<unit>day|week|month)(?: in (?P<zone>\S+))?|lifetime|visit|voyage"
)


def read_limits(draft: Draft, node: Node | None, collection: str | None) -> tuple[Limit, ...]:
    """The frequency caps of one offer; `of` means the offer if it is left out."""
    if node is None:
        return ()
    items = draft.sheet.items(node, "limits")
    return tuple(limit for item in items if (limit := _limit(draft, item, "offer", collection)) is not None)


def read_policies(draft: Draft, node: Node | None) -> tuple[Limit, ...]:
    """The caps on every campaign; `of` means all offers together if it is left out."""
    if node is None:
        return ()
    items = draft.sheet.items(node, "limits")
    return tuple(limit for item in items if (limit := _limit(draft, item, "all", None)) is not None)


def read_suppress(draft: Draft, node: Node | None) -> tuple[Suppression, ...]:
    """`{after: dismissed, for: 7 d}`, or `until:` an instant of the subject; one or a list."""
    if node is None:
        return ()
    items = draft.sheet.one_or_more(node, "suppress")
    return tuple(rule for item in items if (rule := _suppression(draft, item)) is not None)


def window(text: str, zone_name: str) -> Window:
    """`rolling 24 h`, `calendar day in Europe/Rome`, `lifetime`, `visit`, `voyage`.

    Raises InvalidInput WINDOW_INVALID or of its parts.
    """
    match = _WINDOW.fullmatch(text)
    if match is None:
        mend = (
            "Write 'rolling 24 h', 'calendar day', 'calendar week', 'calendar month', 'lifetime', 'visit' or 'voyage'."
        )
        raise InvalidInput("WINDOW_INVALID", f"{shown(text)} is not a window. {mend}")
    if match["unit"] is not None:
        return Window("calendar", unit=match["unit"], zone=str(zone(match["zone"] or zone_name)))
    if match["length"] is None:
        return Window(text)
    length_ms = duration_ms(match["length"])
    if not BUCKET_MS <= length_ms <= COUNTED_FOR_MS:
        counted = f"events are counted by the quarter of an hour, for {span(COUNTED_FOR_MS)}"
        raise InvalidInput("WINDOW_INVALID", f"{counted}. Write 'rolling 15 min' to 'rolling 400 d', or 'lifetime'.")
    return Window("rolling", length_ms)


def _limit(draft: Draft, node: Node, usual: str, collection: str | None) -> Limit | None:
    sheet = draft.sheet
    fields = sheet.fields(node, "a limit", KEYS, ("count", "at_most"))
    later = "count" in fields and _later(draft, fields["count"], _NO_DECISION)
    count = None if later else _chosen(draft, fields, "count", COUNTED)
    per = _per(draft, fields.get("per"))
    of = _chosen(draft, fields, "of", OF) or ("campaign" if per == "campaign" else usual)
    at_most = sheet.integer(fields["at_most"], "at_most", 1, MAX_COUNT) if "at_most" in fields else None
    _check_enforced(draft, fields, count)
    if per == "booking" and (collection is None or draft.about is None or draft.about.kind != "booking"):
        message = "a limit per booking needs an offer about one."
        hint = (
            "Write 'per: customer'."
            if collection is None
            else "Give the offer 'about: booking', or write 'per: customer'."
        )
        sheet.error(fields["per"], "NO_ABOUT", message, hint)
    if of == "collection" and collection == "":
        sheet.error(fields["of"], "KEY_MISSING", "the offer is in no collection.", "Add 'collection:' to the offer.")
    if count is None or at_most is None or per is None:
        return None
    found = read_window(draft, fields.get("window"))
    limit = Limit(COUNTED[count], per, of, at_most, found, sheet.where(node))
    _check_voyage(draft, fields, limit)
    _check_shared(draft, fields, limit)
    return limit


def _later(draft: Draft, node: Node, told: tuple[str, str, str]) -> bool:
    """Whether it is a word of the field that no data stands behind: then the finding says what there is instead."""
    word, message, hint = told
    if not isinstance(node, TextNode) or node.text.strip() != word:
        return False
    draft.sheet.error(node, "UNKNOWN_CHOICE", message, hint)
    return True


def _chosen(draft: Draft, fields: Mapping[str, Node], key: str, known: Collection[str]) -> str | None:
    return draft.sheet.choice(fields[key], key, tuple(known)) if key in fields else None


def _per(draft: Draft, node: Node | None) -> str | None:
    """Whose events count together: a word, or `{attribute: customer.household}`."""
    if node is None:
        return "customer"
    if not isinstance(node, MapNode):
        return None if _later(draft, node, _NO_DEVICE) else draft.sheet.choice(node, "per", PER)
    fields = draft.sheet.fields(node, "per", ("attribute",), ("attribute",))
    name = draft.sheet.text(fields["attribute"], "per.attribute") if "attribute" in fields else None
    if name is None:
        return None
    found = draft.attribute(fields["attribute"], name)
    if found is not None and (found.scope != "customer" or found.kind not in COUNTED_BY):
        message = f"{name} is not what customers can be counted by."
        hint = "Name an attribute of the customer that is a text, a level, a whole number or true and false."
        draft.sheet.error(fields["attribute"], "WRONG_TYPE", message, hint)
        return None
    return None if found is None else name


def _check_enforced(draft: Draft, fields: Mapping[str, Node], count: str | None) -> None:
    """LIMIT_NOT_ENFORCED: counters lag by the consumer's delay, which money and redemptions must not (idea 11)."""
    strict = draft.sheet.boolean(fields["strict"], "strict") if "strict" in fields else True
    if "above_stock" in fields:  # for campaign_market, which warns of more than there is
        draft.sheet.boolean(fields["above_stock"], "above_stock")
    if strict is False:
        return
    hint = "Add 'strict: false' if a limit that may be passed by a few will do."
    per = fields.get("per")
    if isinstance(per, MapNode) or (isinstance(per, TextNode) and per.text.strip() == "campaign"):
        message = "what customers do together is not limited strictly in this version."
        draft.sheet.error(per, "LIMIT_NOT_ENFORCED", message, hint)
    elif count == "redemption":
        message = "a limit of redemptions is not enforced strictly in this version."
        draft.sheet.error(fields["count"], "LIMIT_NOT_ENFORCED", message, hint)


def _check_voyage(draft: Draft, fields: Mapping[str, Node], limit: Limit) -> None:
    """NO_ABOUT where the offer is about nothing that has one; policies hold for such offers too."""
    if limit.window.kind == "voyage" and (draft.about is None or draft.about.kind not in VOYAGES):
        hint = "Give the offer 'about: booking' or 'about: {sailing: next}', or write 'rolling 7 d'."
        draft.sheet.error(fields["window"], "NO_ABOUT", "a limit on a voyage needs an offer about one.", hint)


def _check_shared(draft: Draft, fields: Mapping[str, Node], limit: Limit) -> None:
    """What can be counted of all customers together."""
    if limit.per == "campaign" and limit.of not in ("offer", "campaign"):
        message = f"'per: campaign' counts the campaign's own events, not those of {_WHOSE[limit.of]}."
        draft.sheet.error(fields["of"], "KEYS_TOGETHER", message, "Remove 'of'.")
    elif limit.shared and limit.window.kind in (VISIT, "voyage"):
        message = f"what customers do together is not counted by {limit.window.kind}."
        hint = "Write 'window: rolling 7 d', or leave it out: since ever."
        draft.sheet.error(fields["window"], "WINDOW_INVALID", message, hint)
    elif "." in limit.per and not _ends(limit.window):
        message = f"a limit by {limit.per} needs a window of at most {span(SHARED_FOR_MS)}."
        hint = "Write 'window: rolling 7 d' or 'window: calendar month'."
        draft.sheet.error(fields.get("window", fields["per"]), "WINDOW_INVALID", message, hint)


def _ends(found: Window) -> bool:
    return found.kind == "calendar" or (found.kind == "rolling" and found.length_ms <= SHARED_FOR_MS)


def read_window(draft: Draft, node: Node | None) -> Window:
    """`window:`; lifetime if there is none."""
    if node is None:
        return Window()
    found = draft.sheet.parsed(node, "window", lambda text: window(text, draft.zone or "UTC"))
    if found is not None and found.kind == "calendar" and found.zone == "UTC" and draft.zone is None:
        if "UTC" not in written(node):
            hint = "Write 'in Europe/Rome' behind it."
            draft.sheet.warn(node, "ZONE_MISSING", "the calendar of this window is that of UTC.", hint)
    return found or Window()


def _suppression(draft: Draft, node: Node) -> Suppression | None:
    fields = draft.sheet.fields(node, "suppress", SUPPRESS_KEYS, ("after",))
    after = _chosen(draft, fields, "after", AFTER)
    if ("for" in fields) == ("until" in fields):
        if isinstance(node, MapNode):
            hint = "Write 'for: 7 d' or 'until: sailing.departure'."
            draft.sheet.error(node, "KEYS_TOGETHER", "suppress needs either 'for' or 'until'.", hint)
        return None
    where = draft.sheet.where(node)
    if "until" in fields:
        until = relative_time(draft, fields["until"], "suppress.until")
        return None if after is None or until is None else Suppression(after, until=until, where=where)
    for_ms = draft.duration(fields["for"], "suppress.for", BUCKET_MS, COUNTED_FOR_MS)
    return None if after is None or for_ms is None else Suppression(after, for_ms, where=where)
