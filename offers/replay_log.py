"""Many decisions of the lake replayed: how many are the same, and what differs where they are not."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from offers.decide import decide
from offers.engine import Engine
from offers.replay import SCORE_TOLERANCE, differing_scores, redecided
from streams.errors import InvalidInput, NotFound
from streams.ids import DecisionId, Millis, RevisionId
from streams.instant import format_instant
from streams.record import DecisionRecord, ShownItem

FORMAT = 1
EXAMPLES = 20
"""Decisions that differ and are told by their id."""
MOST = 10_000
Seen = Callable[[int], None]


class Differing(msgspec.Struct, frozen=True):
    """A decision that is not the same, for `offing explain`."""

    decision_id: DecisionId
    differences: tuple[str, ...]


class ReplayedLog(msgspec.Struct, frozen=True):
    """What `offing replay` prints."""

    v: int
    decisions: int
    same_bytes: int
    """From the logged scores they have the very bytes that were logged."""
    scores: int
    """Scores of candidates that the record's own model gave again."""
    scores_within: int
    """Of those, the ones within 1e-9 of what was logged."""
    largest_difference: float
    rescored: int
    """Decisions whose model is at hand."""
    differences: dict[str, int]
    """Decisions by what differs: engine, revision, model, what would be shown, bytes, scores, candidates."""
    not_replayed: dict[str, int]
    """Decisions by why they could not be: their revision is not kept."""
    examples: tuple[Differing, ...]
    since: Millis | None
    until: Millis | None

    @property
    def same(self) -> bool:
        """Every decision could be replayed, has its bytes, and its scores where they could be asked for."""
        return self.decisions == self.same_bytes and self.scores == self.scores_within and not self.not_replayed


@dataclass(slots=True)
class _Counts:
    decisions: int = 0
    same_bytes: int = 0
    scores: int = 0
    within: int = 0
    largest: float = 0.0
    rescored: int = 0
    differences: Counter[str] = field(default_factory=Counter)
    not_replayed: Counter[str] = field(default_factory=Counter)
    examples: list[Differing] = field(default_factory=list)
    instants: list[Millis] = field(default_factory=list)


def replay_log(
    records: Iterable[DecisionRecord],
    engine_of: Callable[[RevisionId, str], Engine],
    seen: Seen = lambda _: None,
) -> ReplayedLog:
    """Each decision made again twice: from its logged scores, whose bytes must be the same, and by the model that

    `engine_of(revision, model)` has. Raises what `engine_of` does, but NotFound and InvalidInput, which are counted.
    """
    counts = _Counts()
    for record in records:
        seen(1)
        made = record.inputs
        counts.instants = [min([made.now, *counts.instants[:1]]), max([made.now, *counts.instants[1:]])]
        try:
            engine = engine_of(made.revision, record.model)
        except (NotFound, InvalidInput) as error:
            counts.not_replayed[error.code] += 1
            continue
        _count(counts, record, engine)
    since, until = counts.instants or (None, None)
    return ReplayedLog(
        v=FORMAT,
        decisions=counts.decisions,
        same_bytes=counts.same_bytes,
        scores=counts.scores,
        scores_within=counts.within,
        largest_difference=counts.largest,
        rescored=counts.rescored,
        differences=dict(sorted(counts.differences.items())),
        not_replayed=dict(sorted(counts.not_replayed.items())),
        examples=tuple(counts.examples),
        since=since,
        until=until,
    )


def _count(counts: _Counts, record: DecisionRecord, engine: Engine) -> None:
    again = redecided(record, engine)
    counts.decisions += 1
    counts.same_bytes += again.same_bytes
    found = [] if again.same_bytes else ["other_bytes"]
    found += ["other_engine"] if again.other_engine else []
    other = ["other_revision"] if record.inputs.revision != engine.catalog.revision else []
    other += ["other_model"] if record.model != engine.propensity.model else []
    found += [*other, *(_shown(record, engine) if other else ())]
    if record.model == engine.propensity.model:
        found += _rescored(counts, record, engine)
    counts.differences.update(found)
    if {"other_bytes", "other_scores", "other_candidates"} & set(found) and len(counts.examples) < EXAMPLES:
        counts.examples.append(Differing(record.inputs.decision_id, tuple(found)))


def _shown(record: DecisionRecord, engine: Engine) -> list[str]:
    again = decide(record.inputs, engine.catalog, engine.propensity)
    return [] if _places(again.shown) == _places(record.shown) else ["other_shown"]


def _places(shown: Iterable[ShownItem]) -> list[tuple[str, int, str, str]]:
    return [(each.placement, each.rank, each.offer.offer_id, each.about) for each in shown]


def _rescored(counts: _Counts, record: DecisionRecord, engine: Engine) -> list[str]:
    apart = differing_scores(record, engine.catalog, engine.propensity)
    if apart is None:
        return ["other_candidates"]
    within = sum(each <= SCORE_TOLERANCE for each in apart)
    counts.rescored += 1
    counts.scores += len(apart)
    counts.within += within
    counts.largest = max([counts.largest, *apart])
    return [] if within == len(apart) else ["other_scores"]


_TOLD = {
    "other_bytes": "from the logged scores another decision is made now",
    "other_engine": "another version of Offing decided; the bytes tell whether that matters",
    "other_revision": "made again with the campaigns of another revision",
    "other_model": "the model that scored is not the one at hand: only its logged scores could be used",
    "other_shown": "with that revision or model something else would be shown",
    "other_scores": f"the same model scores a candidate more than {SCORE_TOLERANCE:g} differently",
    "other_candidates": "other candidates are allowed now than were scored",
}


def page(found: ReplayedLog) -> str:
    """The same as text."""
    if found.since is None or found.until is None:
        return "no decision is in the lake for this time"
    lines = [
        f"{found.decisions:,} decisions, {format_instant(found.since)} to {format_instant(found.until)}",
        f"  {found.same_bytes:,} have the same bytes from their logged scores",
        f"  {found.scores_within:,} of {found.scores:,} scores of {found.rescored:,} decisions are within "
        f"{SCORE_TOLERANCE:g}, the largest difference is {found.largest_difference:.1e}",
    ]
    lines += [f"  {count:,} {code}: {_TOLD[code]}" for code, count in found.differences.items()]
    lines += [f"  {count:,} not replayed: {code}" for code, count in found.not_replayed.items()]
    if found.examples:
        lines += ["", "look at one with `offing explain ID`:"]
        lines += [f"  {each.decision_id}  {', '.join(each.differences)}" for each in found.examples]
    return "\n".join(lines)
