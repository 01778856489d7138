"""Evaluation: how good a model is on a log it was not trained on."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from scoring.dataset import Dataset, build
from scoring.examples import Examples, from_lake
from scoring.metrics import Metrics, ReliabilityBin, auc, measure
from scoring.propensity import Model, open_model
from streams.errors import InvalidInput
from streams.ids import Millis, ModelId, OfferId
from streams.lake import Lake

Numbers = NDArray[np.float64]


class OfferLine(msgspec.Struct, frozen=True):
    """One offer: what was said and what came."""

    offer_id: OfferId
    rows: int
    predicted: float
    observed: float
    auc: float | None


class Evaluation(msgspec.Struct, frozen=True):
    """What `offing evaluate` prints. The first fields are those of Metrics, of the model itself."""

    v: int
    model: ModelId
    form: str
    """compiled | booster"""
    rows: int
    positives: int
    customers: int
    auc: float | None
    auc_interval: tuple[float, float] | None
    log_loss: float
    log_loss_of_mean: float
    brier: float
    ece: float
    reliability: tuple[ReliabilityBin, ...]
    declared: Metrics
    """Of the declared starting propensities on the same rows: what the prior would have said."""
    logged: Metrics | None
    """Of the scores in the log, where every row has one: what was said when it was shown."""
    offers: tuple[OfferLine, ...]
    left_out: dict[str, int]


FORMAT = 1


def evaluate_lake(folder: Path, lake: Lake, *, now: Millis | None = None, seed: int = 0) -> Evaluation:
    """A model folder on everything in the lake whose attribution window had closed at `now` (default: newest record).

    Raises InvalidInput MODEL_INVALID, DATASET_EMPTY.
    """
    at = lake.newest() if now is None else now
    return evaluate_model(folder, from_lake(lake, at or 0), seed=seed)


def evaluate_model(folder: Path, examples: Examples, *, seed: int = 0) -> Evaluation:
    """A model folder on any log. Raises as evaluate_lake does."""
    model = open_model(folder)
    return evaluate(model, build(examples, model.plan.features), seed=seed)


def evaluate(model: Model, dataset: Dataset, *, seed: int = 0) -> Evaluation:
    """A model on a dataset made with its own feature list."""
    if not len(dataset):
        dropped = ", ".join(f"{count} {reason}" for reason, count in dataset.left_out.items()) or "it is empty"
        message = f"the log has no item with a known outcome: {dropped}. Wait, or give a later --now"
        raise InvalidInput("DATASET_EMPTY", message)
    offers = [dataset.offers[code] for code in dataset.offer]
    exposures = [model.evidence.of(offer_id) for offer_id in offers]
    declared = np.column_stack([dataset.starts.mean, dataset.starts.evidence, exposures])
    said = model.probability(np.ascontiguousarray(dataset.rows), declared)
    found = _measured(dataset, said, seed)
    return Evaluation(
        v=FORMAT,
        model=model.id,
        form=model.form,
        rows=found.rows,
        positives=found.positives,
        customers=len(dataset.customers),
        auc=found.auc,
        auc_interval=found.auc_interval,
        log_loss=found.log_loss,
        log_loss_of_mean=found.log_loss_of_mean,
        brier=found.brier,
        ece=found.ece,
        reliability=found.reliability,
        declared=_measured(dataset, dataset.starts.mean, seed),
        logged=None if np.isnan(dataset.score).any() else _measured(dataset, dataset.score, seed),
        offers=tuple(_offer_lines(dataset, said)),
        left_out=dict(dataset.left_out),
    )


def page(found: Evaluation) -> str:
    """The same as text."""
    interval = "" if found.auc_interval is None else f" ({found.auc_interval[0]:.3f} to {found.auc_interval[1]:.3f})"
    lines = [
        f"{found.model} ({found.form}) on {found.rows:,} items of {found.customers:,} customers, "
        f"{found.positives / found.rows:.2%} accepted",
        f"  AUC {_number(found.auc)}{interval}   log loss {found.log_loss:.4f} (mean rate {found.log_loss_of_mean:.4f})"
        f"   Brier {found.brier:.4f}   ECE {found.ece:.4f}",
        f"  declared propensities: AUC {_number(found.declared.auc)}, log loss {found.declared.log_loss:.4f}",
    ]
    if found.logged is not None:
        lines.append(f"  as logged: AUC {_number(found.logged.auc)}, log loss {found.logged.log_loss:.4f}")
    lines += ["", "  said         rows   mean said   came"]
    lines += [
        f"  {bin.low:.1f} to {bin.high:.1f} {bin.rows:>7,}   {bin.predicted:>9.3f}  {bin.observed:>5.3f}"
        for bin in found.reliability
    ]
    lines += ["", f"  {'offer':<40} rows   mean said   came    AUC"]
    lines += [_offer_text(line) for line in found.offers]
    return "\n".join(lines)


def _offer_text(line: OfferLine) -> str:
    name = line.offer_id if len(line.offer_id) <= 38 else f"{line.offer_id[:35]}..."
    return f"  {name:<38} {line.rows:>6,}   {line.predicted:>9.3f}  {line.observed:>5.3f}  {_number(line.auc)}"


def _measured(dataset: Dataset, said: Numbers, seed: int) -> Metrics:
    return measure(dataset.outcome, said, dataset.customer, dataset.weight, seed)


def _offer_lines(dataset: Dataset, said: Numbers) -> Sequence[OfferLine]:
    """Offers by their number of rows, the most first."""
    lines = []
    for code, offer_id in enumerate(dataset.offers):
        spots = dataset.offer == code
        outcome, weight = dataset.outcome[spots], dataset.weight[spots]
        lines.append(
            OfferLine(
                offer_id,
                int(spots.sum()),
                float(np.average(said[spots], weights=weight)),
                float(np.average(outcome, weights=weight)),
                auc(outcome, said[spots], weight),
            )
        )
    return sorted(lines, key=lambda line: (-line.rows, line.offer_id))


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"
