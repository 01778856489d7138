"""Fresh choices: what models would have chosen on the decisions that nobody has learnt from; the gate's question."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

from offers import revisions
from offers.catalog import Catalog
from offers.counterfactual import Policy
from offers.policy_value import Question, choices
from scoring.examples import Responses, answered
from scoring.features import Propensity
from scoring.off_policy import LoggedChoices
from scoring.retrain import Choices
from streams.ids import Millis, RevisionId
from streams.lake import Lake
from streams.record import DecisionRecord

KEPT = 4
"""Compiled revisions in memory at a time; fresh decisions are of few."""
Answers = Callable[[Millis], Iterable[tuple[DecisionRecord, Responses]]]
"""The decisions after an instant, with what became of them."""


def of_lake(lake: Lake, artifacts: Path, now: Millis) -> Choices:
    """On the lake as it was known at `now`. Decisions of a revision that is not kept tell nothing."""

    @lru_cache(maxsize=KEPT)
    def catalog_of(revision: RevisionId) -> Catalog:
        return revisions.catalog_of(revisions.find(revision, artifacts))

    return of_answers(partial(answers, lake, now), now, catalog_of)


def of_answers(answers: Answers, now: Millis, catalog_of: Callable[[RevisionId], Catalog]) -> Choices:
    """On any log. Each model chooses as it would serve: with the campaigns and the exploration of the decision's time,

    by propensity x value; an acceptance earns what it is worth.
    """

    def found(propensities: Sequence[Propensity], after: Millis) -> Sequence[LoggedChoices]:
        questions = [Question(_always(each), each.model, now, worth=True) for each in propensities]
        return choices(answers(after), questions, catalog_of)

    return found


def _always(propensity: Propensity) -> Policy:
    return Policy(lambda record, catalog: propensity)


def answers(lake: Lake, now: Millis, after: Millis) -> Iterator[tuple[DecisionRecord, Responses]]:
    """The lake's decisions after an instant, with what was known of them at `now`."""
    parts = lake.parts(after, now)
    return (each for part in parts for each in answered(lake, part, now) if each[0].inputs.now > after)
