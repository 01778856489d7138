"""Evaluation: on a log the model was not trained on, in numbers that others compute alike."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from scoring.dataset import build
from scoring.evaluate import Evaluation, evaluate, evaluate_lake, evaluate_model
from scoring.evaluate_page import page
from scoring.examples import Example
from scoring.jsonl import JsonLog
from scoring.propensity import load, open_model
from streams.errors import InvalidInput
from streams.lake import Lake
from streams.record import encode
from tests.decision_log import outcome, record, simple
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES, examples, trained


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of the first 60 people of the world."""
    return trained(tmp_path_factory.mktemp("models"))


def strangers() -> list[Example]:
    """Everybody else."""
    return [each for each in examples(90) if int(each.inputs.request.customer_id[2:]) >= 60]


def line_of(example: Example) -> dict[str, object]:
    """An example as a line of the decision log."""
    made, (facts, about) = example.inputs, example.items[0]
    return {
        "decision_id": made.decision_id,
        "at": made.now,
        "customer_id": made.request.customer_id,
        "customer": {name: value for name, (value, _) in made.profile.facts.items()},
        "context": {name: value for name, (value, _) in {**made.request.context, **about.facts}.items()},
        "offer": {
            "offer_id": facts.offer_id,
            "campaign_id": facts.campaign_id,
            "collection": facts.collection,
            "starting_mean": facts.starting_mean,
            "starting_evidence": facts.starting_evidence,
            **facts.attributes,
        },
        "outcome": example.outcomes[0],
    }


def test_the_numbers_are_those_of_what_serving_would_have_said(folder: Path) -> None:
    found = evaluate_model(folder, strangers)
    propensity = load(folder)
    said = [float(propensity.score(each.inputs, each.items).probability[0]) for each in strangers()]
    came = [each.outcomes[0] for each in strangers()]
    assert (found.rows, found.customers, found.positives) == (360, 30, sum(came))
    assert found.auc == pytest.approx(roc_auc_score(came, said))
    assert found.log_loss == pytest.approx(log_loss(came, said))
    assert found.brier == pytest.approx(brier_score_loss(came, said))
    assert found.auc is not None
    assert found.auc_interval is not None
    assert found.auc_interval[0] < found.auc < found.auc_interval[1]


def test_the_model_beats_the_declared_propensities_and_every_offer_is_told(folder: Path) -> None:
    found = evaluate_model(folder, strangers)
    assert found.declared.auc == pytest.approx(0.5)
    assert found.log_loss < found.declared.log_loss
    assert found.logged is not None
    assert found.logged.log_loss == found.declared.log_loss
    assert sorted(line.offer_id for line in found.offers) == ["bar", "quiz", "spa"]
    assert sum(line.rows for line in found.offers) == found.rows == sum(line.rows for line in found.reliability)


def test_the_result_is_json_and_a_page(folder: Path) -> None:
    found = evaluate_model(folder, strangers)
    told = json.loads(msgspec.json.encode(found))
    assert {"auc", "log_loss", "brier", "ece", "reliability", "model", "auc_interval"} <= set(told)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Evaluation) == found
    text = page(found)
    assert text.startswith(f"{folder.name} (")
    assert f"AUC {found.auc:.3f}" in text
    assert "quiz" in text


def test_the_same_log_as_lines_gives_the_same_rows_but_for_the_place(folder: Path, tmp_path: Path) -> None:
    first = [each for each in strangers() if not each.inputs.profile.counters]
    lines = [line_of(each) for each in first]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in lines))
    features = open_model(folder).plan.features
    one = build(lambda: first, features)
    other = build(JsonLog(path, ATTRIBUTES).examples(), features)
    differs = {
        column.name
        for spot, column in enumerate(features.columns)
        if one.rows[:, spot].tobytes() != other.rows[:, spot].tobytes()
    }
    assert differs <= {"place.status", "place.fence=livorno-terminal", "place.fence=old-town"}
    assert one.outcome.tolist() == other.outcome.tolist()
    assert evaluate(open_model(folder), other).rows == len(first)


def test_the_lake_is_evaluated_as_it_stood(folder: Path, tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    records = [record(each.inputs, each.items) for each in strangers()]
    lake.append_decisions([(each, encode(each)) for each in records])
    lake.append_outcomes([outcome(each, "exposed") for each in records])
    found = evaluate_lake(folder, lake)
    assert 0 < found.left_out["window_open"] < found.rows
    assert (found.positives, found.auc, found.auc_interval) == (0, None, None)
    assert np.isfinite(found.log_loss)
    assert "AUC -" in page(found)


def test_a_log_without_outcomes_is_refused_with_the_reasons(folder: Path) -> None:
    waiting = [Example(simple(NOW).inputs, "prior", left_out=("window_open", "fallback"))]
    with pytest.raises(InvalidInput, match="1 fallback, 1 window_open") as caught:
        evaluate_model(folder, lambda: waiting)
    assert caught.value.code == "DATASET_EMPTY"
