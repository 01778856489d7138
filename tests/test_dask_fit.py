"""`offing train --dask`: the trees of a cluster of two workers are nearly those of one machine."""

from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec

import numpy as np
import pytest

from scoring import dask_fit
from scoring.dataset import build, learn_features
from scoring.fit import Run, grow, learnt_from, parameters, text_of
from scoring.metrics import auc, log_loss
from streams.errors import InvalidInput, Retry
from tests.scoring_world import ATTRIBUTES, QUICK, world

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
    rows, spots = learnt_from(dataset, old, run)
    told = parameters(dataset.features, run)
    there = dask_fit.grow_on(cluster, rows, dataset.outcome[spots], dataset.weight[spots], told, ROUNDS)
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
