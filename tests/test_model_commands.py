"""`offing models`: what is known and why, activation that checks first, back with one command."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from offers.cli import app
from offers.ledger import Ledger
from offers.models import Change
from scoring.gate import Verdict
from scoring.model_folder import MODEL
from streams.ids import ModelId
from tests.scoring_world import trained
from tests.served import environment

WHY = "300 more items needed"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return trained(tmp_path_factory.mktemp("models"))


class Desk:
    """A deployment's folder and ledger, and the command line beside it."""

    def __init__(self, folder: Path) -> None:
        self.models = folder / "models"
        self.models.mkdir()
        self.ledger = Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", "offing")
        self.ledger.migrate()
        given = environment(folder)
        self.environment = {name: value for name, value in given.items() if name.startswith("OFFING_")}

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(app, ["models", *arguments], env=self.environment, color=False)

    def json(self, *arguments: str) -> Any:
        done = self.run(*arguments, "--json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    def fails(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.exit_code == 1
        return done.stderr.strip()

    def known(self, model: Path) -> str:
        shutil.copytree(model, self.models / model.name)
        verdict = Verdict(1, ModelId(model.name), ModelId("prior"), "waiting", WHY, 0, 9, 40, 2, 3, ())
        told = msgspec.json.encode(verdict).decode()
        self.ledger.models.publish(model.name, Change("trainer", 1_000, WHY), told)
        return model.name

    @property
    def active(self) -> str | None:
        return self.ledger.wanted(1).model


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path)
    yield made
    made.ledger.close()


def test_a_candidate_is_listed_with_its_reason_activated_by_hand_and_rolled_back(desk: Desk, model: Path) -> None:
    name = desk.known(model)
    (line,) = desk.json("list")
    assert (line["model"], line["state"], line["reason"]) == (name, "candidate", WHY)
    assert desk.json("activate", name, "--reason", "the night was quiet") == {"active": name}
    assert desk.active == name
    found = desk.json("show", name)
    assert [each["state"] for each in found["history"]] == ["active", "candidate"]
    assert found["history"][0]["reason"] == "the night was quiet"
    assert (found["verdict"]["outcome"], found["verdict"]["reason"]) == ("waiting", WHY)
    assert desk.json("rollback") == {"active": "prior"}
    assert desk.active is None
    assert desk.fails("rollback").startswith("NOTHING_TO_ROLL_BACK no model is active")


def test_a_truncated_model_is_refused_with_the_reason_and_nothing_else_changes(desk: Desk, model: Path) -> None:
    name = desk.known(model)
    trees = desk.models / name / MODEL
    trees.write_bytes(trees.read_bytes()[:-40])
    assert desk.fails("activate", name).startswith("MODEL_INVALID the model in ")
    assert desk.active is None
    (line,) = desk.json("list")
    assert line["state"] == "refused"
    assert "model.txt is not what was written: truncated or changed" in line["reason"]


def test_going_back_to_a_model_that_is_gone_says_that_the_prior_serves(desk: Desk, model: Path) -> None:
    desk.ledger.models.publish("m-000000000000", Change("ada", 1_000))
    desk.ledger.models.activate("m-000000000000", Change("ada", 1_000))
    assert desk.run("activate", desk.known(model)).exit_code == 0
    done = desk.run("rollback")
    assert (done.exit_code, done.stdout) == (0, "m-000000000000 is active\n")
    assert "the prior serves: MODEL_INVALID the model in " in done.stderr


def test_the_prior_can_be_activated_and_models_nobody_knows_cannot(desk: Desk, model: Path) -> None:
    desk.run("activate", desk.known(model))
    assert desk.json("activate", "prior") == {"active": "prior"}
    assert desk.active is None
    for arguments in (("activate", "m-000000000000"), ("show", "../ledger")):
        assert desk.fails(*arguments).startswith("MODEL_UNKNOWN model")


def test_a_person_reads_tables_and_the_card(desk: Desk, model: Path) -> None:
    name = desk.known(model)
    desk.ledger.models.activate(name, Change("ada", 2_000, "better [by far]"))
    listed, shown = desk.run("list"), desk.run("show", name)
    assert "active" in listed.stdout
    assert "active by ada: better [by far]" in shown.stdout
    assert f"{name} waits beside prior: 40 fresh items of 3 customers, 2 accepted" in shown.stdout
    assert "# Propensity model" in shown.stdout


def test_a_verdict_of_another_version_is_shown_as_it_is(desk: Desk, model: Path) -> None:
    name = desk.known(model)
    desk.ledger.models.publish(name, Change("ada", 3_000), '{"v": 2, "tea": "leaves"}')
    assert '{"v": 2, "tea": "leaves"}' in desk.run("show", name).stdout


def test_a_model_is_put_in_the_shadow_if_it_can_serve_and_taken_out_again(desk: Desk, model: Path) -> None:
    name = desk.known(model)
    assert desk.fails("shadow").startswith("NO_SHADOW no model is in the shadow; `offing models shadow MODEL`")
    assert desk.fails("shadow", "--score").startswith("NO_SHADOW")
    assert desk.json("shadow", name, "--reason", "curious") == {"shadow": name}
    assert desk.active is None
    found = desk.json("shadow")
    assert (found["model"], found["scores"], found["loss"]) == (name, None, None)
    assert "no decision was scored yet" in desk.run("shadow").stdout
    assert desk.json("shadow", "--score")["decisions"] == 0, "the lake is empty"
    assert desk.json("shadow", "off") == {"shadow": None}
    trees = desk.models / name / MODEL
    trees.write_bytes(trees.read_bytes()[:-40])
    assert desk.fails("shadow", name).startswith("MODEL_INVALID")
    assert desk.fails("shadow", "m-000000000000").startswith("MODEL_UNKNOWN")
    assert desk.ledger.models.shadow() is None
