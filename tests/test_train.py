"""Training: the same log gives the same folder, with everything a stranger needs to judge it, and nobody's secrets."""

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring.card import Card
from scoring.cross_validation import NEW, RETURNING
from scoring.dataset import build, learn_features
from scoring.features import FeatureList, feature_list
from scoring.fit import Run
from scoring.later import LATER
from scoring.model_folder import CARD, COMPILED, EVIDENCE, FEATURES, SAMPLE, check
from scoring.propensity import load, open_model
from scoring.train import evidence_of, learn, sample, train, train_from_examples, train_from_lake
from streams.errors import InvalidInput
from streams.instant import DAY_MS
from streams.lake import Lake
from streams.record import encode
from tests.decision_log import outcome, record
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES, QUICK, examples, trained, world


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One small model, only to be read."""
    return trained(tmp_path_factory.mktemp("models"))


def test_the_same_log_and_seed_give_the_same_bytes_and_another_seed_another_model(folder: Path, tmp_path: Path) -> None:
    again = trained(tmp_path)
    assert again.name == folder.name
    names = sorted(os.listdir(folder))
    assert names == sorted(os.listdir(again))
    assert [(folder / name).read_bytes() for name in names] == [(again / name).read_bytes() for name in names]
    assert trained(tmp_path, seed=1).name != folder.name


def test_the_card_says_what_it_was_trained_on_and_how_good_it_is(folder: Path) -> None:
    card = msgspec.json.decode((folder / CARD).read_bytes(), type=Card)
    assert (card.rows, card.customers, card.offers, card.trees) == (720, 60, 3, 20)
    assert card.since <= card.until < NOW
    assert set(card.metrics) == {NEW, RETURNING}
    value = card.metrics[NEW].auc
    assert value is not None
    assert value > 0.7
    assert card.importance[0][0] == "own_kind"
    assert sum(share for _, share in card.importance) == pytest.approx(1)
    page = (folder / "card.md").read_text()
    assert f"| {NEW} | {value:.3f}" in page
    assert "| own_kind |" in page
    assert card.data in page


def test_the_folder_holds_the_feature_list_the_evidence_and_the_sample(folder: Path) -> None:
    features = msgspec.json.decode((folder / FEATURES).read_bytes(), type=FeatureList)
    assert features == learn_features(world(), ATTRIBUTES)
    exposures = msgspec.json.decode((folder / EVIDENCE).read_bytes())["exposures"]
    assert sum(exposures.values()) == 720
    assert np.load(folder / SAMPLE).shape == (67, len(features.columns) + 1)


def test_nothing_protected_and_nobodys_words_are_in_the_folder(folder: Path) -> None:
    for path in folder.iterdir():
        if path.name != COMPILED:
            text = path.read_bytes()
            for secret in (b"gender", b"call 3", b'"c-3"', b"customer.note"):
                assert secret not in text, path.name


def test_the_lake_is_trained_from_as_it_stood_at_an_instant(tmp_path: Path) -> None:
    lake = Lake(tmp_path / "lake")
    records = [(record(example.inputs, example.items), example.outcomes[0]) for example in examples(40)]
    lake.append_decisions([(each, encode(each)) for each, _ in records])
    lake.append_outcomes([outcome(each, "exposed") for each, _ in records])
    lake.append_outcomes([outcome(each, "clicked", each.inputs.now + 60_000) for each, came in records if came])
    run = Run(0, 1, QUICK)
    newest = train_from_lake(lake, tmp_path / "models", ATTRIBUTES, run)
    card = msgspec.json.decode((newest / CARD).read_bytes(), type=Card)
    assert 0 < card.left_out["window_open"] < card.rows
    later = train_from_lake(lake, tmp_path / "models", ATTRIBUTES, run, now=NOW + 9 * DAY_MS)
    card = msgspec.json.decode((later / CARD).read_bytes(), type=Card)
    assert (card.rows, card.left_out) == (480, {})
    assert load(later, ATTRIBUTES).model == later.name != newest.name


@pytest.mark.parametrize("now", [None, NOW])
def test_an_empty_lake_is_refused_and_leaves_nothing_behind(tmp_path: Path, now: int | None) -> None:
    models = tmp_path / "models"
    with pytest.raises(InvalidInput) as caught:
        train_from_lake(Lake(tmp_path / "lake"), models, ATTRIBUTES, Run(), now=now)
    assert caught.value.code == "DATASET_TOO_SMALL"
    assert not models.exists()


def test_a_training_that_fails_leaves_no_draft(tmp_path: Path) -> None:
    def stop(stage: str, done: float) -> None:
        if stage == "compiling":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_from_examples(world(), tmp_path, ATTRIBUTES, Run(0, 1, QUICK), progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_progress_only_goes_forward_and_ends(tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    dataset = build(world(), learn_features(world(), ATTRIBUTES))
    train(dataset, tmp_path, Run(0, 1, QUICK), progress=lambda stage, done: told.append((stage, done)))
    shares = [done for _, done in told]
    assert shares == sorted(shares)
    assert told[-1] == ("done", 1.0)
    assert len(told) >= 10


def test_the_sample_holds_known_rows_strangers_nothing_and_what_was_never_seen() -> None:
    dataset = build(world(), feature_list(ATTRIBUTES))
    rows = sample(dataset)
    assert rows.shape == (67, len(dataset.features.columns))
    assert np.isnan(rows[-2]).all()
    assert (rows[-1] == -1).all()


def test_declarations_that_proved_wrong_are_hardly_trusted_and_all_offers_have_evidence(folder: Path) -> None:
    dataset = build(world(), feature_list(ATTRIBUTES))
    evidence = evidence_of(dataset)
    assert evidence.exposures == dataset.exposures
    assert 0 < evidence.trust <= 1
    assert open_model(folder).evidence == evidence
    assert check(folder).files.keys() >= {CARD, FEATURES, EVIDENCE}


def test_judging_on_later_decisions_decides_nothing() -> None:
    dataset = build(world(100), learn_features(world(100), ATTRIBUTES))
    judged, unjudged = (learn(dataset, Run(0, 1, QUICK), later=later) for later in (True, False))
    assert set(judged.judged.metrics) - set(unjudged.judged.metrics) == {LATER}
    assert judged.probability(dataset).tobytes() == unjudged.probability(dataset).tobytes()
