"""What of a schedule depends on who is asked and what about: '48 h before sailing.departure', clocks of their own."""

from collections.abc import Iterable, Iterator

from offers import schedule
from offers.condition import View
from offers.condition_words import instant, length
from offers.local_zone import CUSTOMER, CUSTOMER_ZONES, placed, zone_of
from offers.offer import RelativeTime, Schedule
from offers.proposition import Code, Reason
from streams.attributes import Facts
from streams.ids import Millis


def instant_of(relative: RelativeTime, facts: Facts) -> Millis | None:
    """`90 min before sailing.departure` for this subject; None: the fact is missing."""
    fact = facts.get(relative.attribute)
    return fact[0] + relative.offset_ms if fact is not None and isinstance(fact[0], int) else None


def told(relative: RelativeTime) -> str:
    """A relative time in words.

    >>> told(RelativeTime("sailing.departure", -5_400_000)), told(RelativeTime("sailing.arrival", 0))
    ('1 h 30 min before sailing.departure', 'sailing.arrival')
    """
    if not relative.offset_ms:
        return relative.attribute
    side = "before" if relative.offset_ms < 0 else "after"
    return f"{length(abs(relative.offset_ms))} {side} {relative.attribute}"


def untimely(plan: Schedule, where: str, view: View, about: str) -> Iterator[Reason]:
    """Everything in a schedule that speaks against one candidate now and not against all of them.

    `about` names its subject, `where` the campaign.
    """
    yield from _outside(plan, where, view, about)
    if plan.local:
        zone = zone_of(plan.local, view)
        if zone is None:
            yield Reason(Code.CONTEXT_MISSING, where, f"{_unknown(plan.local)} is not known")
        elif schedule.status(placed(plan, zone), view.now, ()) is not None:
            yield Reason(Code.NOT_SCHEDULED, where, f"it is {instant(view.now, zone)} in {zone}")


def _outside(plan: Schedule, where: str, view: View, about: str) -> Iterator[Reason]:
    """Before its relative beginning or after its relative end; a fact that is missing is told once."""
    missing: set[str] = set()
    for relative, code in ((plan.starts_relative, Code.NOT_STARTED), (plan.ends_relative, Code.EXPIRED)):
        if relative is None:
            continue
        at = instant_of(relative, view.subject)
        if at is None and relative.attribute not in missing:
            missing.add(relative.attribute)
            yield Reason(Code.CONTEXT_MISSING, where, f"{relative.attribute} is not known")
        elif at is not None and (view.now < at if code is Code.NOT_STARTED else view.now >= at):
            word = "not yet begun" if code is Code.NOT_STARTED else "over"
            yield Reason(code, where, f"{word} for {about or 'everybody'}")


def _unknown(local: str) -> str:
    return " or ".join(CUSTOMER_ZONES) if local == CUSTOMER else "which port's clock counts"


def own_plan(plan: Schedule, view: View) -> Schedule | None:
    """The days and hours of a schedule on the clock that counts for one candidate; None: nobody knows whose."""
    if not plan.local:
        return plan
    zone = zone_of(plan.local, view)
    return None if zone is None else placed(plan, zone)


def next_changes(plans: Iterable[Schedule], view: View) -> Iterator[Millis]:
    """When the days and hours of schedules on local clocks begin or end next, for one subject."""
    for plan in plans:
        own = own_plan(plan, view)
        at = None if own is None else schedule.next_change(own, view.now)
        if at is not None:
            yield at
