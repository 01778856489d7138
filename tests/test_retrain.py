"""Retraining: a candidate is trained on what is not fresh, judged on what is, and stays as it was judged."""

import shutil
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec
import pytest

from scoring.card import Card
from scoring.examples import Example, Examples
from scoring.fit import Run
from scoring.fresh import since, until
from scoring.gate import Verdict
from scoring.model_folder import CARD, MODEL, VERDICT, check
from scoring.propensity import open_model
from scoring.retrain import Learning, judge, retrain
from streams.errors import InvalidInput
from streams.ids import Millis
from streams.instant import DAY_MS
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES, QUICK, world

RUN = Run(0, 1, QUICK)
PEOPLE = 200


def flipped(examples: Examples, before: Millis) -> Iterator[Example]:
    """As if somebody had mixed up yes and no until then."""
    for example in examples():
        lies = example.inputs.now <= before
        yield replace(example, outcomes=tuple(1 - each for each in example.outcomes)) if lies else example


def learning(examples: Examples, active: Path | None = None) -> Learning:
    return Learning(partial(until, examples), NOW, ATTRIBUTES, active)


def written(folder: Path) -> Verdict:
    return msgspec.json.decode((folder / VERDICT).read_bytes(), type=Verdict)


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Verdict]:
    """Learnt from the world, beside the prior."""
    return retrain(learning(world(PEOPLE)), tmp_path_factory.mktemp("models"), RUN)


def test_the_first_model_beats_the_prior_on_decisions_it_has_not_seen(good: tuple[Path, Verdict]) -> None:
    folder, found = good
    card = msgspec.json.decode((folder / CARD).read_bytes(), type=Card)
    assert (found.outcome, found.against, found.candidate) == ("passed", "prior", folder.name)
    assert card.until <= found.since < found.until
    assert card.rows + found.rows == PEOPLE * 12
    assert found.rows == PEOPLE * 12 // 5


def test_the_verdict_lies_beside_the_model_and_is_no_part_of_it(good: tuple[Path, Verdict], tmp_path: Path) -> None:
    folder, found = good
    assert written(folder) == found
    assert check(folder).model == folder.name
    assert VERDICT not in check(folder).files
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_model_of_flipped_outcomes_stays_out(good: tuple[Path, Verdict], tmp_path: Path) -> None:
    lies = partial(flipped, world(PEOPLE), good[1].since)
    folder, found = retrain(learning(lies, good[0]), tmp_path, RUN)
    assert found.outcome == "failed"
    assert found.against == good[0].name
    assert f"against {good[0].name}" in found.reason
    assert ": worse" in written(folder).reason


def test_an_active_model_that_cannot_be_used_serves_nobody_so_the_prior_is_to_be_beaten(
    good: tuple[Path, Verdict], tmp_path: Path
) -> None:
    """And the same log gives the same candidate and verdict, but for what the clock says of its speed."""
    broken = Path(shutil.copytree(good[0], tmp_path / good[0].name))
    (broken / MODEL).write_text("tree\n")
    folder, found = retrain(learning(world(PEOPLE), broken), tmp_path / "models", RUN)
    assert found.against == "prior"
    assert folder.name == good[0].name
    assert found.criteria[:5] == good[1].criteria[:5]


def test_an_active_model_that_reads_what_is_protected_now_is_served_by_no_worker_so_the_prior_is_to_be_beaten(
    good: tuple[Path, Verdict], tmp_path: Path
) -> None:
    by_name = dict(ATTRIBUTES.by_name)
    by_name["customer.spa_visits"] = replace(by_name["customer.spa_visits"], protected=True)
    declared = replace(learning(world(PEOPLE), good[0]), attributes=replace(ATTRIBUTES, by_name=by_name))
    _, found = retrain(declared, tmp_path, RUN)
    assert found.against == "prior"


def test_nothing_new_since_the_active_model_waits(good: tuple[Path, Verdict]) -> None:
    """A day in which nobody came."""
    late = good[1].until
    found = judge(good[0], open_model(good[0]), since(world(PEOPLE), late), late)
    assert (found.outcome, found.rows) == ("waiting", 0)
    assert found.reason.startswith("too little fresh data: 0 fresh items")


def test_an_empty_log_cannot_be_learnt_from(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="labelled items") as caught:
        retrain(learning(until(world(1), NOW - 30 * DAY_MS)), tmp_path, RUN)
    assert caught.value.code == "DATASET_TOO_SMALL"
    assert list(tmp_path.iterdir()) == []
