"""How long a decision holds: the first instant at which time alone may change it."""

from collections.abc import Iterator
from itertools import chain

from offers.catalog import Catalog, facts_of
from offers.condition import LOCATION, View
from offers.own_time import instant_of, next_changes
from offers.proposition import Slate
from offers.representation import expires
from streams.ids import Millis
from streams.profile import BUCKET_MS, bucket_of
from streams.record import NOTHING, DecisionInputs, Subject


def valid_until(inputs: DecisionInputs, catalog: Catalog, slates: tuple[Slate, ...]) -> Millis:
    """The next boundary after `now`: refresh, schedules, seasons, counter buckets, freshness, subjects, expiry.

    Until then deciding again gives the same slates, but for a model whose features move with the clock: those the
    placements' refresh bounds. `now` itself where whereabouts were found too old: a newer fix of the same place would
    be answered otherwise, so this is kept for nobody.
    """
    if _found_too_old(inputs, catalog):
        return inputs.now
    return min(at for at in _boundaries(inputs, catalog, slates) if at > inputs.now)


def _found_too_old(inputs: DecisionInputs, catalog: Catalog) -> bool:
    where = inputs.whereabouts
    asked = (fresh for name, fresh in catalog.freshness if name == LOCATION)
    return where.cell is not None and any(where.at + fresh < inputs.now for fresh in asked)


def _boundaries(inputs: DecisionInputs, catalog: Catalog, slates: tuple[Slate, ...]) -> Iterator[Millis]:
    now = inputs.now
    known = (catalog.placements.get(slate.placement) for slate in slates)
    yield now + 1000 * min((placement.refresh_after_s for placement in known if placement), default=1)
    yield catalog.interval(now)[1]
    yield inputs.season_changes_at
    yield (bucket_of(now) + 1) * BUCKET_MS  # calendar windows and friends move on; so does every local hour
    for span in catalog.spans:
        yield (bucket_of(now - span) + 1) * BUCKET_MS + span
    yield inputs.subjects_change_at
    for slate in slates:
        for slot in slate.slots:
            yield expires(slot.candidate, now, inputs.seasons)
    yield from _freshness_ends(inputs, catalog)
    for subjects in inputs.subjects.values():
        for subject in subjects:
            yield subject.changes_at
            yield from _subject_ends(subject, inputs, catalog)
    if catalog.local_plans:
        yield from _local_changes(inputs, catalog)


def _local_changes(inputs: DecisionInputs, catalog: Catalog) -> Iterator[Millis]:
    """Days and hours on the clocks of the customer and of the subjects' ports."""
    facts = facts_of(inputs)
    for subject in (NOTHING, *chain.from_iterable(inputs.subjects.values())):
        view = View(facts, subject.facts, inputs.whereabouts, catalog.places, inputs.now)
        yield from next_changes(catalog.local_plans, view)


def _freshness_ends(inputs: DecisionInputs, catalog: Catalog) -> Iterator[Millis]:
    facts = facts_of(inputs)
    for name, fresh in catalog.freshness:
        if name == LOCATION:
            yield inputs.whereabouts.at + fresh + 1
        elif (fact := facts.get(name)) is not None:
            yield fact[1] + fresh + 1


def _subject_ends(subject: Subject, inputs: DecisionInputs, catalog: Catalog) -> Iterator[Millis]:
    for name, fresh in catalog.freshness:
        fact = subject.facts.get(name)
        if fact is not None:
            yield fact[1] + fresh + 1
    departure = subject.facts.get("sailing.departure")
    if departure is not None and isinstance(departure[0], int):
        for threshold in catalog.countdowns:
            yield departure[0] - threshold  # `at most` begins to hold
            yield departure[0] - threshold + 1  # `at least` ends
    for relative in catalog.relative_ends:
        at = instant_of(relative, subject.facts)
        if at is not None:
            yield at
