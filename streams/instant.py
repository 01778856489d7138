"""Instants: RFC 3339 text on the outside, whole milliseconds since the epoch inside."""

from datetime import UTC, datetime, timedelta

from streams.errors import InvalidInput
from streams.ids import Millis

SECOND_MS = 1_000
MINUTE_MS = 60 * SECOND_MS
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse_instant(text: str) -> Millis:
    """RFC 3339 with an offset -> milliseconds. Raises InvalidInput TIME_INVALID.

    >>> parse_instant("2026-11-21T18:04:11Z")
    1795284251000
    """
    try:
        moment = datetime.fromisoformat(text)
    except (ValueError, TypeError) as error:
        raise InvalidInput("TIME_INVALID", f"{text!r} is not a time such as '2026-11-21T18:04:11Z'") from error
    if moment.tzinfo is None:
        raise InvalidInput("TIME_INVALID", f"{text!r} has no zone; write '{text}Z' or an offset such as '+01:00'")
    return millis(moment)


def millis(moment: datetime) -> Millis:
    """An aware datetime -> milliseconds; sub-millisecond parts are cut."""
    since = moment - EPOCH  # in its three parts: dividing one timedelta by another takes three times as long
    return since.days * DAY_MS + since.seconds * SECOND_MS + since.microseconds // 1000


def moment(at: Millis) -> datetime:
    """Milliseconds -> an aware datetime in UTC. Raises InvalidInput TIME_INVALID beyond year 9999."""
    try:
        return EPOCH + timedelta(milliseconds=at)
    except OverflowError as error:
        raise InvalidInput("TIME_INVALID", f"{at} ms is not an instant between the years 1 and 9999") from error


def format_instant(at: Millis) -> str:
    """Milliseconds -> RFC 3339 in UTC, with milliseconds only where there are any.

    >>> format_instant(1795284251000)
    '2026-11-21T18:04:11Z'
    """
    text = moment(at).isoformat(timespec="milliseconds" if at % 1000 else "seconds")
    return text.replace("+00:00", "Z")
