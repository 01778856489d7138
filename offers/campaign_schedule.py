"""`schedule:` - when an offer is live - and instants that depend on the subject ('90 min before sailing.departure')."""

import re
from collections.abc import Mapping

from offers.campaign_draft import Draft, unaliased
from offers.offer import RelativeTime, Schedule
from streams.attributes import SUBJECT_SCOPES, Kind
from streams.errors import InvalidInput
from streams.findings import shown
from streams.ids import Millis
from streams.positioned_yaml import MapNode, Node, TextNode
from streams.sheet import Sheet
from streams.units import duration_ms, zone

KEYS = ("from", "until", "zone", "days", "hours", "season")
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""ISO weekdays 1 to 7."""
_RELATIVE = re.compile(r"(?:(?P<span>.+?) (?P<side>before|after) )?(?P<fact>[a-z_]+(?:\.[a-z0-9_]+)+)")
_HOURS = re.compile(r"(?P<from>[0-9]{2}:[0-9]{2}) ?[-–] ?(?P<until>[0-9]{2}:[0-9]{2})")
_CLOCK = re.compile(r"(?P<hour>[01][0-9]|2[0-4]):(?P<minute>[0-5][0-9])")


def read_zone(sheet: Sheet, node: Node | None) -> str | None:
    """`schedule.zone`, which the whole file is read in; None without it, whatever else is wrong with the schedule."""
    found = node.entries.get("zone") if isinstance(node, MapNode) else None
    if found is None:
        return None
    checked = sheet.parsed(found[1], "schedule.zone", zone)
    return None if checked is None else str(checked)


def read_schedule(draft: Draft, node: Node | None) -> Schedule:
    """When the offer is live; always without a schedule. `zone` was read before."""
    if node is None:
        return Schedule()
    fields = draft.sheet.fields(node, "schedule", KEYS)
    starts = _starts(draft, fields)
    ends, ends_relative = _ends(draft, fields)
    if starts is not None and ends is not None and ends <= starts:
        hint = "Swap them, or correct the year."
        draft.sheet.error(fields["until"], "ENDS_BEFORE_START", "schedule.until is not after schedule.from.", hint)
    return Schedule(
        zone=_zone(draft, fields),
        starts=starts,
        ends=ends,
        ends_relative=ends_relative,
        days=_days(draft, fields),
        hours=draft.sheet.parsed(fields["hours"], "schedule.hours", hours) if "hours" in fields else None,
        seasons=_seasons(draft, fields),
    )


def relative_time(draft: Draft, node: Node, name: str) -> RelativeTime | None:
    """`[90 min before|after] <datetime of the subject>`, for example booking.sailing.departure."""
    text = draft.sheet.text(node, name)
    match = _RELATIVE.fullmatch(text) if text is not None else None
    if text is None or match is None:
        if text is not None:
            hint = "Write '90 min before sailing.departure' or 'sailing.departure'."
            draft.sheet.error(node, "TIME_INVALID", f"{name}: {shown(text)} names no instant of the subject.", hint)
        return None
    offset_ms = _offset_ms(draft, node, name, match)
    fact = unaliased(match["fact"])
    attribute = draft.attribute(node, fact)
    if attribute is None or offset_ms is None:
        return None
    if attribute.kind is not Kind.DATETIME or attribute.scope not in SUBJECT_SCOPES:
        hint = "Write one such as sailing.departure."
        draft.sheet.error(node, "TIME_INVALID", f"{fact} is no instant of the subject.", hint)
    return RelativeTime(fact, offset_ms)


def hours(text: str) -> tuple[int, int]:
    """'17:00-22:00' -> minutes of the day; over midnight if the end is the earlier. Raises InvalidInput TIME_INVALID.

    >>> hours("22:00-02:00")
    (1320, 120)
    """
    match = _HOURS.fullmatch(text)
    found = [_minutes(match[part]) for part in ("from", "until")] if match is not None else []
    bounds = [minutes for minutes in found if minutes is not None]
    if len(bounds) != 2 or bounds[0] == 24 * 60:
        raise InvalidInput("TIME_INVALID", f"{shown(text)} are not hours of a day. Write '17:00-22:00'.")
    if bounds[0] == bounds[1]:
        raise InvalidInput("TIME_INVALID", f"{shown(text)} begin and end together. Write '00:00-24:00', or nothing.")
    return bounds[0], bounds[1]


def _minutes(clock: str) -> int | None:
    match = _CLOCK.fullmatch(clock)
    minutes = int(match["hour"]) * 60 + int(match["minute"]) if match is not None else None
    return minutes if minutes is not None and minutes <= 24 * 60 else None


def _zone(draft: Draft, fields: Mapping[str, Node]) -> str:
    local = next((fields[key] for key in ("days", "hours") if key in fields), None)
    if local is not None and "zone" not in fields:
        message = "days and hours are read as UTC."
        draft.sheet.warn(local, "ZONE_MISSING", message, "Give the schedule a zone: Europe/Rome.")
    return draft.zone or "UTC"


def _starts(draft: Draft, fields: Mapping[str, Node]) -> Millis | None:
    if "from" not in fields:
        return None
    found = draft.instant(fields["from"], "schedule.from")
    return None if found is None else found.at


def _ends(draft: Draft, fields: Mapping[str, Node]) -> tuple[Millis | None, RelativeTime | None]:
    """`until` as an instant, or relative to the subject."""
    node = fields.get("until")
    if node is None:
        return None, None
    if isinstance(node, TextNode) and (_RELATIVE.fullmatch(node.text) or " before " in node.text):
        return None, relative_time(draft, node, "schedule.until")
    found = draft.instant(node, "schedule.until")
    if found is None:
        return None, None
    if found.whole_day and isinstance(node, TextNode):
        hint = f"Write '{node.text} 24:00' if it does, '{node.text} 00:00' if not."
        draft.sheet.error(node, "TIME_INVALID", f"schedule.until: does {node.text} still count?", hint)
    return found.at, None


def _offset_ms(draft: Draft, node: Node, name: str, match: re.Match[str]) -> Millis | None:
    if match["span"] is None:
        return 0
    length = draft.sheet.parsed(node, name, lambda _: duration_ms(match["span"]))
    return None if length is None else length if match["side"] == "after" else -length


def _days(draft: Draft, fields: Mapping[str, Node]) -> tuple[int, ...]:
    found = draft.sheet.words(fields["days"], "schedule.days", DAYS) if "days" in fields else ()
    return tuple(sorted(DAYS.index(day) + 1 for day in found))


def _seasons(draft: Draft, fields: Mapping[str, Node]) -> tuple[str, ...]:
    if "season" not in fields:
        return ()
    items = draft.sheet.one_or_more(fields["season"], "schedule.season")
    found = [draft.reference(item, "UNKNOWN_SEASON", "season", draft.words.seasons) for item in items]
    return tuple(sorted({season for season in found if season is not None}))
