"""Retraining in a deployment: active or a candidate with the reason in the ledger, whatever happens meanwhile."""

import json
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from offers import learning, retraining
from offers.activation import load_model
from offers.ledger import Ledger
from offers.models import Change
from offers.retraining import Activate, Asked, Retrained
from scoring.cross_validation import quietly
from scoring.evaluate_page import page
from scoring.gate import Verdict
from scoring.model_folder import VERDICT
from scoring.weights import Weights
from streams.errors import InvalidInput, Retry
from streams.instant import HOUR_MS
from streams.settings import Settings
from tests.makers import NOW
from tests.scoring_world import QUICK
from tests.service import CAMPAIGNS

ITEMS = 2_400
ASKED = Asked(recipe=QUICK)


def written(path: Path, *, lies: bool = False, items: int = ITEMS) -> Path:
    """A log of people who like spas or bars. `lies`: of the older four fifths yes and no are mixed up."""
    draw = random.Random(4)
    lines = []
    for number in range(items):
        who, offer = draw.randrange(200), draw.choice(("spa", "bar"))
        liked = ("spa", "bar")[who % 2] == offer
        outcome = int(draw.random() < (0.6 if liked else 0.1))
        if lies and number < ITEMS * 4 // 5:
            outcome = 1 - outcome
        line = {
            "customer_id": f"c-{who}", "at": NOW + number * HOUR_MS // 100, "outcome": outcome, "propensity": 0.5,
            "customer": {"likes": ("spa", "bar")[who % 2]}, "offer": {"offer_id": offer, "starting_mean": 0.2},
        }  # fmt: skip
        lines.append(json.dumps(line))
    path.write_text("\n".join(lines))
    return path


@contextmanager
def ledger_of(settings: Settings) -> Iterator[Ledger]:
    book = Ledger(settings.ledger, settings.namespace)
    yield book
    book.close()


def states(settings: Settings) -> dict[str, str]:
    with ledger_of(settings) as book:
        return {each.model: each.state for each in book.models.states()}


def train(settings: Settings, asked: Asked) -> Retrained:
    return retraining.train(settings, asked, quietly)


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Path, Retrained]:
    """A deployment whose first model was trained and judged."""
    folder = tmp_path_factory.mktemp("deployment")
    settings = Settings(artifacts=folder / "artifacts", campaigns=CAMPAIGNS)
    log = written(folder / "log.jsonl")
    return settings, log, train(settings, replace(ASKED, log=log))


@pytest.fixture
def deployed(first: tuple[Settings, Path, Retrained], tmp_path: Path) -> tuple[Settings, Path, str]:
    """A copy of it, to be changed."""
    settings, log, made = first
    shutil.copytree(settings.artifacts, tmp_path / "artifacts")
    return replace(settings, artifacts=tmp_path / "artifacts"), log, made.model


def test_the_first_model_that_beats_the_prior_is_active_and_both_say_why(
    first: tuple[Settings, Path, Retrained],
) -> None:
    settings, _, made = first
    assert made.active
    assert made.verdict is not None
    assert (made.verdict.outcome, made.verdict.against) == ("passed", "prior")
    with ledger_of(settings) as book:
        active, candidate = book.models.history(made.model)
    assert (active.state, active.base, active.reason) == ("active", None, made.verdict.reason)
    assert candidate.verdict is not None
    assert msgspec.json.decode(candidate.verdict, type=Verdict) == made.verdict
    assert msgspec.json.decode((Path(made.folder) / VERDICT).read_bytes(), type=Verdict) == made.verdict
    assert load_model(made.model, settings.artifacts, learning.attributes(settings)).model == made.model


def test_a_log_with_nothing_new_gives_the_active_model_again(deployed: tuple[Settings, Path, str]) -> None:
    settings, log, active = deployed
    again = train(settings, replace(ASKED, log=log))
    assert (again.model, again.active, again.verdict) == (active, True, None)
    assert "nothing new" in again.reason
    assert states(settings) == {active: "active"}


def test_what_a_model_learnt_from_is_told_and_left_out_where_it_is_judged_on_the_newest(
    deployed: tuple[Settings, Path, str],
) -> None:
    settings, log, _ = deployed
    whole = learning.evaluate(settings, None, log, None)
    fresh = learning.evaluate(settings, None, log, None, fresh=True)
    assert (whole.rows, whole.learnt_from + fresh.rows, fresh.learnt_from) == (ITEMS, ITEMS, 0)
    assert fresh.rows == ITEMS // 5, "what the gate held back"
    assert f"{whole.learnt_from:,} of the items are of the time it was trained on" in page(whole)
    assert "--fresh" not in page(fresh)


def test_the_recipe_counts_with_the_gate_and_without(deployed: tuple[Settings, Path, str]) -> None:
    settings, log, _ = deployed
    weighted = replace(ASKED, log=log, recipe=replace(QUICK, weights=Weights.INVERSE_PROPENSITY))
    for activate in (Activate.GATE, Activate.NEVER):
        card = train(settings, replace(weighted, activate=activate)).card
        assert card.weights.startswith("inverse_propensity, at most 20: worth ")
        assert card.trees <= max(QUICK.rounds)


def test_a_poisoned_log_leaves_a_candidate_and_the_active_model_where_it_is(
    deployed: tuple[Settings, Path, str], tmp_path: Path
) -> None:
    settings, _, active = deployed
    made = train(settings, replace(ASKED, log=written(tmp_path / "lies.jsonl", lies=True)))
    assert not made.active
    assert made.reason.startswith("log loss +0.")
    assert made.reason.count("; ") >= 1, "every criterion that failed"
    assert states(settings) == {made.model: "candidate", active: "active"}


def test_who_changes_what_is_active_meanwhile_is_not_overruled(
    deployed: tuple[Settings, Path, str], tmp_path: Path
) -> None:
    settings, _, active = deployed

    def roll_back(stage: str, done: float) -> None:
        if stage == "judging on the newest":
            with ledger_of(settings) as book:
                book.models.rollback(Change("ada", 5, "sales fell"))

    asked = replace(ASKED, log=written(tmp_path / "more.jsonl", items=ITEMS + 1_000))
    made = retraining.train(settings, asked, roll_back)
    assert made.verdict is not None
    if made.verdict.passed:
        assert made.reason == f"{made.model} was judged against {active}, but prior is active now; train again"
    assert not made.active
    assert states(settings) == {made.model: "candidate", active: "retired"}


def test_always_activates_unjudged_and_never_leaves_a_candidate(
    deployed: tuple[Settings, Path, str], tmp_path: Path
) -> None:
    settings, _, active = deployed
    log = written(tmp_path / "short.jsonl", items=400)
    never = train(settings, replace(ASKED, log=log, activate=Activate.NEVER))
    assert (never.active, never.verdict, never.card.rows) == (False, None, 400)
    assert states(settings) == {active: "active", never.model: "candidate"}
    always = train(settings, replace(ASKED, log=log, activate=Activate.ALWAYS))
    assert (always.active, always.model) == (True, never.model)
    assert states(settings) == {active: "retired", never.model: "active"}


def test_what_fails_leaves_the_active_model_and_no_half_of_another(
    deployed: tuple[Settings, Path, str], tmp_path: Path
) -> None:
    settings, log, active = deployed
    few = tmp_path / "few.jsonl"
    few.write_text("\n".join(log.read_text().splitlines()[:150]))
    with pytest.raises(InvalidInput) as small:
        train(settings, replace(ASKED, log=few))
    assert small.value.code == "DATASET_TOO_SMALL"
    away = replace(settings, ledger_url="postgresql://nobody@127.0.0.1:1/x")
    with pytest.raises(Retry) as unanswered:
        train(away, replace(ASKED, log=log))
    assert unanswered.value.code == "LEDGER_UNAVAILABLE"
    assert states(settings) == {active: "active"}
    assert [path.name for path in (settings.artifacts / "models").iterdir()] == [active]


def test_an_empty_lake_is_too_small(tmp_path: Path) -> None:
    settings = Settings(artifacts=tmp_path, campaigns=CAMPAIGNS)
    with pytest.raises(InvalidInput, match="0 labelled items"):
        train(settings, ASKED)
