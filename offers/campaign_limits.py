"""`limits:` and `suppress:` - how often, and not again after. What cannot be enforced is an error (idea 11)."""

import re
from collections.abc import Collection, Mapping

from offers.campaign_draft import Draft, span
from offers.campaign_schedule import relative_time
from offers.offer import Limit, Suppression, Window
from streams.errors import InvalidInput
from streams.findings import shown
from streams.instant import DAY_MS
from streams.positioned_yaml import MapNode, Node
from streams.profile import BUCKET_MS
from streams.sheet import written
from streams.units import duration_ms, zone

KEYS = ("count", "per", "of", "at_most", "window", "strict")
SUPPRESS_KEYS = ("after", "for", "until")
COUNTED = {
    "exposure": "exposed",
    "click": "clicked",
    "dismissal": "dismissed",
    "redemption": "redeemed",
}
"""What a limit counts -> the event."""
PER = ("customer", "booking", "campaign")
OF = ("offer", "campaign", "collection", "all")
AFTER = ("dismissed", "clicked", "redeemed")
COUNTED_FOR_MS = 400 * DAY_MS
"""Counters remember for so long in which quarter of an hour something happened; then only that it did."""
MAX_COUNT = 1_000_000
_WINDOW = re.compile(r"rolling (?P<length>.+)|calendar (?P<unit>day|week|month)(?: in (?P<zone>\S+))?|lifetime")


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
    """`rolling 24 h`, `calendar day in Europe/Rome`, `lifetime`. Raises InvalidInput WINDOW_INVALID or of its parts."""
    match = _WINDOW.fullmatch(text)
    if match is None:
        mend = "Write 'rolling 24 h', 'calendar day', 'calendar week', 'calendar month' or 'lifetime'."
        raise InvalidInput("WINDOW_INVALID", f"{shown(text)} is not a window. {mend}")
    if match["unit"] is not None:
        return Window("calendar", unit=match["unit"], zone=str(zone(match["zone"] or zone_name)))
    if match["length"] is None:
        return Window()
    length_ms = duration_ms(match["length"])
    if not BUCKET_MS <= length_ms <= COUNTED_FOR_MS:
        counted = f"events are counted by the quarter of an hour, for {span(COUNTED_FOR_MS)}"
        raise InvalidInput("WINDOW_INVALID", f"{counted}. Write 'rolling 15 min' to 'rolling 400 d', or 'lifetime'.")
    return Window("rolling", length_ms)


def _limit(draft: Draft, node: Node, usual: str, collection: str | None) -> Limit | None:
    sheet = draft.sheet
    fields = sheet.fields(node, "a limit", KEYS, ("count", "at_most"))
    count = _chosen(draft, fields, "count", COUNTED)
    per, of = _chosen(draft, fields, "per", PER) or "customer", _chosen(draft, fields, "of", OF) or usual
    at_most = sheet.integer(fields["at_most"], "at_most", 1, MAX_COUNT) if "at_most" in fields else None
    _check_enforced(draft, fields, count, per)
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
    if count is None or at_most is None or per == "campaign":
        return None
    found = _window(draft, fields.get("window"))
    return Limit(COUNTED[count], per, of, at_most, found, sheet.where(node))


def _chosen(draft: Draft, fields: Mapping[str, Node], key: str, known: Collection[str]) -> str | None:
    return draft.sheet.choice(fields[key], key, tuple(known)) if key in fields else None


def _check_enforced(draft: Draft, fields: Mapping[str, Node], count: str | None, per: str) -> None:
    """LIMIT_NOT_ENFORCED: counters lag by the consumer's delay, which money and redemptions must not (idea 11)."""
    strict = draft.sheet.boolean(fields["strict"], "strict") if "strict" in fields else True
    hint = "Add 'strict: false' if a limit that may be passed by a few will do."
    if per == "campaign":
        _check_per_campaign(draft, fields["per"], strict is False)
    elif count == "redemption" and strict is not False:
        message = "a limit of redemptions is not enforced strictly in this version."
        draft.sheet.error(fields["count"], "LIMIT_NOT_ENFORCED", message, hint)


def _check_per_campaign(draft: Draft, node: Node, kept: bool) -> None:
    """What all customers together do is not counted yet: such a limit is refused, or kept without effect."""
    if kept:
        message = "a limit per campaign has no effect in this version: nothing is counted across customers."
        draft.sheet.warn(node, "NO_EFFECT_YET", message, "Remove it, or keep it for a later one.")
    else:
        message = "a limit per campaign is not enforced in this version."
        draft.sheet.error(node, "LIMIT_NOT_ENFORCED", message, "Add 'strict: false' to keep it without effect.")


def _window(draft: Draft, node: Node | None) -> Window:
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
