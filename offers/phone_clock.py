"""When an event happened, although the clock of the phone that says so may be wrong.

1. `sentat` is the sender's clock at sending. If it is more than 5 s off the server's, the event is moved by the
   difference, so its age is kept: a phone that thinks it is 1970 or 2100 is understood. Within 5 s the phone's time
   stands, so that a repeated event is the same event.
2. What would then lie in the future happened now.
3. Events that are counted may be 7 days old, a location 15 minutes; older ones are refused with TIME_IMPLAUSIBLE.
4. Other events before 2000 come from a clock that says nothing: from a customer's own device they count now, from a
   server they are refused.
"""

from streams.errors import InvalidInput
from streams.events import COUNTED
from streams.ids import Millis
from streams.instant import MINUTE_MS, SECOND_MS, format_instant, parse_instant
from streams.profile import COUNTED_FOR_MS

TRUSTED_MS = 5 * SECOND_MS
EARLIEST = parse_instant("2000-01-01T00:00:00Z")
LOCATION_FOR_MS = 15 * MINUTE_MS
MARGIN_MS = MINUTE_MS
"""The log records an event a little after the door took it, and the fold refuses what is too old by then: an event in

the last minute of what may be counted is taken to be a minute younger, so that nothing accepted is refused later.
"""


def corrected(time: Millis, sent: Millis | None, now: Millis) -> Millis:
    """The instant by the server's clock, never after `now`. `sent`: the sender's clock at sending, if it says so.

    >>> hour = 3_600_000
    >>> corrected(time=0, sent=2 * hour, now=500_000 * hour) == (500_000 - 2) * hour
    True
    """
    if sent is not None and abs(now - sent) > TRUSTED_MS:
        time += now - sent
    return min(time, now)


def plausible(event_type: str, time: Millis, now: Millis) -> Millis:
    """A corrected time from a customer's own device, or now instead. Raises InvalidInput TIME_IMPLAUSIBLE."""
    if time < EARLIEST and longest_age(event_type) is None:
        return now
    return checked(event_type, time, now)


def checked(event_type: str, time: Millis, now: Millis) -> Millis:
    """A corrected time from anyone else. Raises InvalidInput TIME_IMPLAUSIBLE."""
    age_ms = longest_age(event_type)
    earliest = EARLIEST if age_ms is None else max(EARLIEST, now - age_ms)
    if time < earliest:
        message = (
            f"{event_type} at {_shown(time)} is older than it may be ({format_instant(earliest)}); if the sender's "
            "clock is wrong, send `sentat`: its clock at the time of sending"
        )
        raise InvalidInput("TIME_IMPLAUSIBLE", message)
    return time if event_type not in COUNTED else max(time, min(now, earliest + MARGIN_MS))


def longest_age(event_type: str) -> Millis | None:
    """How old an event of this type may be; None: any age since 2000."""
    if event_type == "customer.location":
        return LOCATION_FOR_MS
    return COUNTED_FOR_MS if event_type in COUNTED else None


def _shown(time: Millis) -> str:
    try:
        return format_instant(time)
    except InvalidInput:
        return f"{time} ms"
