"""A model in the shadow of a running service: scored beside it, and no answer knows of it, not even when it breaks."""

import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from offers.cli import app
from offers.ledger import Ledger
from offers.models import Change
from scoring.model_folder import MODEL
from streams.lake import Lake
from streams.settings import Settings
from tests.scoring_world import trained
from tests.served import Served, environment, eventually, introduced, offered, served
from tests.service import LIVORNO

PEOPLE = 4
UPGRADE = "cabin-upgrade-inside"
HERE = {"location": LIVORNO}
PATIENT_S = 120.0
"""A pass is a process that starts, at low priority."""


def counted(running: Served, result: str) -> float:
    lines = running.get("/metrics").text.splitlines()
    named = f'offing_shadow_decisions_total{{result="{result}"}}'
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(named))


@pytest.mark.prove
def test_a_service_scores_in_the_shadow_and_answers_as_without_it(
    record_property: Callable[[str, object], None], tmp_path: Path
) -> None:
    folder = tmp_path / "offing"
    model = trained(tmp_path / "made")
    kept = Path(shutil.copytree(model, folder / "models" / model.name))
    settings = {"SHADOW_EVERY_S": "0.5", "LAKE_FLUSH_S": "0.1"}
    with (
        served(folder, **settings) as running,
        closing(Ledger(f"sqlite:///{folder / 'ledger.sqlite'}", "offing")) as book,
    ):
        book.models.publish(model.name, Change("tests", 1))
        for number in range(PEOPLE):
            assert running.post("/v1/events", introduced(f"c-{number}")).is_success
        eventually(lambda: offered(running.ask("c-0", context=HERE)) == [UPGRADE], "not offered the upgrade")
        before = [running.ask(f"c-{number}", context=HERE) for number in range(PEOPLE)]
        lake = Lake(Settings(artifacts=folder).lake)
        eventually(lambda: any(each.candidates for each in lake.scan()), "no decision is in the lake", PATIENT_S)
        book.models.put_in_shadow(model.name, Change("tests", 2))
        during = [running.ask(f"c-{number}", context=HERE) for number in range(PEOPLE)]
        eventually(lambda: counted(running, "scored") >= 1, "none is scored in the shadow", PATIENT_S)
        assert {(each["model"], tuple(each["degraded"])) for each in before + during} == {("prior", ())}
        given = {name: value for name, value in environment(folder).items() if name.startswith("OFFING_")}
        told = CliRunner().invoke(app, ["models", "shadow"], env=given)
        assert f"{model.name} in the shadow of " in told.stdout, told.output
        record_property("with", told.stdout.splitlines()[1].strip())
        (kept / MODEL).write_text("tree\n")
        eventually(lambda: counted(running, "failed") >= 1, "a broken model is not counted", PATIENT_S)
        after = [running.ask(f"c-{number}", context=HERE) for number in range(PEOPLE)]
        assert {(each["model"], tuple(each["degraded"])) for each in after} == {("prior", ())}
        assert any(line.get("code") == "MODEL_INVALID" for line in running.lines())
