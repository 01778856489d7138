"""`offing train --dask`: the trees of a cluster of two workers are nearly those of one machine."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import msgspec
import numpy as np
import pytest

from scoring import dask_fit
from scoring.card import Card
from scoring.cross_validation import NEW, RETURNING
from scoring.dataset import build, learn_features
from scoring.fit import Run, grow, text_of
from scoring.metrics import auc, log_loss
from scoring.model_folder import CARD, SAMPLE
from scoring.propensity import open_model
from scoring.train import train_from_lake
from streams.errors import InvalidInput, Retry
from streams.lake import Lake
from streams.record import encode
from tests.decision_log import outcome, record
from tests.scoring_world import ATTRIBUTES, QUICK, examples, world

INSTALLED = all(find_spec(name.partition(".")[0]) for name in dask_fit.LIBRARIES)
needs_dask = pytest.mark.skipif(not INSTALLED, reason="dask is not installed: make prove-dask installs it beside")
ROUNDS = 40


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Two processes of one thread on this machine."""
    made = import_module("distributed").LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=None
    )
    yield made.scheduler_address
    made.close()


@pytest.mark.skipif(INSTALLED, reason="dask is installed")
def test_without_dask_the_message_says_what_to_install() -> None:
    with pytest.raises(InvalidInput, match=r"--dask needs dask, .*pip install 'offing\[dask\]'") as raised:
        dask_fit.check_address("tcp://127.0.0.1:8786")
    assert raised.value.code == "DASK_MISSING"


@pytest.mark.prove
@needs_dask
def test_where_no_scheduler_answers_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dask_fit, "PATIENCE_S", 1)
    with pytest.raises(Retry, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9") as raised:
        dask_fit.check_address("tcp://127.0.0.1:9")
    assert raised.value.code == "DASK_UNREACHABLE"


@pytest.mark.prove
@needs_dask
def test_two_workers_grow_nearly_the_trees_of_one_machine(
    cluster: str, record_property: Callable[[str, object], None]
) -> None:
    dataset = build(world(400), learn_features(world(400), ATTRIBUTES))
    run = Run(3, 1, QUICK)
    old, new = np.arange(len(dataset) * 4 // 5), np.arange(len(dataset) * 4 // 5, len(dataset))
    there = grow(dataset, old, ROUNDS, replace(run, dask=cluster))
    here = grow(dataset, old, ROUNDS, run)
    said = [np.asarray(each.predict(dataset.rows[new], num_threads=1)) for each in (here, there)]
    outcome, weight = dataset.outcome[new], dataset.weight[new]
    losses = [log_loss(outcome, each, weight) for each in said]
    ranked = [auc(outcome, each, weight) or 0.0 for each in said]
    apart = float(np.corrcoef(np.array(said))[0, 1])
    record_property("with", f"log loss {losses[0]:.4f} here, {losses[1]:.4f} there; correlation {apart:.4f}")
    assert there.num_trees() == here.num_trees() == ROUNDS
    assert abs(losses[0] - losses[1]) < 0.02 * losses[0]
    assert abs(ranked[0] - ranked[1]) < 0.01
    assert apart > 0.95
    assert "num_machines" not in text_of(there)


@pytest.mark.prove
@needs_dask
def test_a_lake_trained_there_gives_nearly_the_same_model(
    cluster: str, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    lake = Lake(tmp_path / "lake")
    made = [(record(each.inputs, each.items), each.outcomes[0]) for each in examples(200)]
    lake.append_decisions([(each, encode(each)) for each, _ in made])
    lake.append_outcomes([outcome(each, "exposed") for each, _ in made])
    lake.append_outcomes([outcome(each, "clicked", each.inputs.now + 60_000) for each, came in made if came])
    folders = [train_from_lake(lake, tmp_path / "models", ATTRIBUTES, Run(0, 1, QUICK, dask)) for dask in ("", cluster)]
    here, there = (msgspec.json.decode((folder / CARD).read_bytes(), type=Card) for folder in folders)
    losses = {kind: (here.metrics[kind].log_loss, there.metrics[kind].log_loss) for kind in (NEW, RETURNING)}
    record_property("with", f"{here.rows} rows; log loss on folds here and there: {losses}")
    assert here.data == there.data
    for one, other in losses.values():
        assert abs(one - other) < 0.03 * one
    models = [open_model(folder) for folder in folders]
    rows = np.load(folders[0] / SAMPLE)[:, :-1]
    assert np.corrcoef([model.margins(rows) for model in models])[0, 1] > 0.95
    assert folders[0] != folders[1]
