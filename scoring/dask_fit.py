"""Trees grown on a Dask cluster, through LightGBM's own Dask interface, for logs that one machine is too slow for.

Rows are made where `offing train` runs, by the one code, and handed out; the workers keep them while trees grow. Each
worker finds the bins of some columns in the rows it holds, so the trees are nearly those of one machine, not the same
bytes. Dask, distributed and pandas are not installed with Offing: `pip install 'offing[dask]'`.
"""

import warnings
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import lightgbm
import numpy as np
from numpy.typing import NDArray

from scoring.features import Rows
from streams.errors import InvalidInput, Retry

Numbers = NDArray[np.float64]
Learnt = tuple[Rows, Numbers, Numbers]
"""(n, columns) rows, (n,) outcomes, (n,) weights."""
PATIENCE_S = 10
"""Until the cluster has answered, and until it has a worker."""
LIBRARIES = ("dask.array", "distributed", "pandas")


def check_address(address: str) -> None:
    """Before anything is read: Raises InvalidInput DASK_MISSING, Retry DASK_UNREACHABLE."""
    _client(address).close()


def grow_on(address: str, learnt: Learnt, told: Mapping[str, object], rounds: int) -> lightgbm.Booster:
    """Trees by the workers of a cluster (`tcp://host:8786`), `told` as LightGBM's parameters.

    Raises InvalidInput DASK_MISSING, Retry DASK_UNREACHABLE, DASK_FAILED.
    """
    client = _client(address)
    try:
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
        parts = [_handed_out(client, values, workers) for values in learnt]
        model = lightgbm.DaskLGBMClassifier(client=client, **_parameters(told, rounds))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Parameter n_jobs will be ignored")  # which nobody has set
            model.fit(parts[0], parts[1], sample_weight=parts[2])
        return model.to_local().booster_
    except (lightgbm.basic.LightGBMError, OSError, RuntimeError) as error:
        raise Retry("DASK_FAILED", f"{address} gave up growing trees: {error}. Look at its workers' logs") from error
    finally:
        client.close()


def _client(address: str) -> Any:
    _, distributed, _ = (_library(name) for name in LIBRARIES)
    try:
        client = distributed.Client(address, timeout=PATIENCE_S)
    except (OSError, ValueError) as error:
        message = f"no Dask scheduler answers at {address}: {error}. Expected an address such as tcp://10.0.0.4:8786"
        raise Retry("DASK_UNREACHABLE", message) from error
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError as error:
        client.close()
        message = f"the Dask scheduler at {address} has no worker. Start one: dask worker {address}"
        raise Retry("DASK_UNREACHABLE", message) from error
    return client


def _library(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        message = f"--dask needs {name.partition('.')[0]}, which is not installed: pip install 'offing[dask]'"
        raise InvalidInput("DASK_MISSING", message) from error


def _handed_out(client: Any, values: NDArray[Any], workers: Sequence[str]) -> Any:
    """A Dask array of a block per worker. Every worker gets a row in turn: logs change with time, and bins should not

    depend on whose day they were found in.
    """
    array = import_module("dask.array")
    blocks = [np.ascontiguousarray(values[number :: len(workers)]) for number in range(len(workers))]
    placed = [
        client.scatter(block, workers=[worker], hash=False) for block, worker in zip(blocks, workers, strict=True)
    ]
    made = [
        array.from_delayed(future, shape=block.shape, dtype=block.dtype, meta=block[:0])
        for future, block in zip(placed, blocks, strict=True)
    ]
    return array.concatenate(made)


def _parameters(told: Mapping[str, object], rounds: int) -> dict[str, Any]:
    """Rows are divided among the workers, who use the threads they have. LightGBM has only the basic method for

    constraints there, and would warn.
    """
    basic = {"monotone_constraints_method": "basic"} if "monotone_constraints" in told else {}
    kept = {name: value for name, value in told.items() if name != "num_threads"}
    return {**kept, **basic, "n_estimators": rounds, "tree_learner": "data"}
