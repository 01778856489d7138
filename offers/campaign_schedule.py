"""`schedule:` - when an offer is live - and instants that depend on the subject ('90 min before sailing.departure')."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from offers.campaign_draft import Draft, unaliased
from offers.local_zone import CUSTOMER, CUSTOMER_ZONES, LOCAL
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
_BESIDE = re.compile(r"(?P<span>.+?) (?P<side>before|after) (?P<end>from|until)")
_SIDES = (" before ", " after ")
_OTHER = {"from": "until", "until": "from"}
_HOURS = re.compile(r"(?P<from>[0-9]{2}:[0-9]{2}) ?[-–] ?(?P<until>[0-9]{2}:[0-9]{2})")
_CLOCK = re.compile(r"(?P<hour>[01][0-9]|2[0-4]):(?P<minute>[0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Beside:
    """`3 d after from`: so long after the other end of the schedule (negative: before)."""

    offset_ms: Millis


End = Millis | RelativeTime | Beside
"""`from` or `until` as it was written."""
Known = Millis | RelativeTime | None
"""An end, what it may count from worked out."""


def read_zone(sheet: Sheet, node: Node | None) -> str | None:
    """`schedule.zone`, which the whole file is read in; None without one that is the same for everybody."""
    found = _written_zone(node)
    if found is None or read_local(node):
        return None
    checked = sheet.parsed(found, "schedule.zone", zone)
    return None if checked is None else str(checked)


def read_local(node: Node | None) -> str:
    """`zone: customer` and `zone: port`; empty for any other."""
    found = _written_zone(node)
    return found.text if isinstance(found, TextNode) and found.text in LOCAL else ""


def _written_zone(node: Node | None) -> Node | None:
    found = node.entries.get("zone") if isinstance(node, MapNode) else None
    return None if found is None else found[1]


def read_schedule(draft: Draft, node: Node | None) -> Schedule:
    """When the offer is live; always without a schedule. `zone` was read before."""
    if node is None:
        return Schedule()
    fields = draft.sheet.fields(node, "schedule", KEYS)
    starts, ends = _ends(draft, fields)
    _check_order(draft, fields, starts, ends)
    return Schedule(
        zone=_zone(draft, fields),
        starts=starts if isinstance(starts, int) else None,
        ends=ends if isinstance(ends, int) else None,
        ends_relative=ends if isinstance(ends, RelativeTime) else None,
        days=_days(draft, fields),
        hours=draft.sheet.parsed(fields["hours"], "schedule.hours", hours) if "hours" in fields else None,
        seasons=_seasons(draft, fields),
        starts_relative=starts if isinstance(starts, RelativeTime) else None,
        local=draft.local,
    )


def _check_order(draft: Draft, fields: Mapping[str, Node], starts: End | None, ends: End | None) -> None:
    """ENDS_BEFORE_START where both are known, or follow the same fact."""
    fixed = isinstance(starts, int) and isinstance(ends, int) and ends <= starts
    followed = (
        isinstance(starts, RelativeTime)
        and isinstance(ends, RelativeTime)
        and starts.attribute == ends.attribute
        and ends.offset_ms <= starts.offset_ms
    )
    if fixed or followed:
        hint = "Swap them, or correct the year." if fixed else "Swap them."
        draft.sheet.error(fields["until"], "ENDS_BEFORE_START", "schedule.until is not after schedule.from.", hint)


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
    if draft.local == CUSTOMER:
        _check_told(draft, fields["zone"])
    timed = next((fields[key] for key in ("days", "hours") if key in fields), None)
    if timed is not None and "zone" not in fields:
        message = "days and hours are read as UTC."
        draft.sheet.warn(timed, "ZONE_MISSING", message, "Give the schedule a zone: Europe/Rome.")
    return draft.zone or "UTC"


def _check_told(draft: Draft, node: Node) -> None:
    """`zone: customer` needs an attribute that says which, and the consent that it needs."""
    known = [name for name in CUSTOMER_ZONES if draft.words.attributes.of_fact(name) is not None]
    if not known:
        hint = f"Declare {' or '.join(CUSTOMER_ZONES)} in attributes.yaml, of type string, such as Europe/Rome."
        message = "no attribute says on which clock a customer lives."
        draft.sheet.error(node, "UNKNOWN_ATTRIBUTE", message, hint)
    for name in known:
        draft.attribute(node, name)


def _ends(
    draft: Draft, fields: Mapping[str, Node]
) -> tuple[Millis | RelativeTime | None, Millis | RelativeTime | None]:
    """(from, until), what follows the other end worked out."""
    starts, ends = (_end(draft, fields, key) for key in ("from", "until"))
    if isinstance(starts, Beside) and isinstance(ends, Beside):
        message = "schedule.from and schedule.until each count from the other."
        draft.sheet.error(fields["until"], "TIME_INVALID", message, "Give one of them a date, or a fact to follow.")
        return None, None
    if isinstance(starts, Beside):
        return _moved(draft, fields, "from", ends, starts), None if isinstance(ends, Beside) else ends
    return starts, _moved(draft, fields, "until", starts, ends) if isinstance(ends, Beside) else ends


def _moved(draft: Draft, fields: Mapping[str, Node], key: str, other: End | None, by: Beside) -> Known:
    """An end that lies beside the other one."""
    if isinstance(other, RelativeTime):
        return RelativeTime(other.attribute, other.offset_ms + by.offset_ms)
    if isinstance(other, int):
        return other + by.offset_ms
    if _OTHER[key] not in fields:  # else its own finding says what is wrong with it
        message = f"schedule.{key} counts from '{_OTHER[key]}', which is not there."
        draft.sheet.error(fields[key], "TIME_INVALID", message, f"Add '{_OTHER[key]}:'.")
    return None


def _end(draft: Draft, fields: Mapping[str, Node], key: str) -> End | None:
    """One end: an instant, or relative to the subject or to the other end."""
    node, name = fields.get(key), f"schedule.{key}"
    if node is None:
        return None
    beside = _BESIDE.fullmatch(node.text) if isinstance(node, TextNode) else None
    if beside is not None and beside["end"] == _OTHER[key]:
        offset_ms = _offset_ms(draft, node, name, beside)
        return None if offset_ms is None else Beside(offset_ms)
    if isinstance(node, TextNode) and (_RELATIVE.fullmatch(node.text) or any(side in node.text for side in _SIDES)):
        return relative_time(draft, node, name)
    found = draft.instant(node, name)
    if found is None:
        return None
    if key == "until" and found.whole_day and isinstance(node, TextNode):
        hint = f"Write '{node.text} 24:00' if it does, '{node.text} 00:00' if not."
        draft.sheet.error(node, "TIME_INVALID", f"schedule.until: does {node.text} still count?", hint)
    return found.at


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
