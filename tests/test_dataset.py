"""Dataset: the same arrays from the same log, in whatever order it is read."""

from pathlib import Path

import numpy as np
import pytest

from scoring.dataset import build, check_enough, learn_features
from scoring.examples import Example, from_lake
from scoring.features import feature_list
from scoring.rows import plan, rows
from streams.errors import InvalidInput
from streams.instant import DAY_MS
from streams.lake import Lake
from streams.record import encode
from tests.decision_log import outcome, record, simple
from tests.makers import NOW
from tests.scoring_world import ATTRIBUTES, examples, world


def test_rows_are_those_that_serving_made_in_order_of_time() -> None:
    features = learn_features(world(), ATTRIBUTES)
    dataset = build(world(), features)
    assert len(dataset) == len(dataset.rows) == 60 * 12
    assert (np.diff(dataset.at) >= 0).all()
    by_time = sorted(examples(), key=lambda example: (example.inputs.now, example.inputs.decision_id))
    fresh = plan(features)
    served = np.concatenate([rows(example.inputs, example.items, fresh) for example in by_time])
    assert dataset.rows.tobytes() == served.tobytes()
    assert dataset.outcome.tolist() == [example.outcomes[0] for example in by_time]
    assert [dataset.customers[code] for code in dataset.customer] == [
        example.inputs.request.customer_id for example in by_time
    ]
    assert sum(dataset.exposures.values()) == len(dataset)
    assert set(dataset.exposures) == {"bar", "spa", "quiz"}


def test_the_order_in_which_a_log_is_read_does_not_matter() -> None:
    features = feature_list(ATTRIBUTES)
    backwards: list[Example] = list(reversed(list(examples(20))))
    assert build(lambda: backwards, features).digest() == build(lambda: examples(20), features).digest()
    assert build(lambda: backwards[1:], features).digest() != build(lambda: backwards, features).digest()


def test_a_history_never_holds_its_own_answer() -> None:
    dataset = build(world(), feature_list(ATTRIBUTES))
    names = dataset.features.names
    clicked = dataset.rows[:, names.index("history.any.clicked.ever")]
    exposed = dataset.rows[:, names.index("history.any.exposed.ever")]
    for code in range(len(dataset.customers)):
        mine = dataset.customer == code
        before = np.concatenate([[0], np.cumsum(dataset.outcome[mine])[:-1]])
        assert clicked[mine].tolist() == before.tolist()
        assert exposed[mine].tolist() == list(range(int(mine.sum())))


def test_the_lake_gives_the_dataset_of_what_was_shown_and_seen(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    records = [record(example.inputs, example.items) for example in examples(10)]
    lake.append_decisions([(each, encode(each)) for each in records])
    lake.append_outcomes([outcome(each, "exposed") for each in records[:100]])
    lake.append_outcomes([outcome(each, "clicked", each.inputs.now + 1) for each in records[:100:2]])
    dataset = build(from_lake(lake, NOW + 9 * DAY_MS), feature_list(ATTRIBUTES))
    assert (len(dataset), dataset.outcome.sum(), dict(dataset.left_out)) == (100, 50, {"not_exposed": 20})
    assert dataset.score.tolist() == [0.1] * 100
    assert dataset.models == ("prior",)


def test_an_empty_log_makes_an_empty_dataset_which_is_too_small_in_words() -> None:
    waiting = [Example(simple().inputs, "prior", left_out=("window_open",))]
    dataset = build(lambda: waiting, feature_list(ATTRIBUTES))
    assert dataset.rows.shape == (0, len(dataset.features.columns))
    with pytest.raises(InvalidInput, match=r"0 labelled items.*1 window_open") as caught:
        check_enough(dataset)
    assert caught.value.code == "DATASET_TOO_SMALL"


def test_a_log_in_which_nobody_accepts_cannot_be_learnt_from() -> None:
    refused = [Example(e.inputs, e.model, e.items, (0,), e.scores, e.propensities) for e in examples(30)]
    with pytest.raises(InvalidInput, match="0 accepted and 360 not"):
        check_enough(build(lambda: refused, feature_list(ATTRIBUTES)))
