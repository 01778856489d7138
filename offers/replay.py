"""A decision as it was: replayed from its record, and what differs if it does."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from offers.catalog import Catalog
from offers.decide import ENGINE, decide, digest, ranked
from offers.engine import Engine
from offers.explain import Verdict, explain
from offers.proposition import Decision
from scoring.features import Propensity, Scorable, Scores
from streams.record import DecisionInputs, DecisionRecord, ScoredCandidate

SCORE_TOLERANCE = 1e-9
UNSCORED = 0.0
"""Stands for the score of a candidate that was none when the decision was made."""


@dataclass(frozen=True, slots=True)
class Replay:
    """A replayed decision beside its record."""

    decision: Decision
    verdicts: tuple[Verdict, ...]
    same_bytes: bool
    """From the logged scores the decision has the very bytes it had."""
    differences: tuple[str, ...]
    """In words: another engine, a model that is gone or scores differently."""


def replay(record: DecisionRecord, engine: Engine) -> Replay:
    """Decide again from the logged inputs and scores. `engine` holds the record's revision."""
    catalog = engine.catalog
    decision = decide(record.inputs, catalog, logged(record))
    same = digest(decision) == record.digest
    return Replay(decision, explain(record.inputs, catalog, decision), same, tuple(_differences(record, engine, same)))


@dataclass(frozen=True, slots=True)
class Redecided:
    """A decision made again from its logged scores, without the reasons that `replay` tells."""

    same_bytes: bool
    other_engine: bool


def redecided(record: DecisionRecord, engine: Engine) -> Redecided:
    """As `replay`, for many."""
    again = digest(decide(record.inputs, engine.catalog, logged(record)))
    return Redecided(again == record.digest, record.engine != ENGINE)


def logged(record: DecisionRecord) -> Propensity:
    """A propensity that says again what was logged: same scores, same rows."""
    scores = _scores(record.candidates)
    rows = {(item.offer.offer_id, item.about): item.row for item in record.shown if item.score is not None}
    width = len(record.features)

    def score(inputs: DecisionInputs, items: Sequence[Scorable]) -> Scores:
        unseen = (float("nan"),) * width
        keys = [(offer.offer_id, subject.key) for offer, subject in items]
        probability = np.array([scores.get(key, UNSCORED) for key in keys], dtype=np.float64)
        return Scores(probability, np.array([rows.get(key, unseen) for key in keys], dtype=np.float64))

    return Propensity(record.model, record.features, frozenset(), score)


def _differences(record: DecisionRecord, engine: Engine, same: bool) -> list[str]:
    found = []
    if record.engine != ENGINE:
        found.append(f"decided by {record.engine}, replayed by {ENGINE}")
    if record.inputs.revision != engine.catalog.revision:
        found.append(f"decided under revision {record.inputs.revision}, replayed under {engine.catalog.revision}")
    if not same:
        found.append("the replayed decision has other bytes than the logged one")
    if record.model != engine.propensity.model:
        found.append(f"decided with model {record.model}; {engine.propensity.model} is active: logged scores were used")
        return found
    worst = rescored(record, engine.catalog, engine.propensity)
    if worst == float("inf"):
        found.append("other candidates are allowed now than were scored")
    elif worst > SCORE_TOLERANCE:
        found.append(f"model {record.model} scores up to {worst:.2e} differently now")
    return found


def rescored(record: DecisionRecord, catalog: Catalog, propensity: Propensity) -> float:
    """The largest difference between the logged scores and those the model gives now; inf: other candidates."""
    apart = differing_scores(record, catalog, propensity)
    return float("inf") if apart is None else max(apart, default=0.0)


def differing_scores(record: DecisionRecord, catalog: Catalog, propensity: Propensity) -> list[float] | None:
    """How far each score is from the logged one, as the model gives them now; None: other candidates are allowed."""
    _, ranking = ranked(record.inputs, catalog, propensity)
    old, new = _scores(record.candidates), _scores(ranking.logged())
    if old.keys() != new.keys():
        return None
    return [abs(old[key] - new[key]) for key in new]


def _scores(candidates: Sequence[ScoredCandidate]) -> dict[tuple[str, str], float]:
    return {(each.offer_id, each.about): each.score for each in candidates}
