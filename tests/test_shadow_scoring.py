"""A model in the shadow: what it would have said of decisions made without it, from a real lake, ledger and model."""

import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from loadtests.results.learning_campaigns import files
from loadtests.results.learning_world import World, night
from offers import revisions, runtime, shadow_report, shadow_scoring
from offers.models import Change
from offers.shadow_log import ShadowLog
from scoring.features import Propensity
from scoring.fit import Run
from scoring.model_folder import MODEL
from scoring.propensity import load, prior
from scoring.train import train_from_examples
from streams.errors import InvalidInput
from streams.ids import OfferId
from streams.instant import DAY_MS
from streams.lake import Lake
from streams.record import NOTHING, DecisionInputs, encode
from streams.settings import Settings
from tests.scoring_world import QUICK

VISITS = 400


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, World, str]:
    """A day decided by the prior, in the lake with its outcomes; a model that learnt from it."""
    folder = tmp_path_factory.mktemp("deployment")
    for path, text in files(explore=0.2, a_kind=1):
        (folder / "campaigns" / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / "campaigns" / path).write_text(text)
    settings = Settings(artifacts=folder / "artifacts", campaigns=folder / "campaigns", simulated=True)
    world = World(3, a_kind=1)
    world.catalog = revisions.catalog_of(revisions.keep(settings.campaigns, settings.artifacts))
    day(world, settings, 0)
    models = settings.artifacts / "models"
    models.mkdir()
    made = train_from_examples(world.examples(night(0)), models, world.catalog.attributes, Run(0, 1, QUICK))
    return settings, world, made.name


def day(world: World, settings: Settings, number: int, visits: int = VISITS) -> None:
    records = world.decide(number, prior(world.catalog.attributes), visits)
    outcomes = world.outcomes(records)
    world.remember(records, outcomes)
    lake = Lake(settings.lake)
    lake.append_decisions([(each, encode(each)) for each in records])
    lake.append_outcomes(outcomes)


@pytest.fixture
def settings(lived: tuple[Settings, World, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Settings]:
    """A copy in which the model is known, and which looks back as far as the log goes."""
    monkeypatch.setattr(shadow_scoring, "FIRST_MS", 30 * DAY_MS)
    shutil.copytree(lived[0].artifacts, tmp_path / "artifacts")
    copied = replace(lived[0], artifacts=tmp_path / "artifacts")
    with closing(runtime.ledger(copied)) as book:
        book.models.publish(lived[2], Change("trainer", 1))
    yield copied


def in_shadow(settings: Settings, model: str | None) -> None:
    with closing(runtime.ledger(settings)) as book:
        book.models.put_in_shadow(model, Change("ada", 5, "curious"))


def test_each_decision_is_scored_once_as_the_model_would_have_scored_it(
    lived: tuple[Settings, World, str], settings: Settings
) -> None:
    _, world, model = lived
    in_shadow(settings, model)
    found = shadow_scoring.score(settings)
    assert (found.model, found.new, found.decisions, found.left_out) == (model, VISITS, VISITS, 0)
    again = shadow_scoring.score(settings)
    assert (again.new, again.decisions, again.scores) == (0, 0, None)
    propensity = load(settings.artifacts / "models" / model)
    by_id = {made.inputs.decision_id: made for made, _ in world.log}
    logged = list(ShadowLog.of(settings.artifacts, model).newest(VISITS))
    assert len({each.decision_id for each in logged}) == VISITS
    for each in logged[:5]:
        said = said_by(propensity, world, by_id[each.decision_id].inputs)
        assert {one.offer_id: one.score for one in each.candidates} == pytest.approx(said)
        ranks = [one.rank_score for one in each.candidates]
        assert ranks == sorted(ranks, reverse=True)
        assert (each.served, each.seconds > 0, each.active_seconds) == ("prior", True, None)


def said_by(propensity: Propensity, world: World, inputs: DecisionInputs) -> dict[OfferId, float]:
    """By asking it directly."""
    offers = world.candidates(inputs)
    found = propensity.score(inputs, [(each, NOTHING) for each in offers]).probability
    return dict(zip([each.offer_id for each in offers], found.tolist(), strict=True))


def test_the_report_says_how_it_differs_and_what_it_lost_on_what_is_known(
    lived: tuple[Settings, World, str], settings: Settings
) -> None:
    _, world, model = lived
    in_shadow(settings, model)
    empty = shadow_report.report(settings)
    assert (empty.scores, empty.loss) == (None, None)
    assert "no decision was scored yet" in shadow_report.page(empty)
    shadow_scoring.score(settings)
    found = shadow_report.report(settings)
    assert (found.model, found.by, found.since, found.active_seconds) == (model, "ada", 5, None)
    assert found.scores is not None
    assert (found.scores.decisions, found.scores.candidates) == (VISITS, sum(len(m.candidates) for m, _ in world.log))
    assert 0 < found.scores.top_changed < 1
    assert found.scores.rank_agreement is not None
    assert -1 < found.scores.rank_agreement < 1
    assert found.loss is not None
    assert found.loss.shadow < found.loss.served, "it learnt from these very decisions"
    closed = world.examples(Lake(settings.lake).newest() or 0)()
    assert found.loss.rows == sum(len(each.items) for each in closed) < VISITS
    text = shadow_report.page(found)
    assert f"in the shadow of {VISITS} decisions" in text
    assert "log loss  0." in text
    assert "the active model is the prior" in text


def test_of_much_traffic_an_even_share_is_scored_and_the_rest_is_not_caught_up_on(
    lived: tuple[Settings, World, str], settings: Settings
) -> None:
    in_shadow(settings, lived[2])
    found = shadow_scoring.score(settings, most=60)
    assert (found.new, found.decisions) == (VISITS, 60)
    hours = [int(each.decision_id[:8], 16) for each in ShadowLog.of(settings.artifacts, lived[2]).newest(60)]
    spread = np.ptp(hours) / np.ptp([int(made.inputs.decision_id[:8], 16) for made, _ in lived[1].log])
    assert spread > 0.8, "from all of the day"
    assert shadow_scoring.score(settings).new == 0


def test_without_a_model_in_the_shadow_or_with_a_broken_one_it_says_so(
    lived: tuple[Settings, World, str], settings: Settings
) -> None:
    for asked in (shadow_scoring.score, shadow_report.report):
        with pytest.raises(InvalidInput) as none:
            asked(settings)
        assert none.value.code == "NO_SHADOW"
    in_shadow(settings, lived[2])
    trees = settings.artifacts / "models" / lived[2] / MODEL
    trees.write_bytes(trees.read_bytes()[:-50])
    with pytest.raises(InvalidInput) as broken:
        shadow_scoring.score(settings)
    assert broken.value.code == "MODEL_INVALID"
    assert ShadowLog.of(settings.artifacts, lived[2]).until() is None, "the next pass begins where this one did"


def test_decisions_of_a_revision_that_is_gone_are_left_out_and_counted(
    lived: tuple[Settings, World, str], settings: Settings, tmp_path: Path
) -> None:
    in_shadow(settings, lived[2])
    (kept,) = [path for path in (settings.artifacts / "revisions").iterdir() if path.is_dir()]
    shutil.rmtree(kept)
    (settings.campaigns / "campaigns").mkdir(exist_ok=True)
    other = tmp_path / "campaigns"
    shutil.copytree(settings.campaigns, other)
    next((other / "campaigns").iterdir()).unlink()
    found = shadow_scoring.score(replace(settings, campaigns=other))
    assert (found.decisions, found.left_out, found.scores) == (0, VISITS, None)
