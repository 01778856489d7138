"""LocationConsumer: raw fixes from offing.locations become presence, which is forgotten after 15 minutes.

Nothing of a fix is kept but the Whereabouts: no profile, no dead letter, no log line and no metric holds a coordinate.
"""

from collections.abc import Sequence

from msgspec import structs

from streams import telemetry
from streams.consumer import Intake, Offsets, following
from streams.customer_consumer import CustomerConsumer
from streams.dead_letters import DeadLetter, parsed
from streams.errors import InvalidInput
from streams.events import Event, Location
from streams.ids import CustomerId, Millis
from streams.log import LOCATIONS, LogRecord
from streams.places import Fix, Places, Whereabouts
from streams.profile_store import PRESENCE_MS
from streams.whereabouts import LOCATED

GROUP = "locations"
FORGETTING = frozenset({"denied", "off"})
"""These replace an earlier presence by one that says nothing but that, until it expires too."""


class LocationConsumer(CustomerConsumer):
    """The one writer of presence. What a crash loses of it is at most 15 minutes old and comes again by itself."""

    INTAKE = Intake(GROUP, (LOCATIONS,))

    def take(self, records: Sequence[LogRecord], before: Offsets) -> Offsets:
        if not records:
            return {}
        places = self._active().places
        seen: list[tuple[CustomerId, Whereabouts, Millis]] = []
        letters: list[DeadLetter] = []
        for record in records:
            event = parsed(record, LOCATIONS)
            if isinstance(event, DeadLetter):
                letters.append(event)
                continue
            try:
                whereabouts = resolved(event, record.recorded, places)
            except InvalidInput as error:
                letters.append(DeadLetter(record, error.code, error.message, was_read=True))
                continue
            lives_ms = min(PRESENCE_MS, whereabouts.at + PRESENCE_MS - self._reckoning(record))
            result = _result(whereabouts, lives_ms)
            if result in ("kept", "forgotten"):
                seen.append((event.customer_id, whereabouts, lives_ms))
            telemetry.PRESENCE.labels(result).inc()
        self._dead.report(records, letters)
        self._store.keep_presence(seen)
        return following(records)


def resolved(event: Event, recorded: Millis, places: Places) -> Whereabouts:
    """Where an event says its customer is, dated by the event but never later than recorded. Raises InvalidInput."""
    data, at = event.data, min(event.time, recorded)
    if not isinstance(data, Location):
        raise InvalidInput("EVENT_MISPLACED", f"{event.type} does not belong on {LOCATIONS.name}")
    if data.status not in LOCATED:
        return structs.replace(places.resolve(None, data.status), at=at)
    return places.resolve(Fix(data.lat, data.lon, data.accuracy_m, at), data.status)


def _result(whereabouts: Whereabouts, lives_ms: Millis) -> str:
    if lives_ms <= 0:
        return "too_old"
    if whereabouts.status in FORGETTING:
        return "forgotten"
    return "kept" if whereabouts.cell is not None else "nothing"
