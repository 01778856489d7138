"""ProfileConsumer: folds offing.customers into the stored profiles, each event once, whatever dies in between.

The order of one batch is the whole trick: what the store lacks is read again; then fold; dead letters and news for
friends are appended, durably; profiles are saved, each only if nobody else saved it meanwhile; the totals grow by what
was saved; the store notes how far it came; and last the log's commit. A crash between any two of them repeats work that
the watermarks make harmless. Totals may miss a batch in it, since what was saved is no longer new, and never count one
twice.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from time import perf_counter
from typing import Unpack

from streams import telemetry
from streams.attributes import AttributeSet, Value
from streams.consumer import Intake, Offsets, following, wall_clock
from streams.customer_consumer import CustomerConsumer, Manner
from streams.dead_letters import DeadLetter, parsed
from streams.deployment import Active
from streams.errors import LogRestarted, Retry
from streams.events import Booking, Event, Outcome, to_bytes
from streams.fold import Draft, FoldStatus
from streams.friends import friend_events
from streams.ids import CustomerId, Millis
from streams.log import CUSTOMERS, Entry, EventLog, LogRecord
from streams.profile import Opened, effective
from streams.profile_mask import Retention, mask
from streams.profile_store import Loaded, ProfileStore, Stored
from streams.reached import Reached
from streams.totals import Counted, Kept, Series

GROUP = "profiles"
TRIES = 20
APPEND_S = 30.0
WAITS = 6
"""For declarations; with Consumer's waits 3 s, and a process asks four times a second what is active."""


@dataclass(slots=True)
class Batch:
    """What one batch came to."""

    changes: dict[CustomerId, tuple[Stored, Opened]] = field(default_factory=dict)
    letters: list[DeadLetter] = field(default_factory=list)
    told: list[tuple[Event, Millis]] = field(default_factory=list)
    """customer.friend_booked events and the instant they are recorded at."""
    done: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(event type, fold status) -> how many."""
    skipped: Counter[str] = field(default_factory=Counter)
    """The events' own names of what the declarations do not accept -> how many."""
    totals: dict[CustomerId, tuple[int, list[str]]] = field(default_factory=dict)
    """(partition, fields of the totals that this customer's events move)"""
    newest: Millis = 0
    """When the last of its records was recorded."""


Publish = Callable[[Batch], None]


class ProfileConsumer(CustomerConsumer):
    """The one writer of profiles. Raises Stop: LogRestarted, DeadLetterLimit, PROFILE_FORMAT."""

    INTAKE = Intake(GROUP, (CUSTOMERS,))

    def __init__(self, log: EventLog, store: ProfileStore, active: Active, **manner: Unpack[Manner]) -> None:
        super().__init__(log, store, active, **manner)
        self._epoch = log.epoch()
        self._connects = 0
        self._declared = active().attributes
        self._unaccepted: set[str] = set()
        """Names that were waited for in vain under these declarations."""
        self._waits = 0
        self._writer = store.total_writer()
        self._asked: tuple[Series, ...] = ()
        self._kept = Kept()
        self._next: dict[int, int] = {}
        """Partition -> the offset this consumer would apply next, if nothing was lost since."""

    def take(self, records: Sequence[LogRecord], before: Offsets) -> Offsets:
        starts = {partition: offset for (_, partition), offset in before.items()}
        if not starts:
            return {}
        started = perf_counter()
        ends = starts | {partition: offset for (_, partition), offset in following(records).items()}
        batch = self._apply(records, starts, ends, partial(self._publish, records))
        if not records:
            return {}
        self._measure(batch, records, perf_counter() - started)
        return following(records)

    def catch_up(self, ends: Mapping[int, int]) -> None:
        """Bring the store up to these offsets, quietly: friends were told and dead letters written long ago."""
        self._apply((), ends, ends, _quietly)

    def _apply(
        self, records: Sequence[LogRecord], starts: Mapping[int, int], ends: Mapping[int, int], publish: Publish
    ) -> Batch:
        """Fold and save the records between `starts` and `ends`, onto a store that holds all before them."""
        read = [parsed(record, CUSTOMERS) for record in records]
        customers = sorted({item.customer_id for item in read if isinstance(item, Event)})
        for _ in range(TRIES):
            loaded = self._store.load_many(customers, self._epoch, tuple(starts))
            if self._reread(loaded.reached, starts):
                continue
            batch = self._fold(records, read, loaded)
            publish(batch)
            if self._saved(batch, loaded.reached, ends):
                return batch
            telemetry.FOLD_CONFLICTS.inc()
        raise Retry(
            "STORE_CONFLICT", f"other consumers saved first {TRIES} times in a row; is one partition owned twice?"
        )

    def _reread(self, reached: Mapping[int, Reached], starts: Mapping[int, int]) -> bool:
        """Read again what the store lacks before `starts`, and after a start or a lost connection what it may lack.

        Whether anything was, so that what was loaded is out of date.
        """
        if self._store.connects != self._connects:
            self._connects = self._store.connects
            self._next.clear()
        reread = False
        for partition, start in starts.items():
            mark = reached[partition]
            trusted = self._next.get(partition) == start
            since = mark.applied if trusted else mark.settled
            if not trusted:
                self._check_log(partition, mark)
            if since < start:
                self._again(partition, since, start)
                reread = True
            self._next[partition] = start
        return reread

    def _again(self, partition: int, start: int, end: int) -> None:
        while start < end:
            if self.stopping:
                raise Retry("STOPPING", "asked to stop while reading again; what was read so far is kept")
            found = self._log.read(CUSTOMERS, partition, start, min(self._intake.batch, end - start))
            records = [record for record in found if record.position.offset < end]
            after = records[-1].position.offset + 1 if records else end
            self._next[partition] = start
            self._apply(records, {partition: start}, {partition: after}, _quietly)
            telemetry.REREAD.labels(GROUP).inc(len(records))
            start = after

    def _check_log(self, partition: int, mark: Reached) -> None:
        end = self._log.end(CUSTOMERS).get(partition, 0)
        if mark.applied > end:
            message = (
                f"the profiles hold {CUSTOMERS.name} partition {partition} up to offset {mark.applied}, but the log of "
                f"the same epoch {self._epoch} ends at {end}: it is an older copy. Bring the newer log back, or start "
                "in a new OFFING_NAMESPACE and let the profiles be built from this one"
            )
            raise LogRestarted("LOG_RESTARTED", message)

    def _fold(self, records: Sequence[LogRecord], read: Sequence[Event | DeadLetter], loaded: Loaded) -> Batch:
        batch, active = Batch(newest=max((record.recorded for record in records), default=0)), self._active()
        attributes, kept = active.attributes, self._kept_by(active.totals)
        retention = Retention(attributes)
        drafts = {customer: Draft(stored.opened, attributes, retention) for customer, stored in loaded.profiles.items()}
        for record, event in zip(records, read, strict=True):
            if isinstance(event, DeadLetter):
                batch.letters.append(event)
            elif isinstance(event.data, Booking):
                self._fold_booking(record, event, drafts[event.customer_id], batch)
            else:
                draft = drafts[event.customer_id]
                status = draft.apply(event, record.position, record.recorded)
                batch.done[event.type, status] += 1
                if status is FoldStatus.APPLIED and isinstance(event.data, Outcome):
                    counted = Counted(event.type[6:], event.data, effective(event.time, record.recorded))
                    facts = partial(_facts, draft, attributes, record.recorded)
                    moved = batch.totals.setdefault(event.customer_id, (record.position.partition, []))
                    moved[1].extend(kept.fields(counted, facts))
                if status in _LETTERS:
                    batch.letters.append(DeadLetter(record, *_LETTERS[status], was_read=True))
        for customer, draft in drafts.items():
            batch.skipped.update(draft.skipped)
            opened = draft.opened()
            if opened is not draft.began:
                batch.changes[customer] = (loaded.profiles[customer], opened)
        return batch

    def _kept_by(self, asked: tuple[Series, ...]) -> Kept:
        """What the active revision counts over all customers; made once for each."""
        if asked is not self._asked:
            self._asked, self._kept = asked, Kept(asked)
        return self._kept

    def _fold_booking(self, record: LogRecord, event: Event, draft: Draft, batch: Batch) -> None:
        before = draft.facts
        status = draft.apply(event, record.position, record.recorded)
        batch.done[event.type, status] += 1
        if status is FoldStatus.APPLIED:
            now = max(record.recorded, self._reckoning(record))
            batch.told.extend((friend, now) for friend in friend_events(event, before, draft.facts, now))

    def _publish(self, records: Sequence[LogRecord], batch: Batch) -> None:
        """Before the save: once saved, a booking is no longer new and a refused event is a duplicate, so after a crash

        nobody would learn of either.
        """
        self._await_declarations(batch)
        self._dead.report(records, batch.letters)
        if batch.told:
            entries = [Entry(event.subject, to_bytes(event), now) for event, now in batch.told]
            self._log.append(CUSTOMERS, entries).result(APPEND_S)
            telemetry.FRIENDS_TOLD.inc(len(entries))

    def _await_declarations(self, batch: Batch) -> None:
        """Raises Retry, a few times, for names not met before: a door accepted them, so it may have declarations that

        this process is about to load, and once the watermark has passed a value it is lost.
        """
        attributes = self._active().attributes
        if attributes is not self._declared:
            self._declared = attributes
            self._unaccepted.clear()
        new = batch.skipped.keys() - self._unaccepted
        if new and self._waits < WAITS:
            self._waits += 1
            raise Retry("DECLARATIONS_BEHIND", f"{len(new)} attributes accepted at the doors are not accepted here yet")
        self._waits = 0
        self._unaccepted |= new

    def _saved(self, batch: Batch, reached: Mapping[int, Reached], ends: Mapping[int, int]) -> bool:
        """Save and note how far; False if somebody else saved meanwhile or the store lost something."""
        refused = self._store.save_many(batch.changes)
        self._total(batch, refused)
        if refused:
            return False
        moved = {partition: end for partition, end in ends.items() if end > reached[partition].applied}
        now = wall_clock()
        moves = {
            partition: (reached[partition], reached[partition].advance(end, now)) for partition, end in moved.items()
        }
        if moves and not self._store.advance(self._epoch, moves):
            return False
        self._next.update(ends)
        return True

    def _total(self, batch: Batch, refused: Collection[CustomerId]) -> None:
        """Let the totals grow by what was saved: now, since folded again it is no longer new."""
        for customer, (partition, fields) in batch.totals.items():
            if customer not in refused:
                self._writer.owe(partition, fields)
        self._writer.pay()
        if self._kept:
            for partition in {partition for partition, _ in batch.totals.values()}:
                self._writer.prune(partition, batch.newest)

    def _measure(self, batch: Batch, records: Iterable[LogRecord], took_s: float) -> None:
        telemetry.FOLD_SECONDS.labels(GROUP).observe(took_s)
        for (event_type, status), number in batch.done.items():
            telemetry.FOLDED.labels(event_type, status).inc(number)
        if batch.skipped:
            telemetry.SKIPPED_VALUES.inc(batch.skipped.total())
        observe = telemetry.EVENT_TO_EFFECT_SECONDS.labels(GROUP).observe
        for record in records:
            observe(max(0, self._reckoning(record) - record.recorded) / 1000)


def rebuild(log: EventLog, store: ProfileStore, active: Active) -> None:
    """Build every profile that the log tells of, up to its end now. For an emptied store or a fresh namespace.

    Nothing is told or written besides; a consumer started on the store afterwards goes on from there. Raises Retry.
    """
    ProfileConsumer(log, store, active).catch_up(log.end(CUSTOMERS))


_LETTERS: Mapping[FoldStatus, tuple[str, str]] = {
    FoldStatus.OVERFLOW: ("TOO_MANY_COUNTED", "more than 2,000 counted events of one customer in 7 days"),
    FoldStatus.REFUSED: ("COUNTED_TOO_LATE", "a counted event more than 7 days old when it was recorded"),
}


def _facts(draft: Draft, attributes: AttributeSet, now: Millis) -> Mapping[str, tuple[Value, Millis]]:
    """What is known of a customer, behind their consent."""
    return mask(draft.facts, attributes, now=now).facts


def _quietly(batch: Batch) -> None:
    """Publish nothing: it was published when these records were new."""
