"""`offing evaluate --policy` and `offing replay` on a lake of the example operator's decisions."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from typer.testing import CliRunner, Result

from offers import revisions
from offers.cli import app
from offers.contexts import Chunk
from offers.decide import decide, record
from scoring.propensity import prior
from streams.instant import DAY_MS, format_instant
from streams.lake import Lake
from streams.record import DecisionRecord, encode
from tests.decision_log import decision_id, outcome
from tests.golden_case import DEPLOYMENT
from tests.makers import NOW
from tests.scoring_world import trained
from tests.served import environment
from tests.travellers import lines

DECISIONS = 40
LATER = format_instant(NOW + 3 * DAY_MS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Artifacts with the revision and 40 decisions of it."""
    artifacts = tmp_path_factory.mktemp("artifacts")
    records = list(decisions(artifacts))
    lake = Lake(artifacts / "lake")
    lake.append_decisions([(each, encode(each)) for each in records])
    lake.append_outcomes(
        outcome(each, event, item=number)
        for each in records
        for number, item in enumerate(each.shown)
        for event in ("exposed", "clicked")[: 1 + (len(item.offer.offer_id) % 2)]
    )
    return artifacts


def decisions(artifacts: Path) -> Iterator[DecisionRecord]:
    catalog = revisions.catalog_of(revisions.keep(DEPLOYMENT, artifacts))
    model = prior(catalog.attributes)
    chunk = Chunk(tuple(lines(DECISIONS, catalog)), "contexts")
    for number, inputs in enumerate(chunk.contexts()):
        made = msgspec.structs.replace(
            inputs, decision_id=decision_id(inputs.now, number), revision=catalog.revision, origin="live"
        )
        yield record(made, decide(made, catalog, model), model.features)


def offing(folder: Path, *arguments: str) -> Result:
    env = environment(folder, CAMPAIGNS=str(DEPLOYMENT))
    ours = {name: value for name, value in env.items() if name.startswith("OFFING_")}
    return CliRunner().invoke(app, list(arguments), env={**ours, "COLUMNS": "200"}, color=False)


def test_every_logged_decision_is_replayed_with_the_same_bytes_and_scores(folder: Path) -> None:
    done = offing(folder, "replay", "--json")
    found = json.loads(done.stdout)
    assert (done.exit_code, found["decisions"], found["same_bytes"]) == (0, DECISIONS, DECISIONS)
    assert found["scores"] == found["scores_within"] > DECISIONS
    assert (found["differences"], found["not_replayed"]) == ({}, {})
    some = offing(folder, "replay", "--limit", "7")
    assert some.exit_code == 0
    assert "7 have the same bytes from their logged scores" in some.stdout
    assert offing(folder, "replay", "--until", "2001-01-01T00:00:00Z").stdout == (
        "no decision is in the lake for this time\n"
    )


def test_replay_names_what_it_does_not_have(folder: Path) -> None:
    done = offing(folder, "replay", "--model", "m-000000000000")
    assert (done.exit_code, done.stderr[:43]) == (1, "MODEL_UNKNOWN no model 'm-000000000000' is ")
    done = offing(folder, "replay", "--revision", "r-000000000000")
    assert done.exit_code == 1
    assert f"{DECISIONS} not replayed: REVISION_UNKNOWN" in done.stdout


def test_the_policy_of_the_log_is_worth_what_the_log_shows(folder: Path) -> None:
    done = offing(folder, "evaluate", "--policy", "logged", "--now", LATER, "--json")
    found = json.loads(done.stdout)
    value = found["value"]
    assert value["ips"]["value"] == pytest.approx(value["logged"]["value"])
    assert value["mean_weight"] == pytest.approx(1)
    assert (done.exit_code, value["reliable"]) == (1, False), "40 decisions tell nothing"
    assert "few_effective" in [doubt["code"] for doubt in value["why"]]


def test_a_policy_is_told_in_words_with_its_refusal(folder: Path) -> None:
    done = offing(folder, "evaluate", "--policy", "random", "--reward", "value", "--now", LATER)
    assert done.exit_code == 1
    assert "random: value of acceptances per item shown, by " in done.stdout
    assert "this log cannot answer it:" in done.stdout
    for policy in ("prior", "active"):
        assert "doubly robust" in offing(folder, "evaluate", "--policy", policy, "--now", LATER).stdout


def test_what_cannot_be_asked_is_said(folder: Path, tmp_path: Path) -> None:
    done = offing(folder, "evaluate", "--policy", "best")
    assert done.stderr.startswith("POLICY_UNKNOWN --policy 'best' is none of random, logged, prior, active, no model")
    done = offing(folder, "evaluate", "--revision", "r-000000000000")
    assert done.stderr.startswith("REVISION_UNKNOWN no revision 'r-000000000000' is kept")
    done = offing(folder, "evaluate", "--policy", "random", "--log", str(tmp_path / "log.jsonl"))
    assert done.exit_code == 2
    done = offing(folder, "evaluate", "--policy", "random", "--model", str(tmp_path))
    assert (done.exit_code, "--model is judged on what was logged" in done.stderr) == (2, True)
    empty = offing(tmp_path, "evaluate", "--policy", "random")
    assert empty.stderr.startswith("OFF_POLICY_EMPTY the log has no item to value a policy by: it is empty")


def test_a_model_folder_is_a_policy_and_its_exploration_can_be_another(folder: Path, tmp_path: Path) -> None:
    model = trained(tmp_path, people=40)
    done = offing(folder, "evaluate", "--policy", str(model), "--explore", "0.5", "--now", LATER, "--json")
    found = json.loads(done.stdout)
    assert found["policy"] == f"{model}, exploring 0.5"
    assert found["value"]["sndr"]["value"] >= 0
    codes = {doubt["code"] for doubt in found["value"]["why"]}
    assert "outside_log" in codes, "what did not explore cannot tell what exploring would bring"
    (folder / "models").mkdir(exist_ok=True)
    kept = shutil.copytree(model, folder / "models" / model.name)
    again = offing(folder, "evaluate", "--policy", kept.name, "--explore", "0.5", "--now", LATER, "--json")
    assert json.loads(again.stdout)["value"] == found["value"]
    rescored = json.loads(offing(folder, "replay", "--model", kept.name, "--json").stdout)
    assert (rescored["same_bytes"], rescored["differences"]["other_model"]) == (DECISIONS, DECISIONS)
