"""What POST /v1/events and /v1/outcomes take in, without HTTP: bytes -> a result per event and what to append."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from offers.arrival import UNREADABLE, Arrival, Fields, Rules, event_of, fields_of, text_of, told
from offers.caller import require
from streams.errors import InvalidInput, OffingError
from streams.events import MAX_ID, Event, to_bytes
from streams.ids import CustomerId
from streams.log import Entry, Topic, topic_of

MAX_BATCH = 500
MAX_MESSAGE = 300
APP_SOURCE = "app"
"""Source of an event that came inside a decision request and names none."""


class EventResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """One event's fate, in the order sent. Clients drop everything but `retry`."""

    id: str | None
    """As the sender named it; None if it could not be read. Of an outcome: the id under which it counts once."""
    status: str
    """accepted | duplicate | rejected | retry"""
    code: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Accepted:
    """An event to append."""

    place: int
    """Of its result."""
    event: Event
    topic: Topic
    entry: Entry


@dataclass(frozen=True, slots=True)
class Batch:
    """What became of a batch before anything is appended."""

    results: tuple[EventResult, ...]
    accepted: tuple[Accepted, ...]

    @property
    def complete(self) -> bool:
        """Nothing was refused and nothing is to be sent again; duplicates are complete."""
        return all(result.status in ("accepted", "duplicate") for result in self.results)

    def by_topic(self) -> tuple[tuple[Topic, tuple[Accepted, ...]], ...]:
        """What to append, topic by topic, in the order sent."""
        topics: dict[str, tuple[Topic, list[Accepted]]] = {}
        for item in self.accepted:
            topics.setdefault(item.topic.name, (item.topic, []))[1].append(item)
        return tuple((topic, tuple(items)) for topic, items in topics.values())

    def refusing(self, places: Collection[int], error: OffingError) -> "Batch":
        """The batch with the events of these results refused after all."""
        results = tuple(
            EventResult(result.id, "rejected", error.code, error.message[:MAX_MESSAGE]) if place in places else result
            for place, result in enumerate(self.results)
        )
        return Batch(results, tuple(item for item in self.accepted if item.place not in places))

    def without(self, topic: Topic, error: OffingError) -> "Batch":
        """The batch after a failed append: the events of this topic are to be sent again."""
        lost = {item.place for item in self.accepted if item.topic == topic}
        results = tuple(
            EventResult(result.id, "retry", error.code, error.message[:MAX_MESSAGE]) if place in lost else result
            for place, result in enumerate(self.results)
        )
        return Batch(results, tuple(item for item in self.accepted if item.place not in lost))


def accept_events(body: bytes, arrival: Arrival, rules: Rules) -> Batch:
    """One CloudEvent or an array of at most 500. A single one that is refused raises its error; in an array it is a

    result and does not spoil the others. Raises NotAllowed SCOPE_MISSING, InvalidInput JSON_MALFORMED, BATCH_TOO_LARGE.
    """
    require(arrival.caller, "events")
    raws, alone = _split(body)
    taken = _Taken(arrival, rules)
    for raw in raws:
        taken.add(raw)
    return taken.batch(alone=alone)


def accept_outcomes(body: bytes, arrival: Arrival, rules: Rules) -> Batch:
    """`{token, outcome, at, sent_at}` or an array of at most 500; answered and raising like accept_events."""
    require(arrival.caller, "events")
    raws, alone = _split(body)
    taken = _Taken(arrival, rules)
    for raw in raws:
        taken.add_outcome(raw)
    return taken.batch(alone=alone)


def accept_inline(
    raws: Sequence[bytes | msgspec.Raw], sent: Mapping[str, str], arrival: Arrival, rules: Rules
) -> Batch:
    """Events inside a decision request, which may leave out what the request says already: `sent` has it, see

    `said_by_request`. Refused events are results. Raises NotAllowed SCOPE_MISSING, InvalidInput BATCH_TOO_LARGE.
    """
    if raws:
        require(arrival.caller, "events")
    _bounded(len(raws))
    defaults = {name: msgspec.Raw(_ENCODE(text)) for name, text in sent.items()}
    taken = _Taken(arrival, rules)
    for raw in raws:
        taken.add(bytes(raw), defaults)
    return taken.batch(alone=False)


def said_by_request(customer_id: CustomerId, sent_at: str | None) -> dict[str, str]:
    """What an event inside a decision request need not repeat."""
    said = {"specversion": "1.0", "source": APP_SOURCE, "subject": customer_id}
    return said if sent_at is None else {**said, "sentat": sent_at}


_ENCODE = msgspec.json.Encoder().encode
_DECODE_ONE = msgspec.json.Decoder(msgspec.Raw).decode
_DECODE_MANY = msgspec.json.Decoder(list[msgspec.Raw]).decode


class _SentOutcome(msgspec.Struct):
    token: str
    outcome: str
    at: str
    sent_at: str | None = None


_DECODE_OUTCOME = msgspec.json.Decoder(_SentOutcome).decode


@dataclass(slots=True)
class _Taken:
    """A batch being taken in."""

    arrival: Arrival
    rules: Rules
    results: list[EventResult] = field(default_factory=list)
    accepted: list[Accepted] = field(default_factory=list)
    errors: list[OffingError] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)

    def add(self, raw: bytes, defaults: Mapping[str, msgspec.Raw] | None = None) -> None:
        claimed: str | None = None
        try:
            fields = {**(defaults or {}), **fields_of(raw)}
            claimed = text_of(fields, "id")
            event = event_of(fields, self.arrival, self.rules)
        except OffingError as error:
            self._refuse(claimed, error)
        except RecursionError:
            self._refuse(claimed, InvalidInput("EVENT_MALFORMED", "data is nested too deeply"))
        else:
            self._take(claimed, event)

    def add_outcome(self, raw: bytes) -> None:
        try:
            event = event_of(_outcome_fields(raw), self.arrival, self.rules)
        except OffingError as error:
            self._refuse(None, error)
        else:
            self._take(event.id, event)

    def _refuse(self, claimed: str | None, error: OffingError) -> None:
        self.errors.append(error)
        claimed = claimed and claimed[:MAX_ID]
        self.results.append(EventResult(claimed, "rejected", error.code, error.message[:MAX_MESSAGE]))

    def _take(self, claimed: str | None, event: Event) -> None:
        known = (event.source, event.id)
        if known in self.seen:
            self.results.append(EventResult(claimed, "duplicate"))
            return
        self.seen.add(known)
        entry = Entry(event.subject, to_bytes(event), self.arrival.recorded)
        self.accepted.append(Accepted(len(self.results), event, topic_of(event.type), entry))
        self.results.append(EventResult(claimed, "accepted"))

    def batch(self, *, alone: bool) -> Batch:
        if alone and self.errors:
            raise self.errors[0]
        return Batch(tuple(self.results), tuple(self.accepted))


def _split(body: bytes) -> tuple[Iterable[bytes], bool]:
    """(the events' JSON, whether it was one and not an array)."""
    try:
        if body.lstrip(b" \t\r\n")[:1] == b"[":
            raws = _DECODE_MANY(body)
            _bounded(len(raws))
            return map(bytes, raws), False
        return (bytes(_DECODE_ONE(body)),), True
    except UNREADABLE as error:
        message = f"the body is not JSON: {told(error)}; send an event or an array in UTF-8, and no NaN or Infinity"
        raise InvalidInput("JSON_MALFORMED", message) from error


def _bounded(found: int) -> None:
    if found > MAX_BATCH:
        message = f"the batch has {found} events, at most {MAX_BATCH}; send it in several requests"
        raise InvalidInput("BATCH_TOO_LARGE", message)


def _outcome_fields(raw: bytes) -> Fields:
    """An outcome as the event it stands for; the subject is the token's customer."""
    try:
        sent = _DECODE_OUTCOME(raw)
    except UNREADABLE as error:
        raise InvalidInput("OUTCOME_MALFORMED", told(error)) from error
    kind = f"offer.{sent.outcome}"
    if sent.outcome not in ("exposed", "clicked", "dismissed"):
        message = f"outcome is {sent.outcome[:60]!r}; expected exposed, clicked or dismissed"
        raise InvalidInput("OUTCOME_UNKNOWN", message)
    said = {"specversion": "1.0", "id": "-", "source": APP_SOURCE, "type": kind, "time": sent.at}
    said = said if sent.sent_at is None else {**said, "sentat": sent.sent_at}
    return {name: msgspec.Raw(_ENCODE(text)) for name, text in {**said, "data": {"token": sent.token}}.items()}
