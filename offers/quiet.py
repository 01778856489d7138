"""Quiet hours: which placements are shown nothing now, and until when that cannot change."""

from collections.abc import Iterable, Iterator, Mapping

from offers import schedule
from offers.offer import Placement, QuietHours
from streams.ids import Millis, PlacementId


def quiet_now(
    rules: Iterable[QuietHours], placements: Mapping[PlacementId, Placement], now: Millis
) -> dict[PlacementId, QuietHours]:
    """Each placement whose channel is quiet at `now`, with the first rule that makes it so."""
    found: dict[PlacementId, QuietHours] = {}
    for rule in rules:
        if schedule.status(rule.plan, now, ()) is None:
            for placement in placements.values():
                if placement.channel in rule.channels:
                    found.setdefault(placement.id, rule)
    return found


def changes(rules: Iterable[QuietHours], now: Millis) -> Iterator[Millis]:
    """Instants after `now` before which no rule begins or ends; they may be earlier than that, never later."""
    for rule in rules:
        at = schedule.next_change(rule.plan, now)
        if at is not None:
            yield at


def told(rule: QuietHours) -> str:
    """The rule in words.

    >>> from offers.offer import Schedule
    >>> told(QuietHours(Schedule("Europe/Rome", hours=(1320, 480)), ("sms", "push")))
    'sms and push are quiet from 22:00 to 08:00 Europe/Rome'
    """
    begin, end = rule.plan.hours or (0, schedule.MINUTES_A_DAY)
    many = "are" if len(rule.channels) > 1 else "is"
    hours = f"from {begin // 60:02}:{begin % 60:02} to {end // 60:02}:{end % 60:02} {rule.plan.zone}"
    return f"{' and '.join(rule.channels)} {many} quiet {hours}"
