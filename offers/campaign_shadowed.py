"""SHADOWED: a limit or suppression that never decides anything, since another holds wherever it does.

Only what is certain of every customer at every time is said. Of offers nothing like it is certain: which of two comes
first is chance times value, and chances are learnt.
"""

from collections.abc import Iterator, Sequence

from offers.offer import DEVICE_CLASS, Limit, Offer, Suppression, Window
from streams.instant import DAY_MS
from streams.positioned_yaml import Node, TextNode
from streams.sheet import Sheet

LONGEST = {"day": 2 * DAY_MS, "week": 8 * DAY_MS, "month": 32 * DAY_MS}
"""What a calendar unit never outlasts, whatever the clocks do in it."""


def check_shadowed(sheet: Sheet, offer: Offer, everywhere: Sequence[Limit]) -> None:
    """Warns of what stands in the sheet's own file; `everywhere`: the limits of policies.yaml."""
    for limit, other in shadowed((*everywhere, *offer.limits)):
        if _own(sheet, limit.where):
            _say(sheet, limit.where, f"whenever this limit is reached, so is that of {other.where}.")
    for rule, longer in outlasted(offer.suppress):
        if _own(sheet, rule.where):
            _say(sheet, rule.where, f"whenever this silences the offer, so does {longer.where}.")


def shadowed(limits: Sequence[Limit]) -> Iterator[tuple[Limit, Limit]]:
    """(limit, one that is reached whenever it is); of two that are alike the later."""
    for at, limit in enumerate(limits):
        for n, other in enumerate(limits):
            if n != at and covers(other, limit) and (n < at or not covers(limit, other)):
                yield limit, other
                break


def covers(wide: Limit, limit: Limit) -> bool:
    """Whether the wide one is reached whenever the limit is, whatever a customer has met: it counts all that the limit

    counts, and asks for no more of it.
    """
    if wide.event != limit.event or wide.at_most > limit.at_most or wide.shared != limit.shared:
        return False
    if limit.shared:  # totals begin when a window is first asked for, so only the same ones compare
        same = (wide.per, wide.of, wide.window) == (limit.per, limit.of, limit.window)
        return same and wide.budget is None and limit.budget is None
    if wide.of not in (limit.of, "all"):  # an offer may have been in another collection when it was shown
        return False
    if (wide.by_subject and not limit.by_subject) or (wide.per == DEVICE_CLASS != limit.per):
        return False
    return _within(limit.window, wide.window)


def outlasted(rules: Sequence[Suppression]) -> Iterator[tuple[Suppression, Suppression]]:
    """(suppression for a time, one after the same event for as long or longer); of two that are alike the later."""
    for at, rule in enumerate(rules):
        if rule.for_ms is None:
            continue
        for n, other in enumerate(rules):
            if n != at and other.after == rule.after and other.for_ms is not None:
                if other.for_ms > rule.for_ms or (other.for_ms == rule.for_ms and n < at):
                    yield rule, other
                    break


def _within(window: Window, wide: Window) -> bool:
    """Whether the wide window holds all of the other, for one customer at one time."""
    if wide == window or wide.kind == "lifetime":
        return True
    if wide.kind == "rolling":
        length = window.length_ms if window.kind == "rolling" else LONGEST.get(window.unit)
        return length is not None and length > 0 and length <= wide.length_ms
    return window.kind == wide.kind == "calendar" and window.zone == wide.zone and window.unit == "day"


def _own(sheet: Sheet, where: str) -> bool:
    return where.rsplit(":", 2)[0] == sheet.path


def _say(sheet: Sheet, where: str, message: str) -> None:
    _, line, column = where.rsplit(":", 2)
    node: Node = TextNode("", True, int(line), int(column))
    sheet.warn(node, "SHADOWED", message, "It decides nothing: remove it, or make it the stricter one.")
