"""Shadow scoring: a candidate model on decisions that were made without it, from their records, a moment afterwards.

Nothing of it is on the path of a decision: a record holds all that a decision reads, so a pass of its own over the lake
makes the scores that the model would have given then. The pass is a process at low priority (offers.shadow_watch).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import lru_cache
from heapq import nsmallest
from pathlib import Path
from time import perf_counter

import msgspec
import numpy as np

from offers import learning, revisions, runtime
from offers.activation import load_model
from offers.catalog import Catalog
from offers.decide import ranked
from offers.models import PRIOR
from offers.shadow_log import FORMAT, ShadowDecision, ShadowLog
from scoring.examples import LIVE
from scoring.features import Propensity, Scorable, Scores
from scoring.shadow import ShadowScores, Sides, scores_of
from streams.bucket import bucket
from streams.errors import InvalidInput, NotFound
from streams.ids import DecisionId, RevisionId
from streams.instant import HOUR_MS
from streams.lake import Lake
from streams.record import DecisionInputs, DecisionRecord, ScoredCandidate, decode
from streams.settings import Settings

MOST = 500
"""Decisions a pass scores, drawn evenly from those that are new: a second or two of computing, whatever the traffic."""
FIRST_MS = HOUR_MS
"""How far back a pass looks at most: after a pause the shadow goes on with what is new."""
KEPT = 4
"""Compiled revisions in memory at a time."""


class Scored(msgspec.Struct, frozen=True):
    """What a pass did."""

    model: str
    new: int
    """Decisions since the last pass."""
    decisions: int
    """Scored of these."""
    left_out: int
    """Of those drawn: not live, without candidates, or of a revision that is not kept."""
    scores: ShadowScores | None


def score(settings: Settings, most: int = MOST) -> Scored:
    """Score what is new in the lake with the model in the shadow.

    Raises InvalidInput NO_SHADOW, MODEL_INVALID, MODEL_PROTECTED; OSError: nothing was written, the next pass may do.
    """
    model, active = _models(settings)
    log, lake = ShadowLog.of(settings.artifacts, model), Lake(settings.lake)
    since = max(log.until() or 0, learning.clock(settings, lake) - FIRST_MS)
    attributes = learning.attributes(settings)
    shadow = _Timed.of(load_model(model, settings.artifacts, attributes))
    beside = None if active == PRIOR else _Timed.of(load_model(active, settings.artifacts, attributes))
    new = _New()
    drawn = nsmallest(most, new.counted(lake.lines_after(since)), key=lambda each: bucket(each[0], "shadow"))
    records = [decode(line) for _, line in sorted(drawn)]
    catalog_of = _catalogs(settings.artifacts)
    found = [(each, made) for each in records if (made := _scored(each, shadow, beside, catalog_of)) is not None]
    if new.first is not None and new.last is not None:
        log.append(new.first, new.last, [made for _, made in found])
    sides = [sides_of(record.candidates, made.candidates) for record, made in found]
    return Scored(model, new.count, len(found), len(records) - len(found), scores_of(sides))


def _models(settings: Settings) -> tuple[str, str]:
    """Ids of the model in the shadow and of the active one."""
    with closing(runtime.ledger(settings)) as book:
        shadow, active = book.models.shadow(), book.models.active()
    if shadow is None:
        raise no_shadow()
    return shadow.id, PRIOR if active is None else active.id


def no_shadow() -> InvalidInput:
    """What is raised where there is none."""
    return InvalidInput("NO_SHADOW", "no model is in the shadow; `offing models shadow MODEL` puts one there")


@dataclass(slots=True)
class _New:
    """Counts what passes."""

    count: int = 0
    first: DecisionId | None = None
    last: DecisionId | None = None

    def counted(self, lines: Iterable[tuple[DecisionId, bytes]]) -> Iterator[tuple[DecisionId, bytes]]:
        for each in lines:
            self.count += 1
            self.first = min(self.first or each[0], each[0])
            self.last = max(self.last or each[0], each[0])
            yield each


@dataclass(slots=True)
class _Timed:
    """A propensity, and what its last scoring took."""

    propensity: Propensity
    seconds: float = 0.0

    @staticmethod
    def of(propensity: Propensity) -> "_Timed":
        found = _Timed(propensity)

        def score(inputs: DecisionInputs, items: Sequence[Scorable]) -> Scores:
            began = perf_counter()
            said = propensity.score(inputs, items)
            found.seconds = perf_counter() - began
            return said

        found.propensity = replace(propensity, score=score)
        return found


def _scored(
    record: DecisionRecord, shadow: _Timed, beside: _Timed | None, catalog_of: Callable[[RevisionId], Catalog]
) -> ShadowDecision | None:
    """None: it tells nothing."""
    if record.inputs.origin != LIVE or not record.candidates:
        return None
    try:
        catalog = catalog_of(record.inputs.revision)
    except (NotFound, InvalidInput):
        return None
    _, ranking = ranked(record.inputs, catalog, shadow.propensity)
    if beside is not None:
        ranked(record.inputs, catalog, beside.propensity)
    return ShadowDecision(
        v=FORMAT,
        decision_id=record.inputs.decision_id,
        served=record.model,
        candidates=ranking.logged(),
        seconds=shadow.seconds,
        active_seconds=None if beside is None else beside.seconds,
    )


def _catalogs(artifacts: Path) -> Callable[[RevisionId], Catalog]:
    @lru_cache(maxsize=KEPT)
    def catalog_of(revision: RevisionId) -> Catalog:
        return revisions.catalog_of(revisions.find(revision, artifacts))

    return catalog_of


def sides_of(served: Sequence[ScoredCandidate], shadow: Sequence[ScoredCandidate]) -> Sides:
    """In the order of the record. The same candidates: which are allowed does not depend on their scores."""
    by_key = {(each.offer_id, each.about): each for each in shadow}
    pairs = [(each, by_key[each.offer_id, each.about]) for each in served if (each.offer_id, each.about) in by_key]
    rows = [(one.score, one.rank_score, other.score, other.rank_score) for one, other in pairs]
    return Sides(*np.array(rows, dtype=np.float64).reshape(-1, 4).T)
