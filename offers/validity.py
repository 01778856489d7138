"""How long a decision holds: the first instant at which time alone may change it."""

from collections.abc import Iterator

from offers.catalog import Catalog, facts_of
from offers.condition import LOCATION
from offers.eligibility import instant_of
from offers.proposition import Slate
from streams.ids import Millis
from streams.profile import BUCKET_MS
from streams.record import DecisionInputs, Subject


def valid_until(inputs: DecisionInputs, catalog: Catalog, slates: tuple[Slate, ...]) -> Millis:
    """The next boundary after `now`: refresh, schedules, seasons, counter buckets, freshness, subjects."""
    return min(at for at in _boundaries(inputs, catalog, slates) if at > inputs.now)


def _boundaries(inputs: DecisionInputs, catalog: Catalog, slates: tuple[Slate, ...]) -> Iterator[Millis]:
    now = inputs.now
    known = (catalog.placements.get(slate.placement) for slate in slates)
    yield now + 1000 * min((placement.refresh_after_s for placement in known if placement), default=1)
    yield catalog.interval(now)[1]
    yield inputs.season_changes_at
    yield (now // BUCKET_MS + 1) * BUCKET_MS  # a counter's window moves on; so does every local hour
    yield from _freshness_ends(inputs, catalog)
    for subjects in inputs.subjects.values():
        for subject in subjects:
            yield subject.changes_at
            yield from _subject_ends(subject, inputs, catalog)


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
            yield departure[0] - threshold
    for relative in catalog.relative_ends:
        at = instant_of(relative, subject.facts)
        if at is not None:
            yield at
