"""Later decisions: what drifts is seen in the last fifth and not in random folds; what cannot be split is not."""

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.card import Card
from scoring.cross_validation import RETURNING, cross_validate
from scoring.dataset import Dataset, build, learn_features
from scoring.examples import Example
from scoring.fit import Run
from scoring.later import LATER, first_later, judge_later
from scoring.metrics import Metrics
from scoring.model_folder import CARD
from scoring.train import evidence_of, learn, train
from tests.scoring_world import ATTRIBUTES, QUICK, examples

RUN = Run(0, 1, QUICK)
TURNS = 12
EARLY = 9
"""Turns before tastes turn round: three quarters, so that the earlier part has met a little of what comes."""


def turning(people: int = 120) -> Iterator[Example]:
    """Everybody's tastes are the opposite of what they were from turn EARLY on."""
    for number, example in enumerate(examples(people, TURNS, history=False)):
        turned = number % TURNS >= EARLY
        yield replace(example, outcomes=tuple(1 - came if turned else came for came in example.outcomes))


@cache
def dataset(*, drift: bool) -> Dataset:
    log = turning if drift else partial(examples, 120, TURNS, history=False)
    return build(log, learn_features(log, ATTRIBUTES))


@cache
def metrics(*, drift: bool) -> dict[str, Metrics]:
    return learn(dataset(drift=drift), RUN).judged.metrics


def aucs(*, drift: bool) -> dict[str, float]:
    return {kind: each.auc for kind, each in metrics(drift=drift).items() if each.auc is not None}


def test_where_nothing_drifts_later_decisions_are_judged_as_random_ones_are() -> None:
    steady = aucs(drift=False)
    assert steady[LATER] == pytest.approx(steady[RETURNING], abs=0.05)
    assert steady[RETURNING] > 0.7


def test_drift_in_the_last_part_is_seen_there_and_not_in_random_folds() -> None:
    drifting = aucs(drift=True)
    assert drifting[RETURNING] > 0.7
    assert drifting[LATER] < 0.4
    assert metrics(drift=True)[LATER].ece > 2 * metrics(drift=False)[LATER].ece


def test_outcomes_of_later_rows_change_nothing_that_is_said_of_them() -> None:
    log = dataset(drift=False)
    first = first_later(log)
    assert first is not None
    found = [cross_validate(log, RETURNING, RUN)]
    later = np.arange(len(log)) >= first
    other = replace(log, outcome=np.where(later, 1 - log.outcome, log.outcome))
    one, turned = (judge_later(each, first, found, 1, evidence_of(each, first), RUN).auc for each in (log, other))
    assert one is not None
    assert turned == pytest.approx(1 - one)


def test_evidence_until_a_row_is_of_the_rows_before_it() -> None:
    log = dataset(drift=False)
    assert sum(evidence_of(log, 500).exposures.values()) == 500
    assert evidence_of(log, len(log)) == evidence_of(log)


def test_the_last_fifth_is_later_and_decisions_of_one_instant_stay_together() -> None:
    log = dataset(drift=False)
    assert first_later(log) == len(log) * 8 // 10
    days = replace(log, at=np.repeat(np.arange(3), len(log) // 3))
    assert first_later(days) == len(log) * 2 // 3


@pytest.mark.parametrize("rows", [0, 400, 900])
def test_a_part_too_small_to_judge_is_left_out(rows: int) -> None:
    log = dataset(drift=False)
    assert first_later(replace(log, outcome=log.outcome[:rows], at=log.at[:rows])) is None


def test_a_log_of_one_instant_or_of_one_outcome_at_its_end_has_no_such_split() -> None:
    log = dataset(drift=False)
    assert first_later(replace(log, at=np.zeros_like(log.at))) is None
    assert first_later(replace(log, outcome=np.where(np.arange(len(log)) < len(log) * 0.78, log.outcome, 0.0))) is None


def test_the_card_and_its_pages_have_it_beside_the_others(tmp_path: Path) -> None:
    folder = train(dataset(drift=True), tmp_path, RUN)
    card = msgspec.json.decode((folder / CARD).read_bytes(), type=Card)
    assert card.metrics[LATER] == metrics(drift=True)[LATER]
    assert f"| {LATER} | " in (folder / "card.md").read_text()
    assert f"<tr><td>{LATER}</td>" in (folder / "card.html").read_text()
